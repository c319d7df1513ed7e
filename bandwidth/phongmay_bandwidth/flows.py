"""The server's ends of the measured connections: DownFlow sends, UpFlow receives; both keep what passed when.

An admitted socket and its ticket go in, samples and a ConnectionReport come out. Nothing that the other side does
raises: a broken connection ends its flow with the reason "peer". Rate, bytes and time are bounded by the ticket.
"""

from __future__ import annotations

import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from phongmay_bandwidth import tcp
from phongmay_bandwidth.loop import Loop
from phongmay_bandwidth.pacing import Bucket
from phongmay_bandwidth.report import ConnectionReport
from phongmay_bandwidth.series import Series
from phongmay_bandwidth.ticket import Purpose, Ticket

SEND = memoryview(bytes(256 * 1024))
"""What is sent: nothing compresses on a plain TCP way, so its content does not matter."""
_SENDS_AN_EVENT = 4
_RECEIVES_AN_EVENT = 4
_EARLY_S = 0.1
_RATE_LEEWAY = 1.25
"""An upload may be so much faster than its ticket's rate before the server reads it more slowly."""
START = b"g"


class Flow(ABC):
    """What both directions share.

    Attributes:
        ticket: what the connection may do.
        source: address from which it came.
        started_at: the server's time of the first byte asked for or received, 0 before.
        ended_at: when it ended, 0 before.
        stop_reason: why; "open" before.
        series: bytes over the server's time.
    """

    counter = ""

    def __init__(self, loop: Loop, sock: socket.socket, ticket: Ticket, source: str, now: Callable[[], float]) -> None:
        self.ticket = ticket
        self.source = source
        self.started_at = 0.0
        self.ended_at = 0.0
        self.stop_reason = "open"
        self.series = Series()
        self.paced = ""
        self._loop = loop
        self._sock = sock
        self._now = now
        self._info: tcp.TcpInfo | None = None
        self._congestion_control = tcp.set_congestion_control(sock)

    @property
    def is_open(self) -> bool:
        """Tell whether the connection still stands."""
        return not self.ended_at

    @abstractmethod
    def sample(self, now: float) -> None:
        """Note how many bytes have passed, and end what is over its caps."""

    def end(self, reason: str) -> None:
        """End the connection."""
        if self.ended_at:
            return
        self.sample(self._now())
        self._finish(reason)

    def _finish(self, reason: str) -> None:
        self.ended_at = self._now()
        self.stop_reason = reason
        self._info = tcp.tcp_info(self._sock) or self._info
        self._loop.forget(self._sock)
        tcp.cut(self._sock)

    def _over(self, now: float, passed: int) -> str:
        """Give the cap that is reached, "" for none."""
        if passed >= self.ticket.byte_cap:
            return "byte_cap"
        return "time_cap" if now > self.ticket.start + self.ticket.time_cap_s else ""

    def report(self) -> ConnectionReport:
        """Give what was seen of it."""
        info = self._info
        return ConnectionReport(
            participant=self.ticket.participant,
            direction=self.ticket.purpose,
            stream=self.ticket.stream,
            source=self.source,
            started_at=self.started_at,
            ended_at=self.ended_at,
            stop_reason=self.stop_reason,
            bytes=self.series.total,
            bins=self.series.bins(self.ticket.start),
            congestion_control=self._congestion_control,
            paced=self.paced,
            counter=self.counter,
            retransmitted_bytes=info.retransmitted_bytes if info else None,
            rtt_s=info.rtt_s if info else None,
            min_rtt_s=info.min_rtt_s if info else None,
            rwnd_limited_s=info.rwnd_limited_s if info else None,
            sndbuf_limited_s=info.sndbuf_limited_s if info else None,
        )


class DownFlow(Flow):
    """The server sends from the participant's start byte on, but not before the ordered start."""

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        ticket: Ticket,
        source: str,
        now: Callable[[], float],
        *,
        kernel_paces: bool = True,
    ) -> None:
        super().__init__(loop, sock, ticket, source, now)
        self._written = 0
        self._base: int | None = None
        self._bucket: Bucket | None = None
        self._waits = False
        if ticket.rate_bps:
            self.paced = "kernel" if kernel_paces and tcp.set_pacing(sock, ticket.rate_bps) else "bucket"
        info = tcp.tcp_info(sock)
        self.counter = "acked" if info else "written"
        loop.watch(sock, read=self._readable)

    def _readable(self) -> None:
        try:
            data = self._sock.recv(64)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.end("peer")
        elif not self.started_at and START in data:
            self._begin()

    def _begin(self) -> None:
        now = self._now()
        self.started_at = now
        info = tcp.tcp_info(self._sock)
        self._base = info.acked_bytes if info else 0
        self.series.add(now, 0)
        early = self.ticket.start - now
        if early > _EARLY_S:
            self._loop.call_at(time.perf_counter() + early, self._go)
        else:
            self._go()

    def _go(self) -> None:
        if self.ended_at:
            return
        if self.paced == "bucket":
            self._bucket = Bucket(self.ticket.rate_bps, time.perf_counter())
        self._watch_write()

    def _watch_write(self) -> None:
        self._waits = False
        if not self.ended_at:
            self._loop.watch(self._sock, read=self._readable, write=self._writable)

    def _writable(self) -> None:
        for _ in range(_SENDS_AN_EVENT):
            allowed = min(len(SEND), self.ticket.byte_cap - self._written)
            if self._bucket is not None:
                allowed = min(allowed, self._bucket.take(time.perf_counter()))
                if allowed <= 0 and self._written < self.ticket.byte_cap:
                    self._wait_for_tokens(self._bucket)
                    return
            if allowed <= 0:
                self._loop.watch(
                    self._sock, read=self._readable
                )  # the cap is queued; sample() ends it once it is there
                return
            try:
                count = self._sock.send(SEND[:allowed])
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.end("peer")
                return
            self._written += count
            if self._bucket is not None:
                self._bucket.spent(count)
            if count < allowed:
                return

    def _wait_for_tokens(self, bucket: Bucket) -> None:
        self._loop.watch(self._sock, read=self._readable)
        if not self._waits:
            self._waits = True
            self._loop.call_at(bucket.next_at(), self._watch_write)

    def sample(self, now: float) -> None:
        """Note what the participant has acknowledged."""
        if self.ended_at:
            return
        if self.started_at:
            info = tcp.tcp_info(self._sock)
            if info is not None and self._base is not None:
                self._info = info
                self.series.add(now, max(0, info.acked_bytes - self._base))
            else:
                self.series.add(now, self._written)
        if reason := self._over(now, self.series.total):
            self._finish(reason)


class UpFlow(Flow):
    """The server receives into one buffer that all flows share; what arrives before the ordered start waits."""

    counter = "received"

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        ticket: Ticket,
        source: str,
        now: Callable[[], float],
        buffer: memoryview,
    ) -> None:
        super().__init__(loop, sock, ticket, source, now)
        self._buffer = buffer
        self._received = 0
        self._rests = False
        early = ticket.start - now() - _EARLY_S
        if early > 0:
            loop.call_at(time.perf_counter() + early, self._watch)
        else:
            self._watch()

    def _watch(self) -> None:
        self._rests = False
        if not self.ended_at:
            self._loop.watch(self._sock, read=self._readable)

    def _readable(self) -> None:
        for _ in range(_RECEIVES_AN_EVENT):
            try:
                count = self._sock.recv_into(self._buffer)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                count = 0
            if not count:
                self.end("peer")
                return
            if not self.started_at:
                self.started_at = self._now()
                self.series.add(self.started_at, 0)
            self._received += count
            if self._received >= self.ticket.byte_cap:
                self.end("byte_cap")
                return
            if count < len(self._buffer):
                break
        if self.ticket.rate_bps:
            self._slow_down()

    def _slow_down(self) -> None:
        """Read no more for a while if this is faster than the ticket allows."""
        allowed = _RATE_LEEWAY * self.ticket.rate_bps / 8
        ahead_s = (self._received - 262144) / allowed - (self._now() - self.started_at)
        if ahead_s > 0 and not self._rests:
            self._rests = True
            self._loop.forget(self._sock)
            self._loop.call_at(time.perf_counter() + min(ahead_s, 1.0), self._watch)

    def sample(self, now: float) -> None:
        """Note what has been received."""
        if self.ended_at:
            return
        if self.started_at:
            self.series.add(now, self._received)
        if reason := self._over(now, self._received):
            self._finish(reason)


def is_flow(ticket: Ticket) -> bool:
    """Tell whether a ticket is for a measured connection."""
    return ticket.purpose in (Purpose.DOWN, Purpose.UP)
