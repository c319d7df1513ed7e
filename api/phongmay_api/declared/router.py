"""Routes of declared facts and of a school's own file of them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated

from fastapi import Query

from phongmay_api.access.scope import CurrentScope, Scope
from phongmay_api.attachments import queries as attachments
from phongmay_api.bodies import SENT_FILE, SentFile
from phongmay_api.declared import queries
from phongmay_api.declared.schemas import (
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
from phongmay_store.register.base import Versioned, utc_now
from phongmay_store.register.declared import Declared
from phongmay_store.register.declaring import CLEAR, ITEMS, Said, Wish, declare, history, said, understood
from phongmay_store.register.importing_numbers import exact
from phongmay_store.register.importing_school import Preview, PreviewMoved, apply_school_file, preview_school_file

router = api_router("declared facts")


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
    """Give every item that may be declared of a school, line, room, device or (`district`) unit above schools.

    What is measured stands beside it.
    """
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
        attachments.require(scope, unit_id, wanted.attachment_sha256, "body/attachment_sha256")
    declare(scope.session, unit_id, row, [Wish(known, text, by, since, wanted.attachment_sha256)])
    scope.session.commit()
    return _subject(scope, kind, unit_id, queries.thing(scope, kind, subject_id)[1], None)


def _text(value: float | bool | str | None) -> str:
    if value is None:
        return CLEAR
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else exact(f"{Decimal(str(value)):f}")


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


@router.post("/schools/{unit_id}/declared-file/preview", summary="Preview a school's file", openapi_extra=SENT_FILE)
def preview_file(scope: CurrentScope, unit_id: str, payload: SentFile, name: _Name, since: _Since = None) -> PreviewOut:
    """Tell what a CSV, XLSX or JSON file of declared facts would do, and every fault; nothing is stored."""
    unit = queries.school(scope, unit_id)
    return _preview(preview_school_file(scope.session, unit.id, name, payload, _day(since)))


@router.post("/schools/{unit_id}/declared-file/apply", summary="Apply a previewed file", openapi_extra=SENT_FILE)
def apply_file(
    scope: CurrentScope,
    unit_id: str,
    payload: SentFile,
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
