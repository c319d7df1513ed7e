"""Organisation units as a free tree (city > district or cluster > ward > school) and their ids elsewhere.

Levels are data: districts ended on 1 July 2025, and the tree must outlive that.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from phongmay_store.register.base import Base, Versioned


class UnitKind(StrEnum):
    """What an organisation unit is."""

    CITY = "city"
    DISTRICT = "district"
    CLUSTER = "cluster"
    WARD = "ward"
    SCHOOL = "school"


class SchoolLevel(StrEnum):
    """Level of a school; decides which rules apply and the class-size cap."""

    MAM_NON = "mam_non"
    TIEU_HOC = "tieu_hoc"
    THCS = "thcs"
    THPT = "thpt"
    GDTX = "gdtx"


class Unit(Versioned):
    """An organisation unit; a school is one whose kind is 'school'."""

    __tablename__ = "unit"

    parent_id: Mapped[str | None] = mapped_column(index=True)
    kind: Mapped[str]
    name: Mapped[str]
    level: Mapped[str] = mapped_column(default="")
    is_sample: Mapped[bool] = mapped_column(default=False)
    """Invented for the demo; printed wherever the unit is shown."""


class ExternalId(Base):
    """The id of a unit in another system: issuer (moet, district, hcm-dti ...) and value."""

    __tablename__ = "external_id"
    __table_args__ = (UniqueConstraint("issuer", "value"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    unit_id: Mapped[str] = mapped_column(index=True)
    issuer: Mapped[str]
    value: Mapped[str]


def subtree(
    session: Session, root: str, valid_at: datetime | None = None, known_at: datetime | None = None
) -> list[Unit]:
    """Give a unit and everything below it, parents before children; empty when the unit does not exist then."""
    children: dict[str | None, list[Unit]] = {}
    found: Unit | None = None
    for unit in session.scalars(Unit.at(valid_at, known_at).order_by(Unit.name, Unit.id)):
        children.setdefault(unit.parent_id, []).append(unit)
        if unit.id == root:
            found = unit
    out: list[Unit] = []
    queue = [found] if found else []
    seen: set[str] = set()
    while queue:
        unit = queue.pop(0)
        if unit.id in seen:
            continue
        seen.add(unit.id)
        out.append(unit)
        queue[:0] = children.get(unit.id, [])
    return out


def ancestors(session: Session, unit_id: str, valid_at: datetime | None = None) -> list[Unit]:
    """Give the units above one, nearest first (without itself)."""
    by_id = {unit.id: unit for unit in session.scalars(Unit.at(valid_at))}
    out: list[Unit] = []
    current = by_id.get(unit_id)
    while current is not None and current.parent_id in by_id and len(out) < 16:
        current = by_id[current.parent_id]
        out.append(current)
    return out


def find_external(session: Session, issuer: str, value: str) -> str | None:
    """Give the unit that another system calls `value`, or None."""
    return session.scalar(select(ExternalId.unit_id).where(ExternalId.issuer == issuer, ExternalId.value == value))
