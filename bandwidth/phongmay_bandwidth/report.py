"""What the server saw of one run: the authority on every byte. `to_json` and `from_json` are each other's inverse.

One ConnectionReport a connection: whose, from which source address, how many bytes in each 0.1 s since the ordered
start, and what TCP tells. A report that is not of this form raises RecordError.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phongmay_bandwidth.records import RecordError, compact, parse_object


@dataclass(frozen=True)
class ConnectionReport:
    """One connection that carried (or was to carry) bytes.

    Attributes:
        participant: device id out of the ticket.
        direction: down or up.
        stream: number out of the ticket.
        source: address from which it came: tells the line.
        started_at: when the first byte was asked for or came, true UTC of the server; 0 if never.
        ended_at: when it ended.
        stop_reason: window (ran its time), steady (adaptive stop), peer (the participant closed), byte_cap, time_cap,
            run_byte_cap, aborted, open (still running).
        bytes: payload that arrived: acknowledged by the participant (down) or received (up).
        bins: the same in each 0.1 s from the ordered start on.
        congestion_control: what is in force on this connection; "" where the system does not tell.
        paced: kernel, bucket, or "" for unpaced.
        counter: acked, written (the system has no TCP_INFO) or received.
        retransmitted_bytes: payload sent again by the server; None where unknown.
        rtt_s: TCP's smoothed round trip at the end; None where unknown.
        min_rtt_s: least round trip that TCP saw; None where unknown.
        rwnd_limited_s: time in which the participant's receive window was the limit; None where unknown.
        sndbuf_limited_s: time in which the server's own send buffer was the limit; None where unknown.
    """

    participant: str
    direction: str
    stream: int
    source: str
    started_at: float
    ended_at: float
    stop_reason: str
    bytes: int
    bins: tuple[int, ...]
    congestion_control: str
    paced: str
    counter: str
    retransmitted_bytes: int | None
    rtt_s: float | None
    min_rtt_s: float | None
    rwnd_limited_s: float | None
    sndbuf_limited_s: float | None


@dataclass(frozen=True)
class RunReport:
    """One run as the server saw it.

    Attributes:
        run: id of the run.
        kind: floor, capacity or ramp.
        now: the server's clock when it wrote this.
        finished: nothing of the run is open any more, and its last start lies behind.
        aborted: the coordinator ended it, or too many participants gave way.
        start_down: ordered start downwards, 0 if there was none.
        start_up: ordered start upwards, 0 if there was none.
        stopped_down_s: length of the window when the server stopped the direction; 0 if it never did.
        stopped_up_s: the same upwards.
        reason_down: why the direction ended: window, steady, run_byte_cap, aborted; "" while it runs.
        reason_up: the same upwards.
        congestion_control: what is in force on the server's sending connections; several are joined by "+".
        cpu_max_ratio: highest share of one processor core that the server used in a second of the run.
        egress_max_bps: highest sum of payload that it sent for all runs in a second.
        ingress_max_bps: highest sum that it received.
        limited: the server itself was the limit; such a run is void.
        limits: why: cpu, late (its loop), uplink.
        refused: how many connections of this run were turned away, by reason.
        connections: every connection with bytes.
        controls: participants whose control connection was admitted, with their source address.
        busy: participants that gave way because their PCs were busy, with the reason.
    """

    run: str
    kind: str
    now: float
    finished: bool
    aborted: bool
    start_down: float
    start_up: float
    stopped_down_s: float
    stopped_up_s: float
    reason_down: str
    reason_up: str
    congestion_control: str
    cpu_max_ratio: float
    egress_max_bps: float
    ingress_max_bps: float
    limited: bool
    limits: tuple[str, ...]
    refused: dict[str, int]
    connections: tuple[ConnectionReport, ...]
    controls: dict[str, str]
    busy: dict[str, str] = dataclasses.field(default_factory=dict)

    def to_json(self) -> str:
        """Write it."""
        return compact(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str | bytes) -> RunReport:
        """Read it.

        Raises:
            RecordError: it is not of this form.
        """
        table = parse_object(text)
        raw = table.get("connections")
        if not isinstance(raw, list):
            raise RecordError("report: 'connections' is missing")
        table["connections"] = [_read(ConnectionReport, item) for item in raw]
        report: RunReport = _read(RunReport, table)
        return report


def _read(kind: type[Any], table: object) -> Any:
    """Read a dataclass whose tuples came as lists; its keys and their plain types must be there."""
    if not isinstance(table, Mapping):
        raise RecordError(f"report: {type(table).__name__} is not an object")
    values: dict[str, Any] = {}
    optional = {one.name for one in dataclasses.fields(kind) if one.default_factory is not dataclasses.MISSING}
    for name, wanted in typing.get_type_hints(kind).items():
        if name not in table and name in optional:  # a report that an older server wrote
            continue
        if name not in table:
            raise RecordError(f"report: '{name}' is missing")
        value = table[name]
        if not isinstance(value, _plain(wanted)) or (isinstance(value, bool) and wanted is not bool):
            raise RecordError(f"report: '{name}' is {type(value).__name__}")
        values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def _plain(wanted: Any) -> tuple[type, ...]:
    """Give the JSON types of a field's type."""
    if isinstance(wanted, types.UnionType):
        return tuple(one for option in typing.get_args(wanted) for one in _plain(option))
    origin = typing.get_origin(wanted) or wanted
    return (int, float) if origin is float else (list,) if origin is tuple else (origin,)
