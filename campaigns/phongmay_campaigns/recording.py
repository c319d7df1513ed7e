"""What came of a run, as rows: the analysis, the server's report and the participants' own results go in.

Nothing is judged here (`phongmay_bandwidth.analysis` does that) and nothing is read; None stays None.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from phongmay_bandwidth import BIN_S
from phongmay_bandwidth.planning import RunPlan
from phongmay_bandwidth.report import RunReport
from phongmay_bandwidth.result import ParticipantResult
from phongmay_bandwidth.ticket import Purpose
from phongmay_bandwidth.verdict import Cause, DirectionFigures, ParticipantFigures, RunAnalysis
from phongmay_campaigns.presence import Carried
from phongmay_campaigns.sites import Pc
from phongmay_store.register.campaign import CampaignParticipant, CampaignResult, CampaignRun

_BINS_A_SECOND = round(1 / BIN_S)


@dataclass(frozen=True)
class Outcome:
    """Everything that is known of a run when it ends.

    Attributes:
        meant: PCs in service that should take part.
        ordered: those that got an order.
        router: what the router carried from before the start to after the end; None = unknown.
        whole_room: every PC in service of the tested rooms was meant.
        whole_school: every PC in service of all computer rooms was meant.
    """

    run: CampaignRun
    plan: RunPlan
    analysis: RunAnalysis
    report: RunReport
    results: Mapping[str, ParticipantResult]
    meant: Sequence[Pc]
    ordered: frozenset[str]
    router: Carried | None
    whole_room: bool
    whole_school: bool
    uplink_bps: int


def result_row(outcome: Outcome) -> CampaignResult:
    """Make the row of the run."""
    run, analysis, report = outcome.run, outcome.analysis, outcome.report
    figures = {figure.direction: figure for figure in analysis.directions}
    down, up = figures.get(Purpose.DOWN.value), figures.get(Purpose.UP.value)
    shares = [one.share_floor for one in analysis.directions if one.share_floor is not None]
    resent = [one.retransmitted_ratio for one in analysis.directions if one.retransmitted_ratio is not None]
    by_id = {pc.id: pc.code for pc in outcome.meant}
    slow = [by_id.get(device, device) for device in analysis.slow_devices]
    router = outcome.router
    return CampaignResult(
        run_id=run.run_id,
        school_id=run.school_id,
        kind=run.kind,
        t_start=datetime.fromtimestamp(analysis.t_start, UTC),
        layer=analysis.layer,
        server_cc=analysis.server_cc,
        warmup_s=analysis.warmup_s,
        window_s=down.window_s if down else up.window_s if up else 0.0,
        streams=analysis.streams,
        pace_bps=outcome.plan.pace_bps(Purpose.DOWN, max(1, len(outcome.ordered))),
        n_registered=analysis.registered,
        n_online=len(outcome.ordered),
        n_started=analysis.started,
        n_valid=analysis.valid,
        emulated_n=analysis.emulated,
        agg_goodput_dl=_of(down, "goodput_bps"),
        agg_goodput_ul=_of(up, "goodput_bps"),
        agg_ip_dl=_of(down, "ip_bps"),
        agg_ip_ul=_of(up, "ip_bps"),
        agg_client_dl=_of(down, "client_bps"),
        agg_client_ul=_of(up, "client_bps"),
        jain=_of(down, "jain"),
        p10=_of(down, "p10_bps"),
        median=_of(down, "median_bps"),
        minimum=_of(down, "min_bps"),
        share_floor=min(shares, default=None),
        idle_p50=analysis.idle_rtt_p50_s,
        idle_p95=analysis.idle_rtt_p95_s,
        loaded_p50=analysis.loaded_rtt_p50_s,
        loaded_p95=analysis.loaded_rtt_p95_s,
        loss=analysis.ping_loss_ratio,
        retrans=max(resent, default=None),
        bytes_total=sum(one.bytes for one in analysis.directions),
        stop_reason=", ".join(dict.fromkeys(one.stop_reason for one in analysis.directions)),
        cross_traffic=_cross_share(analysis, run.contracted_dl, run.contracted_ul),
        router_dl=8 * router.down_bytes / router.seconds if router and router.seconds else None,
        router_ul=8 * router.up_bytes / router.seconds if router and router.seconds else None,
        server_load=max(report.egress_max_bps, report.ingress_max_bps) / outcome.uplink_bps,
        directions=[_direction(one) for one in analysis.directions],
        by_line=[
            {
                "line": line.line, "sources": list(line.sources), "participants": line.participants,
                "verdict": line.verdict.value, "directions": [_direction(one) for one in line.directions],
            }
            for line in analysis.lines
        ],
        rooms=_rooms(analysis),
        whole_room=outcome.whole_room,
        whole_school=outcome.whole_school,
        verdict=analysis.verdict.value,
        reasons=[reason.value for reason in analysis.reasons],
        cause=analysis.cause.value,
        cause_names=list(analysis.slow_rooms) if analysis.cause is Cause.ONE_ROOM else slow,
    )  # fmt: skip


def participant_rows(outcome: Outcome, versions: Mapping[str, str]) -> list[CampaignParticipant]:
    """Make a row for every PC that was meant, the absent ones too.

    Args:
        outcome: the run.
        versions: agent version by device.
    """
    figures = {one.device: one for one in outcome.analysis.participants}
    rows = []
    for pc in outcome.meant:
        own, found = outcome.results.get(pc.id), figures.get(pc.id)
        rows.append(
            CampaignParticipant(
                run_id=outcome.run.run_id,
                device_id=pc.id,
                room_id=pc.room_id,
                code=pc.code,
                agent_version=versions.get(pc.id, ""),
                **_measured(found),
                **_own(own),
                **_tcp(outcome.report, pc.id, outcome.plan),
            )
        )
    return rows


def _measured(found: ParticipantFigures | None) -> dict[str, Any]:
    if found is None:
        return {"status": "absent", "reason": "", "passed": None}
    return {
        "status": found.status,
        "reason": found.reason,
        "passed": found.passed,
        "source_address": found.source,
        "goodput_dl_srv": found.down_bps,
        "goodput_ul_srv": found.up_bps,
        "goodput_dl_cli": found.client_down_bps,
        "goodput_ul_cli": found.client_up_bps,
        "start_err": found.start_error_s,
    }


def _own(own: ParticipantResult | None) -> dict[str, Any]:
    if own is None:
        return {}
    return {
        "link": own.link_medium or "",
        "link_bps": own.link_speed_bps,
        "clock_off": own.clock_offset_s,
        "clock_rtt": own.clock_rtt_s,
        "idle_p50": own.idle_rtt_p50_s,
        "idle_p95": own.idle_rtt_p95_s,
        "loaded_p50": own.loaded_rtt_p50_s,
        "loaded_p95": own.loaded_rtt_p95_s,
        "ping_loss": own.ping_loss_ratio,
        "nic_rx": own.interface_received_bytes,
        "nic_tx": own.interface_sent_bytes,
        "own_cross_traffic": own.foreign_bps,
        "cpu_max": own.cpu_busy_max_ratio,
    }


def _tcp(report: RunReport, device: str, plan: RunPlan) -> dict[str, Any]:
    """Give what the server's connections tell: what was sent again, time limited by the PC, rates of each second."""
    own = [one for one in report.connections if one.participant == device]
    down = [one for one in own if one.direction == Purpose.DOWN]
    up = [one for one in own if one.direction == Purpose.UP]
    sent = sum(one.bytes for one in down)
    again = [one.retransmitted_bytes for one in down if one.retransmitted_bytes is not None]
    limited = [one.rwnd_limited_s for one in down if one.rwnd_limited_s is not None]
    return {
        "retrans": sum(again) / sent if again and sent else None,
        "rwnd_limited": max(limited, default=None),
        "bins_dl": _seconds([one.bins for one in down]),
        "bins_ul": _seconds([one.bins for one in up]),
    }


def _seconds(series: Sequence[Sequence[int]]) -> list[int]:
    """Add the streams of a PC and give bit/s of each whole second."""
    length = max((len(bins) for bins in series), default=0)
    total = [sum(bins[index] for bins in series if index < len(bins)) for index in range(length)]
    return [8 * sum(total[at : at + _BINS_A_SECOND]) for at in range(0, length, _BINS_A_SECOND)]


def _rooms(analysis: RunAnalysis) -> list[dict[str, Any]]:
    out = []
    for room, passed in analysis.room_passed.items():
        own = [one for one in analysis.participants if one.room == room]
        rates = sorted(one.down_bps for one in own if one.down_bps is not None and one.status == "ok")
        out.append(
            {
                "room": room,
                "passed": passed,
                "passed_devices": sorted(one.device for one in own if one.passed is True),
                "failed_devices": sorted(one.device for one in own if one.passed is False),
                "p10_dl": rates[(len(rates) - 1) // 10] if rates else None,
            }
        )
    return out


def _direction(figures: DirectionFigures) -> dict[str, Any]:
    """Give the figures of a direction as JSON, its series by seconds."""
    record = dataclasses.asdict(figures)
    record["bins"] = _seconds([figures.bins])
    return record


def _cross_share(analysis: RunAnalysis, contracted_dl: int | None, contracted_ul: int | None) -> float | None:
    shares = []
    for one in analysis.directions:
        line = contracted_dl if one.direction == Purpose.DOWN else contracted_ul
        if one.cross_bps is not None and line:
            shares.append(max(0.0, one.cross_bps) / line)
    return max(shares, default=None)


def _of(figures: DirectionFigures | None, name: str) -> float | None:
    value: float | None = getattr(figures, name) if figures is not None else None
    return value
