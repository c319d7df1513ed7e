"""Routes of organisation units and rooms."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from phongmay_api.access.scope import CurrentScope, Scope
from phongmay_api.organisation import queries
from phongmay_api.organisation.schemas import ExternalIdOut, MeOut, RoomOut, UnitDetail, UnitOut
from phongmay_api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, read_cursor, split
from phongmay_api.routing import api_router
from phongmay_store.register.organisation import Unit, UnitKind
from phongmay_store.register.place import RoomKind

router = api_router("organisation")


def _parent(scope: Scope, unit: Unit) -> str | None:
    return unit.parent_id if unit.parent_id in scope.visible else None


def _unit(scope: Scope, unit: Unit) -> dict[str, Any]:
    return {
        "id": unit.id,
        "parent_id": _parent(scope, unit),
        "kind": unit.kind,
        "level": unit.level,
        "name": unit.name,
        "is_sample": unit.is_sample,
    }


@router.get("/me", summary="Who am I")
def me(scope: CurrentScope) -> MeOut:
    """Give the name and the roles of the key or account that asks."""
    return MeOut(name=scope.principal.name, roles={unit: role.value for unit, role in scope.principal.grants.items()})


@router.get("/organisation-units", summary="List organisation units")
def list_units(
    scope: CurrentScope,
    kind: Annotated[UnitKind | None, Query(description="Only units of this kind.")] = None,
    parent: Annotated[str | None, Query(description="Only units right below this one.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[UnitOut]:
    """Give the units that you may see, in order of id."""
    key = read_cursor(cursor, str)
    rows = queries.units(scope, kind, parent, key[0] if key else None, limit + 1)
    page, following = split(rows, limit, lambda unit: (unit.id,))
    return Page(items=[UnitOut(**_unit(scope, unit)) for unit in page], next_cursor=following)


@router.get("/organisation-units/{unit_id}", summary="Get an organisation unit")
def get_unit(scope: CurrentScope, unit_id: str) -> UnitDetail:
    """Give one unit with its ids in other systems."""
    unit = scope.one(Unit, "organisation unit", Unit.id == unit_id)
    ids = [ExternalIdOut(issuer=row.issuer, value=row.value) for row in queries.external_ids(scope, unit)]
    return UnitDetail(**_unit(scope, unit), external_ids=ids)


@router.get("/rooms", summary="List rooms")
def list_rooms(
    scope: CurrentScope,
    unit: Annotated[str | None, Query(description="Only rooms of this unit and everything below it.")] = None,
    kind: Annotated[RoomKind | None, Query(description="Only rooms of this kind.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[RoomOut]:
    """Give the rooms that you may see, in order of id."""
    key = read_cursor(cursor, str)
    rows = queries.rooms(scope, unit, kind, key[0] if key else None, limit + 1)
    page, following = split(rows, limit, lambda room: (room.id,))
    items = [
        RoomOut(
            id=room.id,
            unit_id=room.school_id,
            name=room.name,
            kind=room.kind,
            class_size=room.class_size,
            timetable=room.timetable,
        )
        for room in page
    ]
    return Page(items=items, next_cursor=following)
