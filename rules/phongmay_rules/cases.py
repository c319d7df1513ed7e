"""Runs the cases of a pack: the same `judge` as in the engine, on facts that the case states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from phongmay_rules.case_model import Case, CaseFact, CaseFacts, CaseMember
from phongmay_rules.checks.outcome import Member
from phongmay_rules.facts.records import FactValue
from phongmay_rules.judging import Judgement, Subject, judge
from phongmay_rules.model import Pack
from phongmay_rules.parameters import with_overrides
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.place import RoomKind

_AT = 1_700_000_000.0
"""Any instant: cases speak of ages, not of dates."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of one case.

    Attributes:
        problem: "" = as expected, else a sentence.
    """

    rule_id: str
    case: Case
    judgement: Judgement
    problem: str


def run_cases(pack: Pack) -> Iterator[CaseResult]:
    """Run every case of every rule."""
    for rule_id in sorted(pack.rules):
        for case in pack.cases[rule_id]:
            yield run_case(pack, rule_id, case)


def run_case(pack: Pack, rule_id: str, case: Case) -> CaseResult:
    """Run one case."""
    rule = pack.rules[rule_id]
    kind = rule.subject.kind
    about = case.subject
    subject = Subject(
        kind, "subject", "unit", about.kind or (rule.subject.of[0] if rule.subject.of else ""),
        about.level or "", about.state, about.agent,
    )  # fmt: skip
    members = [
        _member(member, f"member-{group}-{number}", kind)
        for group, member in enumerate(case.members)
        for number in range(member.count)
    ]
    judgement = judge(
        rule, subject, _facts(case.facts), members, with_overrides(pack, case.parameters, "case"), _AT,
        pack.inherited[rule_id],
    )  # fmt: skip
    problem = ""
    if judgement.state is not case.expect:
        problem = f"expected {case.expect}, got {judgement.state} ({judgement.reason})"
    elif case.reason is not None and judgement.reason is not case.reason:
        problem = f"expected reason {case.reason}, got {judgement.reason}"
    return CaseResult(rule_id, case, judgement, problem)


def _facts(facts: CaseFacts) -> Mapping[str, FactValue]:
    out = {}
    for name, stated in facts.items():
        fact = stated if isinstance(stated, CaseFact) else CaseFact(value=stated)
        out[name] = FactValue(0, name, fact.value, fact.missing or "", _AT - fact.age_s)
    return out


def _member(member: CaseMember, name: str, above: SubjectKind) -> Member:
    below = SubjectKind.ROOM if member.kind in tuple(RoomKind) else SubjectKind.DEVICE
    kind = SubjectKind.SCHOOL if above is SubjectKind.DISTRICT else below
    states = {rule: [state.value] for rule, state in member.rules.items()}
    return Member(kind, name, member.kind, member.state, member.agent, states, _facts(member.facts))
