"""The hardware record of a Windows PC out of CIM recordings that follow Microsoft's documentation of the classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phongmay_agent.probes.base import ProbeError
from phongmay_agent.probes.hardware_windows import SCRIPT, read_live, record
from phongmay_agent.probes.windows_releases import release_of
from phongmay_contract.envelope import Group
from phongmay_contract.units import GIB

FOLDER = Path(__file__).parent / "recordings"


def recorded(name: str) -> dict[str, Any]:
    """Load a recording."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return found


def values_of(groups: list[Group], measurement: str, part: str = "") -> dict[str, Any]:
    """Give the values of one group."""
    (group,) = [group for group in groups if group.measurement == measurement and group.part == part]
    return dict(group.values)


def test_a_windows_11_pc_is_read_to_the_last_field() -> None:
    """Every quantity comes from the property that Microsoft documents for it."""
    groups = record((FOLDER / "windows-11-pc.json").read_text("utf-8"))
    values = values_of(groups, "hardware")
    assert len(values.pop("fingerprint")) == 64
    assert values == {
        "cpu_model": "Intel(R) Core(TM) i5-12400",
        "cpu_arch": "AMD64",
        "cpu_bits": 64,
        "cpu_cores": 6,
        "cpu_threads": 12,
        "memory_bytes": 8334716928,
        "memory_installed_bytes": 8 * GIB,
        "memory_slots": 2,
        "memory_slots_used": 1,
        "machine_vendor": "Dell Inc.",
        "machine_model": "OptiPlex 3000",
        "board_vendor": "Dell Inc.",
        "board_model": "0KV3RP",
        "firmware_vendor": "Dell Inc.",
        "firmware_version": "1.14.1",
        "firmware_date": "2023-07-13",
        "os_family": "windows",
        "os_id": "windows",
        "os_version": "11-24H2",
        "os_name": "Microsoft Windows 11 Pro",
        "os_build": "26100",
    }
    assert values_of(groups, "disk", "0") == {
        "size_bytes": 250059350016,
        "disk_kind": "ssd",
        "bus": "nvme",
        "model": "KINGSTON SNVS250G",
        "is_system": True,
        "is_removable": False,
    }
    assert values_of(groups, "disk", "1")["is_removable"] is True


def test_an_old_no_name_pc_has_no_made_up_fields() -> None:
    """Windows 7 has no storage classes, single objects come bare, and placeholders of the board name nothing."""
    groups = record((FOLDER / "windows-7-no-name-pc.json").read_text("utf-8"))
    values = values_of(groups, "hardware")
    assert not {"machine_vendor", "machine_model", "board_vendor", "fingerprint"} & set(values)
    assert values["board_model"] == "H61M-K"
    assert (values["cpu_arch"], values["cpu_bits"]) == ("x86", 64)
    assert values["memory_installed_bytes"] == 2 * GIB
    assert values["firmware_date"] == "2013-05-24"
    assert values["os_version"] == "7"
    disk = values_of(groups, "disk", "0")
    assert disk["disk_kind"] == "unknown"
    assert "is_system" not in disk


def test_serials_and_addresses_stay_on_the_pc() -> None:
    """Nothing that identifies the machine to others is among the values, only the salted hash."""
    sent = json.dumps([dict(group.values) for group in record((FOLDER / "windows-11-pc.json").read_text("utf-8"))])
    for secret in ("7FDQ3M3", "C03EBA", "C0:3E:BA", "FEE5", "4C4C4544"):
        assert secret not in sent


def test_a_usb_stick_does_not_change_the_fingerprint() -> None:
    """What a pupil plugs in is not the machine; another board is."""
    whole = recorded("windows-11-pc")
    first = values_of(record(json.dumps(whole)), "hardware")["fingerprint"]
    for name in ("Win32_DiskDrive", "MSFT_PhysicalDisk", "MSFT_Disk"):
        whole[name] = whole[name][:1]
    assert values_of(record(json.dumps(whole)), "hardware")["fingerprint"] == first
    whole["Win32_BaseBoard"][0]["SerialNumber"] = "/ANOTHER/"
    assert values_of(record(json.dumps(whole)), "hardware")["fingerprint"] != first


def test_missing_classes_leave_their_quantities_out() -> None:
    """A class that Windows does not have hides nothing else; os_id is required by the contract and always there."""
    whole = recorded("windows-11-pc")
    assert values_of(record(json.dumps({"Win32_Processor": whole["Win32_Processor"]})), "hardware") == {
        "cpu_model": "Intel(R) Core(TM) i5-12400",
        "cpu_arch": "AMD64",
        "cpu_bits": 64,
        "cpu_cores": 6,
        "cpu_threads": 12,
        "os_family": "windows",
        "os_id": "windows",
    }
    assert set(values_of(record("{}"), "hardware")) == {"os_family", "os_id"}


@pytest.mark.parametrize("text", ["", "not json", "[]", "null", "3"])
def test_what_is_no_recording_is_a_failure_of_the_probe(text: str) -> None:
    """PowerShell that printed an error is not an empty machine."""
    with pytest.raises(ProbeError):
        record(text)


def test_a_module_without_capacity_makes_the_sum_unknown() -> None:
    """Half a sum would be a wrong figure."""
    whole = recorded("windows-7-no-name-pc")
    whole["Win32_PhysicalMemory"][1]["Capacity"] = None
    assert "memory_installed_bytes" not in values_of(record(json.dumps(whole)), "hardware")


@pytest.mark.parametrize(
    ("build", "sku", "server", "release"),
    [
        (19045, 48, False, "10-22H2"),
        (17763, 125, False, "10-1809-ltsc"),
        (26100, 48, True, "2025"),
        (26100, 48, False, "11-24H2"),
        (99999, 48, False, None),
        (None, None, False, None),
    ],
)
def test_a_build_is_a_release_or_unknown(build: int | None, sku: int | None, server: bool, release: str | None) -> None:
    """The support date hangs on it: an unknown build is unknown, and LTSC is not the release that shares its build."""
    assert release_of(build, sku, server=server) == release


def test_the_script_reads_no_personal_property() -> None:
    """Select-Object names each property; those that hold people or hosts are not among them."""
    assert "-Property *" not in SCRIPT
    for personal in ("UserName", "PrimaryOwnerName", "RegisteredUser", "CSName", "DNSHostName", ",Name"):
        assert personal not in SCRIPT


def test_elsewhere_than_on_windows_it_says_so() -> None:
    """The live reader fails with a sentence, not with a missing program."""
    with pytest.raises(ProbeError, match="Windows only"):
        read_live()
