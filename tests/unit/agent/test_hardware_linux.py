"""The hardware record of a Linux PC, from a written tree and from this very machine."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from phongmay_agent.probes import disks_linux, hardware_linux
from phongmay_agent.probes.hardware import HardwareProbe
from phongmay_agent.probes.roots import Roots
from phongmay_contract.envelope import Group
from phongmay_contract.units import GIB

MakePc = Callable[..., Roots]
DMI = "sys/class/dmi/id"


def hardware(groups: list[Group]) -> dict[str, object]:
    """Give the values of the one `hardware` group."""
    (group,) = [group for group in groups if group.measurement == "hardware"]
    return dict(group.values)


def disks(groups: list[Group]) -> dict[str, dict[str, object]]:
    """Give the disks by part."""
    return {group.part: dict(group.values) for group in groups if group.measurement == "disk"}


def test_a_pc_is_read_to_the_last_field(make_pc: MakePc) -> None:
    """Every figure comes from the file that the kernel documents for it; a placeholder of the board is left out."""
    values = hardware(hardware_linux.read(make_pc(), "x86_64"))
    fingerprint = values.pop("fingerprint")
    assert re.fullmatch("[0-9a-f]{64}", str(fingerprint))
    assert values == {
        "cpu_model": "Intel(R) Core(TM) i3-10100 CPU @ 3.60GHz",
        "cpu_arch": "x86_64",
        "cpu_bits": 64,
        "cpu_cores": 4,
        "cpu_threads": 8,
        "memory_bytes": 7865432 * 1024,
        "machine_vendor": "Dell Inc.",
        "machine_model": "OptiPlex 3080",
        "board_vendor": "Dell Inc.",
        "firmware_vendor": "Dell Inc.",
        "firmware_version": "2.8.0",
        "firmware_date": "2021-03-12",
        "os_family": "linux",
        "os_id": "debian",
        "os_version": "12",
        "os_name": "Debian GNU/Linux 12 (bookworm)",
        "os_build": "6.1.0-18-amd64",
    }


def test_only_physical_disks_count(make_pc: MakePc) -> None:
    """No loop, zram, LVM, DVD or empty card reader; whole disks, never partitions; the system's disk through LVM."""
    found = disks(hardware_linux.read(make_pc(), "x86_64"))
    assert list(found) == ["nvme0n1", "sda", "sdb"]
    assert found["nvme0n1"] == {
        "size_bytes": 488397168 * 512,
        "disk_kind": "ssd",
        "bus": "nvme",
        "model": "KINGSTON SNVS250G",
        "is_system": True,
        "is_removable": False,
    }
    assert found["sda"] == {
        "size_bytes": 1953525168 * 512,
        "disk_kind": "hdd",
        "bus": "sata",
        "model": "WDC WD10EZEX",
        "is_system": False,
        "is_removable": False,
    }
    assert found["sdb"]["is_removable"] is True
    assert found["sdb"]["bus"] == "usb"


@pytest.mark.parametrize(
    ("mountinfo", "links"),
    [
        ("25 1 8:1 / / rw - ext4 /dev/sda1 rw\n", {"sys/dev/block/8:1": "{sda}/sda1"}),
        ("25 1 0:30 /@ / rw - btrfs /dev/sda1 rw\n", {"sys/class/block/sda1": "{sda}/sda1"}),
        (
            "25 1 253:0 / / rw - ext4 /dev/x rw\n31 25 8:1 / / rw - ext4 /dev/sda1 rw\n",
            {"sys/dev/block/8:1": "{sda}/sda1"},
        ),
    ],
    ids=["partition", "btrfs", "mounted over"],
)
def test_the_system_disk_is_found(make_pc: MakePc, mountinfo: str, links: dict[str, str]) -> None:
    """A plain partition, a file system without a device number of its own, and a root that was mounted over."""
    sda = next(iter(v for k, v in _links().items() if k == "sys/block/sda"))
    roots = make_pc(
        {"proc/self/mountinfo": mountinfo, f"{sda}/sda1/partition": "1\n", "dev/sda1": ""},
        {name: target.format(sda=sda) for name, target in links.items()},
    )
    assert disks_linux.system_disks(roots) == {"sda"}


def _links() -> dict[str, str]:
    return {"sys/block/sda": "sys/devices/pci0000:00/ata1/host0/target/0:0:0:0/block/sda"}


def test_two_disks_under_one_raid_are_both_the_systems(make_pc: MakePc) -> None:
    """A mirror starts from both of its members."""
    sda = _links()["sys/block/sda"]
    nvme = "sys/devices/pci0000:00/nvme/nvme0/nvme0n1"
    roots = make_pc(
        {"proc/self/mountinfo": "25 1 9:0 / / rw - ext4 /dev/md0 rw\n", "sys/devices/virtual/block/md0/size": "1\n"},
        {
            "sys/dev/block/9:0": "sys/devices/virtual/block/md0",
            "sys/devices/virtual/block/md0/slaves/sda": sda,
            "sys/devices/virtual/block/md0/slaves/nvme0n1": nvme,
        },
    )
    assert disks_linux.system_disks(roots) == {"sda", "nvme0n1"}


def test_an_unknown_system_disk_is_not_called_another(make_pc: MakePc) -> None:
    """With "/" on an overlay (a frozen PC) nothing says which disk starts: the field is absent, not false."""
    roots = make_pc({"proc/self/mountinfo": "25 1 0:44 / / rw - overlay overlay rw\n"})
    found = disks(hardware_linux.read(roots, "x86_64"))
    assert found
    assert all("is_system" not in values for values in found.values())


def test_without_firmware_data_the_fields_are_absent(make_pc: MakePc) -> None:
    """A VM without DMI has no board; absence is not an empty text."""
    values = hardware(hardware_linux.read(make_pc(dict.fromkeys(_dmi())), "x86_64"))
    assert not {"machine_vendor", "machine_model", "board_vendor", "firmware_date"} & set(values)
    assert values["cpu_cores"] == 4


def _dmi() -> list[str]:
    return [f"{DMI}/{n}" for n in ("sys_vendor", "product_name", "board_vendor", "board_name", "bios_vendor",
                                   "bios_version", "bios_date")]  # fmt: skip


def test_a_64_bit_processor_under_a_32_bit_system_is_64_bit(make_pc: MakePc) -> None:
    """TB-02 asks for the processor, not for the system on it."""
    values = hardware(hardware_linux.read(make_pc(), "i686"))
    assert (values["cpu_arch"], values["cpu_bits"]) == ("i686", 64)


def test_a_32_bit_processor_is_32_bit(make_pc: MakePc) -> None:
    """Without long mode among its flags it is not 64-bit."""
    roots = make_pc({"proc/cpuinfo": "processor\t: 0\nmodel name\t: Pentium\nflags\t\t: fpu msr\n"})
    assert hardware(hardware_linux.read(roots, "i686"))["cpu_bits"] == 32


def test_memory_modules_are_added_up_where_firmware_tells(make_pc: MakePc) -> None:
    """Two slots, one module of 8 GiB: more than the system can use, and one slot free (SMBIOS types 16 and 17)."""
    roots = make_pc()
    entries = roots.sys / "firmware" / "dmi" / "entries"
    array = bytes([16, 23, 0, 0, 3, 3]) + bytes(7) + struct.pack("<H", 2) + bytes(8)
    for name, raw in (("16-0", array), ("17-0", _module(8192)), ("17-1", _module(0))):
        (entries / name).mkdir(parents=True)
        (entries / name / "raw").write_bytes(raw)
    values = hardware(hardware_linux.read(roots, "x86_64"))
    assert (values["memory_installed_bytes"], values["memory_slots"], values["memory_slots_used"]) == (8 * GIB, 2, 1)


def test_a_module_of_unknown_size_makes_the_sum_unknown(make_pc: MakePc) -> None:
    """Half a sum would be a wrong figure."""
    roots = make_pc()
    for name, raw in (("17-0", _module(8192)), ("17-1", _module(0xFFFF))):
        folder = roots.sys / "firmware" / "dmi" / "entries" / name
        folder.mkdir(parents=True)
        (folder / "raw").write_bytes(raw)
    assert "memory_installed_bytes" not in hardware(hardware_linux.read(roots, "x86_64"))


def _module(mebibytes: int) -> bytes:
    return bytes([17, 40]) + bytes(10) + struct.pack("<H", mebibytes) + bytes(26)


def test_the_fingerprint_stays_when_something_is_plugged_in(make_pc: MakePc, tmp_path: Path) -> None:
    """A USB stick, another gateway or a random Wi-Fi address is no other machine; another board's MAC is."""
    first = hardware(hardware_linux.read(make_pc(), "x86_64"))["fingerprint"]
    (tmp_path / "sys/block/sdb").unlink()
    (tmp_path / "sys/devices/pci0000:00/wlan/net/wlp3s0/address").write_text("da:99:99:99:99:99\n")
    again = hardware(hardware_linux.read(Roots.under(tmp_path), "x86_64"))["fingerprint"]
    (tmp_path / "sys/devices/pci0000:00/eth/net/enp2s0/address").write_text("d4:be:d9:12:34:57\n")
    other = hardware(hardware_linux.read(Roots.under(tmp_path), "x86_64"))["fingerprint"]
    assert first == again
    assert first != other


def test_ids_for_root_only_do_not_count(make_pc: MakePc) -> None:
    """The fingerprint must be the same whether root enrols or the service user reports."""
    roots = make_pc({f"{DMI}/product_uuid": "4c4c4544-0042-3510-8053-b4c04f4e4d32\n"})
    path = roots.sys / "class" / "dmi" / "id" / "product_uuid"
    path.chmod(0o444)
    readable = hardware(hardware_linux.read(roots, "x86_64"))["fingerprint"]
    path.chmod(0o400)
    for_root = hardware(hardware_linux.read(roots, "x86_64"))["fingerprint"]
    path.unlink()
    absent = hardware(hardware_linux.read(roots, "x86_64"))["fingerprint"]
    assert for_root == absent != readable


def test_no_serial_number_leaves_the_pc(make_pc: MakePc) -> None:
    """Serials and MAC addresses go into the hash only."""
    sent = json.dumps([dict(group.values) for group in hardware_linux.read(make_pc(), "x86_64")])
    for secret in ("50026B7684C0FFEE", "50014ee2b1234567", "d4:be:d9"):
        assert secret.lower() not in sent.lower()


@pytest.mark.skipif(sys.platform != "linux", reason="reads this machine's /proc")
def test_this_machine_has_the_memory_that_proc_tells() -> None:
    """TB-01 rests on this figure: it is the kernel's own, to the byte."""
    total = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    assert total is not None
    assert hardware(HardwareProbe(Roots()).measure())["memory_bytes"] == int(total[1]) * 1024


@pytest.mark.skipif(shutil.which("lsblk") is None, reason="lsblk is not installed")
def test_this_machine_has_the_disks_that_lsblk_tells() -> None:
    """TB-03 rests on these figures: names, sizes and the disk under "/" agree with util-linux."""
    listed = subprocess.run(["lsblk", "-bJ", "-o", "NAME,TYPE,SIZE,MOUNTPOINTS"], capture_output=True, check=True)
    tree = json.loads(listed.stdout)["blockdevices"]
    expected = {
        d["name"]: int(d["size"]) for d in tree if d["type"] == "disk" and int(d["size"]) and d["name"][:4] != "zram"
    }
    found = disks(HardwareProbe(Roots()).measure())
    assert {name: values["size_bytes"] for name, values in found.items()} == expected
    system = {d["name"] for d in tree if "/" in _mounts(d)} & set(expected)
    if system:
        assert {name for name, values in found.items() if values.get("is_system")} == system


def _mounts(device: dict[str, object]) -> set[object]:
    points, children = device.get("mountpoints"), device.get("children")
    found = set(points) if isinstance(points, list) else set()
    return found.union(*(_mounts(child) for child in children)) if isinstance(children, list) else found
