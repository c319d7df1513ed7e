"""Strips: the minutes of many hours in one number, so that a month of a machine is counted in a few instructions.

Minute masks by UTC hour go in, a number comes out: bit 64 * h + m is minute m of the h-th hour after the start, and the
four bits behind each hour stay 0, as in the values of `sqlite_weeks`. Nothing can go wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from struct import pack

from phongmay_store.series.interface import Minutes, Reach, Strips

HOUR_S = 3600
PLACES = 64
"""Bits that an hour takes."""
HOURS = 168
WEEK_S = HOURS * HOUR_S
WEEK_BYTES = PLACES // 8 * HOURS
"""Of a week in which something was seen; weeks are counted from 1970-01-01, a Thursday."""


def reach(hours: Iterable[Minutes], start: float) -> dict[str, Reach]:
    """Give the reach of each device.

    Args:
        hours: minute masks, each hour of a device once.
        start: strips begin with the hour that this moment lies in; hours before are left out.
    """
    first = hour_of(start)
    inside: dict[str, dict[int, Minutes]] = {}
    for hour in hours:
        if hour.hour >= first:
            inside.setdefault(hour.device, {})[(hour.hour - first) // HOUR_S] = hour
    return {
        device: Reach(
            first,
            _packed({number: hour.reachable for number, hour in own.items()}),
            _packed({number: hour.unreachable for number, hour in own.items()}),
        )
        for device, own in inside.items()
    }


def strips_of(hours: Iterable[Minutes], start: float) -> dict[str, Strips]:
    """Give the three strips of each device: minute masks from the whole hour `start` on, each hour of a device once."""
    first = int(start)
    numbered: dict[str, list[tuple[int, Minutes]]] = {}
    for hour in hours:
        numbered.setdefault(hour.device, []).append(((hour.hour - first) // HOUR_S, hour))
    return {
        device: Strips(
            _packed({number: hour.seen for number, hour in own}),
            _packed({number: hour.reachable for number, hour in own}),
            _packed({number: hour.unreachable for number, hour in own}),
        )
        for device, own in numbered.items()
    }


def hour_of(at: float) -> int:
    """Give the UTC hour that a moment lies in."""
    return int(at // HOUR_S) * HOUR_S


def hours_between(start: float, end: float) -> int:
    """Give how many hours lie between two whole hours."""
    return int(end - start) // HOUR_S


def strip(masks: Mapping[int, int], start: float, end: float) -> int:
    """Put the masks of the hours in [start, end) into one number; both are whole UTC hours."""
    first, hours = int(start), hours_between(start, end)
    numbered = {(hour - first) // HOUR_S: mask for hour, mask in masks.items()}
    return _packed({number: mask for number, mask in numbered.items() if 0 <= number < hours})


def strips(rows: Iterable[tuple[str, int, int]]) -> dict[str, int]:
    """Give the strip of each device.

    Args:
        rows: device, number of an hour after the start, mask; the rows of a device together.
    """
    return {device: _packed({number: mask for _, number, mask in own}) for device, own in groupby(rows, itemgetter(0))}


def joined_strips(one: Strips, two: Strips) -> Strips:
    """Give the minutes that stand in either."""
    return Strips(*(mine | other for mine, other in zip(one, two, strict=True)))


def _packed(masks: Mapping[int, int]) -> int:
    """Put masks by number of their hour into one number; hours between them are empty."""
    if not masks:
        return 0
    first = min(masks)
    cells = [masks.get(number, 0) for number in range(first, max(masks) + 1)]
    return int.from_bytes(pack(f"<{len(cells)}Q", *cells), "little") << PLACES * first


def place(start: float, at: float) -> int:
    """Give the place of the first whole minute at or after a moment; the start is a whole UTC hour."""
    number = int((at - start) // HOUR_S)
    return PLACES * number - int(-(at - (start + HOUR_S * number)) // 60)


def numbers_of(seen: bytes, not_reached: bytes | None, unreachable: bytes | None) -> list[int]:
    """Give seen, reachable and unreachable as numbers."""
    whole = int.from_bytes(seen, "little")
    reached = whole ^ int.from_bytes(not_reached, "little") if not_reached else whole
    return [whole, reached, int.from_bytes(unreachable, "little") if unreachable else 0]


def values_of(numbers: Sequence[int], size: int) -> tuple[bytes, bytes | None, bytes | None]:
    """Give what is kept of seen, reachable and unreachable: what is all zero is NULL, mostly two of the three."""
    seen, reachable, unreachable = numbers
    lacks = seen ^ reachable
    return (
        seen.to_bytes(size, "little"),
        lacks.to_bytes(size, "little") if lacks else None,
        unreachable.to_bytes(size, "little") if unreachable else None,
    )
