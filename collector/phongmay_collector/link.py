"""One MQTT session of the collector: connects, subscribes, receives without acknowledging, acknowledges when told.

In: user, password, topic filters. Out: Inbound messages, as many as one read of the socket brings. The loop is driven
from outside (no threads). Every connection has a number, which its messages carry: acknowledgements of an old one
never reach a new one. MQTT 5 with a session that outlives the connection; 3.1.1 where the broker knows no 5 (amqtt).
A wrong password at the first connect raises OperatorError; everything later is tried again with growing pauses.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from phongmay_collector import packets
from phongmay_collector.log import Availability, event
from phongmay_collector.packets import V5, V311, Packet, PacketError, Published
from phongmay_contract.errors import OperatorError

_CONNECT_TIMEOUT_S = 5.0
_CONNACK_TIMEOUT_S = 10.0
_FIRST_CONNACK_TIMEOUT_S = 2.0
"""Before the first success: amqtt does not answer an MQTT 5 CONNECT at all, so the other version is tried soon."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_KEEPALIVE_S = 30
_RECEIVE_BYTES = 96 * 1024
"""Less than what the C library takes from the system anew each time (128 KiB): fresh pages cost more than the call."""
_RECEIVES_A_READ = 8
_MOST_TOPICS = 1_000_000
_REFUSED_LOGIN = (4, 5, 134, 135)
_UNSUPPORTED_PROTOCOL = (1, 132)
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Inbound(Struct, gc=False):
    """A message as it came; it belongs to the connection that brought it.

    Attributes:
        user: whose session it came by.
        connection: number of the connection; 0 for one that comes out of the queue on disk.
        received: server's wall clock at its arrival (float seconds UTC).
        arrived: the same on the monotonic clock.
        waited: bound on the seconds that it can have waited in the broker.
    """

    user: str
    connection: int
    packet: int
    qos: int
    topic: str
    payload: bytes
    retained: bool
    received: float
    arrived: float
    waited: float


class Sending(Struct):
    """A QoS 1 message of ours on its way to the broker."""

    answered: bool = False

    def is_published(self) -> bool:
        """Tell whether the broker has acknowledged it; one whose connection broke never is."""
        return self.answered


class Link:
    """A session at the broker under one user name.

    Args:
        user: user name, and so the client id.
        password: its password.
        address: host and port of the broker.
        filters: topic filters to subscribe to at QoS 1.
        receive_maximum: unacknowledged messages that the broker may send us.
        session_expiry_s: how long the broker keeps our queue while we are away.
        remedy: what a person does when the password is refused.
        tls: checks the broker's certificate; None speaks without TLS.

    Attributes:
        connection: number of the present connection, or of the last one.
    """

    def __init__(
        self,
        user: str,
        password: str,
        address: tuple[str, int],
        filters: Sequence[str],
        receive_maximum: int,
        session_expiry_s: int,
        remedy: str,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.user = user
        self.connected = False
        self.connection = 0
        self._password = password
        self._address = address
        self._filters = filters
        self._receive_maximum = receive_maximum
        self._session_expiry_s = session_expiry_s
        self._remedy = remedy
        self._tls = tls
        self._version = V5
        self._ever_connected = False
        self._refused: OperatorError | None = None
        self._availability = Availability("broker")
        self._pause_s = _FIRST_PAUSE_S
        self._retry_at = self._connect_by = 0.0
        self._sock: socket.socket | None = None
        self._in = b""
        self._out = bytearray()
        self._packet = 0
        self._waiting: deque[tuple[int, bytes, Sending]] = deque()
        self._unanswered: dict[int, Sending] = {}
        self._most_unanswered = 1
        self._last_out = self._last_in = 0.0
        self._topics: dict[bytes, str] = {}

    # ---- driven by the service's loop ------------------------------------------------------------------------------

    def socket(self) -> socket.socket | None:
        """Give the socket for the loop's select, if there is one."""
        return self._sock

    def wants_write(self) -> bool:
        """Tell whether bytes wait to be sent."""
        return bool(self._out)

    def readable(self, waited: Callable[[int, float], float]) -> list[Inbound]:
        """Read what came, and give the messages in it.

        Args:
            waited: gives the bound on waiting for a message of a connection that is read at a monotonic time.
        """
        messages: list[Inbound] = []
        try:
            for _ in range(_RECEIVES_A_READ):
                if self._sock is None:
                    break
                data = self._sock.recv(_RECEIVE_BYTES)
                if not data:
                    self._closed()
                    break
                self._last_in = time.monotonic()
                found, self._in = packets.scan(self._version, self._in + data if self._in else data)
                self._take(found, messages, waited)
                if len(data) < _RECEIVE_BYTES and self._tls is None:
                    break  # of TLS a read gives one record
        except _NOT_NOW:
            pass
        except (OSError, PacketError) as error:
            self._lost(f"the connection broke: {error}")
        return messages

    def writable(self) -> None:
        """Write what waits."""
        if self._sock is None:
            return
        try:
            del self._out[: self._sock.send(self._out)]
        except _NOT_NOW:
            pass
        except OSError as error:
            self._lost(f"the connection broke: {error}")

    def tick(self, now: float) -> None:
        """Keep the session alive, or try to get one.

        Args:
            now: monotonic time.

        Raises:
            OperatorError: the broker refuses our password although it was never accepted before.
        """
        if self._refused is not None:
            raise self._refused
        if self._sock is None:
            if now >= self._retry_at:
                self._connect(now)
        elif not self.connected:
            if now > self._connect_by:
                self._other_version()
                self._lost("no answer to CONNECT")
        elif now - self._last_in > 1.5 * _KEEPALIVE_S:
            self._lost("no answer to PINGREQ")
        elif now - min(self._last_in, self._last_out) > _KEEPALIVE_S / 2 and packets.PING not in self._out[-2:]:
            self._send(packets.PING)

    # ---- messages ----------------------------------------------------------------------------------------------------

    def acknowledge(self, messages: Iterable[Inbound]) -> None:
        """Tell the broker that messages are dealt with; those of an earlier connection are left out."""
        if self.connected:
            mine = self.connection
            self._send(packets.pubacks([m.packet for m in messages if m.connection == mine and m.qos]))

    def publish(self, topic: str, payload: bytes) -> Sending | None:
        """Send a message at QoS 1, not more at once than the broker takes; None without a connection.

        With the connection it is forgotten: whoever must be sure asks what it gives and sends again.
        """
        if not self.connected:
            return None
        packet, sending = self._next_packet(), Sending()
        self._waiting.append((packet, packets.publish(self._version, topic, payload, packet), sending))
        self._send_waiting()
        return sending

    def tell(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Send (topic, payload) at QoS 0: what is lost is asked for again. Without a connection they are left out."""
        if self.connected:
            version = self._version
            self._send(b"".join([packets.publish(version, topic, payload) for topic, payload in messages]))

    def close(self) -> None:
        """Send what waits and end the connection; the session stays at the broker."""
        if self._sock is not None:
            if self.connected:
                self._send(packets.BYE)
                self._sock.settimeout(1.0)
                with contextlib.suppress(OSError):  # whoever does not read it learns it from the closed socket
                    self._sock.sendall(self._out)
            self._sock.close()
        self._sock = None
        self.connected = False

    def _send(self, data: bytes) -> None:
        self._out += data
        self._last_out = time.monotonic()

    def _send_waiting(self) -> None:
        while self._waiting and len(self._unanswered) < self._most_unanswered:
            packet, data, sending = self._waiting.popleft()
            self._unanswered[packet] = sending
            self._send(data)

    def _next_packet(self) -> int:
        self._packet = self._packet % 65535 + 1
        return self._packet

    def _take(
        self,
        found: list[Published | Packet],
        messages: list[Inbound],
        waited: Callable[[int, float], float],
    ) -> None:
        arrived, received = self._last_in, time.time()
        user, connection, known, add = self.user, self.connection, self._topics.get, messages.append
        bound = waited(connection, arrived)
        for one in found:
            if isinstance(one, Published):
                packet, qos, retained, raw, payload = one
                topic = known(raw) or self._topic(raw)
                add(Inbound(user, connection, packet, qos, topic, payload, retained, received, arrived, bound))
                continue
            kind, _, rest = one
            if kind == packets.PUBACK:
                sending = self._unanswered.pop(int.from_bytes(rest[:2], "big"), None)
                if sending is not None:
                    sending.answered = True
                self._send_waiting()
            elif kind == packets.CONNACK:
                self._answered(packets.read_connack(self._version, rest))
            elif kind == packets.SUBACK:
                self._subscribed(rest)
            elif kind == packets.DISCONNECT:
                self._lost(f"the broker closed the connection ({rest[0] if rest else 0})")
                return

    def _topic(self, raw: bytes) -> str:
        if len(self._topics) >= _MOST_TOPICS:
            self._topics.clear()
        topic = raw.decode("utf-8", "replace")
        self._topics[raw] = topic
        return topic

    # ---- the connection ----------------------------------------------------------------------------------------------

    def _connect(self, now: float) -> None:
        host, port = self._address
        self._connect_by = now + (_CONNACK_TIMEOUT_S if self._ever_connected else _FIRST_CONNACK_TIMEOUT_S)
        try:
            self._sock = socket.create_connection(self._address, timeout=_CONNECT_TIMEOUT_S)
            if self._tls is not None:
                self._sock = self._tls.wrap_socket(self._sock, server_hostname=host)
            self._sock.setblocking(False)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            secured = isinstance(error, ssl.SSLError)
            see = "broker.ca_file, broker.host and broker.port" if secured else "broker.host and broker.port"
            self._lost(f"{host}:{port}: {error}; see {see}, and that the broker runs")
            return
        self.connection += 1
        self._in = b""
        self._out.clear()
        self._waiting.clear()
        self._unanswered.clear()
        self._last_in = now
        self._send(
            packets.connect(
                self._version, self.user, self._password, _KEEPALIVE_S, self._session_expiry_s, self._receive_maximum
            )
        )

    def _answered(self, answer: packets.Connack) -> None:
        if answer.reason:
            self._not_let_in(answer.reason)
            return
        self.connected = True
        self._ever_connected = True
        self._most_unanswered = answer.receive_maximum
        self._pause_s = _FIRST_PAUSE_S
        self._availability.back(time.monotonic())
        event("connected", user=self.user, mqtt=self._version, session_present=int(answer.session_present))
        self._send(packets.subscribe(self._version, self._next_packet(), self._filters))

    def _subscribed(self, rest: bytes) -> None:
        """Look whether all filters were granted; a broker that denies one would keep us deaf without a word."""
        codes = rest[-len(self._filters) :]
        denied = [one for one, code in zip(self._filters, codes, strict=False) if code >= 0x80]
        if denied:
            self._lost(f"the broker denies the subscription to {', '.join(denied)}: run 'phongmay broker files'")

    def _not_let_in(self, reason: int) -> None:
        if reason in _UNSUPPORTED_PROTOCOL:
            self._other_version()
        elif reason in _REFUSED_LOGIN and not self._ever_connected:
            host, port = self._address
            self._refused = OperatorError(
                f"broker {host}:{port} refuses user {self.user!r} (reason {reason}): {self._remedy}"
            )
        self._lost(f"refused: reason {reason}")

    def _other_version(self) -> None:
        """Try the other version next time; once one has worked, that stays."""
        if not self._ever_connected:
            self._version = V311 if self._version == V5 else V5

    def _closed(self) -> None:
        if not self.connected and self._refused is None:
            self._other_version()  # closed instead of answered: a broker that knows no MQTT 5 may do so
        self._lost("the broker closed the connection")

    def _lost(self, reason: str) -> None:
        if self._sock is not None:
            self._sock.close()
        now = time.monotonic()
        self._sock = None
        self.connected = False
        self._availability.away(now, f"{self.user}: {reason}")
        self._retry_at = now + self._pause_s
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
