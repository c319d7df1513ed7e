"""Turns verdicts into what a page shows of them: one Item each, with its words, figures, origin and sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from phongmay_api.pages.figures import measured_text, required_text
from phongmay_api.pages.rendering import ORDER
from phongmay_api.pages.texts import Texts
from phongmay_api.verdicts import presenting
from phongmay_api.verdicts.queries import Judged
from phongmay_rules.explain import origin_text
from phongmay_rules.explanation import Explanation, document_name
from phongmay_rules.facts import availability
from phongmay_rules.facts.catalogue import BY_AGENT
from phongmay_rules.model import Pack, Severity
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import State

_RANK = {state.value: rank for rank, state in enumerate(ORDER)}
_SEVERITY = {severity.value: rank for rank, severity in enumerate(Severity)}
_ON_MACHINE = frozenset(BY_AGENT) - frozenset(availability.DEVICE)
_MOST_SOURCES = 8
PLACE_MARK = " · "
"""Stands between a room and a seat in the name of a device."""


@dataclass(frozen=True, slots=True)
class Item:
    """A verdict as a page shows it.

    Attributes:
        state: shown state: unknown when the engine has stopped, whatever was judged last.
        name: of the subject.
        measured: what was found, in marketed units.
        required: what is demanded, in marketed units.
        number_from: code of whose figure it is, "" when the rule left the pack.
        origin: the same in words, with the figures that an aggregate takes over.
        duty: name of the document that demands it, or "–".
        explanation: the verdict in whole sentences.
        since: since when its state holds without a break; None = not asked for.
        in_force: first day of the rule; None = it left the pack.
        measured_at: newest time that the evidence is about.
        sources: envelopes and register rows, the first few.
        is_unmeasured: nothing in this system measures yet what it reads.
        on_machine: it rests on what the machine's own agent measures, not on papers, on what
            nothing measures yet, or on a month of its past.
    """

    id: int
    rule_id: str
    title: str
    group: str
    severity: str
    state: str
    sentence: str
    subject_kind: str
    subject_id: str
    name: str
    measured: str
    required: str
    number_from: str
    origin: str
    duty: str
    explanation: Explanation
    since: datetime | None
    in_force: date | None
    measured_at: datetime | None
    evaluated_at: datetime
    confirmed_at: datetime | None
    sources: tuple[str, ...]
    rule_hash: str
    pack_id: str
    pack_hash: str
    on_machine: bool
    is_unmeasured: bool


def item(
    pack: Pack,
    judged: Judged,
    words: Texts,
    names: dict[tuple[str, str], str],
    since: Mapping[int, datetime] | None = None,
) -> Item:
    """Make the item of a verdict.

    Args:
        pack: for the texts of rules.
        judged: the verdict.
        words: the language.
        names: names of subjects.
        since: since when states hold, by id of verdict.
    """
    verdict = judged.verdict
    rule = pack.rules.get(verdict.rule_id)
    document = pack.standard.documents.get(rule.duty) if rule else None
    facts = presenting.facts(verdict, words.language)
    sources = list(dict.fromkeys(source for fact in facts for source in fact.sources))
    times = [fact.at for fact in facts if fact.at is not None]
    return Item(
        id=verdict.id,
        rule_id=verdict.rule_id,
        title=rule.title.in_(words.language) if rule else verdict.rule_id,
        group=rule.group if rule else "",
        severity=rule.severity.value if rule else "",
        state=presenting.shown_state(judged),
        sentence=presenting.sentence(pack, judged, words.language),
        subject_kind=verdict.subject_kind,
        subject_id=verdict.subject_id,
        name=names.get((verdict.subject_kind, verdict.subject_id), verdict.subject_id),
        measured=measured_text(verdict, words),
        required=required_text(verdict, words),
        number_from=presenting.number_from(pack, verdict) or "",
        origin=", ".join(
            origin_text(origin, "" if place else verdict.required.get("source", ""), words.language)
            for place, origin in enumerate(presenting.origins(pack, verdict))
        ),
        duty=document_name(document, words.language) if document else "–",
        explanation=presenting.explanation(pack, judged, None, words.language),
        since=(since or {}).get(verdict.id),
        in_force=rule.valid_from if rule else None,
        measured_at=max(times, default=None),
        evaluated_at=verdict.evaluated_at,
        confirmed_at=judged.confirmed.confirmed_at if judged.confirmed else None,
        sources=tuple(sources[:_MOST_SOURCES]),
        rule_hash=verdict.rule_hash,
        pack_id=verdict.pack_id,
        pack_hash=verdict.pack_hash,
        is_unmeasured=verdict.reason == Reason.NOT_MEASURED_YET,
        on_machine=rule is not None and not rule.facts().isdisjoint(_ON_MACHINE),
    )


def worst_first(items: list[Item]) -> list[Item]:
    """Order items by state, then by severity of the rule."""
    return sorted(items, key=lambda found: (_RANK[found.state], _SEVERITY.get(found.severity, 9), found.rule_id))


def worst_state(items: list[Item]) -> str:
    """Give the worst state among items; unknown when there is none, since nothing is judged then."""
    return min((found.state for found in items), key=lambda state: _RANK[state], default=State.UNKNOWN.value)


@dataclass(frozen=True, slots=True)
class Cause:
    """One rule that many subjects of a kind do not meet: one line to act on, not one a machine."""

    rule_id: str
    title: str
    state: str
    subject_kind: str
    count: int
    shown: tuple[Item, ...]

    @property
    def places(self) -> list[tuple[str, list[tuple[str, Item]]]]:
        """Give the shown subjects by room: its name once, then short labels of seats."""
        out: dict[str, list[tuple[str, Item]]] = {}
        for entry in self.shown:
            room, _, label = entry.name.rpartition(PLACE_MARK)
            out.setdefault(room, []).append((label, entry))
        return list(out.items())


def causes(items: list[Item], states: set[str], most: int = 12) -> list[Cause]:
    """Gather items in some states by rule; severe rules and those with many subjects first."""
    found = list(_causes([entry for entry in items if entry.state in states], most))
    severity = {entry.rule_id: _SEVERITY.get(entry.severity, 9) for entry in items}
    return sorted(found, key=lambda cause: (_RANK[cause.state], severity[cause.rule_id], -cause.count, cause.rule_id))


def _causes(items: list[Item], most: int) -> Iterator[Cause]:
    by_rule: dict[tuple[str, str], list[Item]] = {}
    for entry in items:
        by_rule.setdefault((entry.rule_id, entry.state), []).append(entry)
    for (rule_id, state), members in by_rule.items():
        first = members[0]
        shown = tuple(sorted(members, key=lambda entry: entry.name)[:most])
        yield Cause(rule_id, first.title, state, first.subject_kind, len(members), shown)
