"""One MQTT session of the collector: connects, subscribes, receives without acknowledging, acknowledges when told.

In: user, password, topic filters. Out: Inbound messages through a callback. The loop is driven from outside (no
threads). Every connection has a paho client of its own, so acknowledgements and unsent receipts of an old connection
cannot reach a new one. MQTT 5 with a session that outlives the connection; 3.1.1 where the broker knows no 5 (amqtt).
A wrong password at the first connect raises OperatorError; everything later is tried again with growing pauses.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from phongmay_collector.log import Availability, event
from phongmay_contract.errors import OperatorError

SESSION_EXPIRY_S = 7 * 86400
"""How long the broker keeps our queue while we are away; what it drops is still in the agents' spools."""
_CONNECT_TIMEOUT_S = 5.0
_CONNACK_TIMEOUT_S = 10.0
_FIRST_CONNACK_TIMEOUT_S = 2.0
"""Before the first success: amqtt does not answer an MQTT 5 CONNECT at all, so the other version is tried soon."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_PACKETS_A_READ = 256
_REFUSED_LOGIN = (4, 5, 134, 135)
_UNSUPPORTED_PROTOCOL = (1, 132)


@dataclass(slots=True)
class Inbound:
    """A message as it came; it belongs to the connection that brought it.

    Attributes:
        received: server's wall clock at its arrival (float seconds UTC).
        arrived: the same on the monotonic clock.
        waited: bound on the seconds that it can have waited in the broker.
    """

    client: mqtt.Client
    packet: int
    qos: int
    topic: str
    payload: bytes
    retained: bool
    received: float
    arrived: float
    waited: float


class Link:
    """A session at the broker under one user name.

    Args:
        user: user name, and so the client id.
        password: its password.
        address: host and port of the broker.
        filters: topic filters to subscribe to at QoS 1.
        receive_maximum: unacknowledged messages that the broker may send us.
        on_message: takes each message as it is read.
        remedy: what a person does when the password is refused.
    """

    def __init__(
        self,
        user: str,
        password: str,
        address: tuple[str, int],
        filters: Sequence[str],
        receive_maximum: int,
        on_message: Callable[[Link, mqtt.MQTTMessage], None],
        remedy: str,
    ) -> None:
        self.user = user
        self.client: mqtt.Client | None = None
        self.connected = False
        self._password = password
        self._address = address
        self._filters = filters
        self._receive_maximum = receive_maximum
        self._on_message = on_message
        self._remedy = remedy
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._ever_connected = False
        self._refused: OperatorError | None = None
        self._availability = Availability("broker")
        self._pause_s = _FIRST_PAUSE_S
        self._retry_at = 0.0
        self._connect_by = 0.0
        self._read = 0

    # ---- driven by the service's loop ------------------------------------------------------------------------------

    def socket(self) -> socket.socket | None:
        """Give the socket for the loop's select, if there is one."""
        found = self.client.socket() if self.client is not None else None
        return found if isinstance(found, socket.socket) else None

    def wants_write(self) -> bool:
        """Tell whether bytes wait to be sent."""
        return self.client is not None and self.client.want_write()

    def readable(self) -> None:
        """Read what came; paho reads one packet a call, so it is called until a call brings none."""
        for _ in range(_PACKETS_A_READ):
            before = self._read
            if self.client is None or self.client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._lost("the connection broke")
                return
            if self._read == before:
                return

    def writable(self) -> None:
        """Write what waits."""
        if self.client is not None and self.client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lost("the connection broke")

    def tick(self, now: float) -> None:
        """Keep the session alive, or try to get one.

        Args:
            now: monotonic time.

        Raises:
            OperatorError: the broker refuses our password although it was never accepted before.
        """
        if self._refused is not None:
            raise self._refused
        if self.client is None:
            if now >= self._retry_at:
                self._connect(now)
        elif not self.connected and now > self._connect_by:
            self._other_protocol()
            self._lost("no answer to CONNECT")
        elif self.client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lost("no answer to PINGREQ")

    # ---- messages ----------------------------------------------------------------------------------------------------

    def acknowledge(self, inbound: Inbound) -> None:
        """Tell the broker that a message is dealt with; one of an earlier connection is left out."""
        if inbound.client is self.client and self.connected and inbound.qos > 0:
            inbound.client.ack(inbound.packet, inbound.qos)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1) -> mqtt.MQTTMessageInfo | None:
        """Send a message; without a connection it is left out, and None comes back."""
        if self.client is None or not self.connected:
            return None
        return self.client.publish(topic, payload, qos=qos)

    def close(self) -> None:
        """Send what waits and end the connection; the session stays at the broker."""
        if self.client is not None and self.connected:
            end = time.monotonic() + 1.0
            while self.wants_write() and time.monotonic() < end:
                self.client.loop_write()
            self.client.disconnect()
        self.client = None
        self.connected = False

    # ---- the connection ----------------------------------------------------------------------------------------------

    def _connect(self, now: float) -> None:
        five = self._protocol is MQTTProtocolVersion.MQTTv5
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self.user,
            clean_session=None if five else False,
            protocol=self._protocol,
            manual_ack=True,
        )
        client.username_pw_set(self.user, self._password)
        client.connect_timeout = _CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(1000)
        client.max_queued_messages_set(0)
        client.on_connect = self._on_connect
        client.on_message = self._on_packet
        client.on_disconnect = self._on_disconnect
        self.client = client
        self._connect_by = now + (_CONNACK_TIMEOUT_S if self._ever_connected else _FIRST_CONNACK_TIMEOUT_S)
        host, port = self._address
        try:
            if five:
                properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho has no types here
                properties.SessionExpiryInterval = SESSION_EXPIRY_S
                properties.ReceiveMaximum = self._receive_maximum
                client.connect(host, port, keepalive=30, clean_start=False, properties=properties)
            else:
                client.connect(host, port, keepalive=30)
        except OSError as error:
            self._lost(f"{host}:{port}: {error}; see broker.host and broker.port, and that the broker runs")

    def _on_connect(self, client: mqtt.Client, _user: Any, flags: mqtt.ConnectFlags, reason: Any, _props: Any) -> None:
        self._read += 1
        if client is not self.client:
            return
        if reason.is_failure:
            self._not_let_in(reason)
            return
        self.connected = True
        self._ever_connected = True
        self._pause_s = _FIRST_PAUSE_S
        self._availability.back(time.monotonic())
        event("connected", user=self.user, mqtt=int(self._protocol), session_present=int(flags.session_present))
        for topic_filter in self._filters:
            client.subscribe(topic_filter, qos=1)

    def _not_let_in(self, reason: Any) -> None:
        if reason.value in _UNSUPPORTED_PROTOCOL:
            self._other_protocol()
        elif reason.value in _REFUSED_LOGIN and not self._ever_connected:
            host, port = self._address
            self._refused = OperatorError(f"broker {host}:{port} refuses user {self.user!r} ({reason}): {self._remedy}")
        self._lost(f"refused: {reason}")

    def _other_protocol(self) -> None:
        """Try the other version next time; once one has worked, that stays."""
        if not self._ever_connected:
            five = self._protocol is MQTTProtocolVersion.MQTTv5
            self._protocol = MQTTProtocolVersion.MQTTv311 if five else MQTTProtocolVersion.MQTTv5

    def _on_packet(self, client: mqtt.Client, _user: Any, message: mqtt.MQTTMessage) -> None:
        self._read += 1
        if client is self.client:
            self._on_message(self, message)

    def _on_disconnect(self, client: mqtt.Client, *_: Any) -> None:
        if client is self.client:
            if not self.connected and self._refused is None:
                self._other_protocol()  # closed instead of answered: a broker that knows no MQTT 5 may do so
            self._lost("the broker closed the connection")

    def _lost(self, reason: str) -> None:
        if self.client is None:
            return  # paho has told us already, by on_disconnect
        sock = self.socket()
        if sock is not None:
            sock.close()
        now = time.monotonic()
        self.client = None
        self.connected = False
        self._availability.away(now, f"{self.user}: {reason}")
        self._retry_at = now + self._pause_s
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
