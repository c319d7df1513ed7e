"""Ends a run: the server's report and the participants' results go in, the judged run comes out as rows.

The router is asked twice: first the analysis without it tells how many bytes were the test's own, then what the router
carried beyond them is laid before the analysis as a witness.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from phongmay_bandwidth import IP_BYTES_PER_PAYLOAD
from phongmay_bandwidth.analysis import analyse
from phongmay_bandwidth.order import RunKind
from phongmay_bandwidth.planning import RunPlan
from phongmay_bandwidth.records import RecordError
from phongmay_bandwidth.report import RunReport
from phongmay_bandwidth.result import ParticipantResult
from phongmay_bandwidth.ticket import Purpose
from phongmay_bandwidth.verdict import Expected, LineContract, RunAnalysis, Witness
from phongmay_campaigns.presence import Carried, carried_in
from phongmay_campaigns.recording import Outcome, participant_rows, result_row
from phongmay_campaigns.sites import Pc, Site
from phongmay_contract.envelope import Group
from phongmay_store.register.campaign import CampaignParticipant, CampaignResult, CampaignRun
from phongmay_store.series.interface import EnvelopeId, Row, SeriesReader

_SLACK_S = 120.0
"""A result is measured, and a router read, so long before or after the run at most."""


class Finished(NamedTuple):
    """The rows of a run that has ended."""

    result: CampaignResult
    participants: list[CampaignParticipant]


def read_plan(table: Mapping[str, Any]) -> RunPlan:
    """Read a plan out of the detail of a step."""
    return RunPlan(
        **{
            **table,
            "kind": RunKind(table["kind"]),
            "directions": tuple(Purpose(one) for one in table["directions"]),
        }
    )


def read_results(series: SeriesReader, devices: Sequence[str], plan: RunPlan) -> dict[str, ParticipantResult]:
    """Give the participants' own results that have come so far."""
    out = {}
    start, end = plan.start - _SLACK_S, max(plan.starts().values()) + plan.window_max_s + 2 * _SLACK_S
    for device in devices:
        own = [
            row for row in series.range(device, "campaign", start, end) if row.values.get("campaign_run") == plan.run
        ]
        if not own:
            continue
        source: EnvelopeId = own[-1].source
        rows = [own[-1], *(r for r in series.range(device, "campaign_bins", start, end) if r.source == source)]
        try:
            out[device] = ParticipantResult.from_groups([_group(row) for row in rows])
        except RecordError:
            continue  # a result that says nothing is like one that never came
    return out


def _group(row: Row) -> Group:
    name = "campaign" if "campaign_run" in row.values else "campaign_bins"
    return Group(name, row.values, part=row.part)


def finish(
    run: CampaignRun,
    detail: Mapping[str, Any],
    plan: RunPlan,
    report: RunReport,
    results: Mapping[str, ParticipantResult],
    series: SeriesReader,
    site: Site | None,
    uplink_bps: int,
    usual: Sequence[Collection[str]] = (),
) -> Finished:
    """Judge a run and give its rows; of a failover `usual` are the lines of the last ordinary runs (`failover`)."""
    meant = [Pc(**pc) for pc in detail["meant"]]
    ordered = frozenset(detail["ordered"])
    expected = [Expected(pc.id, pc.room_id, pc.id in ordered) for pc in meant]
    lines = _lines(run, report, site)
    analysis = analyse(plan, expected, report, results, lines, failover=run.failover, usual=usual)
    ends = float(detail["ends"])
    router = witness(series, site, plan.start, ends) if site else None
    if router is not None:
        witnesses = _witnesses(analysis, router)
        analysis = analyse(plan, expected, report, results, lines, witnesses, failover=run.failover, usual=usual)
    outcome = Outcome(
        run, plan, analysis, report, results, meant, ordered, router, bool(not run.ramp_n),
        bool(detail["whole_school"]) and not run.ramp_n, uplink_bps,
    )  # fmt: skip
    versions = {one.device: one.agent for one in series.presence([pc.id for pc in meant])}
    return Finished(result_row(outcome), participant_rows(outcome, versions))


def witness(series: SeriesReader, site: Site, start: float, ends: float) -> Carried | None:
    """Give what the school's routers carried around a run; None = they do not tell, or not yet."""
    return carried_in(series, site.routers, start, ends, _SLACK_S)


def _lines(run: CampaignRun, report: RunReport, site: Site | None) -> list[LineContract]:
    """Name the lines by the addresses that are declared of them.

    Where none are, a school's only line has every address, and of several each address is told apart by itself. An
    address that two lines claim is nobody's.
    """
    sources = sorted({one.source for one in report.connections} | set(report.controls.values()))
    known = site.lines if site else ()
    if any(line.sources for line in known):
        named = [
            LineContract(line.id, line.sources, float(line.down_bps or 0), float(line.up_bps or 0)) for line in known
        ]
        disputed = {source for source in sources if sum(line.holds(source) for line in named) > 1}
        return [
            dataclasses.replace(
                line, sources=tuple(source for source in sources if line.holds(source) and source not in disputed)
            )
            for line in named
        ]
    if len(run.lines) == 1:
        return [
            LineContract(run.lines[0], tuple(sources), float(run.contracted_dl or 0), float(run.contracted_ul or 0))
        ]
    return [LineContract(source, (source,)) for source in sources]


def _witnesses(analysis: RunAnalysis, router: Carried) -> list[Witness]:
    """Say what the router carried in each window: the test's own bytes and the others' share of its whole time."""
    out = []
    for figures in analysis.directions:
        whole = router.down_bytes if figures.direction == Purpose.DOWN else router.up_bytes
        others = max(0.0, whole - figures.bytes * IP_BYTES_PER_PAYLOAD) / router.seconds
        wire = figures.window_s * (figures.ip_bps / 8 + others)
        out.append(Witness(figures.direction, int(wire), figures.window_s))
    return out
