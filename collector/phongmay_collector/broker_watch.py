"""Tells Mosquitto to read its files again: `python -m phongmay_collector.broker_watch PID FILE...`.

In: the process number of Mosquitto (of whom this is a child) and files. Out: SIGHUP at the start and after
each change of a file, until that process is gone. `phongmay broker run --watch` starts it, for a collector that cannot
reach Mosquitto's process: in containers, or as another user. Standard library and psutil only: it stays small.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

_LOOK_S = 1.0
_CAUGHT = re.compile(r"^SigCgt:\s*([0-9a-f]+)$", re.MULTILINE)


def hang_up(pid_file: Path) -> bool:
    """Tell a running Mosquitto to read its files again; False when none runs (a stale number is no Mosquitto)."""
    try:
        return _tell(int(pid_file.read_text("ascii")))
    except (OSError, ValueError):
        return False


def _tell(pid: int) -> bool:
    try:
        if psutil.Process(pid).name() != "mosquitto" or not _is_ready(pid):
            return False
        os.kill(pid, signal.SIGHUP)
    except (OSError, ValueError, psutil.Error):
        return False
    return True


def _is_ready(pid: int) -> bool:
    """Tell whether a process catches SIGHUP yet: one that is only starting would be ended by it."""
    try:
        found = _CAUGHT.search(Path(f"/proc/{pid}/status").read_text("ascii", "replace"))
    except FileNotFoundError:  # no Linux
        return True
    return found is None or bool(int(found[1], 16) >> (signal.SIGHUP - 1) & 1)


def watch(mosquitto: int, files: Sequence[Path], look_s: float = _LOOK_S) -> None:
    """Watch until Mosquitto is gone; what cannot be told now is told at the next look."""
    told: object = None  # so the first look tells: a file may have changed while Mosquitto read it
    while os.getppid() == mosquitto:
        present = [_stamp(file) for file in files]
        if present != told and _tell(mosquitto):
            told = present
        time.sleep(look_s)


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


if __name__ == "__main__":
    watch(int(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
