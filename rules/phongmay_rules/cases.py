"""Runs the cases of a pack: the `judge` and `excuse` of the engine, on facts, members and waivers that a case states.

Cases go in, judgements and what differs from the expectation come out; no store and no clock is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from phongmay_rules.case_model import Case, CaseFact, CaseFacts, CaseMember
from phongmay_rules.checks.outcome import Member, Setting
from phongmay_rules.facts.records import FactValue
from phongmay_rules.judging import Judgement, Subject, judge
from phongmay_rules.model import NumberFrom, Pack, Rule
from phongmay_rules.parameters import with_overrides
from phongmay_rules.waiving import InForce, Waivers, excuse
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.place import RoomKind

_AT = 1_700_000_000.0
"""Any instant: cases speak of ages, not of dates."""
LINEAGE: Mapping[SubjectKind, tuple[SubjectKind, ...]] = {
    SubjectKind.DEVICE: (SubjectKind.DEVICE, SubjectKind.ROOM, SubjectKind.SCHOOL, SubjectKind.DISTRICT),
    SubjectKind.ROOM: (SubjectKind.ROOM, SubjectKind.SCHOOL, SubjectKind.DISTRICT),
    SubjectKind.SCHOOL: (SubjectKind.SCHOOL, SubjectKind.DISTRICT),
    SubjectKind.DISTRICT: (SubjectKind.DISTRICT,),
}
"""For each kind of subject: itself and what lies above it, nearest first. In a case each is named by its kind."""


@dataclass(frozen=True, slots=True)
class Laid:
    """A case laid out as the engine would meet it.

    Attributes:
        inherited: origins of figures that the rule takes over.
    """

    subject: Subject
    facts: Mapping[str, FactValue]
    members: Sequence[Member]
    settings: Mapping[str, Setting]
    waivers: Waivers
    inherited: Sequence[NumberFrom]

    def judge(self, rule: Rule) -> Judgement:
        """Judge it, and excuse what a waiver of the case lifts."""
        judgement = judge(rule, self.subject, self.facts, self.members, self.settings, _AT, self.inherited)
        return excuse(judgement, rule.id, LINEAGE[rule.subject.kind], self.waivers)


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
    judgement = lay(pack, rule_id, case).judge(pack.rules[rule_id])
    return CaseResult(rule_id, case, judgement, problem_of(case, judgement))


def problem_of(case: Case, judgement: Judgement) -> str:
    """Say what differs from what the case expects; "" = nothing."""
    if judgement.state is not case.expect:
        return f"expected {case.expect}, got {judgement.state} ({judgement.reason})"
    if case.reason is not None and judgement.reason is not case.reason:
        return f"expected reason {case.reason}, got {judgement.reason}"
    return ""


def lay(pack: Pack, rule_id: str, case: Case) -> Laid:
    """Lay a case out."""
    rule = pack.rules[rule_id]
    kind = rule.subject.kind
    about = case.subject
    subject = Subject(
        kind, kind.value, "unit", about.kind or (rule.subject.of[0] if rule.subject.of else ""),
        about.level or "", about.state, about.agent,
    )  # fmt: skip
    members = [
        _member(member, f"member-{group}-{number}", kind)
        for group, member in enumerate(case.members)
        for number in range(member.count)
    ]
    waivers: Waivers = {}
    if case.waiver is not None:
        key = (case.waiver.rule or rule_id, case.waiver.on.value)
        waivers = {key: InForce(1, "officer", case.name, "2099-01-01T00:00:00+00:00")}
    settings = with_overrides(pack, case.parameters, "case")
    return Laid(subject, _facts(case.facts), members, settings, waivers, pack.inherited[rule_id])


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
