"""The usual batch, made column by column, is the batch that the careful way makes."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phongmay_collector.batch import Batch, Batcher
from phongmay_collector.directory import Directory, Entry
from phongmay_collector.intake import Intake, Lot
from phongmay_collector.link import Inbound
from phongmay_contract import topics
from phongmay_contract.envelope import (
    LOST,
    ONLINE,
    Envelope,
    Group,
    Instant,
    Status,
    Transit,
    encode_backfill,
    encode_live,
    encode_status,
)
from phongmay_contract.topics import Kind
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.series import open_writer
from phongmay_store.series.arrivals import Arrivals
from phongmay_store.series.interface import SeriesWriter
from phongmay_store.settings import INFLUX, InfluxSettings, StoreSettings

NOW = time.time()
DEVICES, RUNS = ["pc-one", "pc-two"], ["aa" * 8, "bb" * 8]
MONO = st.sampled_from([1000.0, 1000.5, 1060.0, 1e9, -5.0])
SPOKEN = st.tuples(
    st.sampled_from(["live", "live", "past", "birth", "odd"]), st.sampled_from(DEVICES), st.sampled_from(RUNS), MONO
)
Spoken = tuple[str, str, str, float]


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    """Reads messages of the two devices."""
    engine = open_register(f"sqlite:///{tmp_path_factory.mktemp('register')}/register.db")
    migrate(engine)
    directory = Directory(engine)
    directory._entries = {device: Entry("pc", "school") for device in DEVICES}
    yield Intake(directory)
    engine.dispose()


def message(spoken: Spoken, seq: int) -> Inbound:
    """Give what a device sends."""
    what, device, run, mono = spoken
    at, session = Instant(NOW, mono), run[:8] * 2
    group = Group("usage", {"cpu_busy_ratio": 0.5, **({"new": 1} if what == "odd" else {})})
    envelope = Envelope(Kind.ROUND, device, run, seq, at, "t", (group,))
    if what in ("birth", "lost"):
        kind = Kind.STATUS
        payload = encode_status(Status(device, run, session, ONLINE if what == "birth" else LOST, at, "t"))
    elif what == "past":
        again = envelope._replace(seq=seq + 1000)
        kind, payload = Kind.BACKFILL, encode_backfill(device, [envelope, again], Transit(session, at))
    else:
        kind, payload = Kind.ROUND, encode_live(envelope, Transit(session, at))
    return Inbound("c", 1, 1, 1, topics.build(device, kind), payload, False, NOW + seq / 100, 0.0, 0.1)


def lots(intake: Intake, batch: Sequence[Spoken], first: int) -> list[Lot]:
    """Read messages, three at a time."""
    messages = [message(spoken, first + number) for number, spoken in enumerate(batch)]
    return [intake.lot(messages[start : start + 3]) for start in range(0, len(messages), 3)]


def told(batch: Batch) -> tuple[object, ...]:
    return list(batch.arrivals), batch.arrivals.numbers(), batch.presence, batch.dead, batch.refused, batch.conflicts


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(SPOKEN, min_size=1, max_size=7), min_size=1, max_size=4))
def test_both_ways_make_the_same_batches(
    tmp_path_factory: pytest.TempPathFactory, intake: Intake, batches: list[list[Spoken]]
) -> None:
    """Whatever was heard before: times, presence and conflicts do not depend on which way a batch took."""
    folder = tmp_path_factory.mktemp("series")
    with closing(store(folder / "a.db")) as one, closing(store(folder / "b.db")) as two:
        quick, careful = Batcher(one), Batcher(two)
        for number, batch in enumerate(batches):
            work = lots(intake, batch, 10 * number)
            assert told(quick.make(work)) == told(careful._whole(work))


def test_ordinary_batches_take_the_quick_way(tmp_path: Path, intake: Intake) -> None:
    """Otherwise the test above would compare the careful way with itself."""
    live, past = ("live", DEVICES[0], RUNS[0], 1060.0), ("past", DEVICES[0], RUNS[0], 999.0)
    with closing(store(tmp_path / "a.db")) as series:
        batcher = Batcher(series)
        births = [("birth", DEVICES[0], RUNS[0], 1000.0), ("live", DEVICES[0], RUNS[0], 1000.5)]
        batcher.make(lots(intake, births, 1))
        found = batcher._plain(lots(intake, [live, past], 5))
        assert found is not None
        assert found.arrivals.seqs == [5, 6, 1006]
        assert [presence.last_seen for presence in found.presence] == [found.arrivals.times[0]]
        assert batcher._plain(lots(intake, [live, ("lost", DEVICES[0], RUNS[0], 1000.0)], 8)) is None


def test_what_was_read_goes_away_with_its_batch(tmp_path: Path, intake: Intake) -> None:
    """The collector looks for rings of objects once a minute only: a ring in each lot would be all memory by then."""
    register = f"sqlite:///{tmp_path}/register.db"
    migrate(open_register(register))
    influx = InfluxSettings(version="1", url="http://127.0.0.1:1")
    births = [("birth", DEVICES[0], RUNS[0], 1000.0), ("live", DEVICES[0], RUNS[0], 1000.5)]
    with closing(open_writer(StoreSettings(series=INFLUX, register_url=register, influx=influx))) as series:
        batcher = Batcher(series)
        batcher.make(lots(intake, births, 1))
        gc.collect()
        gc.disable()
        try:
            work = lots(intake, [("live", DEVICES[0], RUNS[0], 1060.0), ("past", DEVICES[0], RUNS[0], 999.0)], 5)
            for lot in work:
                batcher.date(lot)
            batch = batcher.make(work)
            assert batch.arrivals.ready is not None
            assert [arrival.envelope.seq for arrival in batch.arrivals] == [5, 6, 1006]
            del lot, work, batch
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            assert [one for one in gc.garbage if isinstance(one, Lot | Inbound | Arrivals)] == []
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()


def store(path: Path) -> SeriesWriter:
    return open_writer(StoreSettings(series_path=path))
