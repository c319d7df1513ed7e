"""Rows of an import are held against the register: what is new, what differs, what cannot be.

In: typed rows and a session. Out: `ImportResult`, and on `write` new rows and revisions in the session (the caller
commits). References are resolved against the register AND the files, whatever their order; every row that refers to
nothing, stands twice or contradicts another becomes a RowError. It is long because one method a sheet works on the same
tables of what will be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, true
from sqlalchemy.orm import Session

from phongmay_store.register.base import Versioned, new_id, utc_now
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.declared import DECLARABLE, Declarable, Declared
from phongmay_store.register.device import Device, DeviceKind, DeviceState
from phongmay_store.register.importing_baseline import device_of
from phongmay_store.register.importing_declared import items
from phongmay_store.register.importing_files import RowError
from phongmay_store.register.importing_result import Action, Change, ImportResult
from phongmay_store.register.importing_rows import Row
from phongmay_store.register.importing_thing import Thing
from phongmay_store.register.organisation import ExternalId, Unit, UnitKind
from phongmay_store.register.place import Line, Room, Seat

_PREFIXES: Mapping[str, str] = {
    DeviceKind.PC: "pc", DeviceKind.TEACHER_PC: "pc", DeviceKind.GATEWAY: "gw", DeviceKind.ROUTER: "rt",
    DeviceKind.DISPLAY: "tv",
}  # fmt: skip
_SITTING = (DeviceKind.PC, DeviceKind.TEACHER_PC)
_Key = tuple[str | None, str]


def _fold(name: str) -> str:
    """Names that differ in capitals only mean the same thing."""
    return name.casefold()


def _set_by(thing: Thing, values: Mapping[str, Any], by: str | None) -> dict[str, Any]:
    """Give who set the timetable of a room that gets one, and when."""
    is_set = thing.model is Room and bool(values.get("timetable") or (thing.before and "timetable" in values))
    return {"timetable_by": by, "timetable_at": utc_now()} if is_set else {}


class Plan:
    """Takes rows in the order of importing_columns.SHEETS and knows the register as it will be after them.

    With a school it knows nothing but that school: whatever else a row names does not exist.
    """

    def __init__(self, session: Session, *, sample: bool, school: str | None = None) -> None:
        self.result = ImportResult()
        self._session = session
        self._sample = sample
        self._only = school
        known = session.scalars(select(ExternalId).where(true() if school is None else ExternalId.unit_id == school))
        self._external = {f"{row.issuer}:{row.value}": row.unit_id for row in known}
        self._new_external: list[tuple[str, str]] = []
        self._called: dict[str, str] = {}
        self._listed: dict[tuple[str, str], Row] = {}
        for name, unit_id in self._external.items():
            self._called.setdefault(unit_id, name)
        self._units = self._load(Unit, lambda row: (None, row.id))
        self._rooms = self._load(Room, lambda row: (row.school_id, _fold(row.name)))
        self._seats = self._load(Seat, lambda row: (row.room_id, _fold(row.label)))
        self._lines = self._load(Line, lambda row: (row.school_id, _fold(row.name)))
        self._devices = self._load(Device, lambda row: (row.school_id, row.code))
        self._declared = self._load(Declared, lambda row: (row.subject_id, row.name))
        for place in (*self._rooms.values(), *self._seats.values()):
            self._called[place.id] = place.values.get("name") or place.values["label"]

    def _load(self, model: type[Any], key: Any) -> dict[_Key, Thing]:
        statement = model.at()
        if self._only is not None and model is Seat:
            statement = statement.where(Seat.room_id.in_([room.id for room in self._rooms.values()]))
        elif self._only is not None:
            statement = statement.where((model.id if model is Unit else model.school_id) == self._only)
        rows = self._session.scalars(statement)
        return {key(row): Thing(row.id, model, row.properties(), before=row) for row in rows}

    def take(self, rows: Sequence[Row]) -> None:
        """Hold rows against the register."""
        units = [row for row in rows if row.kind.name == "units"]
        known = [(row, unit_id) for row in units if (unit_id := self._identify(row)) is not None]
        for row, unit_id in known:  # parents may stand below their children, so all ids are known first
            self._unit(row, unit_id)
        self._check_tree()
        takers = {
            "rooms": self._room, "seats": self._seat, "lines": self._line, "devices": self._device,
            "declared": self._declaration, "baseline": self._baseline,
        }  # fmt: skip
        for row in rows:
            if row.kind.name == "declared" and (unit := self._above(row)) is not None:
                self._declaration(row, unit.id)
            elif row.kind.name in takers and (school := self._school(row)) is not None:
                takers[row.kind.name](row, school)
        self._check_places()
        self._check_sitting()
        self._count_kept()
        self.result.unit_ids = dict(self._external)

    def write(self, valid_from: datetime, since: datetime | None, by: str | None = None) -> None:
        """Put the new rows and revisions into the session.

        Args:
            valid_from: since when new things exist.
            since: since when changed things are different; None = now.
            by: account or office that hands the files in; None = not known.
        """
        for name, unit_id in self._new_external:
            issuer, _, value = name.partition(":")
            self._session.add(ExternalId(unit_id=unit_id, issuer=issuer, value=value))
        for thing in self._things():
            if thing.row is not None and thing.before is None:
                values = thing.values | _set_by(thing, thing.values, by)
                self._session.add(thing.model(id=thing.id, valid_from=valid_from, **values))
            elif thing.before is not None and thing.differing:
                differing = thing.differing | _set_by(thing, thing.differing, by)
                thing.before.revise(self._session, differing, since=since)
        self._session.flush()

    def _things(self) -> Iterator[Thing]:
        for things in (self._units, self._rooms, self._seats, self._lines, self._devices, self._declared):
            yield from things.values()

    def _fail(self, row: Row, column: str, expected: str) -> None:
        self.result.errors.append(row.error(column, expected))

    # -- one method a sheet -------------------------------------------------------------------------------------------

    def _identify(self, row: Row) -> str | None:
        names: tuple[str, ...] | None = row.values.get("external_id")
        if names is None:
            return None
        owners = {self._external[name] for name in names if name in self._external}
        if len(owners) > 1:
            self._fail(row, "external_id", "these ids belong to different units of the register")
            return None
        unit_id = owners.pop() if owners else new_id("unit")
        for name in names:
            if name not in self._external:
                self._external[name] = unit_id
                self._new_external.append((name, unit_id))
            self._called.setdefault(unit_id, name)
        return unit_id

    def _unit(self, row: Row, unit_id: str) -> None:
        wanted = {key: row.values[key] for key in ("kind", "name", "level") if key in row.values}
        if "parent" in row.values:
            parent = row.values["parent"]
            wanted["parent_id"] = None if parent is None else self._external.get(parent)
            if parent is not None and wanted["parent_id"] is None:
                self._fail(row, "parent", "no unit has this external id, neither in the register nor in these files")
        known = self._units.get((None, unit_id))
        if self._sample:
            if known is not None and known.before is not None and not known.values["is_sample"]:
                self._fail(row, "", "this unit is registered as a real one; --sample must not mark it as invented")
            wanted["is_sample"] = True
        defaults = {"kind": UnitKind.SCHOOL.value, "parent_id": None, "level": "", "is_sample": False}
        thing = self._settle(self._units, (None, unit_id), Unit, row, self._called[unit_id], wanted, defaults, unit_id)
        unread = [name for name in ("kind", "level") if row.cells.get(name, ("", ""))[1] and name not in row.values]
        if unread:
            return  # reported already; what else is wrong depends on it
        if thing.values["kind"] == UnitKind.SCHOOL and not thing.values["level"]:
            self._fail(row, "level", "a school needs its level: mam_non, tieu_hoc, thcs, thpt or gdtx")
        if thing.values["kind"] != UnitKind.SCHOOL and thing.values["level"]:
            self._fail(row, "level", f"only a school has a level, this is a {thing.values['kind']}")

    def _school(self, row: Row) -> str | None:
        name = row.values.get("school")
        if name is None:
            return None
        unit_id = self._external.get(name)
        unit = None if unit_id is None else self._units.get((None, unit_id))
        if unit is None:
            nowhere = "no school has this external id, neither in the register nor in these files"
            self._fail(row, "school", nowhere if self._only is None else "expected the id of the school it is read for")
            return None
        if unit.values["kind"] != UnitKind.SCHOOL:
            self._fail(row, "school", f"this unit is a {unit.values['kind']}, not a school")
            return None
        return unit.id

    def _above(self, row: Row) -> Thing | None:
        """Give the unit above schools that a row declares something about; None = the row is about a school."""
        item, unit_id = DECLARABLE.get(row.values.get("name", "")), self._external.get(row.values.get("school", ""))
        unit = self._units.get((None, unit_id)) if unit_id else None
        if item is None or unit is None or item.subject is not SubjectKind.DISTRICT:
            return None
        return unit if unit.values["kind"] != UnitKind.SCHOOL else None

    def _room(self, row: Row, school: str) -> None:
        name = row.values.get("name")
        if name is None:
            return
        wanted = {key: row.values[key] for key in ("name", "kind", "class_size") if key in row.values}
        if "timetable" in row.values:
            wanted["timetable"] = row.values["timetable"] or ""
        thing = self._settle(
            self._rooms, (school, _fold(name)), Room, row, f"{row.values['school']}/{name}", wanted,
            {"school_id": school, "class_size": None, "timetable": ""}, new_id("room"),
        )  # fmt: skip
        self._called[thing.id] = name
        self.result.room_ids[row.values["school"], name] = thing.id

    def _place(self, row: Row, school: str) -> Thing | None:
        room = self._rooms.get((school, _fold(row.values["room"])))
        if room is None:
            self._fail(row, "room", "the school has no room of this name, neither in the register nor in these files")
        return room

    def _seat(self, row: Row, school: str) -> None:
        label = row.values.get("label")
        if label is None or row.values.get("room") is None:
            return
        room = self._place(row, school)
        if room is None:
            return
        key = f"{row.values['school']}/{row.values['room']}/{label}"
        wanted = {name: row.values[name] for name in ("label", "row", "column") if name in row.values}
        thing = self._settle(
            self._seats, (room.id, _fold(label)), Seat, row, key, wanted, {"room_id": room.id}, new_id("seat")
        )
        self._called[thing.id] = label

    def _line(self, row: Row, school: str) -> None:
        name = row.values.get("name")
        if name is None:
            return
        wanted = {"name": name}
        wanted |= {key: row.values[key] or "" for key in ("isp", "medium", "source_addresses") if key in row.values}
        for direction in ("down", "up"):
            if f"contracted_{direction}_mbps" in row.values:
                wanted[f"contracted_{direction}_bps"] = row.values[f"contracted_{direction}_mbps"]
        self._settle(
            self._lines, (school, _fold(name)), Line, row, f"{row.values['school']}/{name}", wanted,
            {"school_id": school, "isp": "", "medium": "", "contracted_down_bps": None, "contracted_up_bps": None,
             "source_addresses": ""},
            new_id("line"),
        )  # fmt: skip

    def _device(self, row: Row, school: str) -> None:
        code = row.values.get("code")
        if code is None:
            return
        known = self._devices.get((school, code))
        wanted = {key: row.values[key] for key in ("code", "kind", "state", "agent_since") if key in row.values}
        room_id: str | None = known.values["room_id"] if known else None
        if "room" in row.values:
            room = None if row.values["room"] is None else self._place(row, school)
            new_room = room.id if room else None
            if new_room != room_id:
                wanted["seat_id"] = None  # a seat of the old room means nothing in the new one
            wanted["room_id"] = room_id = new_room
        if row.values.get("seat") is not None:
            seat = self._seats.get((room_id, _fold(row.values["seat"]))) if room_id else None
            if room_id is None and not row.values.get("room"):
                self._fail(row, "seat", "a seat needs its room; fill in the column room")
            elif room_id is not None and seat is None:
                self._fail(
                    row, "seat", "the room has no seat of this label, neither in the register nor in these files"
                )
            wanted["seat_id"] = seat.id if seat else None
        elif "seat" in row.values:
            wanted["seat_id"] = None
        kind = wanted.get("kind", DeviceKind.PC.value)
        defaults = {
            "school_id": school, "kind": DeviceKind.PC.value, "room_id": None, "seat_id": None,
            "state": DeviceState.IN_SERVICE.value, "agent_since": None,
        }  # fmt: skip
        thing = self._settle(
            self._devices, (school, code), Device, row, f"{row.values['school']}/{code}", wanted, defaults,
            new_id(_PREFIXES[kind]),
        )  # fmt: skip
        self.result.device_ids[row.values["school"], code] = thing.id

    def _baseline(self, row: Row, school: str) -> None:
        """Take a PC of a hardware list, each once; one that is not there yet is registered, without an agent."""
        code = row.values.get("code")
        if code is None:
            return  # reported already
        earlier = self._listed.setdefault((school, code), row)
        if earlier is not row:
            self._fail(row, "code", f"{code} stands in {earlier.origin} line {earlier.line} already")
            return
        device = device_of(row, school, self._devices, self._rooms, self._called.__getitem__)
        if isinstance(device, RowError):
            self.result.errors.append(device)
            device = None
        if device is not None and device.row is row:
            called = f"{row.values['school']}/{code}"
            self.result.changes.append(
                Change("devices", called, Action.CREATED, {}, row.origin, row.line, {**device.values})
            )
            self.result.device_ids[row.values["school"], code] = device.id
        self._declaration(row, school, device)

    def _declaration(self, row: Row, school: str, device: Thing | None = None) -> None:
        """Take a row of declared values; each item says itself whether it is about a device, a room or the school."""
        for item in items(row):
            if item.problem:
                self._fail(row, item.column, item.problem)
                continue
            subject = device if row.kind.name == "baseline" else self._declared_of(row, school, item.kind)
            if subject is None:
                continue
            evidence = row.values.get("attachment_sha256", "")
            known = self._declared.get((subject.id, item.kind.name))
            if known and not evidence and (known.values["number"], known.values["text"]) == (item.number, item.text):
                evidence = known.values["attachment_sha256"]  # an empty cell says nothing
            place = {"device": "code", "room": "room"}.get(item.kind.subject)
            called = [row.values["school"], *([row.values[place]] if place else []), item.kind.name]
            wanted = {
                "number": item.number, "text": item.text, "declared_by": row.values.get("declared_by", ""),
                "attachment_sha256": evidence,
            }  # fmt: skip
            defaults = {
                "school_id": school, "subject_kind": str(item.kind.subject), "subject_id": subject.id,
                "name": item.kind.name,
            }  # fmt: skip
            self._settle(
                self._declared, (subject.id, item.kind.name), Declared, row, "/".join(called), wanted, defaults,
                new_id("dc"),
            )  # fmt: skip

    def _declared_of(self, row: Row, school: str, kind: Declarable) -> Thing | None:
        if kind.subject in (SubjectKind.SCHOOL, SubjectKind.DISTRICT):
            unit = self._units.get((None, school))
            if (unit is not None and unit.values["kind"] == UnitKind.SCHOOL) is (kind.subject is SubjectKind.SCHOOL):
                return unit
            self._fail(row, "name", f"{kind.name!r} is declared of a unit above schools")
            return None
        column = "code" if kind.subject is SubjectKind.DEVICE else "room"
        if row.values.get(column) is None:
            self._fail(row, column, f"is empty; {kind.name!r} is declared of a {kind.subject}")
            return None
        if kind.subject is SubjectKind.ROOM:
            return self._place(row, school)
        device = self._devices.get((school, row.values["code"]))
        if device is None:
            self._fail(row, "code", "the school has no device of this code, neither in the register nor in these files")
        return device

    def _settle(
        self,
        things: dict[_Key, Thing],
        key: _Key,
        model: type[Versioned],
        row: Row,
        called: str,
        wanted: dict[str, Any],
        defaults: dict[str, Any],
        fresh_id: str,
    ) -> Thing:
        """Find or make the thing of a row and note what becomes of it."""
        thing = things.get(key)
        if thing is not None and thing.row is not None:
            self._fail(row, "", f"{called} stands in {thing.row.origin} line {thing.row.line} already")
            return thing
        if thing is None:
            thing = things[key] = Thing(fresh_id, model, {**defaults, **wanted}, row=row)
            self._note(row, called, Action.CREATED, {}, thing)
            return thing
        thing.row = row
        thing.differing = {name: value for name, value in wanted.items() if thing.values[name] != value}
        shown = {name: (self._show(thing.values[name]), self._show(value)) for name, value in thing.differing.items()}
        thing.values.update(wanted)
        self._note(row, called, Action.CHANGED if shown else Action.UNCHANGED, shown, thing)
        return thing

    def _note(self, row: Row, called: str, action: Action, shown: Mapping[str, tuple[str, str]], thing: Thing) -> None:
        self.result.changes.append(Change(row.kind.name, called, action, shown, row.origin, row.line, {**thing.values}))

    def _show(self, value: Any) -> str:
        if isinstance(value, datetime):
            return value.isoformat(timespec="seconds")
        if value in (None, ""):
            return "-"
        return self._called.get(value, value) if isinstance(value, str) else str(value)

    # -- what only the whole shows ------------------------------------------------------------------------------------

    def _check_tree(self) -> None:
        by_id = {thing.id: thing for thing in self._units.values()}
        for thing in self._units.values():
            if thing.row is None:
                continue
            parent = by_id.get(thing.values["parent_id"] or "")
            if parent is not None and parent.values["kind"] == UnitKind.SCHOOL:
                self._fail(thing.row, "parent", "this unit is a school; a school has no units below it")
            above, seen = parent, {thing.id}
            while above is not None and above.id not in seen:
                seen.add(above.id)
                above = by_id.get(above.values["parent_id"] or "")
            if above is thing:
                self._fail(thing.row, "parent", "the units above one another go in a circle")

    def _check_places(self) -> None:
        self._check_alone(
            [seat for seat in self._seats.values() if {"row", "column"} <= seat.values.keys()],
            lambda seat: (seat.values["room_id"], seat.values["row"], seat.values["column"]),
            "row", "seat {} stands at the same row and column",
        )  # fmt: skip

    def _check_sitting(self) -> None:
        sitting = [
            thing for thing in self._devices.values()
            if thing.values["seat_id"] and thing.values["kind"] in _SITTING
            and thing.values["state"] != DeviceState.RETIRED
        ]  # fmt: skip
        self._check_alone(
            sitting, lambda device: device.values["seat_id"],
            "seat", "device {} sits there; give one of them another seat, or enter the state retired",
        )  # fmt: skip

    def _check_alone(self, things: Any, place: Any, column: str, sentence: str) -> None:
        """Report every thing of the files that stands where another one stands."""
        first: dict[Any, Thing] = {}
        for thing in things:
            other = first.setdefault(place(thing), thing)
            guilty = thing if thing.row is not None else other
            if other is not thing and guilty.row is not None:
                blamed = other if guilty is thing else thing
                self._fail(guilty.row, column, sentence.format(blamed.values.get("label") or blamed.values.get("code")))

    def _count_kept(self) -> None:
        for name, things in (
            ("units", self._units), ("rooms", self._rooms), ("seats", self._seats), ("lines", self._lines),
            ("devices", self._devices),
        ):  # fmt: skip
            touched = {key[0] for key, thing in things.items() if thing.row is not None}
            kept = sum(1 for key, thing in things.items() if thing.row is None and key[0] in touched)
            if kept:
                self.result.kept[name] = kept
