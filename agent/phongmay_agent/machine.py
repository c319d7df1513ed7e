"""This PC as a bandwidth test asks about it: interface counters, battery, processor, link, and a person's last input.

Nothing goes in; numbers come out, None where the system does not tell. When a person last used the PC is known on
Windows in a desktop session, on Linux for text terminals only (a graphical session hides it from other programs), and
nowhere else; no names of users or terminals leave this file.
"""

from __future__ import annotations

import sys

import psutil

from phongmay_agent.probes.link import interface_states
from phongmay_agent.probes.roots import Roots


class SystemMachine:
    """The real PC."""

    def __init__(self, roots: Roots | None = None) -> None:
        self._roots = roots or Roots()
        self._times: tuple[float, float] | None = None

    def interface_bytes(self) -> tuple[int, int] | None:
        """Give bytes received and sent by all interfaces but the loopback, since start."""
        counters = [
            found
            for name, found in psutil.net_io_counters(pernic=True, nowrap=False).items()
            if not name.lower().startswith(("lo", "loopback"))
        ]
        if not counters:
            return None
        return sum(found.bytes_recv for found in counters), sum(found.bytes_sent for found in counters)

    def input_idle_s(self) -> float | None:
        """Give the seconds since a person last used keyboard or mouse."""
        if sys.platform == "win32":
            from phongmay_agent import input_windows

            return input_windows.idle_s()
        if sys.platform == "linux":
            from phongmay_agent import input_linux

            return input_linux.idle_s()
        return None

    def on_battery(self) -> bool | None:
        """Tell whether it runs on its battery."""
        battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
        return None if battery is None or battery.power_plugged is None else not battery.power_plugged

    def cpu_busy_ratio(self) -> float | None:
        """Give the share of processor time in use since the last call."""
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        before, self._times = self._times, (total, idle)
        if before is None or total <= before[0]:
            return None
        return min(1.0, max(0.0, 1 - (idle - before[1]) / (total - before[0])))

    def link(self) -> tuple[str, int | None]:
        """Give medium and speed of the interface to the Internet, else of the first that is up."""
        states = interface_states(self._roots)
        for item in sorted(states, key=lambda item: (not item.is_default_route, not item.is_up)):
            return item.medium, item.speed_bps
        return "unknown", None
