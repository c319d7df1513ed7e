"""Which verdict each subject of the sample must get, worked out by hand from the roles, without the rules' code.

This is the demo's independent witness: it knows what it simulated, and counts. If the rules engine, the store, the
collector or the way between them is wrong, the two disagree.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from phongmay_simulate.district import DISTRICT, District, Role, Room, School

PASS, FAIL, UNKNOWN = "pass", "fail", "unknown"
DEVICE_RULES = ("TB-01", "TB-02", "TB-03", "TB-05", "TB-07", "TB-08", "TB-09")
_FAILS = {
    Role.LOW_MEMORY: "TB-01",
    Role.OLD_PROCESSOR: "TB-02",
    Role.SMALL_DISK: "TB-03",
    Role.OLD_SYSTEM: "TB-05",
    Role.SLOW_LINK: "TB-07",
    Role.NO_INTERNET: "TB-08",
    Role.WENT_SILENT: "TB-09",
}
_BELOW_CONFIGURATION = (Role.LOW_MEMORY, Role.OLD_PROCESSOR, Role.SMALL_DISK)
_NEVER_TOLD = (Role.SILENT, Role.CLONED)
"""Nothing certain is known of their hardware: no data, or data of two machines under one name."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The state that a rule must give for a subject.

    Attributes:
        subject_kind: device, room, school or district.
        subject: inventory code of a device; "school/room" of a room; external id of a school or district.
        rule: id of the rule.
        state: pass, fail or unknown.
        why: the role or count that decides it.
    """

    subject_kind: str
    subject: str
    rule: str
    state: str
    why: str

    def as_dict(self) -> dict[str, Any]:
        """Give plain data for JSON."""
        return asdict(self)


def expect(district: District) -> list[Expected]:
    """Give every verdict that the sample must produce (the real PC is not part of it)."""
    out: list[Expected] = []
    for school in district.schools:
        out += [_device(seat.code, seat.role, rule) for _, seat in school.seats() for rule in DEVICE_RULES]
        out += [verdict for room in school.rooms for verdict in _room(school, room)]
        out += _school(school)
    met = [school for school in district.schools if _meets_762(school)]
    # The real PC's school may go either way; one sample school that surely fails decides a target of 100 %.
    state = FAIL if len(met) < len(district.schools) else UNKNOWN
    why = f"{len(met)} of {len(district.schools)} sample schools meet it"
    return [*out, Expected("district", DISTRICT, "QU-01", state, why)]


def _device(code: str, role: Role, rule: str) -> Expected:
    if role is Role.CLONED:
        state = UNKNOWN
    elif role is Role.SILENT:
        state = FAIL if rule == "TB-09" else UNKNOWN
    elif role is Role.UNKNOWN_LINK and rule == "TB-07":
        state = UNKNOWN
    else:
        state = FAIL if _FAILS.get(role) == rule else PASS
    return Expected("device", code, rule, state, role.value)


def _room(school: School, room: Room) -> list[Expected]:
    needed = math.ceil(room.class_size / 2)
    surely = sum(seat.role not in (Role.SILENT, Role.WENT_SILENT, Role.CLONED) for seat in room.seats)
    perhaps = surely + sum(seat.role is Role.CLONED for seat in room.seats)
    enough = PASS if surely >= needed else FAIL if perhaps < needed else UNKNOWN
    bad = sum(seat.role in _BELOW_CONFIGURATION for seat in room.seats)
    untold = sum(seat.role in _NEVER_TOLD for seat in room.seats)
    configured = FAIL if bad else UNKNOWN if untold else PASS
    subject = f"{school.external_id}/{room.name}"
    return [
        Expected("room", subject, "PH-01", enough, f"{surely} to {perhaps} working, {needed} needed"),
        Expected("room", subject, "PH-02", configured, f"{bad} below, {untold} not known of {len(room.seats)}"),
    ]


def _school(school: School) -> list[Expected]:
    seats = [seat for _, seat in school.seats()]
    reporting = sum(seat.role is not Role.SILENT for seat in seats)
    heard = PASS if reporting / len(seats) >= 0.95 else FAIL
    return [
        Expected("school", school.external_id, "TR-01", PASS, f"{len(school.rooms)} computer rooms"),
        Expected("school", school.external_id, "TR-15", heard, f"{reporting} of {len(seats)} reported"),
    ]


def _meets_762(school: School) -> bool:
    return all(verdict.state == PASS for room in school.rooms for verdict in _room(school, room))
