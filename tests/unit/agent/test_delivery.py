"""The rules of sending: live once, the past only when a collector listens, one backfill at a time, no old run live."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from phongmay_agent.delivery import LONGEST_PATIENCE_S, Delivery
from phongmay_agent.spool import Spool
from phongmay_contract.envelope import (
    MAX_BACKFILL,
    MAX_MESSAGE_BYTES,
    Envelope,
    Group,
    Instant,
    Receipt,
    Transit,
    encode_backfill,
)
from phongmay_contract.topics import Kind

RUN, OLD = "a" * 16, "b" * 16
PATIENCE_S = 10.0


def envelope(seq: int, run: str = RUN, filling: int = 1) -> Envelope:
    """Make an envelope."""
    body = (Group("hardware", {"os_id": "x" * filling}),)
    return Envelope(Kind.ROUND, "pc-test", run, seq, Instant(0, 0), "0.1.0", body)


def receipt(*seqs: int, run: str = RUN) -> list[Receipt]:
    """Make a receipt of single numbers."""
    return [Receipt(run, tuple((seq, seq) for seq in seqs))]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """A spool with 130 envelopes of an older run."""
    spool = Spool(tmp_path / "spool.db", 1 << 24)
    for seq in range(1, 131):
        spool.append(envelope(seq, OLD))
    return spool


def open_and_heard(spool: Spool) -> Delivery:
    """Give a delivery whose session has had one receipt."""
    delivery = Delivery(spool, RUN, PATIENCE_S)
    delivery.opened()
    first = envelope(1)
    spool.append(first)
    delivery.sent_live(first, 0.0)
    delivery.received(receipt(1))
    return delivery


def test_nothing_of_the_past_goes_before_a_receipt(spool: Spool) -> None:
    """A broker without collector must not be filled with a day's backlog."""
    delivery = Delivery(spool, RUN, PATIENCE_S)
    assert delivery.next_backfill(0.0) == []
    delivery.opened()
    assert delivery.next_backfill(1.0) == []
    assert delivery.next_at() == math.inf


def test_the_past_goes_in_batches_paced_by_receipts(spool: Spool) -> None:
    """60, then nothing until all 60 are settled, then 60, then the last 10, then rest."""
    delivery = open_and_heard(spool)
    sizes = []
    now = 1.0
    while batch := delivery.next_backfill(now):
        sizes.append(len(batch))
        assert {e.run for e in batch} == {OLD}
        assert delivery.next_backfill(now) == []
        *most, last = [e.seq for e in batch]
        delivery.received(receipt(*most, run=OLD))
        if most:
            assert delivery.next_backfill(now) == []
        delivery.received([Receipt(OLD, (), ((last, "wrong_type"),))])
        now += 0.1
    assert sizes == [MAX_BACKFILL, MAX_BACKFILL, 10]
    assert spool.count == 0
    assert delivery.next_at() == math.inf


def test_without_receipts_patience_doubles_up_to_its_bound(spool: Spool) -> None:
    """The same oldest envelopes go again, after 10, 20, 40 ... seconds, at most every ten minutes."""
    delivery = open_and_heard(spool)
    now, gaps = 0.0, []
    for _ in range(9):
        batch = delivery.next_backfill(now)
        assert [e.seq for e in batch] == list(range(1, 61))
        gaps.append(delivery.next_at() - now)
        assert delivery.next_backfill(delivery.next_at() - 0.01) == []
        now = delivery.next_at()
    assert gaps == [10, 20, 40, 80, 160, 320, LONGEST_PATIENCE_S, LONGEST_PATIENCE_S, LONGEST_PATIENCE_S]
    delivery.next_backfill(now)
    delivery.received(receipt(*range(1, 61), run=OLD))
    assert [e.seq for e in delivery.next_backfill(now)] == list(range(61, 121))
    assert delivery.next_at() - now == 10  # receipts bring the patience back


def test_a_live_envelope_without_receipt_becomes_past(tmp_path: Path) -> None:
    """Not before its time, and only the one that is late; the other stays on its way."""
    spool = Spool(tmp_path / "spool.db", 1 << 24)
    delivery = open_and_heard(spool)
    for seq, at in ((2, 100.0), (3, 106.0)):
        spool.append(envelope(seq))
        delivery.sent_live(envelope(seq), at)
    assert delivery.next_backfill(109.9) == []
    assert delivery.next_at() == 110.0
    assert [e.seq for e in delivery.next_backfill(110.0)] == [2]


def test_a_new_session_makes_everything_past(tmp_path: Path) -> None:
    """Acknowledgements belong to one connection; what was on its way goes again, once the collector is heard."""
    spool = Spool(tmp_path / "spool.db", 1 << 24)
    delivery = open_and_heard(spool)
    for seq in (2, 3):
        spool.append(envelope(seq))
        delivery.sent_live(envelope(seq), 1.0)
    delivery.opened()
    assert delivery.next_backfill(2.0) == []
    spool.append(envelope(4))
    delivery.sent_live(envelope(4), 3.0)
    delivery.received(receipt(4))
    assert [e.seq for e in delivery.next_backfill(3.0)] == [2, 3]


def test_a_receipt_of_another_run_settles_nothing_here(spool: Spool) -> None:
    """Numbers repeat from run to run."""
    delivery = open_and_heard(spool)
    assert len(delivery.next_backfill(0.0)) == 60
    delivery.received(receipt(*range(1, 61), run=RUN))
    assert delivery.next_backfill(0.1) == []
    assert spool.count == 130


def test_a_batch_of_large_envelopes_stays_under_the_longest_message(tmp_path: Path) -> None:
    """The collector refuses longer messages, so the batch is cut by size too."""
    spool = Spool(tmp_path / "spool.db", 1 << 24)
    for seq in range(1, 61):
        spool.append(envelope(seq, OLD, filling=20_000))
    batch = open_and_heard(spool).next_backfill(0.0)
    message = encode_backfill("pc-test", batch, Transit("c" * 16, Instant(0, 0)))
    assert 1 < len(batch) < 60
    assert len(message) <= MAX_MESSAGE_BYTES
