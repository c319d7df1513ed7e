"""Routes of measured values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime

from phongmay_api.access.scope import CurrentScope
from phongmay_api.context import Series
from phongmay_api.devices.queries import device
from phongmay_api.measurements import queries
from phongmay_api.measurements.schemas import RowOut
from phongmay_api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, read_cursor, split
from phongmay_api.problems import bad_value
from phongmay_api.routing import api_router

router = api_router("measurements")
_DAY = timedelta(days=1)


@router.get("/devices/{device_id}/measurements/latest", summary="Newest values of a device")
def latest(scope: CurrentScope, series: Series, device_id: str) -> Page[RowOut]:
    """Give the newest row of every measurement and part; there are few, so they are always on one page."""
    return Page(items=queries.latest(series, device(scope, device_id).id), next_cursor=None)


@router.get("/devices/{device_id}/measurements/{measurement}", summary="Values of a device in a stretch of time")
def stretch(
    scope: CurrentScope,
    series: Series,
    device_id: str,
    measurement: str,
    start: Annotated[AwareDatetime | None, Query(description="RFC 3339, inclusive; default: a day before end.")] = None,
    end: Annotated[AwareDatetime | None, Query(description="RFC 3339, exclusive; default: now.")] = None,
    part: Annotated[str | None, Query(description="Only this disk, interface or target.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[RowOut]:
    """Give rows in order of time and part, values in base units."""
    found = device(scope, device_id)
    kind = queries.measurement(measurement)
    until = end or datetime.now(UTC)
    since = start or until - _DAY
    if since >= until:
        raise bad_value("query/start", "start must be before end")
    key = read_cursor(cursor, float, str)
    after = (float(key[0]), str(key[1])) if key else None
    rows = queries.stretch(series, found.id, kind, since, until, part, after, limit + 1)
    page, following = split(rows, limit, lambda row: (row.at, row.part))
    return Page(items=[queries.out(kind, row) for row in page], next_cursor=following)
