"""The collector itself: two sessions at the broker, one loop that reads, one thread that writes.

In: settings, an open store and register. Out: rows, acknowledgements and receipts, until `stop` is set. The order is
the promise: kept (in the store, or synced in the queue on disk), then acknowledged to the broker, then receipted. Live
messages are always taken first; the past fills what room a batch has left. The register is asked in other threads
(`register_watch`): the loop never waits for it. A disk that does not answer, or a device that cannot be looked up,
stops all acknowledging, and the same messages are tried again; a broker that goes away is tried again, and what it then
delivers again is known already.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import secrets
import select
import threading
import time
from collections import deque
from pathlib import Path

from sqlalchemy import Engine

from phongmay_collector.ahead import Ahead
from phongmay_collector.broker_files import BrokerFiles, PasswordRefresh
from phongmay_collector.disk_queue import DiskQueue
from phongmay_collector.intake import Intake, Lot
from phongmay_collector.link import Inbound, Link
from phongmay_collector.log import event
from phongmay_collector.members import Member, live_filters, past_filters
from phongmay_collector.outbox import Outbox
from phongmay_collector.receipts import receipt_topic
from phongmay_collector.register_watch import RegisterWatch
from phongmay_collector.settings import BrokerSettings, CollectorSettings, check_batch
from phongmay_collector.standing import Standing
from phongmay_collector.tally import Tally
from phongmay_collector.throttle import Throttle
from phongmay_collector.waiting import Waiting
from phongmay_collector.writer import Done, Writer
from phongmay_contract.tls import client_context, read_ca
from phongmay_store.errors import StoreError
from phongmay_store.series.interface import SeriesWriter

TICK_S = 1.0
"""Between markers, questions to the register, and tries of a register that is away."""
_SUMMARY_S = 60.0
_BREATH_S, _FEW = 0.01, 100
"""Pause before the next look at the broker after a look that brought so few messages: a look and all that follows costs
as much as many messages, and what comes meanwhile is read in one go."""
_AT_ONCE = 500
"""Messages that are worth reading while the batch is not due."""
_PIECE, _GIVE_WAY_S = 150, 0.0003
"""Messages after which the reading thread lets the writer have the interpreter, and for how long it stands back: two
busy threads would halve each other, but only the writer's work can be done while nothing waits for the store."""
_DEAF_S = 1.0
"""So long the socket is left alone at most."""
_PAST_IN_FLIGHT = 100
"""Backfill messages that wait in our memory at most; each holds up to 60 envelopes."""
_STOP_S = 20.0
_BROKER_FIGURES = "$SYS/broker/"
_DROPPED = "publish/messages/dropped"
_NEVER = float("-inf")


class Collector:
    """Takes messages from the broker until it is told to stop.

    Args:
        broker: where the broker is, and its generated files.
        settings: size and age of a batch, the queue, which of several collectors this is.
        series: the store, opened for writing; from now on only the collector's own thread uses it.
        engine: the register.
        outbox: sends the commands that stand in the register; None sends none.

    Attributes:
        counts: what was done since the start.
        broker_figures: what the broker says of itself ($SYS), by the rest of the topic.

    Raises:
        OperatorError: the batch exceeds the broker's limit, or the collector's passwords are missing.
        StoreError: register, store or queue do not answer at the start.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        settings: CollectorSettings,
        series: SeriesWriter,
        engine: Engine,
        outbox: Outbox | None = None,
    ) -> None:
        check_batch(broker, settings)
        self.member = Member(settings.number)
        self._tally = Tally()
        self.counts = self._tally.counts
        self.broker_figures: dict[str, str] = {}
        self._dropped_at: float | None = None
        self._settings = settings
        self._register = RegisterWatch(engine, PasswordRefresh(broker, engine), outbox, self._wake)
        files = BrokerFiles(broker.directory)
        member = self.member
        in_flight = broker.max_inflight_messages
        filters = live_filters(member, settings.share)
        self._tls = client_context(read_ca("broker.ca_file", broker.ca_file)) if broker.ca_file else None
        self._live = self._link(broker, files, member.live_user, filters, in_flight)
        self._past = self._link(broker, files, member.past_user, past_filters(settings.share), _PAST_IN_FLIGHT)
        self._waiting = Waiting(self._live, self._past, (in_flight, _PAST_IN_FLIGHT))
        self._throttle = Throttle(settings.device_messages_per_minute)
        self._intake = Intake(self._register.directory)
        queue_path = Path(settings.queue_path or broker.directory / "queue.db")
        queue_path = queue_path.with_stem(queue_path.stem + member.suffix)
        self._disk_queue = DiskQueue(queue_path, settings.queue_mib * 1024 * 1024)
        self._done: deque[Done] = deque()
        self._woken, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._writer = Writer(series, self._intake, self._disk_queue, settings.batch_size, self._hear_writer)
        self._ahead = Ahead(settings.batch_size)
        self._marker_token = secrets.token_hex(8)
        self._marked = self._marker_connection = 0
        self._marker_at = _NEVER
        self._retry_at = self._tick_at = self._look_at = self._full_at = 0.0
        self._summary_at = time.monotonic() + _SUMMARY_S
        self._turned_at = time.monotonic()

    def _link(self, broker: BrokerSettings, files: BrokerFiles, user: str, filters: list[str], maximum: int) -> Link:
        password = files.read_own_password(user)
        remedy = (
            f"it does not know the password in {files.own_password(user)}; run 'phongmay broker files' and restart it"
        )
        expiry = self._settings.share_expiry_s if self._settings.share else self._settings.session_expiry_s
        return Link(user, password, (broker.host, broker.port), filters, maximum, expiry, remedy, self._tls)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, then keep what is in hand and end the sessions.

        Raises:
            OperatorError: the broker refuses the collector's password.
        """
        settings = self._settings
        event("collector_started", batch_size=settings.batch_size, batch_age_s=settings.batch_age_s,
              waiting=self._disk_queue.count)  # fmt: skip
        gc.freeze()
        gc.disable()  # thousands of objects a batch, no rings among them: the search for rings was a third of the time
        self._writer.start()
        self._register.start()
        try:
            while not stop.is_set():
                now = self._turned_at = time.monotonic()
                self._exchange(self._wait_s(now))
                self._maintain(time.monotonic())
                self._settle()
                now = time.monotonic()
                if self._is_worth_reading(now):
                    self._read_on(now)
                self._hand_over(now)
                if self._writer.failure is not None:
                    raise self._writer.failure
            self._finish()
        finally:
            self._live.close()
            self._past.close()
            gc.enable()
            event("collector_stopped", **self.counts)

    def _finish(self) -> None:
        """Keep what has been read, and tell of it as long as the sessions stand."""
        end = time.monotonic() + _STOP_S / 2
        self._read_on(time.monotonic())
        while self._ahead and not self._writer.free and time.monotonic() < end:
            time.sleep(0.01)
        if self._ahead and self._writer.free:
            self._writer.put(self._ahead.take())
        self._writer.stop(_STOP_S)
        self._settle()

    def standing(self) -> Standing:
        """Tell how it stands; any thread may ask."""
        now, figures = time.monotonic(), self._writer.figures
        dropped = self._dropped_at
        return Standing(
            turned_ago_s=now - self._turned_at,
            connected={link.user: link.connected for link in (self._live, self._past)},
            in_memory=len(self._waiting) + self._ahead.messages + self._writer.in_hand,
            on_disk=self._disk_queue.count,
            on_disk_bytes=self._disk_queue.bytes,
            held=figures.held,
            lag_s=figures.lag_s,
            lag_max_s=figures.lag_max_s,
            write_s=figures.write_s,
            written_at=figures.written_at,
            store_away=figures.away,
            register_away=self._register.availability.is_away,
            loud=self._throttle.loud(now),
            unread=self._throttle.unread,
            counts=dict(self.counts),
            broker=dict(self.broker_figures),
            broker_dropped_ago_s=None if dropped is None else now - dropped,
        )

    # ---- network -----------------------------------------------------------------------------------------------------

    def _exchange(self, wait_s: float) -> None:
        """Wait for the sockets and the writer, and read and write what they are ready for."""
        poll, links = select.poll(), {}  # made anew each time: it costs less than to keep track of sockets
        poll.register(self._woken, select.POLLIN)
        now = time.monotonic()
        pause_s = self._look_at - now
        if pause_s > 0:
            wait_s = min(wait_s, pause_s)
        receives = pause_s <= 0 and self._is_worth_receiving(now)
        for link in (self._live, self._past):
            sock = link.socket()
            if sock is not None and sock.fileno() >= 0:
                events = select.POLLIN if receives and not self._waiting.is_full(link) else 0
                poll.register(sock, events | (select.POLLOUT if link.wants_write() else 0))
                links[sock.fileno()] = link
        brought = 0
        for number, events in poll.poll(wait_s * 1000):
            if number == self._woken:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._woken, 4096)
                continue
            link = links[number]
            if events & select.POLLOUT:
                link.writable()
            if events & ~select.POLLOUT:
                messages = link.readable(self._waited)
                self._receive(link, messages)
                brought += len(messages)
        if 0 < brought < _FEW:
            self._look_at = time.monotonic() + _BREATH_S

    def _waited(self, connection: int, now: float) -> float:
        """Give the bound on how long a message that is read now can have waited in the broker."""
        return now - self._marker_at if connection == self._marker_connection else float("inf")

    def _receive(self, link: Link, messages: list[Inbound]) -> None:
        """Queue messages; those of whoever is too loud are acknowledged unread, and our own marker is noted."""
        if not messages:
            return
        waiting, allows, now = self._waiting.of(link), self._throttle.allows, messages[0].arrived
        if link is self._past:
            for message in messages:  # the living only bring markers; the past has waited anyhow
                message.waited = float("inf")
        unread: list[Inbound] = []

        def look_at(message: Inbound) -> None:
            topic = message.topic
            if topic == self.member.marker:
                self._hear_marker(message)
                unread.append(message)
            elif topic[0] == "$":
                self._hear_broker(topic.removeprefix(_BROKER_FIGURES), message.payload.decode("ascii", "replace"))
                unread.append(message)
            elif allows(topic, now):
                waiting.append(message)
            else:
                unread.append(message)

        self._throttle.sift(messages, now, waiting.append, look_at)
        if unread:
            link.acknowledge(unread)

    def _hear_broker(self, name: str, value: str) -> None:
        """Note what the broker says of itself; that it drops messages is told at once."""
        before = self.broker_figures.get(name)
        self.broker_figures[name] = value
        if name == _DROPPED and before is not None and value.isdecimal() and before.isdecimal():
            more = int(value) - int(before)
            if more > 0:
                self._dropped_at = time.monotonic()
                event("broker_dropped", level=logging.WARNING, messages=more, since_its_start=value)

    def _hear_marker(self, message: Inbound) -> None:
        token, _, sent_at = message.payload.decode("ascii", "replace").partition(" ")
        if token == self._marker_token:
            self._marker_connection, self._marker_at = message.connection, float(sent_at)
            self._writer.heard_at = self._marker_at

    def _maintain(self, now: float) -> None:
        for link in (self._live, self._past):
            link.tick(now)
        self._register.settle(self._live.publish)
        if self._live.connected and (now >= self._tick_at or self._live.connection != self._marked):
            self._marked = self._live.connection
            self._live.publish(self.member.marker, f"{self._marker_token} {now!r}".encode())
        if now < self._tick_at:
            return
        self._tick_at = now + TICK_S
        self._register.ask(now)
        if now >= self._summary_at:
            self._summary_at = now + _SUMMARY_S
            gc.collect()
            event("collector", **self.counts, waiting=self._disk_queue.count, unread=self._throttle.unread)

    # ---- batches -----------------------------------------------------------------------------------------------------

    def _wait_s(self, now: float) -> float:
        if self._waiting.envelopes >= _AT_ONCE and self._ahead.room > 0 and now >= self._retry_at:
            return 0.0
        due = self._tick_at
        if self._writer.idle:
            due = min(due, max(self._due_at(), self._retry_at))
        return min(max(due - now, 0.0), TICK_S)

    def _due_at(self) -> float:
        """Give when the oldest message that the writer does not have shall be written at the latest."""
        came = [oldest for oldest in (self._ahead.oldest, self._waiting.oldest) if oldest is not None]
        return min(came) + self._settings.batch_age_s if came else float("inf")

    def _is_worth_reading(self, now: float) -> bool:
        """Tell whether many messages wait, or old ones: a few at a time cost several times as much."""
        waiting = self._waiting.envelopes
        if not waiting or self._ahead.room <= 0:
            return False
        return waiting >= _AT_ONCE or (self._writer.free and now >= self._due_at())

    def _is_worth_receiving(self, now: float) -> bool:
        """Tell whether to take bytes from the broker: those that are read at once cost half of those that have waited.

        What cannot be read soon stays in the socket, but never for long: our marker and the broker's answers come the
        same way.
        """
        if self._ahead.room > 0 or self._waiting.envelopes < _AT_ONCE:
            self._full_at = now
        return self._full_at == now or now - self._full_at > _DEAF_S

    def _read_on(self, now: float) -> None:
        """Read what has come, as far as there is room: also while the writer waits for the store."""
        if self._ahead.room <= 0 or now < self._retry_at or not self._waiting:
            return
        messages = self._waiting.take(self._ahead.room)
        lots: list[Lot] = []
        try:
            for some in self._waiting.pieces(messages, _PIECE):
                lot = self._intake.lot(some)
                self._writer.prepare(lot)
                lots.append(lot)
                if not self._writer.idle:
                    time.sleep(_GIVE_WAY_S)
        except StoreError as error:
            self._register.availability.away(now, str(error))
            self._retry_at = now + TICK_S
            self._waiting.put_back(messages)
            return
        self._ahead.add(lots)

    def _hand_over(self, now: float) -> None:
        """Give the writer what has been read: a full batch ahead of time, a smaller one when it has nothing to do."""
        oldest, full = self._ahead.oldest, self._ahead.room <= 0
        if oldest is None:
            return
        old = now - oldest >= self._settings.batch_age_s
        if self._writer.free if full else old and self._writer.idle:
            self._writer.put(self._ahead.take())

    def _hear_writer(self, done: Done) -> None:
        """Take what is settled; called by the writer's thread."""
        self._done.append(done)
        self._wake()

    def _wake(self) -> None:
        """Let the loop look whether something is finished; called by other threads."""
        with contextlib.suppress(BlockingIOError):  # the pipe is full of wake-ups
            os.write(self._waker, b"x")

    def _settle(self) -> None:
        """Acknowledge, give receipts and count what the writer has settled."""
        while self._done:
            done = self._done.popleft()
            for link in (self._live, self._past):
                user = link.user
                mine = [message for message in done.acknowledge if message.user == user]
                if mine:
                    link.acknowledge(mine)
            self._live.tell((receipt_topic(device), text) for device, text in done.receipts.items())
            self.counts["messages"] += len(done.acknowledge)
            if done.batch is not None:
                self._register.conflicts |= done.batch.conflicts
                self._tally.add(done.batch)
        for link in (self._live, self._past):
            if link.wants_write():
                link.writable()
