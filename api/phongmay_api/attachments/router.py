"""Routes of the papers and photographs that organisation units hand in, as evidence of what is declared or stated."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Response

from phongmay_api.access.scope import CurrentScope
from phongmay_api.attachments import queries
from phongmay_api.attachments.schemas import AttachmentOut
from phongmay_api.bodies import BYTES, SENT_FILE, SentFile
from phongmay_api.context import Shared
from phongmay_api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, read_cursor, split
from phongmay_api.routing import api_router
from phongmay_store.cleaning import MediaType
from phongmay_store.errors import StoreError
from phongmay_store.register.attachment import Attachment
from phongmay_store.register.organisation import Unit

router = api_router("attachments")
_Hash = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
_ALL = "/organisation-units/{unit_id}/attachments"
_ONE = _ALL + "/{sha256}"
_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file, to be saved.",
        "content": {kind.value: BYTES for kind in MediaType},
    }
}


def _attachment(row: Attachment) -> AttachmentOut:
    return AttachmentOut(
        sha256=row.sha256, media_type=row.media_type, size=row.size, recorded_at=row.recorded_at
    )  # fmt: skip


@router.get(_ALL, summary="List a unit's attachments")
def list_attachments(
    scope: CurrentScope, unit_id: str, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[AttachmentOut]:
    """Give the papers and photographs that a unit handed in, in order of hash."""
    key = read_cursor(cursor, str)
    rows = queries.listed(scope, unit_id, key[0] if key else None, limit + 1)
    page, following = split(rows, limit, lambda row: (row.sha256,))
    return Page(items=[_attachment(row) for row in page], next_cursor=following)


@router.post(_ALL, status_code=201, summary="Hand in a file", openapi_extra=SENT_FILE)
def post_attachment(context: Shared, scope: CurrentScope, unit_id: str, payload: SentFile) -> AttachmentOut:
    """Keep a JPEG, PNG or PDF, told by its bytes; a picture without what it says about place and person."""
    unit = scope.one(Unit, "organisation unit", Unit.id == unit_id)
    row = queries.keep(scope, context.attachments, unit.id, queries.checked(context.attachments, payload))
    scope.session.commit()
    return _attachment(row)


@router.get(_ONE, summary="Get a file", response_class=Response, responses=_FILES)
def get_attachment(context: Shared, scope: CurrentScope, unit_id: str, sha256: _Hash) -> Response:
    """Give a paper or photograph to those who may see the unit, always to be saved, never to be shown as a page."""
    row = queries.one(scope, unit_id, sha256)
    try:
        payload = context.attachments.get(sha256)
    except StoreError as error:
        raise queries.files_unavailable(error) from error
    name = f"{sha256[:12]}.{MediaType(row.media_type).ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return Response(payload, media_type=row.media_type, headers=headers)
