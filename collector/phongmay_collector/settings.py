"""Settings of the broker and the collector: the tables [broker] and [collector] of phongmay.toml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phongmay_contract.settings import setting


@dataclass(frozen=True)
class BrokerSettings:
    """Where the broker listens, and where its generated files lie."""

    host: str = setting("127.0.0.1", about="Address at which the collector reaches the broker.")
    port: int = setting(1883, about="Port of the broker.", low=1, high=65535)
    directory: Path = setting(
        Path("/var/lib/phongmay/broker"),
        about="Where mosquitto.conf, the password file, the ACL and the collector's own password are generated.",
    )


@dataclass(frozen=True)
class CollectorSettings:
    """How the collector gathers."""

    batch_size: int = setting(500, about="Envelopes that are committed together at most.", low=1, high=10000)
    batch_age_s: float = setting(0.2, about="Seconds after which a smaller batch is committed.", low=0.01, high=10)
