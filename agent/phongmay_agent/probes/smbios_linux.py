"""Memory modules out of the firmware's SMBIOS tables: bytes of type 16 and 17 structures in, sums and counts out.

Only root may read these files; where they are missing, unreadable or broken every figure is None ("unknown").
Layout: DMTF DSP0134 "SMBIOS Reference Specification", 7.17 (type 16) and 7.18 (type 17).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from phongmay_agent.probes.roots import Roots
from phongmay_contract.units import KIB, MIB

_IN_EXTENDED_FIELD = 0x7FFF
_UNKNOWN = 0xFFFF
_KIB_FLAG = 0x8000
_SYSTEM_MEMORY = 3


@dataclass(frozen=True)
class Modules:
    """What the firmware tells about memory modules."""

    installed_bytes: int | None = None
    slots: int | None = None
    slots_used: int | None = None


def memory_modules(roots: Roots) -> Modules:
    """Read every memory array and module."""
    folder = roots.sys / "firmware" / "dmi" / "entries"
    try:
        arrays = [path.read_bytes() for path in sorted(folder.glob("16-*/raw"))]
        modules = [path.read_bytes() for path in sorted(folder.glob("17-*/raw"))]
        sizes = [_size(raw) for raw in modules]
        slots = sum(struct.unpack_from("<H", raw, 0x0D)[0] for raw in arrays if raw[5] == _SYSTEM_MEMORY)
    except (OSError, struct.error, IndexError):
        return Modules()
    if not modules or None in sizes:  # one module of unknown size makes the sum unknown
        return Modules(slots=slots or None)
    known = [size for size in sizes if size]
    return Modules(sum(known) or None, slots or None, len(known))


def _size(raw: bytes) -> int | None:
    """Give the bytes of a module, 0 for an empty slot, None if the firmware does not know."""
    size = int(struct.unpack_from("<H", raw, 0x0C)[0])
    if size == _UNKNOWN:
        return None
    if size == _IN_EXTENDED_FIELD:
        return (int(struct.unpack_from("<I", raw, 0x1C)[0]) & 0x7FFFFFFF) * MIB
    return (size & 0x7FFF) * (KIB if size & _KIB_FLAG else MIB)
