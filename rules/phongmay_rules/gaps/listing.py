"""The gap list: a standing and prices go in; what to buy for whom, what it mends, and what money cannot mend come out.

The list is checked before anybody sees it: the measures are applied to the facts and every rule is asked again. What
does not come out as promised stands in `broken`, which is empty unless this program is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from phongmay_rules.gaps.measures import with_measures
from phongmay_rules.gaps.obstacles import Obstacles, obstacles_above, obstacles_of
from phongmay_rules.gaps.options import Line, Option, Target
from phongmay_rules.gaps.prices import ItemKind, Prices
from phongmay_rules.gaps.problem import Problem, problem_of
from phongmay_rules.gaps.solving import LIMIT_S, Solution, SolverError, solve
from phongmay_rules.judging import Judgement
from phongmay_rules.model import Severity
from phongmay_rules.places import LinePlace
from phongmay_rules.standing import Judged, Standing
from phongmay_store.register.compliance import State, SubjectKind

_OWN_SHARE = 0.8
"""Of the time, for the list within a budget; the rest tells what money could mend at all."""


@dataclass(frozen=True)
class GapLine:
    """One line of the list.

    Attributes:
        room_id: "" = in no room, or for the school as a whole.
        device_id: "" = for the room or school.
        count: pieces in all.
        mends: rules that the whole option turns green, sorted.
        replaces: lines that a faster one takes the place of, as the register knows them.
    """

    school_id: str
    room_id: str
    device_id: str
    line: Line
    count: int
    mends: tuple[str, ...]
    replaces: tuple[LinePlace, ...] = ()

    @property
    def cost(self) -> int:
        """Whole VND."""
        return self.count * self.line.item.price_vnd


@dataclass(frozen=True)
class SchoolGap:
    """How one school stands before and after.

    Attributes:
        red: failing verdicts.
        green: of these, mended by the list, and passing when judged again.
        no_measure: of these, what nothing in the price file mends (without a budget), or is not paid for.
        paperwork: failing verdicts that only a declaration mends; in none of the counts above.
        obstacles: why each verdict of `no_measure` and `paperwork` stays red; never empty for one.
        unknown: must be measured first; nothing was priced for it.
        is_complete: nothing fails afterwards (of what was asked for).
    """

    school_id: str
    red: int
    green: int
    no_measure: tuple[Target, ...]
    paperwork: tuple[Target, ...]
    obstacles: Obstacles
    unknown: Mapping[Target, Judgement]
    errors: tuple[Target, ...]
    cost: int
    is_complete: bool


@dataclass(frozen=True)
class GapList:
    """The whole list.

    Attributes:
        before: judgements by unit.
        after: the same as expected with all measures.
        above: red verdicts on units above schools that stay red (or become unknown), and why.
        undecided: mended aggregates that are still unknown, because some of their members are.
        broken: promised and not kept, or worse than before; empty unless the program is wrong.
        is_proven: no better choice exists; False = the time ran out first, and this is the best that was found.
    """

    standing: Standing
    prices: Prices
    budget: int | None
    lines: tuple[GapLine, ...]
    schools: tuple[SchoolGap, ...]
    before: Mapping[str, Judged]
    after: Mapping[str, Judged]
    above: Obstacles
    undecided: tuple[Target, ...]
    broken: tuple[Target, ...]
    is_proven: bool = True

    @property
    def cost(self) -> int:
        """Sum in whole VND."""
        return sum(line.cost for line in self.lines)


def make_gap_list(
    standing: Standing,
    prices: Prices,
    *,
    budget: int | None = None,
    only: frozenset[str] = frozenset(),
    limit_s: float = LIMIT_S,
) -> GapList:
    """Make the list.

    Args:
        standing: how everything stands.
        prices: what there is to buy.
        budget: whole VND; None = the cheapest set that mends all that can be mended.
        only: rules that matter (empty = all but recommendations, whose severity is "info").
        limit_s: seconds that the solver may take in all; when they run out, the list is the best that was found and
            says that it is not proven.

    Raises:
        SolverError: nothing was found in time, or there is no solver.
    """
    wanted = only or frozenset(rule.id for rule in standing.rules if rule.severity is not Severity.INFO)
    before = standing.judge()
    problems = [
        problem_of(standing, school, before[school.id], prices, wanted)
        for school in standing.schools.values()
        if school.id not in standing.never_judged
    ]
    solution, best = _solve(problems, budget, limit_s)
    after = with_measures(standing, solution.chosen).judge()
    undecided, broken = _check(solution, before, after)
    lines = tuple(_lines(standing, problems, solution))
    schools = tuple(
        _school(
            problem, solution, lines, {*undecided, *broken},
            obstacles_of(
                standing, problem, before[problem.school.id], prices, wanted=wanted, green=solution.green,
                mendable=best.green, is_proven=solution.is_proven and best.is_proven,
            ),
        )
        for problem in problems
    )  # fmt: skip
    above = {
        target: why
        for unit in standing.units
        for target, why in obstacles_above(before[unit], after[unit], standing.rules, wanted).items()
    }
    return GapList(
        standing, prices, budget, lines, schools, before, after, above, undecided, broken, solution.is_proven
    )


def _solve(problems: Sequence[Problem], budget: int | None, limit_s: float) -> tuple[Solution, Solution]:
    """Give what to buy, and what would be bought without a budget; the list that was asked for has the time first."""
    if budget is None:
        solution = solve(problems, None, limit_s)
        return solution, solution
    deadline = time.monotonic() + limit_s
    solution = solve(problems, budget, limit_s * _OWN_SHARE)
    try:
        return solution, solve(problems, None, max(0.0, deadline - time.monotonic()))
    except SolverError:  # it only tells why something stays red
        return solution, replace(solution, is_proven=False)


def _check(
    solution: Solution, before: Mapping[str, Judged], after: Mapping[str, Judged]
) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """Compare what the list promises with what the rules say."""
    then = {key: found.state for judged in after.values() for key, found in judged.items()}
    undecided, broken = [], []
    for target in sorted(solution.green):
        if then[target] is State.UNKNOWN and target[0] != SubjectKind.DEVICE:
            undecided.append(target)
        elif then[target] is not State.PASS:
            broken.append(target)
    for judged in before.values():
        broken += [key for key, found in judged.items() if found.state is State.PASS and then[key] is State.FAIL]
    return tuple(undecided), tuple(broken)


def _lines(standing: Standing, problems: Sequence[Problem], solution: Solution) -> Iterator[GapLine]:
    rooms = {room.id: school.id for school in standing.schools.values() for room in school.rooms}
    devices = {device.id: device for school in standing.schools.values() for device in school.devices}
    for option, times in solution.chosen:
        kind, subject = option.subject
        mends = tuple(sorted({target[2] for target in option.fixes if target in solution.green}))
        mends = mends or _counted(problems, option, solution)
        for line in option.lines:
            school, room, device = subject, "", ""
            if kind == SubjectKind.DEVICE:
                school, room, device = devices[subject].unit_id, devices[subject].room_id or "", subject
            elif kind == SubjectKind.ROOM:
                school, room = rooms[subject], subject
            replaces = tuple(standing.schools[school].lines) if line.item.kind is ItemKind.LINE else ()
            yield GapLine(school, room, device, line, line.count * times, mends, replaces)


def _counted(problems: Sequence[Problem], option: Option, solution: Solution) -> tuple[str, ...]:
    """Give the aggregates for which something was bought that mends no verdict by itself."""
    return tuple(
        sorted(
            {
                count.target[2]
                for problem in problems
                for count in problem.counts
                if count.target in solution.green
                and (option.adds_to in count.rooms or any(option.fixes.intersection(m) for m in count.members))
            }
        )
    )


def _school(
    problem: Problem, solution: Solution, lines: Sequence[GapLine], unkept: Collection[Target], obstacles: Obstacles
) -> SchoolGap:
    left = tuple(target for target in problem.targets if target not in solution.green)
    cost = sum(line.cost for line in lines if line.school_id == problem.school.id)
    return SchoolGap(
        problem.school.id,
        len(problem.targets),
        sum(target in solution.green and target not in unkept for target in problem.targets),
        left,
        problem.paperwork,
        obstacles,
        problem.unknown,
        problem.errors,
        cost,
        problem.school.id in solution.complete,
    )
