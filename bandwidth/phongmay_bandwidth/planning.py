"""From the plan of a run to the orders of its participants: rates, streams, caps and tickets.

In: a RunPlan, the devices that take part, the ticket key, the true time. Out: one RunOrder a device. A plan that cannot
be kept raises PlanError (a ValueError): the starts are too far off for tickets of 120 s, or nobody takes part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from phongmay_bandwidth.order import LONGEST_LEAD_S, MAX_STREAMS, RunKind, RunOrder
from phongmay_bandwidth.ticket import LONGEST_LIFE_S, Purpose, Ticket, new_nonce, sign

ADAPTIVE_TOLERANCE = 0.03
"""Adaptive stop: range of the last four 2 s means, as a share of their mean."""
_GAP_S = 1.5
"""Rest between the directions."""
_SPARE_S = 3.0
"""Beyond the longest window: late starts and what is still in the queue."""


class PlanError(ValueError):
    """A plan that cannot be turned into orders."""


@dataclass(frozen=True)
class RunPlan:
    """One run, as the coordinator wants it.

    Attributes:
        run: id of the run, 8 to 64 characters.
        kind: floor, capacity or ramp.
        host: address of the bandwidth server as the PCs reach it.
        port: its port.
        start: T0 of the first direction, true UTC.
        floor_down_bps: payload rate that every PC is to have downwards (floor, ramp).
        floor_up_bps: and upwards.
        registered: PCs in service that are meant; more than the participants when some are absent.
        directions: which of down and up, in this order.
        window_min_s: shortest window that counts.
        window_max_s: longest; equal for a floor test.
        adaptive: stop a capacity test as soon as its rate is steady.
        byte_cap: payload bytes of the run in one direction at most (capacity: 1.25 x line x time); 0 is unbounded.
        abort_on_input: False for a run that the teacher started.
    """

    run: str
    kind: RunKind
    host: str
    port: int
    start: float
    floor_down_bps: float = 0.0
    floor_up_bps: float = 0.0
    registered: int = 0
    directions: tuple[Purpose, ...] = (Purpose.DOWN, Purpose.UP)
    idle_s: float = 2.0
    warmup_s: float = 2.0
    window_min_s: float = 6.0
    window_max_s: float = 6.0
    adaptive: bool = True
    byte_cap: int = 0
    abort_on_input: bool = True

    def starts(self) -> dict[Purpose, float]:
        """Give T0 of each direction."""
        step = self.warmup_s + self.window_max_s + _GAP_S
        return {direction: self.start + index * step for index, direction in enumerate(self.directions)}

    @property
    def paced(self) -> bool:
        """Tell whether the rate is set, not sought."""
        return self.kind is not RunKind.CAPACITY

    @property
    def tolerance(self) -> float:
        """Give the tolerance of the adaptive stop, 0 for none."""
        return ADAPTIVE_TOLERANCE if not self.paced and self.adaptive else 0.0

    def pace_bps(self, direction: Purpose, participants: int) -> float:
        """Give the payload rate of one participant: the floor, scaled up where PCs are absent; 0 is unpaced."""
        if not self.paced:
            return 0.0
        floor = self.floor_down_bps if direction is Purpose.DOWN else self.floor_up_bps
        return floor * max(self.registered, participants) / participants


def streams_of(participants: int, kind: RunKind) -> int:
    """Give the streams of each participant: one when paced, else enough that few PCs fill the line too."""
    if kind is not RunKind.CAPACITY:
        return 1
    return max(1, min(MAX_STREAMS, math.ceil(32 / participants)))


def make_orders(plan: RunPlan, devices: Sequence[str], key: bytes, now: float) -> dict[str, RunOrder]:
    """Give every participant its order.

    Raises:
        PlanError: nobody takes part, or a start is out of reach of a ticket's life.
    """
    if not devices or len(set(devices)) != len(devices):
        raise PlanError("a run needs participants, each once")
    starts = plan.starts()
    if not now < plan.start - plan.idle_s or max(starts.values()) > now + LONGEST_LEAD_S:
        raise PlanError(f"starts must lie {plan.idle_s:g} to {LONGEST_LEAD_S:g} s ahead")
    if plan.paced and not all(plan.pace_bps(direction, len(devices)) > 0 for direction in plan.directions):
        raise PlanError("a floor test needs a floor in each direction")
    return {device: _order(plan, device, len(devices), key, now, starts) for device in devices}


def _order(
    plan: RunPlan, device: str, participants: int, key: bytes, now: float, starts: dict[Purpose, float]
) -> RunOrder:
    streams = streams_of(participants, plan.kind)
    length = plan.warmup_s + plan.window_max_s + _SPARE_S
    caps = {direction: _byte_cap(plan, direction, participants, length) for direction in plan.directions}

    def ticket(purpose: Purpose, stream: int = 0) -> str:
        direction = purpose if purpose in starts else None
        return sign(
            key,
            Ticket(
                run=plan.run,
                participant=device,
                purpose=purpose.value,
                nonce=new_nonce(),
                issued=now,
                expires=now + LONGEST_LIFE_S,
                stream=stream,
                kind=plan.kind.value,
                start=starts[direction] if direction else plan.start,
                warmup_s=plan.warmup_s,
                window_min_s=plan.window_min_s,
                window_max_s=plan.window_max_s,
                tolerance=plan.tolerance,
                rate_bps=plan.pace_bps(purpose, participants) / streams if direction else 0.0,
                byte_cap=caps[direction] // streams if direction else 0,
                time_cap_s=length if direction else max(starts.values()) - plan.start + length + _SPARE_S,
                run_byte_cap=plan.byte_cap if direction else 0,
            ),
        )

    def pace(direction: Purpose) -> float:
        return plan.pace_bps(direction, participants) if direction in starts else 0.0

    return RunOrder(
        run=plan.run,
        kind=plan.kind.value,
        host=plan.host,
        port=plan.port,
        expires=plan.start - plan.idle_s,
        control=ticket(Purpose.CONTROL),
        down=[ticket(Purpose.DOWN, stream) for stream in range(streams if Purpose.DOWN in starts else 0)],
        up=[ticket(Purpose.UP, stream) for stream in range(streams if Purpose.UP in starts else 0)],
        start_down=starts.get(Purpose.DOWN, 0.0),
        start_up=starts.get(Purpose.UP, 0.0),
        pace_down_bps=pace(Purpose.DOWN),
        pace_up_bps=pace(Purpose.UP),
        idle_s=plan.idle_s,
        warmup_s=plan.warmup_s,
        window_min_s=plan.window_min_s,
        window_max_s=plan.window_max_s,
        byte_cap=max(caps.values()),
        abort_on_input=plan.abort_on_input,
        emulated=plan.paced and plan.registered > participants,
    )


def _byte_cap(plan: RunPlan, direction: Purpose, participants: int, length: float) -> int:
    """Bound one participant: a quarter above what the pace needs; unpaced, at most the cap of the whole run."""
    pace = plan.pace_bps(direction, participants)
    if pace:
        return int(pace / 8 * length * 1.25) + 65536
    return plan.byte_cap or int(10e9 / 8 * length)


def coordinator_ticket(key: bytes, run: str, purpose: Purpose, now: float) -> str:
    """Give the coordinator's own ticket, to fetch a report or to end a run."""
    ticket = Ticket(run, "", purpose.value, new_nonce(), now, now + LONGEST_LIFE_S)
    return sign(key, ticket)
