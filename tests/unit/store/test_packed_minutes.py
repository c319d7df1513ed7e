"""Minutes that are packed into weeks while somebody reads them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from phongmay_contract.envelope import Envelope, Instant
from phongmay_contract.topics import Kind
from phongmay_store.series import sqlite_weeks
from phongmay_store.series.interface import Arrival, TimeBasis
from phongmay_store.series.sqlite import SqliteSeries

DEVICE = "pc-one"
TABLES = ("series_minutes", "minutes_week", "minutes_block")
HOUR = int(time.time() // 3600 - 30) * 3600


def round_at(seq: int, at: float) -> Arrival:
    """Give a round of the device that was measured at a time."""
    return Arrival(Envelope(Kind.ROUND, DEVICE, "aa" * 8, seq, Instant(at, at), "t", ()), at, TimeBasis.LIVE, at)


@pytest.mark.parametrize("ask", [
    lambda reader: reader.seen(HOUR, HOUR + 3600, [DEVICE]) == {DEVICE: 0b11},
    lambda reader: [found.seen for found in reader.minutes(HOUR, HOUR + 3600, [DEVICE])] == [0b11],
    lambda reader: sqlite_weeks.minutes_within(reader._main, {HOUR: 0b111}, [DEVICE])[DEVICE].seen == 2,
    lambda reader: reader.minutes_within({HOUR: 0b111})[DEVICE].seen == 2,
], ids=["seen", "minutes", "minutes_within of few", "minutes_within of all"])  # fmt: skip
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
