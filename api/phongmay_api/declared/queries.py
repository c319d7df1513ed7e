"""Reads and writes declared facts inside a scope: what is declared, what is measured beside it, whether they agree.

A subject outside the scope is 404. What is wrong with a value is a 422 that names it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from sqlalchemy import select

from phongmay_api.access.scope import Scope
from phongmay_api.problems import Problem, bad_value, not_found
from phongmay_rules.facts.declared import MEASURED_AS
from phongmay_store.attachments import AttachmentFolder, Cleaned
from phongmay_store.cleaning import FileRefused
from phongmay_store.errors import StoreError
from phongmay_store.register.attachment import Attachment
from phongmay_store.register.base import Versioned, utc_now
from phongmay_store.register.compliance import CurrentFact, Fact, SubjectKind
from phongmay_store.register.declared import Declarable
from phongmay_store.register.declaring import ITEMS, LINE, Said, declared_now
from phongmay_store.register.device import Device, DeviceState
from phongmay_store.register.importing_columns import moment
from phongmay_store.register.organisation import Unit, UnitKind
from phongmay_store.register.place import Line, Room
from phongmay_store.register.timetable import LOCAL

log = logging.getLogger(__name__)
MAX_BY = 60
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Measured:
    """What a probe found, or what the register counts (a display that is entered as a device).

    Attributes:
        value: in the base unit of the item.
        registered: it comes from the register, not from a probe.
    """

    value: float | str
    at: datetime
    registered: bool


@dataclass(frozen=True, slots=True)
class BothSides:
    """One item of one subject, both sides."""

    kind: Declarable
    said: Said | None
    measured: Measured | None

    @property
    def disagrees(self) -> bool | None:
        """Whether the two differ; None = there are not both."""
        if self.said is None or self.measured is None:
            return None
        ours, theirs = self.said.value, self.measured.value
        if isinstance(ours, str) and isinstance(theirs, str):
            return ours.casefold() != theirs.casefold()
        return ours != theirs


def school(scope: Scope, unit_id: str) -> Unit:
    """Give a school of the scope."""
    return scope.one(Unit, "school", Unit.id == unit_id, Unit.kind == UnitKind.SCHOOL)


def thing(scope: Scope, kind: str, subject_id: str) -> tuple[str, Versioned]:
    """Give a subject of the scope with the school that it belongs to.

    Raises:
        Problem: 404 or 403.
    """
    if kind == SubjectKind.SCHOOL:
        return subject_id, school(scope, subject_id)
    if kind == SubjectKind.ROOM:
        room = scope.one(Room, "room", Room.id == subject_id)
        return room.school_id, room
    if kind == SubjectKind.DEVICE:
        device = scope.one(Device, "device", Device.id == subject_id, Device.state != DeviceState.RETIRED)
        return device.school_id, device
    if kind == LINE:
        line = scope.one(Line, "line", Line.id == subject_id)
        return line.school_id, line
    raise not_found("subject of this kind")


def sheets(scope: Scope, unit_id: str, kind: str, things: Iterable[Versioned]) -> dict[str, list[BothSides]]:
    """Give every item of some subjects of one school, by subject, in the order of the form."""
    rows = list(things)
    said = declared_now(scope.session, rows, kind)
    measured = _measured(scope, unit_id, kind)
    return {
        row.id: [
            BothSides(item, said[row.id].get(item.name), measured.get((row.id, item.name))) for item in ITEMS[kind]
        ]
        for row in rows
    }  # fmt: skip


def _measured(scope: Scope, unit_id: str, kind: str) -> Mapping[tuple[str, str], Measured]:
    """Give what stands beside declarations of a school's subjects of a kind, by subject and item."""
    twins = {MEASURED_AS[item.name]: item.name for item in ITEMS[kind] if item.name in MEASURED_AS}
    if not twins:
        return {}
    statement = (
        select(Fact)
        .join(CurrentFact, CurrentFact.fact_id == Fact.id)
        .where(CurrentFact.unit_id == unit_id, CurrentFact.subject_kind == kind, CurrentFact.name.in_(twins))
    )
    out: dict[tuple[str, str], Measured] = {}
    for fact in scope.session.scalars(statement):
        value: float | str | None = fact.text if fact.number is None else fact.number
        if twins[fact.name] == "os" and value is not None:  # the fact counts days; what was seen stands in its detail
            seen = (str(fact.detail.get("os_id") or ""), str(fact.detail.get("os_version") or ""))
            value = " ".join(seen).strip() or None
        sources = [str(source) for source in fact.sources]
        if value is None or any(source.startswith("register:declared/") for source in sources):
            continue
        registered = any(source.startswith("register:") for source in sources)
        out[fact.subject_id, twins[fact.name]] = Measured(value, fact.valid_at, registered)
    return out


def since_when(text: str) -> datetime | None:
    """Read since when something holds: a day or a time with zone, not in the future; None = it is none."""
    try:
        at = moment(text.strip())
    except (ValueError, OverflowError):
        return None
    return at if EARLIEST <= at <= utc_now() else None


def today() -> str:
    """Give the present day in Vietnam."""
    return utc_now().astimezone(LOCAL).date().isoformat()


def attachment(scope: Scope, unit_id: str, sha256: str) -> Attachment:
    """Give what is known of a paper or photograph of a school.

    Raises:
        Problem: 404, also where another school handed in the same file.
    """
    school(scope, unit_id)
    row = scope.session.get(Attachment, (unit_id, sha256))
    if row is None:
        raise not_found("attachment")
    return row


def require_attachment(scope: Scope, unit_id: str, sha256: str, pointer: str) -> None:
    """Make sure that a hash is one that the school handed in.

    Raises:
        Problem: 422.
    """
    if not _HASH.fullmatch(sha256) or scope.session.get(Attachment, (unit_id, sha256)) is None:
        raise bad_value(pointer, "The school has handed in no file of this hash; send it to .../attachments first.")


def attachments(scope: Scope, unit_id: str, after: str | None, limit: int) -> Sequence[Attachment]:
    """Give up to `limit` papers and photographs of a school, in order of hash."""
    statement = scope.select(Attachment, [school(scope, unit_id).id])
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
    """Keep a file for a school; the caller commits.

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
            school_id=unit_id, sha256=file.sha256, media_type=file.media_type.value, size=len(file.payload),
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
