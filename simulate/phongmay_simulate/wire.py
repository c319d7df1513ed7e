"""Thousands of MQTT connections in one thread: one selector, frames built by hand, no threads and no timers a client.

In: sessions that want to be open, and what they publish. Out: calls of their owners (`opened`, `closed`, `heard`,
`acknowledged`). A connection that breaks or is refused ends with `closed`; coming back is the owner's decision. At
most MAX_PENDING connects are on their way at a time, since a broker's listen backlog is short.
"""

from __future__ import annotations

import heapq
import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from phongmay_simulate import frames

MAX_PENDING = 32
"""Connects on their way at the same time; a broker's listen backlog is 100 (measured: more than that takes minutes)."""
SOURCE_PORTS = 10_000
"""Connections from one source address. A system has about 28,000 ports for one destination, but beyond half of them
Linux searches long for a free one: 19,900 connects from one address took 750 us of CPU each, from two 164 us."""
WINDOW = 20
"""Unacknowledged messages of a session; what is published beyond waits here."""
_READ_BYTES = 65536
_LAST_WORDS_S = 0.2
_LOOK_S = 1.0
"""Between looks at who has been silent for too long."""
_BIND_NO_PORT = 24
"""IP_BIND_ADDRESS_NO_PORT of Linux: choose the port at connect, so that ports are counted a destination."""


class Owner(Protocol):
    """Whose session it is."""

    def connect_frame(self) -> bytes:
        """Give the CONNECT for the next connection; empty when none is wanted any more."""
        ...

    def opened(self) -> None:
        """The broker let us in."""
        ...

    def closed(self, reason: str) -> None:
        """The connection is gone, or never came."""
        ...

    def heard(self, topic: bytes, payload: bytes) -> None:
        """A message came."""
        ...


class Session:
    """One MQTT session; made once, opened as often as its owner wants.

    Attributes:
        open: the broker let us in.
        in_flight: messages without their PUBACK, those that wait for the window included.
    """

    __slots__ = (
        "_asked_at", "_in", "_out", "_packet", "_queue", "_sock", "_unacknowledged", "_wire", "_wrote_at",
        "open", "owner",
    )  # fmt: skip

    def __init__(self, wire: Wire, owner: Owner) -> None:
        self.owner = owner
        self.open = False
        self._wire = wire
        self._sock: socket.socket | None = None
        self._in = b""
        self._out: list[bytes] = []
        self._queue: deque[tuple[bytes, bytes, bool, bool]] | None = None
        self._packet = 0
        self._unacknowledged = 0
        self._wrote_at = self._asked_at = 0.0

    @property
    def in_flight(self) -> int:
        """Count messages without PUBACK."""
        return self._unacknowledged + (len(self._queue) if self._queue else 0)

    @property
    def idle(self) -> bool:
        """Tell whether there is neither a connection nor a try of one."""
        return self._sock is None

    def subscribe(self, topic: bytes) -> None:
        """Ask for a topic at QoS 1."""
        self._write(frames.subscribe(self._next_packet(), topic))

    def publish(self, topic: bytes, payload: bytes, *, retain: bool = False, again: bool = False) -> None:
        """Send a message at QoS 1, as soon as the window has room."""
        if self._unacknowledged >= self._wire.window:
            if self._queue is None:
                self._queue = deque()
            self._queue.append((topic, payload, retain, again))
            return
        self._unacknowledged += 1
        self._write(frames.publish(self._next_packet(), topic, payload, retain=retain, again=again))

    def disconnect(self) -> None:
        """Say DISCONNECT behind everything that waits, and close: the broker sends no last will."""
        if self._sock is not None:
            if self.open:
                self._out.append(frames.DISCONNECT_FRAME)
                self._wire.flush_last(self)
            self._wire.drop(self, "disconnected")

    def cut(self) -> None:
        """Close without a word, as a pulled plug does."""
        if self._sock is not None:
            self._wire.drop(self, "cut")

    def _next_packet(self) -> int:
        self._packet = self._packet % frames.MAX_PACKET + 1
        return self._packet

    def _write(self, frame: bytes) -> None:
        if self._sock is not None:
            if not self._out:
                self._wire.dirty.append(self)
            self._out.append(frame)

    def _acknowledged(self) -> None:
        self._unacknowledged -= 1
        if self._queue:
            self.publish_queued()

    def publish_queued(self) -> None:
        """Send what waited for the window."""
        while self._queue and self._unacknowledged < self._wire.window:
            topic, payload, retain, again = self._queue.popleft()
            self.publish(topic, payload, retain=retain, again=again)


class Wire:
    """The loop and all its sessions.

    Args:
        host: address of the broker.
        port: its port.
        keepalive_s: seconds of silence after which a session pings.
        window: unacknowledged messages of one session.

    Attributes:
        dirty: sessions with something to write.
        connects: connections that the broker let in.
        losses: connections that ended without our wish.
        refusals: CONNECTs that were answered with a refusal.
    """

    def __init__(self, host: str, port: int, *, keepalive_s: int = 60, window: int = WINDOW) -> None:
        self.window = window
        self.keepalive_s = keepalive_s
        self.dirty: list[Session] = []
        self.connects = self.losses = self.refusals = 0
        self._address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self._selector = selectors.DefaultSelector()
        self._pending: set[Session] = set()
        self._wanted: deque[Session] = deque()
        self._later: list[tuple[float, int, Session]] = []
        self._counter = 0
        self._sockets: set[Session] = set()
        self._look_at = time.monotonic() + _LOOK_S

    @property
    def opening(self) -> int:
        """Count the sessions that are not open yet but will be."""
        return len(self._pending) + len(self._wanted) + len(self._later)

    def open(self, session: Session, after_s: float = 0.0) -> None:
        """Open a session, now or later, as soon as there is room among the pending ones."""
        if after_s > 0:
            self._counter += 1
            heapq.heappush(self._later, (time.monotonic() + after_s, self._counter, session))
        else:
            self._wanted.append(session)

    def turn(self, wait_s: float) -> None:
        """Write what waits, wait for the sockets at most so long, read what came, and connect who may."""
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            self._wanted.append(heapq.heappop(self._later)[2])
        while self._wanted and len(self._pending) < MAX_PENDING:
            self._connect(self._wanted.popleft())
        self._flush()
        if not self._sockets:
            time.sleep(wait_s)
            return
        for key, events in self._selector.select(wait_s):
            session: Session = key.data
            if events & selectors.EVENT_WRITE:
                self._writable(session)
            if events & selectors.EVENT_READ and session._sock is not None:
                self._readable(session)
        if now >= self._look_at:
            self._look_at = now + _LOOK_S
            self._look_around(now)
        self._flush()

    def close(self) -> None:
        """Cut whatever is open, and let go of the selector."""
        self._wanted.clear()
        self._later.clear()
        for session in list(self._sockets):
            session.cut()
        self._selector.close()

    def drop(self, session: Session, reason: str) -> None:
        """End a connection; nothing of it is kept."""
        sock = session._sock
        if sock is None:
            return
        self._selector.unregister(sock)
        sock.close()
        self._sockets.discard(session)
        self._pending.discard(session)
        session._sock = None
        session.open = False
        session._in = b""
        session._out.clear()
        session._queue = None
        session._unacknowledged = 0
        session.owner.closed(reason)

    def flush_last(self, session: Session) -> None:
        """Write the last words of a session and wait a moment for the broker to close.

        A socket that is closed with unread bytes resets the connection, and the last words would be lost with it.
        """
        sock = session._sock
        if sock is not None:
            sock.settimeout(_LAST_WORDS_S)
            try:
                sock.sendall(b"".join(session._out))
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(_READ_BYTES):
                    pass
            except OSError:
                return

    # ---- connecting --------------------------------------------------------------------------------------------------

    def _connect(self, session: Session) -> None:
        frame = session.owner.connect_frame() if session._sock is None else b""
        if not frame:
            return
        family, kind, protocol, _, address = self._address
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._choose_source(sock)
        code = sock.connect_ex(address)
        session._sock = sock
        session._asked_at = session._wrote_at = time.monotonic()
        self._sockets.add(session)
        self._pending.add(session)
        session._out.append(frame)
        self._selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, session)
        if code not in (0, 115, 36, 10035):  # EINPROGRESS of Linux and macOS, WSAEWOULDBLOCK
            self.losses += 1
            self.drop(session, f"connect: error {code}")

    def _choose_source(self, sock: socket.socket) -> None:
        block = len(self._sockets) // SOURCE_PORTS
        if block and sys.platform == "linux" and str(self._address[4][0]).startswith("127."):
            sock.setsockopt(socket.IPPROTO_IP, _BIND_NO_PORT, 1)
            sock.bind((f"127.0.{block}.1", 0))

    def _entered(self, session: Session, body: bytes) -> None:
        self._pending.discard(session)
        if len(body) < 2 or body[1] != 0:
            self.refusals += 1
            self.drop(session, f"refused: code {body[1] if len(body) > 1 else -1}")
            return
        self.connects += 1
        session.open = True
        session.owner.opened()

    # ---- reading and writing -----------------------------------------------------------------------------------------

    def _flush(self) -> None:
        dirty, self.dirty = self.dirty, []
        for session in dirty:
            if session._sock is not None and session._out and session not in self._pending:
                self._send(session)

    def _send(self, session: Session) -> None:
        sock = session._sock
        if sock is None:
            return
        data = session._out[0] if len(session._out) == 1 else b"".join(session._out)
        try:
            sent = sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._lost(session, f"send: {error}")
            return
        session._wrote_at = time.monotonic()
        session._asked_at = session._asked_at or session._wrote_at
        if sent == len(data):
            session._out.clear()
        else:
            session._out[:] = [data[sent:]]
            self._selector.modify(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, session)

    def _writable(self, session: Session) -> None:
        self._send(session)
        if session._sock is not None and not session._out:
            self._selector.modify(session._sock, selectors.EVENT_READ, session)

    def _readable(self, session: Session) -> None:
        sock = session._sock
        if sock is None:
            return
        try:
            data = sock.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lost(session, f"recv: {error}")
            return
        if not data:
            self._lost(session, "the broker closed the connection")
            return
        session._asked_at = 0.0
        try:
            packets, session._in = frames.split(session._in + data if session._in else data)
        except ValueError as error:
            self._lost(session, str(error))
            return
        self._act(session, packets)

    def _act(self, session: Session, packets: Iterable[tuple[int, bytes]]) -> None:
        for first, body in packets:
            kind = first >> 4
            if kind == frames.PUBACK:
                session._acknowledged()
            elif kind == frames.PUBLISH:
                topic, packet, payload = frames.content(first, body)
                if packet:
                    session._write(frames.puback(packet))
                session.owner.heard(topic, payload)
            elif kind == frames.CONNACK:
                self._entered(session, body)
            if session._sock is None:
                return

    def _lost(self, session: Session, reason: str) -> None:
        self.losses += 1
        self.drop(session, reason)

    def _look_around(self, now: float) -> None:
        """Ping who has been silent; give up a connection whose broker has not answered for a keep-alive."""
        silent = now - self.keepalive_s * 0.75
        dead = now - self.keepalive_s
        for session in list(self._sockets):
            if 0.0 < session._asked_at < dead:
                self._lost(session, "no answer")
            elif session.open and session._wrote_at < silent:
                session._write(frames.PINGREQ_FRAME)
