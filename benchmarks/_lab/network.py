"""Builds the school's network inside a private network namespace, by ip(8) and tc(8).

In: numbers of PCs and of lines. Out: namespaces pc0..pcN-1 behind a bridge in the namespace `router`, and for each line
a pair of devices, `wanr<k>` at the router and `wani<k>` beyond. They are TUN devices that the forwarder joins, or a
veth pair (no delay) where /dev/net/tun cannot be opened. PC i uses line i mod lines, as behind a balancer by source
address: its address is 10.(line).x.y. Shaping is tbf on both devices; rates are given as those of IP packets. A command
that fails raises CalledProcessError.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable

_RING = 5000
"""Packets between tbf and the forwarder: when it comes late they wait, and are not lost."""
SERVER = "192.0.2.1"
"""Address beyond the lines, where broker and bandwidth server listen."""
FOREIGN = "foreign"
"""Namespace of somebody else on the Internet, who sends to the school what is not the test."""


def batch(program: str, lines: Iterable[str], namespace: str = "") -> None:
    """Run many lines of ip or tc at once."""
    where = ["-n", namespace] if namespace else []
    subprocess.run([program, *where, "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)


def line_of(pc: int, lines: int, pulled: int = 0) -> int:
    """Give the line of a PC, as a balancer chooses among those that are not pulled out (the first ones are)."""
    return pulled + pc % (lines - pulled)


def address_of(pc: int, lines: int, pulled: int = 0) -> str:
    """Give a PC's address."""
    return f"10.{line_of(pc, lines, pulled)}.{pc // 200}.{pc % 200 + 10}"


def network_of(line: int) -> str:
    """Give the addresses that come over a line."""
    return f"10.{line}.0.0/16"


def build(pcs: int, lines: int, *, tun: bool, pulled: int = 0) -> None:
    """Build everything but the shaping."""
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    names = [f"pc{index}" for index in range(pcs)]
    batch("ip", ["netns add router", *(f"netns add {name}" for name in names), "link set lo up",
                 f"addr add {SERVER}/32 dev lo"])  # fmt: skip
    setup = ["link add lan0 type bridge", "link set lan0 up", "link set lo up"]
    setup += [f"addr add 10.{line}.255.254/16 dev lan0" for line in range(lines)]
    batch("ip", setup, "router")
    batch("ip", (f"link add v{i} netns router type veth peer name eth0 netns pc{i}" for i in range(pcs)))
    batch("ip", (line for i in range(pcs) for line in (f"link set v{i} master lan0", f"link set v{i} up")), "router")
    for index in range(pcs):
        batch("ip", ["link set lo up", f"addr add {address_of(index, lines, pulled)}/16 dev eth0", "link set eth0 up",
                     f"route add default via 10.{line_of(index, lines, pulled)}.255.254"], f"pc{index}")  # fmt: skip
    if tun:
        batch("ip", (f"tuntap add mode tun name wanr{line}" for line in range(lines)), "router")
        batch("ip", (f"tuntap add mode tun name wani{line}" for line in range(lines)))
        batch("ip", (f"link set wanr{line} txqueuelen {_RING}" for line in range(lines)), "router")
        batch("ip", (f"link set wani{line} txqueuelen {_RING}" for line in range(lines)))
    else:
        batch("ip", (f"link add wani{k} type veth peer name wanr{k} netns router" for k in range(lines)))
    out: list[str] = []
    for line in range(lines):
        far = "" if tun else f"via 203.0.113.{4 * line + 1} "
        if not tun:
            out.append(f"addr add 203.0.113.{4 * line + 2}/30 dev wanr{line}")
        out += [f"link set wanr{line} up", f"route add default {far}dev wanr{line} table {100 + line}",
                f"rule add from {network_of(line)} lookup {100 + line}"]  # fmt: skip
        out += [f"route add {network_of(each)} dev lan0 table {100 + line}" for each in range(lines)]
    batch("ip", out, "router")
    for line in range(lines):
        far = "" if tun else f"via 203.0.113.{4 * line + 2} "
        near = [] if tun else [f"addr add 203.0.113.{4 * line + 1}/30 dev wani{line}"]
        batch("ip", [*near, f"link set wani{line} up", f"route add {network_of(line)} {far}dev wani{line}"])
    batch("ip", [f"netns add {FOREIGN}", f"link add foreign0 type veth peer name eth0 netns {FOREIGN}",
                 "addr add 198.51.100.1/30 dev foreign0", "link set foreign0 up"])  # fmt: skip
    batch("ip", ["addr add 198.51.100.2/30 dev eth0", "link set eth0 up", "route add default via 198.51.100.1"],
          FOREIGN)  # fmt: skip
    batch("ip", (f"link set wanr{line} down" for line in range(pulled)), "router")
    forwarding = "for f in /proc/sys/net/ipv4/ip_forward; do echo 1 > $f; done;"
    forwarding += "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done"
    subprocess.run(["sh", "-c", forwarding], check=True)
    subprocess.run(["ip", "netns", "exec", "router", "sh", "-c", forwarding], check=True)


def shape(line: int, down_bps: float, up_bps: float, *, tun: bool, queue_s: float = 0.1) -> None:
    """Give a line its rate of IP packets each way and its queue."""
    if not tun:  # there tbf counts the 14 bytes of Ethernet too
        down_bps, up_bps = down_bps * 1514 / 1500, up_bps * 1514 / 1500
    for device, rate, namespace in ((f"wani{line}", down_bps, ""), (f"wanr{line}", up_bps, "router")):
        burst = max(15000, int(rate / 8 * 0.002))
        limit = max(30000, int(rate / 8 * queue_s)) + burst
        where = ["-n", namespace] if namespace else []
        subprocess.run(
            ["tc", *where, "qdisc", "replace", "dev", device, "root", "tbf",
             "rate", f"{round(rate)}bit", "burst", str(burst), "limit", str(limit)],
            check=True,
        )  # fmt: skip


def counters(line: int, *, tun: bool) -> tuple[int, int]:
    """Give the router's counters of a line as its Ethernet port has them: bytes that came down, bytes that went up."""
    down, up = _counters("router", f"wanr{line}")
    return (round(down * 1514 / 1500), round(up * 1514 / 1500)) if tun else (down, up)


def received_by(pc: int) -> int:
    """Give the bytes that a PC's port has received."""
    return _counters(f"pc{pc}", "eth0")[0]


def _counters(namespace: str, device: str) -> tuple[int, int]:
    command = ["ip", "-n", namespace, "-s", "-j", "link", "show", device]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)[0]["stats64"]
    return int(found["rx"]["bytes"]), int(found["tx"]["bytes"])
