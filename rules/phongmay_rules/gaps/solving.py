"""The optimisation: problems go in, how often each option is chosen comes out; HiGHS through scipy proves it optimal.

Lexicographic, each stage holding what the one before reached: 1. most schools without any failing verdict, 2. most
failing verdicts turned green, 3. least money. Without a budget that is the cheapest set of measures that turns green
whatever the price file can turn green. When the time runs out before the proof, the best that was found comes out,
marked as not proven. Without scipy, or when nothing was found in time, SolverError tells.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from phongmay_contract.errors import OperatorError
from phongmay_rules.gaps.options import Option, Target
from phongmay_rules.gaps.problem import Problem
from phongmay_store.register.compliance import SubjectKind

LIMIT_S = 120.0
"""Longest time in all."""
_LEAST_S = 0.05
"""For a stage of one school, however little is left."""
_STAGES = 3


class SolverError(OperatorError):
    """The optimisation could not be done."""


class SolverMissingError(SolverError):
    """The solver is not installed."""


@dataclass(frozen=True)
class Solution:
    """What to do.

    Attributes:
        chosen: options and how often, for all problems together.
        green: failing verdicts that turn green.
        complete: schools in which no verdict fails afterwards.
        cost: whole VND.
        is_proven: nothing better exists; False = the time ran out first.
    """

    chosen: tuple[tuple[Option, int], ...]
    green: frozenset[Target]
    complete: frozenset[str]
    cost: int
    is_proven: bool = True


def solve(problems: Sequence[Problem], budget: int | None = None, limit_s: float = LIMIT_S) -> Solution:
    """Choose.

    Args:
        problems: one a school.
        budget: whole VND; None = as much as it takes.
        limit_s: seconds that may be taken in all: half of what is left for each stage but the last, and for each
            school its part of what is left.

    Raises:
        SolverError: scipy is not installed, or nothing at all was found in time.
    """
    deadline = time.monotonic() + limit_s
    if budget is not None:
        return _Model(problems, budget, limit_s).solve()
    faulty = [problem for problem in problems if problem.targets]
    found = [
        _Model([problem], None, max(_LEAST_S, (deadline - time.monotonic()) / (len(faulty) - number))).solve()
        for number, problem in enumerate(faulty)
    ]  # schools share no money
    done = {problem.school.id for problem in problems if not problem.targets}
    return Solution(
        tuple(choice for solution in found for choice in solution.chosen),
        frozenset(target for solution in found for target in solution.green),
        frozenset(done.union(*(solution.complete for solution in found))),
        sum(solution.cost for solution in found),
        all(solution.is_proven for solution in found),
    )


class _Model:
    """Columns and rows of one mixed-integer program; every row reads: its terms sum up to at least its bound."""

    def __init__(self, problems: Sequence[Problem], budget: int | None, limit_s: float) -> None:
        self._problems, self._budget, self._deadline = problems, budget, time.monotonic() + limit_s
        self._stages_left, self._is_proven = _STAGES if budget is not None else _STAGES - 1, True
        self._best: list[int] | None = None
        self._upper: list[float] = []
        self._rows: list[tuple[dict[int, float], float]] = []
        self._options: list[tuple[int, Option]] = []
        self._targets: dict[Target, int] = {}
        self._schools: dict[str, int] = {}
        self._columns: list[list[int]] = []
        for problem in problems:
            self._add(problem)
        # Money counts in the largest unit that divides all prices: whole numbers near 1, which the solver's tolerance
        # of a millionth cannot mix up.
        self._unit = math.gcd(*(option.cost for _, option in self._options)) or 1
        if budget is not None:
            self._rows.append((self._price(), -float(budget // self._unit)))

    def _column(self, upper: float) -> int:
        self._upper.append(upper)
        return len(self._upper) - 1

    def _add(self, problem: Problem) -> None:
        columns = {number: self._column(option.at_most) for number, option in enumerate(problem.options)}
        self._columns.append(list(columns.values()))
        self._options += [(columns[number], option) for number, option in enumerate(problem.options)]
        by_device: dict[str, dict[int, float]] = {}
        new: dict[str, dict[int, float]] = {}
        for number, option in enumerate(problem.options):
            if option.subject[0] == SubjectKind.DEVICE:
                by_device.setdefault(option.subject[1], {})[columns[number]] = -1.0
            if option.adds_to:
                new.setdefault(option.adds_to, {})[columns[number]] = 1.0
        self._rows += [(terms, -1.0) for terms in by_device.values() if len(terms) > 1]
        green: dict[Target, int] = {}

        def turned(target: Target) -> int:
            """Give the column that is 1 only when an option turns the verdict green."""
            if target not in green:
                green[target] = self._column(1)
                terms = {columns[n]: 1.0 for n, option in enumerate(problem.options) if target in option.fixes}
                self._rows.append((terms | {green[target]: -1.0}, 0.0))
            return green[target]

        for target in {count.target: None for count in problem.counts}:
            green[target] = self._column(1)
        self._targets |= {target: turned(target) for target in problem.targets}
        for count in problem.counts:
            terms = {green[count.target]: -count.missing}
            for room in count.rooms:
                terms |= dict.fromkeys(new.get(room, {}), count.each_new)
            for member in count.members:
                whole = self._column(1)
                terms[whole] = 1.0
                self._rows += [({turned(target): 1.0, whole: -1.0}, 0.0) for target in member]
            self._rows.append((terms, 0.0))
        school = self._schools[problem.school.id] = self._column(1)
        self._rows += [({self._targets[target]: 1.0, school: -1.0}, 0.0) for target in problem.targets]

    def solve(self) -> Solution:
        """Go through the stages."""
        if self._budget is not None:
            self._hold(self._maximise(dict.fromkeys(self._schools.values(), 1.0)), self._schools.values())
        values = self._maximise(dict.fromkeys(self._targets.values(), 1.0))
        if not self._is_proven and not any(
            mended(problem, [values[column] for column in columns])
            for problem, columns in zip(self._problems, self._columns, strict=True)
        ):
            raise SolverError(
                f"nothing was found for {len(self._problems)} schools in the time allowed; give it more time with "
                "--seconds, or ask for a smaller unit with --unit"
            )
        self._hold(values, self._targets.values())
        values = self._maximise(self._price())
        if not self._is_proven:
            for problem, columns in zip(self._problems, self._columns, strict=True):
                kept = _without_waste(problem, [values[column] for column in columns])
                values = self._with(values, columns, kept, mended(problem, kept))
        chosen = tuple((option, values[column]) for column, option in self._options if values[column])
        cost = sum(option.cost * count for option, count in chosen)
        if self._budget is not None and cost > self._budget:
            raise SolverError(f"the solver's answer costs {cost} VND, more than the budget of {self._budget}")
        green = frozenset(target for target, column in self._targets.items() if values[column])
        complete = frozenset(each.school.id for each in self._problems if green.issuperset(each.targets))
        return Solution(chosen, green, complete, cost, self._is_proven)

    def _with(
        self, values: Sequence[int], columns: Sequence[int], times: Sequence[int], green: frozenset[Target]
    ) -> list[int]:
        """Give the values with other choices in one school, and what these turn green."""
        new = list(values)
        for column, count in zip(columns, times, strict=True):
            new[column] = count
        for target in green:
            new[self._targets[target]] = 1
        return new

    def _price(self) -> dict[int, float]:
        """Give what each option takes from the budget."""
        return {column: -float(option.cost // self._unit) for column, option in self._options}

    def _hold(self, values: Sequence[int], columns: Any) -> None:
        """Demand of later stages what this one reached."""
        reached = sum(values[column] for column in columns)
        self._rows.append((dict.fromkeys(columns, 1.0), float(reached)))

    def _maximise(self, weights: dict[int, float]) -> list[int]:
        numpy, optimize, sparse = _scipy()
        size = len(self._upper)
        if not size:
            return []
        target = numpy.zeros(size)
        for column, weight in weights.items():
            target[column] = -weight
        places = [(row, column, value) for row, (terms, _) in enumerate(self._rows) for column, value in terms.items()]
        matrix = sparse.csr_array(
            ([p[2] for p in places], ([p[0] for p in places], [p[1] for p in places])), shape=(len(self._rows), size)
        )
        bounds = [bound - 1e-9 for _, bound in self._rows]
        self._stages_left -= 1
        left_s = self._deadline - time.monotonic()
        limit_s = max(_LEAST_S, left_s / 2 if self._stages_left else left_s)
        result = optimize.milp(
            target,
            integrality=numpy.ones(size),
            bounds=optimize.Bounds(0, self._upper),
            constraints=optimize.LinearConstraint(matrix, bounds, numpy.inf) if self._rows else None,
            options={"mip_rel_gap": 0.0, "time_limit": limit_s},
        )
        self._is_proven = self._is_proven and result.status == 0
        if result.x is not None:
            self._best = [round(value) for value in result.x]
        if self._best is None:
            return [0] * size  # nothing is held, and the next stage has the time that is left
        return self._best  # where a stage found nothing in time: of the stage before, which keeps what it reached


def mended(problem: Problem, times: Sequence[int]) -> frozenset[Target]:
    """Give what turns green when each option of a school is chosen so often, by the definition and without a solver."""
    chosen = [(option, count) for option, count in zip(problem.options, times, strict=True) if count]
    green = {target for option, _ in chosen for target in option.fixes}
    while True:  # rooms that a school counts are mended by what mends the rooms
        more = set()
        for count in problem.counts:
            whole = sum(all(target in green for target in member) for member in count.members)
            new = sum(n for option, n in chosen if option.adds_to in count.rooms)
            if count.target not in green and whole + new * count.each_new >= count.missing - 1e-9:
                more.add(count.target)
        if not more:
            return frozenset(green.intersection(problem.targets))
        green |= more


def _without_waste(problem: Problem, times: Sequence[int]) -> list[int]:
    """Leave out, the dearest first, what nothing that turns green needs."""
    kept, green = list(times), mended(problem, times)
    for number in sorted(range(len(kept)), key=lambda one: -problem.options[one].cost):
        while kept[number]:
            kept[number] -= 1
            if mended(problem, kept) != green:
                kept[number] += 1
                break
    return kept


def _scipy() -> tuple[Any, Any, Any]:
    try:
        import numpy
        from scipy import optimize, sparse
    except ImportError as error:
        raise SolverMissingError(
            "the solver is not installed; install the extra 'planning': scripts/setup planning"
        ) from error
    return numpy, optimize, sparse
