"""Reads campaigns and runs inside a scope, orders campaigns and stops them; the coordinator does the rest.

What is outside the scope is a 404, a wish that cannot be met a 422 that names its key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import tuple_

from phongmay_api.access.scope import Scope
from phongmay_api.campaigns.schemas import CampaignIn
from phongmay_api.problems import bad_value
from phongmay_campaigns.ledger import StepTakenError, stop_campaign, stop_run
from phongmay_campaigns.ordering import OrderingError, Wish, order
from phongmay_campaigns.reporting.evidence import Evidence, gather
from phongmay_store.register.base import utc_now
from phongmay_store.register.campaign import Campaign, CampaignResult, CampaignRun
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Room


def campaigns(scope: Scope, unit: str | None, state: str | None, after: str | None, limit: int) -> Sequence[Campaign]:
    """Give up to `limit` campaigns in order of id, behind the id `after`."""
    statement = scope.select(Campaign, None if unit is None else [below.id for below in scope.below(unit)])
    if state is not None:
        statement = statement.where(Campaign.state == state)
    if after is not None:
        statement = statement.where(Campaign.id > after)
    return scope.session.scalars(statement.order_by(Campaign.id).limit(limit)).all()


def campaign(scope: Scope, campaign_id: str) -> Campaign:
    """Give one campaign of the scope.

    Raises:
        Problem: 404 or 403.
    """
    return scope.one(Campaign, "campaign", Campaign.id == campaign_id)


def runs(
    scope: Scope, unit: str | None, of_campaign: str | None, before: tuple[datetime, str] | None, limit: int
) -> Sequence[CampaignRun]:
    """Give up to `limit` runs, the newest first, behind (time, id) `before`."""
    statement = scope.select(CampaignRun, None if unit is None else [below.id for below in scope.below(unit)])
    if of_campaign is not None:
        statement = statement.where(CampaignRun.campaign_id == of_campaign)
    if before is not None:
        statement = statement.where(tuple_(CampaignRun.due_at, CampaignRun.run_id) < before)
    ordered = statement.order_by(CampaignRun.due_at.desc(), CampaignRun.run_id.desc())
    return scope.session.scalars(ordered.limit(limit)).all()


def results(scope: Scope, of: Sequence[CampaignRun]) -> dict[str, CampaignResult]:
    """Give the results of runs by run."""
    wanted = scope.select(CampaignResult).where(CampaignResult.run_id.in_([run.run_id for run in of]))
    return {row.run_id: row for row in scope.session.scalars(wanted)}


def evidence(scope: Scope, run_id: str) -> Evidence:
    """Give one run of the scope with everything that is known of it.

    Raises:
        Problem: 404 or 403.
    """
    run = scope.one(CampaignRun, "run", CampaignRun.run_id == run_id)
    found = gather(scope.session, run.run_id)
    if found is None:
        raise AssertionError(f"run {run_id} has no step")
    return found


def start(scope: Scope, wanted: CampaignIn) -> Campaign:
    """Order a campaign and commit it.

    Raises:
        Problem: 404 or 403 for unit, schools and room; 422 where the wish cannot be met.
    """
    scope.one(Unit, "organisation unit", Unit.id == wanted.unit)
    for school in wanted.schools:
        scope.one(Unit, "organisation unit", Unit.id == school)
    if wanted.room is not None:
        scope.one(Room, "room", Room.id == wanted.room)
    wish = Wish(
        unit_id=wanted.unit, kind=wanted.kind, mode=wanted.mode, name=wanted.name, schools=wanted.schools,
        room_id=wanted.room, every_days=wanted.every_days, wake=wanted.wake, failover=wanted.failover,
        starts_at=_aware("starts_at", wanted.starts_at), ends_at=_aware("ends_at", wanted.ends_at),
        server_id=wanted.server,
    )  # fmt: skip
    try:
        made = order(scope.session, wish, scope.principal.name)
    except OrderingError as error:
        raise bad_value(f"body/{error.key}", str(error)) from error
    scope.session.commit()
    return made


def stop(scope: Scope, campaign_id: str) -> Campaign:
    """Note that a campaign is to stop; one that has ended stays as it is."""
    found = campaign(scope, campaign_id)
    stop_campaign(scope.session, found)
    scope.session.commit()
    return campaign(scope, campaign_id)


def stop_one(scope: Scope, run_id: str) -> Evidence:
    """Stop one run in one school; the campaign goes on elsewhere. A run that has ended stays as it is."""
    found = evidence(scope, run_id)
    try:
        stop_run(scope.session, found.standing, utc_now())
        scope.session.commit()
    except StepTakenError:
        scope.session.rollback()  # it ended in the same moment
    return evidence(scope, run_id)


def _aware(key: str, at: datetime | None) -> datetime | None:
    if at is not None and at.tzinfo is None:
        raise bad_value(f"body/{key}", "a time needs its zone, e.g. +07:00")
    return at
