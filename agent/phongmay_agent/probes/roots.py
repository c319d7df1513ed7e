"""Where the Linux probes find the kernel's files: the real /proc, /sys ... or a copy of another machine's in a test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Roots:
    """The four directories that are read."""

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    etc: Path = Path("/etc")
    dev: Path = Path("/dev")

    @classmethod
    def under(cls, folder: Path) -> Roots:
        """Give the directories of a copied tree."""
        return cls(folder / "proc", folder / "sys", folder / "etc", folder / "dev")
