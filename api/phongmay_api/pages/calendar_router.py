"""Routes of the page of calendars: entries, their correction, iCalendar with preview, timetables of rooms.

A form that makes no sense brings the page back with what was typed (422); a file that no longer does what its preview
showed with the new preview (409). Nothing is written then.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from phongmay_api.access.scope import CurrentScope, Scope, authorize
from phongmay_api.calendar import acting
from phongmay_api.calendar.acting import FileEffect
from phongmay_api.calendar.router import ics_file
from phongmay_api.context import Context, Shared
from phongmay_api.pages.calendar import EntryProblem, calendar_view, entry_of
from phongmay_api.pages.calendar_words import why_in
from phongmay_api.pages.forms import Sent, file_of, texts_of
from phongmay_api.pages.rendering import language_texts, render
from phongmay_store.register.calendar import CalendarError, CalendarKind
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Room
from phongmay_store.register.timetable import TimetableError

router = APIRouter(dependencies=[Depends(authorize)], include_in_schema=False)
_NOTHING: Mapping[str, str] = {}


def _page(
    request: Request,
    context: Context,
    scope: Scope,
    unit: Unit,
    *,
    typed: Mapping[str, str] = _NOTHING,
    problem: str = "",
    status: HTTPStatus = HTTPStatus.OK,
    effect: FileEffect | None = None,
    file: tuple[str, str, str] = ("", "", ""),
    done: bool = False,
) -> Response:
    view = calendar_view(scope, unit, language_texts(request), effect)
    return render(
        request,
        "calendar.html",
        scope=scope,
        status=status,
        path=f"/units/{unit.id}/calendar",
        secure=context.settings.secure_cookies,
        view=view,
        typed=typed,
        problem=problem,
        file=file,
        done=done,
        sample=view.sample,
    )


def _lead(unit_id: str) -> Response:
    return RedirectResponse(f"/units/{unit_id}/calendar?done=yes", HTTPStatus.SEE_OTHER.value)


@router.get("/units/{unit_id}/calendar")
def calendar_page(
    request: Request,
    context: Shared,
    scope: CurrentScope,
    unit_id: str,
    done: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Show a unit's calendar, its rooms' timetables, and the hours that come of them."""
    return _page(request, context, scope, acting.unit_of(scope, unit_id), done=done == "yes")


@router.get("/units/{unit_id}/calendar.ics")
def calendar_file(scope: CurrentScope, unit_id: str) -> Response:
    """Give the unit's own entries as an iCalendar file."""
    return ics_file(scope, unit_id)


@router.post("/units/{unit_id}/calendar")
def add_entry(request: Request, context: Shared, scope: CurrentScope, unit_id: str, sent: Sent) -> Response:
    """Enter an entry."""
    unit, form, words = acting.unit_of(scope, unit_id), texts_of(sent), language_texts(request)
    fields = [form.get(name, "") for name in ("kind", "first", "last", "name", "hours")]
    try:
        acting.enter(scope, unit_id, entry_of(*fields))
    except EntryProblem as error:
        problem = words.word("calendar_problem", str(error))
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return _page(request, context, scope, unit, typed=form, problem=problem, status=status)
    return _lead(unit_id)


@router.post("/units/{unit_id}/calendar/{entry}/removal")
def remove_entry(scope: CurrentScope, unit_id: str, entry: str) -> Response:
    """Take an entry back."""
    acting.take_back(scope, unit_id, entry)
    return _lead(unit_id)


@router.post("/units/{unit_id}/calendar/file")
def take_file(request: Request, context: Shared, scope: CurrentScope, unit_id: str, sent: Sent) -> Response:
    """Show what an iCalendar file would do, or do it when its preview was confirmed."""
    unit, form, words = acting.unit_of(scope, unit_id), texts_of(sent), language_texts(request)
    kind = CalendarKind(form["kind"]) if form.get("kind") in set(CalendarKind) else None
    uploaded = file_of(sent) or _again(form)
    unprocessable = HTTPStatus.UNPROCESSABLE_ENTITY
    if uploaded is None:
        return _page(request, context, scope, unit, problem=words("calendar_no_file"), status=unprocessable)
    name, content = uploaded[0][:120], uploaded[1]
    problem, status = "", HTTPStatus.OK
    try:
        if mark := form.get("preview", ""):
            effect, is_done = acting.apply_file(scope, unit_id, name, content, kind, mark)
            if is_done:
                return _lead(unit_id)
            problem, status = words("calendar_moved"), HTTPStatus.CONFLICT
        else:
            effect = acting.preview_file(scope, unit_id, name, content, kind)
    except CalendarError as error:
        scope.session.rollback()
        problem = words("calendar_bad_file", why=why_in(str(error), words.language))
        return _page(request, context, scope, acting.unit_of(scope, unit_id), problem=problem, status=unprocessable)
    kept = (name, base64.urlsafe_b64encode(content).decode(), kind.value if kind else "")
    unit = acting.unit_of(scope, unit_id)  # the preview was taken back, and with it what had been read
    return _page(request, context, scope, unit, effect=effect, file=kept, problem=problem, status=status)


def _again(form: Mapping[str, str]) -> tuple[str, bytes] | None:
    """Give the file that travels in the form between preview and confirmation."""
    try:
        content = base64.b64decode(form.get("content", ""), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return (form.get("filename") or "calendar.ics", content) if content else None


@router.post("/rooms/{room_id}/timetable")
def set_timetable(request: Request, context: Shared, scope: CurrentScope, room_id: str, sent: Sent) -> Response:
    """Set when a room is in use, from now on."""
    form, words = texts_of(sent), language_texts(request)
    unit_id = scope.one(Room, "room", Room.id == room_id).school_id
    text = form.get("timetable", "")[:300]
    try:
        acting.set_timetable(scope, room_id, text)
    except TimetableError:
        return _page(
            request, context, scope, acting.unit_of(scope, unit_id), typed={f"timetable-{room_id}": text},
            problem=words("calendar_problem_timetable"), status=HTTPStatus.UNPROCESSABLE_ENTITY,
        )  # fmt: skip
    return _lead(unit_id)
