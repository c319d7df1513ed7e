"""How a unit stands against EVERY clause of the packs in force, also those that no machine can judge.

Counts of verdicts by rule (`summary`) and what people stated go in; one line a clause comes out, so that no share hides
what is not checked. A clause with rules takes the worst state of their verdicts; where the rules cover a part only and
that part passes, the clause still is `manual`: the rest is a person's word. A statement never turns into a pass. A rule
that is switched off leaves its clause unknown where nothing worse is known: nobody looked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from phongmay_rules.model import Assessment, Clause, Pack
from phongmay_rules.summary import Shares, Summary
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import State
from phongmay_store.register.decisions import Attestation
from phongmay_store.register.timetable import LOCAL

_WORST_FIRST = (State.FAIL, State.ERROR, State.UNKNOWN, State.MANUAL, State.WAIVED, State.PASS, State.NOT_APPLICABLE)
_MET = (State.PASS, State.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class ClauseStanding:
    """One clause for one unit.

    Attributes:
        rules: ids of the rules in force that judge (a part of) it.
        verdicts: their verdicts in the unit and below it, by state.
        off: ids of rules on it that would be judged if `rules.optional` named them.
        state: the worst of them; `manual` where a person has to say; `unknown` where a rule is off and the others are
            met; `not_applicable` where nothing here is judged.
        stated: the statement on the clause that holds for the unit itself.
    """

    clause: Clause
    rules: tuple[str, ...]
    off: tuple[str, ...]
    verdicts: Shares
    state: State
    stated: Attestation | None


def standings(
    pack: Pack, summary: Summary, stated: Mapping[str, Attestation], day: date | None = None
) -> list[ClauseStanding]:
    """Give every clause in the order of the packs.

    Args:
        pack: the packs in force.
        summary: verdicts of the unit and what is below it, by rule; what no engine vouches for is unknown there.
        stated: statements on the unit that hold, by clause.
        day: local day of which it is told which rules are in force (default: today).
    """
    judging: dict[str, list[str]] = {}
    off: dict[str, list[str]] = {}
    today = day or utc_now().astimezone(LOCAL).date()
    for rule in pack.rules.values():
        if rule.in_force(today):
            for cited in rule.clauses:
                (judging if rule.id in pack.active else off).setdefault(cited, []).append(rule.id)
    return [
        _standing(
            clause, tuple(judging.get(clause.id, ())), tuple(off.get(clause.id, ())), summary, stated.get(clause.id)
        )
        for clause in pack.standard.clause
    ]


def count(found: list[ClauseStanding]) -> Shares:
    """Count clauses by state."""
    shares = Shares()
    for standing in found:
        shares.add(standing.state)
    return shares


def _standing(
    clause: Clause, rules: tuple[str, ...], off: tuple[str, ...], summary: Summary, stated: Attestation | None
) -> ClauseStanding:
    verdicts = Shares()
    for rule in rules:
        verdicts.merge(summary.rules.get(rule, Shares()))
    return ClauseStanding(clause, rules, off, verdicts, _state(clause, verdicts, summary, is_off=bool(off)), stated)


def _state(clause: Clause, verdicts: Shares, summary: Summary, *, is_off: bool) -> State:
    if clause.assessment is Assessment.MANUAL:
        return State.MANUAL
    if not verdicts.total:
        return State.UNKNOWN if is_off or summary.last_run is None else State.NOT_APPLICABLE
    worst = next(state for state in _WORST_FIRST if verdicts.counts[state])
    if is_off and worst in _MET:
        return State.UNKNOWN
    return State.MANUAL if clause.assessment is Assessment.PARTIAL and worst in _MET else worst
