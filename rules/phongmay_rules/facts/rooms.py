"""Facts that a school declared: rooms go in, class sizes and the count of computer rooms come out."""

from __future__ import annotations

from phongmay_rules.facts.catalogue import Found, missing
from phongmay_rules.places import RoomPlace, SchoolPlace
from phongmay_rules.reasons import Reason
from phongmay_store.register.place import RoomKind


def room_facts(room: RoomPlace, at: float) -> list[Found]:
    """Give the class size; where none was declared the rule may fall back on the cap of the level."""
    if room.class_size is None:
        return [missing("class_size", Reason.NOT_DECLARED, at, sources=(room.row,))]
    return [Found("class_size", room.class_size, at, None, (room.row,))]


def school_facts(school: SchoolPlace, at: float) -> list[Found]:
    """Give the number of computer rooms."""
    rooms = [room for room in school.rooms if room.kind == RoomKind.COMPUTER]
    return [Found("computer_rooms", len(rooms), at, None, tuple(room.row for room in rooms))]
