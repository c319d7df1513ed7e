"""Enough of the members meet something, decided by bounds."""

from __future__ import annotations

import math
from typing import Any

from phongmay_contract.units import Unit
from phongmay_rules.checks import counting
from phongmay_rules.checks.counting import ROUNDING
from phongmay_rules.checks.outcome import Context, Outcome, limit
from phongmay_rules.model import Share
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import State


def share(check: Share, context: Context) -> Outcome:
    """Fail as soon as the best possible share is too small; pass only when the worst possible one is enough."""
    bound = limit(check.at_least, context)
    members = [
        member
        for member in counting.selected(context.members, check.members, check.of, check.states)
        if member.has_agent or not check.with_agent
    ]
    states = {
        member.id: counting.by_fact(counting.fresh(member.facts.get(check.fact), context))
        if check.fact
        else counting.under_rules(member, check.rules)
        for member in members
    }
    found = counting.bounds(states.values())
    measured: dict[str, Any] = {
        "met": found.surely, "perhaps": found.perhaps, "total": found.total, "unit": Unit.RATIO,
        "members": check.members, "states": counting.counts(states),
    }  # fmt: skip
    required = bound.required("at_least", Unit.RATIO, rules=list(check.rules))
    items = tuple(counting.evidence(member, states[member.id], check.rules) for member in members)
    items += counting.quoted(check.fact, members) if check.fact else ()
    if not found.total:
        if members:
            return Outcome(State.NOT_APPLICABLE, Reason.NO_MEMBER_APPLIES, measured, required, items)
        return Outcome(State.UNKNOWN, Reason.NO_MEMBERS, measured, required, items)
    measured["value"] = found.surely / found.total
    needed = math.ceil(bound.value * found.total - ROUNDING)
    if found.surely >= needed:
        return Outcome(State.PASS, Reason.MET, measured, required, items)
    if found.at_most < needed:
        return Outcome(State.FAIL, Reason.BELOW, measured, required, items)
    return Outcome(State.UNKNOWN, Reason.UNDECIDED, measured, required, items)
