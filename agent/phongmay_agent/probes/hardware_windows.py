"""The hardware record of a Windows machine: CIM objects as JSON in, `hardware` and `disk` groups out.

`record` turns a recording (what SCRIPT prints) into groups and runs anywhere; `read_live` lets PowerShell make one and
runs on Windows only. A class or property that is missing leaves its quantity out; text that is not the expected JSON
raises ProbeError. Values after Microsoft's documentation of the Win32_* classes (CIMWin32 provider) and of
MSFT_PhysicalDisk and MSFT_Disk (Storage Management API). SCRIPT names every property that is read: none is personal.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from phongmay_agent.probes.base import ProbeError, bounded, present
from phongmay_agent.probes.fingerprint import fingerprint, is_placeholder, is_random_mac
from phongmay_agent.probes.windows_releases import release_of
from phongmay_contract.catalogue import Value
from phongmay_contract.envelope import Group

TIMEOUT_S = 45
"""Longest that PowerShell may take; less than the broker's patience with a silent client."""

_CIMV2, _STORAGE = "root/cimv2", "root/Microsoft/Windows/Storage"
_CLASSES: dict[str, tuple[str, str]] = {
    "Win32_Processor": (
        _CIMV2, "Name,Architecture,DataWidth,NumberOfCores,NumberOfLogicalProcessors",
    ),
    "Win32_ComputerSystem": (_CIMV2, "Manufacturer,Model,TotalPhysicalMemory"),
    "Win32_ComputerSystemProduct": (_CIMV2, "UUID,IdentifyingNumber"),
    "Win32_PhysicalMemory": (_CIMV2, "Capacity"),
    "Win32_PhysicalMemoryArray": (_CIMV2, "Use,MemoryDevices"),
    "Win32_DiskDrive": (_CIMV2, "Index,Model,Size,InterfaceType,MediaType,SerialNumber"),
    "MSFT_PhysicalDisk": (_STORAGE, "DeviceId,Size,MediaType,BusType,SerialNumber"),
    "MSFT_Disk": (_STORAGE, "Number,IsBoot"),
    "Win32_BaseBoard": (_CIMV2, "Manufacturer,Product,SerialNumber"),
    "Win32_BIOS": (_CIMV2, "Manufacturer,SMBIOSBIOSVersion,ReleaseDate"),
    "Win32_OperatingSystem": (_CIMV2, "Caption,BuildNumber,ProductType,OperatingSystemSKU"),
    "Win32_NetworkAdapter": (_CIMV2, "MACAddress,PhysicalAdapter,PNPDeviceID"),
}  # fmt: skip

SCRIPT = "\n".join(
    (
        "$ErrorActionPreference = 'SilentlyContinue'",
        "[Console]::OutputEncoding = [Text.Encoding]::UTF8",
        "$r = @{}",
        *(
            f"$r.{name} = @(Get-CimInstance {name} -Namespace {space} | Select-Object {properties})"
            for name, (space, properties) in _CLASSES.items()
        ),
        "ConvertTo-Json $r -Depth 3 -Compress",
    )
)
"""The PowerShell program that makes a recording."""

_ARCHITECTURE = {0: "x86", 5: "ARM", 6: "ia64", 9: "AMD64", 12: "ARM64"}
_MEDIA = {3: "hdd", 4: "ssd", 5: "ssd"}
_BUS = {1: "scsi", 3: "ata", 6: "fibre", 7: "usb", 8: "raid", 9: "iscsi", 10: "sas", 11: "sata", 12: "mmc", 13: "mmc",
        14: "virtual", 15: "virtual", 16: "spaces", 17: "nvme"}  # fmt: skip
_NOT_PHYSICAL = frozenset({9, 15, 16})
"""Bus types of disks that are no piece of this PC: iSCSI, mounted image files, Storage Spaces."""
_NOT_ITS_OWN = frozenset({7, 12, 14}) | _NOT_PHYSICAL
"""Bus types whose serial numbers do not stay with this PC: also USB, cards and a hypervisor's disks."""
_SYSTEM_MEMORY = 3

Row = Mapping[str, Any]


def read_live() -> list[Group]:
    """Let Windows PowerShell make a recording and read it.

    Raises:
        ProbeError: this is not Windows, or PowerShell failed or was too slow.
    """
    if sys.platform != "win32":
        raise ProbeError("PowerShell's CIM classes exist on Windows only")
    else:  # the else tells the type checker which system this is for
        command = ["powershell.exe", "-NoProfile", "-NonInteractive", "-Command", SCRIPT]
        try:
            done = subprocess.run(  # noqa: S603 # a fixed command, nothing of it comes from outside
                command, capture_output=True, timeout=TIMEOUT_S, check=False, creationflags=subprocess.CREATE_NO_WINDOW
            )
        except subprocess.TimeoutExpired:
            raise ProbeError(f"PowerShell gave nothing within {TIMEOUT_S} s") from None
        if done.returncode != 0:
            raise ProbeError(f"PowerShell ended with code {done.returncode}")
        return record(done.stdout.decode("utf-8-sig", errors="replace"))


def record(recording: str) -> list[Group]:
    """Turn a recording into groups.

    Args:
        recording: a JSON object; class name to an instance or a list of instances.

    Raises:
        ProbeError: it is not such an object.
    """
    try:
        classes = json.loads(recording)
    except ValueError:
        raise ProbeError("the CIM recording is not JSON") from None
    if not isinstance(classes, dict):
        raise ProbeError("the CIM recording is not an object")
    rows = {name: _rows(classes.get(name)) for name in _CLASSES}
    hardware = {**_processor(rows), **_memory(rows), **_firmware(rows), **_system(rows)}
    return [Group("hardware", {**hardware, **present(fingerprint=fingerprint(_ids(rows)))}), *bounded(_disks(rows))]


def _rows(value: object) -> list[Row]:
    """PowerShell prints a single instance bare and none as null."""
    found = value if isinstance(value, list) else [value]
    return [row for row in found if isinstance(row, dict)]


def _first(rows: list[Row]) -> Row:
    return rows[0] if rows else {}


def _number(value: object) -> int | None:
    """Read an integer; CIM's 64-bit ones may come as text."""
    try:
        return int(str(value)) if value is not None and not isinstance(value, bool) else None
    except ValueError:
        return None


def _told(value: object) -> str | None:
    text = " ".join(str(value).split()) if value is not None else ""
    return None if is_placeholder(text) else text


def _sum(rows: list[Row], key: str) -> int | None:
    numbers = [_number(row.get(key)) for row in rows]
    return sum(number for number in numbers if number is not None) or None if None not in numbers else None


def _processor(rows: Mapping[str, list[Row]]) -> dict[str, Value]:
    sockets = rows["Win32_Processor"]
    first = _first(sockets)
    return present(
        cpu_model=_told(first.get("Name")),
        cpu_arch=_ARCHITECTURE.get(_number(first.get("Architecture")) or 0) if first else None,
        cpu_bits=_number(first.get("DataWidth")),
        cpu_cores=_sum(sockets, "NumberOfCores"),
        cpu_threads=_sum(sockets, "NumberOfLogicalProcessors"),
    )


def _memory(rows: Mapping[str, list[Row]]) -> dict[str, Value]:
    modules = rows["Win32_PhysicalMemory"]
    arrays = [row for row in rows["Win32_PhysicalMemoryArray"] if _number(row.get("Use")) == _SYSTEM_MEMORY]
    return present(
        memory_bytes=_number(_first(rows["Win32_ComputerSystem"]).get("TotalPhysicalMemory")),
        memory_installed_bytes=_sum(modules, "Capacity"),
        memory_slots=_sum(arrays, "MemoryDevices"),
        memory_slots_used=len(modules) or None,
    )


def _firmware(rows: Mapping[str, list[Row]]) -> dict[str, Value]:
    machine, board = _first(rows["Win32_ComputerSystem"]), _first(rows["Win32_BaseBoard"])
    bios = _first(rows["Win32_BIOS"])
    return present(
        machine_vendor=_told(machine.get("Manufacturer")),
        machine_model=_told(machine.get("Model")),
        board_vendor=_told(board.get("Manufacturer")),
        board_model=_told(board.get("Product")),
        firmware_vendor=_told(bios.get("Manufacturer")),
        firmware_version=_told(bios.get("SMBIOSBIOSVersion")),
        firmware_date=_date(bios.get("ReleaseDate")),
    )


def _date(value: object) -> str | None:
    """Read a CIM datetime: Windows PowerShell prints /Date(milliseconds)/, PowerShell 7 ISO 8601, WMI yyyymmdd..."""
    text = str(value)
    if found := re.fullmatch(r"/Date\((-?\d+)\)/", text):
        return datetime.fromtimestamp(int(found[1]) / 1000, UTC).date().isoformat()
    found = re.match(r"(\d{4})-?(\d\d)-?(\d\d)", text)
    return f"{found[1]}-{found[2]}-{found[3]}" if found else None


def _system(rows: Mapping[str, list[Row]]) -> dict[str, Value]:
    system = _first(rows["Win32_OperatingSystem"])
    build, kind = _number(system.get("BuildNumber")), _number(system.get("ProductType"))
    server = kind is not None and kind != 1  # 1 workstation, 2 domain controller, 3 server
    return present(
        os_family="windows",
        os_id="windows-server" if server else "windows",
        os_version=release_of(build, _number(system.get("OperatingSystemSKU")), server=server),
        os_name=_told(system.get("Caption")),
        os_build=str(build) if build is not None else None,
    )


def _disks(rows: Mapping[str, list[Row]]) -> list[Group]:
    """Join Win32_DiskDrive (model), MSFT_PhysicalDisk (exact size, kind, bus) and MSFT_Disk (which one starts)."""
    physical = {_number(row.get("DeviceId")): row for row in rows["MSFT_PhysicalDisk"]}
    boots = {_number(row.get("Number")): row.get("IsBoot") for row in rows["MSFT_Disk"]}
    groups = []
    for drive in rows["Win32_DiskDrive"]:
        index = _number(drive.get("Index"))
        exact = physical.get(index, {})
        bus = _number(exact.get("BusType"))
        size = _number(exact.get("Size")) or _number(drive.get("Size"))
        if index is None or not size or bus in _NOT_PHYSICAL:
            continue
        is_boot = boots.get(index)
        values = present(
            size_bytes=size,
            disk_kind=_MEDIA.get(_number(exact.get("MediaType")) or 0, "unknown"),
            bus=_BUS.get(bus or 0) or ("usb" if drive.get("InterfaceType") == "USB" else None),
            model=_told(drive.get("Model")),
            is_system=is_boot if isinstance(is_boot, bool) else None,
            is_removable=_is_removable(drive, bus),
        )
        groups.append(Group("disk", values, part=str(index)))
    return sorted(groups, key=lambda group: (not group.values.get("is_system", False), group.part))


def _is_removable(drive: Row, bus: int | None) -> bool:
    # "Fixed hard disk media", "External hard disk media", "Removable Media" (Win32_DiskDrive.MediaType)
    media = str(drive.get("MediaType") or "")
    return bus in (7, 12) or drive.get("InterfaceType") == "USB" or media.startswith(("Removable", "External"))


def _ids(rows: Mapping[str, list[Row]]) -> Iterator[tuple[str, str]]:
    """Give the ids that stay with the machine; nothing of what hangs on USB."""
    product = _first(rows["Win32_ComputerSystemProduct"])
    yield "machine", str(product.get("UUID") or "")
    yield "machine", str(product.get("IdentifyingNumber") or "")
    yield "board", str(_first(rows["Win32_BaseBoard"]).get("SerialNumber") or "")
    for disk in rows["MSFT_PhysicalDisk"]:
        if _number(disk.get("BusType")) not in _NOT_ITS_OWN:
            yield "disk", str(disk.get("SerialNumber") or "")
    for adapter in rows["Win32_NetworkAdapter"]:
        mac = str(adapter.get("MACAddress") or "")
        on_board = adapter.get("PhysicalAdapter") is True and str(adapter.get("PNPDeviceID") or "").startswith("PCI\\")
        if on_board and not is_random_mac(mac):
            yield "mac", mac
