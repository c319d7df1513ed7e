"""The writer's promises on a real store and a real queue: kept before told, in order, and no message blocks others."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from phongmay_collector.directory import Directory, Entry
from phongmay_collector.disk_queue import DiskQueue, QueueFull
from phongmay_collector.intake import Intake, Lot
from phongmay_collector.link import Inbound
from phongmay_collector.writer import Done, Writer
from phongmay_contract.envelope import Envelope, Group, Instant, Transit, decode_receipt, encode_live
from phongmay_contract.topics import Kind
from phongmay_store.errors import StoreError, StoreRefused
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.series import open_writer as open_series
from phongmay_store.settings import StoreSettings

DEVICE, RUN = "pc-one", "aa" * 8


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A writer that is turned by hand; `bench.fails` makes the real store raise before it writes."""
    engine = open_register(f"sqlite:///{tmp_path}/register.db")
    migrate(engine)
    directory = Directory(engine)
    directory._entries = {DEVICE: Entry("pc", "school")}
    intake = Intake(directory)
    made = SimpleNamespace(done=[], fails=None, path=tmp_path, seq=0)
    with closing(open_series(StoreSettings(series_path=tmp_path / "series.db"))) as series:
        write = series.write

        def maybe(arrivals: Sequence[Any], *rest: Any) -> None:
            if made.fails is not None and (error := made.fails(arrivals)) is not None:
                raise error
            write(arrivals, *rest)

        monkeypatch.setattr(series, "write", maybe)
        made.series, made.intake = series, intake
        made.open = lambda mib=1: open_writer(made, mib)
        made.open()
        yield made
    engine.dispose()


def open_writer(bench: SimpleNamespace, mib: float = 1) -> None:
    """Make the writer anew, as after kill -9: only what is on disk is left."""
    bench.queue = DiskQueue(bench.path / "queue.db", int(mib * 1024 * 1024))
    bench.done = []
    bench.writer = Writer(bench.series, bench.intake, bench.queue, 10, bench.done.append)


def take(bench: SimpleNamespace, count: int = 1, payload: bytes | None = None) -> list[Lot]:
    """Read messages, as the loop does."""
    lots = []
    for _ in range(count):
        bench.seq += 1
        group = Group("usage", {"memory_used_bytes": bench.seq})
        at = Instant(time.time(), 1000.0 + bench.seq)
        body = payload or encode_live(
            Envelope(Kind.ROUND, DEVICE, RUN, bench.seq, at, "t", (group,)), Transit("bb" * 8, at)
        )
        topic = f"phongmay/v1/{DEVICE}/round"
        message = Inbound("collector", 1, bench.seq, 1, topic, body, False, time.time(), time.monotonic(), 0.1)
        lots.append(bench.intake.lot([message]))
    return lots


def step(bench: SimpleNamespace, work: Sequence[Lot] | None = None) -> None:
    """Turn the writer once, as if its pause were over."""
    if work is not None:
        with bench.writer._counting:
            bench.writer._handed += 1
            bench.writer._in_hand += sum(len(lot.messages) for lot in work)
    bench.writer._retry_at = bench.writer._held_at = 0.0
    bench.writer.step(work)


def receipted(done: Sequence[Done]) -> set[int]:
    """Give the sequence numbers that were told to be stored."""
    ranges = [pair for one in done for text in one.receipts.values() for r in decode_receipt(text) for pair in r.stored]
    return {seq for first, last in ranges for seq in range(first, last + 1)}


def refused(done: Sequence[Done]) -> dict[int, str]:
    """Give the sequence numbers that were told to be refused."""
    return {
        seq: reason
        for one in done for text in one.receipts.values() for r in decode_receipt(text) for seq, reason in r.refused
    }  # fmt: skip


def away(_: object) -> StoreError:
    return StoreError("the store is away")


def test_what_is_stored_is_acknowledged_and_receipted(bench: SimpleNamespace) -> None:
    """The plain course."""
    step(bench, take(bench, 3))
    assert receipted(bench.done) == {1, 2, 3}
    assert [len(one.acknowledge) for one in bench.done] == [3]
    assert bench.series.envelope_count() == 3
    assert bench.writer.idle
    assert bench.writer.in_hand == 0


def test_a_store_that_is_away_costs_no_receipt_and_no_order(bench: SimpleNamespace) -> None:
    """On disk is kept too; what came first is stored first, and the store is told everything once."""
    bench.fails = away
    for _ in range(4):
        step(bench, take(bench, 3))
    assert receipted(bench.done) == set(range(1, 13))
    assert sum(len(one.acknowledge) for one in bench.done) == 12
    assert (bench.series.envelope_count(), bench.queue.count) == (0, 12)
    bench.fails = None
    for _ in range(3):
        step(bench)
    assert (bench.series.envelope_count(), bench.queue.count) == (12, 0)
    at = [row.values["memory_used_bytes"] for row in bench.series.range(DEVICE, "usage", 0, 2e10)]
    assert at == list(range(1, 13))


def test_the_queue_outlives_kill_9(bench: SimpleNamespace) -> None:
    """A receipt was given, so the messages must be there for the next process; storing them twice changes nothing."""
    bench.fails = away
    step(bench, take(bench, 5))
    bench.fails = None
    bench.open()  # nothing of the first writer's memory is used any more
    assert bench.queue.count == 5
    first = bench.queue.oldest(10)
    step(bench)
    assert bench.series.envelope_count() == 5
    bench.queue.append(first[0])  # as if killed between the store's commit and the queue's
    bench.open()
    step(bench)
    assert (bench.series.envelope_count(), bench.queue.count) == (5, 0)


def test_beyond_the_bound_nothing_is_acknowledged_and_nothing_lost(bench: SimpleNamespace) -> None:
    """Back-pressure instead of loss: the broker keeps what has no acknowledgement."""
    bench.open(mib=0.002)
    bench.fails = away
    step(bench, take(bench, 3))
    assert receipted(bench.done) == {1, 2, 3}
    held = take(bench, 8)
    step(bench, held)
    assert receipted(bench.done) == {1, 2, 3}
    assert bench.writer.figures.held == 8
    assert not bench.writer.idle
    step(bench)
    assert bench.writer.figures.held == 8, "tried in vain"
    bench.fails = None
    for _ in range(4):
        step(bench)
    assert receipted(bench.done) == set(range(1, 12))
    assert bench.series.envelope_count() == 11
    assert bench.writer.idle
    with pytest.raises(QueueFull):
        bench.queue.append([message for lot in take(bench, 8) for message in lot.messages])


def test_what_is_refused_is_told_only_when_its_dead_letter_stands(bench: SimpleNamespace) -> None:
    """A spool forgets what was refused; so the letter must be stored, not only waiting."""
    bench.fails = away
    good = take(bench, 1)
    broken = (
        good[0]
        .messages[0]
        .payload.replace(b'"memory_used_bytes":1', b'"memory_used_bytes":"x"')
        .replace(b'"seq":1', b'"seq":77')
    )
    step(bench, [*good, *take(bench, 1, broken)])
    assert (receipted(bench.done), refused(bench.done)) == ({1}, {})
    bench.fails = None
    step(bench)
    assert refused(bench.done) == {77: "wrong_type"}
    assert [letter.reason for letter in bench.series.dead_letters()] == ["wrong_type"]


def test_one_message_that_the_store_refuses_blocks_no_other(bench: SimpleNamespace) -> None:
    """It is found by halves, becomes a dead letter with its payload, and everything else is stored."""
    bench.fails = lambda arrivals: StoreRefused("never this") if 5 in {a.envelope.seq for a in arrivals} else None
    work = take(bench, 9)
    step(bench, work)
    assert receipted(bench.done) == set(range(1, 10)) - {5}
    assert refused(bench.done) == {5: "store_refused"}
    assert bench.series.envelope_count() == 8
    (letter,) = bench.series.dead_letters()
    assert (letter.reason, letter.payload) == ("store_refused", work[4].messages[0].payload)


def test_a_fault_of_the_reader_is_a_dead_letter(bench: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that trips our own fault would otherwise end the collector again and again."""

    def trips(*_: object) -> None:
        raise ZeroDivisionError("our fault")

    monkeypatch.setattr("phongmay_collector.intake.read", trips)
    step(bench, take(bench, 1, b'{"v":1}'))
    assert [letter.reason for letter in bench.series.dead_letters()] == ["reader_failed"]


def test_only_a_marker_that_came_back_shows_that_the_collector_hears(
    bench: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without broker, or while nothing is kept, no PC's silence may be held against its school."""
    minute = 1_764_000_000.0
    monkeypatch.setattr("phongmay_collector.writer.time.time", lambda: minute + 7)
    writer, series = bench.writer, bench.series

    def heard() -> dict[int, int]:
        return dict(series.listening(minute - 3600, minute + 3600))

    writer.note_listening(1000.0)
    assert heard() == {}, "no marker was ever heard"
    writer.heard_at = 990.0
    writer.note_listening(1000.0)
    assert heard() == {}, "the marker is old: the broker is away"
    writer.heard_at, writer._held = 999.0, take(bench, 1)
    writer.note_listening(1000.0)
    assert heard() == {}, "what comes is not kept"
    writer._held, writer._retry_at = None, 1001.0
    writer.note_listening(1000.0)
    assert heard() == {}, "the store is away: remembered, and written later"
    minute += 60
    writer._retry_at = writer.heard_at = 0.0
    writer.note_listening(1000.0)
    hour = int(minute // 3600) * 3600
    assert heard() == {hour: 1 << int((minute - 60 - hour) // 60)}
