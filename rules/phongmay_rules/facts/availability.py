"""Availability over 30 days: expected, heard and seen minutes go in, three facts of a device or room come out.

A minute counts when the room was expected to be in use AND a collector could hear (`listening`): a machine that was not
seen then was not there, whether broken or switched off. When collector, broker or store was down the minute counts
neither way, also where a spool told later that the machine ran: the others' spools may be lost. The window is 30 local
days up to the last midnight, so that a count holds for hours. In repair is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import ceil
from operator import or_
from zlib import crc32

from phongmay_rules.facts.catalogue import DAY, SPAN_S, Found, Span, is_covered, missing
from phongmay_rules.facts.snapshot import counted_from
from phongmay_rules.places import DevicePlace, RoomPlace, SchoolPlace
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.device import DeviceKind, DeviceState
from phongmay_store.register.timetable import Hours, day_start, local_day
from phongmay_store.series.strips import PLACES, place, strip

WINDOW_S = SPAN_S[Span.MONTH]
WINDOW_DAYS = round(WINDOW_S / DAY)
DEVICE = ("availability_30d_ratio", "availability_30d_known_s", "availability_30d_coverage_ratio")
ROOM = ("room_availability_30d_ratio", "room_availability_30d_known_s", "room_availability_30d_coverage_ratio")
RATIO_STEPS = 100
COVERAGE_STEPS = 10
KNOWN_STEPS_H = (300, 200, 150, 100, 80, 60, 40, 30, 20, 15, 10, 8, 6, 5, 4, 3, 2, 1, 0)
"""All three are rounded DOWN, so that few days bring new rows and rounding never makes enough of what is not."""
NOTHING_MORE: Mapping[str, float] = {}
MAX_VOUCHED = 60
_LAST_MINUTES = sum(1 << PLACES * hour + 59 for hour in range(24 * WINDOW_DAYS))
"""Of the hours of the window: the minute after is in the next hour."""
_PCS = (DeviceKind.PC, DeviceKind.TEACHER_PC)


@dataclass(frozen=True, slots=True)
class Tally:
    """Minutes of one subject: up <= known <= expected.

    Attributes:
        expected: in use by timetable and calendar, since the agent came.
        known: of these, a collector could hear.
        up: of these, the machine was seen.
    """

    start: float
    end: float
    expected: int
    known: int
    up: int


Counts = Mapping[tuple[str, str], Tally]
"""By subject (kind, id)."""


@dataclass(frozen=True)
class Month:
    """What 30 days look like for every machine with the same hours; minutes are `strips` from the start on.

    Attributes:
        expected: minutes in use.
        known: those of them in which a collector could hear.
        sources: calendar entries that had a say.
    """

    start: float
    end: float
    expected: int
    known: int
    sources: tuple[str, ...] = ()
    _since: dict[float, tuple[float, int, int, int]] = field(default_factory=dict, repr=False, compare=False)

    def since(self, moment: float) -> tuple[float, int, int, int]:
        """Give, for what is expected from a moment on: when that begins, its place, its expected and its known minutes.

        The agents of a room came on few days, so it is counted once for many machines.
        """
        found = self._since.get(moment)
        if found is None:
            begin = min(max(moment, self.start), self.end)
            before = place(self.start, begin)
            expected, known = (self.expected >> before).bit_count(), (self.known >> before).bit_count()
            found = self._since[moment] = (begin, before, expected, known)
        return found

    def expected_from(self, moment: float) -> int:
        """Give the expected minutes from a moment on."""
        before = self.since(moment)[1]
        return self.expected >> before << before


def window(at: float) -> tuple[float, float]:
    """Give the true times between which an evaluation counts."""
    end = day_start(local_day(at))
    return end - WINDOW_S, end


def month(hours: Hours, listening: Mapping[int, int], at: float) -> Month:
    """Cut the window of an evaluation to the expected minutes of a room."""
    start, end = window(at)
    expected = strip(hours.minute_masks(start, end), start, end)
    return Month(start, end, expected, expected & strip(listening, start, end), hours.sources(start, end - 1))


def tally(month: Month, since: float, seen: int) -> Tally:
    """Count.

    Args:
        month: the expected minutes, and those that are known.
        since: since when an agent is expected to report; minutes before are not expected.
        seen: the minutes in which the machine was there (`vouched`).
    """
    begin, before, expected, known = month.since(since)
    return Tally(begin, month.end, expected, known, ((month.known & seen) >> before).bit_count())


def vouched(rounds: int, interval: float) -> int:
    """Give the minutes in which a machine was there: each round vouches for the time until the next is due.

    Args:
        rounds: the minutes in which it measured one.
        interval: seconds between its rounds; a minute without a round is normal when they are far apart, and happens
            at one a minute, too, when two rounds fall just before and just after it.
    """
    for _ in range(steps_of(interval)):
        rounds |= following(rounds)
    return rounds


def steps_of(interval: float) -> int:
    """Give for how many minutes a round vouches."""
    return min(MAX_VOUCHED, max(1, ceil(interval / 60)))


def following(minutes: int) -> int:
    """Give the minutes that follow upon others, those in the next hour too."""
    last = minutes & _LAST_MINUTES
    return (minutes ^ last) << 1 | last << 1 + PLACES - 60


def found(
    names: Sequence[str],
    counted: Tally,
    calendar: Sequence[str],
    at: float,
    steps: int = RATIO_STEPS,
    more: Mapping[str, float] = NOTHING_MORE,
) -> list[Found]:
    """Give share, known time and coverage as facts.

    Args:
        names: `DEVICE`, `ROOM` or those of a line.
        counted: the minutes.
        calendar: entries that had a say in what was expected.
        at: time of the evaluation.
        steps: into so many the whole is cut, and the share rounded down.
        more: what else stands in the detail.
    """
    if not counted.expected:
        return [missing(name, Reason.NO_EXPECTED_TIME, at) for name in names]
    detail = {
        "minutes_expected": counted.expected, "minutes_known": counted.known, "minutes_up": counted.up,
        "from": counted.start, "to": counted.end, **more,
    }  # fmt: skip
    sources = counted_from(int(counted.start), int(counted.end), tuple(calendar))
    ratio, known, coverage = names
    hours = next(step for step in KNOWN_STEPS_H if step * 60 <= counted.known)
    return [
        Found(ratio, counted.up * steps // counted.known / steps, at, None, sources, detail)
        if is_covered(ratio, counted.known, counted.expected)
        else missing(ratio, Reason.COVERAGE if counted.known else Reason.NO_DATA, at, sources=sources, **detail),
        Found(known, 3600 * hours, at, None, sources, detail),
        Found(coverage, counted.known * COVERAGE_STEPS // counted.expected / COVERAGE_STEPS, at, None, sources, detail),
    ]


def leading(room: RoomPlace, devices: Iterable[DevicePlace]) -> list[DevicePlace]:
    """Give the machines by which a room is judged: the teacher's, or any PC where none has an agent."""
    able = [
        device
        for device in devices
        if device.room_id == room.id and device.kind in _PCS and device.state == DeviceState.IN_SERVICE
        and device.agent_since is not None and not device.in_conflict
    ]  # fmt: skip
    return [device for device in able if device.kind == DeviceKind.TEACHER_PC] or able


def count(
    devices: Iterable[DevicePlace],
    rooms: Iterable[RoomPlace],
    rounds_of: Callable[[Sequence[str]], Mapping[str, int]],
    month_of: Callable[[str], Month | None],
    interval_of: Callable[[str], float],
    at: float,
) -> dict[tuple[str, str], Tally]:
    """Count devices and rooms of a school from their minutes, which are read once.

    Args:
        devices: machines to count; those of the rooms must be among them.
        rooms: rooms to count.
        rounds_of: gives the minutes of the window in which devices measured a round, as `strips`.
        month_of: the month of a timetable; None = it cannot be read, or its calendar has run out.
        interval_of: seconds between the rounds of a device.
        at: time of the evaluation.

    Returns:
        Only subjects with an agent and readable hours.
    """
    able = {
        d.id: d
        for d in devices
        if d.agent_since is not None and not d.in_conflict and month_of(d.timetable) is not None
    }  # fmt: skip
    rounds = rounds_of(list(able)) if able else {}
    seen = {device: vouched(rounds[device], interval_of(device)) for device in able if device in rounds}
    counts: dict[tuple[str, str], Tally] = {}
    for device in able.values():
        if (month := month_of(device.timetable)) is not None:
            since = device.agent_since or 0.0
            counts[SubjectKind.DEVICE, device.id] = tally(month, since, seen.get(device.id, 0))
    for room in rooms:
        machines = leading(room, able.values())
        if machines and (month := month_of(room.timetable)) is not None:
            together = reduce(or_, (seen.get(machine.id, 0) for machine in machines))
            since = min(machine.agent_since or 0.0 for machine in machines)
            counts[SubjectKind.ROOM, room.id] = tally(month, since, together)
    return counts


@dataclass
class Book:
    """Counts that were made, so that 30 days of a machine are not read at every evaluation.

    Nothing here is needed for a correct verdict: an empty book costs one more reading. A school is counted anew when
    the day, its calendar, or anything that stands in it has changed, and after `recount_s`, since the spools of PCs
    that were cut off bring minutes of days before.

    Attributes:
        recount_s: how long counts hold at most.
    """

    recount_s: float = 0.0
    _pages: dict[str, tuple[float, int, Counts]] = field(default_factory=dict)

    def read(self, school: SchoolPlace, at: float) -> Counts | None:
        """Give the counts of a school; None = they must be made."""
        made, state, counts = self._pages.get(school.id, (at, 0, {}))
        holds = 0 <= at - made < self._spread(school) and state == _state_of(school, at)
        return counts if holds else None

    def write(self, school: SchoolPlace, at: float, counts: Counts) -> None:
        """Keep counts."""
        if self.recount_s:
            self._pages[school.id] = (at, _state_of(school, at), counts)

    def _spread(self, school: SchoolPlace) -> float:
        """Give a school's own time, half of `recount_s` to all of it, so that not all are counted in one evaluation."""
        return self.recount_s * (0.5 + crc32(school.id.encode()) / 2**33)


def _state_of(school: SchoolPlace, at: float) -> int:
    return hash((window(at), school.calendar.periods, tuple(school.devices), tuple(school.rooms)))
