"""Turns a stored verdict into words and figures: for JSON here, and for pages and files through the same functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from phongmay_api.language import Language
from phongmay_api.verdicts.queries import Judged
from phongmay_api.verdicts.schemas import ExplanationOut, MissingOut, VerdictDetail, VerdictOut
from phongmay_rules import explain
from phongmay_rules.explanation import Explanation
from phongmay_rules.explanation import explain as explain_fully
from phongmay_rules.facts.catalogue import FACTS, basis
from phongmay_rules.history import held_since
from phongmay_rules.model import Pack, Text
from phongmay_rules.reasons import Reason, reason_text
from phongmay_rules.summary import VOUCHED
from phongmay_store.register.compliance import State, Verdict


@dataclass(frozen=True, slots=True)
class FactShown:
    """A fact of a verdict's evidence.

    Attributes:
        name: the fact in words.
        basis: which time it is about, and how much must be known for it.
        value: in marketed units, or why there is none.
        source: measured, declared or derived; "" when it was never there.
        at: what time it is about.
        sources: envelopes (sender/run/seq) or register rows.
    """

    name: str
    basis: str
    value: str
    source: str
    at: datetime | None
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MemberShown:
    """A device or school that an aggregate counted, and which rules are to blame when it does not meet them."""

    kind: str
    id: str
    state: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Unvouched:
    """A verdict that nobody confirms any more: what was found last stays readable, the state is unknown."""

    measured: dict[str, Any]
    required: dict[str, Any]
    evidence: list[Any]
    state: str = State.UNKNOWN.value
    reason: str = Reason.ENGINE_STOPPED.value


def explanation(pack: Pack, judged: Judged, since: datetime | None, language: Language) -> Explanation:
    """Explain a verdict in full; one that the engine has stopped confirming as unknown."""
    verdict, shown = judged.verdict, _shown(judged)
    held = since if shown.state == verdict.state else None
    return explain_fully(shown, verdict.rule_id, pack, verdict.evidence, held, language)


def _shown(judged: Judged) -> explain.VerdictLike:
    """Give a verdict as it may be shown: with the state that somebody vouches for."""
    verdict = judged.verdict
    if shown_state(judged) == verdict.state:
        return verdict
    return _Unvouched(verdict.measured, verdict.required, verdict.evidence)


def sentence(pack: Pack, judged: Judged, language: Language) -> str:
    """Say what was found and what is demanded; of a rule that left the pack only why it has its state."""
    verdict, rule = _shown(judged), pack.rules.get(judged.verdict.rule_id)
    if rule is None:
        return f"{explain.state_name(verdict.state, language)}: {reason_text(verdict.reason, language)}"
    return explain.sentence(verdict, rule, language)


def _from_epoch(at: object) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if isinstance(at, int | float) else None


def facts(verdict: Verdict, language: Language) -> list[FactShown]:
    """Give the facts in a verdict's evidence."""
    return [_fact(entry, language) for entry in verdict.evidence if isinstance(entry, dict) and "name" in entry]


def _fact(entry: dict[str, Any], language: Language) -> FactShown:
    kind = FACTS.get(entry["name"])
    name = str(entry["name"]) if kind is None else kind.vi if language == "vi" else kind.en
    if entry.get("value") is None:
        shown = reason_text(str(entry.get("missing", "no_data")), language)
    else:
        shown = explain.format_value(entry["value"], str(entry.get("unit", "")), language)
        if entry.get("missing"):
            shown += f" ({reason_text(str(entry['missing']), language)})"
    sources = tuple(str(source) for source in entry.get("sources", ()))
    return FactShown(
        name,
        basis(kind, language) if kind else "",
        shown,
        str(entry.get("source", "")),
        _from_epoch(entry.get("at")),
        sources,
    )


def members(verdict: Verdict) -> list[MemberShown]:
    """Give the members in an aggregate's evidence, the failing and the unknown ones first."""
    order = [State.FAIL, State.ERROR, State.UNKNOWN, State.MANUAL, State.WAIVED, State.PASS, State.NOT_APPLICABLE]
    found = [
        MemberShown(entry["subject_kind"], entry["subject_id"], entry["state"], tuple(entry.get("rules", ())))
        for entry in verdict.evidence
        if isinstance(entry, dict) and "subject_id" in entry
    ]
    return sorted(found, key=lambda member: (order.index(State(member.state)), member.id))


def _common(pack: Pack, judged: Judged, language: Language) -> dict[str, Any]:
    verdict = judged.verdict
    return {
        "id": verdict.id,
        "unit_id": verdict.unit_id,
        "subject_kind": verdict.subject_kind,
        "subject_id": verdict.subject_id,
        "rule_id": verdict.rule_id,
        "state": verdict.state,
        "reason": verdict.reason,
        "sentence": sentence(pack, judged, language),
        "evaluated_at": verdict.evaluated_at,
        "confirmed_at": judged.confirmed.confirmed_at if judged.confirmed else None,
        "stale": judged.stale,
    }


def brief(pack: Pack, judged: Judged, language: Language) -> VerdictOut:
    """Give what a list says about a verdict."""
    return VerdictOut(**_common(pack, judged, language))


def _explained(session: Session, pack: Pack, judged: Judged) -> ExplanationOut:
    verdict = judged.verdict
    rule = pack.rules.get(verdict.rule_id)
    since = held_since(session, [verdict]).get(verdict.id)
    vi, en = (explanation(pack, judged, since, language) for language in ("vi", "en"))
    return ExplanationOut(
        vi=vi.sentences(),
        en=en.sentences(),
        state_since=since,
        rule_in_force_from=rule.valid_from if rule else None,
        who_must_act=[who.value for who in rule.who_must_act] if rule else [],
        missing=[
            MissingOut(
                fact=one.fact or None, rule=one.rule or None, reason=one.reason, supplier=one.who.value,
                text=Text(vi=one.text, en=two.text),
            )
            for one, two in zip(vi.missing, en.missing, strict=True)
        ],
    )  # fmt: skip


def detail(session: Session, pack: Pack, judged: Judged, language: Language) -> VerdictDetail:
    """Give a verdict with everything needed to follow and reproduce it."""
    verdict = judged.verdict
    rule = pack.rules.get(verdict.rule_id)
    document = pack.standard.documents.get(rule.duty) if rule else None
    return VerdictDetail(
        **_common(pack, judged, language),
        state_name=Text(vi=explain.state_name(verdict.state, "vi"), en=explain.state_name(verdict.state, "en")),
        sentences=Text(vi=sentence(pack, judged, "vi"), en=sentence(pack, judged, "en")),
        explanation=_explained(session, pack, judged),
        duty=document.title if document else None,
        number_from=number_from(pack, verdict),
        measured=verdict.measured,
        required=verdict.required,
        evidence=verdict.evidence,
        run_id=verdict.run_id,
        rule_hash=verdict.rule_hash,
        pack_id=verdict.pack_id,
        pack_hash=verdict.pack_hash,
        recorded_at=verdict.recorded_at,
    )


def number_from(pack: Pack, verdict: Verdict) -> str | None:
    """Say whose figure decided: the one stored with the verdict, else the rule's own."""
    stored = verdict.required.get("number_from")
    if stored is not None:
        return str(stored)
    rule = pack.rules.get(verdict.rule_id)
    return rule.number_from.value if rule else None


def origins(pack: Pack, verdict: Verdict) -> list[str]:
    """Give whose figures decided, the verdict's own first, then those that an aggregate takes over; each once."""
    own = number_from(pack, verdict)
    inherited = [str(origin) for origin in verdict.required.get("inherited", ())]
    return list(dict.fromkeys([*([own] if own else []), *inherited]))


def shown_state(judged: Judged) -> str:
    """Give the state that a person is shown: what nobody confirms any more is unknown."""
    stale = judged.stale and judged.verdict.state in VOUCHED
    return State.UNKNOWN.value if stale else judged.verdict.state
