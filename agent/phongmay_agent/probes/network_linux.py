"""The network of a Linux machine: /sys/class/net, /proc/net and resolv.conf in, interfaces and addresses out.

What the kernel does not know (a speed of -1 or 0, the duplex of a link that is down) is None.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from phongmay_agent.probes.base import read_int, read_text
from phongmay_agent.probes.roots import Roots
from phongmay_contract.units import MBIT_PER_SECOND

_ETHERNET = 1
_ROUTE_UP_GATEWAY = 0x3
"""RTF_UP and RTF_GATEWAY (linux/route.h)."""


@dataclass(frozen=True)
class Interface:
    """State of one interface, as the `link` measurement has it."""

    name: str
    is_up: bool
    speed_bps: int | None
    duplex: str | None
    medium: str
    is_default_route: bool


@dataclass(frozen=True)
class Route:
    """The default route with the least metric."""

    interface: str
    gateway: str


def interfaces(roots: Roots) -> list[Interface]:
    """List real interfaces and the one of the default route (in a container that is a virtual one), this one first."""
    route = default_route(roots)
    first = route.interface if route else ""
    try:
        folders = sorted((roots.sys / "class" / "net").iterdir())
    except OSError:
        return []
    real = [folder for folder in folders if folder.name == first or (folder / "device").exists()]
    return sorted(
        (_interface(folder, first) for folder in real),
        key=lambda item: (not item.is_default_route, not item.is_up, item.name),
    )


def _interface(folder: Path, first: str) -> Interface:
    carrier, speed = read_int(folder / "carrier"), read_int(folder / "speed")
    duplex = read_text(folder / "duplex")
    wireless = (folder / "wireless").exists() or (folder / "phy80211").exists()
    wired = read_int(folder / "type") == _ETHERNET and (folder / "device").exists()
    return Interface(
        folder.name,
        is_up=carrier == 1 if carrier is not None else read_text(folder / "operstate") == "up",
        speed_bps=speed * MBIT_PER_SECOND if speed is not None and speed > 0 else None,
        duplex=duplex if duplex in ("full", "half") else None,
        medium="wireless" if wireless else "wired" if wired else "unknown",
        is_default_route=folder.name == first,
    )


def default_route(roots: Roots) -> Route | None:
    """Find the IPv4 default route; None if there is none."""
    best: tuple[int, Route] | None = None
    for line in (read_text(roots.proc / "net" / "route") or "").splitlines()[1:]:
        fields = line.split()
        try:
            name, target, gateway, flags, metric, mask = (fields[i] for i in (0, 1, 2, 3, 6, 7))
            if int(target, 16) == int(mask, 16) == 0 and int(flags, 16) & _ROUTE_UP_GATEWAY == _ROUTE_UP_GATEWAY:
                address = socket.inet_ntoa(struct.pack("=I", int(gateway, 16)))  # the kernel prints its own byte order
                if best is None or int(metric) < best[0]:
                    best = int(metric), Route(name, address)
        except (IndexError, ValueError):
            continue
    return best[1] if best else None


def name_server(roots: Roots) -> str | None:
    """Give the first name server of resolv.conf; None without one."""
    for line in (read_text(roots.etc / "resolv.conf") or "").splitlines():
        fields = line.split()
        if len(fields) > 1 and fields[0] == "nameserver":
            return fields[1].partition("%")[0]
    return None
