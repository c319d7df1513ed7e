"""The machine's two clocks: nothing goes in, an Instant comes out. Nothing can go wrong.

The wall clock of a school PC may stand in 2009, so everything that must be right counts on the monotonic clock, and
that one has to count sleep too: CLOCK_BOOTTIME on Linux; on Windows time.monotonic does (GetTickCount64). On macOS it
does not, so there a laptop's time of measuring is late by the time it slept since its last live message.
"""

from __future__ import annotations

import sys
import time
from typing import Protocol

import psutil

from phongmay_contract.envelope import Instant


class Clock(Protocol):
    """What the agent asks for the time; tests bring their own."""

    def mono(self) -> float:
        """Give seconds on a clock that never jumps; its zero has no meaning."""
        ...

    def now(self) -> Instant:
        """Give this moment on both clocks."""
        ...

    def uptime(self) -> float:
        """Give the seconds since the machine started."""
        ...


class SystemClock:
    """The clocks of this machine."""

    if sys.platform == "linux":

        def mono(self) -> float:
            """Give the seconds since the machine started, sleep included."""
            return time.clock_gettime(time.CLOCK_BOOTTIME)

        def uptime(self) -> float:
            """Give the same: this clock's zero is the start of the machine."""
            return self.mono()

    else:

        def mono(self) -> float:
            """Give the seconds of Python's monotonic clock."""
            return time.monotonic()

        def uptime(self) -> float:
            """Give the seconds since the start that the system remembers; never below zero if its clock was set."""
            return max(0.0, time.time() - psutil.boot_time())

    def now(self) -> Instant:
        """Give this moment on both clocks."""
        return Instant(time.time(), self.mono())
