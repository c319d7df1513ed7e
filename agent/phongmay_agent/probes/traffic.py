"""The probe `traffic`: byte and packet counters of the interfaces that `link` shows; never addresses or names."""

from __future__ import annotations

import psutil

from phongmay_agent.probes.base import NoData, bounded
from phongmay_agent.probes.link import interface_states
from phongmay_agent.probes.roots import Roots
from phongmay_contract.catalogue import Cadence
from phongmay_contract.envelope import Group


class TrafficProbe:
    """Counters since the machine started."""

    name = "traffic"
    cadence = Cadence.ROUND
    gives = ("traffic",)

    def __init__(self, roots: Roots) -> None:
        self._roots = roots

    def measure(self) -> list[Group]:
        """Read the counters now.

        Raises:
            NoData: there is no interface besides the loopback.
        """
        counters = psutil.net_io_counters(pernic=True, nowrap=False)
        groups = [
            Group(
                "traffic",
                {
                    "received_bytes": found.bytes_recv,
                    "sent_bytes": found.bytes_sent,
                    "received_packets": found.packets_recv,
                    "sent_packets": found.packets_sent,
                    "receive_errors": found.errin,
                    "send_errors": found.errout,
                    "receive_drops": found.dropin,
                },
                part=item.name,
            )
            for item in interface_states(self._roots)
            if (found := counters.get(item.name)) is not None
        ]
        if not groups:
            raise NoData
        return bounded(groups)
