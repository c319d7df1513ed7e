"""When a room is in use: a short text becomes the expected intervals of any period.

"Mon-Fri 07:00-11:30 13:00-16:30; Sat 07:00-11:30" in Asia/Ho_Chi_Minh, "always", or "never". A text that cannot be
read raises TimetableError naming the piece. Times inside are float seconds UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
DEFAULT = "Mon-Fri 07:00-17:00"
"""District setting until an organisation enters its own: standards.md section 8, item 7."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d|24:00)")


class TimetableError(ValueError):
    """A timetable text that cannot be read."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """Expected minutes of a week.

    Attributes:
        week: for each weekday (0 = Monday) the intervals as (first minute, minute after the last) of the local day.
    """

    week: tuple[tuple[tuple[int, int], ...], ...]

    def intervals(self, start: float, end: float) -> Iterator[tuple[float, float]]:
        """Give the expected intervals inside [start, end), in order, as true times."""
        if end <= start:
            return
        day = datetime.fromtimestamp(start, LOCAL).date() - timedelta(days=1)
        last = datetime.fromtimestamp(end, LOCAL).date()
        while day <= last:
            for first, after in self.week[day.weekday()]:
                begin, finish = _moment(day, first), _moment(day, after)
                low, high = max(begin, start), min(finish, end)
                if low < high:
                    yield low, high
            day += timedelta(days=1)

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


def _moment(day: date, minute: int) -> float:
    at = datetime.combine(day, time.min, LOCAL) + timedelta(minutes=minute)
    return at.astimezone(UTC).timestamp()


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
    for intervals in week:
        intervals.sort()
        if any(after > first for (_, after), (first, _) in pairwise(intervals)):
            raise TimetableError(f"{text!r} has hours that overlap")
    return Timetable(tuple(tuple(intervals) for intervals in week))


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
