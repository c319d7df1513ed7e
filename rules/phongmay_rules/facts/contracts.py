"""What a school's lines carried against what they promise: capacity runs and contracts go in, one ratio comes out.

Only lines over which the runs went are held against their contracts. A standby line carries nothing in ordinary
operation: its promise is none that a run over the main line could keep or break. Which lines are in use, the newest
runs tell; where they do not, or the contracts are not those of today, the ratio is missing and nobody is blamed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from phongmay_rules.facts.catalogue import Found, missing
from phongmay_rules.places import LinePlace
from phongmay_rules.reasons import Reason
from phongmay_rules.runs import LineRun

_NEWEST = 3
"""What most of so many newest runs went over is in use; as for a failover (`phongmay_campaigns.failover`)."""
_LEAST_LOAD = 0.5
"""A line that got less than this part of its even share of the PCs was not loaded: such a run tells nothing of it."""
Measured = tuple[LineRun, float, int | None]
"""A run, its rate, and what its lines promised then together (None = nobody had declared it: as now)."""


def of_contract(
    name: str, lines: Sequence[tuple[LinePlace, int]],
    runs: Sequence[tuple[LineRun, float | None, int | None]], at: float,
) -> Found:  # fmt: skip
    """Give the mean rate over what the lines in use together promise, of runs under the present contracts only.

    Args:
        name: of the fact.
        lines: the school's lines, each with what it promises now; 0 = not declared.
        runs: oldest first, each with its rate and what the lines promised then.
        at: time of the evaluation.
    """
    rows = tuple(line.row for line, _ in lines)
    promises = {line.id: promise for line, promise in lines}
    undeclared = not lines or not all(promises.values())
    measured = [(run, rate, then) for run, rate, then in runs if rate is not None]
    if not measured:
        return missing(name, Reason.NOT_DECLARED if undeclared else Reason.NO_CAPACITY_RUN, at, sources=rows)
    told = [(lines_of(one[0], promises), one) for one in measured]
    known = [carried for carried, _ in told if carried is not None]
    if not known:
        newest = measured[-1][0]
        if undeclared:
            return missing(name, Reason.NOT_DECLARED, at, sources=rows)
        return missing(name, Reason.LINES_NOT_TOLD, at, sources=(*rows, newest.source), run=newest.id)
    used = _in_use(known)
    own = tuple(line.row for line, _ in lines if line.id in used)
    if not all(promises[line] for line in used):
        return missing(name, Reason.NOT_DECLARED, at, sources=own)
    return _ratio(name, used, promises, own, [one for carried, one in told if carried == used], at)


def lines_of(run: LineRun, promises: Mapping[str, int]) -> frozenset[str] | None:
    """Give the present lines that a run went over and loaded; None = it does not tell.

    A school's only line carried everything, unless the run names another one. Where several carried, each must have
    had its share of the PCs: a line over which one PC of forty went can neither keep its contract nor break it.
    """
    if len(promises) == 1 and not (run.lines and run.carried):
        return frozenset(promises)
    if not run.carried or not run.carried.keys() <= promises.keys():
        return None
    whole, pcs = sum(promises[line] for line in run.carried), sum(run.carried.values())
    if any(count * whole < _LEAST_LOAD * pcs * promises[line] for line, count in run.carried.items()):
        return None
    return frozenset(run.carried)


def _in_use(known: Sequence[frozenset[str]]) -> frozenset[str]:
    """Give what most of the newest runs went over; where they are at odds, what the newest went over."""
    newest = known[-_NEWEST:]
    carried, count = Counter(newest).most_common(1)[0]
    return carried if 2 * count > len(newest) else newest[-1]


def _ratio(
    name: str, used: frozenset[str], promises: Mapping[str, int], rows: tuple[str, ...], runs: Sequence[Measured],
    at: float,
) -> Found:  # fmt: skip
    def now(run: LineRun) -> int:
        """Give what the lines that the school had then promise today; 0 where that cannot be told."""
        then = [promises.get(line, 0) for line in run.lines or promises]
        return sum(then) if all(then) else 0

    promised = sum(promises[line] for line in used)
    under = [(run, rate) for run, rate, then in runs if then is None or then == now(run)]
    if not under:
        newest, _, then = runs[-1]
        return missing(
            name, Reason.CONTRACT_CHANGED, at, sources=(*rows, newest.source), run=newest.id,
            contracted_bps=promised, then_bps=then,
        )  # fmt: skip
    mean = fmean(rate for _, rate in under)
    detail: dict[str, Any] = {
        "runs": len(under),
        "mean_bps": mean,
        "contracted_bps": promised,
        "indicative": len(under) < 1000,
    }
    if len(used) < len(promises):
        detail["lines"] = sorted(used)
    sources = (*rows, *(run.source for run, _ in under[-6:]))
    return Found(name, mean / promised, under[-1][0].at, None, sources, detail)
