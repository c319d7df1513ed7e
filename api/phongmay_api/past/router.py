"""The route of the past: a unit and two instants go in, its verdicts as they stood come out, a page at a time.

An instant without a zone, or ahead, is a 422; a unit outside the scope a 404.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime

from phongmay_api.access.scope import CurrentScope
from phongmay_api.context import Shared
from phongmay_api.language import ApiLanguage
from phongmay_api.paging import DEFAULT_LIMIT, Cursor, Limit, read_cursor, split
from phongmay_api.past.presenting import run_out, verdict_out
from phongmay_api.past.schemas import PastOut
from phongmay_api.problems import bad_value
from phongmay_api.routing import api_router
from phongmay_rules.history import InstantError, PastVerdict, as_of, held_since, pack_of, require_past
from phongmay_store.register.compliance import State, SubjectKind
from phongmay_store.register.organisation import Unit

router = api_router("verdicts")


@router.get("/organisation-units/{unit_id}/verdicts", summary="Verdicts of a unit as they stood")
def unit_verdicts(
    scope: CurrentScope,
    context: Shared,
    language: ApiLanguage,
    unit_id: str,
    at: Annotated[AwareDatetime, Query(description="The instant that is asked about, with a zone.")],
    known_at: Annotated[
        AwareDatetime | None, Query(description="Leave out what was recorded later (default: nothing).")
    ] = None,
    subject_kind: Annotated[SubjectKind | None, Query(description="Only verdicts on such subjects.")] = None,
    subject: Annotated[str | None, Query(description="Only verdicts on this subject.", max_length=100)] = None,
    rule: Annotated[str | None, Query(description="Only verdicts of this rule.", max_length=100)] = None,
    state: Annotated[State | None, Query(description="Only verdicts that were in this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> PastOut:
    """Give the unit's own verdicts (a school: its rooms' and devices' too) at a past instant, with their evidence."""
    unit = scope.one(Unit, "organisation unit", Unit.id == unit_id)
    try:
        require_past(at, known_at)
    except InstantError as error:
        raise bad_value(f"query/{error.which}", f"{error}.") from error
    key = read_cursor(cursor, str, str, str)
    found = as_of(scope.session, unit.id, at, known_at)
    pack, is_archived = pack_of(scope.session, found.run, context.pack)
    wanted = [
        one
        for one in found.verdicts
        if subject_kind in (None, one.row.subject_kind)
        and subject in (None, one.row.subject_id)
        and rule in (None, one.row.rule_id)
        and state in (None, one.state)
        and (key is None or _key(one) > key)
    ]
    page, following = split(wanted[: limit + 1], limit, _key)
    since = held_since(scope.session, [one.row for one in page])
    return PastOut(
        unit_id=unit.id,
        valid_at=at,
        known_at=known_at,
        vouched=found.is_vouched,
        run=run_out(found.run, is_archived=is_archived),
        items=[verdict_out(pack, one, since, language) for one in page],
        next_cursor=following,
    )


def _key(one: PastVerdict) -> tuple[str, str, str]:
    return one.row.subject_kind, one.row.subject_id, one.row.rule_id
