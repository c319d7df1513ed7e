"""Laws of judging, over every rule of every shipped pack: hypothesis takes a case of the rule and changes it at will.

A case of the pack is the beginning, so every rule is met as pass, fail, at its limit and without data; figures and
members are then drawn anew, at and around every limit that the rule has.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from phongmay_rules.cases import LINEAGE, Laid, lay
from phongmay_rules.checks.outcome import Member
from phongmay_rules.consistency import possible
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.facts.records import FactValue
from phongmay_rules.judging import Judgement
from phongmay_rules.loader import load_packs, shipped_packs
from phongmay_rules.model import Count, OneOf, PerHead, Presence, Rule, Share, Threshold, Window
from phongmay_rules.reasons import Reason
from phongmay_rules.waiving import InForce
from phongmay_store.register.compliance import State
from phongmay_store.register.device import DeviceState

PACK = load_packs(shipped_packs())
RULES = sorted(PACK.rules)
AGGREGATES = [name for name in RULES if PACK.rules[name].counts()]
OF_RULES = [name for name in RULES if PACK.rules[name].reads_rules()]
RANK = {State.FAIL: 0, State.UNKNOWN: 1, State.PASS: 2}
MEMBER_STATES = [state.value for state in State]
DECIDED = (State.PASS, State.FAIL, State.UNKNOWN)
every_rule = pytest.mark.parametrize("name", RULES)
examples = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.filter_too_much]
)


def better(rule: Rule) -> Mapping[str, int]:
    """Give for each fact of a rule which way is better, by the operator of the check: +1 or -1; 0 = a list decides."""
    ways: dict[str, set[int]] = {}
    for check in rule.check:
        if isinstance(check, Threshold):
            ways.setdefault(check.fact, set()).add(-1 if check.operator == "at_most" else 1)
        elif isinstance(check, Window):
            ways.setdefault(check.fact, set()).add(1)
        elif isinstance(check, Presence):
            ways.setdefault(check.silent, set()).add(-1)
            ways.setdefault(check.heard, set()).add(1)
        elif isinstance(check, PerHead):
            ways.setdefault(check.heads, set()).add(-1)
        elif isinstance(check, OneOf):
            ways.setdefault(check.fact, set()).add(0)
    assert all(len(way) == 1 for way in ways.values()), "two checks of the rule pull a fact both ways"
    return {name: way.pop() for name, way in ways.items()}


def own_facts(rule: Rule) -> list[str]:
    """Give the facts about the subject itself that a rule reads by the packs' own parameters."""
    of_members = {check.fact for check in rule.check if isinstance(check, Share)}
    not_demanded = {
        check.fact
        for check in rule.check
        if isinstance(check, Threshold) and check.demanded_by and not PACK.standard.parameters[check.demanded_by].value
    }
    return sorted(rule.facts() - of_members - not_demanded)


def limits(rule: Rule) -> Iterator[float]:
    """Give every number that a rule compares with, whatever with."""
    for check in rule.check:
        for value in check.model_dump().values():
            for one in value.values() if isinstance(value, Mapping) else (value,):
                if isinstance(one, str) and one in PACK.standard.parameters:
                    yield PACK.standard.parameters[one].value
                elif isinstance(one, int | float):
                    yield one


@st.composite
def laid(draw: st.DrawFn, name: str) -> Laid:
    """Give a case of a rule, some of its figures and members drawn anew."""
    rule = PACK.rules[name]
    cases = [case for case in PACK.cases[name] if case.waiver is None and not case.parameters]
    found = lay(PACK, name, draw(st.sampled_from(cases)))
    facts = dict(found.facts)
    for fact in draw(st.lists(st.sampled_from(own_facts(rule)), unique=True)) if own_facts(rule) else []:
        low, high = possible(FACTS[fact].unit)
        near = [math.nextafter(one, way) for one in limits(rule) for way in (-math.inf, math.inf)]
        around = [one for one in (*limits(rule), *near, low, low + 1, high) if low <= one <= min(high, 1e15)]
        value = draw(st.sampled_from(around) | st.floats(max(low, -1e4), min(high, 1e12)))
        facts[fact] = FactValue(0, fact, value, "", 1_700_000_000.0)
    members = list(found.members)
    for index in draw(st.lists(st.integers(0, len(members) - 1), max_size=6)) if members else []:
        members[index] = draw(drawn_member(rule, members[index]))
    return replace(found, facts=facts, members=members)


@st.composite
def drawn_member(draw: st.DrawFn, rule: Rule, member: Member) -> Member:
    """Give a member with other states, facts, and perhaps in repair or without an agent."""
    states = {read: [draw(st.sampled_from(MEMBER_STATES))] for read in rule.reads_rules()}
    facts = {
        fact: found._replace(value=draw(st.sampled_from([0, 1])), missing=draw(st.sampled_from(["", "no_data"])))
        for fact, found in member.facts.items()
    }
    state = draw(st.sampled_from(list(DeviceState)))
    return replace(member, states=states, facts=facts, state=state.value, has_agent=draw(st.booleans()))


def judged(found: Laid, name: str) -> Judgement:
    """Judge by a rule."""
    return found.judge(PACK.rules[name])


def put(found: Laid, index: int, member: Member) -> Laid:
    """Put another member in the place of one."""
    members = list(found.members)
    members[index] = member
    return replace(found, members=members)


def with_states(member: Member, state: State) -> Member:
    """Give the member with one state of all its rules, and its yes/no facts to match."""
    facts = {
        name: fact._replace(value=int(state is State.PASS), missing="no_data" if state is State.UNKNOWN else "")
        for name, fact in member.facts.items()
    }
    return replace(member, states={rule: [state.value] for rule in member.states}, facts=facts)


def index_of(draw: Any, found: Laid) -> int:
    """Draw a member."""
    assume(found.members)
    return int(draw(st.integers(0, len(found.members) - 1)))


def test_every_rule_is_tried() -> None:
    """None is left out, and each begins from passing, failing and unknown cases."""
    assert len(RULES) == len(PACK.rules) >= 54
    for name in RULES:
        assert {State.PASS, State.FAIL, State.UNKNOWN} <= {case.expect for case in PACK.cases[name]}
        assert better(PACK.rules[name]) or name in AGGREGATES


@every_rule
@examples
@given(st.data())
def test_better_is_never_judged_worse(name: str, data: st.DataObject) -> None:
    """One figure better, or one member met instead of not, never lowers a verdict: fail, unknown, pass."""
    rule, before = PACK.rules[name], data.draw(laid(name))
    numbers = [fact for fact, way in better(rule).items() if way and _number(before.facts.get(fact)) is not None]
    assume(numbers or before.members)
    if numbers and (not before.members or data.draw(st.booleans())):
        fact = data.draw(st.sampled_from(numbers))
        value, way = _number(before.facts[fact]), better(rule)[fact]
        assert value is not None
        low, high = possible(FACTS[fact].unit)
        least = math.nextafter(value, way * math.inf)
        far = data.draw(st.sampled_from([least, value + way, value + way * abs(value), high if way > 0 else low]))
        assume(low <= far <= high)
        after = replace(before, facts={**before.facts, fact: before.facts[fact]._replace(value=far)})
    else:
        index = index_of(data.draw, before)
        member = before.members[index]
        after = put(before, index, replace(with_states(member, State.PASS), state="in_service", has_agent=True))
        if any(isinstance(check, Share) and (check.states or check.with_agent) for check in rule.check):
            after = put(before, index, with_states(member, State.PASS))  # or it would join those that count
    old, new = judged(before, name).state, judged(after, name).state
    assume(old in RANK and new in RANK)
    assert RANK[new] >= RANK[old]


def _number(fact: FactValue | None) -> float | None:
    if fact is None or fact.missing or not isinstance(fact.value, int | float):
        return None
    return fact.value


def _stands_in(rule: Rule, fact: str, found: Laid) -> float | None:
    """Give the figure of a law that takes the place of a head count that was not declared."""
    for check in rule.check:
        if isinstance(check, PerHead) and check.heads == fact:
            caps = {level.value: cap for level, cap in check.heads_by_level.items()}
            if found.subject.level in caps:
                return PACK.standard.parameters[caps[found.subject.level]].value
    return None


@pytest.mark.parametrize("name", [name for name in RULES if own_facts(PACK.rules[name])])
@examples
@given(st.data())
def test_missing_data_never_pass(name: str, data: st.DataObject) -> None:
    """Take a fact away, its value or its freshness: nothing passes, and nothing that did not pass gets better by it.

    One exception, written into the rule: for a class size that was not declared the cap of the law stands in, which
    is never less than a lawful class.
    """
    rule, before = PACK.rules[name], data.draw(laid(name))
    fact = data.draw(st.sampled_from(own_facts(rule)))
    cap = _stands_in(rule, fact, before)
    lost = {key: value for key, value in before.facts.items() if key != fact}
    ways: list[Mapping[str, FactValue]] = [lost]
    row = before.facts.get(fact)
    if row is not None:
        reason = data.draw(st.sampled_from([Reason.NO_DATA, Reason.NOT_DECLARED, Reason.IDENTITY_CONFLICT]))
        ways.append(lost | {fact: row._replace(value=None, missing=reason.value)})
        ways.append(lost | {fact: row._replace(missing=reason.value)})
        ways.append(lost | {fact: row._replace(value=None)})
        ways.append(lost | {fact: row._replace(value="a word")})
        if FACTS[fact].freshness_s is not None:
            ways.append(lost | {fact: row._replace(at=1_700_000_000.0 - (FACTS[fact].freshness_s or 0) - 1)})
    old = judged(before, name)
    for facts in ways:
        new = judged(replace(before, facts=facts), name)
        if cap is None:
            assert new.state is not State.PASS or (facts[fact].value == "a word" and _is_one_of(rule, fact))
        else:
            heads = _number(row)
            assert new.state is not State.PASS or old.state is State.PASS or heads is None or heads > cap


def _is_one_of(rule: Rule, fact: str) -> bool:
    return any(isinstance(check, OneOf) and check.fact == fact and "a word" in check.values for check in rule.check)


@pytest.mark.parametrize("name", AGGREGATES)
@examples
@given(st.data())
def test_what_is_not_known_of_a_member_never_helps(name: str, data: st.DataObject) -> None:
    """A member whose verdict passed and is not known any more, or was never judged, never makes a verdict better."""
    before = data.draw(laid(name))
    index = index_of(data.draw, before)
    member = before.members[index]
    met = put(before, index, with_states(member, State.PASS))
    for unknown in (with_states(member, State.UNKNOWN), replace(member, states={}, facts={})):
        old, new = judged(met, name), judged(put(before, index, unknown), name)
        if old.state in RANK and new.state in RANK:
            assert RANK[new.state] <= RANK[old.state]
        assert new.measured.get("met", new.measured.get("value", 0)) <= old.measured.get(
            "met", old.measured.get("value", 0)
        )


@every_rule
@examples
@given(st.data(), st.integers(0, 2**32))
def test_order_and_doubles_change_nothing(name: str, data: st.DataObject, seed: int) -> None:
    """Facts and members in any order, members twice: the identical judgement, to the last piece of evidence."""
    before = data.draw(laid(name))
    members, facts = list(before.members), list(before.facts.items())
    chance = random.Random(seed)
    members += chance.sample(members, min(len(members), 3))
    chance.shuffle(members)
    chance.shuffle(facts)
    assert judged(replace(before, members=members, facts=dict(facts)), name) == judged(before, name)


@every_rule
@examples
@given(st.data())
def test_what_a_rule_does_not_read_changes_nothing(name: str, data: st.DataObject) -> None:
    """Other facts about the subject, and members of other kinds, leave the judgement as it is."""
    rule, before = PACK.rules[name], data.draw(laid(name))
    other = data.draw(st.sampled_from(sorted(FACTS.keys() - rule.facts())))
    facts = {**before.facts, other: FactValue(0, other, data.draw(st.floats(-1e9, 1e9)), "", 0.0)}
    alien = Member("device", "alien", "printer", states={read: ["fail"] for read in rule.reads_rules()})
    all_kinds = any(isinstance(check, Share) and not check.of for check in rule.check)
    members = [*before.members, *([] if all_kinds else [alien])]
    assert judged(replace(before, facts=facts, members=members), name) == judged(before, name)


@pytest.mark.parametrize("name", AGGREGATES)
@examples
@given(st.data())
def test_counts_sum_to_the_members(name: str, data: st.DataObject) -> None:
    """Every member that counts has one state; those that apply are the denominator; shares sum to one."""
    found = data.draw(laid(name))
    judgement = judged(found, name)
    assume(judgement.state in DECIDED)
    check, measured = PACK.rules[name].check[0], judgement.measured
    states = measured["states"]
    assert sum(states.values()) == sum("subject_id" in item for item in judgement.evidence)
    assert measured["total"] == sum(states.values()) - states.get("not_applicable", 0)
    met = measured["value"] if isinstance(check, Count | PerHead) else measured["met"]
    assert met == states.get("pass", 0)
    missed = states.get("fail", 0) + states.get("waived", 0)
    assert met + measured["perhaps"] + missed == measured["total"]
    if isinstance(check, Share) and measured["total"]:
        assert measured["value"] == met / measured["total"]
        shares = [measured["value"], measured["perhaps"] / measured["total"], missed / measured["total"]]
        assert math.isclose(sum(shares), 1, abs_tol=1e-12)


@pytest.mark.parametrize("name", OF_RULES)
@examples
@given(st.data())
def test_waived_counts_as_not_met(name: str, data: st.DataObject) -> None:
    """A member whose verdict is waived counts exactly like one that fails, never like one that passes."""
    before = data.draw(laid(name))
    index = index_of(data.draw, before)
    member = before.members[index]
    waived = judged(put(before, index, with_states(member, State.WAIVED)), name)
    failed = judged(put(before, index, with_states(member, State.FAIL)), name)
    assert (waived.state, waived.reason) == (failed.state, failed.reason)
    keys = ("value", "met", "perhaps", "total")
    assert [waived.measured.get(key) for key in keys] == [failed.measured.get(key) for key in keys]


@every_rule
@examples
@given(st.data())
def test_a_waiver_excuses_a_failure_and_nothing_else(name: str, data: st.DataObject) -> None:
    """On the subject or anything above it: fail becomes waived and keeps what it was; all other states stay."""
    before = data.draw(laid(name))
    on = data.draw(st.sampled_from(LINEAGE[PACK.rules[name].subject.kind]))
    rule = data.draw(st.sampled_from([name, next(other for other in RULES if other != name)]))
    waiver = InForce(1, "officer", "why", "2099-01-01")
    old, new = judged(before, name), judged(replace(before, waivers={(rule, on.value): waiver}), name)
    if old.state is State.FAIL and rule == name:
        assert (new.state, new.reason) == (State.WAIVED, Reason.WAIVED)
        assert new.evidence[:-1] == old.evidence
        assert (new.evidence[-1]["state"], new.evidence[-1]["reason"]) == ("fail", old.reason.value)
    else:
        assert new == old
