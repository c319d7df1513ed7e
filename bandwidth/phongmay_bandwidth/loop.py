"""One thread's event loop: sockets that are ready and moments that have come call their functions.

Smaller than asyncio on purpose: the hot path of server and participant is one `recv_into` or `send` an event, without
transports or copies. Errors of a callback are the callback's own to catch; `stop` and `wake` may be called from any
thread. Moments are those of `time.perf_counter`: it never jumps either, and on Windows it is far finer than
`time.monotonic`, whose 16 ms steps would be the error of every clock and bin.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import selectors
import socket
import time
from collections.abc import Callable
from typing import Any

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE
_LONGEST_WAIT_S = 60.0

Callback = Callable[[], None]


class Timer:
    """A call in the future that can be taken back."""

    __slots__ = ("call", "cancelled")

    def __init__(self, call: Callback) -> None:
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        """Take it back."""
        self.cancelled = True


class Loop:
    """Sockets and timers of one thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._count = itertools.count()
        self._reader, self._writer = socket.socketpair()
        for end in (self._reader, self._writer):
            end.setblocking(False)
        self._selector.register(self._reader, READ, (self._drain, None))
        self._stopped = False

    def watch(self, sock: socket.socket, *, read: Callback | None = None, write: Callback | None = None) -> None:
        """Call these functions while the socket is readable or writable; replaces what was watched before."""
        events = (READ if read else 0) | (WRITE if write else 0)
        known = sock.fileno() in self._selector.get_map()
        if not events:
            self.forget(sock)
        elif known:
            self._selector.modify(sock, events, (read, write))
        else:
            self._selector.register(sock, events, (read, write))

    def forget(self, sock: socket.socket) -> None:
        """Watch the socket no longer."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(sock)

    def call_at(self, moment: float, call: Callback) -> Timer:
        """Call a function at a moment of `time.perf_counter`."""
        timer = Timer(call)
        heapq.heappush(self._timers, (moment, next(self._count), timer))
        return timer

    def run(self) -> None:
        """Run until `stop`, which may have come before."""
        while not self._stopped:
            for key, mask in self._selector.select(self._wait_s()):
                callbacks: Any = key.data
                if mask & READ and callbacks[0] is not None:
                    callbacks[0]()
                if mask & WRITE and callbacks[1] is not None and key.fd in self._selector.get_map():
                    callbacks[1]()
            self._call_due()

    def _wait_s(self) -> float:
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        if not self._timers:
            return _LONGEST_WAIT_S
        return min(_LONGEST_WAIT_S, max(0.0, self._timers[0][0] - time.perf_counter()))

    def _call_due(self) -> None:
        now = time.perf_counter()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            if not timer.cancelled:
                timer.call()

    def stop(self) -> None:
        """End `run`; from any thread."""
        self._stopped = True
        self.wake()

    def wake(self) -> None:
        """Let `run` look at its timers again; from any thread."""
        with contextlib.suppress(BlockingIOError, OSError):
            self._writer.send(b"\0")

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(64):
                pass

    def close(self) -> None:
        """Give the selector and the waking sockets back."""
        self._selector.close()
        self._reader.close()
        self._writer.close()
