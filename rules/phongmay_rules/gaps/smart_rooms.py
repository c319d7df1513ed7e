"""One more smart classroom: the rules that count it and a price file go in, what to buy so that it passes comes out.

An organisation may demand components that the fitting-out of the price file does not bring (a camera, say): parts of
a room are then added, and where the file knows no price for one, nothing is offered and the missing fact is named.
Nothing can go wrong.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator

from phongmay_rules.gaps.options import MAX_PARTS, Bench, Line
from phongmay_rules.gaps.prices import Item, ItemKind, Prices
from phongmay_rules.judging import Subject
from phongmay_rules.model import Rule
from phongmay_store.register.compliance import State, SubjectKind
from phongmay_store.register.place import RoomKind


def fitting_out(bench: Bench, prices: Prices, school: Subject, rules: Collection[str]) -> tuple[Line, ...]:
    """Give the cheapest way to a smart classroom that passes these rules; () = the price file knows none.

    Args:
        bench: what judges.
        prices: what there is to buy.
        school: the school.
        rules: rules of a room by which it counts.
    """
    found = [
        chosen
        for chosen in _packages(bench, prices, rules)
        if all(found is State.PASS for found in _states(bench, school, rules, chosen).values())
    ]
    return tuple(Line(item, 1) for item in min(found, key=_cost, default=()))


def lacking(bench: Bench, prices: Prices, school: Subject, rules: Collection[str]) -> list[str]:
    """Give the facts that the rules demand of a smart classroom and the price file brings with nothing."""
    most = [*prices.of(ItemKind.SMART_ROOM)[:1], *_parts(bench, prices, rules)]
    facts = bench.after({}, {name: value for item in most for name, value in item.effects(bench.today).items()})
    subject = _subject(school)
    return sorted(
        {
            fact
            for rule in _rules(bench, rules)
            for check in rule.check
            if bench.judge_alone(rule, check, subject, facts).state in (State.FAIL, State.UNKNOWN)
            for fact in rule.model_copy(update={"check": (check,)}).facts()
        }
    )


def _rules(bench: Bench, rules: Collection[str]) -> list[Rule]:
    return [bench.rules[rule] for rule in sorted(rules) if rule in bench.rules]


def _subject(school: Subject) -> Subject:
    return Subject(SubjectKind.ROOM, "new", school.unit_id, RoomKind.SMART, school.level)


def _parts(bench: Bench, prices: Prices, rules: Collection[str]) -> list[Item]:
    read = {fact for rule in _rules(bench, rules) for fact in rule.facts()}
    return [item for item in prices.of(ItemKind.ROOM_PART) if read & item.sets.keys()]


def _packages(bench: Bench, prices: Prices, rules: Collection[str]) -> Iterator[tuple[Item, ...]]:
    """Give each fitting-out alone and with the parts that it does not bring itself."""
    parts = _parts(bench, prices, rules)
    for item in prices.of(ItemKind.SMART_ROOM):
        more = [part for part in parts if not part.sets.keys() <= item.sets.keys()]
        for size in range(min(len(more), MAX_PARTS) + 1):
            for chosen in itertools.combinations(more, size):
                yield (item, *chosen)


def _states(bench: Bench, school: Subject, rules: Collection[str], chosen: Collection[Item]) -> dict[str, State]:
    facts = bench.after({}, {name: value for item in chosen for name, value in item.effects(bench.today).items()})
    return {rule.id: bench.judge(rule.id, _subject(school), facts).state for rule in _rules(bench, rules)}


def _cost(items: Collection[Item]) -> int:
    return sum(item.price_vnd for item in items)
