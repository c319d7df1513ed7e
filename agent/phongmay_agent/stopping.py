"""How the agent is told to stop: a socket that becomes readable, so that its select returns at once."""

from __future__ import annotations

import socket
import sys
from types import TracebackType


class Stopper:
    """A wish to stop, from a signal, a service manager or a test. Used as a context, it listens to signals."""

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)

    def stop(self) -> None:
        """Wish to stop; may be called from any thread."""
        self._writer.send(b"\0")

    def __enter__(self) -> Stopper:
        if sys.platform == "win32":
            from phongmay_agent import stopping_windows as system
        else:
            from phongmay_agent import stopping_posix as system
        system.listen(self._writer)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if sys.platform == "win32":
            from phongmay_agent import stopping_windows as system
        else:
            from phongmay_agent import stopping_posix as system
        system.ignore()
        self.reader.close()
        self._writer.close()
