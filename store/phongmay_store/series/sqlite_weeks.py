"""Minute masks of past weeks: 168 hours in one value, so that a month of 5,000 PCs is read in a twentieth of the time.

In: masks of single hours in `series_minutes`, some days old. Out: the same masks in `minutes_week`, and counts of those
that lie in wanted minutes. A value has 168 places of 64 bits; `seen` stands as it is, `not_reached` is what `reachable`
lacks of it, and what is all zero is NULL: mostly one value is kept of three. What SQLite refuses is a StoreError.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from phongmay_store.series.database import Database
from phongmay_store.series.interface import MinuteCounts, Minutes
from phongmay_store.series.state import DAY_S, HOUR_S, State, count_within

WEEK_S = 7 * DAY_S
HOURS = 168
_ROWS_A_PIECE = 2000
_BYTES = 8 * HOURS
_PLACES = struct.Struct(f"<{HOURS}Q")
_NONE = (0,) * HOURS
_PUT = """INSERT INTO minutes_week (week, device, seen, not_reached, unreachable) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (week, device) DO UPDATE SET seen = excluded.seen, not_reached = excluded.not_reached,
unreachable = excluded.unreachable"""


def fold(main: Database, now: float) -> bool:
    """Take some masks of past days into their weeks; True when there may be more."""
    before = (int(now // DAY_S) - 1) * DAY_S
    sql = "SELECT device, hour, seen, reachable, unreachable FROM series_minutes WHERE hour < ? ORDER BY device LIMIT ?"
    with main.writing() as writing:
        rows = writing.rows(sql, (before, _ROWS_A_PIECE))
        weeks: dict[tuple[int, str], list[int]] = {}
        for device, hour, *masks in rows:
            key = (hour // WEEK_S, device)
            if key not in weeks:
                there = writing.rows(
                    "SELECT seen, not_reached, unreachable FROM minutes_week WHERE week = ? AND device = ?", key
                )
                weeks[key] = _numbers(*there[0]) if there else [0, 0, 0]
            place = 64 * (hour % WEEK_S // HOUR_S)
            weeks[key] = [one | mask << place for one, mask in zip(weeks[key], masks, strict=True)]
        writing.many(_PUT, [(*key, *_values(*numbers)) for key, numbers in weeks.items()])
        writing.many("DELETE FROM series_minutes WHERE device = ? AND hour = ?", [row[:2] for row in rows])
    return len(rows) == _ROWS_A_PIECE


def _numbers(seen: bytes, not_reached: bytes | None, unreachable: bytes | None) -> list[int]:
    whole, lacks, lost = (int.from_bytes(value or b"", "little") for value in (seen, not_reached, unreachable))
    return [whole, whole ^ lacks, lost]


def _values(seen: int, reachable: int, unreachable: int) -> tuple[bytes, bytes | None, bytes | None]:
    lacks = seen ^ reachable
    return (
        seen.to_bytes(_BYTES, "little"),
        lacks.to_bytes(_BYTES, "little") if lacks else None,
        unreachable.to_bytes(_BYTES, "little") if unreachable else None,
    )


def _rows(
    main: Database, columns: str, first: float, last: float, devices: Collection[str] | None
) -> list[tuple[Any, ...]]:
    """Give rows of the weeks from `first` up to and with `last`."""
    sql = f"SELECT {columns} FROM minutes_week WHERE week BETWEEN ? AND ?"  # noqa: S608 columns are written here
    values: list[Any] = [int(first // WEEK_S), int(last // WEEK_S)]
    if devices is not None:
        condition, chosen = main.among("device", devices)
        sql, values = f"{sql} AND {condition}", [*values, chosen]
    return main.rows(sql, values)


def minutes(main: Database, start: float, end: float, devices: Collection[str] | None) -> Iterator[Minutes]:
    """Give the masks of every hour of past weeks that touches [start, end), by week."""
    for week, device, seen, not_reached, unreachable in _rows(
        main, "week, device, seen, not_reached, unreachable", start, end, devices
    ):
        at = week * WEEK_S
        lacks = _PLACES.unpack(not_reached) if not_reached else _NONE
        lost = _PLACES.unpack(unreachable) if unreachable else _NONE
        for place, mask in enumerate(_PLACES.unpack(seen)):
            if (mask or lost[place]) and start - HOUR_S < (hour := at + place * HOUR_S) < end:
                yield Minutes(device, hour, mask, mask ^ lacks[place], lost[place])


def joined(weeks: Iterable[Minutes], days: Iterable[Minutes]) -> Iterator[Minutes]:
    """Give masks of both in order of device and hour; an hour that stands in both is joined by OR."""
    before: Minutes | None = None
    for found in sorted([*weeks, *days]):
        if before is not None and before[:2] == found[:2]:
            before = Minutes(*found[:2], *(one | two for one, two in zip(before[2:], found[2:], strict=True)))
            continue
        if before is not None:
            yield before
        before = found
    if before is not None:
        yield before


def minutes_within(
    main: Database, state: State, wanted: Mapping[int, int], devices: Collection[str] | None
) -> dict[str, MinuteCounts]:
    """Count the minutes of each device that lie in wanted ones, a week at a time."""
    if not wanted:
        return {}
    first, last = min(wanted), max(wanted)
    recent = list(state.minutes(first, last + HOUR_S, devices))
    late = {(row.device, row.hour // WEEK_S) for row in recent}
    masks: dict[int, int] = {}
    for hour, mask in wanted.items():
        masks[hour // WEEK_S] = masks.get(hour // WEEK_S, 0) | mask << 64 * (hour % WEEK_S // HOUR_S)
    counts: dict[str, tuple[int, int, int]] = {}
    number = int.from_bytes
    rows = _rows(main, "week, device, seen, not_reached, unreachable", first, last, devices)
    for week, device, seen, not_reached, unreachable in rows:
        if (device, week) in late:
            continue
        inside = masks.get(week, 0)
        was = counts.get(device, (0, 0, 0))
        there = number(seen, "little")
        count = reached = (there & inside).bit_count()
        if not_reached:
            reached = ((there ^ number(not_reached, "little")) & inside).bit_count()
        lost = (number(unreachable, "little") & inside).bit_count() if unreachable else 0
        counts[device] = (was[0] + count, was[1] + reached, was[2] + lost)
    # A week of which masks lie in both tables is counted hour by hour: a minute that stands in both counts once.
    both = {device for device, _ in late}
    weeks = (row for row in minutes(main, first, last + HOUR_S, both) if (row.device, row.hour // WEEK_S) in late)
    for device, more in count_within(joined(weeks, recent), wanted).items():
        was = counts.get(device, (0, 0, 0))
        counts[device] = (was[0] + more[0], was[1] + more[1], was[2] + more[2])
    return {device: MinuteCounts(*sums) for device, sums in counts.items()}
