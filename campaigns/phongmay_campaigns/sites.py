"""What a school has for a test: register rows of one instant go in, lines, rooms, PCs and calendar come out.

All that a coordinator needs of the register to plan and order a run; a register that cannot be read raises what
SQLAlchemy raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_bandwidth import IP_BYTES_PER_PAYLOAD
from phongmay_store.register.addresses import read_addresses
from phongmay_store.register.calendar_hours import Calendar
from phongmay_store.register.calendar_reading import read_calendar
from phongmay_store.register.device import Device, DeviceKind, DeviceState
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Line, Room, RoomKind
from phongmay_store.register.timetable import LOCAL, NEVER, Timetable, TimetableError, parse

LOOK_AHEAD = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Pc:
    """A PC in service of a computer room."""

    id: str
    room_id: str
    code: str
    has_agent: bool


@dataclass(frozen=True, slots=True)
class SchoolLine:
    """A line with what its contract promises (None = not known) and its source addresses, as far as declared."""

    id: str
    isp: str
    down_bps: int | None
    up_bps: int | None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Site:
    """A school as a test sees it.

    Attributes:
        place: unit above the school: lines of one provider in one place are one group.
        rooms: computer rooms with their timetables; one that cannot be read counts as never in use.
    """

    school_id: str
    name: str
    place: str
    lines: tuple[SchoolLine, ...]
    rooms: dict[str, Timetable]
    room_names: dict[str, str]
    pcs: tuple[Pc, ...]
    calendar: Calendar
    routers: tuple[str, ...] = ()
    """Routers of the school, whose WAN counters a gateway may read."""

    def of_room(self, room_id: str | None) -> tuple[Pc, ...]:
        """Give the PCs of one room, or of all computer rooms."""
        return self.pcs if room_id is None else tuple(pc for pc in self.pcs if pc.room_id == room_id)

    def timetables(self, room_id: str | None) -> list[Timetable]:
        """Give the timetables of one room, or of all computer rooms."""
        return [table for room, table in self.rooms.items() if room_id in (None, room)]

    @property
    def line_ids(self) -> frozenset[str]:
        """Lines that a run goes over; a school that registered none stands for its own."""
        return frozenset(line.id for line in self.lines) or frozenset({self.school_id})

    @property
    def groups(self) -> frozenset[str]:
        """Provider and place of the lines: what lies between them and the server is shared."""
        return frozenset(f"{line.isp.casefold()}@{self.place}" for line in self.lines if line.isp)

    def rate_bps(self, kind: str, pcs: int, floor_bps: float, budget_bps: float) -> int:
        """Give what a run is expected to take: the floors, or all that the lines carry (unknown: the whole budget)."""
        if kind != "capacity":
            return int(pcs * floor_bps * IP_BYTES_PER_PAYLOAD) + 1
        rates = [max(line.down_bps or 0, line.up_bps or 0) for line in self.lines]
        return sum(rates) if rates and all(rates) else int(budget_bps)


def read_site(session: Session, school_id: str, now: datetime) -> Site | None:
    """Give a school; None when there is no such unit now."""
    unit = session.scalar(Unit.at(now).where(Unit.id == school_id))
    if unit is None:
        return None
    rooms = list(session.scalars(Room.at(now).where(Room.school_id == school_id, Room.kind == RoomKind.COMPUTER.value)))
    lines = session.scalars(Line.at(now).where(Line.school_id == school_id).order_by(Line.id))
    today = now.astimezone(LOCAL).date()
    devices = session.execute(
        select(Device.id, Device.room_id, Device.code, Device.agent_since)
        .where(
            Device.holds(now), Device.school_id == school_id, Device.state == DeviceState.IN_SERVICE.value,
            Device.kind.in_([DeviceKind.PC.value, DeviceKind.TEACHER_PC.value]),
            Device.room_id.in_([room.id for room in rooms]),
        )
        .order_by(Device.id)
    )  # fmt: skip
    return Site(
        school_id,
        unit.name,
        unit.parent_id or "",
        tuple(_line(line) for line in lines),
        {room.id: _timetable(room.timetable) for room in rooms},
        {room.id: room.name for room in rooms},
        tuple(Pc(device, room or "", code, since is not None) for device, room, code, since in devices),
        read_calendar(session, school_id, today, today + LOOK_AHEAD),
        tuple(
            session.scalars(
                select(Device.id)
                .where(
                    Device.holds(now), Device.school_id == school_id, Device.kind == DeviceKind.ROUTER.value,
                    Device.state == DeviceState.IN_SERVICE.value,
                )
                .order_by(Device.id)
            )
        ),
    )  # fmt: skip


def _line(line: Line) -> SchoolLine:
    sources = read_addresses(line.source_addresses) if line.source_addresses else ()
    return SchoolLine(line.id, line.isp, line.contracted_down_bps, line.contracted_up_bps, sources)


def _timetable(text: str) -> Timetable:
    try:
        return parse(text)
    except TimetableError:
        return NEVER
