"""Enough working devices for a number of people.

A device in repair does not work. One without an agent is declared only: nobody measured it, so it may work, and a
room that depends on it is unknown, not passed.
"""

from __future__ import annotations

import math
from typing import Any

from phongmay_contract.units import Unit
from phongmay_rules.checks import counting
from phongmay_rules.checks.outcome import Context, Member, Outcome, limit, number
from phongmay_rules.model import PerHead
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import State
from phongmay_store.register.device import DeviceState


def per_head(check: PerHead, context: Context) -> Outcome:
    """Compare working devices with heads / heads per device, rounded up."""
    per_device = limit(check.heads_per_device, context)
    heads, reason, item = number(check.heads, context)
    heads_from = "declared"
    cap = check.heads_by_level.get(context.level) if heads is None else None  # type: ignore[call-overload]
    if cap is not None:
        heads, heads_from = limit(cap, context).value, "cap"
    members = counting.selected(context.members, "devices", check.of)
    states = {member.id: _state(member, check.rules) for member in members}
    found = counting.bounds(states.values())
    measured: dict[str, Any] = {
        "value": found.surely, "perhaps": found.perhaps, "total": found.total, "unit": Unit.COUNT,
        "in_repair": sum(member.state == DeviceState.IN_REPAIR for member in members),
        "declared_only": sum(not member.has_agent and member.state != DeviceState.IN_REPAIR for member in members),
        "states": counting.counts(states),
    }  # fmt: skip
    demand: dict[str, Any] = {"heads": heads, "heads_from": heads_from, "heads_per_device": per_device.value}
    evidence = (item, *(counting.evidence(member, states[member.id], check.rules) for member in members))
    if heads is None:
        required = per_device.required("per_head", Unit.COUNT, **demand) | {"value": None}
        return Outcome(State.UNKNOWN, reason or Reason.NOT_DECLARED, measured, required, evidence)
    needed = math.ceil(heads / per_device.value - counting.ROUNDING)
    required = per_device.required("per_head", Unit.COUNT, **demand) | {"value": needed}
    if found.surely >= needed:
        return Outcome(State.PASS, Reason.MET, measured, required, evidence)
    if found.at_most < needed:
        return Outcome(State.FAIL, Reason.BELOW, measured, required, evidence)
    return Outcome(State.UNKNOWN, Reason.UNDECIDED, measured, required, evidence)


def _state(member: Member, rules: tuple[str, ...]) -> State:
    if member.state == DeviceState.IN_REPAIR:
        return State.FAIL
    if not member.has_agent:
        return State.UNKNOWN
    state = counting.under_rules(member, rules)
    # A rule that does not apply says nothing about whether the device works.
    return State.UNKNOWN if state is State.NOT_APPLICABLE else state
