"""A fact is one of some listed numbers or words."""

from __future__ import annotations

from typing import Any

from phongmay_rules.checks.outcome import Context, Measured, Outcome, read
from phongmay_rules.facts.catalogue import FACTS, Source
from phongmay_rules.model import OneOf
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import State


def _ready(check: OneOf, context: Context) -> tuple[dict[str, Any], Measured]:
    required = {
        "operator": "one_of", "values": list(check.values), "unit": check.unit,
        "number_from": context.own_number,
    }  # fmt: skip
    return required, Measured(check.fact, check.unit)


def one_of(check: OneOf, context: Context) -> Outcome:
    """Look the value up in the list."""
    required, found = context.once(check, _ready)
    value, reason, item = read(check.fact, context)
    measured = found.of(value)
    if item.get("source") == Source.DECLARED and FACTS[check.fact].source is not Source.DECLARED:
        measured = measured | {"declared": True}
    if value is None:
        return Outcome(State.UNKNOWN, reason or Reason.NO_DATA, measured, required, (item,))
    if value in check.values:
        return Outcome(State.PASS, Reason.MET, measured, required, (item,))
    return Outcome(State.FAIL, Reason.NOT_LISTED, measured, required, (item,))
