"""The optimisation: problems go in, how often each option is chosen comes out; HiGHS through scipy proves it optimal.

Lexicographic, each stage holding what the one before reached: 1. most schools without any failing verdict, 2. most
failing verdicts turned green, 3. least money. Without a budget that is the cheapest set of measures that turns green
whatever the price file can turn green. Without scipy, or when no proof is found in time, SolverError tells.
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
    """

    chosen: tuple[tuple[Option, int], ...]
    green: frozenset[Target]
    complete: frozenset[str]
    cost: int


def solve(problems: Sequence[Problem], budget: int | None = None, limit_s: float = LIMIT_S) -> Solution:
    """Choose.

    Args:
        problems: one a school.
        budget: whole VND; None = as much as it takes.
        limit_s: seconds that may be taken in all.

    Raises:
        SolverError: scipy is not installed, or a stage found no proven optimum in time.
    """
    deadline = time.monotonic() + limit_s
    if budget is not None:
        return _Model(problems, budget, deadline).solve()
    found = [
        _Model([problem], None, deadline).solve() for problem in problems if problem.targets
    ]  # schools share no money
    done = {problem.school.id for problem in problems if not problem.targets}
    return Solution(
        tuple(choice for solution in found for choice in solution.chosen),
        frozenset(target for solution in found for target in solution.green),
        frozenset(done.union(*(solution.complete for solution in found))),
        sum(solution.cost for solution in found),
    )


class _Model:
    """Columns and rows of one mixed-integer program; every row reads: its terms sum up to at least its bound."""

    def __init__(self, problems: Sequence[Problem], budget: int | None, deadline: float) -> None:
        self._problems, self._budget, self._deadline = problems, budget, deadline
        self._upper: list[float] = []
        self._rows: list[tuple[dict[int, float], float]] = []
        self._options: list[tuple[int, Option]] = []
        self._targets: dict[Target, int] = {}
        self._schools: dict[str, int] = {}
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
                mended = self._column(1)
                terms[mended] = 1.0
                self._rows += [({turned(target): 1.0, mended: -1.0}, 0.0) for target in member]
            self._rows.append((terms, 0.0))
        school = self._schools[problem.school.id] = self._column(1)
        self._rows += [({self._targets[target]: 1.0, school: -1.0}, 0.0) for target in problem.targets]

    def solve(self) -> Solution:
        """Go through the stages."""
        if self._budget is not None:
            self._hold(self._maximise(dict.fromkeys(self._schools.values(), 1.0)), self._schools.values())
        self._hold(self._maximise(dict.fromkeys(self._targets.values(), 1.0)), self._targets.values())
        values = self._maximise(self._price())
        chosen = tuple((option, values[column]) for column, option in self._options if values[column])
        cost = sum(option.cost * count for option, count in chosen)
        if self._budget is not None and cost > self._budget:
            raise SolverError(f"the solver's answer costs {cost} VND, more than the budget of {self._budget}")
        green = frozenset(target for target, column in self._targets.items() if values[column])
        complete = frozenset(each.school.id for each in self._problems if green.issuperset(each.targets))
        return Solution(chosen, green, complete, cost)

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
        result = optimize.milp(
            target,
            integrality=numpy.ones(size),
            bounds=optimize.Bounds(0, self._upper),
            constraints=optimize.LinearConstraint(matrix, bounds, numpy.inf) if self._rows else None,
            options={"mip_rel_gap": 0.0, "time_limit": max(0.01, self._deadline - time.monotonic())},
        )
        if result.status != 0 or result.x is None:
            raise SolverError(
                f"no proven optimum for {len(self._problems)} schools in the time allowed ({result.message.strip()}); "
                "ask for a smaller unit with --unit"
            )
        return [round(value) for value in result.x]


def _scipy() -> tuple[Any, Any, Any]:
    try:
        import numpy
        from scipy import optimize, sparse
    except ImportError as error:
        raise SolverMissingError(
            "the solver is not installed; install the extra 'planning': scripts/setup planning"
        ) from error
    return numpy, optimize, sparse
