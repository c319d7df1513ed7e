"""The evidence of a verdict as lines for a terminal: facts, members and waivers go in, sentences in vi or en come out.

Nothing is read and nothing can go wrong; what a later version wrote into the evidence stands for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from phongmay_rules.explain import format_value, state_name
from phongmay_rules.facts.catalogue import FACTS, basis
from phongmay_rules.reasons import reason_text
from phongmay_store.register.compliance import SubjectKind, Verdict
from phongmay_store.register.timetable import LOCAL

_KINDS = {
    SubjectKind.DEVICE.value: ("máy", "device"),
    SubjectKind.ROOM.value: ("phòng", "room"),
    SubjectKind.SCHOOL.value: ("trường", "school"),
    SubjectKind.DISTRICT.value: ("đơn vị", "unit"),
}
_SOURCES = {
    "measured": ("đo", "measured"),
    "declared": ("khai báo", "declared"),
    "derived": ("tính ra", "derived"),
}


def evidence_lines(evidence: Iterable[Any], language: str) -> Iterator[str]:
    """Give a line or more for each piece of evidence."""
    for item in evidence:
        if "name" in item:
            yield _fact(item, language)
            yield from _declared(item, language)
        elif "waiver" in item:
            yield _waiver(item, language)
        elif "digest" in item:
            yield _together(item, language)
        else:
            yield _member(item, language)


def stamp_lines(verdict: Verdict, language: str, *, is_current: bool) -> Iterator[str]:
    """Say which row this is, when it was judged, by which rule of which pack, and how a current one is disputed."""
    when, rule = local(verdict.evaluated_at), f"{verdict.rule_id} [{verdict.rule_hash[:12]}]"
    pack = f"{verdict.pack_id} [{verdict.pack_hash[:12]}]"
    vi = language == "vi"
    if vi:
        yield f"  kết luận số {verdict.id}, đánh giá lúc {when} theo quy tắc {rule} của gói {pack}"
    else:
        yield f"  verdict {verdict.id}, judged at {when} by rule {rule} of pack {pack}"
    if is_current:
        command = f"phongmay verdicts dispute {verdict.id} --text ... --by ..."
        yield f"  {'khiếu nại' if vi else 'to dispute it'}: {command}"


def local(moment: datetime) -> str:
    """Write a time as the clock on the wall shows it in Viet Nam."""
    return f"{moment.astimezone(LOCAL):%H:%M:%S %d/%m/%Y}"


def _together(item: Mapping[str, Any], language: str) -> str:
    kind = FACTS.get(item["facts"])
    count, digest = len(item["rows"]), item["digest"][:12]
    if language == "vi":
        return f"  số liệu của {count} đối tượng: {kind.vi if kind else item['facts']} [{digest}]"
    return f"  facts of {count} members: {kind.en if kind else item['facts']} [{digest}]"


def _fact(item: Mapping[str, Any], language: str) -> str:
    vi = language == "vi"
    kind = FACTS.get(item["name"])
    title = f"{kind.vi if vi else kind.en} ({item['name']}; {basis(kind, language)})" if kind else item["name"]
    unit = str(item.get("unit", ""))
    value = format_value(item.get("value"), unit, language)
    if isinstance(item.get("value"), int | float) and unit:
        value += f" [{item['value']} {unit}]"
    if item.get("missing"):
        value += f" ({reason_text(str(item['missing']), language)})"
    how = _SOURCES.get(str(item.get("source", "")), ("", ""))[not vi]
    if isinstance(item.get("at"), int | float):
        how += f"{' lúc ' if vi else ' at '}{local(datetime.fromtimestamp(item['at'], UTC))}"
    sources = ", ".join(str(source) for source in item.get("sources", [])) or "–"
    number = item.get("fact_id", "–")
    if vi:
        return f"  số liệu {number}: {title} = {value}; {how.strip() or '–'}; nguồn: {sources}"
    return f"  fact {number}: {title} = {value}; {how.strip() or '–'}; from {sources}"


def _declared(item: Mapping[str, Any], language: str) -> Iterator[str]:
    """Say what was declared: instead of a measurement, or beside it."""
    detail = item.get("detail") or {}
    if "declared_by" not in detail:
        return
    vi = language == "vi"
    by, since = detail["declared_by"], _day(detail["declared_since"])
    who = f"“{by}” khai báo từ {since}" if vi else f"declared by {by!r} since {since}"
    if "attachment_sha256" in detail:
        who += f", {'tệp đính kèm' if vi else 'attachment'} {detail['attachment_sha256'][:12]}"
    if "declared" not in detail:
        yield f"    {who}; {'không đo được' if vi else 'not measured'}"
        return
    unit = str(item.get("unit", ""))
    value = format_value(detail["declared"], unit, language)
    compared: dict[object, tuple[str, str]] = {
        True: ("KHÁC với số liệu đo", "DISAGREES with the measurement"),
        False: ("khớp với số liệu đo", "agrees with the measurement"),
    }
    unmeasured = ("không có số liệu đo để so sánh", "nothing was measured to compare it with")
    beside = compared.get(detail.get("disagrees"), unmeasured)
    yield f"    {value}, {who}: {beside[not vi]}"


def _day(moment: str) -> str:
    """Write the day of a stored time (UTC) as in Viet Nam: declarations begin with a local day."""
    return f"{datetime.fromisoformat(moment).astimezone(LOCAL):%d/%m/%Y}"


def _waiver(item: Mapping[str, Any], language: str) -> str:
    excused = f"{state_name(item['state'], language).lower()} ({reason_text(item['reason'], language)})"
    until = local(datetime.fromisoformat(item["until"]))
    if language == "vi":
        return (
            f"  quyết định miễn số {item['waiver']} do {item['signed_by']} ký, đến {until} ({item['why']}): "
            f"miễn cho kết quả {excused}"
        )
    return f"  waiver {item['waiver']} by {item['signed_by']} until {until} ({item['why']}) excuses {excused}"


def _member(item: Mapping[str, Any], language: str) -> str:
    kind = _KINDS.get(item["subject_kind"], (item["subject_kind"],) * 2)[language == "en"]
    rules = " ".join(item.get("rules", []))
    return f"  {kind} {item['subject_id']}: {state_name(item['state'], language).lower()} {rules}".rstrip()
