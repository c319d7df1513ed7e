"""The usual batch, made in one go, is the batch that the careful way makes."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phongmay_collector.batch import Batch, Batcher, Taken
from phongmay_collector.intake import Accepted, Heard, Outcome
from phongmay_collector.link import Inbound
from phongmay_contract.envelope import LOST, ONLINE, Envelope, Group, Instant, Status
from phongmay_contract.topics import Kind
from phongmay_store.series import open_writer
from phongmay_store.series.interface import SeriesWriter
from phongmay_store.settings import StoreSettings

NOW = time.time()
DEVICES, RUNS = ["pc-one", "pc-two"], ["aa" * 8, "bb" * 8]
MONO = st.sampled_from([1000.0, 1000.5, 1060.0, 1e9, -5.0])
SPOKEN = st.tuples(
    st.sampled_from(["live", "past", "birth", "odd"]), st.sampled_from(DEVICES), st.sampled_from(RUNS), MONO
)


def outcome(what: str, device: str, run: str, mono: float, seq: int) -> Outcome:
    """Give what a message says."""
    at = Instant(NOW, mono)
    if what == "birth":
        return Heard(Status(device, run, run[:8] * 2, ONLINE, at, "t"))
    envelope = Envelope(Kind.ROUND, device, run, seq, at, "t", (Group("usage", {}),))
    unknown = ("new",) if what == "odd" else ()
    return Accepted(envelope, run[:8] * 2, mono, what != "past", unknown, ())


def taken(batch: list[tuple[str, str, str, float]], first: int) -> list[Taken]:
    return [
        Taken(Inbound("c", 1, 1, 1, "t", b"", False, NOW + number / 100, 0.0, 0.1), [outcome(*said, first + number)])
        for number, said in enumerate(batch)
    ]


def told(batch: Batch) -> tuple[object, ...]:
    return batch.arrivals, sorted(batch.presence), batch.odd, batch.dead, batch.refused, batch.conflicts


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(SPOKEN, min_size=1, max_size=5), min_size=1, max_size=4))
def test_both_ways_make_the_same_batches(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[str, str, str, float]]]
) -> None:
    """Whatever was heard before: times, presence and conflicts do not depend on which way a batch took."""
    folder = tmp_path_factory.mktemp("series")
    with closing(store(folder / "a.db")) as one, closing(store(folder / "b.db")) as two:
        quick, careful = Batcher(one), Batcher(two)
        for number, batch in enumerate(batches):
            work = taken(batch, 10 * number)
            assert told(quick.make(work)) == told(careful._whole(work))


def test_ordinary_batches_take_the_quick_way(tmp_path: Path) -> None:
    """Otherwise the test above would compare the careful way with itself."""
    with closing(store(tmp_path / "a.db")) as series:
        batcher = Batcher(series)
        batcher.make(taken([("birth", DEVICES[0], RUNS[0], 1000.0), ("live", DEVICES[0], RUNS[0], 1000.5)], 1))
        found = batcher._plain(taken([("live", DEVICES[0], RUNS[0], 1060.0), ("past", DEVICES[0], RUNS[0], 999.0)], 5))
        assert found is not None
        assert [arrival.envelope.seq for arrival in found.arrivals] == [5, 6]
        assert [presence.last_seen for presence in found.presence] == [found.arrivals[0].at]
        lost = Heard(Status(DEVICES[0], RUNS[0], RUNS[0][:8] * 2, LOST, Instant(NOW, 1000.0), "t"))
        message = Inbound("c", 1, 1, 1, "t", b"", False, NOW, 0.0, 0.1)
        assert batcher._plain([Taken(message, [lost])]) is None


def store(path: Path) -> SeriesWriter:
    return open_writer(StoreSettings(series_path=path))
