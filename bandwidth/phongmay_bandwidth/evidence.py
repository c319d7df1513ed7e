"""What is known of a run, PC by PC: who counts, who does not and why, and the rates that the server saw.

In: the plan, the PCs that were meant, the server's report, the participants' own results, the lines. Out, for the
analysis: each PC's figures and status, sums of chosen PCs, and the figures of a direction. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from phongmay_bandwidth.figures import PASS_SHARE, direction_figures, rates, window_of
from phongmay_bandwidth.planning import RunPlan
from phongmay_bandwidth.report import ConnectionReport, RunReport
from phongmay_bandwidth.result import Outcome, ParticipantResult
from phongmay_bandwidth.ticket import Purpose
from phongmay_bandwidth.verdict import DirectionFigures, Expected, LineContract, ParticipantFigures, Witness

DISAGREEMENT = 0.03
"""A participant whose own figure differs so much from the server's does not count."""
_LUMP = 0.15
"""How much a lump at an edge may be of a slow PC's window."""
SUM_SHARE = 0.985
"""The sum of a paced run must be so much of what was ordered: midway between a line that carries it all and one that
lacks 3 %, which every PC alone (0.95) would not show."""
LATE_S = 0.5
OK, EXCLUDED = "ok", "excluded"


class Evidence:
    """One run.

    Attributes:
        ordered: devices that had an order.
        directions: names of the directions, in their order.
        report: what the server saw.
        results: device to its own figures.
    """

    def __init__(
        self,
        plan: RunPlan,
        expected: Sequence[Expected],
        report: RunReport,
        results: Mapping[str, ParticipantResult],
        lines: Sequence[LineContract],
        witnesses: Sequence[Witness],
    ) -> None:
        self._plan, self._expected, self.report, self.results = plan, expected, report, results
        self._lines = lines
        self._witness = {witness.direction: witness for witness in witnesses}
        self.ordered = [one.device for one in expected if one.ordered]
        self.directions = [direction.value for direction in plan.directions]
        self._windows = {name: window_of(report, name, plan.window_max_s) for name in self.directions}
        self._flows = {
            name: [flow for flow in report.connections if flow.direction == name] for name in self.directions
        }
        self._rates = {name: rates(self._flows[name], plan.warmup_s, self._windows[name]) for name in self.directions}
        self._pace = {
            direction.value: plan.pace_bps(direction, len(self.ordered)) if self.ordered else 0.0
            for direction in plan.directions
        }

    def participant(self, one: Expected) -> ParticipantFigures:
        status, reason = self._status(one)
        result = self.results.get(one.device)
        down, up = (self._rates.get(name, {}).get(one.device) for name in ("down", "up"))
        passed: bool | None = None
        if status == OK and self._plan.paced:
            passed = all(
                self._rates[name].get(one.device, 0.0) >= PASS_SHARE * self._pace[name] for name in self.directions
            )
        source = next(
            (flow.source for flow in self.all_flows() if flow.participant == one.device),
            self.report.controls.get(one.device, ""),
        )
        return ParticipantFigures(
            device=one.device,
            room=one.room,
            status=status,
            reason=reason,
            line=self.line_of(source) if source else "",
            source=source,
            start_error_s=self.start_error(one.device),
            down_bps=down,
            up_bps=up,
            client_down_bps=result.down_bps if result else None,
            client_up_bps=result.up_bps if result else None,
            passed=passed,
        )

    def _status(self, one: Expected) -> tuple[str, str]:
        result = self.results.get(one.device)
        if not one.ordered:
            return Outcome.ABSENT, "not_ordered"
        if result is not None and result.outcome is not Outcome.OK:
            return result.outcome, result.reason or ""
        if result is None and one.device in self.report.busy:
            return Outcome.BUSY, self.report.busy[one.device]
        begun = {flow.direction for flow in self.all_flows() if flow.participant == one.device and flow.started_at}
        if not begun:
            return Outcome.ABSENT, "did_not_come"
        if begun != set(self.directions):
            return Outcome.ERROR, "one_direction_only"
        late = self.start_error(one.device)
        if late is not None and abs(late) > LATE_S:
            return Outcome.LATE, "started_late"
        for flow in self.all_flows():
            if flow.participant == one.device and self._ended_early(flow):
                return Outcome.ERROR, f"ended_early_{flow.stop_reason}"
        if result is None:
            return OK, "no_own_figures"
        return (EXCLUDED, "disagrees_with_server") if self._disagrees(one.device, result) else (OK, "")

    def _ended_early(self, flow: ConnectionReport) -> bool:
        start = self.report.start_down if flow.direction == Purpose.DOWN else self.report.start_up
        end = start + self._plan.warmup_s + self._windows[flow.direction]
        return 0 < flow.ended_at < end - 0.2

    def _disagrees(self, device: str, result: ParticipantResult) -> bool:
        """Tell whether a PC's own figures are not the server's.

        A slow PC's window may begin or end in a lump that fills a hole, which the two sides see some milliseconds
        apart; as far as such a lump reaches, its bytes of the whole direction decide.
        """
        rates = {"down": result.down_bps, "up": result.up_bps}
        totals = {"down": result.down_bytes, "up": result.up_bytes}
        for name in self.directions:
            seen = sum(flow.bytes for flow in self._flows[name] if flow.participant == device)
            rate = self._rates[name].get(device, 0.0)
            if not _agree(rates[name], rate, DISAGREEMENT) and not (
                _agree(rates[name], rate, _LUMP) and _agree(totals[name], seen, DISAGREEMENT)
            ):
                return True
        return False

    def start_error(self, device: str) -> float | None:
        """Give how much later than ordered the server saw this PC begin its first direction."""
        first = self.directions[0]
        start = self.report.start_down if first == Purpose.DOWN else self.report.start_up
        begun = [flow.started_at for flow in self._flows[first] if flow.participant == device and flow.started_at]
        return min(begun) - start if begun else None

    def start_spread(self) -> float | None:
        errors = [error for device in self.ordered if (error := self.start_error(device)) is not None]
        errors = [error for error in errors if abs(error) <= LATE_S]
        return max(errors) - min(errors) if errors else None

    def line_of(self, source: str) -> str:
        return next((line.line for line in self._lines if line.holds(source)), source)

    def all_flows(self) -> Iterable[ConnectionReport]:
        for name in self.directions:
            yield from self._flows[name]

    def figures(self, name: str, valid: set[str], sources: Sequence[str] | None = None) -> DirectionFigures:
        flows = [flow for flow in self._flows[name] if sources is None or flow.source in sources]
        found = rates(flows, self._plan.warmup_s, self._windows[name])
        own = {
            device: told
            for device in found
            if device in valid
            and (result := self.results.get(device)) is not None
            and (told := result.down_bps if name == "down" else result.up_bps) is not None
        }
        return direction_figures(
            name,
            flows,
            {device: rate for device, rate in found.items() if device in valid},
            own,
            self._pace[name],
            self._plan.warmup_s,
            self._windows[name],
            self.report.reason_down if name == "down" else self.report.reason_up,
            self._witness.get(name) if sources is None else None,
        )

    def was_loaded(self, share: float, sources: Sequence[str] | None = None) -> bool:
        """Tell whether so much of what was ordered did run, also over PCs that do not count.

        For one line (its sources) that is what was ordered from the PCs seen there, and from those seen nowhere.
        """
        seen = {flow.participant: flow.source for flow in self.all_flows()}
        meant = [one for one in self.ordered if sources is None or seen.get(one, sources[0]) in sources]
        for name in self.directions:
            flows = [flow for flow in self._flows[name] if sources is None or flow.source in sources]
            carried = sum(rates(flows, self._plan.warmup_s, self._windows[name]).values())
            if carried < share * self._pace[name] * len(meant):
                return False
        return True

    def sum_is_there(self, name: str, devices: set[str], sources: Sequence[str] | None = None) -> bool:
        """Tell whether these PCs together got what was ordered for them (over this line, where sources are given)."""
        flows = [flow for flow in self._flows[name] if sources is None or flow.source in sources]
        found = rates(flows, self._plan.warmup_s, self._windows[name])
        here = [rate for device, rate in found.items() if device in devices]
        enough = sum(here) >= SUM_SHARE * self._pace[name] * len(here)
        return enough and all(rate >= PASS_SHARE * self._pace[name] for rate in here)


def _agree(told: float | None, seen: float, tolerance: float) -> bool:
    return told is not None and abs(told - seen) <= tolerance * max(seen, 1.0)
