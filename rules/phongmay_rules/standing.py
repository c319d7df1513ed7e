"""How everything stands, judged from the newest fact rows without writing anything: for the gap list and for what-ifs.

In: the register and a pack. Out: a `Standing`, and from it judgements. Facts are taken as of the newest evaluation, so
that a list that was made in the evening does not call a PC stale that was fine in the last lesson; `at` says which
instant that is. An unknown unit raises OperatorError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_contract.errors import OperatorError
from phongmay_rules.checks.outcome import Setting
from phongmay_rules.facts.records import Facts, read_current
from phongmay_rules.judging import Judgement
from phongmay_rules.judging_units import Judge, Key
from phongmay_rules.model import Pack, Rule
from phongmay_rules.parameters import Overrides, in_force, read_overrides
from phongmay_rules.places import Organisation, SchoolPlace, read_organisation
from phongmay_rules.waiving import read_waivers
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import CurrentRun
from phongmay_store.register.device import Device
from phongmay_store.register.organisation import ExternalId
from phongmay_store.register.place import Room

Judged = Mapping[Key, Judgement]
"""Judgements of everything in one unit."""


@dataclass(frozen=True)
class Names:
    """What people call things: a device by its inventory code, a room by its name; an id where there is none."""

    devices: Mapping[str, str]
    rooms: Mapping[str, str]

    def device(self, device_id: str) -> str:
        """Give a device's inventory code."""
        return self.devices.get(device_id, device_id)

    def room(self, room_id: str | None) -> str:
        """Give a room's name; "" for no room."""
        return self.rooms.get(room_id, room_id) if room_id else ""


@dataclass(frozen=True)
class Standing:
    """Everything that judging needs, of one instant.

    Attributes:
        at: instant (aware) of the newest evaluation of these schools; nothing later is known.
        judge_by: the rules in force on that day and the waivers.
        schools: those that were asked for.
        units: those above schools that were asked for.
        facts: newest fact rows of these schools and units.
        settings: parameters in force, by school and unit.
        overrides: what every unit set.
        root: the units that were asked for: one, or all that have none above.
        never_judged: schools that no evaluation has seen yet.
    """

    pack: Pack
    at: datetime
    judge_by: Judge
    organisation: Organisation
    schools: Mapping[str, SchoolPlace]
    units: tuple[str, ...]
    facts: Facts
    settings: Mapping[str, Mapping[str, Setting]]
    names: Names
    never_judged: frozenset[str]
    overrides: Overrides
    root: tuple[str, ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Rules in force on that day, in reading order."""
        return self.judge_by.rules

    def judge(self) -> dict[str, Judged]:
        """Judge every school, then the units above of which all schools were asked for."""
        judged: dict[str, Judged] = {}
        for school in self.schools.values():
            judged[school.id] = self.judge_by.school(
                school, self.facts, self.settings[school.id], list(self.organisation.ancestry(school.id))
            )
        states = {school: self.judge_by.states(found) for school, found in judged.items()}
        for unit in self.units:
            place, above = self.organisation.units[unit], list(self.organisation.ancestry(unit))
            judged[unit] = self.judge_by.unit(place, self.facts, states, self.settings[unit], above)
        return judged


def read_standing(session: Session, pack: Pack, unit: str | None = None, *, now: datetime | None = None) -> Standing:
    """Read how a unit and everything below it stands.

    Args:
        session: the register; only read.
        pack: the pack to judge by.
        unit: id, or issuer:value of a unit; None = all.
        now: the present (default: now).

    Raises:
        OperatorError: there is no such unit.
    """
    present = now or utc_now()
    organisation = read_organisation(session, present)
    root = None if unit is None else find_unit(session, organisation, unit)
    schools = {
        school.id: school
        for school in organisation.schools.values()
        if root is None or root in organisation.ancestry(school.id)
    }
    units = tuple(place.id for place in organisation.units.values() if root in (None, *organisation.ancestry(place.id)))
    newest = {
        school: at
        for school, at in session.execute(select(CurrentRun.unit_id, CurrentRun.confirmed_at))
        if school in schools
    }
    moment = min(present, max(newest.values(), default=present))
    overrides = read_overrides(session, pack)
    return Standing(
        pack,
        moment,
        Judge(pack, moment, read_waivers(session, moment, present)),
        organisation,
        schools,
        units,
        read_current(session, sorted((*schools, *units))),
        {place: in_force(pack, overrides, organisation.ancestry(place)) for place in (*schools, *units)},
        Names(
            {device.id: device.code for device in session.scalars(Device.at(present))},
            {room.id: room.name for room in session.scalars(Room.at(present))},
        ),
        frozenset(schools) - newest.keys(),
        overrides,
        (root,) if root is not None else tuple(sorted(unit for unit, up in organisation.parents.items() if up is None)),
    )


def find_unit(session: Session, organisation: Organisation, name: str) -> str:
    """Give the id of the unit that an id or issuer:value means.

    Raises:
        OperatorError: there is none.
    """
    issuer, _, value = name.partition(":")
    found = session.scalar(select(ExternalId.unit_id).where(ExternalId.issuer == issuer, ExternalId.value == value))
    for unit in (name, found or ""):
        if unit in organisation.parents:
            return unit
    raise OperatorError(f"there is no unit {name!r}; give its id, or issuer:value as in the register's import files")
