"""The collector itself: two sessions at the broker, one store, one loop, no threads.

In: settings, an open store and register. Out: rows, acknowledgements and receipts, until `stop` is set. The order is
the promise: commit, then acknowledge to the broker, then the receipt. Live messages are always taken first; the past
fills what room a batch has left. A store that does not answer stops all acknowledging, and the same batch is tried
again; a broker that goes away is tried again, and what it then delivers again is known already.
"""

from __future__ import annotations

import secrets
import selectors
import threading
import time
from collections import Counter, deque

import paho.mqtt.client as mqtt
from sqlalchemy import Engine

from phongmay_collector import receipts
from phongmay_collector.batch import Batch, Batcher
from phongmay_collector.broker_files import LIVE_USER, MARKER, PAST_USER, BrokerFiles, PasswordRefresh
from phongmay_collector.directory import Directory
from phongmay_collector.identity import open_conflicts
from phongmay_collector.link import Inbound, Link
from phongmay_collector.log import Availability, event
from phongmay_collector.outbox import Outbox
from phongmay_collector.settings import BrokerSettings, CollectorSettings, check_batch
from phongmay_contract import topics
from phongmay_contract.envelope import MAX_BACKFILL
from phongmay_contract.errors import OperatorError
from phongmay_contract.topics import LIVE_KINDS, Kind
from phongmay_store.errors import StoreError
from phongmay_store.series.interface import SeriesWriter

TICK_S = 1.0
"""Between markers, looks at the register's credentials, and tries of a store that is away."""
_MARKER_BACK_S = 3 * TICK_S
"""A marker that is not older than this shows that the broker delivers to us now."""
_DIRECTORY_S = 30.0
_SUMMARY_S = 60.0
_PAST_IN_FLIGHT = 20
"""Backfill messages that wait in our memory at most; each holds up to 60 envelopes."""
_NAMES_SAID = 1000
"""Unknown names that are logged, each once; the store counts them all."""
_NEVER = float("-inf")


class Collector:
    """Takes messages from the broker until it is told to stop.

    Args:
        broker: where the broker is, and its generated files.
        settings: size and age of a batch.
        series: the store, opened for writing.
        engine: the register.
        outbox: sends the commands that stand in the register; None sends none.

    Raises:
        OperatorError: the batch exceeds the broker's limit, or the collector's passwords are missing.
        StoreError: the register does not answer at the start.
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
        self.counts: Counter[str] = Counter()
        self._settings = settings
        self._series = series
        self._engine = engine
        self._outbox = outbox
        self._directory = Directory(engine)
        self._directory.load()
        self._batcher = Batcher(series, self._directory)
        self._passwords = PasswordRefresh(broker, engine)
        files = BrokerFiles(broker.directory)
        live_filters = [*(topics.subscription(kind) for kind in LIVE_KINDS), MARKER]
        self._live = self._link(broker, files, LIVE_USER, live_filters, broker.max_inflight_messages)
        self._past = self._link(broker, files, PAST_USER, [topics.subscription(Kind.BACKFILL)], _PAST_IN_FLIGHT)
        self._queues: dict[str, deque[Inbound]] = {LIVE_USER: deque(), PAST_USER: deque()}
        self._stuck: Batch | None = None
        self._conflicts: dict[str, str] = {}
        self._named: set[str] = set()
        self._listened_minute = -1
        self._store = Availability("store")
        self._register = Availability("register")
        self._marker_token = secrets.token_hex(8)
        self._marked_client: mqtt.Client | None = None
        self._marker_client: mqtt.Client | None = None
        self._marker_at = _NEVER
        self._retry_at = self._tick_at = self._directory_at = 0.0
        self._summary_at = time.monotonic() + _SUMMARY_S

    def _link(self, broker: BrokerSettings, files: BrokerFiles, user: str, filters: list[str], maximum: int) -> Link:
        password = files.read_own_password(user)
        remedy = (
            f"it does not know the password in {files.own_password(user)}; run 'phongmay broker files' and restart it"
        )
        return Link(user, password, (broker.host, broker.port), filters, maximum, self._take, remedy)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, then commit what is in hand and end the sessions.

        Raises:
            OperatorError: the broker refuses the collector's password.
        """
        event("collector_started", batch_size=self._settings.batch_size, batch_age_s=self._settings.batch_age_s)
        try:
            while not stop.is_set():
                self._exchange(self._wait_s(time.monotonic()))
                self._maintain(time.monotonic())
                self._commit_if_due(time.monotonic())
            if self._stuck is None and any(self._queues.values()):
                self._commit(self._next_messages(), time.monotonic())
        finally:
            self._live.close()
            self._past.close()
            event("collector_stopped", **self.counts)

    # ---- network -----------------------------------------------------------------------------------------------------

    def _exchange(self, wait_s: float) -> None:
        """Wait for the sockets, and read and write what they are ready for."""
        with selectors.DefaultSelector() as selector:
            for link in (self._live, self._past):
                sock = link.socket()
                if sock is not None and sock.fileno() >= 0:
                    events = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.wants_write() else 0)
                    selector.register(sock, events, link)
            if not selector.get_map():
                time.sleep(min(wait_s, 0.1))
                return
            for key, events in selector.select(wait_s):
                link = key.data
                if events & selectors.EVENT_WRITE:
                    link.writable()
                if events & selectors.EVENT_READ:
                    link.readable()

    def _take(self, link: Link, message: mqtt.MQTTMessage) -> None:
        """Take a message in; it is acknowledged only after its batch is committed."""
        client, now = link.client, time.monotonic()
        if client is None:
            return
        waited = now - self._marker_at if client is self._marker_client else float("inf")
        inbound = Inbound(
            client,
            message.mid,
            message.qos,
            message.topic,
            bytes(message.payload),
            message.retain,
            time.time(),
            now,
            waited,
        )
        if inbound.topic == MARKER:
            token, _, sent_at = inbound.payload.decode("ascii", "replace").partition(" ")
            if token == self._marker_token:
                self._marker_client, self._marker_at = client, float(sent_at)
            link.acknowledge(inbound)
            return
        self._queues[link.user].append(inbound)

    def _maintain(self, now: float) -> None:
        for link in (self._live, self._past):
            link.tick(now)
        if self._live.connected and (now >= self._tick_at or self._live.client is not self._marked_client):
            self._marked_client = self._live.client
            self._live.publish(MARKER, f"{self._marker_token} {now!r}".encode())
        if now < self._tick_at:
            return
        self._tick_at = now + TICK_S
        try:
            if now >= self._directory_at:
                self._directory.load()
                self._directory_at = now + _DIRECTORY_S
            self._passwords.refresh(now)
            if self._outbox is not None:
                self._outbox.send(self._live.publish)
            if self._conflicts:
                open_conflicts(self._engine, self._conflicts)
                self._conflicts = {}
            self._register.back(now)
        except OperatorError as error:
            self._register.away(now, str(error))
        self._note_listening(now)
        if now >= self._summary_at:
            self._summary_at = now + _SUMMARY_S
            event("collector", **self.counts)

    def _note_listening(self, now: float) -> None:
        """Keep once a minute that the whole way worked: our own marker came back and the store takes what comes.

        Without it nobody could tell a PC that was off from a broker that was.
        """
        minute = int(time.time() // 60)
        heard_itself = now - self._marker_at <= _MARKER_BACK_S
        if minute == self._listened_minute or self._stuck is not None or now < self._retry_at or not heard_itself:
            return
        try:
            self._series.listened([60.0 * minute])
        except StoreError as error:
            self._store.away(now, str(error))
            return
        self._listened_minute = minute

    # ---- batches -----------------------------------------------------------------------------------------------------

    def _wait_s(self, now: float) -> float:
        due = [self._tick_at - now]
        if now < self._retry_at:
            due.append(self._retry_at - now)
        else:
            age = self._settings.batch_age_s
            due += [queue[0].arrived + age - now for queue in self._queues.values() if queue]
        return min(max(min(due), 0.0), TICK_S)

    def _commit_if_due(self, now: float) -> None:
        if now < self._retry_at:
            return
        if self._stuck is not None:
            self._write(self._stuck, now)
            return
        waiting = [queue for queue in self._queues.values() if queue]
        full = sum(map(len, waiting)) >= self._settings.batch_size
        if full or any(now - queue[0].arrived >= self._settings.batch_age_s for queue in waiting):
            self._commit(self._next_messages(), now)

    def _next_messages(self) -> list[Inbound]:
        """Take the living first; a backfill counts as many envelopes as it can hold.

        What an earlier connection brought is left out: it cannot be acknowledged, and the broker delivers it again.
        """
        room = self._settings.batch_size
        live, past = self._queues[LIVE_USER], self._queues[PAST_USER]
        for link, queue in ((self._live, live), (self._past, past)):
            while queue and queue[0].client is not link.client:
                queue.popleft()
        messages = [live.popleft() for _ in range(min(room, len(live)))]
        room -= len(messages)
        while past and (room >= MAX_BACKFILL or not messages):
            messages.append(past.popleft())
            room -= MAX_BACKFILL
        return messages

    def _commit(self, messages: list[Inbound], now: float) -> None:
        if not messages:
            return
        try:
            batch = self._batcher.make(messages)
        except StoreError as error:
            self._store.away(now, str(error))
            self._retry_at = now + TICK_S
            for message in reversed(messages):
                self._queues[self._user_of(message)].appendleft(message)
            return
        self._write(batch, now)

    def _write(self, batch: Batch, now: float) -> None:
        try:
            self._series.write(batch.arrivals, batch.offsets, batch.presence, batch.dead)
        except StoreError as error:
            self._store.away(now, str(error))
            self._stuck, self._retry_at = batch, now + TICK_S
            return
        self._store.back(now)
        self._stuck = None
        for message in batch.messages:
            (self._live if self._user_of(message) == LIVE_USER else self._past).acknowledge(message)
        stored = [arrival.id for arrival in batch.arrivals]
        for device, payload in receipts.coalesce(stored, batch.refused).items():
            self._live.publish(topics.build(device, Kind.RECEIPT), payload)
        self._conflicts |= batch.conflicts
        self._count(batch)

    @staticmethod
    def _user_of(message: Inbound) -> str:
        return PAST_USER if message.topic.endswith(f"/{Kind.BACKFILL}") else LIVE_USER

    def _count(self, batch: Batch) -> None:
        self.counts.update(
            batches=1, messages=len(batch.messages), envelopes=len(batch.arrivals), dead_letters=len(batch.dead)
        )
        for letter in batch.dead:
            event("dead_letter", reason=letter.reason, topic=letter.topic, detail=letter.detail)
        for arrival in batch.arrivals:
            for name in set(arrival.unknown) - self._named:
                if len(self._named) < _NAMES_SAID:
                    self._named.add(name)
                    event("unknown_name", name=name, device=arrival.envelope.sender)
