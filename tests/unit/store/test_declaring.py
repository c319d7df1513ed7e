"""A person's word becomes a declaration: read in its unit, dated, revised and never overwritten, taken back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from phongmay_contract.units import GIB
from phongmay_store.register.addresses import EXPECTED
from phongmay_store.register.base import Versioned
from phongmay_store.register.declared import Declared
from phongmay_store.register.declaring import ITEMS, Wish, declare, declared_now, history, understood, written
from phongmay_store.register.device import Device
from phongmay_store.register.importing import import_files
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Line, Room

START, SPRING, SUMMER = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3, 6))
KINDS = {kind.name: kind for kinds in ITEMS.values() for kind in kinds}
FILES = {
    "units": "external_id,name,level\nmoet:1,Trường A,tieu_hoc\n",
    "rooms": "school,name,kind\nmoet:1,Phòng máy 1,computer_room\n",
    "devices": "school,code,room\nmoet:1,PC-1,Phòng máy 1\n",
    "lines": "school,name,contracted_down_mbps\nmoet:1,Chính,100\n",
}


@pytest.fixture
def register(register_engine: Engine, tmp_path: Path) -> Session:
    """A register with a school, a room, a PC and a line."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    session = Session(register_engine)
    assert import_files(session, [folder], since=START).errors == []
    session.commit()
    return session


def thing(session: Session, model: type[Versioned]) -> Versioned:
    """Give the one thing of a kind as it is now."""
    found = session.scalars(model.at()).one()
    assert isinstance(found, Versioned)
    return found


def say(session: Session, model: type[Versioned], name: str, text: str | None, since: datetime, **more: str) -> int:
    """Declare one item as the school does."""
    school = session.scalars(select(Unit.id)).first()
    wish = Wish(KINDS[name], text, more.get("by", "Ban kiểm kê"), since, more.get("attachment", ""))
    count = declare(session, school or "", thing(session, model), [wish])
    session.commit()
    return count


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("ram", "8", 8 * GIB), ("ram", "0,5", GIB // 2), ("area", " 52,5 ", 52.5), ("audio", "Có", 1.0),
        ("audio", "no", 0.0), ("os", "windows  10-22H2", "windows 10-22H2"), ("students", "700", 700.0),
        ("contracted_down", "300", 300e6), ("class_size", "35", 35.0), ("esu_until", " 12/10/2027", "2027-10-12"),
        ("esu_until_school", "2027-10-12", "2027-10-12"),
        ("source_addresses", "203.0.113.7; 203.0.113.9/29 2001:db8::1", "203.0.113.7, 203.0.113.8/29, 2001:db8::1"),
    ],
)  # fmt: skip
def test_words_are_read_in_their_unit(name: str, text: str, value: float | str) -> None:
    """What is written in GB, m2 or có arrives in base units, and is written back in the same unit."""
    assert understood(KINDS[name], text) == (value, "")
    again, _ = understood(KINDS[name], written(KINDS[name], value))
    assert again == value


def test_as_many_addresses_as_a_line_may_have_fit() -> None:
    """Sixteen networks of IPv6, each written in full, are taken whole; one more is refused by number, none is cut."""
    full = [f"2001:0db8:aaaa:bbbb:cccc:dddd:{number:04x}:0000/112" for number in range(0x1000, 0x1011)]
    value, problem = understood(KINDS["source_addresses"], ", ".join(full[:16]))
    assert problem == ""
    assert str(value).split(", ") == [
        f"2001:db8:aaaa:bbbb:cccc:dddd:{number:x}:0/112" for number in range(0x1000, 0x1010)
    ]
    assert understood(KINDS["source_addresses"], ", ".join(full)) == (None, f"expected {EXPECTED}")
    assert "at most 16" in EXPECTED


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("ram", "lots", "expected a number from 0.25 to 4096 GB"), ("ram", "5000", "expected a number"),
        ("students", "7.5", "whole number"), ("class_size", "0", "from 1 to 200"), ("area", "NaN", "expected a number"),
        ("audio", "maybe", "yes or no"), ("os", "x" * 201, "at most 200"), ("area", "", "is empty"),
        ("esu_until", "2027-13-01", "expected a day"), ("esu_until", "next year", "expected a day"),
        ("students", "1.000", "1000 for 1.000"), ("students", "1,512", "1512 for 1,512"),
        ("area", "1.200,5", "expected a number"), ("contracted_down", "1.000", "1000 for 1.000"),
        ("area", "1e400", "expected a number"), ("students", "-3", "expected a whole number from 0"),
        ("source_addresses", "the main line", "expected IP addresses"), ("source_addresses", "::/0", "expected IP"),
        ("source_addresses", "203.0.113.300", "expected IP addresses"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(name: str, text: str, said: str) -> None:
    """Out of belief, half a pupil, no number: the sentence says what was expected."""
    value, problem = understood(KINDS[name], text)
    assert value is None
    assert said in problem


def test_a_correction_keeps_the_old_row(register: Session) -> None:
    """What was declared before stays answerable: how it was then, and what was believed then."""
    assert say(register, Room, "area", "50", START) == 1
    assert say(register, Room, "area", "52", SPRING, by="Hiệu trưởng") == 1
    assert say(register, Room, "area", "52", SUMMER, by="Hiệu trưởng") == 0, "the same again is no news"
    now = declared_now(register, [thing(register, Room)], "room")[thing(register, Room).id]["area"]
    assert (now.value, now.by, now.since) == (52.0, "Hiệu trưởng", SPRING)
    then = register.scalars(Declared.at(START)).one()
    assert then.value == 50.0
    assert len(history(register, "room", thing(register, Room).id)) == 3


def test_evidence_belongs_to_a_value(register: Session) -> None:
    """A photograph stays with the value that it shows; a new value does not inherit it."""
    say(register, Room, "area", "50", START, attachment="ab" * 32)
    say(register, Room, "area", "50", SPRING, by="Hiệu trưởng")
    room = thing(register, Room)
    assert declared_now(register, [room], "room")[room.id]["area"].attachment_sha256 == "ab" * 32
    assert say(register, Room, "area", None, SPRING, attachment="cd" * 32) == 1
    assert declared_now(register, [room], "room")[room.id]["area"].attachment_sha256 == "cd" * 32
    say(register, Room, "area", "51", SUMMER)
    assert declared_now(register, [room], "room")[room.id]["area"].attachment_sha256 == ""
    assert say(register, Room, "audio", None, SUMMER, attachment="cd" * 32) == 0, "there is no value to show"


def test_class_size_and_contract_are_the_registers_own(register: Session) -> None:
    """Rules read the room and the line; who said so and the contract stand beside, as long as they speak of it."""
    say(register, Room, "class_size", "35", SPRING, attachment="ab" * 32)
    assert register.scalars(Room.at()).one().class_size == 35
    line = thing(register, Line)
    before = declared_now(register, [line], "line")[line.id]
    assert (before["contracted_down"].value, before["contracted_down"].by) == (100_000_000, "")
    assert "contracted_up" not in before
    say(register, Line, "contracted_down", "300", SPRING, by="Hiệu trưởng")
    line = thing(register, Line)
    after = declared_now(register, [line], "line")[line.id]["contracted_down"]
    assert (after.value, after.by, after.since) == (300_000_000, "Hiệu trưởng", SPRING)
    line.revise(register, {"contracted_down_bps": 200_000_000})
    register.commit()
    line = thing(register, Line)
    imported = declared_now(register, [line], "line")[line.id]["contracted_down"]
    assert (imported.value, imported.by) == (200_000_000, ""), "nobody is made to have said what a file changed"


def test_the_addresses_of_a_line_are_the_registers_own(register: Session) -> None:
    """A bandwidth test reads the line; taken back, nothing is known of them."""
    say(register, Line, "source_addresses", "203.0.113.7", SPRING)
    line = thing(register, Line)
    assert register.scalars(Line.at()).one().source_addresses == "203.0.113.7"
    assert declared_now(register, [line], "line")[line.id]["source_addresses"].by == "Ban kiểm kê"
    assert say(register, Line, "source_addresses", "-", SUMMER) == 1
    line = thing(register, Line)
    assert register.scalars(Line.at()).one().source_addresses == ""
    assert "source_addresses" not in declared_now(register, [line], "line")[line.id]


def test_taking_back_ends_it_and_the_past_stays(register: Session) -> None:
    """After '-' nothing is declared; before it the old value still held; saying it again begins anew."""
    say(register, Device, "ram", "8", START)
    assert say(register, Device, "ram", "-", SPRING) == 1
    assert say(register, Device, "ram", "-", SPRING) == 0
    device = thing(register, Device)
    assert declared_now(register, [device], "device")[device.id] == {}
    assert register.scalars(Declared.at(datetime(2026, 2, 1, tzinfo=UTC))).one().value == 8 * GIB
    say(register, Device, "ram", "16", SUMMER)
    assert register.scalars(Declared.at()).one().value == 16 * GIB
    assert register.scalars(Declared.at(datetime(2026, 4, 1, tzinfo=UTC))).all() == []
    say(register, Room, "class_size", "30", START)
    say(register, Room, "class_size", "-", SPRING)
    assert register.scalars(Room.at()).one().class_size is None


def test_no_instant_has_two_values(register: Session) -> None:
    """However values are said, taken back and corrected for the past: one thing, one value at every instant."""
    steps = [("8", SPRING), ("-", SUMMER), ("4", START), ("16", SPRING), ("-", SPRING), ("2", SUMMER), ("6", START)]
    for text, since in steps:
        say(register, Device, "ram", text, since)
        for month in range(1, 13):
            at = datetime(2026, month, 2, tzinfo=UTC)
            assert len(register.scalars(Declared.at(at)).all()) <= 1, (text, since, at)
    assert register.scalars(Declared.at()).one().value == 6 * GIB
