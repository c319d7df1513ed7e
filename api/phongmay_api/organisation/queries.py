"""Reads organisation units and rooms inside a scope."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from phongmay_api.access.scope import Scope
from phongmay_store.register.organisation import ExternalId, Unit
from phongmay_store.register.place import Room


def units(scope: Scope, kind: str | None, parent: str | None, after: str | None, limit: int) -> Sequence[Unit]:
    """Give up to `limit` units in order of id, behind the id `after`."""
    statement = scope.select(Unit)
    if kind is not None:
        statement = statement.where(Unit.kind == kind)
    if parent is not None:
        statement = statement.where(Unit.parent_id == scope.one(Unit, "organisation unit", Unit.id == parent).id)
    if after is not None:
        statement = statement.where(Unit.id > after)
    return scope.session.scalars(statement.order_by(Unit.id).limit(limit)).all()


def external_ids(scope: Scope, unit: Unit) -> Sequence[ExternalId]:
    """Give the ids that other systems have for a unit of the scope."""
    statement = select(ExternalId).where(ExternalId.unit_id == unit.id)
    return scope.session.scalars(statement.order_by(ExternalId.issuer, ExternalId.value)).all()


def rooms(scope: Scope, unit: str | None, kind: str | None, after: str | None, limit: int) -> Sequence[Room]:
    """Give up to `limit` rooms in order of id, behind the id `after`."""
    statement = scope.select(Room, None if unit is None else [below.id for below in scope.below(unit)])
    if kind is not None:
        statement = statement.where(Room.kind == kind)
    if after is not None:
        statement = statement.where(Room.id > after)
    return scope.session.scalars(statement.order_by(Room.id).limit(limit)).all()
