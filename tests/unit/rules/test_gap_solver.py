"""The solver is right: on small problems every choice there is was tried, and none is better."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest

from phongmay_rules.gaps.options import Line, Option, Target
from phongmay_rules.gaps.prices import Item, ItemKind
from phongmay_rules.gaps.problem import Count, Problem
from phongmay_rules.gaps.solving import solve
from phongmay_rules.model import Text
from phongmay_rules.places import SchoolPlace

NAME = Text(vi="x", en="x")


def option(cost: int, subject: tuple[str, str], fixes: set[Target], at_most: int = 1, adds_to: str = "") -> Option:
    """Make an option of a price."""
    item = Item(id="x", kind=ItemKind.WORK, price_vnd=cost, name=NAME, sets={"heard": 1})
    return Option(subject, (Line(item, 1),), frozenset(fixes), {}, at_most, adds_to)


def problem(chance: random.Random, school: str) -> Problem:
    """Make a small school: devices with faults, a switch, a room that wants PCs, perhaps what cannot be mended."""
    options: list[Option] = []
    targets: list[Target] = []
    for number in range(3):
        device = f"{school}-{number}"
        mine: list[Target] = [("device", device, rule) for rule in ("A", "B") if chance.random() < 0.7]
        targets += mine
        for size in range(1, len(mine) + 1):
            for fixes in itertools.combinations(mine, size):
                if chance.random() < 0.8:
                    options.append(option(chance.randint(1, 9) * 1000, ("device", device), set(fixes)))
    slow = {target for target in targets if target[2] == "B"}
    if slow:
        options.append(option(chance.randint(3, 15) * 1000, ("room", school), slow))
    room: Target = ("room", school, "R")
    options.append(option(chance.randint(5, 12) * 1000, ("room", school), set(), 2, school))
    members = tuple(
        tuple(t for t in targets if t[1] == device)
        for device in dict.fromkeys(t[1] for t in targets)
        if chance.random() < 0.8
    )
    count = Count(room, chance.choice([0.5, 1, 2, 3]), members, frozenset({school}), chance.choice([1.0, 0.25]))
    return Problem(SchoolPlace(school, school, ""), (*targets, room), {}, (), tuple(options), (count,))


def choices(problems: list[Problem]) -> Iterator[list[int]]:
    """Give every allowed choice: at most one package a device, and no option more often than it may be."""
    options = [found for each in problems for found in each.options]
    for times in itertools.product(*(range(found.at_most + 1) for found in options)):
        devices = [found.subject for found, n in zip(options, times, strict=True) if n and found.subject[0] == "device"]
        if len(devices) == len(set(devices)):
            yield list(times)


def outcome(problems: list[Problem], times: list[int]) -> tuple[int, int, int]:
    """Give complete schools, green verdicts and cost of a choice, by the definition and without a solver."""
    options = [found for each in problems for found in each.options]
    taken = [(found, n) for found, n in zip(options, times, strict=True) if n]
    fixed = {target for found, _ in taken for target in found.fixes}
    complete = green = 0
    for each in problems:
        mended = {target for target in each.targets if target in fixed}
        for count in each.counts:
            whole = sum(all(target in fixed for target in member) for member in count.members)
            new = sum(n for found, n in taken if found.adds_to in count.rooms)
            if whole + new * count.each_new >= count.missing - 1e-9:
                mended.add(count.target)
        green += len(mended)
        complete += len(mended) == len(each.targets)
    return complete, green, sum(found.cost * n for found, n in taken)


@pytest.mark.parametrize("seed", range(40))
def test_no_choice_is_better_without_a_budget(seed: int) -> None:
    """Most verdicts green, then least money: the same as the best of all choices."""
    one = problem(random.Random(seed), "s")
    best = max((outcome([one], times)[1:] for times in choices([one])), key=lambda found: (found[0], -found[1]))
    found = solve([one])
    assert (len(found.green), found.cost) == best


@pytest.mark.parametrize("seed", range(30))
def test_no_choice_is_better_within_a_budget(seed: int) -> None:
    """Most complete schools, then most green verdicts, then least money: the best of all that can be paid."""
    chance = random.Random(1000 + seed)
    problems = [_small(problem(chance, name), chance) for name in ("s", "t")]
    budget = chance.randint(0, 30) * 1000
    affordable = (found for times in choices(problems) if (found := outcome(problems, times))[2] <= budget)
    best = max(affordable, key=lambda found: (found[0], found[1], -found[2]))
    found = solve(problems, budget)
    assert (len(found.complete), len(found.green), found.cost) == best


def _small(whole: Problem, chance: random.Random) -> Problem:
    """Leave at most six options, so that all choices of two schools can be tried."""
    options = tuple(chance.sample(whole.options, min(6, len(whole.options))))
    return Problem(whole.school, whole.targets, {}, (), options, whole.counts)


def test_more_money_never_does_less() -> None:
    """With a larger budget at least as many schools are complete, and with the same number as many verdicts green."""
    chance = random.Random(7)
    problems = [problem(chance, f"s{number}") for number in range(4)]
    results = [solve(problems, budget) for budget in range(0, 90_001, 6000)]
    reached = [(len(found.complete), len(found.green)) for found in results]
    assert reached == sorted(reached)
    assert all(found.cost <= budget for found, budget in zip(results, range(0, 90_001, 6000), strict=True))
    assert len(results[-1].green) == len(solve(problems).green)
    assert results[-1].cost == solve(problems).cost


def test_rooms_that_a_school_counts_are_mended_by_what_mends_the_rooms() -> None:
    """A school's count of good rooms turns green when a room does, and a room when its PC does."""
    device: Target = ("device", "d", "A")
    room: Target = ("room", "r", "R")
    school: Target = ("school", "s", "S")
    counts = (
        Count(school, 1, ((room,),), frozenset(), 1.0),
        Count(room, 1, ((device,),), frozenset({"r"}), 1.0),
    )
    options = (option(5000, ("device", "d"), {device}), option(9000, ("room", "r"), set(), 1, "r"))
    for targets, cost in (((device, room, school), 5000), ((school,), 5000)):
        found = solve([Problem(SchoolPlace("s", "s", ""), targets, {}, (), options, counts)])
        assert (found.green, found.cost) == (set(targets), cost)


def test_nothing_to_do() -> None:
    """No school, or a school without a fault: nothing chosen, nothing paid, complete."""
    fine = Problem(SchoolPlace("s", "s", ""), (), {}, (), (), ())
    assert solve([], 5).chosen == solve([]).chosen == ()
    for found in (solve([fine]), solve([fine], 0)):
        assert (found.chosen, found.cost, found.complete) == ((), 0, {"s"})
