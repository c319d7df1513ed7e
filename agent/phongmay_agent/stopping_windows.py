"""Ctrl-C on Windows: select does not return for it by itself, but a socket under signal.set_wakeup_fd makes it.

Python then raises KeyboardInterrupt, which the agent takes as the wish to stop.
"""

from __future__ import annotations

import signal
import socket


def listen(writer: socket.socket) -> None:
    """Let Ctrl-C wake the agent up."""
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)


def ignore() -> None:
    """Listen no longer."""
    signal.set_wakeup_fd(-1)
