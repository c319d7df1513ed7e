"""Interfaces, routes and counters: what the kernel does not know is absent, never zero."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from phongmay_agent.assembly import targets
from phongmay_agent.probes.link import LinkProbe
from phongmay_agent.probes.roots import Roots
from phongmay_agent.probes.traffic import TrafficProbe
from phongmay_agent.probes.usage import UsageProbe
from phongmay_agent.settings import ReachSettings
from phongmay_contract.units import MBIT_PER_SECOND

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the Linux kernel's files")
MakePc = Callable[..., Roots]
ENP2S0 = "sys/devices/pci0000:00/eth/net/enp2s0"


def links(roots: Roots) -> dict[str, dict[str, object]]:
    """Give the `link` groups by interface, in order."""
    return {group.part: dict(group.values) for group in LinkProbe(roots).measure()}


def test_real_interfaces_are_told(make_pc: MakePc) -> None:
    """The default route first; a wireless speed of -1 is absent; loopback and bridges are no interfaces of a PC."""
    found = links(make_pc())
    assert list(found) == ["enp2s0", "wlp3s0"]
    assert found["enp2s0"] == {
        "is_up": True,
        "speed_bps": 1000 * MBIT_PER_SECOND,
        "duplex": "full",
        "medium": "wired",
        "is_default_route": True,
    }
    assert found["wlp3s0"] == {"is_up": False, "duplex": "unknown", "medium": "wireless", "is_default_route": False}


def test_the_address_of_a_card_is_told_only_where_that_was_allowed(make_pc: MakePc) -> None:
    """Waking is opt-in: by default no address is sent, and never that of a wireless card."""
    roots = make_pc({f"{ENP2S0}/address": "00:1a:2b:3c:4d:5e\n"})
    assert "hardware_address" not in links(roots)["enp2s0"]
    told = {group.part: dict(group.values) for group in LinkProbe(roots, tells_address=True).measure()}
    assert told["enp2s0"]["hardware_address"] == "00:1a:2b:3c:4d:5e"
    assert "hardware_address" not in told["wlp3s0"]


@pytest.mark.parametrize("speed", ["-1\n", "0\n", "", "4294967295x\n", None])
def test_an_unknown_speed_is_absent(make_pc: MakePc, speed: str | None) -> None:
    """TB-07 must say "unknown" and not "0 Mbit/s"."""
    assert "speed_bps" not in links(make_pc({f"{ENP2S0}/speed": speed}))["enp2s0"]


def test_a_pulled_cable_is_down(make_pc: MakePc) -> None:
    """The carrier decides, whatever the administrator wanted."""
    assert links(make_pc({f"{ENP2S0}/carrier": "0\n"}))["enp2s0"]["is_up"] is False


def test_a_machine_with_many_interfaces_keeps_the_important_ones(make_pc: MakePc) -> None:
    """More than 16 parts would make the collector refuse the envelope; the default route is never the one left out."""
    many = {f"sys/devices/pci0000:00/many/net/a{n:02}/carrier": "1\n" for n in range(20)}
    to = {f"sys/class/net/a{n:02}": f"sys/devices/pci0000:00/many/net/a{n:02}" for n in range(20)}
    to |= {f"sys/devices/pci0000:00/many/net/a{n:02}/device": "sys/devices/pci0000:00/many" for n in range(20)}
    found = links(make_pc(many, to))
    assert len(found) == 16
    assert next(iter(found)) == "enp2s0"


def test_targets_are_derived_from_the_system(make_pc: MakePc) -> None:
    """The gateway of the route with the least metric, the first name server; without an address nothing is asked."""
    found = targets(ReachSettings(), "", make_pc())
    assert {name: (t.method, t.host, t.port) for name, t in found.items()} == {
        "gateway": ("tcp", "192.168.1.254", 80),
        "dns": ("dns", "192.168.1.254", 53),
    }
    assert found["gateway"].refused_is_answer


def test_the_server_of_the_enrolment_is_the_district(make_pc: MakePc) -> None:
    """Configured targets come before derived ones."""
    settings = ReachSettings(gateway="tcp://10.0.0.1:443", internet="https://example.org/x?y=1")
    found = targets(settings, "http://10.0.0.9:8080/", make_pc())
    assert (found["district"].host, found["district"].port, found["district"].path) == ("10.0.0.9", 8080, "/health")
    assert (found["gateway"].host, found["gateway"].port) == ("10.0.0.1", 443)
    assert (found["internet"].method, found["internet"].secure, found["internet"].path) == ("http", True, "/x?y=1")


def test_without_route_and_name_server_they_are_absent(make_pc: MakePc) -> None:
    """A target that cannot be asked is not a target that does not answer."""
    assert targets(ReachSettings(), "", make_pc({"proc/net/route": "Iface\n", "etc/resolv.conf": "# none\n"})) == {}


def test_broken_route_lines_are_passed_over(make_pc: MakePc) -> None:
    """The kernel's file may be cut short; the good line still counts."""
    route = "Iface\nenp2s0 zz\nenp2s0 00000000 0101A8C0 0003 0 0 5 00000000 0 0 0\n"
    assert targets(ReachSettings(), "", make_pc({"proc/net/route": route}))["gateway"].host == "192.168.1.1"


def test_traffic_is_of_the_same_interfaces_as_link() -> None:
    """On this machine: parts agree, and the counters are the kernel's own."""
    names = {group.part for group in LinkProbe(Roots()).measure()}
    groups = TrafficProbe(Roots()).measure()
    assert {group.part for group in groups} <= names
    for group in groups:
        counter = Path("/sys/class/net", group.part, "statistics/rx_bytes")
        assert 0 <= int(group.values["received_bytes"]) <= int(counter.read_text())


def test_usage_of_this_machine_is_possible() -> None:
    """Memory in use and available fit into the machine; free space into the volume, as statvfs gives it."""
    (group,) = UsageProbe(Roots()).measure()
    values = group.values
    assert 0 < int(values["memory_available_bytes"]) <= psutil.virtual_memory().total
    stat = os.statvfs("/")
    assert values["system_volume_bytes"] == stat.f_frsize * (stat.f_blocks - stat.f_bfree + stat.f_bavail) or (
        values["system_volume_bytes"] == stat.f_frsize * stat.f_blocks
    )


def test_a_processor_at_work_is_seen(make_pc: MakePc, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the time since the last round was work; waiting for a disk is not work; no time, no share."""
    folder = make_pc().proc
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(folder))
    for name in ("vmstat", "diskstats"):
        (folder / name).write_text("pswpin 0\npswpout 0\n" if name == "vmstat" else "")
    (folder / "meminfo").write_text(Path("/proc/meminfo").read_text())
    stat = folder / "stat"
    stat.write_text("cpu  1000 0 0 5000 100 0 0 0 0 0\n")
    probe = UsageProbe(Roots(proc=folder))
    assert "cpu_busy_ratio" not in probe.measure()[0].values
    stat.write_text("cpu  1400 0 100 5300 300 0 0 0 400 0\n")
    assert probe.measure()[0].values["cpu_busy_ratio"] == 0.5
