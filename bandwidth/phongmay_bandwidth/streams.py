"""The participant's ends of the measured connections: DownStream receives, UpStream sends.

An admitted socket goes in, cumulative bytes come out. A connection that breaks before its end says so in `broken`.
"""

from __future__ import annotations

import socket
import time
from abc import ABC, abstractmethod

from phongmay_bandwidth import tcp
from phongmay_bandwidth.loop import Loop
from phongmay_bandwidth.pacing import Bucket

START = b"g"
RECEIVE_BYTES = 256 * 1024
SEND = memoryview(bytes(64 * 1024))
_EVENTS = 4
_AHEAD_S = 1.0


class Stream(ABC):
    """What both directions share.

    Attributes:
        broken: it ended although nobody here ended it.
    """

    def __init__(self, loop: Loop, sock: socket.socket, byte_cap: int) -> None:
        self.broken = False
        self._loop = loop
        self._sock = sock
        self._byte_cap = byte_cap
        self._open = True
        sock.setblocking(False)

    @abstractmethod
    def begin(self, rate_bps: float) -> None:
        """Begin now."""

    @abstractmethod
    def passed(self) -> int:
        """Give the bytes that the other end of the way has, as far as this system knows."""

    def on_wire(self) -> int:
        """Give the bytes that were received from or put on the wire."""
        return self.passed()

    def end(self) -> None:
        """End it; what is still queued is thrown away."""
        if self._open:
            self._open = False
            self._loop.forget(self._sock)
            tcp.cut(self._sock)

    def _broke(self) -> None:
        self.broken = True
        self.end()


class DownStream(Stream):
    """Receives into one buffer that all streams share."""

    def __init__(self, loop: Loop, sock: socket.socket, byte_cap: int, buffer: memoryview) -> None:
        super().__init__(loop, sock, byte_cap)
        self._buffer = buffer
        self._received = 0

    def begin(self, rate_bps: float) -> None:
        """Ask the server to send."""
        try:
            self._sock.send(START)
        except OSError:
            self._broke()
            return
        self._loop.watch(self._sock, read=self._readable)

    def _readable(self) -> None:
        for _ in range(_EVENTS):
            try:
                count = self._sock.recv_into(self._buffer)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                count = 0
            if not count:
                self._broke()
                return
            self._received += count
            if count < len(self._buffer):
                break
        if self._received >= self._byte_cap:
            self.end()

    def passed(self) -> int:
        """Give the bytes received."""
        return self._received


class UpStream(Stream):
    """Sends, paced by the kernel (by a token bucket where it cannot), or as fast as TCP takes it.

    The kernel keeps the pace while a busy PC does not get round to this program: up to a second waits with it.

    Attributes:
        is_written: the system tells no acknowledgements; `passed` is what was written.
        retransmitted: payload that was sent again; None where the system does not tell.
    """

    def __init__(self, loop: Loop, sock: socket.socket, byte_cap: int, *, kernel_paces: bool = True) -> None:
        super().__init__(loop, sock, byte_cap)
        self._kernel_paces = kernel_paces
        tcp.set_congestion_control(sock)
        info = tcp.tcp_info(sock)
        self.is_written = info is None
        self.retransmitted: int | None = None
        self._base_acked = info.acked_bytes if info else 0
        self._base_sent = info.sent_bytes if info else 0
        self._written = 0
        self._passed = 0
        self._on_wire = 0
        self._bucket: Bucket | None = None

    def begin(self, rate_bps: float) -> None:
        """Send from now on."""
        if rate_bps and not (self._kernel_paces and tcp.set_pacing(self._sock, rate_bps, _AHEAD_S)):
            self._bucket = Bucket(rate_bps, time.perf_counter())
        self._watch()

    def _watch(self) -> None:
        if self._open:
            self._loop.watch(self._sock, write=self._writable)

    def _writable(self) -> None:
        for _ in range(_EVENTS):
            allowed = min(len(SEND), self._byte_cap - self._written)
            if allowed <= 0:
                self._loop.forget(self._sock)
                return
            if self._bucket is not None:
                allowed = min(allowed, self._bucket.take(time.perf_counter()))
                if allowed <= 0:
                    self._loop.forget(self._sock)
                    self._loop.call_at(self._bucket.next_at(), self._watch)
                    return
            try:
                count = self._sock.send(SEND[:allowed])
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._broke()
                return
            self._written += count
            if self._bucket is not None:
                self._bucket.spent(count)
            if count < allowed:
                return

    def passed(self) -> int:
        """Give the bytes acknowledged, or written where the system does not tell."""
        self._look()
        return self._passed

    def on_wire(self) -> int:
        """Give the bytes put on the wire, or written where the system does not tell."""
        return self._on_wire

    def _look(self) -> None:
        info = tcp.tcp_info(self._sock) if self._open else None
        if info is not None:
            self._passed = info.acked_bytes - self._base_acked
            self._on_wire = info.sent_bytes - self._base_sent
            self.retransmitted = info.retransmitted_bytes
        elif self.is_written:
            self._passed = self._on_wire = self._written

    def end(self) -> None:
        """End it, keeping the last figures."""
        if self._open:
            self._look()
        super().end()
