"""The server's book of one run: its connections, when a direction is over, and the report.

Flows and control connections go in as they are admitted, `tick` is called every 0.1 s; out come the end of each
direction (told to every participant over its control connection) and the RunReport.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from phongmay_bandwidth.flows import Flow
from phongmay_bandwidth.report import RunReport
from phongmay_bandwidth.steady import MEAN_S, MEANS, STEP_S, is_steady
from phongmay_bandwidth.ticket import Purpose, Ticket

_GRACE_S = 0.3
"""A participant ends its direction itself; the server cuts what is still open so long after the window."""
MOST_BUSY = 0.1
"""When more of the participants than this gave way because their PCs were busy, the run says nothing and is ended."""
_LIMIT_SECONDS = 2
"""Seconds of a run in which the server was at a limit that make it say so."""


class Direction:
    """One direction of a run: its plan is that of the first ticket that came."""

    def __init__(self, ticket: Ticket) -> None:
        self.plan = ticket
        self.flows: list[Flow] = []
        self.stopped_s = 0.0
        self.reason = ""
        self._checked_at = ticket.start + ticket.warmup_s + ticket.window_min_s - STEP_S

    @property
    def begin(self) -> float:
        """Give the begin of the window."""
        return self.plan.start + self.plan.warmup_s

    @property
    def last_moment(self) -> float:
        """Give the moment after which nothing is open any more."""
        return self.begin + self.plan.window_max_s + _GRACE_S

    def total_at(self, moment: float) -> float:
        """Give the bytes of all flows up to a moment."""
        return sum(flow.series.at(moment) for flow in self.flows)

    def verdict(self, now: float) -> str:
        """Give why the direction is to end now, "" if it goes on."""
        if self.plan.run_byte_cap and sum(flow.series.total for flow in self.flows) >= self.plan.run_byte_cap:
            return "run_byte_cap"
        if now >= self.last_moment:
            return "window"
        if self.plan.tolerance and now >= self._checked_at + STEP_S:
            self._checked_at = now
            enough = now - self.plan.start >= self.plan.warmup_s + max(self.plan.window_min_s, MEAN_S + MEANS * STEP_S)
            if enough and is_steady(self.total_at, now, self.plan.tolerance):
                return "steady"
        return ""

    def stop(self, now: float, reason: str) -> None:
        """End every flow, and keep how long the window was."""
        if not self.stopped_s:
            self.reason = reason
            self.stopped_s = max(1e-9, min(self.plan.window_max_s, now - self.begin))
        for flow in self.flows:
            flow.end(reason)


class Run:
    """One run.

    Attributes:
        aborted: the coordinator ended it, or too many gave way.
        controls: participant to source address of its control connection.
        busy: participant to why it gave way by itself.
        seconds_at_limit: how many seconds of it the server was at which limit.
    """

    def __init__(self, ticket: Ticket) -> None:
        self.id = ticket.run
        self.kind = ticket.kind
        self.aborted = False
        self.controls: dict[str, str] = {}
        self.busy: dict[str, str] = {}
        self.seconds_at_limit: dict[str, int] = {}
        self.cpu_max = self.egress_max_bps = self.ingress_max_bps = 0.0
        self._directions: dict[str, Direction] = {}
        self._tell: dict[str, Callable[[str], None]] = {}
        self._until = max(ticket.start + ticket.time_cap_s, ticket.expires)

    def add_flow(self, flow: Flow) -> None:
        """A measured connection was admitted."""
        direction = self._directions.get(flow.ticket.purpose)
        if direction is None:
            direction = self._directions[flow.ticket.purpose] = Direction(flow.ticket)
        direction.flows.append(flow)
        if direction.stopped_s or self.aborted:
            flow.end("late")
        self._until = max(self._until, flow.ticket.start + flow.ticket.time_cap_s)

    def add_control(self, participant: str, source: str, tell: Callable[[str], None]) -> None:
        """A control connection was admitted; `tell` sends it a line."""
        self.controls[participant] = source
        self._tell[participant] = tell

    def drop_control(self, participant: str, tell: Callable[[str], None]) -> None:
        """A control connection has ended."""
        if self._tell.get(participant) is tell:
            del self._tell[participant]

    def note_busy(self, participant: str, reason: str, now: float) -> None:
        """A participant gave way by itself."""
        self.busy.setdefault(participant, reason)
        self._end_if_too_many_are_busy(now)

    def _end_if_too_many_are_busy(self, now: float) -> None:
        """End the run; before its start it is not known how many take part."""
        begun = any(direction.plan.start <= now for direction in self._directions.values())
        if begun and not self.is_over(now) and len(self.busy) > MOST_BUSY * len(self.controls):
            self.abort(now, "busy")

    def flows(self) -> Iterable[Flow]:
        """Give every flow of both directions."""
        for direction in self._directions.values():
            yield from direction.flows

    def is_measuring(self, now: float) -> bool:
        """Tell whether a direction runs now."""
        return any(
            direction.plan.start <= now < direction.last_moment and not direction.stopped_s
            for direction in self._directions.values()
        )

    def is_over(self, now: float) -> bool:
        """Tell whether nothing of it can happen any more."""
        if self.aborted:
            return True
        ended = self._directions and all(direction.stopped_s for direction in self._directions.values())
        return now > self._until or (bool(ended) and not any(flow.is_open for flow in self.flows()))

    def is_expired(self, now: float, kept_s: float) -> bool:
        """Tell whether its report need not be kept any longer."""
        return now > self._until + kept_s

    def tick(self, now: float) -> None:
        """Take a sample of every flow, and end the direction that has run its time."""
        if self.busy:
            self._end_if_too_many_are_busy(now)
        if self.aborted:
            return
        for name, direction in self._directions.items():
            if now < direction.plan.start or direction.stopped_s:
                continue
            for flow in direction.flows:
                flow.sample(now)
            if reason := direction.verdict(now):
                self._say(f"stop {name} {min(direction.plan.window_max_s, max(0.0, now - direction.begin)):.4f}")
                direction.stop(now, reason)

    def abort(self, now: float, why: str = "") -> None:
        """End it at once; the participants are told why if it is not the coordinator's order."""
        self.aborted = True
        self._say(f"abort {why}".rstrip())
        for direction in self._directions.values():
            direction.stop(now, "aborted")

    def _say(self, line: str) -> None:
        for tell in list(self._tell.values()):
            tell(line)

    def note_load(self, cpu: float, egress_bps: float, ingress_bps: float, limits: Iterable[str]) -> None:
        """Note the server's own load in a second of a measuring run."""
        self.cpu_max = max(self.cpu_max, cpu)
        self.egress_max_bps = max(self.egress_max_bps, egress_bps)
        self.ingress_max_bps = max(self.ingress_max_bps, ingress_bps)
        for limit in limits:
            self.seconds_at_limit[limit] = self.seconds_at_limit.get(limit, 0) + 1

    def report(self, now: float, refused: dict[str, int]) -> RunReport:
        """Give what the server has seen so far."""
        down, up = self._directions.get(Purpose.DOWN), self._directions.get(Purpose.UP)
        connections = tuple(flow.report() for flow in self.flows())
        sending = {found.congestion_control for found in connections if found.direction == Purpose.DOWN}
        limits = tuple(sorted(limit for limit, seconds in self.seconds_at_limit.items() if seconds >= _LIMIT_SECONDS))
        return RunReport(
            run=self.id,
            kind=self.kind,
            now=now,
            finished=self.is_over(now),
            aborted=self.aborted,
            start_down=down.plan.start if down else 0.0,
            start_up=up.plan.start if up else 0.0,
            stopped_down_s=down.stopped_s if down else 0.0,
            stopped_up_s=up.stopped_s if up else 0.0,
            reason_down=down.reason if down else "",
            reason_up=up.reason if up else "",
            congestion_control="+".join(sorted(sending)),
            cpu_max_ratio=self.cpu_max,
            egress_max_bps=self.egress_max_bps,
            ingress_max_bps=self.ingress_max_bps,
            limited=bool(limits),
            limits=limits,
            refused=refused,
            connections=connections,
            controls=dict(self.controls),
            busy=dict(self.busy),
        )
