"""What stood at a past instant: verdict rows and run rows go in, the verdicts of that instant come out.

Two times: `valid_at` = the instant that is asked about, `known_at` = as the register knew it then. A verdict only
stands if a run vouched for it at that instant; otherwise it is unknown with the reason "engine_stopped". An instant
that is still ahead raises InstantError: today's answer is not tomorrow's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from phongmay_contract.errors import OperatorError
from phongmay_rules.chain.archive import pack_by_hash
from phongmay_rules.errors import PackError
from phongmay_rules.explain import sentence, state_name
from phongmay_rules.model import Pack
from phongmay_rules.reasons import Reason, reason_text
from phongmay_rules.summary import VOUCHED
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import CurrentRun, EvaluationRun, State, Verdict

_BLOCK = 400
"""Ids in one IN list: SQLite and PostgreSQL both take it."""


class InstantError(OperatorError):
    """An instant that cannot be looked back at.

    Attributes:
        which: "at" or "known_at".
    """

    def __init__(self, sentence: str, which: str) -> None:
        super().__init__(sentence)
        self.which = which


@dataclass(frozen=True, slots=True)
class PastVerdict:
    """A verdict as it stood.

    Attributes:
        row: the stored row that was the newest then.
        state: what may be said about that instant: the row's state, or unknown.
        reason: the row's reason, or "engine_stopped".
        run_id: the run that vouched for it; None = none did.
    """

    row: Verdict
    state: str
    reason: str
    run_id: int | None

    @property
    def measured(self) -> dict[str, Any]:
        """What was found last; it stays readable where nobody vouches for it."""
        return self.row.measured

    @property
    def required(self) -> dict[str, Any]:
        """What was demanded."""
        return self.row.required

    @property
    def evidence(self) -> list[Any]:
        """What it rested on."""
        return self.row.evidence


@dataclass(frozen=True, slots=True)
class PastVerdicts:
    """The verdicts of one unit as they stood.

    Attributes:
        run: the newest run at or before the instant, as far as it was known; None = never judged by then.
        is_vouched: that run still vouched for its verdicts at the instant.
        verdicts: in order of subject and rule.
    """

    run: EvaluationRun | None
    is_vouched: bool
    verdicts: Sequence[PastVerdict]


NOTHING = PastVerdicts(run=None, is_vouched=False, verdicts=())
"""Nobody was asked, or nobody had judged."""


def require_past(valid_at: datetime, known_at: datetime | None = None) -> None:
    """Make sure that neither instant is ahead.

    Raises:
        InstantError: one is.
    """
    now = utc_now()
    for which, at in (("at", valid_at), ("known_at", known_at)):
        if at is not None and at > now:
            raise InstantError(f"{which} {at.isoformat()} is ahead; only what has been can be looked at", which)


def as_of(session: Session, unit_id: str, valid_at: datetime, known_at: datetime | None = None) -> PastVerdicts:
    """Give all verdicts of one unit (a school, or a unit above schools: its own targets) at an instant.

    Args:
        session: the register.
        unit_id: the unit.
        valid_at: the instant (aware).
        known_at: rows recorded later are left out (default: nothing is left out).
    """
    run = run_before(session, unit_id, valid_at, known_at)
    rows = session.scalars(
        select(Verdict)
        .where(Verdict.id.in_(_newest([unit_id], valid_at, known_at)), Verdict.reason != Reason.GONE)
        .order_by(Verdict.subject_kind, Verdict.subject_id, Verdict.rule_id)
    )
    vouched = run is not None and vouches(run, valid_at)
    return PastVerdicts(run, vouched, [past(row, run, is_vouched=vouched) for row in rows])


def one_as_of(session: Session, verdict: Verdict, valid_at: datetime, known_at: datetime | None = None) -> PastVerdicts:
    """Give what stood at an instant in the place of a verdict: of its unit, subject and rule; none or one."""
    run = run_before(session, verdict.unit_id, valid_at, known_at)
    same = (
        Verdict.subject_kind == verdict.subject_kind,
        Verdict.subject_id == verdict.subject_id,
        Verdict.rule_id == verdict.rule_id,
    )
    newest = _newest([verdict.unit_id], valid_at, known_at, same)
    rows = session.scalars(select(Verdict).where(Verdict.id.in_(newest), Verdict.reason != Reason.GONE))
    vouched = run is not None and vouches(run, valid_at)
    return PastVerdicts(run, vouched, [past(row, run, is_vouched=vouched) for row in rows])


def counts_as_of(
    session: Session, unit_ids: Sequence[str], valid_at: datetime, known_at: datetime | None = None
) -> dict[str, dict[str, int]]:
    """Count the verdicts of many units at an instant by state; a unit that nobody had judged by then has none."""
    out: dict[str, dict[str, int]] = {}
    for start in range(0, len(unit_ids), _BLOCK):
        block = unit_ids[start : start + _BLOCK]
        runs = _runs_before(session, block, valid_at, known_at)
        counted = (
            select(Verdict.unit_id, Verdict.state, func.count())
            .where(Verdict.id.in_(_newest(block, valid_at, known_at)), Verdict.reason != Reason.GONE)
            .group_by(Verdict.unit_id, Verdict.state)
        )
        for unit, state, count in session.execute(counted):
            run = runs.get(unit)
            shown = state if run is not None and vouches(run, valid_at) else State.UNKNOWN.value
            counts = out.setdefault(unit, {})
            counts[shown] = counts.get(shown, 0) + count
    return out


def past(row: Verdict, run: EvaluationRun | None, *, is_vouched: bool) -> PastVerdict:
    """Say what may be said of a row that was the newest."""
    if run is None or not is_vouched:
        return PastVerdict(row, State.UNKNOWN, Reason.ENGINE_STOPPED, None)
    return PastVerdict(row, row.state, row.reason, run.id)


def present(session: Session, row: Verdict, now: datetime) -> PastVerdict:
    """Say what may be said now of a current verdict: unknown when the engine has not confirmed its unit in time."""
    run = session.get(CurrentRun, row.unit_id)
    if run is not None and now - run.confirmed_at <= timedelta(seconds=run.valid_for_s):
        return PastVerdict(row, row.state, row.reason, run.run_id)
    if row.state not in VOUCHED:
        return PastVerdict(row, row.state, row.reason, None)
    return PastVerdict(row, State.UNKNOWN, Reason.ENGINE_STOPPED, None)


def run_before(
    session: Session, unit_id: str, valid_at: datetime, known_at: datetime | None = None
) -> EvaluationRun | None:
    """Give a unit's newest run at or before an instant, as far as it was known at another."""
    return _runs_before(session, [unit_id], valid_at, known_at).get(unit_id)


def vouches(run: EvaluationRun, valid_at: datetime) -> bool:
    """Tell whether a run vouches for its verdicts at a later instant."""
    return valid_at - run.evaluated_at <= timedelta(seconds=run.valid_for_s)


def pack_of(session: Session, run: EvaluationRun | None, in_force: Pack) -> tuple[Pack, bool]:
    """Give the packs that a run judged by, out of the archive, and whether they were there.

    What was never archived (before there was an archive) is shown by the packs in force, and said so.
    """
    if run is None:
        return in_force, False
    try:
        return pack_by_hash(session, run.pack_hash), True
    except PackError:
        return in_force, run.pack_hash == in_force.hash


def past_sentence(one: PastVerdict, pack: Pack, language: str) -> str:
    """Say what was found and demanded then; where no run vouches for it, or the rule is not known, only why."""
    rule = pack.rules.get(one.row.rule_id)
    if rule is None or one.run_id is None:
        return f"{state_name(one.state, language)}: {reason_text(one.reason, language)}."
    return sentence(one.row, rule, language)


def _newest(
    unit_ids: Sequence[str], valid_at: datetime, known_at: datetime | None, more: Iterable[ColumnElement[bool]] = ()
) -> Select[int]:
    conditions = [Verdict.unit_id.in_(unit_ids), Verdict.evaluated_at <= valid_at, *more]
    if known_at is not None:
        conditions.append(Verdict.recorded_at <= known_at)
    return (
        select(func.max(Verdict.id))
        .where(*conditions)
        .group_by(Verdict.unit_id, Verdict.subject_kind, Verdict.subject_id, Verdict.rule_id)
    )


def _runs_before(
    session: Session, unit_ids: Sequence[str], valid_at: datetime, known_at: datetime | None
) -> Mapping[str, EvaluationRun]:
    """Give the newest run of each unit; a run is recorded at its own instant, so both times bound it alike."""
    end = valid_at if known_at is None else min(valid_at, known_at)
    last = (
        select(EvaluationRun.unit_id, func.max(EvaluationRun.evaluated_at).label("at"))
        .where(EvaluationRun.unit_id.in_(unit_ids), EvaluationRun.evaluated_at <= end)
        .group_by(EvaluationRun.unit_id)
        .subquery()
    )
    rows = session.scalars(
        select(EvaluationRun)
        .join(last, (last.c.unit_id == EvaluationRun.unit_id) & (last.c.at == EvaluationRun.evaluated_at))
        .order_by(EvaluationRun.id)
    )
    return {run.unit_id: run for run in rows}


def held_since(session: Session, verdicts: Iterable[Verdict]) -> dict[int, datetime]:
    """Give since when the state of each verdict holds without a break, by its id.

    A row is written whenever anything but the time differs, so the same state may go back over many rows: as far as the
    first one of the state behind a row of another state, or behind a time when the subject was gone.
    """
    wanted: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        wanted.setdefault((verdict.subject_kind, verdict.subject_id), []).append(verdict)
    out: dict[int, datetime] = {}
    for (kind, subject), rows in wanted.items():
        statement = select(
            Verdict.id, Verdict.unit_id, Verdict.rule_id, Verdict.state, Verdict.reason, Verdict.evaluated_at
        ).where(
            Verdict.subject_kind == kind,
            Verdict.subject_id == subject,
            Verdict.rule_id.in_({row.rule_id for row in rows}),
            Verdict.id <= max(row.id for row in rows),
        )
        ids = {row.id for row in rows}
        streak: dict[tuple[str, str], tuple[str, bool, datetime]] = {}
        for row_id, unit, rule, state, reason, at in session.execute(statement.order_by(Verdict.id)):
            before = streak.get((unit, rule))
            gone = reason == Reason.GONE
            goes_on = before is not None and before[:2] == (state, gone)
            start = before[2] if before is not None and goes_on else at
            streak[unit, rule] = (state, gone, start)
            if row_id in ids:
                out[row_id] = start
    return out
