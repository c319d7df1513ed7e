"""Which verdict each subject of the sample must get, worked out by hand from the roles, without the rules' code.

This is the demo's independent witness: it knows what it simulated and declared, and counts. If the rules engine, the
store, the collector or the way between them is wrong, the two disagree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from phongmay_simulate.district import (
    AREA_M2,
    DISTRICT,
    LABS,
    LESSONS,
    LOCAL,
    RECORDED,
    STUDENTS,
    District,
    Role,
    Room,
    School,
    Seat,
)

PASS, FAIL, UNKNOWN, NOT_APPLICABLE = "pass", "fail", "unknown", "not_applicable"
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
_UNTESTED = {
    "room": ("PH-03", "PH-04"),
    "school": ("TR-06", "TR-07", "TR-08", "TR-09", "TR-10"),
    "district": ("QU-02",),
}
"""Rules on concurrent tests: the sample runs none."""
_UNMEASURED = {"room": ("PH-07",), "school": ("TR-12", "TR-13", "TR-16"), "district": ("QU-05",)}
"""Rules of which the sample knows nothing: switches and lines, which nothing measures all day; a month of Internet, of
which it runs minutes; quarterly reports, which it does not declare."""
_END_OF_762 = date(2030, 12, 31)
_PUPILS_PER_PC = {"tieu_hoc": 24, "thcs": 16}


@dataclass(frozen=True, slots=True)
class Expected:
    """The state that a rule must give for a subject.

    Attributes:
        subject_kind: device, room, school or district.
        subject: inventory code of a device; "school/room" of a room; external id of a school or district.
        rule: id of the rule.
        state: pass, fail, unknown or not_applicable.
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
        for room, seat in school.seats():
            out.append(_availability(room, seat))
            out += [_device(seat.code, seat.role, rule) for rule in DEVICE_RULES]
            out.append(_record(school, seat.code))
        out += [verdict for room in school.rooms for verdict in _room(school, room)]
        out += _school(school)
    return [*out, *_district(district)]


def _unmeasured(kind: str, subject: str) -> list[Expected]:
    untested = [Expected(kind, subject, rule, UNKNOWN, "no concurrent test was run") for rule in _UNTESTED[kind]]
    return untested + [Expected(kind, subject, rule, UNKNOWN, "not measured yet") for rule in _UNMEASURED[kind]]


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


def _availability(room: Room, seat: Seat) -> Expected:
    """Only a room whose agents have been there for a month's lessons can be judged; the day of today never counts."""
    state = UNKNOWN if room.lessons < LESSONS else FAIL if seat.role is Role.OFTEN_OFF else PASS
    return Expected("device", seat.code, "TB-10", state, f"{room.lessons} lessons, {seat.role.value}")


def _record(school: School, code: str) -> Expected:
    complete = school.external_id == RECORDED
    return Expected("device", code, "TB-11", PASS if complete else FAIL, "serial and year declared or not")


def _enough(room: Room, needed: int) -> tuple[str, str]:
    surely = sum(seat.role not in (Role.SILENT, Role.WENT_SILENT, Role.CLONED) for seat in room.seats)
    perhaps = surely + sum(seat.role is Role.CLONED for seat in room.seats)
    state = PASS if surely >= needed else FAIL if perhaps < needed else UNKNOWN
    return state, f"{surely} to {perhaps} working, {needed} needed"


def _room(school: School, room: Room) -> list[Expected]:
    subject = f"{school.external_id}/{room.name}"
    bad = sum(seat.role in _BELOW_CONFIGURATION for seat in room.seats)
    untold = sum(seat.role in _NEVER_TOLD for seat in room.seats)
    configured = FAIL if bad else UNKNOWN if untold else PASS
    return [
        Expected("room", subject, "PH-01", *_enough(room, math.ceil(room.class_size / 2))),
        Expected("room", subject, "PH-01b", *_enough(room, room.class_size)),
        Expected("room", subject, "PH-02", configured, f"{bad} below, {untold} not known of {len(room.seats)}"),
        Expected("room", subject, "PH-06b", *_area(school, room)),
        *_unmeasured("room", subject),
    ]


def _area(school: School, room: Room) -> tuple[str, str]:
    if school.level != "tieu_hoc":
        return NOT_APPLICABLE, "circular 14/2025 was seen for primary schools only"
    if school.external_id != RECORDED:
        return UNKNOWN, "area not declared"
    enough = AREA_M2 >= 50 and 1.5 * room.class_size <= AREA_M2
    return PASS if enough else FAIL, f"{AREA_M2} m2 for {room.class_size}"


def _rooms(school: School) -> list[Expected]:
    """Law names a room for primary and lower secondary schools; for the others the figure is the district's."""
    name, found = school.external_id, f"{len(school.rooms)} computer rooms"
    by_law = school.level in ("tieu_hoc", "thcs")
    return [
        Expected("school", name, rule, PASS if applies else NOT_APPLICABLE, found)
        for rule, applies in (("TR-01", by_law), ("TR-01b", not by_law))
    ]


def _school(school: School) -> list[Expected]:
    name = school.external_id
    seats = [seat for _, seat in school.seats()]
    reporting = sum(seat.role is not Role.SILENT for seat in seats)
    heard = PASS if reporting / len(seats) >= 0.95 else FAIL
    pupils = STUDENTS.get(name)
    shared = UNKNOWN if pupils is None else PASS if pupils <= _PUPILS_PER_PC[school.level] * len(seats) else FAIL
    return [
        *_rooms(school),
        Expected("school", name, "TR-02", shared, f"{pupils} pupils, {len(seats)} PCs"),
        Expected("school", name, "TR-03", FAIL, "no smart classroom is registered"),
        Expected("school", name, "TR-04", _laboratory(school), "laboratories declared"),
        Expected("school", name, "TR-05", PASS, "one fibre line"),
        Expected("school", name, "TR-14", FAIL, "one provider"),
        Expected("school", name, "TR-15", heard, f"{reporting} of {len(seats)} reported"),
        Expected("school", name, "TR-18", UNKNOWN, "no function room is registered"),
        Expected("school", name, "TR-19", UNKNOWN, "no function room is registered"),
        *_unmeasured("school", name),
    ]


def _laboratory(school: School) -> str:
    labs = LABS.get(school.external_id)
    return UNKNOWN if labs is None else PASS if labs else FAIL


def _district(district: District) -> Iterator[Expected]:
    # The real PC's school may go either way; one sample school that surely fails decides a target of 100 %.
    met = sum(all(v.state == PASS for v in _configuration(school)) for school in district.schools)
    equipped = FAIL if met < len(district.schools) else UNKNOWN
    why = f"{met} of {len(district.schools)} sample schools meet it"
    yield Expected("district", DISTRICT, "QU-01", equipped, why)
    yield Expected("district", DISTRICT, "QU-02b", UNKNOWN, "no function room is registered")
    yield Expected("district", DISTRICT, "QU-03", FAIL, "no smart classroom anywhere")
    yield Expected("district", DISTRICT, "QU-03b", FAIL, "one school declared that it has no laboratory")
    yield Expected("district", DISTRICT, "QU-04", FAIL, "only one school declared its records")
    if district.made_at.astimezone(LOCAL).date() <= _END_OF_762:
        yield Expected("district", DISTRICT, "QU-01d", equipped, why)
        yield Expected("district", DISTRICT, "QU-06", PASS, "every school, the real PC's too, has a computer room")
    yield from _unmeasured("district", DISTRICT)


def _configuration(school: School) -> Iterator[Expected]:
    for room in school.rooms:
        yield from (verdict for verdict in _room(school, room) if verdict.rule in ("PH-01", "PH-02"))
