"""Sends one answer of any length over a non-blocking socket and closes it; a reader that stalls is given up."""

from __future__ import annotations

import socket
import time

from phongmay_bandwidth.loop import Loop

_PATIENCE_S = 20.0


def send_and_close(loop: Loop, sock: socket.socket, data: bytes) -> None:
    """Send all of it, then close."""
    rest = memoryview(data)

    def close() -> None:
        loop.forget(sock)
        sock.close()

    def writable() -> None:
        nonlocal rest
        try:
            rest = rest[sock.send(rest) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            rest = rest[:0]
        if not rest:
            timer.cancel()
            close()

    timer = loop.call_at(time.perf_counter() + _PATIENCE_S, close)
    loop.watch(sock, write=writable)
