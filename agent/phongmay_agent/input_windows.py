"""When a person last used a Windows PC: GetLastInputInfo, which speaks of the own session only.

In session 0, where services run, it would speak of nobody: None.
"""

from __future__ import annotations

import ctypes
import os
import sys


class _LastInput(ctypes.Structure):
    _fields_ = (("size", ctypes.c_uint32), ("time", ctypes.c_uint32))


def idle_s() -> float | None:
    """Give the seconds since the last input of this session."""
    if sys.platform != "win32":
        return None
    kernel, user = ctypes.windll.kernel32, ctypes.windll.user32
    session = ctypes.c_uint32()
    if not kernel.ProcessIdToSessionId(os.getpid(), ctypes.byref(session)) or session.value == 0:
        return None
    last = _LastInput(ctypes.sizeof(_LastInput), 0)
    if not user.GetLastInputInfo(ctypes.byref(last)):
        return None
    return elapsed_s(int(kernel.GetTickCount()) & 0xFFFFFFFF, last.time)


def elapsed_s(now_ms: int, then_ms: int) -> float:
    """Give the seconds between two 32-bit counters of milliseconds, which wrap every 49.7 days."""
    return ((now_ms - then_ms) & 0xFFFFFFFF) / 1000
