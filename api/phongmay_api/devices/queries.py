"""Reads devices inside a scope, and what belongs to them in register and series."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select

from phongmay_api.access.scope import Scope
from phongmay_store.register.device import Device, IdentityConflict
from phongmay_store.register.place import Room, Seat
from phongmay_store.series.interface import Presence, SeriesReader


def devices(
    scope: Scope, unit: str | None, room: str | None, kind: str | None, after: str | None, limit: int
) -> Sequence[Device]:
    """Give up to `limit` devices in order of id, behind the id `after`."""
    statement = scope.select(Device, None if unit is None else [below.id for below in scope.below(unit)])
    if room is not None:
        statement = statement.where(Device.room_id == scope.one(Room, "room", Room.id == room).id)
    if kind is not None:
        statement = statement.where(Device.kind == kind)
    if after is not None:
        statement = statement.where(Device.id > after)
    return scope.session.scalars(statement.order_by(Device.id).limit(limit)).all()


def device(scope: Scope, device_id: str) -> Device:
    """Give one device of the scope.

    Raises:
        Problem: 404 or 403.
    """
    return scope.one(Device, "device", Device.id == device_id)


def seats(scope: Scope, of: Sequence[Device]) -> dict[str, Seat]:
    """Give the seats of these devices by seat id."""
    ids = sorted({found.seat_id for found in of if found.seat_id})
    return {seat.id: seat for seat in scope.session.scalars(Seat.at().where(Seat.id.in_(ids)))}


def in_conflict(scope: Scope, of: Sequence[Device]) -> set[str]:
    """Tell which of these devices have an open identity conflict."""
    statement = select(IdentityConflict.device_id).where(
        IdentityConflict.closed_at.is_(None), IdentityConflict.device_id.in_([found.id for found in of])
    )
    return set(scope.session.scalars(statement))


def presences(series: SeriesReader, ids: Collection[str]) -> dict[str, Presence]:
    """Give the presence of those of these devices that were ever heard of."""
    return {presence.device: presence for presence in series.presence(ids)} if ids else {}
