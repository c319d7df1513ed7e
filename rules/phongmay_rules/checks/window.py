"""A share over time, believed only when enough of the time is known."""

from __future__ import annotations

from typing import Any

from phongmay_rules.checks.outcome import Context, Outcome, limit, number
from phongmay_rules.model import Window
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import State


def _ready(check: Window, context: Context) -> tuple[float, float, float, dict[str, Any]]:
    bound = limit(check.at_least, context)
    known_min, coverage_min = limit(check.known_min, context).value, limit(check.coverage_min, context).value
    required = bound.required("at_least", check.unit, known_min_s=known_min, coverage_min=coverage_min)
    return bound.value, known_min, coverage_min, required


def window(check: Window, context: Context) -> Outcome:
    """Ask first whether enough is known, then compare."""
    bound, known_min, coverage_min, required = context.once(check, _ready)
    share, share_reason, share_item = number(check.fact, context)
    known, known_reason, known_item = number(check.known, context)
    coverage, coverage_reason, coverage_item = number(check.coverage, context)
    items = (share_item, known_item, coverage_item)
    measured = {
        "fact": check.fact, "value": share, "unit": check.unit, "known_s": known, "coverage": coverage,
    }  # fmt: skip
    if share is None or known is None or coverage is None:
        reason = share_reason or known_reason or coverage_reason or Reason.NO_DATA
        return Outcome(State.UNKNOWN, reason, measured, required, items)
    if known < known_min:
        return Outcome(State.UNKNOWN, Reason.TOO_FEW, measured, required, items)
    if coverage < coverage_min:
        return Outcome(State.UNKNOWN, Reason.COVERAGE, measured, required, items)
    if share >= bound:
        return Outcome(State.PASS, Reason.MET, measured, required, items)
    return Outcome(State.FAIL, Reason.BELOW, measured, required, items)
