"""From what a machine can use to what was sold: memory and disks are sold in steps, and systems report less.

A size goes in, the size sold comes out, or the very same size when none explains it. Nothing can go wrong.

Why rounding up claims nothing that is not there: a system never reports more than is installed. So the smallest step
that is not below the report is at most what is installed, as long as the machine's real size is a step itself. A
report too far below the next step is no machine of that step, and stays as it is. What remains is an odd sum of
modules just below a step (3.5 or 7 GiB): it counts as that step, unless firmware tells the modules.
"""

from __future__ import annotations

from collections.abc import Sequence

from phongmay_contract.units import GB, GIB

MEMORY_STEPS = tuple(
    int(size * GIB)
    for size in (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 96, 128, 192, 256,
                 384, 512, 768, 1024)
)  # fmt: skip
MEMORY_TOLERANCE = 0.16
"""Shared graphics take up to 0.6 GiB of 4 GiB (a "4 GB" PC reports 3.4 to 3.9 GiB: standards.md section 7). 3 GiB or
less never becomes 4: the step of 3 is nearer."""

DISK_STEPS = tuple(
    size * GB
    for size in (8, 16, 32, 40, 64, 80, 120, 128, 160, 240, 250, 256, 320, 480, 500, 512, 640, 750, 960, 1000, 1024,
                 1500, 1920, 2000, 2048, 3000, 4000, 4096, 6000, 8000, 10000, 12000, 16000, 20000)
)  # fmt: skip
DISK_TOLERANCE = 0.10
"""A "64 GB" flash module has 58 to 64 * 10^9 bytes. So a disk sold as 60 GB counts as 64 GB: the two cannot be told
apart by their size."""
DISK_EXCESS = 0.01
"""A "500 GB" disk has 500.1 * 10^9 bytes: a little more than its name says is still that name."""


def marketed_memory(size: int) -> int:
    """Give the size of memory as sold, in bytes."""
    return _marketed(size, MEMORY_STEPS, MEMORY_TOLERANCE, 0.0)


def marketed_disk(size: int) -> int:
    """Give the size of a disk as sold, in bytes."""
    return _marketed(size, DISK_STEPS, DISK_TOLERANCE, DISK_EXCESS)


def _marketed(size: int, steps: Sequence[int], tolerance: float, excess: float) -> int:
    for step in steps:
        if size <= step * (1 + excess):
            return step if size >= step * (1 - tolerance) else size
    return size
