"""The pure core: a rule, what its subject is, its facts, members and parameters go in, a judgement comes out.

The cases of a pack and the engine call the same function; it reads no store and no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phongmay_rules.checks.count import count
from phongmay_rules.checks.one_of import one_of
from phongmay_rules.checks.outcome import BadParameterError, Context, Found, Member, Outcome, Setting
from phongmay_rules.checks.per_head import per_head
from phongmay_rules.checks.presence import presence
from phongmay_rules.checks.share import share
from phongmay_rules.checks.threshold import threshold
from phongmay_rules.checks.window import window
from phongmay_rules.model import Count, NumberFrom, OneOf, PerHead, Presence, Rule, Share, Threshold, Window
from phongmay_rules.reasons import Reason
from phongmay_store.register.ageing import BY_THE_CLOCK, Ageing
from phongmay_store.register.compliance import State
from phongmay_store.register.device import DeviceState

_WORST_FIRST = (State.ERROR, State.FAIL, State.UNKNOWN, State.PASS, State.NOT_APPLICABLE)
_CHECKS: Mapping[type, Callable[[Any, Context], Outcome]] = {
    Threshold: threshold, OneOf: one_of, Presence: presence, Share: share, Count: count, PerHead: per_head,
    Window: window,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged.

    Attributes:
        unit_id: school (or district) that it belongs to.
        sort: kind of device, room or unit.
        level: level of the school.
        state: of a device.
        has_agent: of a device: an agent is expected to report.
    """

    kind: str
    id: str
    unit_id: str
    sort: str = ""
    level: str = ""
    state: str = DeviceState.IN_SERVICE.value
    has_agent: bool = True


@dataclass(slots=True)
class Judgement:
    """What is stored as a verdict, without its bookkeeping. Not frozen, as `Found` is not."""

    state: State
    reason: Reason
    measured: dict[str, Any]
    required: dict[str, Any]
    evidence: list[dict[str, Any]]


def judges(rule: Rule, subject: Subject) -> bool:
    """Tell whether the rule gives this subject a verdict at all (which may still be not_applicable)."""
    return rule.subject.kind == subject.kind and (not rule.subject.of or subject.sort in rule.subject.of)


def judge(
    rule: Rule,
    subject: Subject,
    facts: Found,
    members: Sequence[Member],
    parameters: Mapping[str, Setting],
    at: float,
    inherited: Sequence[NumberFrom] = (),
    ageing: Ageing = BY_THE_CLOCK,
) -> Judgement:
    """Judge one subject by one rule.

    Args:
        rule: the rule; the caller made sure that `judges(rule, subject)`.
        subject: what is judged.
        facts: its facts by name.
        members: devices and rooms of a room or school, or schools of a district, for aggregates.
        parameters: every parameter of the pack, as in force for the subject.
        at: true time of the judgement: decides what is stale.
        inherited: origins of figures that the rule takes over from those it aggregates.
        ageing: how values grow old in the subject's hours.
    """
    context = Context(facts, members, parameters, rule.number_from, subject.level, at, ageing)
    return judge_in(context, rule, subject, inherited)


def judge_in(context: Context, rule: Rule, subject: Subject, inherited: Sequence[NumberFrom] = ()) -> Judgement:
    """Judge one subject by one rule, as `judge` does; the context may have served others of the same rule, parameters
    and level, with their facts, members and ageing."""
    why = _not_applicable(rule, subject)
    if why is not None:
        return Judgement(State.NOT_APPLICABLE, why, {}, {}, [])
    checks = rule.check
    try:
        if len(checks) == 1 and not inherited:  # as nearly all
            state, reason, measured, required, items = _CHECKS[type(checks[0])](checks[0], context)
            return Judgement(state, reason, measured, required, list(items))
        outcomes = [_CHECKS[type(check)](check, context) for check in checks]
    except BadParameterError as error:
        measured = {"parameter": error.name, "value": error.setting.value, "unit": error.setting.unit.value}
        return Judgement(State.ERROR, Reason.BAD_PARAMETER, measured, {"set_by": error.setting.set_by}, [])
    deciding = min(outcomes, key=_rank)
    required = deciding.required
    if inherited:
        required = required | {"inherited": [origin.value for origin in inherited]}
    evidence = [item for outcome in outcomes for item in outcome.evidence]
    return Judgement(deciding.state, deciding.reason, deciding.measured, required, evidence)


def _not_applicable(rule: Rule, subject: Subject) -> Reason | None:
    wanted = rule.subject
    if wanted.levels and subject.level not in wanted.levels:
        return Reason.NOT_THIS_LEVEL
    if wanted.states and subject.state not in wanted.states:
        return Reason.IN_REPAIR  # the only other state that is judged: retired devices are no subjects
    if wanted.needs_agent and not subject.has_agent:
        return Reason.NO_AGENT
    return None


def _rank(outcome: Outcome) -> int:
    """Give the place of an outcome among all, the worst first."""
    return _WORST_FIRST.index(outcome.state)
