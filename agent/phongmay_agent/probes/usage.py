"""The probe `usage`: how much of processor, memory and disks is in use. A counter that the system lacks is left out."""

from __future__ import annotations

import os
import sys

import psutil

from phongmay_agent.probes.base import present
from phongmay_agent.probes.disks_linux import physical_disks
from phongmay_agent.probes.roots import Roots
from phongmay_contract.catalogue import Cadence, Value
from phongmay_contract.envelope import Group

_LEAST_SPAN_S = 0.2
"""Processor seconds under which a share would be noise."""


class UsageProbe:
    """Remembers the processor's counters of the last round."""

    name = "usage"
    cadence = Cadence.ROUND
    gives = ("usage",)

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._last = _processor_seconds()

    def measure(self) -> list[Group]:
        """Measure now; processor use is that since the last round."""
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        volume = psutil.disk_usage(os.environ.get("SYSTEMDRIVE", "C:") + "\\" if sys.platform == "win32" else "/")
        values = present(
            cpu_busy_ratio=self._busy(),
            memory_available_bytes=memory.available,
            memory_used_bytes=memory.used,
            swap_used_bytes=swap.used,
            system_volume_bytes=volume.total,
            system_volume_free_bytes=volume.free,
            **self._disk_counters(),
        )
        return [Group("usage", values)]

    def _busy(self) -> float | None:
        now = _processor_seconds()
        idle, total = (after - before for before, after in zip(self._last, now, strict=True))
        self._last = now
        # A processor that went offline takes its seconds with it, so a share may come out impossible: unknown then.
        return round(1 - idle / total, 4) if total >= _LEAST_SPAN_S and 0 <= idle <= total else None

    def _disk_counters(self) -> dict[str, Value | None]:
        counters = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
        if sys.platform == "linux":  # elsewhere psutil lists physical disks only
            names = {disk.name for disk in physical_disks(self._roots)}
            counters = {name: values for name, values in counters.items() if name in names}
        if not counters:
            return {}
        return {
            "disk_read_bytes": sum(values.read_bytes for values in counters.values()),
            "disk_written_bytes": sum(values.write_bytes for values in counters.values()),
        }


def _processor_seconds() -> tuple[float, float]:
    """Give (idle, total) seconds of all processors; on Linux guest time is in user time already."""
    times = psutil.cpu_times()._asdict()
    total = sum(seconds for name, seconds in times.items() if name not in ("guest", "guest_nice"))
    return times["idle"] + times.get("iowait", 0.0), total
