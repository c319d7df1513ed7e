"""How old a value has grown: times and a room's expected hours go in, its age comes out; closed time adds nothing.

A week of ordinary use makes a value seven days older, whatever the hours of that week are, so limits in days keep
their meaning for a room that is used ten hours a week and for one that is used fifty. Nights, weekends, holidays and
what a shift takes away do not age anything. A room without any hours has none to count: there every day that the
calendar leaves open counts whole. Nor does a shift that leaves a room none keep a value good for ever: the hours of its
timetable count. Nothing can go wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from phongmay_store.register.timetable import Minutes, Timetable, day_start

WEEK_S = 7 * 86400.0
_DAY_S = 86400
_EPOCH = date(1970, 1, 1)
_EAST_S = -day_start(date(2000, 1, 1)) % _DAY_S
"""Local days begin so long before those of UTC; the zone has not changed since 1975."""
_FARTHEST_DAYS = 400
"""Beyond it nothing is looked up: ordinary weeks are assumed. No limit is near it."""


def ordinary_week_s(timetable: Timetable) -> float:
    """Give the seconds in use of a week that no calendar cuts."""
    return 60.0 * sum(after - first for day in timetable.week for first, after in day)


class Ageing:
    """Ages by the hours of one room. It remembers the sums up to the instant that it was last asked about."""

    __slots__ = ("_back", "_end", "_end_day", "_known", "_on", "rate")

    def __init__(self, on: Callable[[date], Sequence[Minutes]], week_s: float) -> None:
        """Take hours.

        Args:
            on: gives the expected minutes of a local day, disjoint and in order.
            week_s: seconds in use of an ordinary week, above 0.
        """
        self._on = on
        self.rate = WEEK_S / week_s
        """Seconds of age for each second in use; nothing ages faster."""
        self._end, self._end_day = float("-inf"), 0
        self._back: list[float] = []
        self._known: dict[float, float] = {}

    def age(self, start: float, end: float) -> float:
        """Give how much older a value of `start` has grown by `end`; 0 when it is not older."""
        if end <= start:
            return 0.0
        if end != self._end:
            self._end, self._end_day = end, _day(end)
            self._back, self._known = [self._used(self._end_day, end)], {}
        if start not in self._known:
            self._known[start] = self._age(start, end)
        return self._known[start]

    def is_older(self, start: float, end: float, limit: float) -> bool:
        """Tell whether a value of `start` is older than a limit by `end`."""
        return (end - start) * self.rate > limit and self.age(start, end) > limit

    def older_at(self, age: float, end: float, limit: float) -> float:
        """Give the instant after `end` from which on a value is older than a limit, if the hours stay as they are.

        Args:
            age: of the value at `end`, not above the limit.
            end: the present.
            limit: age that is still good.
        """
        left = (limit - age) / self.rate
        day = _day(end)
        for number in range(day, day + _FARTHEST_DAYS):
            midnight = number * _DAY_S - _EAST_S
            for first, after in self._on(_date(number)):
                low, high = max(midnight + 60 * first, end), midnight + 60 * after
                if low < high:
                    if left < high - low:
                        return low + left
                    left -= high - low
        return end + WEEK_S  # never by these hours; they are looked at again

    def _age(self, start: float, end: float) -> float:
        day = _day(start)
        number = self._end_day - day
        if number > _FARTHEST_DAYS:
            return end - start
        while len(self._back) <= number:
            whole = self._end_day - len(self._back)
            self._back.append(self._back[-1] + self._used(whole, float("inf")))
        return (self._back[number] - self._used(day, start)) * self.rate

    def _used(self, day: int, until: float) -> float:
        """Give the seconds in use of a local day before an instant."""
        midnight = day * _DAY_S - _EAST_S
        inside = until - midnight
        return sum(max(0.0, min(60.0 * after, inside) - 60.0 * first) for first, after in self._on(_date(day)))


def _day(at: float) -> int:
    return int((at + _EAST_S) // _DAY_S)


def _date(day: int) -> date:
    return _EPOCH + timedelta(days=day)


class _Clock(Ageing):
    """Ages as the clock on the wall does."""

    def age(self, start: float, end: float) -> float:
        return max(0.0, end - start)

    def older_at(self, age: float, end: float, limit: float) -> float:
        return end + limit - age


BY_THE_CLOCK: Ageing = _Clock(lambda day: ((0, 1440),), WEEK_S)
"""Where no hours are known."""
