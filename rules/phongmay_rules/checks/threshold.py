"""A fact is at least, or at most, a number."""

from __future__ import annotations

from typing import Any

from phongmay_rules.checks.outcome import Context, Outcome, limit, number
from phongmay_rules.facts.catalogue import FACTS, Source
from phongmay_rules.model import Threshold
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import State


def threshold(check: Threshold, context: Context) -> Outcome:
    """Compare; the limit itself meets the demand."""
    at_least = check.at_least is not None
    bound = limit(check.at_least if check.at_least is not None else check.at_most or 0, context)
    required = bound.required("at_least" if at_least else "at_most", check.unit.value)
    value, reason, item = number(check.fact, context)
    measured: dict[str, Any] = {"fact": check.fact, "value": value, "unit": check.unit.value}
    if item.get("source") == Source.DECLARED and FACTS[check.fact].source is not Source.DECLARED:
        measured["declared"] = True
    if value is None:
        return Outcome(State.UNKNOWN, reason or Reason.NO_DATA, measured, required, (item,))
    if at_least:
        state, why = (State.PASS, Reason.MET) if value >= bound.value else (State.FAIL, Reason.BELOW)
    else:
        state, why = (State.PASS, Reason.MET) if value <= bound.value else (State.FAIL, Reason.ABOVE)
    return Outcome(state, why, measured, required, (item,))
