"""Minutes that are packed into weeks while somebody reads them."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phongmay_contract.envelope import Envelope, Instant
from phongmay_contract.topics import Kind
from phongmay_store.series import sqlite_weeks
from phongmay_store.series.interface import Arrival, Reach, Strips, TimeBasis
from phongmay_store.series.sqlite import SqliteSeries
from phongmay_store.series.sqlite_weeks import WEEK_S, fold
from phongmay_store.series.strips import hour_of, reach

DEVICE = "pc-one"
TABLES = ("series_minutes", "minutes_week", "minutes_block")
HOUR = int(time.time() // 3600 - 30) * 3600


def round_at(seq: int, at: float) -> Arrival:
    """Give a round of the device that was measured at a time."""
    return Arrival(Envelope(Kind.ROUND, DEVICE, "aa" * 8, seq, Instant(at, at), "t", ()), at, TimeBasis.LIVE, at)


@pytest.mark.parametrize("ask", [
    lambda reader: reader.seen(HOUR, HOUR + 3600, [DEVICE]) == {DEVICE: 0b11},
    lambda reader: reader.strips(HOUR, HOUR + 3600, [DEVICE]) == {DEVICE: Strips(0b11, 0, 0)},
    lambda reader: [found.seen for found in reader.minutes(HOUR, HOUR + 3600, [DEVICE])] == [0b11],
    lambda reader: sqlite_weeks.minutes_within(reader._main, {HOUR: 0b111}, [DEVICE])[DEVICE].seen == 2,
    lambda reader: reader.minutes_within({HOUR: 0b111})[DEVICE].seen == 2,
], ids=["seen", "strips", "minutes", "minutes_within of few", "minutes_within of all"])  # fmt: skip
def test_an_hour_that_is_packed_between_two_reads_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[SqliteSeries], bool]
) -> None:
    """The collector packs hours into weeks while the engine reads: whichever it reads first, no minute is missing."""
    path = tmp_path / "series.db"
    with closing(SqliteSeries.open(path)) as series:
        series.write([round_at(1, HOUR), round_at(2, HOUR + 60)])
        reader = SqliteSeries.open_reader(path)
        rows, stream = reader._main.rows, reader._main.stream

        def then_pack(found: list[Any], sql: str) -> list[Any]:
            while any(table in sql for table in TABLES) and series.maintain(HOUR + 86400):
                pass
            return found

        monkeypatch.setattr(reader._main, "rows", lambda sql, *more: then_pack(rows(sql, *more), sql))
        monkeypatch.setattr(reader._main, "stream", lambda sql, *more: iter(then_pack([*stream(sql, *more)], sql)))
        assert ask(reader)
        reader.close()
        assert series._main.rows("SELECT count(*) FROM minutes_week") == [(1,)]


def test_two_collectors_that_fold_at_once_lose_no_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A week and a block are read, joined and written in one transaction that begins with the lock: two writers of one
    file, each with hours of the same week, keep all of them."""
    monkeypatch.setattr(sqlite_weeks, "_ROWS_A_PIECE", 3)
    path, week, hours = tmp_path / "series.db", 2900 * WEEK_S, range(160)

    def fold_own(numbers: range) -> None:
        with closing(SqliteSeries.open(path)) as series:
            both.wait()
            for number in numbers:
                series._connection.execute(
                    "INSERT INTO series_minutes (device, hour, seen, reachable, unreachable) VALUES (?, ?, ?, 0, 0)",
                    (DEVICE, week + 3600 * number, number + 1),
                )
                fold(series._main, week + 3600 * 1000)

    SqliteSeries.open(path).close()
    both = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        for one in [pool.submit(fold_own, hours[::2]), pool.submit(fold_own, hours[1::2])]:
            one.result()
    with closing(SqliteSeries.open_reader(path)) as reader:
        assert reader._main.rows("SELECT count(*) FROM series_minutes") == [(0,)]
        found = {row.hour: row.seen for row in reader.minutes(week, week + WEEK_S, [DEVICE])}
        assert found == {week + 3600 * number: number + 1 for number in hours}
        counts = reader.minutes_within({week + 3600 * number: 2**60 - 1 for number in hours})
        assert counts[DEVICE].seen == sum((number + 1).bit_count() for number in hours)


Masks = dict[tuple[str, int], tuple[int, int, int]]
"""Seen, reachable and unreachable by device and number of the hour."""
MASK = st.integers(0, 2**60 - 1)
HOURS = st.dictionaries(st.tuples(st.sampled_from(["pc-a", "pc-b"]), st.integers(0, 400)), st.tuples(MASK, MASK, MASK))


@contextmanager
def stored(week: int, packed: Masks, recent: Masks) -> Iterator[SqliteSeries]:
    """Give a store in which some hours stand in weeks and some in rows."""
    with tempfile.TemporaryDirectory() as folder, closing(SqliteSeries.open(Path(folder) / "series.db")) as series:
        for some in (packed, recent):
            series._connection.executemany(
                "INSERT INTO series_minutes (device, hour, seen, reachable, unreachable) VALUES (?, ?, ?, ?, ?)",
                [(device, week + 3600 * hour, seen, seen & reachable, seen & unreachable)
                 for (device, hour), (seen, reachable, unreachable) in some.items()],
            )  # fmt: skip
            if some is packed:
                while fold(series._main, week + 3600 * 1000):
                    pass
        yield series


@settings(max_examples=40, deadline=None)
@given(HOURS, HOURS, st.integers(-5, 400), st.integers(1, 200))
def test_strips_are_what_the_minutes_say(packed: Masks, recent: Masks, begin: int, hours: int) -> None:
    """Law: wherever minutes stand, `strips` gives seen, reached and missed ones of whole hours as single hours do."""
    week = 2900 * WEEK_S
    start, end = week + 3600 * begin, week + 3600 * (begin + hours)
    with stored(week, packed, recent) as series:
        found = series.strips(start, end, ["pc-a", "pc-b"])
        assert {name: strips.seen for name, strips in found.items() if strips.seen} == {
            name: seen for name, seen in series.seen(start, end, ["pc-a", "pc-b"]).items() if seen
        }
        summed = {name: [0, 0, 0] for name in ("pc-a", "pc-b")}
        for row in series.minutes(start, end, ["pc-a", "pc-b"]):
            for place, mask in enumerate(row[2:]):
                summed[row.device][place] |= mask << 64 * ((row.hour - start) // 3600)
        assert {name: [*found.get(name, Strips(0, 0, 0))] for name in summed} == summed


@settings(max_examples=40, deadline=None)
@given(HOURS, HOURS, st.floats(-5, 400), st.floats(0, 200))
def test_reach_is_what_the_minutes_say(
    packed: Masks,
    recent: Masks,
    begin: float,
    hours: float,
) -> None:
    """Law: whatever stands in weeks, in hours or in both, `reach` gives the same as unpacking every hour does."""
    week = 2900 * WEEK_S
    start, end = week + 3600 * begin, week + 3600 * (begin + hours)
    with stored(week, packed, recent) as series:
        devices = ["pc-a", "pc-b"]
        unpacked = reach(series.minutes(start, end, devices), start)
        found = series.reach(start, end, devices)
        for device in devices:
            assert found.get(device, NOTHING)[1:] == unpacked.get(device, NOTHING)[1:]
        assert {strips.start for strips in [*found.values(), *unpacked.values()]} <= {hour_of(start)}


NOTHING = Reach(0, 0, 0)
