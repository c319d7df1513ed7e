"""Routes of the pages of declared facts: the form of a subject, and a school's own file with its preview.

A form is stored whole or not at all: with any fault the page comes back with what was entered and a sentence beside
each field. The file of a preview travels in the page itself, so that nothing is stored before it is confirmed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from io import BytesIO
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from phongmay_api.access.scope import CurrentScope, Scope, authorize
from phongmay_api.attachments import queries as attachments
from phongmay_api.context import Context, Shared
from phongmay_api.declared import queries
from phongmay_api.organisation.queries import external_ids
from phongmay_api.pages.declared import declared_view, filled_in, path_of
from phongmay_api.pages.declared_file import file_view
from phongmay_api.pages.forms import Sent, file_of, texts_of
from phongmay_api.pages.rendering import language_texts, render
from phongmay_api.problems import Problem, not_found
from phongmay_store.attachments import MIB, Cleaned
from phongmay_store.register.base import Versioned
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.declaring import declare
from phongmay_store.register.importing import one_at_a_time
from phongmay_store.register.importing_school import (
    SCHOOL_SHEETS,
    Preview,
    PreviewMoved,
    apply_school_file,
    preview_school_file,
)
from phongmay_store.register.importing_template import workbook
from phongmay_store.register.organisation import Unit, UnitKind

router = APIRouter(dependencies=[Depends(authorize)], include_in_schema=False)
_SEE_OTHER = HTTPStatus.SEE_OTHER.value
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MAX_NAME = 120


def _subject(scope: Scope, unit: Unit, key: str) -> tuple[str, Versioned]:
    itself = SubjectKind.SCHOOL if unit.kind == UnitKind.SCHOOL else SubjectKind.DISTRICT
    kind, _, subject_id = (key or f"{itself}:{unit.id}").partition(":")
    school_id, row = queries.thing(scope, kind, subject_id)
    if school_id != unit.id:
        raise not_found("subject of this school")
    return kind, row


def _page(
    request: Request,
    context: Context,
    scope: Scope,
    unit: Unit,
    subject: tuple[str, Versioned],
    form: Mapping[str, str],
    errors: Mapping[str, str],
    done: int | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    view = declared_view(scope, unit, *subject, language_texts(request), form, errors)
    return render(
        request,
        "declared.html",
        scope=scope,
        status=status,
        secure=context.settings.secure_cookies,
        view=view,
        sample=view.sample,
        done=done,
        today=queries.today(),
        max_mib=context.attachments.max_bytes // MIB,
    )


@router.get("/schools/{unit_id}/declared")
def declared_page(
    request: Request,
    context: Shared,
    scope: CurrentScope,
    unit_id: str,
    subject: Annotated[str, Query(max_length=100)] = "",
    done: Annotated[int | None, Query(ge=0, le=1000)] = None,
) -> Response:
    """Show what is declared and measured of a subject, and the form where one may declare."""
    unit = queries.school(scope, unit_id)
    return _page(request, context, scope, unit, _subject(scope, unit, subject), {}, {}, done)


@router.get("/units/{unit_id}/declared")
def declared_of_unit_page(
    request: Request,
    context: Shared,
    scope: CurrentScope,
    unit_id: str,
    done: Annotated[int | None, Query(ge=0, le=1000)] = None,
) -> Response:
    """Show what a unit declares about itself, and the form where one may declare; of a school its own page."""
    unit = queries.any_unit(scope, unit_id)
    return _page(request, context, scope, unit, _subject(scope, unit, ""), {}, {}, done)


@router.post("/schools/{unit_id}/declared")
def declare_now(request: Request, context: Shared, scope: CurrentScope, unit_id: str, sent: Sent) -> Response:
    """Store what a form declares, all of it or nothing."""
    return _declare(request, context, scope, queries.school(scope, unit_id), sent)


@router.post("/units/{unit_id}/declared")
def declare_of_unit(request: Request, context: Shared, scope: CurrentScope, unit_id: str, sent: Sent) -> Response:
    """Store what a form declares of a unit, all of it or nothing."""
    return _declare(request, context, scope, queries.any_unit(scope, unit_id), sent)


def _declare(request: Request, context: Context, scope: Scope, unit: Unit, sent: Sent) -> Response:
    form = texts_of(sent)
    one_at_a_time(scope.session)  # so that what the form was made from cannot change between check and writing
    kind, row = _subject(scope, unit, form.get("subject", ""))
    words = language_texts(request)
    uploaded = file_of(sent)
    sides = queries.sheets(scope, unit.id, kind, [row])[row.id]
    filled = filled_in(form, sides, words, with_file=uploaded is not None)
    file: Cleaned | None = None
    if uploaded is not None:
        try:
            file = attachments.checked(context.attachments, uploaded[1])
        except Problem as problem:
            code = problem.code.removeprefix("file_")
            filled.errors["file"] = words("file_" + code, mib=context.attachments.max_bytes // MIB)
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    if file is not None and not filled.errors:
        try:
            attachments.keep(scope, context.attachments, unit.id, file)
        except Problem as problem:
            filled.errors["file"], status = words("files_unavailable"), problem.status
    if filled.errors:
        scope.session.rollback()
        return _page(request, context, scope, unit, (kind, row), form, filled.errors, status=status)
    wishes = filled.wishes if file is None else [replace(w, attachment_sha256=file.sha256) for w in filled.wishes]
    count = declare(scope.session, unit.id, row, wishes)
    scope.session.commit()
    return RedirectResponse(f"{path_of(unit)}/declared?subject={kind}:{row.id}&done={count}", _SEE_OTHER)


def _file_page(
    request: Request,
    context: Context,
    scope: Scope,
    unit: Unit,
    *,
    since: str,
    name: str = "",
    payload: bytes = b"",
    preview: Preview | None = None,
    message: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    return render(
        request,
        "declared_file.html",
        scope=scope,
        status=status,
        secure=context.settings.secure_cookies,
        view=file_view(scope, unit, name, preview, language_texts(request)),
        sample=unit.is_sample,
        since=since,
        since_at=queries.since_when(since),
        today=queries.today(),
        content=base64.urlsafe_b64encode(payload).decode(),
        message=message,
    )


@router.get("/schools/{unit_id}/declared/file")
def file_page(request: Request, context: Shared, scope: CurrentScope, unit_id: str) -> Response:
    """Show the form for a school's file."""
    return _file_page(request, context, scope, queries.school(scope, unit_id), since=queries.today())


@router.post("/schools/{unit_id}/declared/file")
def preview_page(request: Request, context: Shared, scope: CurrentScope, unit_id: str, sent: Sent) -> Response:
    """Show what a file would do; nothing is stored."""
    unit = queries.school(scope, unit_id)
    words = language_texts(request)
    since_text = texts_of(sent).get("since", "")
    since = queries.since_when(since_text)
    uploaded = file_of(sent)
    message = ""
    if since is None:
        message = words("declared_wants_day")
    elif uploaded is None:
        message = words("import_no_file")
    elif len(uploaded[0]) > _MAX_NAME:
        message = words("import_name")
    if since is None or uploaded is None or message:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return _file_page(request, context, scope, unit, since=since_text, message=message, status=status)
    name, payload = uploaded
    preview = preview_school_file(scope.session, unit.id, name, payload, since)
    return _file_page(
        request, context, scope, unit, since=since_text, name=name, payload=payload, preview=preview
    )  # fmt: skip


@router.post("/schools/{unit_id}/declared/file/apply")
def apply_page(request: Request, context: Shared, scope: CurrentScope, unit_id: str, sent: Sent) -> Response:
    """Store what the preview showed, or show the new preview where it no longer holds."""
    unit = queries.school(scope, unit_id)
    form = texts_of(sent)
    since_text, name = form.get("since", ""), form.get("name", "")
    since = queries.since_when(since_text)
    try:
        payload = base64.b64decode(form.get("content", ""), b"-_", validate=True)
    except (binascii.Error, ValueError):
        payload = b""
    if since is None or not payload or not 0 < len(name) <= _MAX_NAME:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_value", "The form is not that of a preview; begin anew.")
    try:
        preview = apply_school_file(scope.session, unit.id, name, payload, since, form.get("preview", ""))
    except PreviewMoved as moved:
        scope.session.rollback()
        return _file_page(
            request, context, scope, unit, since=since_text, name=name, payload=payload, preview=moved.preview,
            message=language_texts(request)("import_moved"), status=HTTPStatus.CONFLICT,
        )  # fmt: skip
    scope.session.commit()
    count = sum(change.action != "unchanged" for change in preview.changes)
    return RedirectResponse(f"/schools/{unit.id}/declared?done={min(count, 1000)}", _SEE_OTHER)


@router.get("/schools/{unit_id}/declared/template.xlsx")
def template_file(scope: CurrentScope, unit_id: str) -> Response:
    """Give an empty workbook with the sheets that a school may send, its own id in the examples."""
    unit = queries.school(scope, unit_id)
    ids = [f"{row.issuer}:{row.value}" for row in external_ids(scope, unit)]
    out = BytesIO()
    workbook(SCHOOL_SHEETS, {"school": ids[0]} if ids else {}).save(out)
    headers = {"Content-Disposition": 'attachment; filename="khai-bao.xlsx"'}
    return Response(out.getvalue(), media_type=_XLSX, headers=headers)
