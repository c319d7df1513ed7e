"""The organisation as one evaluation reads it: who stands below whom, and what is read of some schools only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from phongmay_rules import judging
from phongmay_rules.model import Check
from phongmay_rules.places import UnitPlace, read_organisation
from phongmay_store.register.declared import Declared
from phongmay_store.register.device import Device, IdentityConflict
from phongmay_store.register.engine import open_register
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Line, Room

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
BEFORE = AT - timedelta(days=60)
TREE = {
    "city": ("city", None), "district": ("district", "city"), "cluster": ("cluster", "district"),
    "a": ("school", "cluster"), "b": ("school", "district"), "c": ("school", "b"), "d": ("school", "nowhere"),
    "ring-1": ("ward", "ring-2"), "ring-2": ("ward", "ring-1"), "e": ("school", "ring-1"), "f": ("school", None),
    "g": ("school", "g"),
}  # fmt: skip
"""b stands below a school, d below what does not exist, e below a ring, g below itself."""


@pytest.fixture
def engine(register_url: str) -> Iterator[Engine]:
    """A register with a tree that has everything wrong that a tree can have, and two schools with content."""
    engine = open_register(register_url)
    times = {"valid_from": BEFORE, "recorded_at": BEFORE}
    with Session(engine) as session:
        for name, (kind, parent) in TREE.items():
            session.add(Unit(id=name, parent_id=parent, kind=kind, name=name.upper(), level="", **times))
        for school in "ab":
            room, device = f"room-{school}", f"pc-{school}"
            session.add(Room(id=room, school_id=school, name=room, kind="computer_room", timetable="always", **times))
            session.add(Device(id=device, school_id=school, room_id=room, code=device, kind="pc", **times))
            session.add(Line(id=f"line-{school}", school_id=school, name="1", isp="V", contracted_down_bps=5, **times))
            for name, given in (("ram", {"number": 8e9}), ("os", {"text": "debian-12"}), ("cpu_bits", {"number": 0})):
                session.add(Declared(id=f"{device}-{name}", school_id=school, subject_kind="device", subject_id=device,
                                     name=name, declared_by="office", **given, **times))  # fmt: skip
        session.add(IdentityConflict(device_id="pc-b", detail="two", opened_at=BEFORE))
        session.commit()
    yield engine
    engine.dispose()


def test_every_unit_has_the_schools_below_it(engine: Engine) -> None:
    """Law: a unit above schools has all that stand below it through any levels, each once, children before parents; a
    ring, a gap and a school above a school lose nobody."""
    with Session(engine) as session:
        found = read_organisation(session, AT)
    assert {unit: place.schools for unit, place in found.units.items()} == {
        "cluster": ("a",), "district": ("a", "b", "c"), "city": ("a", "b", "c"), "ring-1": ("e",), "ring-2": ("e",),
    }  # fmt: skip
    assert [unit for unit in found.units if unit in ("city", "district", "cluster")] == ["cluster", "district", "city"]
    assert found.units["city"] == UnitPlace("city", "CITY", "city", ("a", "b", "c"))
    assert found.parents == {name: parent for name, (_, parent) in TREE.items()}
    assert set(found.schools) == set("abcdefg")


@pytest.mark.parametrize("known_at", [None, AT])
def test_of_some_schools_only_these_are_read(engine: Engine, known_at: datetime | None) -> None:
    """Law: schools that were not asked for are there and empty; those that were are what a full reading gives."""
    with Session(engine) as session:
        everything = read_organisation(session, AT, known_at)
        some = read_organisation(session, AT, known_at, only=["b", "not there"])
        none = read_organisation(session, AT, known_at, only=())
    school = everything.schools["b"]
    assert some.schools["b"].is_like(school)
    assert (school.rooms[0].id, school.lines[0].down_bps) == ("room-b", 5)
    assert (school.devices[0].id, school.devices[0].timetable, school.devices[0].in_conflict) == (
        "pc-b",
        "always",
        True,
    )
    said = school.declared["device", "pc-b"]
    assert {name: of.value for name, of in said.items()} == {"ram": 8e9, "os": "debian-12", "cpu_bits": 0}
    assert {of.since for of in said.values()} == {BEFORE.timestamp()}
    assert everything.schools["a"].devices[0].in_conflict is False
    for reading in (some, none):
        assert reading.units == everything.units
        assert reading.parents == everything.parents
        assert reading.schools["a"].rooms == reading.schools["a"].devices == reading.schools["a"].lines == []
        assert reading.schools["a"].declared == {}


@pytest.mark.parametrize(
    ("at", "known_at", "is_open"),
    [
        (-1, None, False), (0, None, True), (9, None, True), (10, None, False), (20, None, False),
        (0, -1, False), (20, 0, True), (20, 9, True), (20, 10, False), (9, 20, True),
    ],
)  # fmt: skip
def test_a_conflict_stands_from_its_opening_to_its_decision(
    engine: Engine, at: int, known_at: int | None, is_open: bool
) -> None:
    """Law: two machines under one identity at noon change nothing of what stood in the morning, nor does a decision in
    the evening of what stood at noon; facts that are made anew of a past instant see what held then."""
    with Session(engine) as session:
        opened, closed = AT, AT + timedelta(hours=10)
        session.add(IdentityConflict(device_id="pc-a", detail="two", opened_at=opened, closed_at=closed))
        session.commit()
        known = None if known_at is None else AT + timedelta(hours=known_at)
        found = read_organisation(session, AT + timedelta(hours=at), known)
    assert found.schools["a"].devices[0].in_conflict is is_open


def test_what_was_not_known_yet_is_not_there(engine: Engine) -> None:
    """Law: each thing is read as of both times, the one that it holds at and the one that it was known at."""
    with Session(engine) as session:
        assert read_organisation(session, AT, BEFORE - timedelta(seconds=1)).schools == {}
        assert read_organisation(session, BEFORE - timedelta(seconds=1), AT).schools == {}
        assert read_organisation(session, BEFORE, BEFORE).schools["a"].devices[0].id == "pc-a"


def test_the_same_questions_are_asked_whatever_is_there(engine: Engine) -> None:
    """Law: how often the register is asked does not grow with what stands in it."""
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *words: asked.append(words[2]))
    with Session(engine) as session:
        read_organisation(session, AT, AT, only=["a"])
        one = len(asked)
        read_organisation(session, AT, AT)
    assert len(asked) - one == one


def test_every_kind_of_check_is_judged() -> None:
    """Law: no kind of check that a pack may hold is without the function that judges it."""
    assert set(judging._CHECKS) == set(get_args(get_args(Check)[0]))
