"""Something was heard, and not too long ago."""

from __future__ import annotations

from typing import Any

from phongmay_rules.checks.outcome import Context, Outcome, limit, number
from phongmay_rules.model import Presence
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import State


def _ready(check: Presence, context: Context) -> tuple[float, dict[str, Any]]:
    bound = limit(check.at_most, context)
    return bound.value, bound.required("at_most", check.unit)


def presence(check: Presence, context: Context) -> Outcome:
    """Judge silence; what was never heard fails after the same time, and is unknown before."""
    bound, required = context.once(check, _ready)
    heard, heard_reason, heard_item = number(check.heard, context)
    silent, silent_reason, silent_item = number(check.silent, context)
    items = (silent_item, heard_item)
    measured = {"fact": check.silent, "value": silent, "unit": check.unit, "heard": heard}
    if silent is None or heard is None:
        reason = silent_reason or heard_reason or Reason.NO_DATA
        return Outcome(State.UNKNOWN, reason, measured, required, items)
    if silent > bound:
        why = Reason.SILENT if heard else Reason.NEVER_HEARD
        return Outcome(State.FAIL, why, measured, required, items)
    if not heard:
        return Outcome(State.UNKNOWN, Reason.NOT_HEARD_YET, measured, required, items)
    return Outcome(State.PASS, Reason.MET, measured, required, items)
