"""A fact is at least, above, or at most, a number."""

from __future__ import annotations

from typing import Any, NamedTuple

from phongmay_rules.checks.outcome import Context, Measured, Outcome, limit, number
from phongmay_rules.facts.catalogue import FACTS, Source
from phongmay_rules.model import Threshold
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import State


class _Ready(NamedTuple):
    """What is the same for all subjects."""

    bound: float
    operator: str
    required: dict[str, Any]
    is_demanded: bool
    measured: Measured


def _ready(check: Threshold, context: Context) -> _Ready:
    bound = limit(check.bound, context)
    measured = Measured(check.fact, check.unit)
    if check.demanded_by:
        demand = limit(check.demanded_by, context)
        if not demand.value:
            return _Ready(bound.value, check.operator, demand.required("demanded", check.unit), False, measured)
        bound = demand._replace(value=bound.value)  # whose demand it is, not whose figure the 1 of a yes is
    return _Ready(bound.value, check.operator, bound.required(check.operator, check.unit), True, measured)


def threshold(check: Threshold, context: Context) -> Outcome:
    """Compare; the limit itself is enough, unless it is to be exceeded. What is not demanded is not looked at."""
    bound, operator, required, is_demanded, found = context.once(check, _ready)
    if not is_demanded:
        return Outcome(State.NOT_APPLICABLE, Reason.NOT_DEMANDED, {"fact": check.fact}, required, ())
    value, reason, item = number(check.fact, context)
    measured = found.of(value)
    if item.get("source") == Source.DECLARED and FACTS[check.fact].source is not Source.DECLARED:
        measured = measured | {"declared": True}
    if value is None:
        return Outcome(State.UNKNOWN, reason or Reason.NO_DATA, measured, required, (item,))
    if operator == "at_most":
        state, why = (State.PASS, Reason.MET) if value <= bound else (State.FAIL, Reason.ABOVE)
    else:
        is_met = value > bound if operator == "above" else value >= bound
        state, why = (State.PASS, Reason.MET) if is_met else (State.FAIL, Reason.BELOW)
    return Outcome(state, why, measured, required, (item,))
