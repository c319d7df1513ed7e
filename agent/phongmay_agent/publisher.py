"""The MQTT side: envelopes go out, receipts and commands come in, sessions break. A bad network raises nothing.

MQTT 3.1.1, QoS 1, clean session; user name = client id = device id. paho does the protocol, but its loop is driven by
the agent's own select (`socket`, `wants_write`, `readable`, `writable`, `tick`), so that nothing wakes up for nothing.
Each connection gets a new client and a new random session, which its last will carries too: an old will cannot kill a
new session, and nothing that paho had queued for the last session is sent in this one. What was on its way then is in
the spool still.
"""

from __future__ import annotations

import logging
import secrets
import socket
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from phongmay_agent import __version__
from phongmay_agent.backoff import Backoff
from phongmay_agent.clock import Clock
from phongmay_agent.delivery import Delivery
from phongmay_agent.identity import Identity
from phongmay_agent.tls import has_more, make_context
from phongmay_contract import keys, topics
from phongmay_contract.envelope import (
    GOODBYE,
    LOST,
    ONLINE,
    Envelope,
    Status,
    Transit,
    decode_receipt,
    encode_backfill,
    encode_live,
    encode_status,
    read_receipt_time,
)
from phongmay_contract.errors import ContractError
from phongmay_contract.topics import Kind

CONNECT_TIMEOUT_S = 3.0
CONNACK_TIMEOUT_S = 10.0
KEEPALIVE_S = 60
"""Silence after which either side asks whether the other is there; the broker sends the last will after 1.5 times."""

_log = logging.getLogger(__name__)


class Publisher:
    """One device's connection to its broker.

    Attributes:
        connected: the broker has accepted the session.
    """

    def __init__(
        self,
        identity: Identity,
        run: str,
        delivery: Delivery,
        clock: Clock,
        on_command: Callable[[bytes], None],
        on_time: Callable[[float], None],
        ca: str = "",
    ) -> None:
        """Prepare; nothing is opened.

        Args:
            identity: who and where.
            run: this run of the agent.
            delivery: what is sent when.
            clock: the machine's.
            on_command: gets each message of the command topic.
            on_time: gets the server's time when a receipt tells it.
            ca: certificates (PEM) that the broker's must come from; "" speaks without TLS.
        """
        self.connected = False
        self._on_command = on_command
        self._on_time = on_time
        self._ca = ca
        self._identity = identity
        self._run = run
        self._delivery = delivery
        self._clock = clock
        self._backoff = Backoff()
        self._client: mqtt.Client | None = None
        self._session = ""
        self._opened_at = 0.0
        self._retry_at = 0.0
        self._last_out = 0.0
        self._last_in = 0.0
        self._refusal = ""
        self._away = False
        self._farewell: mqtt.MQTTMessageInfo | None = None

    # ---- what the agent's select asks ---------------------------------------------------------------------------

    def socket(self) -> socket.socket | None:
        """Give the socket to wait on, None while there is none."""
        found = self._client.socket() if self._client is not None else None
        return found if isinstance(found, socket.socket) else None

    def wants_write(self) -> bool:
        """Tell whether bytes wait to be sent."""
        return self._client is not None and self._client.want_write()

    def next_at(self) -> float:
        """Give the moment of the monotonic clock at which `tick` has something to do."""
        if self._client is None:
            return self._retry_at
        if not self.connected:
            return self._opened_at + CONNACK_TIMEOUT_S
        silent_at = min(self._last_out, self._last_in) + KEEPALIVE_S
        return silent_at if self._client.want_write() else min(silent_at, self._delivery.next_at())

    def readable(self) -> None:
        """Read what came."""
        if self._client is not None:
            self._last_in = self._clock.mono()
            self._client.loop_read()
            while has_more(self._client.socket()):
                self._client.loop_read()
            self._notice_loss()

    def writable(self) -> None:
        """Write what waits."""
        if self._client is not None:
            self._client.loop_write()
            self._notice_loss()

    def tick(self) -> None:
        """Do what is due: connect, ask whether the broker is there, send the past."""
        now = self._clock.mono()
        if self._client is None:
            if now >= self._retry_at:
                self._connect(now)
            return
        if not self.connected:
            if now >= self._opened_at + CONNACK_TIMEOUT_S:
                self._refusal = "it does not answer"
                self._lose()
            return
        if now >= min(self._last_out, self._last_in) + KEEPALIVE_S:
            self._client.loop_misc()
            self._last_out = self._last_in = now
            self._notice_loss()
        self._send_past(now)

    # ---- life of a session --------------------------------------------------------------------------------------

    def _connect(self, now: float) -> None:
        device = self._identity.device_id
        self._session = secrets.token_hex(8)
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=device, clean_session=True, protocol=mqtt.MQTTv311)
        client.username_pw_set(device, keys.mqtt_password(self._identity.secret))
        client.will_set(self._topic(Kind.STATUS), self._status(LOST), qos=1, retain=True)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        self._client, self._opened_at, self._refusal = client, now, ""
        self._last_out = self._last_in = now
        try:
            if self._ca:
                client.tls_set_context(make_context(self._ca, self._clock.now().wall))
            client.connect(self._identity.broker_host, self._identity.broker_port, keepalive=KEEPALIVE_S)
        except (OSError, ValueError) as error:
            self._refusal = getattr(error, "strerror", None) or str(error) or type(error).__name__
            self._lose()

    def _on_connect(self, client: mqtt.Client, _user: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._refusal = f"it refuses this device: {reason}"
            return  # the broker closes; _notice_loss does the rest
        self.connected = True
        client.subscribe([(self._topic(Kind.RECEIPT), 1), (self._topic(Kind.COMMAND), 1)])
        self._publish(Kind.STATUS, self._status(ONLINE), retain=True)
        self._delivery.opened()
        if self._away:
            _log.warning("the broker is back")
        else:
            _log.info("connected to %s:%d", self._identity.broker_host, self._identity.broker_port)
        self._away = False

    def _on_subscribe(self, _client: mqtt.Client, _user: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        if reasons and reasons[0].is_failure:
            _log.error("the broker does not let this device read its receipts; the spool will fill up")
        if any(reason.is_failure for reason in reasons[1:]):
            _log.error("the broker does not let this device read its commands; it takes part in no bandwidth test")

    def _notice_loss(self) -> None:
        if self._client is not None and self._client.socket() is None:
            self._lose()

    def _lose(self) -> None:
        """End the session without a word, as the network did."""
        lasted = self._clock.mono() - self._opened_at if self.connected else 0.0
        if self._client is not None and (sock := self.socket()) is not None:
            sock.close()
        self._client, self.connected = None, False
        delay = self._backoff.failed(lasted)
        self._retry_at = self._clock.mono() + delay
        if not self._away and self._farewell is None:
            self._away = True
            where = f"{self._identity.broker_host}:{self._identity.broker_port}"
            _log.warning(
                "no broker at %s (%s); measuring into the spool and trying again",
                where, self._refusal or "the connection broke",
            )  # fmt: skip

    # ---- messages -----------------------------------------------------------------------------------------------

    def send_live(self, envelope: Envelope) -> bool:
        """Send an envelope that was measured just now; give False while there is no session."""
        if not self.connected:
            return False
        now = self._clock.now()
        self._delivery.sent_live(envelope, now.mono)
        self._publish(envelope.kind, encode_live(envelope, Transit(self._session, now)))
        self._notice_loss()
        return True

    def _send_past(self, now: float) -> None:
        if self._client is None or not self.connected or self._client.want_write():
            return  # a broker that takes nothing gets nothing more
        batch = self._delivery.next_backfill(now)
        if batch:
            transit = Transit(self._session, self._clock.now())
            self._publish(Kind.BACKFILL, encode_backfill(self._identity.device_id, batch, transit))
            self._notice_loss()

    def _on_message(self, _client: mqtt.Client, _user: Any, message: mqtt.MQTTMessage) -> None:
        if message.topic == self._topic(Kind.COMMAND):
            if not message.retain:  # an order of the past is none
                self._on_command(bytes(message.payload))
            return
        try:
            receipts = decode_receipt(bytes(message.payload))
            at = read_receipt_time(bytes(message.payload))
        except ContractError as error:
            _log.warning("a receipt that cannot be read: %s", error)
            return
        for receipt in receipts:
            for seq, reason in receipt.refused:
                _log.error("the server refused envelope %d of run %s: %s", seq, receipt.run, reason)
        if at is not None:
            self._on_time(at)
        self._delivery.received(receipts)

    def say_goodbye(self) -> None:
        """Begin the clean end: the goodbye goes out now; `has_said_goodbye` tells when the broker has it."""
        if self.connected:
            self._farewell = self._publish(Kind.STATUS, self._status(GOODBYE), retain=True)

    def has_said_goodbye(self) -> bool:
        """Tell whether the broker has the goodbye, or there is nobody to say it to."""
        return self._client is None or self._farewell is None or self._farewell.is_published()

    def close(self) -> None:
        """Close the session; after a goodbye the broker keeps the last will to itself."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_write()
            if (sock := self.socket()) is not None:
                sock.close()
        self._client, self.connected = None, False

    def _publish(self, kind: Kind, payload: bytes, *, retain: bool = False) -> mqtt.MQTTMessageInfo | None:
        if self._client is None:
            return None
        self._last_out = self._clock.mono()
        return self._client.publish(self._topic(kind), payload, qos=1, retain=retain)

    def _status(self, state: str) -> bytes:
        at = self._clock.now()
        return encode_status(Status(self._identity.device_id, self._run, self._session, state, at, __version__))

    def _topic(self, kind: Kind) -> str:
        return topics.build(self._identity.device_id, kind)
