"""Routes of declared facts, of a school's own file of them, and of the papers and photographs that show them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response

from phongmay_api.access.scope import CurrentScope, Scope
from phongmay_api.context import Shared
from phongmay_api.declared import queries
from phongmay_api.declared.schemas import (
    AttachmentOut,
    ChangeOut,
    DeclarationIn,
    DeclaredOut,
    FaultOut,
    ItemOut,
    MeasuredOut,
    PreviewOut,
    SaidOut,
    SubjectOut,
    VersionOut,
)
from phongmay_api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, read_cursor, split
from phongmay_api.problems import Problem, bad_value, not_found
from phongmay_api.routing import api_router
from phongmay_store.cleaning import MediaType
from phongmay_store.errors import StoreError
from phongmay_store.register.attachment import Attachment
from phongmay_store.register.base import Versioned, utc_now
from phongmay_store.register.declared import Declared
from phongmay_store.register.declaring import CLEAR, ITEMS, Said, Wish, declare, history, said, understood
from phongmay_store.register.importing_school import Preview, PreviewMoved, apply_school_file, preview_school_file

router = api_router("declared facts")
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_FILE = {"requestBody": {"required": True, "content": {"application/octet-stream": _BYTES}}}
_Hash = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


async def sent_file(request: Request) -> bytes:
    """Give the bytes of a request as they came, whatever type it names."""
    return await request.body()


_Sent = Annotated[bytes, Depends(sent_file)]


def _said(found: Said) -> SaidOut:
    return SaidOut(
        value=found.value, since=found.since, recorded_at=found.recorded_at, declared_by=found.by,
        attachment_sha256=found.attachment_sha256,
    )  # fmt: skip


def _item(line: queries.BothSides) -> ItemOut:
    beside = line.measured
    return ItemOut(
        item=line.kind.name, unit=line.kind.unit, factor=line.kind.factor, low=line.kind.low, high=line.kind.high,
        declared=_said(line.said) if line.said else None,
        measured=MeasuredOut(value=beside.value, at=beside.at, registered=beside.registered) if beside else None,
        disagrees=line.disagrees,
    )  # fmt: skip


def _version(row: Declared) -> VersionOut:
    return VersionOut(
        item=row.name, value=row.value, declared_by=row.declared_by, attachment_sha256=row.attachment_sha256,
        valid_from=row.valid_from, valid_to=row.valid_to, recorded_at=row.recorded_at, superseded_at=row.superseded_at,
    )  # fmt: skip


def _subject(scope: Scope, kind: str, unit_id: str, row: Versioned, versions: list[VersionOut] | None) -> SubjectOut:
    lines = queries.sheets(scope, unit_id, kind, [row])[row.id]
    return SubjectOut(
        kind=kind, id=row.id, unit_id=unit_id, items=[_item(line) for line in lines], history=versions
    )  # fmt: skip


@router.get("/schools/{unit_id}/declared", summary="List a school's declared facts")
def list_declared(
    scope: CurrentScope, unit_id: str, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[DeclaredOut]:
    """Give every declaration of a school that holds now, in order of id."""
    key = read_cursor(cursor, str)
    statement = scope.select(Declared, [queries.school(scope, unit_id).id])
    if key is not None:
        statement = statement.where(Declared.id > key[0])
    rows = scope.session.scalars(statement.order_by(Declared.id).limit(limit + 1)).all()
    page, following = split(rows, limit, lambda row: (row.id,))
    items = [
        DeclaredOut(
            id=row.id, unit_id=row.school_id, subject_kind=row.subject_kind, subject_id=row.subject_id, item=row.name,
            declared=_said(said(row)),
        )
        for row in page
    ]  # fmt: skip
    return Page(items=items, next_cursor=following)


@router.get("/declared/{kind}/{subject_id}", summary="Get what is declared and measured of a subject")
def get_declared(
    scope: CurrentScope,
    kind: str,
    subject_id: str,
    past: Annotated[bool, Query(alias="history", description="Give former versions too.")] = False,
) -> SubjectOut:
    """Give every item that may be declared of a school, line, room or device, with what is measured beside it."""
    unit_id, row = queries.thing(scope, kind, subject_id)
    versions = [_version(old) for old in history(scope.session, kind, row.id)] if past else None
    return _subject(scope, kind, unit_id, row, versions)


@router.put("/declared/{kind}/{subject_id}/{item}", summary="Declare one item")
def put_declared(scope: CurrentScope, kind: str, subject_id: str, item: str, wanted: DeclarationIn) -> SubjectOut:
    """Declare a value, correct it, or take it back; what was declared before stays in the history."""
    unit_id, row = queries.thing(scope, kind, subject_id)
    known = next((found for found in ITEMS[kind] if found.name == item), None)
    if known is None:
        raise not_found(f"item of a {kind}")
    if wanted.unit is not None and wanted.unit.casefold() != known.unit.casefold():
        raise bad_value("body/unit", f"Expected {known.unit!r}, the unit of {item!r}.")
    text = _text(wanted.value)
    if text != CLEAR:
        _, problem = understood(known, text)
        if problem:
            raise bad_value("body/value", f"{item}: {problem}.")
    by = " ".join(wanted.declared_by.split())
    if not by:
        raise bad_value("body/declared_by", "Expected a function or office.")
    since = utc_now() if wanted.valid_from is None else _since(wanted.valid_from, "body/valid_from")
    if wanted.attachment_sha256:
        queries.require_attachment(scope, unit_id, wanted.attachment_sha256, "body/attachment_sha256")
    declare(scope.session, unit_id, row, [Wish(known, text, by, since, wanted.attachment_sha256)])
    scope.session.commit()
    return _subject(scope, kind, unit_id, queries.thing(scope, kind, subject_id)[1], None)


def _text(value: float | bool | str | None) -> str:
    if value is None:
        return CLEAR
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{Decimal(str(value)):f}"


def _since(text: str, pointer: str) -> datetime:
    since = queries.since_when(text)
    if since is None:
        raise bad_value(pointer, "Expected a day like 2026-09-05 or a time with zone, from 2000 on, not in the future.")
    return since


_Name = Annotated[str, Query(max_length=200, description="Name of the file; its ending says CSV, XLSX or JSON.")]
_Since = Annotated[str | None, Query(max_length=40, description="Since when it holds (day or time); default: today.")]


def _day(text: str | None) -> datetime:
    return _since(queries.today() if text is None else text, "query/since")


def _preview(found: Preview) -> PreviewOut:
    changes = [
        ChangeOut(
            sheet=change.kind, key=change.key, line=change.line, action=change.action.value,
            differences={name: list(pair) for name, pair in change.differences.items()},
        )
        for change in found.changes
    ]  # fmt: skip
    faults = [
        FaultOut(file=fault.file, line=fault.line, column=fault.column, value=fault.value, expected=fault.expected)
        for fault in found.errors
    ]
    return PreviewOut(preview=found.mark, changes=changes, errors=faults)


@router.post("/schools/{unit_id}/declared-file/preview", summary="Preview a school's file", openapi_extra=_FILE)
def preview_file(scope: CurrentScope, unit_id: str, payload: _Sent, name: _Name, since: _Since = None) -> PreviewOut:
    """Tell what a CSV, XLSX or JSON file of declared facts would do, and every fault; nothing is stored."""
    unit = queries.school(scope, unit_id)
    return _preview(preview_school_file(scope.session, unit.id, name, payload, _day(since)))


@router.post("/schools/{unit_id}/declared-file/apply", summary="Apply a previewed file", openapi_extra=_FILE)
def apply_file(
    scope: CurrentScope,
    unit_id: str,
    payload: _Sent,
    name: _Name,
    since: _Since = None,
    preview: Annotated[str, Query(max_length=64, description="Mark of the preview of the same file.")] = "",
) -> PreviewOut:
    """Store what the preview showed; 409 when file or register have changed since. A second time changes nothing."""
    unit = queries.school(scope, unit_id)
    try:
        done = apply_school_file(scope.session, unit.id, name, payload, _day(since), preview)
    except PreviewMoved as moved:
        errors = [
            {"pointer": f"{fault.file}/{fault.line}/{fault.column}", "detail": str(fault)}
            for fault in moved.preview.errors
        ]
        detail = "The file has faults; nothing was stored." if errors else f"{moved}.".capitalize()
        raise Problem(HTTPStatus.CONFLICT, "preview_moved", detail, errors=errors or None) from moved
    scope.session.commit()
    return _preview(done)


def _attachment(row: Attachment) -> AttachmentOut:
    return AttachmentOut(
        sha256=row.sha256, media_type=row.media_type, size=row.size, recorded_at=row.recorded_at
    )  # fmt: skip


@router.get("/schools/{unit_id}/attachments", summary="List a school's attachments")
def list_attachments(
    scope: CurrentScope, unit_id: str, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[AttachmentOut]:
    """Give the papers and photographs that a school handed in, in order of hash."""
    key = read_cursor(cursor, str)
    rows = queries.attachments(scope, unit_id, key[0] if key else None, limit + 1)
    page, following = split(rows, limit, lambda row: (row.sha256,))
    return Page(items=[_attachment(row) for row in page], next_cursor=following)


@router.post("/schools/{unit_id}/attachments", status_code=201, summary="Hand in a file", openapi_extra=_FILE)
def post_attachment(context: Shared, scope: CurrentScope, unit_id: str, payload: _Sent) -> AttachmentOut:
    """Keep a JPEG, PNG or PDF, told by its bytes; a picture without what it says about place and person."""
    unit = queries.school(scope, unit_id)
    row = queries.keep(scope, context.attachments, unit.id, queries.checked(context.attachments, payload))
    scope.session.commit()
    return _attachment(row)


_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file, to be saved.",
        "content": {kind.value: _BYTES for kind in MediaType},
    }
}


@router.get("/schools/{unit_id}/attachments/{sha256}", summary="Get a file", response_class=Response, responses=_FILES)
def get_attachment(context: Shared, scope: CurrentScope, unit_id: str, sha256: _Hash) -> Response:
    """Give a paper or photograph to those who may see the school, always to be saved, never to be shown as a page."""
    row = queries.attachment(scope, unit_id, sha256)
    try:
        payload = context.attachments.get(sha256)
    except StoreError as error:
        raise queries.files_unavailable(error) from error
    name = f"{sha256[:12]}.{MediaType(row.media_type).ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return Response(payload, media_type=row.media_type, headers=headers)
