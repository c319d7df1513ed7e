"""Puts simulated schools into the register in one go: thousands of devices without thousands of HTTP enrolments.

A population and an open register go in; identities come out. What a device gets is what enrolment would have given
it. The caller writes the broker's files. A register that holds simulated schools already raises SimulationError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session

from phongmay_contract import keys
from phongmay_simulate.enrolling import Identity, SimulationError
from phongmay_simulate.population import TOP, Population
from phongmay_store.register.base import Base, utc_now
from phongmay_store.register.device import Credential, Device
from phongmay_store.register.enrolment import broker_hash
from phongmay_store.register.organisation import SchoolLevel, Unit, UnitKind
from phongmay_store.register.place import Room, RoomKind

CLASS_SIZE = 45
TIMETABLE = "Mon-Fri 07:15-11:30 13:30-16:45; Sat 07:15-11:30"


def provision(
    engine: Engine, population: Population, broker: tuple[str, int], *, since: datetime | None = None
) -> dict[str, Identity]:
    """Write units, rooms, devices and credentials in one transaction.

    Args:
        engine: the register, at its newest revision.
        population: what is written.
        broker: host and port that the devices are told.
        since: since when all of it exists (default: now).

    Returns:
        Identity by device id, for every device that has an agent.
    """
    now = utc_now()
    common = {"valid_from": since or now, "valid_to": None, "recorded_at": now, "superseded_at": None}
    units = [_unit(common, TOP, None, UnitKind.DISTRICT, "Địa bàn mô phỏng")]
    rooms: list[dict[str, Any]] = []
    devices: list[dict[str, Any]] = []
    for school in population.schools:
        units.append(_unit(common, school.id, TOP, UnitKind.SCHOOL, school.name))
        for number, room in enumerate(school.rooms, 1):
            name = f"Phòng máy {number}"
            rooms.append({**common, "id": room, "school_id": school.id, "name": name, "class_size": CLASS_SIZE,
                          "kind": RoomKind.COMPUTER.value, "timetable": TIMETABLE})  # fmt: skip
        for member in school.members:
            agent = common["valid_from"] if member.kind != "router" else None
            devices.append({**common, "id": member.id, "school_id": school.id, "room_id": member.room, "seat_id": None,
                            "code": member.id, "kind": member.kind, "agent_since": agent})  # fmt: skip
    identities = {member.id: Identity(member.id, keys.new_secret(), *broker) for member in population.speakers()}
    credentials = [
        {"device_id": name, "broker_hash": broker_hash(keys.mqtt_password(one.secret)), "created_at": now}
        for name, one in identities.items()
    ]
    with Session(engine) as session:
        if session.scalar(select(Unit.row_id).where(Unit.id == TOP).limit(1)) is not None:
            raise SimulationError(
                "the register holds simulated schools already; use the fleet file that was written then, or begin with "
                "a register of its own (store.register_url)"
            )
        for table, rows in ((Unit, units), (Room, rooms), (Device, devices), (Credential, credentials)):
            _insert(session, table, rows)
        session.commit()
    return identities


def _unit(common: Mapping[str, Any], unit: str, parent: str | None, kind: UnitKind, name: str) -> dict[str, Any]:
    level = SchoolLevel.THCS.value if kind is UnitKind.SCHOOL else ""
    return {**common, "id": unit, "parent_id": parent, "kind": kind.value, "name": name, "level": level,
            "is_sample": True}  # fmt: skip


def _insert(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        session.execute(insert(table), list(rows))
