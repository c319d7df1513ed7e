"""A fact is at least, above, or at most, a number."""

from __future__ import annotations

from typing import Any

from phongmay_rules.checks.outcome import Context, Outcome, limit, number
from phongmay_rules.facts.catalogue import FACTS, Source
from phongmay_rules.model import Threshold
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import State


def threshold(check: Threshold, context: Context) -> Outcome:
    """Compare; the limit itself is enough, unless it is to be exceeded. What is not demanded is not looked at."""
    bound = limit(check.bound, context)
    if check.demanded_by:
        demand = limit(check.demanded_by, context)
        if not demand.value:
            required = demand.required("demanded", check.unit)
            return Outcome(State.NOT_APPLICABLE, Reason.NOT_DEMANDED, {"fact": check.fact}, required, ())
        bound = demand._replace(value=bound.value)  # whose demand it is, not whose figure the 1 of a yes is
    required = bound.required(check.operator, check.unit)
    value, reason, item = number(check.fact, context)
    measured: dict[str, Any] = {"fact": check.fact, "value": value, "unit": check.unit}
    if item.get("source") == Source.DECLARED and FACTS[check.fact].source is not Source.DECLARED:
        measured["declared"] = True
    if value is None:
        return Outcome(State.UNKNOWN, reason or Reason.NO_DATA, measured, required, (item,))
    if check.operator == "at_most":
        state, why = (State.PASS, Reason.MET) if value <= bound.value else (State.FAIL, Reason.ABOVE)
    else:
        is_met = value > bound.value if check.operator == "above" else value >= bound.value
        state, why = (State.PASS, Reason.MET) if is_met else (State.FAIL, Reason.BELOW)
    return Outcome(state, why, measured, required, (item,))
