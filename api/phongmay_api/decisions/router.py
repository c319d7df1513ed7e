"""Routes of waivers, attestations and disputes. What changes something must be signed: it needs a signed-in account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Path, Query

from phongmay_api.access.scope import CurrentScope, Scope
from phongmay_api.context import Shared
from phongmay_api.decisions import acting, queries
from phongmay_api.decisions.acting import as_problem
from phongmay_api.decisions.queries import Case
from phongmay_api.decisions.schemas import (
    AnswerIn,
    AttestationIn,
    AttestationOut,
    DisputeIn,
    DisputeOut,
    DisputeStepOut,
    WaiverIn,
    WaiverOut,
    WithdrawalIn,
)
from phongmay_api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, read_cursor, split
from phongmay_api.routing import api_router
from phongmay_store.register.base import utc_now
from phongmay_store.register.decisions import Attestation, Waiver

router = api_router("decisions")
UnitId = Annotated[str | None, Query(description="Only of this unit and everything below it.")]
Number = Annotated[int, Path(ge=1, le=2**53)]


def _within(scope: Scope, unit: str | None) -> list[str] | None:
    return None if unit is None else [below.id for below in scope.below(unit)]


def _before(cursor: str | None) -> int | None:
    key = read_cursor(cursor, int)
    return key[0] if key else None


def _waivers(scope: Scope, rows: Sequence[Waiver]) -> list[WaiverOut]:
    now = utc_now()
    replaced = queries.replacements(scope, [row.number for row in rows])
    return [
        WaiverOut(
            number=row.number, unit_id=row.unit_id, subject_id=row.subject_id, rule_id=row.rule_id, reason=row.reason,
            signed_by=row.signed_by, valid_from=row.valid_from, valid_to=row.valid_to, replaces=row.replaces,
            replaced_by=replaced.get(row.number), recorded_at=row.recorded_at,
            in_force=row.number not in replaced and row.valid_from <= now < row.valid_to,
        )
        for row in rows
    ]  # fmt: skip


def _attestation(row: Attestation) -> AttestationOut:
    return AttestationOut(**{name: getattr(row, name) for name in AttestationOut.model_fields})


def _dispute(case: Case) -> DisputeOut:
    opened, verdict = case.steps[0]
    return DisputeOut(
        number=opened.number, unit_id=opened.unit_id, verdict_id=verdict.id, subject_kind=verdict.subject_kind,
        subject_id=verdict.subject_id, rule_id=verdict.rule_id, state=case.state, open=case.is_open,
        steps=[
            DisputeStepOut(
                step=step.step, verdict_id=then.id, verdict_state=then.state, text=step.text, signed_by=step.signed_by,
                recorded_at=step.recorded_at,
            )
            for step, then in case.steps
        ],
    )  # fmt: skip


@router.get("/waivers", summary="List waivers")
def list_waivers(
    scope: CurrentScope,
    unit: UnitId = None,
    in_force: Annotated[bool, Query(description="Only those that hold now.")] = False,
    ending_days: Annotated[int | None, Query(ge=0, le=3660, description="In force, ending within these days.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[WaiverOut]:
    """Give waivers, the newest first; withdrawals are rows of their own."""
    rows = queries.waivers(
        scope, _within(scope, unit), in_force=in_force, ending_days=ending_days, before=_before(cursor), limit=limit + 1
    )
    page, following = split(rows, limit, lambda row: (row.number,))
    return Page(items=_waivers(scope, page), next_cursor=following)


@router.post("/waivers", status_code=201, summary="Lift a rule for a time")
def add_waiver(scope: CurrentScope, context: Shared, wanted: WaiverIn) -> WaiverOut:
    """Waive a rule for a subject and all below it. It excuses; it never counts as met."""
    with as_problem():
        row = acting.waive(
            scope, context.pack, wanted.subject_id, wanted.rule_id, reason=wanted.reason, valid_to=wanted.valid_to,
            valid_from=wanted.valid_from,
        )  # fmt: skip
    return _waivers(scope, [row])[0]


@router.post("/waivers/{waiver}/withdrawal", status_code=201, summary="End a waiver now")
def withdraw_waiver(scope: CurrentScope, waiver: Number, wanted: WithdrawalIn) -> WaiverOut:
    """Let a waiver end now; the row that takes its place is given back."""
    with as_problem():
        return _waivers(scope, [acting.withdraw(scope, waiver, reason=wanted.reason)])[0]


@router.get("/attestations", summary="List statements on clauses")
def list_attestations(
    scope: CurrentScope,
    unit: UnitId = None,
    in_force: Annotated[bool, Query(description="Only those that hold now.")] = False,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[AttestationOut]:
    """Give statements on clauses that no machine judges alone, the newest first."""
    at = utc_now() if in_force else None
    rows = queries.attestations(scope, _within(scope, unit), at=at, before=_before(cursor), limit=limit + 1)
    page, following = split(rows, limit, lambda row: (row.number,))
    return Page(items=[_attestation(row) for row in page], next_cursor=following)


@router.post("/attestations", status_code=201, summary="Record a statement on a clause")
def add_attestation(scope: CurrentScope, context: Shared, wanted: AttestationIn) -> AttestationOut:
    """Record what a person states about a clause, with the hash of the handed-in paper that shows it."""
    with as_problem():
        row = acting.attest(
            scope, context, wanted.unit, wanted.clause, met=wanted.met, statement=wanted.statement,
            valid_to=wanted.valid_to, attachment=(wanted.attachment_name, wanted.attachment_hash),
        )  # fmt: skip
    return _attestation(row)


@router.get("/disputes", summary="List disputes")
def list_disputes(
    scope: CurrentScope,
    unit: UnitId = None,
    is_open: Annotated[bool | None, Query(alias="open", description="Only unanswered, or only answered ones.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[DisputeOut]:
    """Give disputes with all their steps, the newest first."""
    cases = queries.disputes(scope, _within(scope, unit), is_open=is_open, before=_before(cursor), limit=limit + 1)
    page, following = split(cases, limit, lambda case: (case.opened.number,))
    return Page(items=[_dispute(case) for case in page], next_cursor=following)


@router.post("/disputes", status_code=201, summary="Dispute a verdict")
def add_dispute(scope: CurrentScope, context: Shared, wanted: DisputeIn) -> DisputeOut:
    """Say that a current verdict is wrong; its unit is evaluated at once and the result is recorded as a step."""
    with as_problem():
        found = acting.dispute(scope, context, wanted.verdict_id, text=wanted.text)
    return _dispute(queries.disputes(scope, [found.opened.unit_id], before=found.opened.number + 1, limit=1)[0])


@router.post("/disputes/{dispute}/answer", status_code=201, summary="Answer a dispute")
def answer_dispute(scope: CurrentScope, dispute: Number, wanted: AnswerIn) -> DisputeOut:
    """Answer for the district."""
    with as_problem():
        acting.answer(scope, dispute, upheld=wanted.upheld, text=wanted.text)
    return _dispute(queries.disputes(scope, before=dispute + 1, limit=1)[0])
