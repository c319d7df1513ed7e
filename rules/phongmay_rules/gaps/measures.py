"""How all is expected to stand after some measures: a standing and chosen options go in, the standing then comes out.

Facts get their expected values, new PCs, rooms and repaired devices are there. Nothing is judged or stored, and nothing
can go wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from phongmay_rules.facts.records import FactValue
from phongmay_rules.gaps.options import Option
from phongmay_rules.gaps.prices import ItemKind
from phongmay_rules.gaps.problem import NEW_PC_KIND, PUPILS_PER_PC
from phongmay_rules.places import DevicePlace, RoomPlace, SchoolPlace
from phongmay_rules.standing import Standing
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.device import DeviceState
from phongmay_store.register.place import RoomKind
from phongmay_store.register.timetable import LOCAL


def with_measures(standing: Standing, chosen: Sequence[tuple[Option, int]]) -> Standing:
    """Give the standing as it is expected to be after some measures: new facts, new PCs, new rooms.

    Args:
        standing: before.
        chosen: options and how many times each.
    """
    today = standing.at.astimezone(LOCAL).date()
    at = standing.at.timestamp()
    facts = dict(standing.facts)
    schools = dict(standing.schools)
    homes = {room.id: school.id for school in schools.values() for room in school.rooms}
    for option, count in chosen:
        kind = option.subject[0] if option.subject[1] in option.sets else SubjectKind.DEVICE
        for place, sets in option.sets.items():
            facts[kind, place] = _expected(facts.get((kind, place), {}), sets, at)
        if option.repairs:
            owner = next(
                school for school in schools.values() if any(d.id == option.subject[1] for d in school.devices)
            )
            schools[owner.id] = _in_service(owner, option.subject[1])
        if option.builds:
            for index in range(count):
                room = f"{option.adds_to}{index}"
                schools[option.subject[1]] = _with_room(schools[option.subject[1]], room, option.builds)
                for line in option.lines:
                    own = facts.get((SubjectKind.ROOM, room), {})
                    facts[SubjectKind.ROOM, room] = _expected(own, line.item.effects(today), at)
            continue
        school_id = homes.get(option.adds_to) or (option.subject[1] if option.fits_out is not None else "")
        if school_id:
            school = schools[school_id]
            number, room = count, option.adds_to
            if option.fits_out is not None:
                number, room = option.fits_out, f"{school_id}+room"
                school = _with_room(school, room)
                rooms = sum(r.kind == RoomKind.COMPUTER for r in school.rooms)
                own = facts.get((SubjectKind.SCHOOL, school_id), {})
                facts[SubjectKind.SCHOOL, school_id] = _expected(own, {"computer_rooms": rooms}, at)
            pcs = [line.item for line in option.lines if line.item.kind is ItemKind.PC]
            for index in range(number):
                device = f"{room}+{index}"
                school = _with_pc(school, device, room, at)
                facts[SubjectKind.DEVICE, device] = _expected({}, pcs[0].effects(today), at)
            schools[school_id] = school
            _recount_pupils(facts, school, at)
    return replace(standing, facts=facts, schools=schools)


def _expected(facts: Mapping[str, FactValue], sets: Mapping[str, float], at: float) -> dict[str, FactValue]:
    return {**facts, **{name: FactValue(0, name, value, "", at, "expected") for name, value in sets.items()}}


def _recount_pupils(facts: dict[tuple[str, str], dict[str, FactValue]], school: SchoolPlace, at: float) -> None:
    """Spread the declared pupils over the PCs that are there now."""
    own = facts.get((SubjectKind.SCHOOL, school.id), {})
    was = own.get(PUPILS_PER_PC)
    if was is None or "students" not in (was.detail or {}):
        return
    pupils = (was.detail or {})["students"]
    pcs = sum(device.kind == NEW_PC_KIND for device in school.devices)
    now = was._replace(value=pupils / pcs, source="expected", detail={"students": pupils, "pcs": pcs})
    facts[SubjectKind.SCHOOL, school.id] = {**own, PUPILS_PER_PC: now}


def _in_service(school: SchoolPlace, device: str) -> SchoolPlace:
    back = [replace(d, state=DeviceState.IN_SERVICE) if d.id == device else d for d in school.devices]
    return replace(school, devices=back)


def _with_room(school: SchoolPlace, room: str, kind: str = RoomKind.COMPUTER) -> SchoolPlace:
    return replace(school, rooms=[*school.rooms, RoomPlace(room, school.id, kind, None, "", "expected")])


def _with_pc(school: SchoolPlace, device: str, room: str, at: float) -> SchoolPlace:
    place = DevicePlace(device, school.id, room, NEW_PC_KIND, DeviceState.IN_SERVICE, at, False, "", "expected")
    return replace(school, devices=[*school.devices, place])
