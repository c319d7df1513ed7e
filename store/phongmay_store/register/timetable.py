"""When a room is in use: a short text becomes the expected intervals of any period.

"Mon-Fri 07:00-11:30 13:00-16:30; Sat 07:00-11:30" in Asia/Ho_Chi_Minh, "always", or "never". A text that cannot be
read raises TimetableError naming the piece. Times inside are float seconds UTC.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
DEFAULT = "Mon-Fri 07:00-17:00"
"""District setting until an organisation enters its own: standards.md section 8, item 7."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d|24:00)")


class TimetableError(ValueError):
    """A timetable text that cannot be read."""


Minutes = tuple[int, int]
"""(first minute, minute after the last) of a local day."""


class Hours(ABC):
    """When a room is expected to be in use, day by day: a weekly timetable, or one that a calendar has cut."""

    __slots__ = ()

    @abstractmethod
    def on(self, day: date) -> Sequence[Minutes]:
        """Give the expected minutes of a local day: disjoint and in order."""

    def intervals(self, start: float, end: float) -> Iterator[tuple[float, float]]:
        """Give the expected intervals inside [start, end), in order, as true times."""
        if end <= start:
            return
        day, last = local_day(start), local_day(end)
        while day <= last:
            midnight = day_start(day)
            for first, after in self.on(day):
                low, high = max(midnight + 60 * first, start), min(midnight + 60 * after, end)
                if low < high:
                    yield low, high
            day += _ONE_DAY

    def expected_seconds(self, start: float, end: float) -> float:
        """Give how many seconds of [start, end) the room is expected to be in use."""
        return sum(high - low for low, high in self.intervals(start, end))

    def minute_mask(self, hour: float) -> int:
        """Give the expected minutes of the UTC hour that starts at `hour` as a 60-bit mask (bit n = minute n)."""
        mask = 0
        for low, high in self.intervals(hour, hour + 3600):
            first, after = int((low - hour) // 60), -int(-(high - hour) // 60)
            mask |= ((1 << (after - first)) - 1) << first
        return mask

    def minute_masks(self, start: float, end: float) -> dict[int, int]:
        """Give the masks of all UTC hours with expected minutes in [start, end); both are whole minutes."""
        masks: dict[int, int] = {}
        for low, high in self.intervals(start, end):
            for hour in range(int(low // 3600) * 3600, int(high), 3600):
                first, after = max(0, int(low - hour) // 60), min(60, int(high - hour) // 60)
                masks[hour] = masks.get(hour, 0) | ((1 << (after - first)) - 1) << first
        return masks

    def sources(self, start: float, end: float) -> tuple[str, ...]:
        """Name what closed or opened days that touch [start, end)."""
        return ()

    def expired(self, at: float) -> str:
        """Name the table that has run out by then, so that these hours cannot be relied on; "" = none."""
        return ""


@dataclass(frozen=True, slots=True)
class Timetable(Hours):
    """Expected minutes of a week.

    Attributes:
        week: for each weekday (0 = Monday) the minutes of the local day.
    """

    week: tuple[tuple[Minutes, ...], ...]

    def on(self, day: date) -> tuple[Minutes, ...]:
        """Give the minutes of the day's weekday."""
        return self.week[day.weekday()]


_ONE_DAY = timedelta(days=1)


def local_day(at: float) -> date:
    """Give the day of a true time in Ho Chi Minh City."""
    return datetime.fromtimestamp(at, LOCAL).date()


@lru_cache(maxsize=4096)
def day_start(day: date) -> float:
    """Give the true time of a local midnight. Its minutes follow evenly: the zone has not changed since 1975."""
    return datetime.combine(day, time.min, LOCAL).timestamp()


ALWAYS = Timetable((((0, 1440),),) * 7)
NEVER = Timetable(((),) * 7)


def parse(text: str) -> Timetable:
    """Read a timetable; an empty text gives the default.

    Raises:
        TimetableError: names the piece that cannot be read and shows the form.
    """
    text = text.strip() or DEFAULT
    if text.lower() == "always":
        return ALWAYS
    if text.lower() == "never":
        return NEVER
    week: list[list[tuple[int, int]]] = [[] for _ in _DAYS]
    for clause in text.split(";"):
        days, *hours = clause.split()[:1] + clause.split()[1:] or [""]
        if not hours:
            raise TimetableError(f"{clause.strip()!r} has no hours; the form is 'Mon-Fri 07:00-11:30 13:00-16:30'")
        for day in _days(days):
            week[day].extend(_hours(piece) for piece in hours)
    return Timetable(tuple(_in_order(intervals, text) for intervals in week))


def parse_hours(text: str) -> tuple[Minutes, ...]:
    """Read the hours of one day, such as '07:00-11:30 13:00-16:30'.

    Raises:
        TimetableError: names the piece that cannot be read.
    """
    return _in_order([_hours(piece) for piece in text.split()], text)


def parse_weekday(text: str) -> int:
    """Read a weekday such as 'Fri' (0 = Monday).

    Raises:
        TimetableError: there is no such day.
    """
    days = _days(text)
    if len(days) != 1:
        raise TimetableError(f"{text!r} is not one day such as 'Fri'")
    return days.start


def _in_order(intervals: list[Minutes], text: str) -> tuple[Minutes, ...]:
    intervals.sort()
    if any(after > first for (_, after), (first, _) in pairwise(intervals)):
        raise TimetableError(f"{text!r} has hours that overlap")
    return tuple(intervals)


def _days(text: str) -> range:
    first, dash, last = text.partition("-")
    try:
        begin = _DAYS.index(first)
        end = _DAYS.index(last) if dash else begin
    except ValueError:
        raise TimetableError(f"{text!r} is not a day or days such as 'Mon' or 'Mon-Fri' ({', '.join(_DAYS)})") from None
    if end < begin:
        raise TimetableError(f"{text!r} runs backwards")
    return range(begin, end + 1)


def _hours(text: str) -> tuple[int, int]:
    match = _HOURS.fullmatch(text)
    if match is None:
        raise TimetableError(f"{text!r} is not hours such as '07:00-11:30'")
    last_hour, last_minute = match[3].split(":")
    first, after = int(match[1]) * 60 + int(match[2]), int(last_hour) * 60 + int(last_minute)
    if after <= first:
        raise TimetableError(f"{text!r} ends before it begins")
    return first, after
