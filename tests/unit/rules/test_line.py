"""A school's Internet over 30 days: whose failure is the line's, what is not known, and what it comes to (TR-12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phongmay_contract.envelope import Group
from phongmay_contract.topics import Kind
from phongmay_rules.explanation import explain
from phongmay_rules.facts import availability, line
from phongmay_rules.facts.availability import Month
from phongmay_rules.facts.line import LineTally, count, facts
from phongmay_rules.facts.schools import FactMaker
from phongmay_rules.facts.suppliers import Supplier, supply
from phongmay_rules.places import DevicePlace, read_organisation
from phongmay_rules.reasons import Reason
from phongmay_rules.recomputing import Why, recompute
from phongmay_store.register.calendar import CalendarKind, NewEntry, put
from phongmay_store.register.device import Device
from phongmay_store.series.interface import Strips

NOW = datetime.fromisoformat("2026-11-26T10:00:00+07:00")
"""A Thursday; the window has four Mondays."""
LESSONS = "Mon 07:00-13:00"
START, MINUTES = 1_800_000_000 // 3600 * 3600, 180
FULL = (1 << 60) - 1
PC = DevicePlace("a", "th", "r", "pc", "in_service", float(START), False, LESSONS, "device:1")
Told = Mapping[int, bool]
"""By minute of the window: the Internet was reached, or tried in vain."""


def strips(told: Told) -> Strips:
    """Give what a machine told as strips."""
    reachable, unreachable = (sum(1 << 64 * (m // 60) + m % 60 for m in told if told[m] is ok) for ok in (True, False))
    return Strips(reachable | unreachable, reachable, unreachable)


def counted(machines: Mapping[str, Told], interval: float = 60.0, expected: int = MINUTES) -> LineTally:
    """Count a window of three hours, all of it in use up to a minute."""
    minutes = sum(1 << 64 * (m // 60) + m % 60 for m in range(expected))
    month = Month(START, START + 60.0 * MINUTES, minutes, 0)
    found = count(
        [replace(PC, id=name) for name in machines], {name: strips(told) for name, told in machines.items()},
        lambda _: month, dict.fromkeys(machines, interval).__getitem__,
    )  # fmt: skip
    assert found is not None
    return found


def naive(machines: Mapping[str, Told], steps: int, expected: int) -> tuple[int, int, int, tuple[float, float] | None]:
    """Give known, up, set aside and outage minute by minute."""
    inside = {name: {m: ok for m, ok in told.items() if m < expected} for name, told in machines.items()}
    online = {m for told in inside.values() for m, ok in told.items() if ok}
    odd = set()
    for name, told in inside.items():
        failed = sum(not ok for m, ok in told.items() if m in online)
        if failed > 0.1 * (failed + sum(told.values())):
            odd.add(name)
    if 2 * len(odd) > sum(bool(told) for told in machines.values()):
        odd = set()
    states: dict[int, bool] = {}
    for name, told in inside.items():
        for m in told if name not in odd else ():
            states[m] = m in online
    told = dict(states)
    for m in set(range(expected)) - set(told):
        back = next((b for b in range(1, steps + 1) if m - b in told), None)
        if back is not None:
            states[m] = told[m - back]
    runs = [list(run) for down, run in groupby(range(MINUTES), lambda m: states.get(m) is False) if down]
    longest = max(runs, key=len, default=None)
    outage = None if longest is None else (START + 60.0 * longest[0], START + 60.0 * (longest[-1] + 1))
    return len(states), sum(states.values()), len(odd), outage


TOLD = st.dictionaries(st.integers(0, MINUTES - 1), st.booleans(), max_size=40)
OFF_LINE = dict.fromkeys(range(60, 90), False)
"""Half an hour in the second of three hours."""
GOOD = dict.fromkeys(range(MINUTES), True)


@given(st.dictionaries(st.sampled_from("abcde"), TOLD, min_size=1), st.integers(1, 5), st.integers(1, MINUTES))
def test_strips_are_counted_as_single_minutes_would_be(
    machines: dict[str, dict[int, bool]], steps: int, expected: int
) -> None:
    """Law: known, up, machines set aside and the longest outage are those of a count minute by minute."""
    found = counted(machines, 60.0 * steps, expected)
    assert (found.known, found.up, found.set_aside, found.outage) == naive(machines, steps, expected)
    assert found.up <= found.known <= found.expected == expected


@given(st.lists(TOLD, min_size=1, max_size=4), st.permutations(range(4)))
def test_order_and_names_of_machines_change_nothing(told: list[dict[int, bool]], order: list[int]) -> None:
    """Law: it does not matter in which order machines stand in the register."""
    mixed = [told[number] for number in order if number < len(told)]
    assert counted(dict(zip("abcd", told, strict=False))) == counted(dict(zip("dcba", mixed, strict=False)))


def test_a_line_is_down_when_nobody_gets_through() -> None:
    """All machines fail for half an hour: these thirty minutes, and their time, are what is told."""
    found = counted(dict.fromkeys("abc", GOOD | OFF_LINE))
    assert (found.known, found.up, found.machines, found.set_aside) == (180, 150, 3, 0)
    assert found.outage == (START + 3600, START + 5400)


@pytest.mark.parametrize("broken", [1, 2, 12])
def test_faulty_machines_do_not_take_the_line_down(broken: int) -> None:
    """Machines that fail all day beside as many good ones say nothing of the line, not even while they are alone."""
    late = dict.fromkeys(range(30, MINUTES), True)
    machines = {f"good-{n}": late for n in range(broken)}
    machines |= {f"bad-{n}": dict.fromkeys(range(MINUTES), False) for n in range(broken)}
    found = counted(machines)
    assert (found.known, found.up, found.set_aside) == (150, 150, broken), "the first half hour is not known"


def test_one_machine_that_gets_through_is_enough() -> None:
    """Most of a school fails (a switch, say) while one machine reaches the Internet: the line is up."""
    found = counted({"good": GOOD} | {f"bad-{n}": dict.fromkeys(range(MINUTES), False) for n in range(9)})
    assert (found.known, found.up, found.set_aside) == (180, 180, 0)


def test_a_machine_that_fails_now_and_then_is_still_believed() -> None:
    """A tenth of failures beside others is not yet its own fault; a machine that is alone speaks for the line."""
    some = {minute: minute % 10 > 0 for minute in range(100)}
    assert counted({"a": some, "b": dict.fromkeys(range(100), True)}).set_aside == 0
    some[1] = False
    assert counted({"a": some, "b": dict.fromkeys(range(100), True)}).set_aside == 1
    alone = counted({"a": OFF_LINE})
    assert (alone.known, alone.up) == (31, 0)


def test_minutes_of_which_nobody_told_are_not_known() -> None:
    """Machines that are off, or that nobody could hear, make no minute down: it is unknown, and coverage says so."""
    found = counted({"a": dict.fromkeys(range(45), True)})
    assert (found.known, found.up, found.outage) == (46, 46, None)
    share, known, coverage = facts(found, (), NOW.timestamp())
    assert (share.value, known.value, coverage.value) == (1.0, 0, 0.2)
    nobody = facts(counted({"a": {}}), (), NOW.timestamp())
    assert (nobody[0].value, nobody[0].missing) == (None, Reason.NO_DATA)
    little = facts(counted({"a": dict.fromkeys(range(16), True)}), (), NOW.timestamp())
    assert little[0].missing is Reason.COVERAGE, "17 of 180 minutes"


@pytest.mark.parametrize(("down", "share"), [(0, 1.0), (1, 0.994), (90, 0.5), (179, 0.005), (180, 0.0)])
def test_the_share_is_rounded_down_to_thousandths(down: int, share: float) -> None:
    """Law: rounding never makes 99.5 % of what is not."""
    found = facts(counted({"a": {minute: minute >= down for minute in range(MINUTES)}}), (), NOW.timestamp())[0]
    assert found.value == share
    assert found.detail["minutes_known"] - found.detail["minutes_up"] == down


def test_who_supplies_what_is_missing() -> None:
    """Too little known is a matter of who can leave a computer on; where there is no agent, one is to be installed."""
    for name in line.NAMES:
        for reason in (Reason.NO_DATA, Reason.COVERAGE, Reason.TOO_FEW):
            way = supply(reason, name)
            assert way is not None
            assert (way.who, "at least one computer" in way.en) == (Supplier.SCHOOL_IT, True)
        install = supply(Reason.NO_AGENT, name)
        assert install is not None
        assert "install" in install.en


# -- through register, series and rules -------------------------------------------------------------------------------


def lesson(weeks_ago: int) -> datetime:
    """Give when a lesson began."""
    return NOW.replace(hour=7) - timedelta(days=3 + 7 * weeks_ago)


def tell(house: Any, name: str, start: datetime, told: Told) -> None:
    """Let a machine try the Internet in minutes from a moment on."""
    at = start.timestamp()
    house.series.write(
        [
            house._arrival(name, Kind.ROUND, (Group("reach", {"ok": ok}, part="internet"),), at + 60 * minute + 5)
            for minute, ok in told.items()
        ]
    )


@pytest.fixture
def school(empty_house: Any) -> Any:
    """Two PCs that tried the Internet in four lessons of six hours, three minutes of one of them in vain."""
    house = empty_house
    house.unit("th", "school", "quan", "tieu_hoc")
    house.room("r", "th", timetable=LESSONS)
    for name in ("a", "b"):
        house.device(name, "th", "r", agent_since=NOW - timedelta(days=40))
        for week in range(4):
            tell(house, name, lesson(week), {minute: week > 0 or minute not in (5, 6, 7) for minute in range(360)})
    house.listen(NOW - timedelta(days=31), NOW)
    return house


def test_a_month_is_judged(school: Any) -> None:
    """TR-12 passes three bad minutes of 24 hours, and rounds the rest down."""
    school.evaluate(NOW)
    row = school.verdict("th", "TR-12")
    assert (row.state, row.reason, row.measured["value"]) == ("pass", "met", 0.997)


def test_an_outage_fails_the_month(empty_house: Any) -> None:
    """Half an hour of 24 without Internet fails, and is explained in both languages with time and actor."""
    house = empty_house
    house.unit("th", "school", "quan", "tieu_hoc")
    house.room("r", "th", timetable=LESSONS)
    house.device("a", "th", "r", agent_since=NOW - timedelta(days=40))
    for week in range(4):
        tell(house, "a", lesson(week), {minute: week != 1 or not 60 <= minute < 90 for minute in range(360)})
    house.evaluate(NOW)
    row = house.verdict("th", "TR-12")
    assert (row.state, row.reason, row.measured["value"]) == ("fail", "below", 0.979)
    detail = next(f for f in _facts(house) if f.name == line.NAMES[0]).detail
    begin = (lesson(1) + timedelta(hours=1)).timestamp()
    assert (detail["longest_outage_from"], detail["longest_outage_to"]) == (begin, begin + 1800)
    said = {
        lang: " ".join(explain(row, "TR-12", house.pack, row.evidence, NOW, lang).sentences()) for lang in ("vi", "en")
    }
    assert "97,9%" in said["vi"]
    assert "99,5%" in said["vi"]
    assert "97.9 %" in said["en"]
    assert "99.5 %" in said["en"]
    assert "the Internet provider" in said["en"]
    assert "nhà cung cấp đường truyền" in said["vi"]


def _facts(house: Any, at: datetime = NOW) -> list[Any]:
    with house.sessions() as session:
        place = read_organisation(session, at).schools["th"]
    return FactMaker(at.timestamp()).make([place], house.series)["school", "th"]


def _line(house: Any) -> list[object]:
    return [fact.missing or fact.value for fact in _facts(house) if fact.name in line.NAMES]


def test_the_calendar_says_what_counts(school: Any) -> None:
    """A day off entered afterwards takes its minutes away, bad ones too; a calendar that has run out says nothing."""
    assert _line(school) == [0.997, 20 * 3600, 1.0]
    with school.sessions() as session:
        day = lesson(0).date()
        put(session, "th", NewEntry(CalendarKind.HOLIDAY, day, day, "nghỉ bão"))
        session.commit()
    assert _line(school) == [1.0, 15 * 3600, 1.0]


def test_what_spools_bring_later_counts(school: Any) -> None:
    """Late rounds make minutes known, and a minute that another machine reached is up after all; recompute says so."""
    school.evaluate(NOW)
    tell(school, "b", lesson(0) + timedelta(minutes=5), {0: True, 1: True, 2: True})
    assert _line(school) == [1.0, 20 * 3600, 1.0]
    with school.sessions() as session:
        different = {found.name: found.why for found in recompute(session, school.series, "th", NOW)}
    assert different[line.NAMES[0]] is Why.LATE
    assert school.evaluate(NOW + timedelta(minutes=1)).facts
    assert school.verdict("th", "TR-12").measured["value"] == 1.0


def test_a_school_that_nobody_can_judge_is_unknown(school: Any) -> None:
    """Without agents, without a readable timetable, or with a few hours known, nothing passes."""
    school.revise(Device, "a", NOW - timedelta(days=35), state="retired")
    school.revise(Device, "b", NOW - timedelta(days=35), agent_since=NOW - timedelta(days=8))
    school.evaluate(NOW)
    assert school.state("th", "TR-12") == ("unknown", "too_few"), "six hours"
    with school.sessions() as session:
        place = read_organisation(session, NOW).schools["th"]
    place.devices = [replace(device, agent_since=None) for device in place.devices]
    found = FactMaker(NOW.timestamp()).make([place], school.series)["school", "th"]
    assert {fact.missing for fact in found if fact.name in line.NAMES} == {Reason.NO_AGENT}


def test_a_room_that_cannot_be_read_leaves_the_others(school: Any) -> None:
    """A bad timetable of one room takes that room out; of all rooms, it is the reason."""
    school.room("bad", "th", timetable="Monday")
    school.device("c", "th", "bad", agent_since=NOW - timedelta(days=40))
    assert _line(school) == [0.997, 20 * 3600, 1.0]
    for name in ("a", "b"):
        school.revise(Device, name, NOW - timedelta(minutes=1), state="retired")
    assert _line(school) == [Reason.BAD_TIMETABLE] * 3


def test_time_in_use_is_that_of_any_room(school: Any) -> None:
    """Two rooms with lessons on different days: the line is expected in both, each from when its first agent came."""
    school.room("wed", "th", timetable="Wed 07:00-09:00")
    school.device("c", "th", "wed", agent_since=NOW - timedelta(days=7))
    tell(school, "c", lesson(0) + timedelta(days=2), dict.fromkeys(range(120), True))
    detail = next(fact for fact in _facts(school) if fact.name == line.NAMES[0]).detail
    assert detail["minutes_expected"] == 4 * 360 + 120
    assert detail["minutes_known"] == 4 * 360 + 120
    assert detail["machines"] == 3


def test_a_machine_in_conflict_says_nothing(school: Any) -> None:
    """Two machines under one identity are no witness; the window is that of the machines."""
    with school.sessions() as session:
        place = read_organisation(session, NOW).schools["th"]
    place.devices = [replace(device, in_conflict=True) for device in place.devices]
    found = FactMaker(NOW.timestamp()).make([place], school.series)["school", "th"]
    assert {fact.missing for fact in found if fact.name in line.NAMES} == {Reason.NO_AGENT}
    assert availability.window(NOW.timestamp())[1] == datetime.fromisoformat("2026-11-26T00:00:00+07:00").timestamp()


def test_the_window_begins_with_the_first_agent_and_without_machines_in_conflict() -> None:
    """Two machines of one timetable: the earlier agent begins it; one whose identity is doubted tells nothing."""
    month = Month(START, START + 60.0 * MINUTES, sum(FULL << 64 * hour for hour in range(3)), 0)
    later = replace(PC, id="b", agent_since=START + 3600.0)
    told = {"a": strips(GOOD), "b": strips(GOOD)}
    for devices in ([PC, later], [later, PC]):
        found = count(devices, told, lambda _: month, lambda _: 60.0)
        assert found is not None
        assert (found.expected, found.known, found.machines) == (180, 180, 2)
    assert count([replace(PC, in_conflict=True)], told, lambda _: month, lambda _: 60.0) is None


def test_what_was_set_aside_is_told() -> None:
    """Whoever reads the share sees how many machines stand behind it, and how many were not believed."""
    odd = GOOD | dict.fromkeys(range(60), False)
    detail = facts(counted({"a": GOOD, "b": GOOD, "c": odd}), (), NOW.timestamp())[0].detail
    assert detail is not None
    assert (detail["machines"], detail["machines_set_aside"]) == (3, 1)
