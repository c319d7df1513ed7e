"""When a person last used a Linux PC, as far as other programs may know: input at text terminals, as `w` shows it.

A graphical session keeps its input to itself, so an old time says nothing there: only a recent one is given.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

RECENT_S = 600.0


def idle_s(terminals: Iterable[Path] | None = None) -> float | None:
    """Give the seconds since the last input at a terminal where somebody is logged in; None when that is long ago.

    Args:
        terminals: device files; those of the logged-in sessions if not given.
    """
    if terminals is None:
        terminals = [Path("/dev") / user.terminal for user in psutil.users() if user.terminal]
    idle = []
    for terminal in terminals:
        with contextlib.suppress(OSError):
            idle.append(max(0.0, time.time() - terminal.stat().st_atime))
    return min((seconds for seconds in idle if seconds < RECENT_S), default=None)
