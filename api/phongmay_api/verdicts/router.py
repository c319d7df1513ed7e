"""Routes of verdicts."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from phongmay_api.access.scope import CurrentScope
from phongmay_api.context import Shared
from phongmay_api.language import ApiLanguage
from phongmay_api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, read_cursor, split
from phongmay_api.routing import api_router
from phongmay_api.verdicts import queries
from phongmay_api.verdicts.presenting import brief, detail
from phongmay_api.verdicts.schemas import VerdictDetail, VerdictOut
from phongmay_store.register.compliance import State, SubjectKind

router = api_router("verdicts")


@router.get("/verdicts", summary="List current verdicts")
def list_verdicts(
    scope: CurrentScope,
    context: Shared,
    language: ApiLanguage,
    unit: Annotated[str | None, Query(description="Only verdicts of this unit and everything below it.")] = None,
    subject_kind: Annotated[SubjectKind | None, Query(description="Only verdicts on such subjects.")] = None,
    state: Annotated[State | None, Query(description="Only verdicts in this state, as judged.")] = None,
    rule: Annotated[str | None, Query(description="Only verdicts of this rule.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[VerdictOut]:
    """Give the verdicts that hold now, in order of subject and rule."""
    key = read_cursor(cursor, str, str, str)
    rows = queries.current(
        scope,
        within=None if unit is None else [below.id for below in scope.below(unit)],
        subject_kind=subject_kind,
        state=state,
        rule=rule,
        after=(key[0], key[1], key[2]) if key else None,
        limit=limit + 1,
    )
    page, following = split(rows, limit, queries.key_of)
    return Page(items=[brief(context.pack, judged, language) for judged in page], next_cursor=following)


@router.get("/verdicts/{verdict_id}", summary="Get a verdict with its evidence")
def get_verdict(
    scope: CurrentScope, context: Shared, language: ApiLanguage, verdict_id: Annotated[int, Path(ge=1, le=2**53)]
) -> VerdictDetail:
    """Give one verdict, current or former, with everything needed to follow it."""
    return detail(scope.session, context.pack, queries.one(scope, verdict_id), language)


@router.get("/subjects/{kind}/{subject_id}/verdicts", summary="Verdicts of a subject")
def subject_verdicts(
    scope: CurrentScope,
    context: Shared,
    language: ApiLanguage,
    kind: SubjectKind,
    subject_id: str,
    rule: Annotated[str | None, Query(description="Only verdicts of this rule.")] = None,
    history: Annotated[bool, Query(description="Former verdicts too, newest first.")] = False,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[VerdictOut]:
    """Give what is judged of a device, room, school or district: now, or since the beginning."""
    queries.require_subject(scope, kind, subject_id)
    if history:
        before = read_cursor(cursor, int)
        former = queries.history(scope, kind, subject_id, rule, before[0] if before else None, limit + 1)
        verdicts, following = split(former, limit, lambda verdict: (verdict.id,))
        rows = queries.with_runs(scope, verdicts)
    else:
        key = read_cursor(cursor, str, str, str)
        after = (key[0], key[1], key[2]) if key else None
        found = queries.current(
            scope, subject_kind=kind, subject_id=subject_id, rule=rule, after=after, limit=limit + 1
        )
        rows, following = split(found, limit, queries.key_of)
    return Page(items=[brief(context.pack, judged, language) for judged in rows], next_cursor=following)
