"""The table [bandwidth] of phongmay.toml: the server that participants load their line against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phongmay_contract.settings import setting


@dataclass(frozen=True)
class BandwidthSettings:
    """All settings of the bandwidth server."""

    host: str = setting("0.0.0.0", about="Address it listens on.")  # noqa: S104 # participants come from outside
    port: int = setting(
        7800, about="TCP and UDP port; TCP carries the flow and the control, UDP the echo.", low=0, high=65535
    )
    key_file: Path = setting(
        Path("/var/lib/phongmay/bandwidth.key"), about="Ticket key, 64 hexadecimal digits, shared with the coordinator."
    )
    uplink_bps: float = setting(1e9, about="What the server's own line carries each way, in bit/s.", low=1e5, high=1e12)
    max_connections: int = setting(1000, about="Admitted connections at most.", low=4, high=20000)
    max_waiting: int = setting(128, about="Connections without a ticket yet; the oldest goes.", low=4, high=2000)
    pacing: str = setting(
        "auto", about="Who paces: the kernel where it can, or this program.", choices=("auto", "bucket")
    )
    metrics_port: int = setting(
        0,
        about="Port on 127.0.0.1 for /metrics, /health and /ready of 'phongmay bandwidth-server run'; 0 = none.",
        low=0, high=65535,
    )  # fmt: skip
