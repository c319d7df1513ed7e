"""Latency, ten times a second: UDP echoes of the session, or questions on the control connection where UDP is blocked.

Moments and answers go in, round trips by phase (idle, down, up) come out. Nothing can go wrong but silence.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Sequence

from phongmay_bandwidth.loop import Loop

_NUMBER = struct.Struct("!Q")
_UNANSWERED = 5
"""So many idle echoes without any answer: UDP does not get through."""


class Echo:
    """Round trips of one run."""

    def __init__(self, loop: Loop, host: str, port: int, session: bytes, ask: Callable[[int], None]) -> None:
        """Prepare.

        Args:
            loop: whose thread this is.
            host: the server.
            port: its UDP port.
            session: what makes the server answer.
            ask: asks over the control connection instead, with a number that comes back.
        """
        self._loop = loop
        self._session = session
        self._ask = ask
        self._sent: dict[int, tuple[float, str]] = {}
        self._trips: dict[str, list[float]] = {}
        self._count: dict[str, int] = {}
        self._number = 0
        self._by_udp = True
        self._heard = False
        self._sock: socket.socket | None = None
        with contextlib.suppress(OSError):
            family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            self._sock = socket.socket(family, kind)
            self._sock.setblocking(False)
            self._sock.connect(address)
            loop.watch(self._sock, read=self._readable)

    def send(self, phase: str) -> None:
        """Send one echo; its round trip counts for this phase."""
        self._number += 1
        if self._by_udp and not self._heard and self._number > _UNANSWERED:
            self._by_udp = False
            self._sent.clear()
            self._count.clear()
        self._sent[self._number] = time.perf_counter(), phase
        self._count[phase] = self._count.get(phase, 0) + 1
        if self._by_udp and self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.send(self._session + _NUMBER.pack(self._number))
        else:
            self._by_udp = False
            self._ask(self._number)

    def answered(self, number: int, at: float) -> None:
        """An answer came."""
        found = self._sent.pop(number, None)
        if found is not None:
            self._trips.setdefault(found[1], []).append(at - found[0])

    def _readable(self) -> None:
        assert self._sock is not None  # noqa: S101 # only its own readiness calls this
        with contextlib.suppress(OSError):
            while len(data := self._sock.recv(256)) >= len(self._session) + _NUMBER.size:
                self._heard = True
                (number,) = _NUMBER.unpack_from(data, len(self._session))
                self.answered(number, time.perf_counter())

    def quantiles(self, phase: str) -> tuple[float | None, float | None]:
        """Give median and 95th percentile of a phase."""
        trips = sorted(self._trips.get(phase, ()))
        return quantile(trips, 0.5), quantile(trips, 0.95)

    def loss_ratio(self, *phases: str) -> float | None:
        """Give the share of echoes without an answer; over the control connection nothing is ever lost."""
        sent = sum(self._count.get(phase, 0) for phase in phases)
        if not sent or not self._by_udp:
            return None
        return 1 - sum(len(self._trips.get(phase, ())) for phase in phases) / sent

    def close(self) -> None:
        """Give the socket back."""
        if self._sock is not None:
            self._loop.forget(self._sock)
            self._sock.close()


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Give a quantile of ordered values (nearest rank), None without values."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]
