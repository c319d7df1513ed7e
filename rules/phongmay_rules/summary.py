"""How a unit stands: current verdicts go in, counts of ALL states by group of rules come out, and when it was judged.

Counting is over the subtree: a school's devices, rooms and itself; a district's schools and its own targets. Where the
engine has stopped (the last run vouches no more) its verdicts are counted as unknown, never as a standing pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from phongmay_rules.loader import load_packs
from phongmay_rules.model import Pack
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import CurrentRun, CurrentVerdict, EvaluationRun, State, Verdict
from phongmay_store.register.organisation import Unit

VOUCHED = frozenset({State.PASS.value, State.FAIL.value, State.WAIVED.value})
"""States that are unknown as soon as no run vouches for them; the others claim nothing that could have changed."""


@dataclass
class Shares:
    """How many verdicts have each state; every state is a key."""

    counts: dict[str, int] = field(default_factory=lambda: {state.value: 0 for state in State})

    @property
    def total(self) -> int:
        """All verdicts."""
        return sum(self.counts.values())

    def share(self, state: str) -> float:
        """Share of one state in all verdicts; 0 when there are none."""
        return self.counts[state] / self.total if self.total else 0.0

    def add(self, state: str, count: int = 1) -> None:
        """Count some verdicts of one state."""
        self.counts[state] = self.counts.get(state, 0) + count

    def merge(self, other: Shares) -> None:
        """Add another count to this one."""
        for state, count in other.counts.items():
            self.add(state, count)


@dataclass
class Summary:
    """How one unit stands.

    Attributes:
        groups: by group of the pack, in the pack's order; every group is there.
        rules: by rule id; only rules that judged something.
        last_run: the OLDEST of the newest runs of the units that were judged; None = never judged.
        is_stale: some of it is not vouched for any more, and is counted as unknown.
    """

    unit_id: str
    groups: dict[str, Shares]
    rules: dict[str, Shares] = field(default_factory=dict)
    last_run: datetime | None = None
    is_stale: bool = False


def summarise(
    session: Session, unit_ids: Iterable[str], *, pack: Pack | None = None, at: datetime | None = None
) -> dict[str, Summary]:
    """Sum up some units.

    Args:
        session: the register.
        unit_ids: schools or units above; unknown ids give empty summaries.
        pack: tells the group of each rule; None = the shipped packs that the newest run names.
        at: present moment (default: now); decides what is stale.

    Raises:
        PackError: no pack was given, and the verdicts name one that is not shipped.
    """
    wanted = list(dict.fromkeys(unit_ids))
    now = at or utc_now()
    runs = newest_runs(session)
    counts: dict[str, list[tuple[str, str, int]]] = {}
    for unit, rule, state, count in session.execute(
        select(CurrentVerdict.unit_id, CurrentVerdict.rule_id, Verdict.state, func.count())
        .join(Verdict, Verdict.id == CurrentVerdict.verdict_id)
        .group_by(CurrentVerdict.unit_id, CurrentVerdict.rule_id, Verdict.state)
    ):
        counts.setdefault(unit, []).append((rule, state, count))
    pack = pack or _pack_of(session)
    children: dict[str | None, list[str]] = {}
    for unit, parent in session.execute(select(Unit.id, Unit.parent_id).where(Unit.holds(now))):
        children.setdefault(parent, []).append(unit)
    return {unit: _sum_up(unit, _subtree(unit, children), counts, runs, pack, now) for unit in wanted}


def newest_runs(session: Session) -> Mapping[str, tuple[datetime, float]]:
    """Give when each unit was last looked at, and for how many seconds that vouches."""
    rows = session.execute(select(CurrentRun.unit_id, CurrentRun.confirmed_at, CurrentRun.valid_for_s))
    return {unit: (at, valid_for) for unit, at, valid_for in rows}


@lru_cache(maxsize=8)
def _shipped(pack_id: str) -> Pack:
    return load_packs(pack_id.split("+"))


def _pack_of(session: Session) -> Pack:
    newest = session.scalar(select(EvaluationRun.pack_id).order_by(EvaluationRun.id.desc()).limit(1))
    return _shipped(newest or "tanbinh-2023")


def _subtree(unit: str, children: Mapping[str | None, list[str]]) -> list[str]:
    out, queue = [], [unit]
    seen: set[str] = set()
    while queue:
        current = queue.pop()
        if current not in seen:
            seen.add(current)
            out.append(current)
            queue += children.get(current, [])
    return out


def _sum_up(
    unit: str,
    below: Iterable[str],
    counts: Mapping[str, list[tuple[str, str, int]]],
    runs: Mapping[str, tuple[datetime, float]],
    pack: Pack,
    now: datetime,
) -> Summary:
    summary = Summary(unit, {group: Shares() for group in pack.standard.groups})
    for member in below:
        if member not in counts and member not in runs:
            continue
        run = runs.get(member)
        stale = run is None or now - run[0] > timedelta(seconds=run[1])
        summary.is_stale |= stale
        if run is not None and (summary.last_run is None or run[0] < summary.last_run):
            summary.last_run = run[0]
        for rule, state, count in counts.get(member, ()):
            shown = State.UNKNOWN.value if stale and state in VOUCHED else state
            group = pack.rules[rule].group if rule in pack.rules else ""
            for shares in (summary.groups.setdefault(group, Shares()), summary.rules.setdefault(rule, Shares())):
                shares.add(shown, count)
    return summary
