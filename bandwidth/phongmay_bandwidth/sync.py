"""How far this PC's monotonic clock is from the server's true UTC: 8 round trips, the fastest is kept.

The error is at most half of that round trip, and half of what the two ways differ by.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

ROUNDS = 8
_REST_S = 0.02
_MAX_LINE = 300


class SyncError(Exception):
    """The server gave no usable times."""


@dataclass(frozen=True, slots=True)
class Offset:
    """True UTC is `time.perf_counter() + seconds`; `rtt_s` is the round trip that told so."""

    seconds: float
    rtt_s: float


def offset_of(sent: float, server_received: float, server_sent: float, received: float) -> Offset:
    """Work out one round trip: own monotonic times outside, the server's times inside."""
    rtt = (received - sent) - (server_sent - server_received)
    return Offset(((server_received - sent) + (server_sent - received)) / 2, max(0.0, rtt))


def find_offset(sock: socket.socket) -> Offset:
    """Ask over an admitted control connection (blocking).

    Raises:
        SyncError: it answers nothing usable.
    """
    offsets = []
    try:
        for index in range(ROUNDS):
            sent = time.perf_counter()
            sock.sendall(b"t %d\n" % index)
            line = _line(sock)
            received = time.perf_counter()
            word, stamp, server_received, server_sent = line.split()
            if word != b"t" or int(stamp) != index:
                raise SyncError("an answer to something else")
            offsets.append(offset_of(sent, float(server_received), float(server_sent), received))
            time.sleep(_REST_S)
    except (OSError, ValueError) as error:
        raise SyncError(str(error)) from None
    return min(offsets, key=lambda offset: offset.rtt_s)


def _line(sock: socket.socket) -> bytes:
    got = b""
    while not got.endswith(b"\n"):
        part = sock.recv(_MAX_LINE)
        if not part or len(got) > _MAX_LINE:
            raise SyncError("the connection ended")
        got += part
    return got
