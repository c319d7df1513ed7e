"""What the page of decisions shows of a unit: disputes, waivers, statements; and the disputes about one verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from phongmay_api.access.scope import Scope
from phongmay_api.attachments import queries as attachments
from phongmay_api.decisions import queries
from phongmay_api.decisions.queries import Case
from phongmay_api.pages.district import crumbs
from phongmay_api.pages.proof import subject_names
from phongmay_api.pages.texts import Texts
from phongmay_rules.deciding import may_decide
from phongmay_rules.explain import sentence, state_name
from phongmay_rules.model import Assessment, Clause, Pack
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import Verdict
from phongmay_store.register.decisions import Attestation, Dispute, DisputeStep, Waiver
from phongmay_store.register.organisation import Unit

ENDING_DAYS = 30
_ANSWERED = 20


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step of a dispute: what happened, in whose words, and what the evaluation came to."""

    title: str
    text: str
    signed_by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A dispute as a page shows it."""

    number: int
    place: str
    name: str
    rule: str
    state: str
    sentence: str
    verdict_id: int
    is_open: bool
    steps: Sequence[StepLine]
    may_answer: bool


@dataclass(frozen=True, slots=True)
class WaiverLine:
    """A waiver as a page shows it."""

    row: Waiver
    place: str
    name: str
    rule: str
    days_left: int
    may_withdraw: bool


@dataclass(frozen=True, slots=True)
class StatedLine:
    """A clause with the statement that holds.

    Attributes:
        link: address of the file that shows it; "" = none was handed in here.
    """

    clause: Clause
    row: Attestation
    link: str

    @property
    def last_day(self) -> datetime:
        """The day until whose end it holds: the stored end is the first instant without it."""
        return self.row.valid_to - timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class DecisionsView:
    """The page of decisions of a unit.

    Attributes:
        clauses: those that no machine judges alone.
        stated: those of them about which somebody has stated something that holds.
        unstated: the others.
        may_decide: who looks may sign for the unit.
    """

    unit: Unit
    crumbs: Sequence[Unit]
    open: Sequence[CaseLine]
    answered: Sequence[CaseLine]
    ending: Sequence[WaiverLine]
    waivers: Sequence[WaiverLine]
    clauses: Sequence[Clause]
    stated: Sequence[StatedLine]
    unstated: Sequence[Clause]
    may_decide: bool
    sample: bool

    @property
    def forms(self) -> set[str]:
        """Names of the forms that the page shows, as `Refused` names them."""
        found = {f"withdraw-{line.row.number}" for line in self.waivers if line.may_withdraw}
        found |= {f"answer-{case.number}" for case in self.open if case.may_answer}
        return found | ({"attestation"} if self.may_decide else set())


def decisions_view(scope: Scope, pack: Pack, unit: Unit, words: Texts) -> DecisionsView:
    """Gather the page of a unit of the scope."""
    units = scope.below(unit.id)
    within = [below.id for below in units]
    lines = Lines(scope, pack, words)
    in_force = [lines.waiver(row) for row in queries.waivers(scope, within, in_force=True)]
    stated = {row.clause_id: row for row in reversed(queries.attestations(scope, [unit.id], at=utc_now()))}
    clauses = [clause for clause in pack.standard.clause if clause.assessment is not Assessment.AUTOMATED]
    papers = attachments.known(scope, unit.id, (row.attachment_hash for row in stated.values()))
    open_cases = queries.disputes(scope, within, is_open=True)
    answered = queries.disputes(scope, within, is_open=False, limit=_ANSWERED)
    return DecisionsView(
        unit=unit,
        crumbs=[*crumbs(scope, unit), unit],
        open=[lines.case(case) for case in reversed(open_cases)],
        answered=[lines.case(case) for case in answered],
        ending=sorted((line for line in in_force if line.days_left <= ENDING_DAYS), key=lambda line: line.row.valid_to),
        waivers=in_force,
        clauses=clauses,
        stated=[
            StatedLine(clause, row, attachments.link(unit.id, row.attachment_hash))
            if row.attachment_hash in papers
            else StatedLine(clause, row, "")
            for clause in clauses
            if (row := stated.get(clause.id)) is not None
        ],
        unstated=[clause for clause in clauses if clause.id not in stated],
        may_decide=lines.may_decide(unit.id),
        sample=any(below.is_sample for below in units),
    )


class Lines:
    """Makes lines of disputes and waivers; what it looks up of a unit it looks up once."""

    def __init__(self, scope: Scope, pack: Pack, words: Texts) -> None:
        self._scope, self._pack, self._words = scope, pack, words
        self._names: dict[str, dict[tuple[str, str], str]] = {}
        self._rights: dict[str, bool] = {}
        self._units = {unit.id: unit for unit in scope.units}

    def may_decide(self, unit_id: str) -> bool:
        """Tell whether who asks may sign for a unit."""
        if unit_id not in self._rights:
            principal = self._scope.principal
            signs = principal.is_account and may_decide(self._scope.session, principal.name, unit_id)
            self._rights[unit_id] = signs
        return self._rights[unit_id]

    def case(self, case: Case) -> CaseLine:
        """Make the line of a dispute."""
        verdict = case.steps[-1][1]
        rule = self._pack.rules.get(verdict.rule_id)
        language = self._words.language
        return CaseLine(
            number=case.opened.number,
            place=self._place(case.opened.unit_id),
            name=self._name(case.opened.unit_id, (verdict.subject_kind, verdict.subject_id), verdict.subject_id),
            rule=self._rule(verdict.rule_id),
            state=verdict.state,
            sentence=sentence(verdict, rule, language) if rule else state_name(verdict.state, language),
            verdict_id=verdict.id,
            is_open=case.is_open,
            steps=[self._step(step, then, case.steps[0][1]) for step, then in case.steps],
            may_answer=case.is_open and self.may_decide(case.opened.unit_id),
        )

    def waiver(self, row: Waiver) -> WaiverLine:
        """Make the line of a waiver."""
        names = self._of(row.unit_id)
        name = next((text for (_, subject), text in names.items() if subject == row.subject_id), row.subject_id)
        return WaiverLine(
            row,
            self._place(row.unit_id),
            name,
            self._rule(row.rule_id),
            (row.valid_to - utc_now()).days,
            self.may_decide(row.unit_id),
        )

    def _of(self, unit_id: str) -> dict[tuple[str, str], str]:
        if unit_id not in self._names:
            unit = self._units.get(unit_id)
            self._names[unit_id] = {} if unit is None else subject_names(self._scope, unit)
        return self._names[unit_id]

    def _name(self, unit_id: str, key: tuple[str, str], otherwise: str) -> str:
        return self._of(unit_id).get(key, otherwise)

    def _place(self, unit_id: str) -> str:
        return self._units[unit_id].name if unit_id in self._units else unit_id

    def _rule(self, rule_id: str) -> str:
        rule = self._pack.rules.get(rule_id)
        return f"{rule.title.in_(self._words.language)} ({rule_id})" if rule else rule_id

    def _step(self, step: Dispute, then: Verdict, first: Verdict) -> StepLine:
        text, by = step.text, step.signed_by
        if step.step == DisputeStep.RECHECKED:  # the stored text is for programs; a person reads what it means
            name = state_name(then.state, self._words.language).lower()
            text, by = self._words("recheck_same" if then.id == first.id else "recheck_changed", state=name), ""
        return StepLine(self._words.word("step", step.step), text, by, step.recorded_at)


def disputes_about(
    scope: Scope, pack: Pack, words: Texts, unit_id: str, subject: tuple[str, str], rules: Iterable[str] | None = None
) -> dict[str, list[CaseLine]]:
    """Give the disputes about a subject by rule, the newest first.

    Args:
        scope: who asks.
        pack: for the texts of rules.
        words: the language.
        unit_id: unit of the subject.
        subject: its kind and id.
        rules: only these rules.
    """
    lines = Lines(scope, pack, words)
    out: dict[str, list[CaseLine]] = {}
    for case in queries.disputes(scope, [unit_id]):
        verdict = case.steps[0][1]
        if (verdict.subject_kind, verdict.subject_id) == subject and (rules is None or verdict.rule_id in rules):
            out.setdefault(verdict.rule_id, []).append(lines.case(case))
    return out
