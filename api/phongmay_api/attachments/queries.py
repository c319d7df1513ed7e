"""Keeps and finds the papers and photographs of organisation units inside a scope.

A unit outside the scope is 404. A file that cannot be kept is a Problem whose code says why; nothing is stored then.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus

from sqlalchemy import select

from phongmay_api.access.scope import Scope
from phongmay_api.problems import Problem, bad_value, not_found
from phongmay_store.attachments import AttachmentFolder, Cleaned
from phongmay_store.cleaning import FileRefused
from phongmay_store.errors import StoreError
from phongmay_store.register.attachment import Attachment
from phongmay_store.register.base import utc_now
from phongmay_store.register.organisation import Unit

log = logging.getLogger(__name__)
_HASH = re.compile(r"[0-9a-f]{64}")


def link(unit_id: str, sha256: str) -> str:
    """Give the address of a file on this server."""
    return f"/api/v1/organisation-units/{unit_id}/attachments/{sha256}"


def one(scope: Scope, unit_id: str, sha256: str) -> Attachment:
    """Give what is known of a paper or photograph of a unit.

    Raises:
        Problem: 404, also where another unit handed in the same file.
    """
    scope.one(Unit, "organisation unit", Unit.id == unit_id)
    row = scope.session.get(Attachment, (unit_id, sha256))
    if row is None:
        raise not_found("attachment")
    return row


def require(scope: Scope, unit_id: str, sha256: str, pointer: str) -> None:
    """Make sure that a hash is one that the unit handed in.

    Raises:
        Problem: 422.
    """
    if not _HASH.fullmatch(sha256) or scope.session.get(Attachment, (unit_id, sha256)) is None:
        raise bad_value(pointer, "The unit has handed in no file of this hash; send it to .../attachments first.")


def known(scope: Scope, unit_id: str, hashes: Iterable[str]) -> set[str]:
    """Give those of some hashes under which a unit of the scope has handed in a file."""
    statement = select(Attachment.sha256).where(Attachment.unit_id == unit_id, Attachment.sha256.in_(set(hashes)))
    return set(scope.session.scalars(statement))


def listed(scope: Scope, unit_id: str, after: str | None, limit: int) -> Sequence[Attachment]:
    """Give up to `limit` papers and photographs of a unit, in order of hash."""
    statement = scope.select(Attachment, [scope.one(Unit, "organisation unit", Unit.id == unit_id).id])
    if after is not None:
        statement = statement.where(Attachment.sha256 > after)
    return scope.session.scalars(statement.order_by(Attachment.sha256).limit(limit)).all()


def checked(folder: AttachmentFolder, payload: bytes) -> Cleaned:
    """Take a file apart.

    Raises:
        Problem: 422, its code says why: `file_type`, `file_damaged`, `file_empty`, `file_large`.
    """
    try:
        return folder.check(payload)
    except FileRefused as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"file_{error.code}", f"{error}.") from error


def keep(scope: Scope, folder: AttachmentFolder, unit_id: str, file: Cleaned) -> Attachment:
    """Keep a file for a unit; the caller commits.

    Raises:
        Problem: 503 when it cannot be written; the log says why.
    """
    try:
        folder.put(file)
    except StoreError as error:
        raise files_unavailable(error) from error
    row = scope.session.get(Attachment, (unit_id, file.sha256))
    if row is None:
        row = Attachment(
            unit_id=unit_id, sha256=file.sha256, media_type=file.media_type.value, size=len(file.payload),
            recorded_at=utc_now(),
        )  # fmt: skip
        scope.session.add(row)
    return row


def files_unavailable(error: StoreError) -> Problem:
    """Make the 503 of a folder that is missing, full or not readable; the sentence for the operator goes to the log."""
    log.error("%s", error)
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "files_unavailable",
        "The server cannot keep or give out files at the moment (its log names the cause); nothing was stored.",
        {"Retry-After": "60"},
    )
