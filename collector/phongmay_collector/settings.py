"""Settings of the broker and the collector: the tables [broker] and [collector] of phongmay.toml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phongmay_contract.errors import OperatorError
from phongmay_contract.settings import setting


@dataclass(frozen=True)
class BrokerSettings:
    """Where the broker listens, where its generated files lie, and how much it holds back for an absent collector."""

    host: str = setting("127.0.0.1", about="Address at which the collector reaches the broker.")
    port: int = setting(1883, about="Port of the broker.", low=1, high=65535)
    bind: str = setting("127.0.0.1", about="Address on which 'phongmay broker run' listens; 0.0.0.0 is every address.")
    directory: Path = setting(
        Path("/var/lib/phongmay/broker"),
        about="Where mosquitto.conf, the password file, the ACL and the collector's own passwords are generated.",
    )
    max_inflight_messages: int = setting(
        2000,
        about="Messages that the broker sends before the first is acknowledged; at least collector.batch_size.",
        low=20,
        high=65535,
    )
    queue_mib: int = setting(
        256,
        about="Memory (MiB) that the broker may fill with messages for an absent collector; what does not fit is "
        "dropped by the broker and sent again by the agents.",
        low=1,
        high=65536,
    )


@dataclass(frozen=True)
class CollectorSettings:
    """How the collector gathers."""

    batch_size: int = setting(500, about="Envelopes that are committed together at most.", low=1, high=10000)
    batch_age_s: float = setting(0.2, about="Seconds after which a smaller batch is committed.", low=0.01, high=10)


def check_batch(broker: BrokerSettings, collector: CollectorSettings) -> None:
    """Make sure that a batch can fill: the broker stops sending at its in-flight limit until we acknowledge.

    Raises:
        OperatorError: the batch is larger than the limit.
    """
    if collector.batch_size > broker.max_inflight_messages:
        raise OperatorError(
            f"collector.batch_size {collector.batch_size} exceeds broker.max_inflight_messages "
            f"{broker.max_inflight_messages}: the broker would stop sending before a batch is full; lower the one "
            "or raise the other and run 'phongmay broker files'"
        )
