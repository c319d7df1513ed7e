"""The probe `link`: state of each network interface. A speed that the system does not know is left out.

On Linux the kernel's own files tell; elsewhere psutil does, which knows neither medium nor default route.
"""

from __future__ import annotations

import sys

import psutil

from phongmay_agent.probes import network_linux
from phongmay_agent.probes.base import NoData, bounded, present, read_text
from phongmay_agent.probes.roots import Roots
from phongmay_contract.catalogue import Cadence
from phongmay_contract.envelope import Group
from phongmay_contract.units import MBIT_PER_SECOND

_DUPLEX: dict[int, str] = {psutil.NIC_DUPLEX_FULL: "full", psutil.NIC_DUPLEX_HALF: "half"}


class LinkProbe:
    """Speed, duplex, medium and default route; the card's address only where that was allowed."""

    name = "link"
    cadence = Cadence.ROUND
    gives = ("link",)

    def __init__(self, roots: Roots, *, tells_address: bool = False) -> None:
        self._roots = roots
        self._tells_address = tells_address

    def measure(self) -> list[Group]:
        """Look at every interface now.

        Raises:
            NoData: there is no interface besides the loopback.
        """
        found = interface_states(self._roots)
        if not found:
            raise NoData
        return bounded(
            [
                Group(
                    "link",
                    present(
                        is_up=item.is_up,
                        speed_bps=item.speed_bps,
                        duplex=item.duplex or "unknown",
                        medium=item.medium,
                        is_default_route=item.is_default_route if sys.platform == "linux" else None,
                        hardware_address=self._address(item),
                    ),
                    part=item.name,
                )
                for item in found
            ]
        )

    def _address(self, item: network_linux.Interface) -> str | None:
        return hardware_address(item.name, self._roots) if self._tells_address and item.medium != "wireless" else None


def hardware_address(name: str, roots: Roots) -> str | None:
    """Give the address of a card, None where the system does not tell."""
    if sys.platform == "linux":
        return read_text(roots.sys / "class" / "net" / name / "address")
    found = (one.address for one in psutil.net_if_addrs().get(name, ()) if one.family == psutil.AF_LINK)
    return next(found, None)


def interface_states(roots: Roots) -> list[network_linux.Interface]:
    """List the interfaces, the most important first."""
    if sys.platform == "linux":
        return network_linux.interfaces(roots)
    states = psutil.net_if_stats()
    return sorted(
        (
            network_linux.Interface(
                name,
                state.isup,
                state.speed * MBIT_PER_SECOND if state.speed > 0 else None,
                _DUPLEX.get(state.duplex),
                "unknown",
                is_default_route=False,
            )
            for name, state in states.items()
            if not name.lower().startswith(("lo", "loopback"))
        ),
        key=lambda item: (not item.is_up, item.name),
    )
