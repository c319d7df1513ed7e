"""What a simulated PC measures: its role goes in, groups of the contract's catalogue come out. Nothing can go wrong."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field

from phongmay_contract.catalogue import Value
from phongmay_contract.envelope import Group, Instant
from phongmay_contract.units import GB, GIB, MBIT_PER_SECOND
from phongmay_simulate.district import Role

WRONG_CLOCK = 1_230_768_000.0
"""2009-01-01 00:00 UTC, where a PC with an empty battery wakes up."""


@dataclass
class Machine:
    """One simulated machine.

    Attributes:
        role: what is wrong with it, if anything.
        code: inventory code; the fingerprint is made from it.
        uptime_s: how long it has been on when the simulation starts.
        started: true time when the simulation started it.
        copy: 0 for the machine itself, 1 for the second holder of a cloned image.
    """

    role: Role
    code: str
    uptime_s: float
    started: float
    copy: int = 0
    _counter: int = field(default=0, init=False)
    _phase: int = field(init=False)

    def __post_init__(self) -> None:
        self._phase = sum(self.code.encode())

    def instant(self, true_time: float) -> Instant:
        """Give what this machine's two clocks show at a true time; one of them may be years off."""
        mono = self.uptime_s + (true_time - self.started)
        wall = WRONG_CLOCK + mono if self.role is Role.CLOCK_2009 else true_time
        return Instant(wall, mono)

    def _sway(self) -> float:
        """Give a number between 0 and 1 that wanders from round to round, the same again for the same machine."""
        drift = math.sin((self._counter + self._phase) / 37.0) + math.sin((self._counter + 3 * self._phase) / 5.3)
        return (drift + 2.0) / 4.0

    def inventory(self) -> tuple[Group, ...]:
        """Give the hardware record."""
        memory, installed = (int(7.87 * GIB), 8 * GIB)
        if self.role is Role.LOW_MEMORY:
            memory, installed = int(1.93 * GIB), 2 * GIB
        hardware: dict[str, Value] = {
            "cpu_model": "Mẫu CPU 4 nhân",
            "cpu_arch": "AMD64",
            "cpu_bits": 64,
            "cpu_cores": 4,
            "cpu_threads": 4,
            "memory_bytes": memory,
            "memory_installed_bytes": installed,
            "machine_vendor": "Mẫu",
            "machine_model": "PC-2020",
            "os_family": "windows",
            "os_id": "windows",
            "os_version": "11-25H2",
            "os_name": "Microsoft Windows 11 Pro",
            "os_build": "26200",
            "fingerprint": hashlib.sha256(f"{self.code}/{self.copy}".encode()).hexdigest(),
        }
        size = 240 * GB
        if self.role is Role.SHARED_GRAPHICS:
            hardware["memory_bytes"] = int(3.6 * GIB)
            del hardware["memory_installed_bytes"]  # this firmware does not tell the modules
        elif self.role is Role.OLD_PROCESSOR:
            hardware |= {"cpu_arch": "x86", "cpu_bits": 32, "cpu_threads": 2, "cpu_cores": 2}
        elif self.role is Role.OLD_SYSTEM:
            hardware |= {"os_version": "7", "os_name": "Microsoft Windows 7 Professional", "os_build": "7601"}
        elif self.role is Role.SMALL_DISK:
            size = 32 * GB
        disk: dict[str, Value] = {"size_bytes": size, "disk_kind": "ssd", "bus": "sata", "is_system": True}
        return (Group("hardware", hardware), Group("disk", disk, part="0"))

    def round(self, interval_s: float, *, live: bool = True) -> tuple[Group, ...]:
        """Give one round of measurements; a round of the past (`live` false) holds reach and state only."""
        self._counter += 1
        online = self.role is not Role.NO_INTERNET
        sway = self._sway()
        internet: dict[str, Value] = {"ok": online, "method": "tcp"}
        internet |= {"took_s": round(0.012 + 0.03 * sway, 4)} if online else {"error": "timeout"}
        groups = [
            Group("reach", {"ok": True, "method": "tcp", "took_s": 0.001}, part="gateway"),
            Group("reach", internet, part="internet"),
            Group("agent", {"uptime_s": self.uptime_s, "interval_s": interval_s, "spool_envelopes": 0}),
        ]
        if live:
            link: dict[str, Value] = {"is_up": True, "duplex": "full", "medium": "wired", "is_default_route": True}
            if self.role is not Role.UNKNOWN_LINK:
                link["speed_bps"] = (10 if self.role is Role.SLOW_LINK else 1000) * MBIT_PER_SECOND
            groups += [
                Group("link", link, part="eth0"),
                Group(
                    "usage",
                    {
                        "cpu_busy_ratio": round(0.03 + 0.6 * sway * sway, 4),
                        "memory_available_bytes": int((4.5 - 1.5 * sway) * GIB),
                        "memory_used_bytes": int((2.5 + 1.5 * sway) * GIB),
                        "system_volume_bytes": 200 * GB,
                        "system_volume_free_bytes": 120 * GB,
                    },
                ),
                Group(
                    "traffic",
                    {"received_bytes": 1_000_000 * self._counter, "sent_bytes": 90_000 * self._counter},
                    part="eth0",
                ),
            ]
        return tuple(groups)


def watched(router: str, counter: int = 1) -> Group:
    """Give what a gateway sees of its school's router."""
    values: dict[str, Value] = {
        "uptime_s": 86400.0 + 60.0 * counter,
        "is_up": True,
        "speed_bps": 1000 * MBIT_PER_SECOND,
        "received_bytes": 5_000_000 * counter,
        "sent_bytes": 400_000 * counter,
    }
    return Group("router", values, subject=router, part="wan")
