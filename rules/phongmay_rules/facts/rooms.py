"""Facts about rooms and schools, mostly declared: places go in, sizes, components, lines and counts come out.

What was not declared is missing for that reason. A room's Internet is measured where a machine in it has an agent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from phongmay_rules.facts.catalogue import Found, Source, missing, not_measured
from phongmay_rules.facts.declared import Declarations, side_by_side, stated
from phongmay_rules.places import DevicePlace, RoomPlace, SchoolPlace
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.device import DeviceKind, DeviceState
from phongmay_store.register.importing_columns import Medium
from phongmay_store.register.place import RoomKind

_PCS = (DeviceKind.PC, DeviceKind.TEACHER_PC)


def room_facts(
    room: RoomPlace, devices: Sequence[DevicePlace], reach: Mapping[str, Found], declared: Declarations, at: float
) -> list[Found]:
    """Give class size, area and components of a room; what tests came to there is a matter of `campaigns`.

    Args:
        room: the room.
        devices: what stands in it.
        reach: fact `internet_reach_ratio` by device.
        declared: what the school declared about the room.
        at: time of the evaluation.
    """
    area = stated("area_m2", declared.get("area"), at)
    kinds = {device.kind: device for device in devices if device.state == DeviceState.IN_SERVICE}
    display = _registered("has_display", kinds.get(DeviceKind.DISPLAY), at)
    teacher = _registered("has_teacher_pc", kinds.get(DeviceKind.TEACHER_PC), at)
    return [
        _class_size(room, at),
        area,
        _area_per_student(room, area, at),
        side_by_side(display, declared.get("display"), at) if display else stated(
            "has_display", declared.get("display"), at),
        side_by_side(teacher, declared.get("teacher_computer"), at) if teacher else stated(
            "has_teacher_pc", declared.get("teacher_computer"), at),
        _internet(devices, reach, declared, at),
        stated("has_audio", declared.get("audio"), at),
        stated("has_camera", declared.get("camera"), at),
        stated("has_signal_equipment", declared.get("signal_equipment"), at),
        *not_measured(SubjectKind.ROOM, at),
    ]  # fmt: skip


def _class_size(room: RoomPlace, at: float) -> Found:
    """Where no class size was declared the rule may fall back on the cap of the level."""
    if room.class_size is None:
        return missing("class_size", Reason.NOT_DECLARED, at, sources=(room.row,))
    return Found("class_size", room.class_size, at, None, (room.row,))


def _area_per_student(room: RoomPlace, area: Found, at: float) -> Found:
    """Divide as decimals, which is how an area is declared: 66.6 m2 for 36 pupils are 1.85, not a binary digit less."""
    if not isinstance(area.value, float | int) or not room.class_size:
        return missing("area_per_student_m2", Reason.NOT_DECLARED, at, sources=(room.row,))
    sources = (*area.sources, room.row)
    detail = {"area_m2": area.value, "class_size": room.class_size}
    share = float(Decimal(str(area.value)) / room.class_size)
    return Found("area_per_student_m2", share, at, None, sources, detail)


def _registered(name: str, device: DevicePlace | None, at: float) -> Found | None:
    return None if device is None else Found(name, 1, at, None, (device.row,))


def _internet(devices: Sequence[DevicePlace], reach: Mapping[str, Found], declared: Declarations, at: float) -> Found:
    """Measured where any machine of the room has reached the Internet; else declared, beside what was measured."""
    known = [(device, reach[device.id]) for device in devices if device.id in reach]
    online = [found for _, found in known if found.value]
    paper = declared.get("internet")
    if online:
        sources = _sources(online)
        return side_by_side(Found("has_internet", 1, at, None, sources, source=Source.MEASURED), paper, at)
    said = stated("has_internet", paper, at)
    tried = [found for device, found in known if found.value == 0 and device.state == DeviceState.IN_SERVICE]
    if paper is None or not tried:
        return said
    beside = {"declared": paper.value, "disagrees": bool(paper.value), "reached": 0, "tried": len(tried)}
    return replace(said, sources=(*said.sources, *_sources(tried)), detail={**said.detail, **beside})


def _sources(found: Sequence[Found]) -> tuple[str, ...]:
    return tuple(source for one in found[:3] for source in one.sources)


def school_facts(school: SchoolPlace, declared: Declarations, at: float) -> list[Found]:
    """Give rooms, pupils, laboratories and lines of a school."""
    rooms = [room for room in school.rooms if room.kind == RoomKind.COMPUTER]
    students = stated("students", declared.get("students"), at)
    return [
        Found("computer_rooms", len(rooms), at, None, tuple(room.row for room in rooms)),
        students,
        _students_per_pc(school, students, at),
        stated("modern_labs", declared.get("modern_labs"), at),
        _equipped(declared, at),
        *_lines(school, at),
        *not_measured(SubjectKind.SCHOOL, at),
    ]


def _students_per_pc(school: SchoolPlace, students: Found, at: float) -> Found:
    pcs = [device for device in school.devices if device.kind == DeviceKind.PC]
    if not isinstance(students.value, float | int):
        return missing("students_per_pc", Reason.NOT_DECLARED, at)
    if not pcs:
        return missing("students_per_pc", Reason.NO_MEMBERS, at, sources=students.sources)
    detail = {"students": students.value, "pcs": len(pcs)}
    return Found("students_per_pc", students.value / len(pcs), at, None, students.sources, detail)


def _equipped(declared: Declarations, at: float) -> Found:
    name = "equipped_classrooms_ratio"
    rooms, equipped = declared.get("classrooms"), declared.get("classrooms_equipped")
    if rooms is None or equipped is None or not isinstance(rooms.value, float | int) or rooms.value <= 0:
        return missing(name, Reason.NOT_DECLARED, at)
    sources, share = (rooms.row, equipped.row), float(equipped.value) / rooms.value
    if share > 1:
        more = {"classrooms": rooms.value, "equipped": equipped.value}
        return missing(name, Reason.CONTRADICTORY, at, sources=sources, **more)
    return Found(name, share, at, None, sources)


def _lines(school: SchoolPlace, at: float) -> list[Found]:
    """Count fibre lines and providers; a line whose medium or provider is not told may be any, no line is not known."""
    rows = tuple(line.row for line in school.lines)
    fibre = [line for line in school.lines if line.medium == Medium.FIBRE]
    isps = {line.isp.casefold() for line in school.lines if line.isp}
    untold_medium = not school.lines or any(not line.medium for line in school.lines)
    untold_isp = not school.lines or any(not line.isp for line in school.lines)
    return [
        missing("fibre_lines", Reason.NOT_DECLARED, at, sources=rows)
        if untold_medium and not fibre
        else Found("fibre_lines", len(fibre), at, None, rows),
        missing("distinct_isps", Reason.NOT_DECLARED, at, sources=rows)
        if untold_isp
        else Found("distinct_isps", len(isps), at, None, rows),
    ]
