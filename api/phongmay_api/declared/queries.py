"""Reads and writes declared facts inside a scope: what is declared, what is measured beside it, whether they agree.

A subject outside the scope is 404. What is wrong with a value is a 422 that names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from phongmay_api.access.scope import Scope
from phongmay_api.problems import not_found
from phongmay_rules.facts.declared import MEASURED_AS
from phongmay_store.register.base import Versioned, utc_now
from phongmay_store.register.compliance import CurrentFact, Fact, SubjectKind
from phongmay_store.register.declared import Declarable
from phongmay_store.register.declaring import ITEMS, LINE, Said, declared_now
from phongmay_store.register.device import Device, DeviceState
from phongmay_store.register.importing_columns import moment
from phongmay_store.register.organisation import Unit, UnitKind
from phongmay_store.register.place import Line, Room
from phongmay_store.register.timetable import LOCAL

MAX_BY = 60
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


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


def unit_above(scope: Scope, unit_id: str) -> Unit:
    """Give a unit above schools of the scope."""
    return scope.one(Unit, "unit above schools", Unit.id == unit_id, Unit.kind != UnitKind.SCHOOL)


def any_unit(scope: Scope, unit_id: str) -> Unit:
    """Give a unit of the scope, a school or one above."""
    return scope.one(Unit, "unit", Unit.id == unit_id)


def thing(scope: Scope, kind: str, subject_id: str) -> tuple[str, Versioned]:
    """Give a subject of the scope with the school that it belongs to; a unit above schools belongs to itself.

    Raises:
        Problem: 404 or 403.
    """
    if kind == SubjectKind.SCHOOL:
        return subject_id, school(scope, subject_id)
    if kind == SubjectKind.DISTRICT:
        return subject_id, unit_above(scope, subject_id)
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
