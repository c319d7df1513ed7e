"""Routes that say how things stand at this moment, and gauges of a whole unit by the hour: what the boards show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime

from phongmay_api.access.scope import CurrentScope, Scope
from phongmay_api.context import Series
from phongmay_api.overview.schemas import (
    DeviceConditionOut,
    HourOut,
    HoursOut,
    LessonsOut,
    LineTestOut,
    OverviewOut,
    RoomOverviewOut,
    SchoolOverviewOut,
    SumsOut,
)
from phongmay_api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, read_cursor, split
from phongmay_api.problems import bad_value, not_found
from phongmay_api.routing import api_router
from phongmay_contract.catalogue import MEASUREMENTS
from phongmay_rules.overview import DeviceOverview, Lessons, SchoolOverview, Sums, in_order, overview
from phongmay_store.register.device import Device
from phongmay_store.series.quantities import gauges

router = api_router("overview")
_MOST = timedelta(days=400)


def _top(scope: Scope, unit_id: str) -> str:
    return scope.below(unit_id)[0].id


def _time(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)


def _lessons(today: Lessons) -> LessonsOut:
    return LessonsOut(expected=today.expected, known=today.known, seen=today.seen)


def _sums(sums: Sums) -> SumsOut:
    return SumsOut(
        devices=sums.devices,
        conditions={condition.value: count for condition, count in sums.conditions.items()},
        clock_doubtful=sums.clock_doubtful,
        identity_conflicts=sums.in_conflict,
        waiting=sums.waiting,
        last_seen=_time(sums.last_seen),
        today=_lessons(sums.today),
    )


def _school(school: SchoolOverview) -> SchoolOverviewOut:
    test = school.last_test
    return SchoolOverviewOut(
        unit_id=school.id,
        name=school.name,
        sums=_sums(school.sums),
        rooms=[
            RoomOverviewOut(room_id=room.id or None, name=room.name, sums=_sums(room.sums)) for room in school.rooms
        ],
        last_test=None
        if test is None
        else LineTestOut(
            run_id=test.id,
            at=datetime.fromtimestamp(test.at, UTC),
            verdict=test.verdict,
            down_bps=test.ip_dl,
            up_bps=test.ip_ul,
            contracted_down_bps=test.contracted_dl,
            contracted_up_bps=test.contracted_ul,
        ),
    )


def _device(device: DeviceOverview) -> DeviceConditionOut:
    return DeviceConditionOut(
        device_id=device.id,
        unit_id=device.school_id,
        room_id=device.room_id,
        label=device.label,
        kind=device.kind,
        condition=device.condition,
        last_seen=_time(device.last_seen),
        silent_s=device.silent_s,
        identity_conflict=device.in_conflict,
        clock_doubtful=device.clock_doubtful,
        memory_bytes=device.memory_bytes,
        disk_free_ratio=device.disk_free_ratio,
        spool_envelopes=device.spool_envelopes,
        today=_lessons(device.today),
    )


@router.get("/organisation-units/{unit_id}/overview", summary="How schools and rooms stand now")
def get_overview(scope: CurrentScope, series: Series, unit_id: str) -> OverviewOut:
    """Count devices by condition for each school and room of a unit; what cannot be told counts as unknown."""
    top = _top(scope, unit_id)
    found = overview(scope.session, series, top)
    return OverviewOut(
        unit_id=top,
        at=datetime.fromtimestamp(found.at, UTC),
        heard_minutes=found.heard_minutes,
        schools=[_school(school) for school in found.schools],
    )


@router.get("/organisation-units/{unit_id}/conditions", summary="How devices stand now")
def list_conditions(
    scope: CurrentScope, series: Series, unit_id: str, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[DeviceConditionOut]:
    """Give the condition and newest values of every device of a unit that is not retired, in order of id."""
    key = read_cursor(cursor, str)
    after = str(key[0]) if key else ""
    devices = [
        device for device in in_order(overview(scope.session, series, _top(scope, unit_id))) if device.id > after
    ]
    page, following = split(devices[: limit + 1], limit, lambda device: (device.id,))
    return Page(items=[_device(device) for device in page], next_cursor=following)


@router.get("/organisation-units/{unit_id}/hours/{measurement}/{quantity}", summary="A gauge of a unit by the hour")
def hours(
    scope: CurrentScope,
    series: Series,
    unit_id: str,
    measurement: str,
    quantity: str,
    start: Annotated[AwareDatetime | None, Query(description="RFC 3339, inclusive; default: a day before end.")] = None,
    end: Annotated[AwareDatetime | None, Query(description="RFC 3339, exclusive; default: now.")] = None,
) -> HoursOut:
    """Give least, greatest and mean value of every UTC hour that touches the time, over all devices of a unit."""
    units = {unit.id for unit in scope.below(unit_id)}
    kind = MEASUREMENTS.get(measurement)
    gauge = next((one for one in gauges(kind) if one.name == quantity), None) if kind else None
    if kind is None or gauge is None:
        raise not_found("gauge")
    until = end or datetime.now(UTC)
    since = start or until - timedelta(days=1)
    if not since < until <= since + _MOST:
        raise bad_value("query/start", f"start must be before end, by {_MOST.days} days at most")
    devices = {device.id for device in scope.session.scalars(scope.select(Device, units))}
    found = series.hourly(kind.name, gauge.name, since.timestamp(), until.timestamp(), devices)
    return HoursOut(
        unit_id=unit_id,
        measurement=kind.name,
        quantity=gauge.name,
        unit=gauge.unit,
        hours=[
            HourOut(hour=datetime.fromtimestamp(one.hour, UTC), samples=one.samples, low=one.low, high=one.high,
                    mean=one.mean)
            for one in found
        ],
    )  # fmt: skip
