"""One simulated PC on the wire: a real MQTT session with its own credentials, its own sequence numbers and receipts.

It keeps what it sent until the receipt comes, sends the past as backfill, and counts both for the ledger. paho is
driven by the fleet's one select loop (no threads).
"""

from __future__ import annotations

import contextlib
import math
import secrets
import socket
import time
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from phongmay_contract import keys, topics
from phongmay_contract.envelope import (
    GOODBYE,
    LOST,
    MAX_BACKFILL,
    ONLINE,
    Envelope,
    Group,
    Status,
    Transit,
    decode_receipt,
    encode_backfill,
    encode_live,
    encode_status,
)
from phongmay_contract.topics import Kind
from phongmay_simulate.enrolling import Identity
from phongmay_simulate.machine import Machine

VERSION = "sim-0.1"
RECONNECT_S = 1.0
RESEND_S = 10.0


class Connection:
    """The MQTT side of one machine.

    Attributes:
        sent: sequence numbers ever sent.
        receipted: those whose receipt came.
        refused: those that the collector refused, with the reason.
    """

    def __init__(self, machine: Machine, identity: Identity) -> None:
        self.machine = machine
        self.identity = identity
        self.run = secrets.token_hex(8)
        self.session = secrets.token_hex(8)
        self.sent: set[int] = set()
        self.receipted: set[int] = set()
        self.refused: dict[int, str] = {}
        self.stopped = False
        self.connected = False
        self.refusals = 0
        self._seq = 0
        self._unacknowledged = 0
        self._waiting: dict[int, tuple[Envelope, float]] = {}
        self._past: list[Envelope] = []
        self._retry_at = math.inf  # until the fleet lets it connect for the first time
        self._client: mqtt.Client | None = None

    # ---- life of the session ------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Open a session; a broker that refuses is tried again later by `tick`."""
        self.session = secrets.token_hex(8)
        self._unacknowledged = 0
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=self.identity.device_id, clean_session=True)
        client.username_pw_set(self.identity.device_id, keys.mqtt_password(self.identity.secret))
        client.will_set(self._topic(Kind.STATUS), self._status(LOST), qos=1, retain=True)
        client.max_queued_messages_set(0)
        client.max_inflight_messages_set(20)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        self._client = client
        try:
            client.connect(self.identity.broker_host, self.identity.broker_port, keepalive=60)
        except OSError:
            self._lost()

    def goodbye(self) -> None:
        """End the session cleanly, as a PC that is switched off."""
        self.stopped = True
        if self._client is not None and self.connected:
            self._publish(Kind.STATUS, self._status(GOODBYE), retain=True)
            self._client.disconnect()

    def cut(self) -> None:
        """End the session as a pulled plug does: the socket closes, nothing is said."""
        self.stopped = True
        sock = self.socket()
        if sock is not None:
            sock.close()
        self._client = None
        self.connected = False

    def socket(self) -> socket.socket | None:
        """Give the socket for the fleet's select."""
        if self._client is None:
            return None
        found = self._client.socket()
        return found if isinstance(found, socket.socket) else None

    def wants_write(self) -> bool:
        """Tell whether bytes wait to be sent."""
        return self._client is not None and self._client.want_write()

    def readable(self) -> None:
        """Read what came."""
        if self._client is not None and self._client.loop_read() != mqtt.MQTT_ERR_SUCCESS:
            self._lost()

    def writable(self) -> None:
        """Write what waits."""
        if self._client is not None and self._client.loop_write() != mqtt.MQTT_ERR_SUCCESS:
            self._lost()

    def tick(self) -> None:
        """Keep the session alive, come back after a loss, send again what has no receipt."""
        now = time.monotonic()
        if self._client is None:
            if not self.stopped and now >= self._retry_at:
                self.connect()
            return
        self._client.loop_misc()
        if self.connected:
            self._send_past()

    def _on_connect(self, client: mqtt.Client, _user: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self.refusals += 1
            return
        self.connected = True
        client.subscribe(self._topic(Kind.RECEIPT), qos=1)
        self._publish(Kind.STATUS, self._status(ONLINE), retain=True)
        # What was on its way when the last session ended is of the past now.
        self._past.extend(envelope for envelope, _ in self._waiting.values())
        self._waiting.clear()

    def _on_publish(self, *_: Any) -> None:
        self._unacknowledged -= 1

    def _on_disconnect(self, *_: Any) -> None:
        self._lost()

    def _lost(self) -> None:
        if self._client is not None:
            sock = self.socket()
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.close()
        self._client = None
        self.connected = False
        self._retry_at = time.monotonic() + RECONNECT_S

    # ---- messages -----------------------------------------------------------------------------------------------

    def send(self, kind: Kind, body: tuple[Group, ...]) -> None:
        """Measure now and send live."""
        envelope = self._envelope(kind, body, time.time())
        self._waiting[envelope.seq] = (envelope, time.monotonic())
        if self.connected:
            self.sent.add(envelope.seq)
            self._publish(kind, encode_live(envelope, self._transit()))

    def forget(self) -> None:
        """Give up waiting for receipts of what was sent so far."""
        self._waiting.clear()

    def remember(self, body: tuple[Group, ...], at: float) -> None:
        """Keep a round of the past; it goes out as backfill once the run is known to the collector."""
        self._past.append(self._envelope(Kind.ROUND, body, at))

    @property
    def backlog(self) -> bool:
        """Tell whether the broker has not taken everything yet (no PUBACK)."""
        return self._unacknowledged > 0

    @property
    def unreceipted(self) -> int:
        """Envelopes that still wait for a receipt."""
        return len(self._waiting) + len(self._past)

    def _send_past(self) -> None:
        now = time.monotonic()
        late = [seq for seq, (_, since) in self._waiting.items() if now - since > RESEND_S]
        self._past.extend(self._waiting.pop(seq)[0] for seq in late)
        if not self._past or not self.receipted:
            return  # the first receipt tells that the collector knows this run's clock
        batch, self._past = self._past[:MAX_BACKFILL], self._past[MAX_BACKFILL:]
        for envelope in batch:
            self._waiting[envelope.seq] = (envelope, now)
            self.sent.add(envelope.seq)
        self._publish(Kind.BACKFILL, encode_backfill(self.identity.device_id, batch, self._transit()))

    def _on_message(self, _client: mqtt.Client, _user: Any, message: mqtt.MQTTMessage) -> None:
        for receipt in decode_receipt(bytes(message.payload)):
            if receipt.run != self.run:
                continue
            for first, last in receipt.stored:
                for seq in range(first, last + 1):
                    self._settle(seq)
                    self.receipted.add(seq)
            for seq, reason in receipt.refused:
                self._settle(seq)
                self.refused[seq] = reason

    def _settle(self, seq: int) -> None:
        self._waiting.pop(seq, None)

    def _envelope(self, kind: Kind, body: tuple[Group, ...], at: float) -> Envelope:
        self._seq += 1
        measured = self.machine.instant(at)
        return Envelope(kind, self.identity.device_id, self.run, self._seq, measured, VERSION, body)

    def _transit(self) -> Transit:
        return Transit(self.session, self.machine.instant(time.time()))

    def _status(self, state: str) -> bytes:
        at = self.machine.instant(time.time())
        return encode_status(Status(self.identity.device_id, self.run, self.session, state, at, VERSION))

    def _topic(self, kind: Kind) -> str:
        return topics.build(self.identity.device_id, kind)

    def _publish(self, kind: Kind, payload: bytes, *, retain: bool = False) -> None:
        if self._client is not None:
            self._client.publish(self._topic(kind), payload, qos=1, retain=retain)
            self._unacknowledged += 1
