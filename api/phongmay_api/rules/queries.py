"""Reads rules out of the pack in force: nothing here comes from the register."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from phongmay_api.problems import not_found
from phongmay_api.rules.schemas import ClauseOut, DocumentOut, FactKindOut, ParameterOut, RuleDetail, RuleOut
from phongmay_rules.facts.catalogue import FACTS, FactKind
from phongmay_rules.model import Pack, Rule, Text


def rule(pack: Pack, rule_id: str) -> Rule:
    """Give a rule.

    Raises:
        Problem: 404, the pack does not have it.
    """
    found = pack.rules.get(rule_id)
    if found is None:
        raise not_found("rule")
    return found


def _document(pack: Pack, document_id: str) -> DocumentOut | None:
    document = pack.standard.documents.get(document_id)
    return None if document is None else DocumentOut(id=document_id, **document.model_dump())


def _common(pack: Pack, found: Rule) -> dict[str, Any]:
    stamp = pack.stamp(found.id)
    return {
        "id": found.id,
        "group": found.group,
        "group_title": pack.standard.groups[found.group].title,
        "subject": found.subject.kind,
        "severity": found.severity,
        "title": found.title,
        "who_must_act": list(found.who_must_act),
        "duty": _document(pack, found.duty),
        "number_from": found.number_from,
        "valid_from": found.valid_from,
        "valid_to": found.valid_to,
        "hash": pack.rule_hashes[found.id],
        "pack_id": stamp.id,
        "pack_hash": stamp.hash,
        "enabled": found.id in pack.active,
    }


def brief(pack: Pack, found: Rule) -> RuleOut:
    """Give what a list says about a rule."""
    return RuleOut(**_common(pack, found))


def detail(pack: Pack, found: Rule) -> RuleDetail:
    """Give a rule with its clauses and its parameters."""
    clauses = [ClauseOut(**pack.clauses[clause].model_dump(exclude={"source"})) for clause in found.clauses]
    parameters = [
        ParameterOut(name=name, **pack.standard.parameters[name].model_dump(exclude={"clause"}))
        for name in sorted(set(parameter_names(pack, found)))
    ]
    return RuleDetail(
        **_common(pack, found),
        rationale=found.rationale,
        remediation=found.remediation,
        clauses=clauses,
        parameters=parameters,
        facts=[_fact(FACTS[name]) for name in sorted(found.facts())],
    )


def _fact(kind: FactKind) -> FactKindOut:
    coverage = kind.coverage
    return FactKindOut(
        name=kind.name, about=Text(vi=kind.vi, en=kind.en), unit=kind.unit, subject=kind.subject, source=kind.source,
        measurable=kind.measurable, window=kind.window, freshness_s=kind.freshness_s,
        coverage=coverage.least if coverage else None, coverage_of=coverage.of if coverage else None,
    )  # fmt: skip


def parameter_names(pack: Pack, found: Rule) -> Iterator[str]:
    """Find the parameters that a rule's checks name, wherever in them they stand."""
    pending: list[object] = [check.model_dump() for check in found.check]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list | tuple):
            pending.extend(value)
        elif isinstance(value, str) and value in pack.standard.parameters:
            yield value
