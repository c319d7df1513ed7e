"""Laws of the schedule of bandwidth tests, over generated schools, calendars and servers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from phongmay_campaigns.scheduling import Slot, Waiting, peak, plan
from phongmay_campaigns.windows import intervals
from phongmay_store.register.calendar import CalendarKind, DayHours
from phongmay_store.register.calendar_hours import Calendar, Period
from phongmay_store.register.campaign import CampaignMode
from phongmay_store.register.timetable import ALWAYS, day_start, local_day, parse

MONDAY = date(2026, 11, 23)
START = day_start(MONDAY)
SLOT_S, RUN_S = 60.0, 25.0

DAY = 86400.0


@st.composite
def waiting_lines(draw: st.DrawFn) -> list[Waiting]:
    """Lines of some providers, each allowed in a few intervals of a week."""
    lines = []
    for number in range(draw(st.integers(1, 25))):
        starts = sorted(draw(st.lists(st.integers(0, 7 * 24 * 4), min_size=1, max_size=4, unique=True)))
        allowed = tuple((START + 900.0 * low, START + 900.0 * low + 900.0) for low in starts)
        rate = draw(st.sampled_from([20e6, 100e6, 300e6, 700e6]))
        groups = frozenset(draw(st.sets(st.sampled_from(["vnpt", "viettel", "fpt"]), max_size=2)))
        own = frozenset({f"line-{number}", f"line-{draw(st.integers(0, 30))}"})
        lines.append(Waiting(f"school-{number}", own, groups, rate, float(draw(st.integers(0, 5))), allowed))
    return lines


def touching(slots: list[Slot]) -> list[tuple[Slot, Slot]]:
    """Give the pairs of slots that have a moment in common."""
    return [(a, b) for i, a in enumerate(slots) for b in slots[i + 1 :] if a.touches(b.start, b.end)]


@given(waiting_lines(), st.integers(0, 1000), st.sampled_from([300e6, 700e6, 1400e6]))
def test_no_line_or_group_twice_and_never_above_budget(lines: list[Waiting], seed: int, budget: float) -> None:
    """Never two runs on one line or in one group at once; never above budget; always inside an allowed interval."""
    first = plan(lines, [], now=START, budget_bps=budget, slot_s=SLOT_S, run_s=RUN_S, seed=seed)
    again = plan(lines, first, now=START, budget_bps=budget, slot_s=SLOT_S, run_s=RUN_S, seed=seed + 1)
    slots = [*first, *again]
    by_key = {line.key: line for line in lines}
    for one, other in touching(slots):
        assert one.key != other.key
        assert not one.lines & other.lines
        assert not one.groups & other.groups
    for slot in slots:
        assert peak(slots, slot.start, slot.end) <= budget
        assert any(low <= slot.start and slot.end <= high for low, high in by_key[slot.key].allowed)
        assert slot.start <= slot.begin
        assert slot.begin + RUN_S <= slot.end


@given(waiting_lines(), st.integers(0, 1000))
def test_all_get_their_turn(lines: list[Waiting], seed: int) -> None:
    """Whoever has a long interval and a rate within the budget is tested; none waits behind one tested lately."""
    week = [replace(w, allowed=((START, START + 7 * DAY),)) for w in lines]
    slots = plan(week, [], now=START, budget_bps=700e6, slot_s=SLOT_S, run_s=RUN_S, seed=seed)
    assert {slot.key for slot in slots} == {line.key for line in week}
    since = {line.key: line.since for line in week}
    shared = [replace(w, lines=frozenset({"one"})) for w in week]
    turns = plan(shared, [], now=START, budget_bps=700e6, slot_s=SLOT_S, run_s=RUN_S, seed=seed)
    order = [since[slot.key] for slot in sorted(turns, key=lambda slot: slot.start)]
    assert order == sorted(order)
    assert len(order) == len(week)


@given(waiting_lines(), st.integers(0, 1000))
def test_the_plan_repeats_itself(lines: list[Waiting], seed: int) -> None:
    """The same wishes, slots and seed give the same plan in any order: a coordinator that was killed plans alike."""
    one = plan(lines, [], now=START, budget_bps=700e6, slot_s=SLOT_S, run_s=RUN_S, seed=seed)
    other = plan(reversed(lines), [], now=START, budget_bps=700e6, slot_s=SLOT_S, run_s=RUN_S, seed=seed)
    assert one == other


def test_a_line_wider_than_the_server_is_never_planned() -> None:
    """A run that alone would exceed the budget gets no slot, and keeps nobody else from one."""
    day, no = ((START, START + DAY),), frozenset[str]()
    lines = [Waiting("wide", no, no, 800e6, 0.0, day), Waiting("ok", no, no, 1e6, 9.0, day)]
    slots = plan(lines, [], now=START, budget_bps=700e6, slot_s=SLOT_S, run_s=RUN_S)
    assert [slot.key for slot in slots] == ["ok"]


def period(kind: CalendarKind, first: int, days: int, hours: str = "") -> Period:
    """An entry `first` days after Monday."""
    day = MONDAY + timedelta(days=first)
    return Period(kind, day, day + timedelta(days=days - 1), DayHours(), "x", 0, "test")


@given(
    st.lists(st.tuples(st.integers(0, 13), st.integers(1, 4)), max_size=3),
    st.lists(st.tuples(st.integers(0, 13), st.integers(1, 4)), max_size=3),
    st.sampled_from(list(CampaignMode)),
    st.integers(0, 300),
)
def test_never_in_an_exam(
    exams: list[tuple[int, int]], holidays: list[tuple[int, int]], mode: CampaignMode, after: int
) -> None:
    """No interval touches an exam day in any mode; the unattended modes keep out of days off and of lessons."""
    calendar = Calendar(
        [period(CalendarKind.EXAM, *days) for days in exams]
        + [period(CalendarKind.HOLIDAY, *days) for days in holidays]
    )
    timetables = [parse("Mon-Fri 07:00-11:30 13:00-16:30"), parse("Mon-Sat 09:00-12:00"), ALWAYS]
    for low, high in intervals(calendar, timetables, mode, START, START + 14 * DAY, after):
        assert local_day(low) == local_day(high - 1)
        day = calendar.plan(local_day(low))
        assert not day.exam
        if mode in (CampaignMode.PLANNED, CampaignMode.OPPORTUNISTIC):
            assert not day.closed
        if mode is CampaignMode.PLANNED:
            assert all(calendar.cut(t).expected_seconds(low, high) == 0 for t in timetables[:2])


def test_breaks_and_after_class() -> None:
    """On an ordinary day the noon break and the hour after class are open; the opportunistic day is one piece."""
    calendar, timetables = Calendar(), [parse("Mon-Fri 07:00-11:30 13:00-16:30")]

    def shown(mode: CampaignMode) -> list[str]:
        found = intervals(calendar, timetables, mode, START, START + DAY, 60)
        return ["-".join(f"{datetime.fromtimestamp(t + 7 * 3600, UTC):%H:%M}" for t in pair) for pair in found]

    assert shown(CampaignMode.PLANNED) == ["11:30-13:00", "16:30-17:30"]
    assert shown(CampaignMode.OPPORTUNISTIC) == ["07:00-17:30"]
    assert shown(CampaignMode.TEACHER) == ["00:00-00:00"]
