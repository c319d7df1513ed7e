"""Minutes of machines counted in three ways: hour by hour, by weeks of one machine, by hours of 500 machines."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from phongmay_store.series import sqlite_blocks, sqlite_weeks
from phongmay_store.series.interface import MinuteCounts
from phongmay_store.series.lanes import LANES, LaneCounter
from phongmay_store.series.sqlite import SqliteSeries
from phongmay_store.series.state import HOUR_S, count_within

HOURS = 6
START = 2900 * sqlite_weeks.WEEK_S - HOURS // 2 * HOUR_S
"""Hours lie on both sides of the end of a week; they are few, so that late rounds often meet what was folded."""
DEVICES = [f"pc-{number}" for number in range(3)]
_KEEP = """INSERT INTO series_minutes (device, hour, seen, reachable, unreachable) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (device, hour) DO UPDATE SET seen = series_minutes.seen | excluded.seen,
reachable = series_minutes.reachable | excluded.reachable,
unreachable = series_minutes.unreachable | excluded.unreachable"""

hours = st.integers(0, HOURS - 1).map(lambda number: START + number * HOUR_S)
masks = st.sampled_from([0, 1, 1 << 59, (1 << 60) - 1]) | st.integers(0, (1 << 60) - 1)


@st.composite
def rounds(draw: st.DrawFn) -> list[tuple[str, int, int, int, int]]:
    """Give what came between two turns of housekeeping; nothing reached or failed in a minute that was not seen."""
    found = []
    for device, hour in draw(st.lists(st.tuples(st.sampled_from(DEVICES), hours), min_size=3, max_size=12)):
        seen = draw(masks)
        reached, failed = draw(st.sampled_from([(seen, 0), (0, seen), (seen, seen), (0, 0)]) | st.tuples(masks, masks))
        found.append((device, hour, seen, reached & seen, failed & seen))
    return found


def told(counts: Mapping[str, MinuteCounts]) -> dict[str, MinuteCounts]:
    """Leave out devices without any minute: whether they are named is nobody's business."""
    return {device: count for device, count in counts.items() if any(count)}


@pytest.fixture(scope="module")
def new_series(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], tuple[Path, SqliteSeries]]]:
    """Give what opens an empty store in which the first machines stand on both sides of the edge of a block."""
    opened = []

    def new() -> tuple[Path, SqliteSeries]:
        path = tmp_path_factory.mktemp("series") / "series.db"
        series = SqliteSeries.open(path)
        with series._main.writing() as writing:
            writing.one("INSERT INTO minutes_lane (number, device) VALUES (?, 'pc-retired')", (LANES - 3,))
        opened.append(series)
        return path, series

    yield new
    for series in opened:
        series.close()


# Not shrunk: each example makes two stores on the disk, and minutes of looking for a smaller one tell little.
@settings(max_examples=40, deadline=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
@given(st.lists(rounds(), min_size=2, max_size=4), st.dictionaries(hours, masks, min_size=2, max_size=HOURS), st.data())
def test_all_ways_of_counting_give_the_same(
    new_series: Callable[[], tuple[Path, SqliteSeries]],
    turns: list[list[tuple[str, int, int, int, int]]],
    wanted: dict[int, int],
    data: st.DataObject,
) -> None:
    """However rounds and housekeeping take turns, each minute counts once: late ones, repeats, and in an old file."""
    path, series = new_series()
    chosen = data.draw(st.none() | st.sets(st.sampled_from(DEVICES)))
    for number, turn in enumerate(turns):
        with series._main.writing() as writing:
            writing.many(_KEEP, turn)
        if number < len(turns) - 1 or data.draw(st.booleans()):
            while sqlite_weeks.fold(series._main, START + data.draw(st.integers(0, HOURS + 3)) * HOUR_S):
                pass
    slowly = told(count_within(series.minutes(min(wanted), max(wanted) + HOUR_S, chosen), wanted))
    assert told(sqlite_weeks.minutes_within(series._main, wanted, chosen)) == slowly
    assert told(sqlite_blocks.minutes_within(series._main, wanted, chosen)) == slowly
    with closing(sqlite3.connect(path)) as old:  # as an older program left it
        old.executescript("DROP TABLE minutes_block; DROP TABLE minutes_lane")
    with closing(SqliteSeries.open_reader(path)) as reader:
        assert told(reader.minutes_within(wanted, chosen)) == slowly
    with closing(SqliteSeries.open(path)) as again:
        assert told(again.minutes_within(wanted, chosen)) == slowly
        assert told(sqlite_blocks.minutes_within(again._main, wanted, chosen)) == slowly


@given(st.lists(st.lists(st.integers(0, (1 << 64) - 1), min_size=3, max_size=3), max_size=40))
def test_lanes_are_counted_as_one_by_one(rows: list[list[int]]) -> None:
    """Numbers that are added up bit by bit lose no bit and let none cross into the lane beside."""
    counter = LaneCounter()
    for first, second, last in rows:
        counter.add(first | second << 64 | last << 64 * (LANES - 1))
    counts = counter.counts()
    sums = [sum(number.bit_count() for number in column) for column in zip(*rows, strict=True)] or [0, 0, 0]
    assert [*counts[:2], counts[-1]] == sums
    assert not any(counts[2:-1])
