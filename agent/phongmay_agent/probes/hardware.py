"""The probe `hardware`: what this machine is. It reads anew when asked, chooses the reader of this system.

Linux and Windows have their own readers; elsewhere psutil tells processor and memory, and the rest is absent.
"""

from __future__ import annotations

import platform
import sys

import psutil

from phongmay_agent.probes import hardware_linux, hardware_windows
from phongmay_agent.probes.base import present
from phongmay_agent.probes.roots import Roots
from phongmay_contract.catalogue import Cadence
from phongmay_contract.envelope import Group


class HardwareProbe:
    """Processor, memory, board, firmware, operating system, disks and fingerprint."""

    name = "hardware"
    cadence = Cadence.CHANGE
    gives = ("hardware", "disk")

    def __init__(self, roots: Roots) -> None:
        self._roots = roots

    def measure(self) -> list[Group]:
        """Read the record now."""
        if sys.platform == "linux":
            return hardware_linux.read(self._roots)
        if sys.platform == "win32":
            return hardware_windows.read_live()
        return [Group("hardware", _generic())]


def _generic() -> dict[str, int | float | bool | str]:
    return present(
        cpu_arch=platform.machine(),
        cpu_cores=psutil.cpu_count(logical=False),
        cpu_threads=psutil.cpu_count(),
        memory_bytes=psutil.virtual_memory().total,
        os_family=sys.platform,
        os_id=sys.platform,
        os_version=platform.mac_ver()[0] or platform.release(),
        os_name=platform.system(),
        os_build=platform.release(),
    )
