"""A share over time, believed only when enough of the time is known."""

from __future__ import annotations

from phongmay_rules.checks.outcome import Context, Outcome, limit, number
from phongmay_rules.model import Window
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import State


def window(check: Window, context: Context) -> Outcome:
    """Ask first whether enough is known, then compare."""
    bound = limit(check.at_least, context)
    known_min, coverage_min = limit(check.known_min, context), limit(check.coverage_min, context)
    share, share_reason, share_item = number(check.fact, context)
    known, known_reason, known_item = number(check.known, context)
    coverage, coverage_reason, coverage_item = number(check.coverage, context)
    items = (share_item, known_item, coverage_item)
    required = bound.required("at_least", check.unit, known_min_s=known_min.value, coverage_min=coverage_min.value)
    measured = {
        "fact": check.fact, "value": share, "unit": check.unit, "known_s": known, "coverage": coverage,
    }  # fmt: skip
    if share is None or known is None or coverage is None:
        reason = share_reason or known_reason or coverage_reason or Reason.NO_DATA
        return Outcome(State.UNKNOWN, reason, measured, required, items)
    if known < known_min.value:
        return Outcome(State.UNKNOWN, Reason.TOO_FEW, measured, required, items)
    if coverage < coverage_min.value:
        return Outcome(State.UNKNOWN, Reason.COVERAGE, measured, required, items)
    if share >= bound.value:
        return Outcome(State.PASS, Reason.MET, measured, required, items)
    return Outcome(State.FAIL, Reason.BELOW, measured, required, items)
