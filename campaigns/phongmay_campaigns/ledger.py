"""The book of runs in the register: which step a run has come to, and how it takes the next one.

A step is one row that can exist once (run, step); it is written in the same transaction as everything that belongs to
it (orders in the outbox, results). So a coordinator that is killed between two instants leaves either all of a step
or nothing of it, and two coordinators cannot both take it: the later one gets `StepTakenError` and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from phongmay_contract.command import Order
from phongmay_store.register.campaign import (
    ENDS,
    Campaign,
    CampaignRun,
    CampaignState,
    CampaignStep,
    CoordinatorLease,
    RunStep,
)
from phongmay_store.register.outbox import put

_LEASE = "campaigns"
ABORT_LIFE = timedelta(seconds=60)
"""How long an order to abort is of use."""


class StepTakenError(Exception):
    """Somebody else took this step already."""


class Standing(NamedTuple):
    """A run and the step that it has come to."""

    run: CampaignRun
    step: RunStep
    detail: Mapping[str, Any]
    at: datetime


def take(session: Session, run_id: str, step: RunStep, at: datetime, detail: Mapping[str, Any]) -> None:
    """Write a step; the caller commits it together with what belongs to it.

    Raises:
        StepTakenError: it was taken before; the session is rolled back.
        IntegrityError: something else that the session was to write is refused; it is rolled back too.
    """
    session.add(CampaignStep(run_id=run_id, step=step.value, detail=dict(detail), at=at))
    try:
        session.flush()
    except IntegrityError as error:
        session.rollback()
        same = select(CampaignStep.number).where(CampaignStep.run_id == run_id, CampaignStep.step == step.value)
        if session.scalar(same) is None:
            raise
        raise StepTakenError(f"run {run_id}: step {step} was taken before") from error


def open_runs(session: Session) -> list[Standing]:
    """Give the runs that have not ended, the next one first."""
    return [standing for standing in _standings(session, None) if standing.step not in ENDS]


def standing_of(session: Session, run_ids: Sequence[str]) -> dict[str, Standing]:
    """Give the standing of some runs."""
    return {standing.run.run_id: standing for standing in _standings(session, run_ids)}


def _standings(session: Session, run_ids: Sequence[str] | None) -> list[Standing]:
    newest = select(CampaignStep.run_id, func.max(CampaignStep.number).label("number")).group_by(CampaignStep.run_id)
    if run_ids is None:
        ended = select(CampaignStep.run_id).where(CampaignStep.step.in_([step.value for step in ENDS]))
        newest = newest.where(CampaignStep.run_id.not_in(ended))
    else:
        newest = newest.where(CampaignStep.run_id.in_(run_ids))
    wanted = newest.subquery()
    rows = session.execute(
        select(CampaignRun, CampaignStep)
        .join(wanted, wanted.c.run_id == CampaignRun.run_id)
        .join(CampaignStep, CampaignStep.number == wanted.c.number)
        .order_by(CampaignRun.due_at, CampaignRun.run_id)
    )
    return [Standing(run, RunStep(step.step), step.detail, step.at) for run, step in rows]


def stop_campaign(session: Session, campaign: Campaign) -> bool:
    """Note that a campaign is to stop (the coordinator ends its runs); False when it has ended already."""
    if campaign.state != CampaignState.ACTIVE.value:
        return False
    campaign.revise(session, {"state": CampaignState.STOPPED.value})
    return True


def stop_run(session: Session, standing: Standing, now: datetime) -> bool:
    """End one run and tell its PCs to abort; False when it has ended already. The caller commits.

    Raises:
        StepTakenError: it ended in the same moment.
    """
    if standing.step in ENDS:
        return False
    for device in standing.detail.get("ordered", ()) if standing.step is RunStep.ORDERED else ():
        body = {"run": standing.run.run_id}
        put(session, device, Order.CAMPAIGN_ABORT.value, body, expires_at=now + ABORT_LIFE, run_id=standing.run.run_id)
    take(session, standing.run.run_id, RunStep.STOPPED, now, {"reason": "stopped_by_a_person"})
    return True


def hold_lease(session: Session, holder: str, now: datetime, lease_s: float) -> bool:
    """Take or renew the right to plan and drive; False while another coordinator holds it."""
    until = now + timedelta(seconds=lease_s)
    renewed = session.execute(
        update(CoordinatorLease)
        .where(CoordinatorLease.name == _LEASE)
        .where((CoordinatorLease.holder == holder) | (CoordinatorLease.until < now))
        .values(holder=holder, until=until)
    )
    if renewed.rowcount:  # type: ignore[attr-defined] # a CursorResult
        session.commit()
        return True
    if session.get(CoordinatorLease, _LEASE) is not None:
        session.rollback()
        return False
    session.add(CoordinatorLease(name=_LEASE, holder=holder, until=until))
    try:
        session.commit()
    except IntegrityError:
        session.rollback()
        return False
    return True


def is_coordinated(session: Session, now: datetime) -> bool:
    """Tell whether a coordinator is at work."""
    lease = session.get(CoordinatorLease, _LEASE)
    return lease is not None and lease.until > now
