"""Routes of campaigns and runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query

from phongmay_api.access.scope import CurrentScope, Scope
from phongmay_api.campaigns import queries
from phongmay_api.campaigns.schemas import CampaignIn, CampaignOut, ParticipantOut, RunDetailOut, RunOut
from phongmay_api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, read_cursor, split
from phongmay_api.routing import api_router
from phongmay_campaigns.ledger import Standing, standing_of
from phongmay_campaigns.reporting.evidence import Evidence
from phongmay_store.register.campaign import Campaign, CampaignResult, CampaignRun, CampaignState

router = api_router("campaigns")
UnitId = Annotated[str | None, Query(description="Only of this unit and everything below it.")]
_RESULT = sorted(set(CampaignResult.__table__.columns.keys()) - {"run_id", "school_id", "kind"})


def _campaign(row: Campaign) -> CampaignOut:
    return CampaignOut(**{name: getattr(row, name) for name in CampaignOut.model_fields})


def _run(standing: Standing, result: CampaignResult | None) -> dict[str, Any]:
    run = standing.run
    return {
        "id": run.run_id, "campaign_id": run.campaign_id, "unit_id": run.school_id, "room_id": run.room_id,
        "kind": run.kind, "mode": run.mode, "attempt": run.attempt, "due_at": run.due_at, "step": standing.step.value,
        "step_at": standing.at, "end_reason": str(standing.detail.get("reason", "")),
        "verdict": result.verdict if result else None, "reasons": list(result.reasons) if result else [],
        "cause": result.cause if result else "",
    }  # fmt: skip


def _detail(evidence: Evidence) -> RunDetailOut:
    run, result = evidence.run, evidence.result
    names = ("lines", "isp", "failover", "ramp_n", "server_id", "contracted_dl", "contracted_ul", "floor_dl",
             "floor_ul", "rule_version")  # fmt: skip
    return RunDetailOut(
        **_run(evidence.standing, result),
        **{name: getattr(run, name) for name in names},
        result=None if result is None else {name: getattr(result, name) for name in _RESULT},
        participants=[
            ParticipantOut(**{name: getattr(one, name) for name in ParticipantOut.model_fields})
            for one in evidence.participants
        ],
    )


def _runs(scope: Scope, rows: Sequence[CampaignRun]) -> list[RunOut]:
    standing = standing_of(scope.session, [row.run_id for row in rows])
    results = queries.results(scope, rows)
    return [RunOut(**_run(standing[row.run_id], results.get(row.run_id))) for row in rows if row.run_id in standing]


@router.get("/campaigns", summary="List campaigns")
def list_campaigns(
    scope: CurrentScope,
    unit: UnitId = None,
    state: Annotated[CampaignState | None, Query(description="Only those in this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[CampaignOut]:
    """Give the campaigns that you may see, in order of id."""
    key = read_cursor(cursor, str)
    rows = queries.campaigns(scope, unit, state, key[0] if key else None, limit + 1)
    page, following = split(rows, limit, lambda row: (row.id,))
    return Page(items=[_campaign(row) for row in page], next_cursor=following)


@router.post("/campaigns", status_code=201, summary="Order a campaign")
def start_campaign(scope: CurrentScope, wanted: CampaignIn) -> CampaignOut:
    """Order a test of a room, a school or a list of schools; the coordinator plans its runs."""
    return _campaign(queries.start(scope, wanted))


@router.get("/campaigns/{campaign_id}", summary="Get a campaign")
def get_campaign(scope: CurrentScope, campaign_id: str) -> CampaignOut:
    """Give one campaign."""
    return _campaign(queries.campaign(scope, campaign_id))


@router.post("/campaigns/{campaign_id}/stop", summary="Stop a campaign")
def stop_campaign(scope: CurrentScope, campaign_id: str) -> CampaignOut:
    """Stop a campaign: its run ends within seconds, no further one begins."""
    return _campaign(queries.stop(scope, campaign_id))


@router.get("/campaign-runs", summary="List runs")
def list_runs(
    scope: CurrentScope,
    unit: UnitId = None,
    campaign: Annotated[str | None, Query(description="Only of this campaign.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[RunOut]:
    """Give runs, the newest first."""
    key = read_cursor(cursor, float, str)
    before = (datetime.fromtimestamp(key[0], UTC), key[1]) if key else None
    rows = queries.runs(scope, unit, campaign, before, limit + 1)
    page, following = split(rows, limit, lambda row: (row.due_at.timestamp(), row.run_id))
    return Page(items=_runs(scope, page), next_cursor=following)


@router.get("/campaign-runs/{run_id}", summary="Get a run")
def get_run(scope: CurrentScope, run_id: str) -> RunDetailOut:
    """Give one run with its figures and every PC of it."""
    return _detail(queries.evidence(scope, run_id))


@router.post("/campaign-runs/{run_id}/stop", summary="Stop a run")
def stop_run(scope: CurrentScope, run_id: str) -> RunDetailOut:
    """Stop one run in one school; the campaign goes on elsewhere."""
    return _detail(queries.stop_one(scope, run_id))
