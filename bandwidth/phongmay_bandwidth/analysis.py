"""The analysis of a run: what the server saw, held against what was ordered, gives verdict, reasons, cause and figures.

In: the plan, the PCs that were meant, the server's RunReport (the authority), the participants' own results (a
cross-check), the school's lines and the router's witness. Out: a RunAnalysis. Pure: nothing is asked or stored, and
whatever is missing leads to INSUFFICIENT or INVALID, never to PASS.

A PC whose own figures differ from the server's by more than 3 % is excluded and named, and so is one that gave way
because it was busy; only more than 10 % of such make the run INVALID, so that no single PC vetoes a school. `verdict`
speaks of all PCs of the run, `lines[...].verdict` of a line alone: one slow PC or room does not fail the line when the
others have all that was ordered. A line passes only if it carried (nearly) what all PCs need together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from phongmay_bandwidth.echo import quantile
from phongmay_bandwidth.evidence import EXCLUDED, OK, Evidence
from phongmay_bandwidth.order import RunKind
from phongmay_bandwidth.planning import RunPlan, streams_of
from phongmay_bandwidth.report import RunReport
from phongmay_bandwidth.result import Outcome, ParticipantResult
from phongmay_bandwidth.verdict import (
    Cause,
    DirectionFigures,
    Expected,
    LineContract,
    LineFigures,
    ParticipantFigures,
    Reason,
    RunAnalysis,
    Verdict,
    Witness,
)

LEAST_PARTICIPATION = 0.8
MOST_LEFT_OUT = 0.1
"""Of the PCs that took part so many may disagree with the server, or have been busy, before the run is INVALID."""
MOST_ABORTED = 0.1
MOST_CROSS = 0.1
LEAST_LOAD = 0.97
"""So much of what all PCs need together must have run over the line before it can pass: whoever dropped out after the
orders went out is not emulated, and a line that was not loaded has shown nothing."""
CONTRACT_SHARE = 0.95
"""A capacity run passes with so much of the contracted rate at the IP layer."""
_NO_FAILOVER = {Reason.LINE_STILL_ON, Reason.USUAL_LINE, Reason.USUAL_UNKNOWN}
SPREAD_S = 0.25
"""Starts further apart than this, late ones left out, mean that the clocks failed."""


def analyse(
    plan: RunPlan,
    expected: Sequence[Expected],
    report: RunReport,
    results: Mapping[str, ParticipantResult],
    lines: Sequence[LineContract] = (),
    witnesses: Sequence[Witness] = (),
    *,
    failover: bool = False,
    usual: Sequence[Collection[str]] = (),
) -> RunAnalysis:
    """Analyse one run.

    Args:
        plan: what was wanted.
        expected: every PC in service that is meant, also those that were not on.
        report: what the server saw.
        results: device to its own figures, as far as they came.
        lines: the school's lines by source address.
        witnesses: the router's counters of the windows.
        failover: the main line was pulled out, so that one line alone is to carry everything and to be held against
            its own contract.
        usual: lines over which each of the last ordinary runs went. A failover that went over the line that usually
            carries everything alone is none: nobody pulled it out; where no run tells, nobody knows.
    """
    evidence = Evidence(plan, expected, report, results, lines, witnesses)
    return _Analysis(plan, evidence, expected, lines, failover=failover, usual=usual).run()


class _Analysis:
    def __init__(
        self,
        plan: RunPlan,
        evidence: Evidence,
        expected: Sequence[Expected],
        lines: Sequence[LineContract],
        *,
        failover: bool,
        usual: Sequence[Collection[str]],
    ) -> None:
        self._plan, self._evidence, self._expected, self._lines = plan, evidence, expected, lines
        self._failover, self._usual = failover, usual
        self._report, self._results = evidence.report, evidence.results
        self._directions = evidence.directions

    def run(self) -> RunAnalysis:
        participants = tuple(self._evidence.participant(one) for one in self._expected)
        valid = {one.device for one in participants if one.status == OK}
        slow = tuple(one.device for one in participants if one.passed is False)
        directions = tuple(self._evidence.figures(name, valid) for name in self._directions)
        cause, slow_rooms = self._cause(participants, slow, valid)
        void, reasons = self._void(participants, directions)
        line_figures = self._line_figures(valid, slow, cause, void)
        verdict, more = self._verdict(void, directions, slow, valid, line_figures)
        if _NO_FAILOVER & set(more):
            line_figures = tuple(replace(line, verdict=verdict) for line in line_figures)
        if void is Verdict.INVALID or verdict is not Verdict.FAIL:
            cause = Cause.SERVER if Reason.SERVER_LIMITED in reasons else Cause.NONE
        return self._whole(participants, valid, directions, line_figures, verdict, (*reasons, *more), cause,
                           slow, slow_rooms)  # fmt: skip

    def _line_figures(
        self, valid: set[str], slow: Sequence[str], cause: Cause, void: Verdict | None
    ) -> tuple[LineFigures, ...]:
        by_line: dict[str, list[str]] = {}
        for flow in self._evidence.all_flows():
            sources = by_line.setdefault(self._evidence.line_of(flow.source), [])
            if flow.source not in sources:
                sources.append(flow.source)
        found = []
        for line, sources in sorted(by_line.items()):
            directions = tuple(self._evidence.figures(name, valid, sources) for name in self._directions)
            devices = {flow.participant for flow in self._evidence.all_flows() if flow.source in sources} & valid
            blamed = set(slow) if cause in (Cause.ONE_PC, Cause.ONE_ROOM) else set()
            verdict = void or self._line_verdict(line, sources, directions, devices - blamed)
            found.append(LineFigures(line, tuple(sources), len(devices), verdict, directions))
        return tuple(found)

    def _line_verdict(
        self, line: str, sources: Sequence[str], directions: Sequence[DirectionFigures], devices: set[str]
    ) -> Verdict:
        if not self._plan.paced:
            contract = next((one for one in self._lines if one.line == line), None)
            return _against_contract(contract, directions)
        if not devices:
            return Verdict.INSUFFICIENT
        carried = all(self._evidence.sum_is_there(name, devices, sources) for name in self._directions)
        if not carried:
            return Verdict.FAIL
        return Verdict.PASS if self._evidence.was_loaded(LEAST_LOAD, sources) else Verdict.INSUFFICIENT

    # ---- verdict ------------------------------------------------------------------------------------------------

    def _void(
        self, participants: Sequence[ParticipantFigures], directions: Sequence[DirectionFigures]
    ) -> tuple[Verdict | None, tuple[Reason, ...]]:
        """Say whether the run says nothing at all, and why."""
        states = [one.status for one in participants]
        valid, excluded, busy = states.count(OK), states.count(EXCLUDED), states.count(Outcome.BUSY)
        aborted = states.count(Outcome.ABORTED)
        left_out = excluded + busy > MOST_LEFT_OUT * max(1, valid + excluded + busy + aborted)
        spread = self._evidence.start_spread()
        invalid = [
            reason
            for reason, holds in (
                (Reason.SERVER_LIMITED, self._report.limited),
                (Reason.DISAGREEMENT, left_out and excluded >= busy),
                (Reason.PCS_BUSY, left_out and busy >= excluded),
                (Reason.CLOCKS, spread is not None and spread > SPREAD_S),
                (Reason.NOT_FINISHED, not self._report.finished and not self._report.aborted),
            )
            if holds
        ]
        if invalid:
            return Verdict.INVALID, tuple(invalid)
        meant = max(self._plan.registered, len(self._expected))
        few = [
            reason
            for reason, holds in (
                (Reason.ABORTED, self._report.aborted or aborted > MOST_ABORTED * max(1, len(self._evidence.ordered))),
                (Reason.PARTICIPATION, not meant or valid + excluded < LEAST_PARTICIPATION * meant or not valid),
            )
            if holds
        ]
        return (Verdict.INSUFFICIENT if few else None), tuple(few)

    def _verdict(
        self,
        void: Verdict | None,
        directions: Sequence[DirectionFigures],
        slow: Sequence[str],
        valid: set[str],
        lines: Sequence[LineFigures],
    ) -> tuple[Verdict, tuple[Reason, ...]]:
        if void is not None:
            return void, ()
        reasons = []
        if len(self._evidence.ordered) < max(self._plan.registered, len(self._expected)) and self._plan.paced:
            reasons.append(Reason.EMULATED)
        if self._lines and any(line.line not in {one.line for one in self._lines} for line in lines):
            reasons.append(Reason.UNKNOWN_LINE)
        no_failover = self._why_no_failover(lines)
        if no_failover is not None:
            return Verdict.INSUFFICIENT, (*reasons, no_failover)
        crossed = any(self._is_crossed(figures) for figures in directions)
        if crossed:
            reasons.append(Reason.CROSS_TRAFFIC)
        if not self._plan.paced:
            seen = {line.line for line in lines}
            total = _total_contract([one for one in self._lines if not self._failover or one.line in seen])
            verdict = _against_contract(total, directions)
            reasons += {Verdict.FAIL: [Reason.BELOW_CONTRACT], Verdict.INSUFFICIENT: [Reason.NO_CONTRACT]}.get(
                verdict, []
            )
        else:
            if slow:
                reasons.append(Reason.SLOW_PARTICIPANTS)
            if not all(self._evidence.sum_is_there(name, valid) for name in self._directions) and not slow:
                reasons.append(Reason.SUM_BELOW_ORDER)
            failed = {Reason.SLOW_PARTICIPANTS, Reason.SUM_BELOW_ORDER} & set(reasons)
            verdict = Verdict.FAIL if failed else Verdict.PASS
            if verdict is Verdict.PASS and not self._evidence.was_loaded(LEAST_LOAD):
                reasons.append(Reason.TOO_LITTLE_LOAD)
                verdict = Verdict.INSUFFICIENT
        if crossed and verdict is Verdict.FAIL:  # other traffic may be to blame; a pass in spite of it stands
            verdict = Verdict.INSUFFICIENT
        return verdict, tuple(reasons)

    def _why_no_failover(self, lines: Sequence[LineFigures]) -> Reason | None:
        """Say why it is not shown that the main line was out; None = it is, or it was not to be."""
        if not self._failover or not lines:
            return None
        if len(lines) > 1:
            return Reason.LINE_STILL_ON
        only = lines[0].line
        if not self._usual or only not in {one.line for one in self._lines}:
            return Reason.USUAL_UNKNOWN
        alone = sum(set(carried) == {only} for carried in self._usual)
        return Reason.USUAL_LINE if 2 * alone >= len(self._usual) else None

    def _is_crossed(self, figures: DirectionFigures) -> bool:
        if figures.cross_bps is None:
            return False
        promised = [
            line.contracted_down_bps if figures.direction == "down" else line.contracted_up_bps for line in self._lines
        ]
        line_bps = sum(promised) if promised and all(promised) else figures.ip_bps + figures.cross_bps
        return figures.cross_bps > MOST_CROSS * line_bps

    def _cause(
        self, participants: Sequence[ParticipantFigures], slow: Sequence[str], valid: set[str]
    ) -> tuple[Cause, tuple[str, ...]]:
        """Say whom the slow ones point at, and name the rooms that are slow as a whole."""
        rooms: dict[str, list[bool]] = {}
        for one in participants:
            if one.passed is not None and one.room:
                rooms.setdefault(one.room, []).append(one.passed)
        slow_rooms = tuple(sorted(room for room, passed in rooms.items() if not any(passed)))
        if not slow:
            return Cause.LINE, ()
        others = valid - set(slow)
        others_have_it = bool(others) and all(self._evidence.sum_is_there(name, others) for name in self._directions)
        if others_have_it and len(slow) <= max(1, 0.1 * len(valid)):
            return Cause.ONE_PC, slow_rooms
        in_slow_rooms = {one.device for one in participants if one.room in slow_rooms}
        if others_have_it and len(slow_rooms) < len(rooms) and set(slow) <= in_slow_rooms:
            return Cause.ONE_ROOM, slow_rooms
        return Cause.LINE, slow_rooms

    # ---- the whole ----------------------------------------------------------------------------------------------

    def _whole(
        self,
        participants: tuple[ParticipantFigures, ...],
        valid: set[str],
        directions: tuple[DirectionFigures, ...],
        lines: tuple[LineFigures, ...],
        verdict: Verdict,
        reasons: tuple[Reason, ...],
        cause: Cause,
        slow: tuple[str, ...],
        slow_rooms: tuple[str, ...],
    ) -> RunAnalysis:
        started = {flow.participant for flow in self._evidence.all_flows() if flow.started_at}
        own = [self._results[device] for device in sorted(valid) if device in self._results]
        losses = [result.ping_loss_ratio for result in own if result.ping_loss_ratio is not None]
        registered = max(self._plan.registered, len(self._expected))
        paced = self._plan.kind is not RunKind.CAPACITY
        return RunAnalysis(
            run=self._plan.run,
            kind=self._plan.kind.value,
            verdict=verdict,
            reasons=reasons,
            cause=cause,
            slow_devices=slow,
            slow_rooms=slow_rooms,
            excluded=tuple(one.device for one in participants if one.status == EXCLUDED),
            busy=tuple(one.device for one in participants if one.status == Outcome.BUSY),
            layer="ip",
            t_start=self._plan.start,
            warmup_s=self._plan.warmup_s,
            streams=streams_of(len(self._evidence.ordered), self._plan.kind) if self._evidence.ordered else 0,
            registered=registered,
            ordered=len(self._evidence.ordered),
            started=len(started),
            valid=len(valid),
            emulated=registered - len(self._evidence.ordered) if paced else 0,
            start_spread_s=self._evidence.start_spread(),
            idle_rtt_p50_s=_quantile([result.idle_rtt_p50_s for result in own], 0.5),
            idle_rtt_p95_s=_quantile([result.idle_rtt_p95_s for result in own], 0.95),
            loaded_rtt_p50_s=_quantile([result.loaded_rtt_p50_s for result in own], 0.5),
            loaded_rtt_p95_s=_quantile([result.loaded_rtt_p95_s for result in own], 0.95),
            loaded_up_rtt_p50_s=_quantile([result.loaded_up_rtt_p50_s for result in own], 0.5),
            loaded_up_rtt_p95_s=_quantile([result.loaded_up_rtt_p95_s for result in own], 0.95),
            ping_loss_ratio=sum(losses) / len(losses) if losses else None,
            server_cc=self._report.congestion_control,
            server_cpu_max=self._report.cpu_max_ratio,
            directions=directions,
            lines=lines,
            participants=participants,
            room_passed=self._room_passed(participants, verdict),
        )

    def _room_passed(self, participants: Sequence[ParticipantFigures], verdict: Verdict) -> dict[str, bool | None]:
        rooms: dict[str, list[bool | None]] = {}
        for one in participants:
            if one.room:
                rooms.setdefault(one.room, []).append(one.passed)
        if verdict not in (Verdict.PASS, Verdict.FAIL) or not self._plan.paced:
            return dict.fromkeys(rooms)
        return {room: False if False in passed else None if None in passed else True for room, passed in rooms.items()}


def _against_contract(contract: LineContract | None, directions: Sequence[DirectionFigures]) -> Verdict:
    """Hold a capacity run against the contracted rates; without any there is nothing to say."""
    promised = [
        (figures, contract.contracted_down_bps if figures.direction == "down" else contract.contracted_up_bps)
        for figures in directions
        if contract is not None
    ]
    if not any(rate for _, rate in promised):
        return Verdict.INSUFFICIENT
    kept = all(figures.ip_bps >= CONTRACT_SHARE * rate for figures, rate in promised if rate)
    return Verdict.PASS if kept else Verdict.FAIL


def _total_contract(lines: Sequence[LineContract]) -> LineContract | None:
    """Add the lines up; a direction in which one rate is unknown stays unknown."""
    if not lines:
        return None
    down = [line.contracted_down_bps for line in lines]
    up = [line.contracted_up_bps for line in lines]
    return LineContract("", (), sum(down) if all(down) else 0.0, sum(up) if all(up) else 0.0)


def _quantile(values: Sequence[float | None], share: float) -> float | None:
    return quantile(sorted(value for value in values if value is not None), share)
