"""Minute masks of past weeks: 168 hours in one value, so that a month of 5,000 PCs is read in a twentieth of the time.

In: masks of single hours in `series_minutes`, an hour old. Out: the same masks in `minutes_week`, and counts of those
that lie in wanted minutes. A value has 168 places of 64 bits; `seen` stands as it is, `not_reached` is what `reachable`
lacks of it, and what is all zero is NULL: mostly one value is kept of three. What SQLite refuses is a StoreError.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from math import ceil
from operator import itemgetter
from typing import Any

from phongmay_store.series import sqlite_blocks
from phongmay_store.series.database import Database, SqliteFile
from phongmay_store.series.interface import MinuteCounts, Minutes, Reach, Strips
from phongmay_store.series.sqlite_blocks import masks_at, recent_rows
from phongmay_store.series.state import HOUR_S
from phongmay_store.series.strips import (
    HOURS,
    PLACES,
    WEEK_BYTES,
    WEEK_S,
    hour_of,
    hours_between,
    numbers_of,
    values_of,
)
from phongmay_store.series.tally import Masks, Tally

RECENT_S = HOUR_S
"""The present hour and the one before it stay in rows, since every round adds to them."""
_ROWS_A_PIECE = 1000
_PLACES = struct.Struct(f"<{HOURS}Q")
_NONE = (0,) * HOURS
_ENDS = "SELECT (SELECT min(week) FROM minutes_week), (SELECT max(week) FROM minutes_week)"
_NO_HOUR = bytes(8)
_PUT = """INSERT INTO minutes_week (week, device, seen, not_reached, unreachable) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (week, device) DO UPDATE SET seen = excluded.seen, not_reached = excluded.not_reached,
unreachable = excluded.unreachable"""


def fold(main: Database, now: float) -> bool:
    """Take some masks of past hours into their weeks; True when there may be more."""
    before = int(now // HOUR_S) * HOUR_S - RECENT_S
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
                weeks[key] = numbers_of(*there[0]) if there else [0, 0, 0]
            place = 64 * (hour % WEEK_S // HOUR_S)
            weeks[key] = [one | mask << place for one, mask in zip(weeks[key], masks, strict=True)]
        writing.many(_PUT, [(*key, *values_of(numbers, WEEK_BYTES)) for key, numbers in weeks.items()])
        sqlite_blocks.add(writing, rows)
        writing.each("DELETE FROM series_minutes WHERE device = ? AND hour = ?", [row[:2] for row in rows])
    return len(rows) == _ROWS_A_PIECE


def _rows(
    main: SqliteFile, columns: str, first: float, last: float, devices: Collection[str] | None
) -> Iterator[tuple[Any, ...]]:
    """Give rows of the weeks from `first` up to and with `last`."""
    sql = f"SELECT {columns} FROM minutes_week WHERE"  # noqa: S608 columns are written here
    low, high = int(first // WEEK_S), int(last // WEEK_S)
    if devices is None:
        return main.stream(f"{sql} week BETWEEN ? AND ?", (low, high))
    ((oldest, newest),) = main.rows(_ENDS)
    if oldest is None:
        return iter(())
    # Weeks are named one by one, so that the key finds each device instead of all devices of those weeks.
    weeks = json.dumps(list(range(max(low, oldest), min(high, newest) + 1)))
    return _chosen(main, f"{sql} week IN (SELECT value FROM json_each(?))", [weeks], devices)  # noqa: S608


def _of_week(main: SqliteFile, week: int, devices: Collection[str] | None) -> Iterator[tuple[Any, ...]]:
    """Give device and values of the rows of one week."""
    sql = "SELECT device, seen, not_reached, unreachable FROM minutes_week WHERE week = ?"
    return _chosen(main, sql, [week], devices)


def _chosen(
    main: SqliteFile, sql: str, values: list[Any], devices: Collection[str] | None
) -> Iterator[tuple[Any, ...]]:
    if devices is not None:
        condition, chosen = main.among("device", devices)
        sql, values = f"{sql} AND {condition}", [*values, chosen]
    return main.stream(sql, values)


def minutes(main: SqliteFile, start: float, end: float, devices: Collection[str] | None) -> Iterator[Minutes]:
    """Give the masks of every hour of past weeks that touches [start, end), by week."""
    for week, device, seen, not_reached, unreachable in _rows(
        main, "week, device, seen, not_reached, unreachable", start, end, devices
    ):
        at = week * WEEK_S
        there = _PLACES.unpack(seen)
        lacks = _PLACES.unpack(not_reached) if not_reached else _NONE
        lost = _PLACES.unpack(unreachable) if unreachable else _NONE
        for place in range(max(0, int((start - at) // HOUR_S)), min(HOURS, ceil((end - at) / HOUR_S))):
            if (mask := there[place]) or lost[place]:
                yield Minutes(device, at + place * HOUR_S, mask, mask ^ lacks[place], lost[place])


def seen(main: SqliteFile, start: float, end: float, devices: Collection[str] | None) -> dict[str, int]:
    """Give the minutes of [start, end), two whole UTC hours, in which each device measured a round: as `strips`."""
    out: dict[str, int] = {}
    from_bytes, get = int.from_bytes, out.get
    first = int(start)
    for week, device, value in _rows(main, "week, device, seen", start, end - 1, devices):
        place = PLACES * ((week * WEEK_S - first) // HOUR_S)
        minutes = from_bytes(value, "little")
        out[device] = get(device, 0) | (minutes << place if place >= 0 else minutes >> -place)
    whole = (1 << PLACES * hours_between(start, end)) - 1
    return {device: minutes & whole for device, minutes in out.items()}


def strips(main: SqliteFile, start: float, end: float, devices: Collection[str]) -> dict[str, Strips]:
    """Give the minutes of [start, end), two whole UTC hours, as `seen` does, and those in which the Internet was tried.

    The weeks of a device are joined as bytes and become a number once; most machines reached the Internet in every
    minute in which they were seen, and for them one number is made, not three.
    """
    low, count = int(start // WEEK_S), int((end - 1) // WEEK_S) - int(start // WEEK_S) + 1
    saw: dict[str, list[bytes]] = {}
    lacks: dict[str, list[bytes]] = {}
    lost: dict[str, list[bytes]] = {}
    nothing = [bytes(WEEK_BYTES)] * count
    columns = "week, device, seen, not_reached, unreachable"
    for week, device, seen, not_reached, unreachable in _rows(main, columns, start, end - 1, devices):
        mine = saw.get(device)
        if mine is None:
            mine = saw[device] = nothing.copy()
        mine[week - low] = seen
        if not_reached is not None:
            lacks.setdefault(device, nothing.copy())[week - low] = not_reached
        if unreachable is not None:
            lost.setdefault(device, nothing.copy())[week - low] = unreachable
    from_bytes, join = int.from_bytes, b"".join
    begin = PLACES // 8 * ((int(start) - low * WEEK_S) // HOUR_S)
    inside = slice(begin, begin + PLACES // 8 * hours_between(start, end))
    out: dict[str, Strips] = {}
    for device, weeks in saw.items():
        minutes = reached = from_bytes(join(weeks)[inside], "little")
        if device in lacks:
            reached ^= from_bytes(join(lacks[device])[inside], "little")
        missed = from_bytes(join(lost[device])[inside], "little") if device in lost else 0
        out[device] = Strips(minutes, reached, missed)
    return out


def reach(main: SqliteFile, start: float, end: float, devices: Collection[str]) -> dict[str, Reach]:
    """Give the minutes of every hour that touches [start, end) in which each device tried the Internet target."""
    out: dict[str, Reach] = {}
    from_bytes, first = int.from_bytes, hour_of(start)
    spans: dict[int, tuple[slice, int]] = {}
    for week, device, seen, not_reached, unreachable in _rows(
        main, "week, device, seen, not_reached, unreachable", start, end, devices
    ):
        if week not in spans:
            at = week * WEEK_S
            begin, after = max(0, (first - at) // HOUR_S), max(0, min(HOURS, ceil((end - at) / HOUR_S)))
            spans[week] = (slice(8 * begin, 8 * after), PLACES * ((at - first) // HOUR_S + begin))
        span, place = spans[week]
        lacks = from_bytes(not_reached[span], "little") if not_reached else 0
        lost = from_bytes(unreachable[span], "little") if unreachable else 0
        reachable = (from_bytes(seen[span], "little") ^ lacks) << place
        before = out.get(device)
        if before is not None:
            reachable |= before.reachable
        out[device] = Reach(first, reachable, lost << place | (before.unreachable if before else 0))
    return out


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
    main: SqliteFile, wanted: Mapping[int, int], devices: Collection[str] | None
) -> dict[str, MinuteCounts]:
    """Count the minutes of each device that lie in wanted ones, a week at a time."""
    if not wanted:
        return {}
    weeks: dict[int, dict[int, int]] = {}
    for hour, mask in wanted.items():
        weeks.setdefault(hour // WEEK_S, {})[hour % WEEK_S // HOUR_S] = mask
    recent = recent_rows(main, wanted, devices)  # first: see `Tally.add_recent`
    recent_places: dict[int, list[int]] = {}
    for hour in {one[1] for one in recent}:
        recent_places.setdefault(hour // WEEK_S, []).append(hour % WEEK_S // HOUR_S)
    both: dict[tuple[str, int], Masks] = {}  # of hours that stand in rows and in their week
    tally = Tally()
    whole, from_bytes, get, join = tally.whole, int.from_bytes, tally.whole.get, b"".join
    for week, hours in weeks.items():
        inside = _Inside(hours)
        places, mask, pieces = recent_places.get(week, ()), inside.mask, inside.pieces
        for device, seen, not_reached, unreachable in _of_week(main, week, devices):
            for place in places:
                if seen[8 * place : 8 * place + 8] != _NO_HOUR or unreachable is not None:
                    both[device, week * WEEK_S + place * HOUR_S] = masks_at(place, seen, not_reached, unreachable)
            if not_reached is None and unreachable is None:
                whole[device] = get(device, 0) + (from_bytes(join(pieces(seen)), "little") & mask).bit_count()
            else:
                numbers = [join(pieces(value)) if value else b"" for value in (seen, not_reached, unreachable)]
                saw, lacks, lost = (from_bytes(number, "little") for number in numbers)
                tally.add(device, (saw, saw ^ lacks, lost), mask)
    tally.add_recent(recent, both, wanted)
    return tally.counts()


class _Inside:
    """Wanted minutes of one week: which bytes of its values they lie in, and their mask over these bytes alone.

    Lessons are a quarter of a week, so most of a value need not become a number.

    Args:
        hours: 60-bit masks by the hour of the week.

    Attributes:
        mask: the wanted minutes, over the joined pieces of a value.
        pieces: gives the pieces of a value in which wanted minutes lie.
    """

    def __init__(self, hours: Mapping[int, int]) -> None:
        self.mask, spans = 0, list[tuple[int, int]]()
        for number, place in enumerate(sorted(hours)):
            self.mask |= hours[place] << 64 * number
            if spans and spans[-1][1] == place:
                spans[-1] = (spans[-1][0], place + 1)
            else:
                spans.append((place, place + 1))
        slices = [slice(8 * begin, 8 * end) for begin, end in spans]
        # One more that is always empty: of a single slice an itemgetter would give the bytes, not a tuple of them.
        self.pieces: Callable[[bytes], tuple[bytes, ...]] = itemgetter(*slices, slice(0, 0))
