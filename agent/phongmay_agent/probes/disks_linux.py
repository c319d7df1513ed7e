"""Physical disks of a Linux machine: /sys goes in, Disk records come out; what /sys does not tell is None.

Partitions, loop, RAM and compressed-RAM disks, device mapper, md and optical drives are no disks here. The disk under
"/" is found from /proc/self/mountinfo through partitions, LVM, encryption and RAID.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from phongmay_agent.probes.base import read_int, read_text
from phongmay_agent.probes.roots import Roots

SECTOR_BYTES = 512
"""Unit of /sys/block/*/size, whatever the disk's own sectors are (kernel: Documentation/ABI/stable/sysfs-block)."""
_NO_DISK = re.compile(r"(loop|ram|zram|dm-|md|sr|fd|nbd|mtdblock)\d*|mmcblk\d+(boot\d+|rpmb)")
_HYPERVISORS = ("qemu", "vmware", "vbox", "msft", "xen", "google", "amazon")


@dataclass(frozen=True)
class Disk:
    """One physical disk.

    Attributes:
        name: kernel name (sda, nvme0n1).
        size_bytes: capacity of the whole disk.
        kind: ssd, hdd or unknown.
        bus: nvme, sata, usb, mmc, scsi or virtual.
        model: as the disk says, "" if it does not.
        serial: only for the fingerprint; never sent.
    """

    name: str
    size_bytes: int
    kind: str
    bus: str
    model: str
    serial: str
    is_system: bool | None
    is_removable: bool


def physical_disks(roots: Roots) -> list[Disk]:
    """List the disks, the system's first; empty where /sys shows none (a container)."""
    system = system_disks(roots)
    try:
        folders = sorted((roots.sys / "block").iterdir())
    except OSError:
        return []
    disks = [_disk(folder, system) for folder in folders if _is_physical(folder)]
    return sorted((disk for disk in disks if disk.size_bytes > 0), key=lambda disk: (not disk.is_system, disk.name))


def _is_physical(folder: Path) -> bool:
    return (
        (folder / "device").exists()
        and _NO_DISK.fullmatch(folder.name) is None
        and not ((folder / "hidden").exists() and read_text(folder / "hidden") == "1")  # one path of a multipath NVMe
    )


def _disk(folder: Path, system: set[str]) -> Disk:
    device = folder / "device"
    vendor = (read_text(device / "vendor") or "").lower()
    bus = _bus(folder, vendor)
    return Disk(
        name=folder.name,
        size_bytes=(read_int(folder / "size") or 0) * SECTOR_BYTES,
        kind=_kind(folder, bus),
        bus=bus,
        model=read_text(device / "model") or (read_text(device / "name") if bus == "mmc" else None) or "",
        serial=read_text(device / "serial") or read_text(folder / "serial") or read_text(device / "wwid") or "",
        is_system=folder.name in system if system else None,
        is_removable=read_text(folder / "removable") == "1" or bus == "usb" or read_text(device / "type") == "SD",
    )


def _bus(folder: Path, vendor: str) -> str:
    path = str(folder.resolve())
    if folder.name.startswith(("vd", "xvd")) or vendor.startswith(_HYPERVISORS) or "/vmbus" in path:
        return "virtual"
    for mark, bus in (("/usb", "usb"), ("/nvme", "nvme"), ("/ata", "sata"), ("/mmc", "mmc")):
        if mark in path:
            return bus
    return "scsi"


def _kind(folder: Path, bus: str) -> str:
    rotational = read_int(folder / "queue" / "rotational")
    if bus in ("nvme", "mmc"):
        return "ssd"
    if bus in ("virtual", "usb") or rotational is None:
        return "unknown"  # hypervisors and USB bridges say "rotational" of anything
    return "hdd" if rotational else "ssd"


def system_disks(roots: Roots) -> set[str]:
    """Give the kernel names of the physical disks under "/"; empty if "/" is on none (overlay, network)."""
    mount = _root_mount(roots)
    if mount is None:
        return set()
    number, source = mount
    folder = roots.sys / "dev" / "block" / number
    if not folder.exists():  # btrfs gives an anonymous number; its source still names the device
        name = (roots.dev / source.removeprefix("/dev/")).resolve().name if source.startswith("/dev/") else ""
        folder = _class_folder(roots, name) if name else folder
    return _under(roots, folder.resolve()) if folder.exists() else set()


def _root_mount(roots: Roots) -> tuple[str, str] | None:
    """Give (major:minor, source) of "/"; the last line wins, as the last mount hides the others."""
    found = None
    for line in (read_text(roots.proc / "self" / "mountinfo") or "").splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) > 4 and fields[4] == "/":
            found = fields[2], [*right.split(), "", ""][1]
    return found


def _class_folder(roots: Roots, name: str) -> Path:
    return roots.sys / "class" / "block" / name


def _under(roots: Roots, folder: Path) -> set[str]:
    """Follow partitions up and device-mapper or RAID members down to whole disks."""
    if (folder / "partition").exists():
        return _under(roots, folder.parent)
    slaves = folder / "slaves"
    below = [entry.resolve() for entry in slaves.iterdir()] if slaves.is_dir() else []
    return {disk for member in below for disk in _under(roots, member)} if below else {folder.name}
