"""The device of a row of a `baseline` sheet: found in the register or the files, or registered by the row itself.

In: a typed row, its school, and the devices and rooms as they are known so far. Out: the device (a new one is in the
caller's table already), or the one fault of the cell that is to blame. A list may register a PC that has no agent; it
moves nothing and turns no device into another kind: where the two differ, a row fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from phongmay_store.register.base import new_id
from phongmay_store.register.device import Device, DeviceKind, DeviceState
from phongmay_store.register.importing_files import RowError
from phongmay_store.register.importing_rows import Row
from phongmay_store.register.importing_thing import Thing

_Key = tuple[str | None, str]
_MOVE = "enter the change in the sheet 'devices'"


def device_of(
    row: Row,
    school: str,
    devices: dict[_Key, Thing],
    rooms: Mapping[_Key, Thing],
    name_of: Callable[[str], str],
) -> Thing | RowError | None:
    """Give the device that a row is about.

    Args:
        row: the row; its code could be read.
        school: register id of its school.
        devices: by school and code; takes the new one.
        rooms: by school and folded name.
        name_of: gives what people call a room, by id.

    Returns:
        The device, the fault, or None where the cell that decides was reported already.
    """
    code = row.values["code"]
    unread = [name for name in ("room", "kind") if row.cells.get(name, ("", ""))[1] and name not in row.values]
    if unread:
        return None
    room = None
    if "room" in row.values:
        room = rooms.get((school, row.values["room"].casefold()))
        if room is None:
            return row.error("room", "the school has no room of this name, neither in the register nor in these files")
    known = devices.get((school, code))
    if known is not None:
        return _differs(row, known, room, name_of) or known
    if room is None:
        return row.error(
            "code", "the school has no device of this code; with its room in the column room this row registers it"
        )
    kind = row.values.get("kind", DeviceKind.PC.value)
    values = {
        "school_id": school, "code": code, "kind": kind, "room_id": room.id, "seat_id": None,
        "state": DeviceState.IN_SERVICE.value, "agent_since": None,
    }  # fmt: skip
    devices[school, code] = Thing(new_id("pc"), Device, values, row=row)
    return devices[school, code]


def _differs(row: Row, known: Thing, room: Thing | None, name_of: Callable[[str], str]) -> RowError | None:
    """Give the fault of a row that has the device elsewhere, as another kind, or at all when it is retired."""
    if known.values["state"] == DeviceState.RETIRED:
        return row.error(
            "code", f"the register has retired it, and a list counts what is there; take the row out, or {_MOVE}"
        )
    if room is not None and known.values["room_id"] != room.id:
        place = known.values["room_id"]
        where = f"in {name_of(place)!r}" if place else "in no room"
        return row.error("room", f"the register has it {where}; {_MOVE}")
    if "kind" in row.values and known.values["kind"] != row.values["kind"]:
        return row.error("kind", f"the register has it as {known.values['kind']!r}; {_MOVE}")
    return None
