"""Rooms with their timetables, seats that outlive their PCs, and Internet lines with what their contracts promise."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Self

from sqlalchemy.orm import Mapped, Session, mapped_column

from phongmay_store.register.base import Versioned, utc_now


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
        timetable_by: account, key or office that set the timetable; None = nobody did, or it is not known.
        timetable_at: when it was set; rows of before revision 0012 do not tell.
        class_size: actual size of the largest class taught here; None = the cap of the school's level.
    """

    __tablename__ = "room"

    school_id: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    kind: Mapped[str]
    class_size: Mapped[int | None]
    timetable: Mapped[str] = mapped_column(default="")
    timetable_by: Mapped[str | None]
    timetable_at: Mapped[datetime | None]

    def set_timetable(self, session: Session, text: str, by: str | None, *, since: datetime | None = None) -> Self:
        """Record a timetable that can be read, with who set it and when; the same again changes nothing.

        Returns:
            The row that holds now.
        """
        if text == self.timetable:
            return self
        changes = {"timetable": text, "timetable_by": by, "timetable_at": utc_now()}
        return self.revise(session, changes, since=since) or self


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
