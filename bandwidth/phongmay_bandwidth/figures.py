"""Numbers of one direction, of what the server saw: flows go in, sums, fairness and quantiles come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from phongmay_bandwidth import IP_BYTES_PER_PAYLOAD
from phongmay_bandwidth.echo import quantile
from phongmay_bandwidth.report import ConnectionReport, RunReport
from phongmay_bandwidth.series import add_bins, bytes_of_bins
from phongmay_bandwidth.ticket import Purpose
from phongmay_bandwidth.verdict import DirectionFigures, Witness

PASS_SHARE = 0.95
"""A PC has the floor with so much of the ordered pace."""
_WIRE_BYTES_PER_IP = 1514 / 1500


def window_of(report: RunReport, direction: str, longest_s: float) -> float:
    """Give the length of the window of a direction: as the server stopped it, else as planned."""
    stopped = report.stopped_down_s if direction == Purpose.DOWN else report.stopped_up_s
    return min(longest_s, stopped) if stopped > 0.01 else longest_s


def rates(flows: Iterable[ConnectionReport], warmup_s: float, window_s: float) -> dict[str, float]:
    """Give the payload rate of each participant in the window, all its streams together."""
    found: dict[str, float] = {}
    for flow in flows:
        passed = bytes_of_bins(flow.bins, warmup_s, warmup_s + window_s)
        found[flow.participant] = found.get(flow.participant, 0.0) + passed * 8 / window_s
    return found


def jain(values: Sequence[float]) -> float | None:
    """Give Jain's index of fairness; None without values or when all are 0."""
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else None


def direction_figures(
    direction: str,
    flows: Sequence[ConnectionReport],
    valid: Mapping[str, float],
    client: Mapping[str, float],
    pace_bps: float,
    warmup_s: float,
    window_s: float,
    stop_reason: str,
    witness: Witness | None = None,
) -> DirectionFigures:
    """Work out one direction.

    Args:
        direction: down or up.
        flows: every connection of it, also of participants that are not valid: the line carried their bytes too.
        valid: rate of each valid participant.
        client: own figure of each valid participant that gave one.
        pace_bps: ordered pace of a participant, 0 unpaced.
        warmup_s: trimmed.
        window_s: length of the window.
        stop_reason: why the server ended it.
        witness: what the router counted in the window.
    """
    goodput = sum(rates(flows, warmup_s, window_s).values())
    ordered = sorted(valid.values())
    sent = sum(flow.bytes for flow in flows)
    resent = [flow.retransmitted_bytes for flow in flows if flow.retransmitted_bytes is not None]
    ip_bps = goodput * IP_BYTES_PER_PAYLOAD
    return DirectionFigures(
        direction=direction,
        window_s=window_s,
        goodput_bps=goodput,
        ip_bps=ip_bps,
        client_bps=sum(client.values()) if client else None,
        ordered_bps=pace_bps * len(valid),
        jain=jain(ordered),
        p10_bps=quantile(ordered, 0.1),
        median_bps=quantile(ordered, 0.5),
        min_bps=ordered[0] if ordered else None,
        share_floor=sum(rate >= PASS_SHARE * pace_bps for rate in ordered) / len(ordered)
        if pace_bps and ordered
        else None,
        retransmitted_ratio=sum(resent) / sent if direction == Purpose.DOWN and resent and sent else None,
        bytes=sent,
        stop_reason=stop_reason,
        bins=add_bins([flow.bins for flow in flows]),
        cross_bps=witness.wire_bytes * 8 / witness.seconds - ip_bps * _WIRE_BYTES_PER_IP if witness else None,
    )
