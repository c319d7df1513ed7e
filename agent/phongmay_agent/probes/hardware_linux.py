"""The hardware record of a Linux machine: /proc, /sys and os-release in, `hardware` and `disk` groups out.

Everything is readable without being root except the memory modules, which are then absent. In a VM without firmware
data the board's fields are absent too.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator

import psutil

from phongmay_agent.probes import disks_linux
from phongmay_agent.probes.base import bounded, present, read_int, read_text
from phongmay_agent.probes.fingerprint import fingerprint, is_placeholder
from phongmay_agent.probes.roots import Roots
from phongmay_agent.probes.smbios_linux import memory_modules
from phongmay_contract.catalogue import Value
from phongmay_contract.envelope import Group

_WIDTH_64 = frozenset({"x86_64", "amd64", "aarch64", "arm64", "riscv64", "ppc64le", "s390x", "loongarch64"})


def read(roots: Roots, machine: str | None = None) -> list[Group]:
    """Read the record.

    Args:
        roots: where the kernel's files are.
        machine: architecture in the kernel's words; this machine's own by default.
    """
    disks = disks_linux.physical_disks(roots)
    modules = memory_modules(roots)
    values: dict[str, Value] = {
        **_processor(roots, machine or platform.machine()),
        **present(
            memory_bytes=_memory(roots),
            memory_installed_bytes=modules.installed_bytes,
            memory_slots=modules.slots,
            memory_slots_used=modules.slots_used,
        ),
        **_firmware(roots),
        **_system(roots),
        **present(fingerprint=fingerprint(_ids(roots, disks))),
    }
    return [Group("hardware", values), *bounded([_disk_group(disk) for disk in disks])]


def _disk_group(disk: disks_linux.Disk) -> Group:
    values = present(
        size_bytes=disk.size_bytes,
        disk_kind=disk.kind,
        bus=disk.bus,
        model=disk.model,
        is_system=disk.is_system,
        is_removable=disk.is_removable,
    )
    return Group("disk", values, part=disk.name)


def _processor(roots: Roots, machine: str) -> dict[str, Value]:
    blocks = [
        dict(_pair(line) for line in block.splitlines() if ":" in line)
        for block in (read_text(roots.proc / "cpuinfo") or "").split("\n\n")
    ]
    threads = [block for block in blocks if "processor" in block]
    first = threads[0] if threads else {}
    long_mode = "lm" in first.get("flags", "").split()  # also set under a 32-bit kernel
    width = 64 if long_mode or machine.lower() in _WIDTH_64 else 32 if machine else None
    return present(
        cpu_model=first.get("model name") or first.get("Processor") or next(_named(blocks, "Model"), None),
        cpu_arch=machine,
        cpu_bits=width,
        cpu_cores=_cores(roots)
        or len({(b.get("physical id"), b["core id"]) for b in threads if "core id" in b})
        or None,
        cpu_threads=len(threads) or None,
    )


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()


def _named(blocks: list[dict[str, str]], key: str) -> Iterator[str]:
    return (block[key] for block in blocks if block.get(key))


def _cores(roots: Roots) -> int:
    """Count distinct (package, core) pairs; 0 where the kernel does not show the topology."""
    pairs = {
        (read_int(folder / "physical_package_id"), read_int(folder / "core_id"))
        for folder in (roots.sys / "devices" / "system" / "cpu").glob("cpu[0-9]*/topology")
    }
    return len({pair for pair in pairs if pair[1] is not None})


def _memory(roots: Roots) -> int | None:
    found = re.search(r"^MemTotal:\s+(\d+) kB$", read_text(roots.proc / "meminfo") or "", re.MULTILINE)
    return int(found[1]) * 1024 if found else psutil.virtual_memory().total or None


def _firmware(roots: Roots) -> dict[str, Value]:
    folder = roots.sys / "class" / "dmi" / "id"

    def told(name: str) -> str | None:
        text = read_text(folder / name)
        return text if text and not is_placeholder(text) else None

    date = re.fullmatch(r"(\d\d)/(\d\d)/(\d{4})", told("bios_date") or "")
    return present(
        machine_vendor=told("sys_vendor"),
        machine_model=told("product_name") or read_text(roots.proc / "device-tree" / "model"),
        board_vendor=told("board_vendor"),
        board_model=told("board_name"),
        firmware_vendor=told("bios_vendor"),
        firmware_version=told("bios_version"),
        firmware_date=f"{date[3]}-{date[1]}-{date[2]}" if date else None,
    )


def _system(roots: Roots) -> dict[str, Value]:
    release = {}
    for line in (read_text(roots.etc / "os-release") or "").splitlines():
        key, _, value = line.partition("=")
        release[key.strip()] = value.strip().strip("\"'")
    return present(
        os_family="linux",
        os_id=release.get("ID") or "linux",
        os_version=release.get("VERSION_ID"),
        os_name=release.get("PRETTY_NAME"),
        os_build=read_text(roots.proc / "sys" / "kernel" / "osrelease"),
    )


def _ids(roots: Roots, disks: list[disks_linux.Disk]) -> Iterator[tuple[str, str]]:
    """Give the ids that stay with the machine and that everyone may read.

    Ids for root only would make the fingerprint depend on who runs the agent; those of a USB stick or adapter would
    make it depend on what is plugged in; a hypervisor gives the same disk serial to all its machines.
    """
    for name, kind in (("product_uuid", "machine"), ("product_serial", "machine"), ("board_serial", "board")):
        path = roots.sys / "class" / "dmi" / "id" / name
        if path.exists() and path.stat().st_mode & 0o004:
            yield kind, read_text(path) or ""
    for disk in disks:
        if not disk.is_removable and disk.bus != "virtual":
            yield "disk", disk.serial
    for folder in sorted((roots.sys / "class" / "net").glob("*")):
        permanent = read_int(folder / "addr_assign_type") == 0
        if permanent and (folder / "device").exists() and "/usb" not in str(folder.resolve()):
            yield "mac", read_text(folder / "address") or ""
