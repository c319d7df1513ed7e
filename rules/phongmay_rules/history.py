"""What stood at a past instant: verdict rows and run rows go in, the verdicts of that instant come out.

Two times: `valid_at` = the instant that is asked about, `known_at` = as the register knew it then. A verdict only
stands if a run vouched for it at that instant; otherwise it is unknown with the reason "engine_stopped".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import EvaluationRun, State, Verdict


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


def as_of(session: Session, unit_id: str, valid_at: datetime, known_at: datetime | None = None) -> list[PastVerdict]:
    """Give all verdicts of one unit (a school, or a unit above schools: its own targets) at an instant.

    Args:
        session: the register.
        unit_id: the unit.
        valid_at: the instant (aware).
        known_at: rows recorded later are left out (default: nothing is left out).
    """
    run = _run(session, unit_id, valid_at)
    conditions = [Verdict.unit_id == unit_id, Verdict.evaluated_at <= valid_at]
    if known_at is not None:
        conditions.append(Verdict.recorded_at <= known_at)
    newest = (
        select(func.max(Verdict.id))
        .where(*conditions)
        .group_by(Verdict.subject_kind, Verdict.subject_id, Verdict.rule_id)
    )
    rows = session.scalars(
        select(Verdict)
        .where(Verdict.id.in_(newest), Verdict.reason != Reason.GONE)
        .order_by(Verdict.subject_kind, Verdict.subject_id, Verdict.rule_id)
    )
    if run is None:
        return [PastVerdict(row, State.UNKNOWN, Reason.ENGINE_STOPPED, None) for row in rows]
    return [PastVerdict(row, row.state, row.reason, run) for row in rows]


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


def _run(session: Session, unit_id: str, valid_at: datetime) -> int | None:
    """Give the run that vouches for the unit at an instant."""
    run = session.scalar(
        select(EvaluationRun)
        .where(EvaluationRun.unit_id == unit_id, EvaluationRun.evaluated_at <= valid_at)
        .order_by(EvaluationRun.evaluated_at.desc(), EvaluationRun.id.desc())
        .limit(1)
    )
    if run is None or valid_at - run.evaluated_at > timedelta(seconds=run.valid_for_s):
        return None
    return run.id
