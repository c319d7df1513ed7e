"""A verdict explained in full: what was found, by which document, since when, who must do what, which data are missing.

A verdict row, its rule and pack go in (and since when its state holds, which `history.held_since` reads); whole
sentences in Vietnamese or English come out. Texts come from the pack, the catalogues of facts and reasons and the table
of suppliers; a rule that left the pack is explained by its state and reason alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from phongmay_rules.explain import VerdictLike, sentence, state_name
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.facts.suppliers import NAMES, NO_SCHOOLS, TOO_LITTLE, Supplier, Supply, supply
from phongmay_rules.model import Actor, Document, Pack, Rule, Share
from phongmay_rules.reasons import Reason, reason_text
from phongmay_store.register.compliance import State, SubjectKind
from phongmay_store.register.timetable import LOCAL

ACTORS: dict[str, tuple[str, str]] = {
    Actor.SCHOOL: ("nhà trường", "the school"),
    Actor.DISTRICT: ("đơn vị quản lý", "the district"),
    Actor.ISP: ("nhà cung cấp đường truyền", "the Internet provider"),
    Actor.SUPPLIER: ("nhà cung cấp thiết bị", "the supplier of the equipment"),
}
_COUNTED: dict[str, tuple[str, str, str]] = {
    SubjectKind.DEVICE: ("máy", "device", "devices"),
    SubjectKind.ROOM: ("phòng", "room", "rooms"),
    SubjectKind.SCHOOL: ("trường", "school", "schools"),
}


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is not known, and who can change that.

    Attributes:
        fact: name in the catalogue; "" = the results of members.
        rule: rule whose results are missing on members; "" = a fact is.
        reason: code.
        who: who can supply it.
        text: one sentence.
    """

    fact: str
    rule: str
    reason: str
    who: Supplier
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that can be said about a verdict, in one language; each part is a sentence or more, "" = nothing to say.

    Attributes:
        finding: state, what was measured, what is required and whose figure that is; or why not.
        basis: which document demands it, and since when the rule is in force.
        since: since when the state holds without a break.
        action: who must do what.
        missing: which data are missing, and who can supply them.
    """

    finding: str
    basis: str
    since: str
    action: str
    missing: tuple[Missing, ...]

    def sentences(self) -> list[str]:
        """Give everything in reading order."""
        parts = [self.finding, self.basis, self.since, self.action, *(found.text for found in self.missing)]
        return [part for part in parts if part]


def explain(
    verdict: VerdictLike, rule_id: str, pack: Pack, evidence: list[Any], since: datetime | None, language: str
) -> Explanation:
    """Explain a verdict.

    Args:
        verdict: row of the register, or a judgement that was not stored; with the reason "engine_stopped" and the
            state unknown when nobody vouches for it any more.
        rule_id: its rule.
        pack: the packs in force.
        evidence: of the row.
        since: since when the state holds; None = not known.
        language: "vi" or "en".
    """
    rule = pack.rules.get(rule_id)
    if rule is None:
        head = f"{state_name(verdict.state, language)}: {reason_text(verdict.reason, language)}."
        return Explanation(head, "", _since(verdict.state, since, language), "", ())
    unknown = verdict.state in (State.UNKNOWN, State.ERROR)
    return Explanation(
        finding=sentence(verdict, rule, language),
        basis=_basis(rule, pack, language),
        since=_since(verdict.state, since, language),
        action=_action(verdict, rule, evidence, language),
        missing=tuple(_missing(verdict, rule, pack, evidence, language)) if unknown else (),
    )


def document_name(document: Document, language: str) -> str:
    """Name a document by its official number, where it has one, and its title."""
    title, number = document.title.in_(language), official_number(document, language)
    return f"{number} – {title}" if number else title


def official_number(document: Document, language: str) -> str:
    """Give the number of a document; "" where what stands in its place is none."""
    if document.number.startswith("("):  # "(the copy gives no number)"
        return ""
    if language == "vi" and not any(character.isdigit() for character in document.number.partition("/")[0]):
        return ""  # the English name of a foreign standard
    return document.number


def actors(rule: Rule, language: str) -> str:
    """Name who must act on a failure."""
    return ", ".join(ACTORS[who][language == "en"] for who in rule.who_must_act)


def _basis(rule: Rule, pack: Pack, language: str) -> str:
    vi = language == "vi"
    document = pack.standard.documents.get(rule.duty)
    if document is None:
        text = (
            "Căn cứ: không văn bản nào yêu cầu, đây là thực hành tốt"
            if vi
            else "Demanded by: no document; good practice"
        )
    else:
        text = f"{'Căn cứ' if vi else 'Demanded by'}: {document_name(document, language)}"
        cited = (pack.clauses[clause] for clause in rule.clauses)
        places = [clause.locator.in_(language) for clause in cited if clause.document == rule.duty]
        text += f" ({'; '.join(places)})" if places else ""
    text += f". {'Tiêu chí có hiệu lực từ' if vi else 'The rule is in force from'} {_day(rule.valid_from)}"
    if rule.valid_to is not None:
        text += f" {'đến hết' if vi else 'until'} {_day(rule.valid_to)}"
    return text + "."


def _since(state: str, since: datetime | None, language: str) -> str:
    if since is None:
        return ""
    name, local = state_name(state, language).lower(), since.astimezone(LOCAL)
    if language == "vi":
        return f"Kết quả “{name}” giữ nguyên từ {local:%H:%M} ngày {local:%d/%m/%Y}."
    return f"It has been “{name}” without a break since {local:%H:%M} on {local:%d/%m/%Y}."


def _action(verdict: VerdictLike, rule: Rule, evidence: list[Any], language: str) -> str:
    vi = language == "vi"
    todo = rule.remediation.in_(language).strip()
    if verdict.state == State.FAIL:
        who = actors(rule, language)
        return f"Việc cần làm ({who}): {todo}" if vi else f"To do ({who}): {todo}"
    if verdict.state == State.WAIVED:
        waiver = next((item for item in evidence if isinstance(item, dict) and "waiver" in item), None)
        if waiver is None:
            return ""
        until = datetime.fromisoformat(waiver["until"]).astimezone(LOCAL)
        why = str(waiver["why"]).strip().rstrip(".")
        until_text = f"{until:%H:%M} {'ngày' if vi else 'on'} {until:%d/%m/%Y}"
        if vi:
            return f"Được miễn đến {until_text} với lý do: {why}. Hết hạn mà chưa khắc phục thì lại không đạt."
        return f"Waived until {until_text}, because: {why}. Then it fails again unless it is mended."
    return ""


def _missing(verdict: VerdictLike, rule: Rule, pack: Pack, evidence: list[Any], language: str) -> Iterator[Missing]:
    """Give what is missing: facts, then results of members; else what the reason alone tells."""
    found: dict[tuple[str, str], Missing] = {}
    if verdict.reason != Reason.ENGINE_STOPPED:
        for item in evidence:
            if isinstance(item, dict) and "name" in item and item.get("missing"):
                found.setdefault((item["name"], ""), _of_fact(item["name"], str(item["missing"]), language))
        if not found:
            found |= _of_members(verdict, rule, pack, evidence, language)
    if not found:
        facts = sorted(rule.facts() or _facts_below(rule, pack)) or [""]
        about = str(verdict.measured.get("fact", "")) if verdict.reason in TOO_LITTLE else ""
        fact = about or ("" if supply(verdict.reason) else facts[0])
        of_schools = verdict.reason == Reason.NO_MEMBERS and verdict.measured.get("members") == "schools"
        found["", ""] = _of_fact(fact, verdict.reason, language, NO_SCHOOLS if of_schools else None)
    yield from found.values()


def _of_fact(fact: str, reason: str, language: str, known: Supply | None = None) -> Missing:
    way = known or supply(reason, fact)
    kind = FACTS.get(fact)
    why = reason_text(reason, language)
    who = way.who if way else Supplier.OPERATOR
    name = NAMES[who][language == "en"]
    if way is None:  # a code of a later version
        what = "look at the engine's log" if language == "en" else "xem nhật ký của bộ đánh giá"
    else:
        what = way.en if language == "en" else way.vi
    if language == "vi":
        head = f"Còn thiếu: {kind.vi} ({why})" if kind else f"Lý do: {why}"
        return Missing(fact, "", reason, who, f"{head}. Nơi cung cấp – {name}: {what}.")
    head = f"Missing: {kind.en} ({why})" if kind else f"Why: {why}"
    return Missing(fact, "", reason, who, f"{head}. Who can supply it – {name}: {what}.")


def _of_members(
    verdict: VerdictLike, rule: Rule, pack: Pack, evidence: list[Any], language: str
) -> dict[tuple[str, str], Missing]:
    """Give the results that are missing on members, by the rule (or fact) to blame, with the suppliers of its facts."""
    counts: dict[tuple[str, str], int] = {}
    fact = next((check.fact for check in rule.check if isinstance(check, Share) and check.fact), "")
    for item in evidence:
        if isinstance(item, dict) and "subject_id" in item and item["state"] in (State.UNKNOWN, State.ERROR):
            for blamed in item.get("rules") or [""]:
                key = (item["subject_kind"], blamed)
                counts[key] = counts.get(key, 0) + 1
    out = {}
    for (kind, blamed), count in sorted(counts.items()):
        below = pack.rules.get(blamed)
        facts = [fact] if fact else sorted(_facts_below(below, pack)) if below else []
        out[kind, blamed] = _line(kind, blamed, count, below, facts, verdict.reason, language)
    return out


def _facts_below(rule: Rule, pack: Pack) -> set[str]:
    """Give the facts that a rule reads itself or through the rules it counts."""
    found = set(rule.facts())
    for inner in rule.reads_rules():
        if inner in pack.rules:
            found |= _facts_below(pack.rules[inner], pack)
    return found


def _line(
    kind: str, blamed: str, count: int, below: Rule | None, facts: list[str], reason: str, language: str
) -> Missing:
    """Say that results of some members are missing; each way to the data once."""
    vi = language == "vi"
    ways = list(dict.fromkeys(way for fact in facts if (way := supply(Reason.NO_DATA, fact))))
    unit, one, many = _COUNTED[kind]
    about = "" if below is None else f" “{below.title.in_(language)}”"
    if vi:
        head = f"Còn thiếu: kết quả của {count} {unit}" + (f" theo tiêu chí{about}" if about else "")
    else:
        head = f"Missing: the result of {count} {one if count == 1 else many}" + (
            f" by the rule{about}" if about else ""
        )
    if not ways:
        who = Supplier.SCHOOL_IT
        how = f"{NAMES[who][not vi]}: " + ("xem kết quả của từng đối tượng" if vi else "look at the result of each")
    else:
        who = ways[0].who
        how = "; ".join(f"{NAMES[way.who][not vi]}: {way.vi if vi else way.en}" for way in ways)
    return Missing("", blamed, reason, who, f"{head}. {'Nơi cung cấp' if vi else 'Who can supply it'} – {how}.")


def _day(day: date) -> str:
    return f"{day:%d/%m/%Y}"
