"""Gives every school its turn: schools that wait and the slots that are taken go in, new slots come out. Pure.

Laws, each a property test: never two runs on one line at once, nor on two lines of one group; the sum of the expected
rates at one server never above its budget; a slot lies wholly inside an interval in which the school may be tested;
who waits longest comes first, so all get their turn. A slot holds its jitter, so no jitter can break these laws.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from phongmay_campaigns.windows import Interval

UPLINK_SHARE = 0.7
"""Share of a server's uplink that tests may be expected to take."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A school that wants a run over its lines.

    Attributes:
        key: the school.
        lines: the lines that the run may go over; a school that has registered none stands for its own line.
        groups: lines of one group are not tested together: they share what lies between them and the server.
        rate_bps: what the run is expected to take.
        since: when it was last tested (or ordered, if never); the smallest comes first.
        allowed: when it may run, in order.
        hurry: begin as soon as possible, without jitter (somebody waits for it).
    """

    key: str
    lines: frozenset[str]
    groups: frozenset[str]
    rate_bps: float
    since: float
    allowed: tuple[Interval, ...]
    hurry: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """A time that belongs to one run; it begins at `begin`, jitter included."""

    key: str
    lines: frozenset[str]
    groups: frozenset[str]
    rate_bps: float
    start: float
    end: float
    begin: float

    def touches(self, start: float, end: float) -> bool:
        """Tell whether it has a moment in common with [start, end)."""
        return self.start < end and start < self.end


def plan(
    waiting: Iterable[Waiting],
    taken: Sequence[Slot],
    *,
    now: float,
    budget_bps: float,
    slot_s: float,
    run_s: float,
    seed: int = 0,
) -> list[Slot]:
    """Give each school that can have one its next slot at one server.

    Args:
        waiting: schools that want a run.
        taken: slots given already, of all campaigns at this server.
        now: no slot begins before.
        budget_bps: sum of expected rates that must not be exceeded.
        slot_s: length of a slot.
        run_s: how long a run lasts; what is left of the slot is jitter.
        seed: of the jitter.
    """
    chance = random.Random(seed)  # noqa: S311 spreads load, keeps no secret
    slots = list(taken)
    made: list[Slot] = []
    for line in sorted(waiting, key=lambda line: (not line.hurry, line.since, line.key)):
        if line.rate_bps > budget_bps:
            continue
        start = _earliest(line, slots, now, budget_bps, slot_s)
        if start is None:
            continue
        jitter = 0.0 if line.hurry else chance.uniform(0.0, max(0.0, slot_s - run_s))
        slot = Slot(line.key, line.lines, line.groups, line.rate_bps, start, start + slot_s, start + jitter)
        slots.append(slot)
        made.append(slot)
    return made


def _earliest(line: Waiting, slots: Sequence[Slot], now: float, budget_bps: float, slot_s: float) -> float | None:
    """Find the first start that breaks no law: the beginning of an interval, or the end of a slot in it."""
    for low, high in line.allowed:
        first = max(low, now)
        if first + slot_s > high:
            continue
        ends = sorted({slot.end for slot in slots if first < slot.end <= high - slot_s})
        for start in (first, *ends):
            if _fits(line, slots, start, start + slot_s, budget_bps):
                return start
    return None


def _fits(line: Waiting, slots: Sequence[Slot], start: float, end: float, budget_bps: float) -> bool:
    beside = [slot for slot in slots if slot.touches(start, end)]
    if any(slot.key == line.key or slot.lines & line.lines or slot.groups & line.groups for slot in beside):
        return False
    return peak(beside, start, end) + line.rate_bps <= budget_bps


def peak(slots: Iterable[Slot], start: float, end: float) -> float:
    """Give the greatest sum of expected rates at any instant of [start, end)."""
    inside = [slot for slot in slots if slot.touches(start, end)]
    instants = {start, *(slot.start for slot in inside if slot.start > start)}
    return max((math.fsum(s.rate_bps for s in inside if s.start <= t < s.end) for t in instants), default=0.0)
