"""Rooms with their timetables, seats that outlive their PCs, and Internet lines with what their contracts promise."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from phongmay_store.register.base import Versioned


class RoomKind(StrEnum):
    """What a room is for."""

    COMPUTER = "computer_room"
    SMART = "smart_classroom"
    FUNCTION = "function_room"
    OFFICE = "office"


class Room(Versioned):
    """A room of a school.

    Attributes:
        timetable: when the room is in use, e.g. "Mon-Fri 07:00-11:30 13:00-16:30; Sat 07:00-11:30" in
            Asia/Ho_Chi_Minh; "always"; empty = the district's default (see `timetable`).
        class_size: actual size of the largest class taught here; None = the cap of the school's level.
    """

    __tablename__ = "room"

    school_id: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    kind: Mapped[str]
    class_size: Mapped[int | None]
    timetable: Mapped[str] = mapped_column(default="")


class Seat(Versioned):
    """A place in a room; the history of a PC belongs to its seat."""

    __tablename__ = "seat"

    room_id: Mapped[str] = mapped_column(index=True)
    label: Mapped[str]
    row: Mapped[int]
    column: Mapped[int]


class Line(Versioned):
    """An Internet line of a school; contracted rates in bit/s, None = not known.

    Attributes:
        source_addresses: addresses and networks from which its traffic comes, as a server sees it ("" = not known).
    """

    __tablename__ = "line"

    school_id: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    isp: Mapped[str] = mapped_column(default="")
    medium: Mapped[str] = mapped_column(default="")
    contracted_down_bps: Mapped[int | None]
    contracted_up_bps: Mapped[int | None]
    source_addresses: Mapped[str] = mapped_column(default="", server_default="")
