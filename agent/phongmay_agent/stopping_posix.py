"""SIGTERM and SIGINT on Linux and macOS: each writes its number into a socket (signal.set_wakeup_fd)."""

from __future__ import annotations

import signal
import socket

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def listen(writer: socket.socket) -> None:
    """Let the signals write into a non-blocking socket instead of ending the process."""
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)


def ignore() -> None:
    """Give the signals back their usual meaning."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
