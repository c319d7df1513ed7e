"""What stood at a past instant: verdict rows and run rows go in, the verdicts of that instant come out.

Two times: `valid_at` = the instant that is asked about, `known_at` = as the register knew it then. A verdict only
stands if a run vouched for it at that instant; otherwise it is unknown with the reason "engine_stopped".
"""

from __future__ import annotations

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
