"""Routes of devices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from phongmay_api.access.scope import CurrentScope, Scope
from phongmay_api.context import Series
from phongmay_api.devices import queries
from phongmay_api.devices.schemas import DeviceOut, PresenceOut, SeatOut
from phongmay_api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, read_cursor, split
from phongmay_api.routing import api_router
from phongmay_store.register.device import Device, DeviceKind
from phongmay_store.register.place import Seat
from phongmay_store.series.interface import Presence, SeriesReader

router = api_router("devices")


def _seat(seat: Seat | None) -> SeatOut | None:
    return None if seat is None else SeatOut(id=seat.id, label=seat.label, row=seat.row, column=seat.column)


def _presence(presence: Presence | None) -> PresenceOut | None:
    if presence is None:
        return None
    return PresenceOut(
        state=presence.state,
        since=datetime.fromtimestamp(presence.since, UTC),
        last_seen=datetime.fromtimestamp(presence.last_seen, UTC),
        agent=presence.agent,
    )


def _out(scope: Scope, series: SeriesReader, devices: Sequence[Device]) -> list[DeviceOut]:
    seats = queries.seats(scope, devices)
    conflicts = queries.in_conflict(scope, devices)
    presences = queries.presences(series, [device.id for device in devices])
    return [
        DeviceOut(
            id=device.id,
            unit_id=device.school_id,
            room_id=device.room_id,
            seat=_seat(seats.get(device.seat_id or "")),
            code=device.code,
            kind=device.kind,
            state=device.state,
            agent_since=device.agent_since,
            identity_conflict=device.id in conflicts,
            presence=_presence(presences.get(device.id)),
        )
        for device in devices
    ]


@router.get("/devices", summary="List devices")
def list_devices(
    scope: CurrentScope,
    series: Series,
    unit: Annotated[str | None, Query(description="Only devices of this unit and everything below it.")] = None,
    room: Annotated[str | None, Query(description="Only devices of this room.")] = None,
    kind: Annotated[DeviceKind | None, Query(description="Only devices of this kind.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[DeviceOut]:
    """Give the devices that you may see, in order of id."""
    key = read_cursor(cursor, str)
    rows = queries.devices(scope, unit, room, kind, key[0] if key else None, limit + 1)
    page, following = split(rows, limit, lambda device: (device.id,))
    return Page(items=_out(scope, series, page), next_cursor=following)


@router.get("/devices/{device_id}", summary="Get a device")
def get_device(scope: CurrentScope, series: Series, device_id: str) -> DeviceOut:
    """Give one device with its seat and its presence."""
    return _out(scope, series, [queries.device(scope, device_id)])[0]
