"""What the cases of a pack must show, and whether they do: every case is run, and what it shows is read off the result.

Which sorts a rule needs follows from its own text: its checks, the filters of its subject, the freshness of the facts
that it reads. A case that does not come out as it says, claims a kind that it is not, or a sort that no case of the
rule shows raises PackError with file, rule and what was expected.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from phongmay_rules.case_model import Case, CaseKind
from phongmay_rules.cases import Laid, lay, problem_of
from phongmay_rules.checks.outcome import Member, Setting
from phongmay_rules.consistency import possible
from phongmay_rules.errors import PackError
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.model import Bound, Check, OneOf, Pack, Presence, Rule, Share, Threshold, Window
from phongmay_rules.parameters import defaults
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import State, SubjectKind


@dataclass(frozen=True, slots=True)
class Sort:
    """One thing that the cases of a rule show.

    Attributes:
        about: check ("check.0"), reason or "" that it is shown for.
    """

    kind: CaseKind
    about: str = ""

    def __str__(self) -> str:
        return f"{self.kind} ({self.about})" if self.about else self.kind.value


_EXPECTED: Mapping[CaseKind, str] = {
    CaseKind.PASS: "a case that passes, with room to spare where the limit leaves any",
    CaseKind.FAIL: "a case that fails by this check alone",
    CaseKind.AT_LIMIT: "a case that passes, and would not if one figure or member were worse by the least step",
    CaseKind.NO_DATA: "a case that is unknown because data for this check are missing",
    CaseKind.STALE: "a case that is unknown because data for this check are too old",
    CaseKind.WAIVED: "a case that fails, and that a waiver excuses",
    CaseKind.NOT_APPLICABLE: "a case that does not apply for this reason",
}
_TOO_LITTLE = (Reason.TOO_FEW, Reason.COVERAGE, Reason.NOT_HEARD_YET)
"""Unknown although every fact is there: worth a case, but it does not show what happens when data are missing."""


def prove(pack: Pack, folders: Mapping[str, Path]) -> None:
    """Hold the cases of every rule against what they must show.

    Args:
        pack: the merged packs.
        folders: of each pack, for the error's sentence.

    Raises:
        PackError: names file, rule or case, and what was expected.
    """
    settings = defaults(pack)
    for rule_id, rule in pack.rules.items():
        file = folders[pack.owners[rule_id]] / "cases" / f"{rule_id}.toml"
        seen: set[Sort] = set()
        checks = [rule.model_copy(update={"check": (check,)}) for check in rule.check]
        for case in pack.cases[rule_id]:
            laid = lay(pack, rule_id, case)
            judgement = laid.judge(rule)
            problem = problem_of(case, judgement)
            if problem:
                raise PackError(f"{file}: case '{case.name}': {problem}")
            shown = set(_shown(rule, checks, laid))
            _check_claim(case, shown, judgement.state, file)
            seen |= shown
        absent = [sort for sort in needed(pack, rule, settings) if sort not in seen]
        if absent:
            raise PackError(f"{file}: rule {rule_id} has no case of kind {', '.join(map(str, absent))}; expected: "
                            f"{_EXPECTED[absent[0].kind]}")  # fmt: skip


def needed(pack: Pack, rule: Rule, settings: Mapping[str, Setting]) -> Iterator[Sort]:
    """Give every sort that the cases of a rule must show."""
    keys = {f"check.{index}": check for index, check in enumerate(rule.check)}
    spare = all(_has_room(check, settings) for check in rule.check)
    yield Sort(CaseKind.PASS, "" if spare else "at the limit")
    yield from (Sort(CaseKind.FAIL, key) for key in keys)
    yield from (Sort(CaseKind.AT_LIMIT, key) for key, check in keys.items() if not isinstance(check, OneOf))
    yield from (Sort(CaseKind.NO_DATA, key) for key in keys)
    for key, check in keys.items():
        facts = rule.model_copy(update={"check": (check,)}).facts()
        if any(FACTS[fact].freshness_s is not None for fact in facts) and not isinstance(check, Share):
            yield Sort(CaseKind.STALE, key)
    yield Sort(CaseKind.WAIVED)  # the district may lift any rule: `deciding.waive` refuses none
    yield from (Sort(CaseKind.NOT_APPLICABLE, reason.value) for reason in _exceptions(pack, rule))


def _exceptions(pack: Pack, rule: Rule) -> Iterator[Reason]:
    """Give the reasons for which a rule may not apply."""
    if rule.subject.levels:
        yield Reason.NOT_THIS_LEVEL
    if rule.subject.states:
        yield Reason.IN_REPAIR
    if rule.subject.needs_agent:
        yield Reason.NO_AGENT
    if all(isinstance(check, Threshold) and check.demanded_by for check in rule.check):
        yield Reason.NOT_DEMANDED
    if all(isinstance(check, Share) and _all_may_be_exempt(pack, rule, check) for check in rule.check):
        yield Reason.NO_MEMBER_APPLIES


_BELOW: Mapping[str, SubjectKind] = {
    "devices": SubjectKind.DEVICE, "rooms": SubjectKind.ROOM, "schools": SubjectKind.SCHOOL,
}  # fmt: skip


def _all_may_be_exempt(pack: Pack, rule: Rule, share: Share) -> bool:
    """Tell whether none of the rules that a share reads may apply to a member, or have anything in it to judge."""
    read = [pack.rules[name] for name in share.rules]
    return bool(read) and all(
        one.subject.kind is not _BELOW[share.members] or next(_exceptions(pack, one), None) is not None for one in read
    )


def _has_room(check: Check, settings: Mapping[str, Setting]) -> bool:
    """Tell whether anything can be better than the limit of a check."""

    def value(bound: Bound) -> float:
        return settings[bound].value if isinstance(bound, str) else bound

    if isinstance(check, Threshold):
        low, high = possible(check.unit)
        bounds = [value(one) for one in (check.bound.values() if isinstance(check.bound, Mapping) else (check.bound,))]
        return all(one > low if check.operator == "at_most" else one < high for one in bounds)
    if isinstance(check, Share | Window):
        return value(check.at_least) < 1
    return value(check.at_most) > 0 if isinstance(check, Presence) else True


def _shown(rule: Rule, checks: Sequence[Rule], laid: Laid) -> Iterator[Sort]:
    """Give what a case shows, by what comes of it: as it stands, check by check, and with one thing a little worse."""
    whole = laid.judge(rule)
    if whole.state is State.NOT_APPLICABLE:
        yield Sort(CaseKind.NOT_APPLICABLE, whole.reason.value)
    elif whole.state is State.WAIVED:
        yield Sort(CaseKind.WAIVED)
    elif whole.state is State.PASS:
        tight = [index for index, check in enumerate(checks) if _is_tight(check, laid)]
        yield from (Sort(CaseKind.AT_LIMIT, f"check.{index}") for index in tight)
        yield Sort(CaseKind.PASS, "at the limit")
        if not tight:
            yield Sort(CaseKind.PASS)
    else:
        wrong = {
            f"check.{index}": outcome
            for index, outcome in enumerate(laid.judge(check) for check in checks)
            if outcome.state not in (State.PASS, State.NOT_APPLICABLE)
        }
        for key, outcome in wrong.items():
            if whole.state is State.FAIL and len(wrong) == 1:
                yield Sort(CaseKind.FAIL, key)
            elif whole.state is State.UNKNOWN and outcome.reason not in _TOO_LITTLE:
                yield Sort(CaseKind.STALE if outcome.reason is Reason.STALE else CaseKind.NO_DATA, key)


def _is_tight(check: Rule, laid: Laid) -> bool:
    """Tell whether the least step of one figure, or of one member, breaks a check; a list has no limit."""
    if isinstance(check.check[0], OneOf) or laid.judge(check).state is not State.PASS:
        return False
    return any(nudged.judge(check).state is not State.PASS for nudged in _nudged(laid))


def _nudged(laid: Laid) -> Iterator[Laid]:
    for name, fact in laid.facts.items():
        if isinstance(fact.value, int | float):
            for way in (-math.inf, math.inf):
                nudged = fact._replace(value=math.nextafter(fact.value, way))
                yield replace(laid, facts={**laid.facts, name: nudged})
    met: set[str] = set()
    for index, member in enumerate(laid.members):
        group = member.id.rpartition("-")[0]  # equal members: one is enough
        if group not in met:
            met.add(group)
            yield replace(laid, members=[*laid.members[:index], _failing(member), *laid.members[index + 1 :]])


def _failing(member: Member) -> Member:
    facts = {name: fact._replace(value=0) for name, fact in member.facts.items()}
    return replace(member, states={rule: [State.FAIL.value] for rule in member.states}, facts=facts)


def _check_claim(case: Case, shown: set[Sort], state: State, file: Path) -> None:
    """A case of a kind shows that kind; `other` claims nothing, and to fail by several checks is to fail as well."""
    claims_enough = case.kind is CaseKind.OTHER or (case.kind is CaseKind.FAIL and state is State.FAIL)
    if claims_enough or case.kind in {sort.kind for sort in shown}:
        return
    is_ = ", ".join(sorted(map(str, shown))) or f"one that comes out as {state}"
    raise PackError(f"{file}: case '{case.name}': key 'kind' is '{case.kind}', but it shows {is_}; expected: "
                    f"{_EXPECTED[case.kind]}")  # fmt: skip
