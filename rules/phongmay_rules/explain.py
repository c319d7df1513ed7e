"""One sentence about a verdict, in Vietnamese or English: what was measured, what is required, whose figure that is.

A verdict row and its rule go in. Base units become marketed ones here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol

from phongmay_contract.units import GB, GIB, MBIT_PER_SECOND, Unit
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.model import NumberFrom, Rule
from phongmay_rules.reasons import Reason, reason_text
from phongmay_store.register.compliance import State
from phongmay_store.register.timetable import LOCAL

_STATES: Mapping[str, tuple[str, str]] = {
    State.PASS: ("Đạt", "Pass"),
    State.FAIL: ("Không đạt", "Fail"),
    State.UNKNOWN: ("Chưa rõ", "Unknown"),
    State.NOT_APPLICABLE: ("Không áp dụng", "Not applicable"),
    State.MANUAL: ("Xét thủ công", "Manual"),
    State.WAIVED: ("Được miễn", "Waived"),
    State.ERROR: ("Lỗi", "Error"),
}
_ORIGINS: Mapping[str, tuple[str, str]] = {
    NumberFrom.LAW: ("mức theo văn bản pháp luật", "figure of the law"),
    NumberFrom.PLAN: ("mức theo Kế hoạch", "figure of the plan"),
    NumberFrom.GUIDANCE: ("mức theo văn bản hướng dẫn", "figure of guidance"),
    NumberFrom.VENDOR: ("mức theo công bố của hãng", "figure of the maker"),
    NumberFrom.DISTRICT_SETTING: ("mức do quận đặt", "district setting"),
}
_MEMBERS: Mapping[str, tuple[str, str, str]] = {
    "devices": ("máy", "device", "devices"), "rooms": ("phòng", "room", "rooms"),
    "schools": ("trường", "school", "schools"),
}  # fmt: skip
OPERATORS: Mapping[str, tuple[str, str]] = {
    "at_least": ("tối thiểu", "at least"),
    "above": ("trên", "above"),
    "at_most": ("tối đa", "at most"),
    "one_of": ("phải là", "must be"),
}


class VerdictLike(Protocol):
    """What `sentence` needs of a verdict row (or of a judgement that was not stored)."""

    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def measured(self) -> dict[str, Any]: ...
    @property
    def required(self) -> dict[str, Any]: ...
    @property
    def evidence(self) -> list[Any]: ...


def state_name(state: str, language: str) -> str:
    """Give the name of a verdict's state in 'vi' or 'en'."""
    return _pick(_STATES.get(state), language) or state


def origin_name(origin: str, language: str) -> str:
    """Say whose figure a threshold is."""
    return _pick(_ORIGINS.get(origin), language) or origin


def origin_text(origin: str, source: str, language: str) -> str:
    """Say whose figure a threshold is, and from which document its unit took it."""
    name = origin_name(origin, language)
    return name if not source else f"{name} theo {source}" if language == "vi" else f"{name}, after {source}"


def sentence(verdict: VerdictLike, rule: Rule, language: str) -> str:
    """Explain a verdict.

    Args:
        verdict: row of the register.
        rule: its rule; gives the title when there is nothing measured to tell.
        language: "vi" or "en".
    """
    head = state_name(verdict.state, language)
    measured, required = verdict.measured, verdict.required
    if not required or "operator" not in required:
        return f"{head}: {reason_text(verdict.reason, language)} ({rule.title.in_(language)})."
    if required["operator"] == "demanded":
        return f"{head}: {reason_text(verdict.reason, language)} ({rule.title.in_(language)})."
    detail = _detail(measured, verdict.evidence)
    found = _measured(measured, required, language) + _told_beside(measured, detail, language)
    parts = [found, _required(required, language)]
    if verdict.reason not in (Reason.MET, Reason.BELOW, Reason.ABOVE, Reason.NOT_LISTED):
        why = reason_text(verdict.reason, language)
        kind = FACTS.get(measured.get("fact", ""))
        if kind is not None and measured.get("value") is None:
            parts[0] = f"{kind.vi if language == 'vi' else kind.en}: {why}{_told_beside(measured, detail, language)}"
        else:
            parts.insert(0, why)
    return f"{head}: {'; '.join(part for part in parts if part)}."


def format_value(value: float | str | None, unit: str, language: str) -> str:
    """Format a value of a base unit as people read it: GB, Mbit/s, %, minutes; decimal comma in Vietnamese.

    Up to three decimals stand as they are, since a limit is never rounded (1.85 m² is not 1.9); longer numbers get one.
    """
    if value is None:
        return "chưa rõ" if language == "vi" else "not known"
    if isinstance(value, str):
        return value
    return _shown(value, unit, language)


def format_beside(value: float | str | None, limit: object, unit: str, language: str) -> str:
    """Format a value that stands beside its limit: with the decimals that it takes to be on its side of the limit."""
    if isinstance(value, str) or value is None or not isinstance(limit, int | float):
        return format_value(value, unit, language)
    return _shown(value, unit, language, limit)


_MOST_PLACES = 9


def _shown(value: float, unit: str, language: str, *limits: float) -> str:
    if unit == Unit.NONE:
        yes, no = ("có", "không") if language == "vi" else ("yes", "no")
        return yes if value else no
    factor, sign = _scale(value, unit, language)
    if unit == Unit.DAY and value < 0:
        past = f"{_number(-value, language)}{sign}"
        return f"quá hạn {past}" if language == "vi" else f"over by {past}"
    number = value / factor
    places = _places(number)
    for limit in (*limits, *((0, 1) if unit == Unit.RATIO else ())):  # of a share, all but one is not 100 %
        bound = round(limit / factor, _MOST_PLACES)
        while places < _MOST_PLACES and _side(round(number, places), bound) != _side(value, limit):
            places += 1
    return f"{_number(number, language, places)}{sign}"


def _scale(value: float, unit: str, language: str) -> tuple[float, str]:
    """Give the factor by which a value is shown, and the sign that follows its number."""
    vi = language == "vi"
    match unit:
        case Unit.BYTE:  # memory is sold in binary gigabytes, disks in decimal ones; a whole number is that one
            return (GIB if value % GB and not value % (GIB // 4) else GB), " GB"
        case Unit.BIT_PER_SECOND:
            small = value and round(value / 1e3, 1) < 1000
            return (1e3, " kbit/s") if small else (MBIT_PER_SECOND, " Mbit/s")
        case Unit.RATIO:
            return 0.01, "%" if vi else " %"
        case Unit.SECOND:
            return _seconds(value, vi)
        case Unit.DAY:
            return 1, " ngày" if vi else " day" if abs(value) == 1 else " days"
        case Unit.SQUARE_METRE:
            return 1, " m²"
        case Unit.BIT:
            return 1, " bit"
    return 1, ""


def _seconds(value: float, vi: bool) -> tuple[float, str]:
    if value and round(value * 1e3, 1) < 1000:
        return 1e-3, " ms"
    if value < 120:
        return 1, " giây" if vi else " s"
    if value < 7200:
        return 60, " phút" if vi else " min"
    if value < 2 * 86400 or (value <= 100 * 3600 and value % 86400):
        return 3600, " giờ" if vi else " h"
    return 86400, " ngày" if vi else " days"


def _number(value: float, language: str, places: int | None = None) -> str:
    text = f"{value:.{_places(value) if places is None else places}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace(".", ",") if language == "vi" else text


def _places(number: float) -> int:
    """Give how many decimals a number is shown with: all that it has, if these are few, else one."""
    return next((few for few in range(4) if abs(round(number, few) - number) <= 1e-9 * max(1.0, abs(number))), 1)


def _side(number: float, bound: float) -> int:
    return (number > bound) - (number < bound)


def _measured(measured: Mapping[str, Any], required: Mapping[str, Any], language: str) -> str:
    vi = language == "vi"
    unit = measured.get("unit", "")
    if "met" in measured:
        met, perhaps, total = measured["met"], measured["perhaps"], measured["total"]
        word, single, several = _MEMBERS[measured["members"]]
        verb = "meets" if met == 1 else "meet"
        text = f"{met}/{total} {word} đạt" if vi else f"{met} of {total} {single if total == 1 else several} {verb} it"
        if perhaps:
            text += f", {perhaps} chưa rõ" if vi else f", {perhaps} not known"
        return text
    if required["operator"] == "per_head":
        text = (
            f"{measured['value']} máy hoạt động trên {measured['total']} máy"
            if vi
            else f"{measured['value']} of {measured['total']} {'PC' if measured['total'] == 1 else 'PCs'} "
            f"{'works' if measured['value'] == 1 else 'work'}"
        )
        perhaps, declared = measured.get("perhaps"), measured.get("declared_only")
        if perhaps:
            text += f", {perhaps} {'chưa rõ' if vi else 'not known'}"
        if perhaps and declared:  # they are among those of which it is not known
            some = "" if declared == perhaps else f"trong đó {declared} " if vi else f"{declared} of them "
            text += f" ({some}{'chỉ khai báo' if vi else 'declared only'})"
        if measured.get("in_repair"):
            text += f", {measured['in_repair']} {'đang sửa chữa' if vi else 'in repair'}"
        return text
    kind = FACTS.get(measured.get("fact", ""))
    name = (kind.vi if vi else kind.en) if kind else ""
    text = f"{name}: {format_beside(measured.get('value'), required.get('value'), unit, language)}"
    if measured.get("declared"):
        text += " (theo khai báo, không đo)" if vi else " (declared, not measured)"
    if measured.get("known_s") is not None:
        known = format_value(measured["known_s"], Unit.SECOND, language)
        text += f" (có số liệu từ {known} trở lên)" if vi else f" (at least {known} known)"
    return text


def _detail(measured: Mapping[str, Any], evidence: Sequence[Any]) -> Mapping[str, Any]:
    """Give the detail of the fact that was compared; it stands in the evidence, not in the verdict."""
    items = (item for item in evidence if isinstance(item, Mapping) and item.get("name") == measured.get("fact"))
    return next((item.get("detail") or {} for item in items), {})


def _told_beside(measured: Mapping[str, Any], detail: Mapping[str, Any], language: str) -> str:
    """Say what belongs to a value: declared support that lies in it, a report's quarter, a line's longest outage."""
    if "quarter" in detail:
        return f" ({_handed_in(detail, language == 'vi')})"
    if measured.get("value") is None:
        return ""
    if "extended" in detail:
        return f" ({_extended(detail, language == 'vi')})"
    if "longest_outage_from" in detail:
        return f" ({_outage(detail, language)})"
    return ""


def _extended(detail: Mapping[str, Any], vi: bool) -> str:
    declared, ends = date.fromisoformat(str(detail["extended"])), date.fromisoformat(str(detail["ends"]))
    text = "tính cả hỗ trợ mở rộng (ESU) khai báo đến" if vi else "with extended updates (ESU) that are declared until"
    text += f" {declared:%d/%m/%Y}"
    if ends < declared:
        text += f", hãng chỉ hỗ trợ đến {ends:%d/%m/%Y}" if vi else f"; the maker ends them on {ends:%d/%m/%Y}"
    return text


def _handed_in(detail: Mapping[str, Any], vi: bool) -> str:
    year, _, number = str(detail["quarter"]).partition("-Q")
    quarter = f"quý {number}/{year}" if vi else f"quarter {number} of {year}"
    if "handed_in" not in detail:
        return quarter
    day = date.fromisoformat(str(detail["handed_in"]))
    return (
        f"{quarter}, gửi ngày {day:%d/%m/%Y} theo khai báo" if vi else f"{quarter}, sent on {day:%d/%m/%Y} as declared"
    )


def _outage(detail: Mapping[str, Any], language: str) -> str:
    begin = datetime.fromtimestamp(detail["longest_outage_from"], LOCAL)
    length = format_value(detail["longest_outage_to"] - detail["longest_outage_from"], Unit.SECOND, language)
    if language == "vi":
        return f"lần mất dài nhất {length}, từ {begin:%H:%M} ngày {begin:%d/%m/%Y}"
    return f"longest outage {length}, from {begin:%H:%M} on {begin:%d/%m/%Y}"


def _required(required: Mapping[str, Any], language: str) -> str:
    vi = language == "vi"
    operator, unit = required["operator"], required.get("unit", "")
    if operator == "per_head":
        if required.get("value") is None:
            return ""
        text = (
            f"cần {required['value']} máy cho {_number(required['heads'], language)} học sinh"
            if vi
            else f"{required['value']} needed for {_number(required['heads'], language)} "
            f"{'pupil' if required['heads'] == 1 else 'pupils'}"
        )
        if required.get("heads_from") == "cap":
            text += " (sĩ số tối đa của cấp học)" if vi else " (cap of the school level)"
    elif operator == "one_of":
        values = (" hoặc " if vi else " or ").join(format_value(value, unit, language) for value in required["values"])
        text = f"{_pick(OPERATORS[operator], language)} {values}"
    elif unit == Unit.NONE:
        text = (
            ("phải có" if vi else "must be there") if required["value"] else ("phải không có" if vi else "must not be")
        )
    else:
        text = f"{_pick(OPERATORS[operator], language)} {format_value(required['value'], unit, language)}"
    inherited = [o for o in required.get("inherited", ()) if o != required["number_from"]]
    own = origin_text(required["number_from"], required.get("source", ""), language)
    names = ", ".join([own, *(origin_name(origin, language) for origin in inherited)])
    return f"{text} ({names})"


def _pick(pair: tuple[str, str] | None, language: str) -> str:
    return "" if pair is None else pair[1] if language == "en" else pair[0]
