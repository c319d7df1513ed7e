"""What a bandwidth test asks the PC: unknown stays unknown, old input at a terminal says nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from phongmay_agent import input_linux
from phongmay_agent.input_windows import elapsed_s
from phongmay_agent.machine import SystemMachine


def test_recent_input_at_a_terminal_is_seen_and_old_one_says_nothing(tmp_path: Path) -> None:
    """A graphical session leaves its terminal untouched, so a long silence there is no proof of absence."""
    used, old = tmp_path / "used", tmp_path / "old"
    for path, seconds in ((used, 30.0), (old, 7200.0)):
        path.touch()
        os.utime(path, (time.time() - seconds, time.time()))
    assert input_linux.idle_s([used, old, tmp_path / "gone"]) == pytest.approx(30, abs=2)
    assert input_linux.idle_s([old]) is None
    assert input_linux.idle_s([]) is None


def test_windows_counters_wrap() -> None:
    """The 32-bit counter of milliseconds begins anew after 49.7 days."""
    assert elapsed_s(5_000, 2_000) == 3.0
    assert elapsed_s(1_000, 2**32 - 1_000) == 2.0


def test_the_real_machine_answers_in_the_right_form() -> None:
    """Counters grow, shares lie between 0 and 1, and the first look at the processor is unknown."""
    machine = SystemMachine()
    assert machine.cpu_busy_ratio() is None
    time.sleep(0.15)
    busy = machine.cpu_busy_ratio()
    assert busy is None or 0 <= busy <= 1
    counters = machine.interface_bytes()
    assert counters is None or min(counters) >= 0
    assert machine.on_battery() in (True, False, None)
    medium, speed = machine.link()
    assert medium in ("wired", "wireless", "unknown")
    assert speed is None or speed > 0
