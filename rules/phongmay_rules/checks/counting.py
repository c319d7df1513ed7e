"""How aggregates count members: what is certain and what is not are kept apart, so that bounds decide.

A member's state under some rules is the worst of its verdicts: fail before unknown before pass. Not applicable leaves
the count. Waived, manual and error never count as met: a waiver excuses, it does not equip a room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phongmay_rules.checks.outcome import Context, Member
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.facts.records import FactValue, digest
from phongmay_store.register.compliance import State, SubjectKind
from phongmay_store.register.device import DeviceState

_WORST_FIRST = (State.FAIL, State.WAIVED, State.ERROR, State.MANUAL, State.UNKNOWN, State.PASS)
_RANK: Mapping[str, int] = {state: rank for rank, state in enumerate(_WORST_FIRST)}
_NOWHERE = len(_WORST_FIRST)
_CERTAINLY_NOT = (State.FAIL, State.WAIVED)
ROUNDING = 1e-9
"""0.95 * 100 must need 95 members, not 96 because of the last binary digit."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Members that surely meet something, and those of which it is not known.

    Attributes:
        total: members that count (not applicable ones do not).
    """

    surely: int
    perhaps: int
    total: int

    @property
    def at_most(self) -> int:
        """How many meet it if everything that is not known turns out well."""
        return self.surely + self.perhaps


def worst(states: Iterable[str]) -> State:
    """Give the worst of some states; not_applicable when nothing applies."""
    present = set(states)
    for state in _WORST_FIRST:
        if state in present:
            return state
    return State.NOT_APPLICABLE


def under_rules(member: Member, rules: Iterable[str]) -> State:
    """Give a member's state under some rules."""
    found = _NOWHERE
    for rule in rules:
        for state in of_rule(member, rule):
            if (rank := _RANK.get(state, _NOWHERE)) < found:
                found = rank
    return State.NOT_APPLICABLE if found == _NOWHERE else _WORST_FIRST[found]


def of_rule(member: Member, rule: str) -> Sequence[str]:
    """Give the states of one rule on a member: unknown when it was not judged, none when nothing was there to judge."""
    return member.states.get(rule, (State.UNKNOWN,))


def fresh(fact: FactValue | None, context: Context) -> FactValue | None:
    """Give a fact of a member unless it is too old."""
    freshness_s = FACTS[fact.name].freshness_s if fact is not None else None
    return None if fact is None or (freshness_s is not None and context.is_stale(fact.at, freshness_s)) else fact


def by_fact(fact: FactValue | None) -> State:
    """Give a member's state by a yes/no fact."""
    if fact is None or fact.missing or fact.value is None:
        return State.UNKNOWN
    return State.PASS if fact.value else State.FAIL


def bounds(states: Iterable[State]) -> Bounds:
    """Count."""
    counted = [state for state in states if state is not State.NOT_APPLICABLE]
    surely = sum(state is State.PASS for state in counted)
    certainly_not = sum(state in _CERTAINLY_NOT for state in counted)
    return Bounds(surely, len(counted) - surely - certainly_not, len(counted))


_KINDS = {"devices": SubjectKind.DEVICE, "rooms": SubjectKind.ROOM, "schools": SubjectKind.SCHOOL}


def selected(
    members: Iterable[Member], what: str, of: tuple[str, ...], states: tuple[DeviceState, ...] = ()
) -> list[Member]:
    """Give the members that count, in a fixed order, each once.

    Args:
        members: of the subject.
        what: "devices", "rooms" or "schools".
        of: kinds of device or room (empty = all).
        states: states of devices (empty = all).
    """
    chosen = {
        member.id: member
        for member in members
        if member.kind == _KINDS[what] and (not of or member.sort in of) and (not states or member.state in states)
    }
    return [chosen[name] for name in sorted(chosen)]


def evidence(member: Member, state: State, rules: tuple[str, ...]) -> dict[str, Any]:
    """Give the evidence item of one member; for a state other than pass, which rules are to blame."""
    item: dict[str, Any] = {"subject_kind": member.kind, "subject_id": member.id, "state": state}
    if state is not State.PASS:
        blame = [rule for rule in rules if worst(of_rule(member, rule)) is state]
        if blame:
            item["rules"] = blame
    return item


def quoted(name: str, members: Iterable[Member]) -> tuple[dict[str, Any], ...]:
    """Give the evidence item for facts of members that an aggregate read itself: their rows, and a digest over them."""
    facts = [fact for member in members if (fact := member.facts.get(name)) is not None]
    return ({"facts": name, "rows": [fact.id for fact in facts], "digest": digest(facts)},) if facts else ()


def counts(states: Mapping[str, State]) -> dict[str, int]:
    """Count states for the verdict's `measured`, only those that occur."""
    found = Counter(states.values())
    return {state.value: found[state] for state in sorted(found)}
