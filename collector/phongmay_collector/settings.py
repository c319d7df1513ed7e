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
    tls_port: int = setting(
        0, about="Port on which the broker speaks TLS besides, usually 8883; 0 = it does not.", low=0, high=65535
    )
    tls_bind: str = setting("0.0.0.0", about="Address on which it does; 0.0.0.0 is every one.")  # noqa: S104 # for schools
    tls_certificate: str = setting(
        "", about="File (PEM) with the broker's certificate, and those between it and the CA."
    )
    tls_key: str = setting("", about="File (PEM) with the certificate's private key, without a password.")
    ca_file: str = setting(
        "",
        about="File (PEM) with the CA of the broker's certificate: the collector then speaks TLS to broker.host and "
        "broker.port; empty = it speaks without.",
    )
    directory: Path = setting(
        Path("/var/lib/phongmay/broker"),
        about="Where mosquitto.conf, the password file, the ACL and the collector's own passwords are generated.",
    )
    collectors: int = setting(
        1,
        about="Collectors that the generated files let in, each with users of its own; see collector.number.",
        low=1,
        high=64,
    )
    max_inflight_messages: int = setting(
        40000,
        about="Messages that the broker sends before the first is acknowledged; four times collector.batch_size, so "
        "that reading and writing overlap.",
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

    batch_size: int = setting(10000, about="Envelopes that are committed together at most.", low=1, high=10000)
    batch_age_s: float = setting(0.2, about="Seconds after which a smaller batch is committed.", low=0.01, high=10)
    queue_path: str = setting(
        "",
        about="File in which messages wait while the series store is away; empty = queue.db in broker.directory; "
        "collector n > 1 adds -n to the name.",
    )
    queue_mib: int = setting(
        1024,
        about="Size (MiB) of that queue at most; beyond it nothing is acknowledged, and the broker holds back.",
        low=1,
        high=1048576,
    )
    device_messages_per_minute: int = setting(
        6000,
        about="Messages of one device and kind that are read in a minute; what is beyond gets no receipt.",
        low=10,
        high=10000000,
    )
    number: int = setting(
        1, about="Which of broker.collectors this process is; 'phongmay collector run --number' goes before.",
        low=1, high=64,
    )  # fmt: skip
    share: str = setting(
        "", about="Name of the group of collectors that share the messages ($share of MQTT 5); empty = it is alone."
    )
    session_expiry_s: int = setting(
        604800,
        about="Seconds for which the broker keeps messages for a collector that is away, when it is alone.",
        low=10,
        high=4294967294,
    )
    share_expiry_s: int = setting(
        60,
        about="The same in a group: so long a member that is gone still gets its share, and nobody reads it.",
        low=10,
        high=4294967294,
    )
    metrics_port: int = setting(
        9471,
        about="Port on 127.0.0.1 for /metrics, /health and /ready; collector n > 1 adds n - 1; 0 = none.",
        low=0,
        high=65535,
    )


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


def check_member(broker: BrokerSettings, collector: CollectorSettings) -> None:
    """Make sure that the broker lets this collector in, and that several of them share.

    Raises:
        OperatorError: its number is too high, or there are several and no group.
    """
    if not 1 <= collector.number <= broker.collectors:
        raise OperatorError(
            f"collector.number {collector.number}: broker.collectors is {broker.collectors}; raise it and run "
            "'phongmay broker files', then restart the broker"
        )
    if broker.collectors > 1 and not collector.share:
        raise OperatorError(
            f"broker.collectors is {broker.collectors}, but collector.share is empty: each would read everything; "
            'give the group a name, e.g. share = "district"'
        )
    if not all(sign.isascii() and (sign.isalnum() or sign in "-_") for sign in collector.share):
        raise OperatorError(
            f"collector.share {collector.share!r}: a group's name consists of letters, digits, '-' and '_'"
        )
