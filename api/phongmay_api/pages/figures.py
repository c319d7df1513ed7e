"""Writes what a verdict measured and what it requires as short figures in marketed units."""

from __future__ import annotations

from typing import Any

from phongmay_api.pages.texts import Texts
from phongmay_rules.explain import format_beside, format_value
from phongmay_store.register.compliance import Verdict


def measured_text(verdict: Verdict, words: Texts) -> str:
    """Write what was found; "none" is said where there is nothing, never a zero."""
    found = verdict.measured
    if "total" in found:
        met = found.get("met", found.get("value"))
        key = "share_found" if "met" in found else "working_found"
        text = words(key, met=met, total=found["total"])
        return f"{text}, {words('perhaps_found', count=found['perhaps'])}" if found.get("perhaps") else text
    if found.get("value") is None:
        return words("no_value")
    limit = verdict.required.get("value")
    return format_beside(found["value"], limit, str(found.get("unit", "")), words.language)


def required_text(verdict: Verdict, words: Texts) -> str:
    """Write what is demanded."""
    demand = verdict.required
    if "operator" not in demand:
        return "–"
    text = words.word("operator", demand["operator"])
    if demand["operator"] == "per_head":
        return _per_head(demand, words)
    value = demand.get("values", demand.get("value"))
    unit = str(demand.get("unit", ""))
    shown = ", ".join(
        format_value(part, unit, words.language) for part in (value if isinstance(value, list) else [value])
    )
    return text.format(value=shown)


def _per_head(demand: dict[str, Any], words: Texts) -> str:
    value = words("no_value") if demand.get("value") is None else demand["value"]
    text = words("operator_per_head", value=value)
    if demand.get("heads") is None:
        return text
    per_device = f"{demand['heads_per_device']:g}"
    basis = words("per_head_of", heads=f"{demand['heads']:g}", per_device=per_device)
    return f"{text} ({basis}; {words.word('heads_from', demand['heads_from'])})"
