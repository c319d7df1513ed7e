"""So many members meet something, decided by bounds."""

from __future__ import annotations

from typing import Any

from phongmay_contract.units import Unit
from phongmay_rules.checks import counting
from phongmay_rules.checks.outcome import Context, Outcome, limit
from phongmay_rules.model import Count
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import State


def count(check: Count, context: Context) -> Outcome:
    """Pass when enough surely meet it; fail when even all that is not known would not be enough."""
    bound = limit(check.at_least, context)
    members = counting.selected(context.members, check.members, check.of)
    states = {member.id: counting.under_rules(member, check.rules) for member in members}
    found = counting.bounds(states.values())
    measured: dict[str, Any] = {
        "value": found.surely, "met": found.surely, "perhaps": found.perhaps, "total": found.total,
        "unit": Unit.COUNT, "members": check.members, "states": counting.counts(states),
    }  # fmt: skip
    required = bound.required("at_least", Unit.COUNT, rules=list(check.rules))
    items = tuple(counting.evidence(member, states[member.id], check.rules) for member in members)
    if found.surely >= bound.value:
        return Outcome(State.PASS, Reason.MET, measured, required, items)
    if found.at_most < bound.value:
        return Outcome(State.FAIL, Reason.BELOW, measured, required, items)
    return Outcome(State.UNKNOWN, Reason.UNDECIDED, measured, required, items)
