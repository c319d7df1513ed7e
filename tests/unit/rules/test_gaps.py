"""The gap list on a real register and a real series store: what is bought, for whom, and that the rules agree."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from phongmay_contract.errors import OperatorError
from phongmay_rules.gaps.listing import GapList, make_gap_list
from phongmay_rules.gaps.prices import SAMPLE, ItemKind, Prices, PricesError, read_prices
from phongmay_rules.gaps.words import first_of
from phongmay_rules.standing import read_standing
from phongmay_simulate.district import Role
from phongmay_store.register.decisions import Waiver
from phongmay_store.register.declared import Declared
from phongmay_store.register.device import Device
from phongmay_store.register.place import Room

pytestmark = pytest.mark.one_register

NOW = datetime.fromisoformat("2026-11-23T10:00:00+07:00")
PRICES = read_prices()
PRICE = {item.id: item.price_vnd for item in PRICES.item}


CORE = frozenset({"TB-01", "TB-02", "TB-03", "TB-05", "TB-07", "TB-08", "TB-09", "PH-01", "PH-02", "TR-01", "TR-15"})
"""What agent and register tell; other rules need declarations that these schools have not made."""


def gaps(house: Any, *, prices: Prices = PRICES, at: Any = None, only: frozenset[str] = CORE, **wishes: Any) -> GapList:
    """Evaluate and make the list."""
    house.evaluate(*([at] if at else []))
    with house.sessions() as session:
        standing = read_standing(session, house.pack)
    found = make_gap_list(standing, prices, only=only, **wishes)
    assert found.broken == ()
    return found


def bought(found: GapList) -> dict[tuple[str, str], int]:
    """Give what is bought: (device, room or school; item) -> pieces."""
    return {(line.device_id or line.room_id or line.school_id, line.line.item.id): line.count for line in found.lines}


def test_nothing_is_bought_for_a_healthy_district(house: Any) -> None:
    """No failing verdict, no line, and every school is complete."""
    found = gaps(house)
    assert (found.lines, found.cost) == ((), 0)
    assert all(school.is_complete and school.red == 0 for school in found.schools)


@pytest.mark.parametrize(
    ("role", "items"),
    [
        (Role.LOW_MEMORY, {"ram-4"}),
        (Role.OLD_PROCESSOR, {"pc"}),
        (Role.SMALL_DISK, {"ssd-256"}),
        (Role.OLD_SYSTEM, {"os-licence"}),
        (Role.SLOW_LINK, {"cable"}),
        (Role.NO_INTERNET, {"cable"}),
    ],
)
def test_one_fault_one_cheapest_remedy(house: Any, role: Role, items: set[str]) -> None:
    """A machine with one fault gets the cheapest thing that mends it, and its room and district turn green with it."""
    house.device("odd", "cs", "cs-room")
    house.speak("odd", role)
    found = gaps(house)
    assert {item for (_, item) in bought(found)} == items
    assert {line.device_id for line in found.lines} == {"odd"}
    assert found.cost == sum(PRICE[item] for item in items)
    after = [(key[2], judged.state) for unit in found.after.values() for key, judged in unit.items()]
    assert [rule for rule, state in after if state == "fail" and rule in CORE | {"QU-01"}] == []


def test_unknown_is_never_priced(house: Any) -> None:
    """What nobody measured is listed with its reason; no money is asked for it."""
    house.device("odd", "cs", "cs-room")
    house.speak("odd", Role.UNKNOWN_LINK)
    house.device("paper", "cs", "cs-room", agent_since=None)
    found = gaps(house)
    assert found.lines == ()
    (school,) = [school for school in found.schools if school.school_id == "cs"]
    assert school.unknown["device", "odd", "TB-07"].reason == "speed_not_told"
    assert school.unknown["device", "paper", "TB-01"].reason == "no_agent"


def test_missing_pcs_are_bought_for_the_room(house: Any) -> None:
    """A class of 10 needs 5 PCs where 3 work: 2 are bought, not 5, and not for another room."""
    house.room("big", "cs", class_size=10)
    for number in range(3):
        house.device(f"big-{number}", "cs", "big")
        house.speak(f"big-{number}")
    found = gaps(house)
    assert bought(found) == {("big", "pc"): 2}
    assert found.after["cs"]["room", "big", "PH-01"].state == "pass"
    assert [line.mends for line in found.lines] == [("PH-01",)]


def test_a_silent_pc_is_looked_after_before_a_new_one_is_bought(house: Any) -> None:
    """A room that lacks a PC because two are silent gets a technician, and one visit is enough for the room alone."""
    later = NOW + timedelta(minutes=16)
    for name in ("cs-0", "th-0", "th-1", "th-2"):
        house.speak(name, at=later, minutes=1)
    found = gaps(house, at=later)
    assert bought(found) == {("cs-1", "visit"): 1, ("cs-2", "visit"): 1}
    assert found.after["cs"]["room", "cs-room", "PH-01"].state == "pass"
    only = gaps(house, at=later, only=frozenset({"PH-01"}))
    assert list(bought(only).values()) == [1]
    assert {item for _, item in bought(only)} == {"visit"}


def test_a_switch_is_bought_when_it_is_cheaper_than_a_cable_for_each(house: Any) -> None:
    """11 slow ports of one room cost more in cables than one switch; 10 do not."""
    for number in range(11):
        house.device(f"slow-{number}", "cs", "cs-room")
        house.speak(f"slow-{number}", Role.SLOW_LINK)
    assert bought(gaps(house)) == {("cs-room", "switch-24"): 1}
    house.revise(Device, "slow-10", NOW - timedelta(minutes=1), state="retired")
    assert bought(gaps(house)) == {(f"slow-{number}", "cable"): 1 for number in range(10)}


def test_what_may_turn_out_well_is_not_bought(house: Any) -> None:
    """Of 6 missing PCs 2 are declared only: 4 are missing in any case; the room stays unknown until measured."""
    house.room("big", "cs", class_size=18)
    for number in range(3):
        house.device(f"big-{number}", "cs", "big")
        house.speak(f"big-{number}")
    for number in range(2):
        house.device(f"paper-{number}", "cs", "big", agent_since=None)
    found = gaps(house)
    assert bought(found) == {("big", "pc"): 4}
    assert ("room", "big", "PH-01") in found.undecided
    (school,) = [school for school in found.schools if school.school_id == "cs"]
    unsettled = [target for target in found.undecided if target in found.before["cs"]]
    assert school.green == school.red - len(school.no_measure) - len(unsettled), "what stays unknown is no pass"


def test_a_school_without_a_room_gets_one_with_pcs(empty_house: Any) -> None:
    """TR-01: a room for a class at the legal cap of 45, two pupils a PC, so 23 PCs; every rule agrees afterwards."""
    empty_house.unit("cs", "school", "quan", "thcs")
    found = gaps(empty_house)
    assert bought(found) == {("cs", "room"): 1, ("cs", "pc"): 23}
    assert found.after["quan"]["district", "quan", "QU-01"].state == "pass"


def test_a_budget_takes_the_schools_that_it_can_complete(house: Any) -> None:
    """With money for the cheap school only, that one is completed and the dear one waits."""
    house.device("dear", "cs", "cs-room")
    house.speak("dear", Role.OLD_PROCESSOR)
    house.device("cheap", "th", "th-room")
    house.speak("cheap", Role.LOW_MEMORY)
    found = gaps(house, budget=PRICE["pc"])
    assert {line.device_id for line in found.lines} == {"cheap"}
    assert {school.school_id: school.is_complete for school in found.schools} == {"cs": False, "mn": True, "th": True}
    assert gaps(house, budget=0).lines == ()
    assert gaps(house, budget=PRICE["pc"] + PRICE["ram-4"]).cost == gaps(house).cost


def test_recommendations_are_left_out_unless_asked_for(house: Any) -> None:
    """One PC for each pupil is good, and nobody demands it: it is priced by name only."""
    assert {line.line.item.id for line in gaps(house, only=frozenset()).lines} == {"smart-room"}
    rooms = gaps(house, only=frozenset({"PH-01b"}))
    assert bought(rooms) == {("cs-room", "pc"): 1, ("th-room", "pc"): 1}


def test_what_no_measure_mends_is_left(house: Any) -> None:
    """A file without smart classrooms does not make a district compliant: the verdict stays, no school is complete."""
    items = tuple(item for item in PRICES.item if item.kind != ItemKind.SMART_ROOM)
    found = gaps(house, prices=PRICES.model_copy(update={"item": items}), only=CORE | {"TR-03"})
    left = {target[2] for school in found.schools for target in school.no_measure}
    assert left == {"TR-03"}
    assert not any(school.is_complete for school in found.schools)


def test_a_pc_in_repair_is_repaired_before_one_is_bought(house: Any) -> None:
    """A room that lacks a PC because one is in repair gets it back: cheaper than a new one, and the room passes."""
    house.revise(Device, "cs-0", NOW - timedelta(minutes=1), state="in_repair")
    house.revise(Device, "cs-1", NOW - timedelta(minutes=1), state="in_repair")
    found = gaps(house)
    assert list(bought(found).items()) == [(("cs-0", "repair"), 1)] or list(bought(found)) == [("cs-1", "repair")]
    assert found.after["cs"]["room", "cs-room", "PH-01"].state == "pass"


def declare(house: Any, kind: str, subject: str, **values: float) -> None:
    """Let the school cs declare something."""
    with house.sessions() as session:
        for name, value in values.items():
            session.add(
                Declared(id=f"{subject}-{name}", school_id="cs", subject_kind=kind, subject_id=subject, name=name,
                         number=value, declared_by="x", valid_from=NOW - timedelta(days=9),
                         recorded_at=NOW - timedelta(days=9))
            )  # fmt: skip
        session.commit()


def smart_room(house: Any) -> None:
    """Add a smart classroom to the school cs."""
    house.room("smart", "cs")
    with house.sessions() as session:
        session.execute(update(Room).where(Room.id == "smart").values(kind="smart_classroom"))
        session.commit()


def test_parts_of_a_room_and_of_a_school(house: Any) -> None:
    """A smart classroom gets the two parts that it lacks, the school a laboratory and PCs for its pupils."""
    smart_room(house)
    declare(house, "room", "smart", display=0, teacher_computer=1, internet=1, audio=0)
    declare(house, "school", "cs", modern_labs=0, students=65)
    found = gaps(house, only=frozenset({"PH-08", "TR-03", "TR-04", "TR-02"}))
    mine = {key: count for key, count in bought(found).items() if key[0] not in ("th", "mn")}
    pcs = {key: count for key, count in mine.items() if key[1] == "pc"}
    assert {key for key in mine if key not in pcs} == {("smart", "display"), ("smart", "audio"), ("cs", "lab")}
    assert sum(pcs.values()) == math.ceil(65 / found.before["cs"]["school", "cs", "TR-02"].required["value"]) - 3
    assert {found.after["cs"]["school", "cs", rule].state for rule in ("TR-02", "TR-03", "TR-04")} == {"pass"}


def test_parts_are_not_bought_where_a_declaration_is_missing(house: Any) -> None:
    """A room that lacks a display, and of which nobody said whether it has sound, is not made to pass by a display."""
    smart_room(house)
    declare(house, "room", "smart", display=0, teacher_computer=1, internet=1)
    found = gaps(house, only=frozenset({"PH-08"}))
    assert found.lines == ()
    (school,) = [school for school in found.schools if school.school_id == "cs"]
    assert [(todo.rule, todo.who) for todo in first_of(found, school, "vi")] == [("PH-08", "nhà trường")]


def test_paperwork_is_not_for_sale(house: Any) -> None:
    """A digital record that is not complete is declared by the school; it stands apart and keeps no school back."""
    declare(house, "device", "cs-0", ram=4 * 2**30)
    found = gaps(house, only=frozenset({"TB-11"}))
    (school,) = [school for school in found.schools if school.school_id == "cs"]
    assert (school.red, school.no_measure, school.is_complete) == (0, (), True)
    assert {target[2] for target in school.paperwork} == {"TB-11"}
    todo = first_of(found, school, "en")
    assert (todo[0].rule, todo[0].count, todo[0].who) == ("TB-11", 3, "the school")


def test_only_some_rules(house: Any) -> None:
    """A district that pays for memory only gets a list about memory only."""
    house.device("odd", "cs", "cs-room")
    house.speak("odd", Role.LOW_MEMORY)
    house.device("slow", "cs", "cs-room")
    house.speak("slow", Role.SLOW_LINK)
    assert set(bought(gaps(house, only=frozenset({"TB-01"})))) == {("odd", "ram-4")}


def test_a_waiver_excuses_and_does_not_equip(house: Any) -> None:
    """A waived verdict alone is not priced; the room's rule that it keeps red is, since waived is never met."""
    house.device("odd", "cs", "cs-room")
    house.speak("odd", Role.LOW_MEMORY)
    with house.sessions() as session:
        session.add(
            Waiver(
                unit_id="cs", subject_id="odd", rule_id="TB-01", reason="x", signed_by="officer", replaces=None,
                valid_from=NOW - timedelta(days=1), valid_to=NOW + timedelta(days=1), recorded_at=NOW,
            )
        )  # fmt: skip
        session.commit()
    assert gaps(house, only=frozenset({"TB-01"})).lines == ()
    found = gaps(house)
    assert bought(found) == {("odd", "ram-4"): 1}
    assert [line.mends for line in found.lines] == [("PH-02",)]
    assert found.after["cs"]["room", "cs-room", "PH-02"].state == "pass"


def test_unknown_unit(house: Any) -> None:
    """One sentence that names the unit."""
    with house.sessions() as session, pytest.raises(OperatorError, match="'nowhere'"):
        read_standing(session, house.pack, "nowhere")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('kind = "memory"', 'kind = "memry"', "item.0.kind"),
        ("price_vnd = 450_000", "price_vnd = 0", "item.0.price_vnd"),
        ("price_vnd = 450_000", "price_vnd = 450_000.5", "item.0.price_vnd"),
        ("size_bytes = 4_294_967_296\n", "", "needs 'size_bytes'"),
        ('id = "ram-8"', 'id = "ram-4"', "'ram-4' stands there twice"),
        ("system_disk_marketed_bytes = 256_000_000_000", "disk = 1", "'disk' is no fact of a device"),
        ("ports = 24\n", "", "needs 'ports'"),
        ("valid_until = 2027-06-30", "valid_until = 2020-01-01", "not before 'dated'"),
        ("placeholder = true", "placeholders = true", "placeholder"),
        ("schema_version = 1", "schema_version =", "cannot be read"),
    ],
)
def test_a_wrong_price_file_is_refused(tmp_path: Path, old: str, new: str, named: str) -> None:
    """File, key and what was expected, in one sentence."""
    text = SAMPLE.read_text("utf-8")
    assert old in text
    path = tmp_path / "prices.toml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(PricesError) as error:
        read_prices(path)
    assert str(path) in str(error.value)
    assert named in str(error.value)


def test_prices_run_out() -> None:
    """Before, shortly before and after the last day."""
    last = PRICES.valid_until
    assert PRICES.staleness(last - timedelta(days=31)) == ""
    assert "run out on" in PRICES.staleness(last - timedelta(days=29))
    assert "ran out on" in PRICES.staleness(last + timedelta(days=1))
    assert "ran out" not in PRICES.staleness(last)
