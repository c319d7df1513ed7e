"""A connection before it is admitted, and the control connection after: lines of text, bounded and timed.

`Greeting` reads the first line (protocol word and ticket) and hands over or turns away. `Control` answers clock
questions, hears the participant's "bye <reason>" and carries the server's words "stop <direction> <seconds>" and
"abort". Nothing that comes in raises.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

from phongmay_bandwidth import PROTOCOL
from phongmay_bandwidth.loop import Loop
from phongmay_bandwidth.ticket import MAX_TICKET_CHARS

MAX_LINE = MAX_TICKET_CHARS + 64
_MAX_CONTROL_LINE = 200
_QUESTIONS_A_SECOND = 100
_MAX_REASON = 40


class Greeting:
    """Waits for the first line of a connection."""

    def __init__(
        self, loop: Loop, sock: socket.socket, source: str, done: Callable[[Greeting, str | None], None]
    ) -> None:
        """Begin.

        Args:
            loop: whose thread this is.
            sock: just accepted.
            source: address from which it came.
            done: gets the text of the ticket, None if there will be none.
        """
        self.sock = sock
        self.source = source
        self._loop = loop
        self._done = done
        self._got = b""
        loop.watch(sock, read=self._readable)

    def _readable(self) -> None:
        try:
            data = self.sock.recv(MAX_LINE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        self._got += data
        line, newline, _ = self._got.partition(b"\n")
        if newline:
            word, _, ticket = line.decode("ascii", "replace").strip().partition(" ")
            self._done(self, ticket if word == PROTOCOL else None)
        elif not data or len(self._got) > MAX_LINE:
            self._done(self, None)


class Control:
    """An admitted control connection."""

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        now: Callable[[], float],
        ended: Callable[[], None],
        gave_way: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._now = now
        self._ended = ended
        self._gave_way = gave_way
        self._got = b""
        self._second = 0
        self._asked = 0
        self.is_open = True
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop.watch(sock, read=self._readable)

    def tell(self, line: str) -> None:
        """Send a line; a participant that reads nothing loses it, and then the connection."""
        try:
            self._sock.send(line.encode() + b"\n")
        except (BlockingIOError, OSError):
            self.close()

    def _readable(self) -> None:
        received = self._now()
        try:
            data = self._sock.recv(1024)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        *lines, self._got = (self._got + data).split(b"\n")
        if len(self._got) > _MAX_CONTROL_LINE:
            self.close()
            return
        for line in lines:
            self._answer(line, received)

    def _answer(self, line: bytes, received: float) -> None:
        """Answer `t <stamp>` with the stamp and the server's time of receiving and of sending; hear `bye <reason>`."""
        if line.startswith(b"bye ") and self.is_open:
            self._gave_way(line[4:].decode("ascii", "replace").strip()[:_MAX_REASON])
            return
        if not line.startswith(b"t ") or len(line) > _MAX_CONTROL_LINE or not self.is_open:
            return
        if int(received) != self._second:
            self._second, self._asked = int(received), 0
        self._asked += 1
        if self._asked <= _QUESTIONS_A_SECOND:
            self.tell(f"{line.decode('ascii', 'replace')} {received:.6f} {self._now():.6f}")

    def close(self) -> None:
        """End it."""
        if self.is_open:
            self.is_open = False
            self._loop.forget(self._sock)
            self._sock.close()
            self._ended()
