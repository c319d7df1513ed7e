"""Minute masks of past hours by the hour: 500 devices in one value, so that a month of all of them is counted at once.

In: masks of single hours, as `sqlite_weeks` folds them. Out: counts of the minutes of all devices that lie in wanted
ones. The same masks stand in `minutes_week` by device, where what asks for few devices reads them. A value has a lane
of 64 bits for each device of its block (`lanes`), and `minutes_lane` numbers the devices; columns as in `minutes_week`.
A file of an older program gets its blocks from its weeks when it is opened for writing, at once or not at all. What
SQLite refuses is a StoreError.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from phongmay_store.series.database import SqliteFile, Writing
from phongmay_store.series.interface import MinuteCounts
from phongmay_store.series.lanes import LANE_BYTES, LANES, NUMBER_BYTES, LaneCounter, everywhere
from phongmay_store.series.state import HOUR_S
from phongmay_store.series.strips import HOURS, numbers_of, values_of
from phongmay_store.series.tally import Masks, Tally

_BLOCK = 1 << 24
"""Hours for which the keys of a block have room: 1,900 years."""
_VALUES = "seen, not_reached, unreachable"
_PUT = """INSERT INTO minutes_block (key, seen, not_reached, unreachable) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET seen = excluded.seen, not_reached = excluded.not_reached,
unreachable = excluded.unreachable"""
_OF_KEYS = f"SELECT key, {_VALUES} FROM minutes_block WHERE key IN (SELECT value FROM json_each(?))"  # noqa: S608
_TABLES = (
    "CREATE TABLE minutes_lane (number INTEGER PRIMARY KEY, device TEXT NOT NULL UNIQUE) STRICT",
    "CREATE TABLE minutes_block (key INTEGER PRIMARY KEY, "
    "seen BLOB NOT NULL, not_reached BLOB, unreachable BLOB) STRICT",
)
_NUMBER_ALL = "INSERT INTO minutes_lane (device) SELECT DISTINCT device FROM minutes_week ORDER BY device"
_OF_WEEK = """SELECT number, seen, not_reached, unreachable FROM minutes_week JOIN minutes_lane USING (device)
WHERE week = ? ORDER BY number"""


def create(connection: sqlite3.Connection) -> None:
    """Make the tables inside a transaction, with what stands in the weeks already.

    Raises:
        sqlite3.Error: the file cannot be written.
    """
    for statement in (*_TABLES, _NUMBER_ALL):
        connection.execute(statement)
    for (week,) in connection.execute("SELECT DISTINCT week FROM minutes_week").fetchall():
        rows = connection.execute(_OF_WEEK, (week,))
        for block, some in groupby(rows, lambda row: row[0] // LANES):
            first = block * _BLOCK + week * HOURS
            connection.executemany(_PUT, [(first + place, *values) for place, values in _turned(some)])


def _turned(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, tuple[bytes | None, ...]]]:
    """Make values by the hour of a week of what the devices of one block have in that week."""
    none = bytes(LANE_BYTES * HOURS)
    weeks = [[none] * LANES for _ in range(3)]
    for number, *values in rows:
        for own, value in zip(weeks, values, strict=True):
            own[number % LANES] = value or none
    cells = [memoryview(b"".join(own)).cast("Q") for own in weeks]
    for place in range(HOURS):
        seen, lacks, lost = (own[place::HOURS].tobytes() for own in cells)
        if any(seen) or any(lost):
            yield place, (seen, lacks if any(lacks) else None, lost if any(lost) else None)


def add(writing: Writing, rows: Iterable[tuple[Any, ...]]) -> None:
    """Join masks (device, hour, seen, reachable, unreachable) with those that are there."""
    rows = list(rows)
    devices = sorted({row[0] for row in rows})
    writing.each("INSERT INTO minutes_lane (device) VALUES (?) ON CONFLICT DO NOTHING", [(one,) for one in devices])
    sql = "SELECT device, number FROM minutes_lane WHERE device IN (SELECT value FROM json_each(?))"
    numbers = dict(writing.rows(sql, (json.dumps(devices),)))
    blocks: dict[int, list[int]] = {}
    for device, hour, *masks in rows:
        block, lane = divmod(numbers[device], LANES)
        mine = blocks.setdefault(block * _BLOCK + hour // HOUR_S, [0, 0, 0])
        for place, mask in enumerate(masks):
            mine[place] |= mask << 8 * LANE_BYTES * lane
    for key, *values in writing.rows(_OF_KEYS, (json.dumps(list(blocks)),)):
        blocks[key] = [one | two for one, two in zip(blocks[key], numbers_of(*values), strict=True)]
    writing.many(_PUT, [(key, *values_of(mine, NUMBER_BYTES)) for key, mine in blocks.items()])


def is_worth(main: SqliteFile, devices: Collection[str] | None) -> bool:
    """Tell whether a question is answered sooner from blocks, of which all devices are read, than from weeks."""
    if not main.rows("SELECT 1 FROM sqlite_master WHERE name = 'minutes_block'"):
        return False  # nothing has written since an older program did
    return devices is None or len(devices) > _lanes(main) // 8


def _lanes(main: SqliteFile) -> int:
    number: int | None = main.rows("SELECT max(number) FROM minutes_lane")[0][0]
    return (number or 0) + 1


def masks_at(place: int, seen: bytes | None, not_reached: bytes | None, unreachable: bytes | None) -> Masks:
    """Give what values have at one of their places of 64 bits."""
    values = [value[8 * place : 8 * place + 8] if value else b"" for value in (seen, not_reached, unreachable)]
    saw, lacks, lost = (int.from_bytes(value, "little") for value in values)
    return saw, saw ^ lacks, lost


def recent_rows(
    main: SqliteFile, wanted: Mapping[int, int], devices: Collection[str] | None
) -> list[tuple[str, int, int, int, int]]:
    """Give the rows that are not folded yet from the first wanted hour to the last."""
    sql = "SELECT device, hour, seen, reachable, unreachable FROM series_minutes WHERE hour BETWEEN ? AND ?"
    values: list[Any] = [min(wanted), max(wanted)]
    if devices is not None:
        condition, chosen = main.among("device", devices)
        sql, values = f"{sql} AND {condition}", [*values, chosen]
    return list(main.stream(sql, values))


def minutes_within(
    main: SqliteFile, wanted: Mapping[int, int], devices: Collection[str] | None
) -> dict[str, MinuteCounts]:
    """Count the minutes of each device that lie in wanted ones, an hour of 500 devices at a time."""
    if not wanted:
        return {}
    recent = [row for row in recent_rows(main, wanted, devices) if row[1] in wanted]  # first: see `Tally.add_recent`
    late = {row[1] // HOUR_S for row in recent}
    masks = {mask: everywhere(mask) for mask in set(wanted.values())}
    inside = {hour // HOUR_S: masks[mask] for hour, mask in wanted.items()}
    sums: list[list[tuple[int, ...]]] = []  # of each block: seen, not reached, unreachable by lane
    there: dict[int, list[bytes | None]] = {}  # what blocks have of late hours
    for block in range(-(-_lanes(main) // LANES)):
        counters = [LaneCounter() for _ in range(3)]
        for key, *values in main.stream(_OF_KEYS, (json.dumps([block * _BLOCK + hour for hour in inside]),)):
            hour = key % _BLOCK
            for counter, value in zip(counters, values, strict=True):
                if value is not None:
                    counter.add(int.from_bytes(value, "little") & inside[hour])
            if hour in late:
                there[key] = values
        sums.append([counter.counts() for counter in counters])
    numbers = {device: number for number, device in main.rows("SELECT number, device FROM minutes_lane")}
    chosen = numbers.keys() if devices is None else numbers.keys() & set(devices)
    tally = Tally()
    for device in chosen:
        block, lane = divmod(numbers[device], LANES)
        if block < len(sums):
            seen, lacks, lost = (counts[lane] for counts in sums[block])
            if seen or lost:
                tally.put(device, seen, seen - lacks, lost)
    both: dict[tuple[str, int], Masks] = {}
    for device, hour, *_ in recent if there else ():
        block, lane = divmod(numbers.get(device, 0), LANES)
        kept = there.get(block * _BLOCK + hour // HOUR_S)
        if kept is not None:
            both[device, hour] = masks_at(lane, *kept)
    tally.add_recent(recent, both, wanted)
    return tally.counts()
