"""The thread that talks to the series store: messages that were read go in, rows stand, and the loop hears of it.

In: lists of lots, one list at a time. Out: Done - what may be acknowledged and receipted. While it waits for the store
the other thread reads on, so decoding and writing overlap; nobody else touches the store. When the store is away,
messages go to the queue on disk, are synced, and get their receipts (ADR 10); when it is back they are stored in order
before anything newer. When the disk takes nothing either, nothing is acknowledged, and the broker holds back. What the
store refuses by itself is parted from the rest and becomes a dead letter: one message cannot block the others.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from phongmay_collector import receipts
from phongmay_collector.batch import Batch, Batcher
from phongmay_collector.disk_queue import DiskQueue
from phongmay_collector.intake import Accepted, Intake, Lot
from phongmay_collector.link import Inbound
from phongmay_collector.log import Availability
from phongmay_contract import topics
from phongmay_contract.envelope import encode_stored
from phongmay_contract.errors import Reason
from phongmay_contract.topics import Kind
from phongmay_store.errors import StoreError, StoreRefused
from phongmay_store.series.arrivals import Arrivals
from phongmay_store.series.interface import Arrival, DeadLetter, SeriesWriter

RETRY_S = 1.0
"""Between tries of a store that is away."""
HEARD_S = 3.0
"""A marker that came back not longer ago than this shows that the broker delivers to us now."""
_IDLE_S = 0.5
_MAINTAIN_S = 1.0
_KEPT_MINUTES = 7 * 24 * 60


class Done(Struct):
    """What has been settled.

    Attributes:
        acknowledge: messages that the broker may forget.
        receipts: payload by device.
        batch: what was written; None when messages were only put into the queue on disk.
    """

    acknowledge: list[Inbound]
    receipts: dict[str, bytes]
    batch: Batch | None = None


class WriterFigures(Struct):
    """What the writer says of itself; read by another thread, so each is set as a whole.

    Attributes:
        lag_s: from arrival to commit, of the oldest message of the last batch.
        lag_max_s: the greatest since it was last asked for.
        written_at: when the store last took something (server's clock), 0 = never.
        write_s: how long the last write took.
        away: why the store or the queue takes nothing, "" when all is well.
        held: messages that neither store nor disk take; nothing is acknowledged meanwhile.
    """

    lag_s: float = 0.0
    lag_max_s: float = 0.0
    written_at: float = 0.0
    write_s: float = 0.0
    away: str = ""
    held: int = 0


class Writer:
    """Stores what it is given, or keeps it on disk.

    Args:
        series: the store, opened for writing.
        intake: reads again what comes out of the queue.
        waiting: the queue on disk.
        batch_size: messages that are taken out of it at once.
        done: is called from the writer's thread whenever something is settled.
    """

    def __init__(
        self, series: SeriesWriter, intake: Intake, waiting: DiskQueue, batch_size: int, done: Callable[[Done], None]
    ) -> None:
        self.figures = WriterFigures()
        self.heard_at = float("-inf")
        self._series = series
        self._batcher = Batcher(series)
        self._intake = intake
        self._waiting = waiting
        self._batch_size = batch_size
        self._done = done
        self._work: queue.SimpleQueue[Sequence[Lot]] = queue.SimpleQueue()
        self._handed = self._in_hand = 0
        self._counting = threading.Lock()
        self._held: Sequence[Lot] | None = None
        self._stuck: Batch | None = None
        self._stuck_last = 0
        self._store = Availability("store")
        self._disk = Availability("queue")
        self._retry_at = self._held_at = self._maintain_at = 0.0
        self._minute = -1
        self._minutes: list[float] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.failure: BaseException | None = None

    # ---- asked by the loop's thread --------------------------------------------------------------------------------

    @property
    def free(self) -> bool:
        """Whether it takes more: one list is being written, one waits."""
        return self._handed < 2

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do."""
        return self._handed == 0

    @property
    def in_hand(self) -> int:
        """Count the messages that it was given and has not settled."""
        return self._in_hand

    def prepare(self, lot: Lot) -> None:
        """Do what can be done for a lot before its turn, in the caller's thread."""
        self._batcher.date(lot)

    def put(self, lots: Sequence[Lot]) -> None:
        """Give it messages; only when it is `free`."""
        with self._counting:
            self._handed += 1
            self._in_hand += _count(lots)
        self._work.put(lots)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, patience_s: float) -> None:
        """Write what is in hand and end."""
        self._stopping.set()
        self._thread.join(patience_s)

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopping.is_set() or (not self._work.empty() and self._held is None):
                self.step(self._next())
        except BaseException as error:  # noqa: BLE001 - told to the loop, which ends the process with it
            self.failure = error

    def _next(self) -> Sequence[Lot] | None:
        if self._held is not None:
            due = self._held_at if not self._waiting.count else min(self._held_at, self._retry_at)
            self._stopping.wait(max(0.0, due - time.monotonic()))
            return None
        draining = self._waiting.count > 0 and time.monotonic() >= self._retry_at
        try:
            return self._work.get(timeout=0.001 if draining or self._stopping.is_set() else _IDLE_S)
        except queue.Empty:
            return None

    def step(self, work: Sequence[Lot] | None) -> None:
        """Do what is due: new work, what was held back, one piece of the queue, housekeeping."""
        if work is not None:
            self._take(work)
        elif self._held is not None and time.monotonic() >= self._held_at:
            held, self._held = self._held, None
            self.figures.held = 0
            self._take(held)
        if (self._waiting.count or self._stuck is not None) and time.monotonic() >= self._retry_at:
            self._drain()
        self._house()

    def _take(self, work: Sequence[Lot]) -> None:
        if not self._waiting.count and self._stuck is None and time.monotonic() >= self._retry_at:
            try:
                batch = self._batcher.make(work)
                self._stuck = batch
                self._write(batch)
            except StoreError as error:
                self._is_away(error)
            else:
                self._stuck = None
                self._finish(work)  # first, so that whoever is told finds us idle
                self._settled(batch, _messages(work), told=False)
                return
        elif self._stuck is not None and self._stuck.lots is work:
            self._drain()
            if self._stuck is None:
                return
        self._spill(work)

    def _spill(self, work: Sequence[Lot]) -> None:
        """Put messages into the queue on disk; they get their receipts, those that are refused later."""
        try:
            last = self._waiting.append(_messages(work))
        except StoreError as error:
            self._disk.away(time.monotonic(), str(error))
            self.figures.away = str(error)
            self._held, self.figures.held = work, _count(work)
            self._held_at = time.monotonic() + RETRY_S
            return
        self._disk.back(time.monotonic())
        if self._stuck is not None and self._stuck.lots is work:
            self._stuck_last = last
        stored: dict[tuple[str, str], list[int]] = {}
        for one in _accepted(work):
            _, sender, run, seq, *_ = one.envelope
            stored.setdefault((sender, run), []).append(seq)
        self._finish(work)
        self._done(Done(_messages(work), receipts.coalesce(stored, ())))

    def _drain(self) -> None:
        """Store the oldest piece of the queue; a batch that could not be written comes first."""
        try:
            if self._stuck is None:
                messages, last = self._waiting.oldest(self._batch_size)
                self._stuck, self._stuck_last = self._batcher.make([self._intake.lot(messages)]), last
            batch, last = self._stuck, self._stuck_last
            self._write(batch)
            if last:
                self._waiting.drop(last)
                self._held_at = 0.0  # there is room again
        except StoreError as error:
            self._is_away(error)
            return
        self._stuck, self._stuck_last = None, 0
        if last:
            self._settled(batch, [], told=True)
        else:
            self._finish(batch.lots)
            self._settled(batch, _messages(batch.lots), told=False)

    def _finish(self, work: Sequence[Lot]) -> None:
        with self._counting:
            self._handed -= 1
            self._in_hand -= _count(work)

    def _settled(self, batch: Batch, acknowledge: list[Inbound], *, told: bool) -> None:
        """Tell that a batch stands; `told` when those that it stores had their receipts before."""
        stored = {} if told else batch.arrivals.numbers()
        self._done(Done(acknowledge, receipts.coalesce(stored, batch.refused), batch))

    # ---- the store ---------------------------------------------------------------------------------------------------

    def _write(self, batch: Batch) -> None:
        start = time.monotonic()
        try:
            self._series.write(batch.arrivals, batch.presence, batch.dead)
        except StoreRefused:
            self._write_apart(batch)
        now, figures = time.monotonic(), self.figures
        self._store.back(now)
        figures.away = ""
        figures.written_at = time.time()
        figures.write_s = now - start
        figures.lag_s = figures.written_at - min(_oldest(lot) for lot in batch.lots)
        figures.lag_max_s = max(figures.lag_max_s, figures.lag_s)

    def _write_apart(self, batch: Batch) -> None:
        """Find what the store refuses by halves; the rest is stored, and it becomes dead letters."""
        refused: list[tuple[Arrival, str]] = []
        parts = [list(batch.arrivals)]
        good: list[Arrival] = []
        while parts:
            part = parts.pop()
            try:
                self._series.write(part)
                good += part
            except StoreRefused as error:
                if len(part) == 1:
                    refused.append((part[0], str(error)))
                elif part:
                    parts += [part[: len(part) // 2], part[len(part) // 2 :]]
        whole = {one.id: taken.message for lot in batch.lots for taken in lot.taken() for one in taken.outcomes
                 if isinstance(one, Accepted) and one.live}  # fmt: skip
        reason = Reason.STORE_REFUSED.value
        for arrival, detail in refused:
            message = whole.get(arrival.id)
            topic = message.topic if message else topics.build(arrival.envelope.sender, Kind.BACKFILL)
            payload = message.payload if message else encode_stored(arrival.envelope)
            batch.dead.append(DeadLetter(0, topic, reason, detail, payload, arrival.received))
            batch.refused.append((arrival.id, reason))
        batch.arrivals = Arrivals.of(good)
        self._series.write((), batch.presence, batch.dead)

    def _is_away(self, error: StoreError) -> None:
        now = time.monotonic()
        self._store.away(now, str(error))
        self.figures.away = str(error)
        self._retry_at = now + RETRY_S

    # ---- housekeeping ------------------------------------------------------------------------------------------------

    def _house(self) -> None:
        """Keep once a minute that we could hear; let the store do a piece of its own work when there is time."""
        now = time.monotonic()
        self.note_listening(now)
        if now < max(self._maintain_at, self._retry_at) or self._waiting.count or not self._work.empty():
            return
        try:
            more = self._series.maintain(time.time())
        except StoreError as error:
            self._is_away(error)
        else:
            self._maintain_at = now if more else now + _MAINTAIN_S

    def note_listening(self, now: float) -> None:
        """Keep once a minute that the whole way worked: our own marker came back and what comes is kept.

        Without it nobody could tell a PC that was off from a broker that was. Minutes in which the store was away but
        the queue on disk took what came are written when the store is back.
        """
        minute = int(time.time() // 60)
        if minute != self._minute and self._held is None and now - self.heard_at <= HEARD_S:
            self._minute = minute
            self._minutes = [*self._minutes, 60.0 * minute][-_KEPT_MINUTES:]
        if not self._minutes or now < self._retry_at:
            return
        try:
            self._series.listened(self._minutes)
        except StoreError as error:
            self._is_away(error)
        else:
            self._minutes = []


def _messages(lots: Sequence[Lot]) -> list[Inbound]:
    return [message for lot in lots for message in lot.messages]


def _count(lots: Sequence[Lot]) -> int:
    return sum(len(lot.messages) for lot in lots)


def _oldest(lot: Lot) -> float:
    return min([message.received for message in lot.messages])


def _accepted(lots: Sequence[Lot]) -> Iterator[Accepted]:
    for lot in lots:
        for taken in lot.taken():
            yield from (one for one in taken.outcomes if isinstance(one, Accepted))
