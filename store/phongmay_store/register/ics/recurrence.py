"""When a recurring event happens: its rule and a window of days go in, local starts inside the window come out.

Bounded whatever the rule says: no occurrence after the window, not more than LIMIT in it, not more than STEPS looked
at; a rule that cannot be read or is too fine raises ValueError with a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from itertools import islice

from dateutil.rrule import rrulestr
from icalendar import vRecur

from phongmay_store.register.timetable import LOCAL

LIMIT, STEPS = 1000, 50_000
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")


def local_time(value: object) -> datetime:
    """Give a date or time as naive local time; a time without zone is taken as local already.

    Raises:
        ValueError: it is neither.
    """
    if not isinstance(value, date):
        raise ValueError(f"{value} is no day")
    if not isinstance(value, datetime):
        return datetime.combine(value, time.min)
    return value.astimezone(LOCAL).replace(tzinfo=None) if value.tzinfo else value


def occurrences(
    start: datetime,
    rule: vRecur | None,
    added: Iterable[datetime],
    left_out: Iterable[datetime],
    window: tuple[datetime, datetime],
) -> list[datetime]:
    """Give the naive local starts of an event in a window, in order.

    Args:
        start: of the first occurrence.
        rule: RRULE; None = only `added` ones.
        added: RDATE.
        left_out: EXDATE.
        window: first and last start that is asked for.

    Raises:
        ValueError: the rule cannot be read, is finer than a day, or gives too many.
    """
    found = {start, *added}
    if rule is not None:
        found |= set(_by_rule(start, rule, window[1]))
    days_out = {moment.date() for moment in left_out}
    kept = sorted(moment for moment in found if moment.date() not in days_out and window[0] <= moment <= window[1])
    if len(kept) > LIMIT:
        raise ValueError(f"it recurs more than {LIMIT} times in five years")
    return kept


def _by_rule(start: datetime, rule: vRecur, until: datetime) -> list[datetime]:
    parts: Mapping[str, list[object]] = {str(key).upper(): value for key, value in rule.items()}
    frequency = str(parts.get("FREQ", [""])[0]).upper()
    if frequency not in _FREQUENCIES:
        raise ValueError(f"FREQ={frequency}; expected one of {', '.join(_FREQUENCIES)}")
    ends = [local_time(end) for end in parts.get("UNTIL", []) if isinstance(end, date)]
    last = min([until, *ends])
    count = parts.get("COUNT", [None])[0]
    kept = vRecur({key: value for key, value in rule.items() if str(key).upper() not in ("COUNT", "UNTIL")})
    # The end is always given, so that a rule that never matches ends too.
    text = kept.to_ical().decode()  # type: ignore[no-untyped-call] # the library's method has no types
    starts = rrulestr(f"{text};UNTIL={last:%Y%m%dT%H%M%S}", dtstart=start)
    found = list(islice(starts, min(count, STEPS) if isinstance(count, int) else STEPS))
    if len(found) == STEPS:
        raise ValueError(f"it recurs more than {STEPS} times")
    return found
