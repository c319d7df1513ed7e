"""Routes of the pages of the past: a unit, or one verdict, as it stood at an instant of the local clock.

A time that cannot be read or is ahead brings the page back with a sentence (422); nothing of the present is shown then.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from phongmay_api.access.scope import CurrentScope, authorize
from phongmay_api.context import Shared
from phongmay_api.pages.past import Asked, past_verdict_view, past_view
from phongmay_api.pages.rendering import language_texts, render
from phongmay_api.pages.texts import Texts
from phongmay_rules.history import InstantError, require_past
from phongmay_store.register.compliance import State, Verdict
from phongmay_store.register.organisation import Unit
from phongmay_store.register.timetable import LOCAL

router = APIRouter(dependencies=[Depends(authorize)], include_in_schema=False)
Time = Annotated[str, Query(max_length=40)]
Code = Annotated[str, Query(max_length=120)]


class _Unreadable(Exception):
    """What was asked for, without the times that cannot be used, and why."""


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=LOCAL)).astimezone(UTC)


def _times(at: str, known_at: str, words: Texts) -> tuple[datetime | None, datetime | None]:
    """Read the two times of a form; an empty one is none.

    Raises:
        _Unreadable: one cannot be read or is ahead; its text is for the reader.
    """
    try:
        moment, known = (_instant(text) if text else None for text in (at.strip(), known_at.strip()))
    except (ValueError, OverflowError) as error:
        raise _Unreadable(words("past_wants_time")) from error
    if moment is not None:
        try:
            require_past(moment, known)
        except InstantError as error:
            raise _Unreadable(words("past_ahead")) from error
    return moment, known


@router.get("/units/{unit_id}/at")
def past_page(
    request: Request,
    context: Shared,
    scope: CurrentScope,
    unit_id: str,
    at: Time = "",
    known_at: Time = "",
    state: Code = "",
    rule: Code = "",
    subject: Code = "",
) -> Response:
    """Show a unit as it stood; without a time only the form."""
    unit = scope.one(Unit, "organisation unit", Unit.id == unit_id)
    words, problem = language_texts(request), ""
    moment = known = None
    try:
        moment, known = _times(at, known_at, words)
    except _Unreadable as refused:
        problem = str(refused)
    wanted = state if state in set(State) else ""
    asked = Asked(moment, known, wanted, rule, subject)
    return render(
        request,
        "past.html",
        scope=scope,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
        secure=context.settings.secure_cookies,
        view=(view := past_view(scope, context.pack, unit, asked, words)),
        typed={"at": _field(moment) or at, "known_at": _field(known) or known_at},
        latest=_field(datetime.now(UTC)),
        problem=problem,
        sample=view.sample,
    )


def _field(at: datetime | None) -> str:
    """Write a time as a form's field holds it."""
    return "" if at is None else f"{at.astimezone(LOCAL):%Y-%m-%dT%H:%M:%S}"


@router.get("/verdicts/{verdict_id}/at")
def past_verdict_page(
    request: Request,
    context: Shared,
    scope: CurrentScope,
    verdict_id: Annotated[int, Path(ge=1, le=2**53)],
    at: Time = "",
    known_at: Time = "",
) -> Response:
    """Show what stood in the place of a verdict: same subject, same rule."""
    verdict = scope.one(Verdict, "verdict", Verdict.id == verdict_id)
    words, problem = language_texts(request), ""
    moment = known = None
    try:
        moment, known = _times(at, known_at, words)
        if moment is None:
            problem = words("past_wants_time")
    except _Unreadable as refused:
        problem = str(refused)
    view = past_verdict_view(scope, context.pack, verdict, Asked(moment, known), words)
    return render(
        request,
        "past_verdict.html",
        scope=scope,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
        secure=context.settings.secure_cookies,
        view=view,
        problem=problem,
        sample=view.sample,
    )
