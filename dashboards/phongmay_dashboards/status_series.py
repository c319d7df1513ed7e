"""The status series: what the boards show of register and presence, as documented measurements of InfluxDB.

In: an overview, counts of verdicts and faults of the data, all of one instant. Out: lines for the database of rounds.
Every field is declared here once, as the catalogue declares quantities; what is not known is left out, never 0 (which
is green on a board: faults of devices of which none was ever heard are not known). The numbers are those of the API,
because the same functions count them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from phongmay_contract.catalogue import Type
from phongmay_contract.units import Unit
from phongmay_rules.overview import Condition, DeviceOverview, Lessons, Overview, RoomOverview, SchoolOverview, Sums
from phongmay_rules.runs import LineRun
from phongmay_store.register.compliance import State
from phongmay_store.series.influx_words import tag_text

NO_ROOM = "-"
"""Tag `room` of devices that stand in none."""
FAULTS = ("no_fingerprint", "shared_fingerprint", "refused_messages", "out_of_range")
"""Faults of the data that are counted by school (phongmay_rules.quality)."""
_TEXT = str.maketrans({"\\": "\\\\", '"': '\\"'})


@dataclass(frozen=True, slots=True)
class StatusField:
    """A field of a status series."""

    name: str
    type: Type
    unit: Unit
    about: str


@dataclass(frozen=True)
class StatusMeasurement:
    """A status series."""

    name: str
    about: str
    tags: tuple[str, ...]
    fields: tuple[StatusField, ...]
    types: Mapping[str, Type] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", {one.name: one.type for one in self.fields})


def _text(name: str, about: str) -> StatusField:
    return StatusField(name, Type.TEXT, Unit.NONE, about)


def _count(name: str, about: str, unit: Unit = Unit.COUNT) -> StatusField:
    return StatusField(name, Type.INT, unit, about)


def _number(name: str, unit: Unit, about: str) -> StatusField:
    return StatusField(name, Type.FLOAT, unit, about)


_CHOICE = _text("choice", "Name and id with | between them, for the board's lists.")
_LAST_SEEN = _number("last_seen_s", Unit.SECOND, "True time of the newest sign of life, since 1970; left out: never.")
_LESSONS = (
    _count("lesson_expected_minutes", "Minutes of today in which rooms were in use, summed over devices."),
    _count("lesson_known_minutes", "Of these, a collector could hear."),
    _count("lesson_seen_minutes", "Of these, the device was there."),
    _number("lesson_seen_ratio", Unit.RATIO, "Seen over known minutes; left out when nothing is known."),
)
_SUMS = (
    _count("devices", "Devices that are not retired."),
    *(_count(condition.value, f"Of these, devices in the condition {condition.value}.") for condition in Condition),
    _count("clock_doubtful", "Devices whose newest round has a time of their own clock, or a guess."),
    _count("identity_conflicts", "Devices whose identity two machines use."),
    _count("waiting", "Envelopes that wait in their spools for a receipt."),
    _LAST_SEEN,
    *_LESSONS,
)

SCHOOL = StatusMeasurement(
    "school_status",
    "How a school stands.",
    ("school", "name"),
    (
        _CHOICE,
        *_SUMS,
        *(_count(f"verdict_{state.value}", f"Verdicts on the school in the state {state.value}.") for state in State),
        *(_count(fault, f"Devices with the fault {fault} in their data.") for fault in FAULTS),
        _number("line_tested_s", Unit.SECOND, "True time of the newest concurrent test of the line, since 1970."),
        _text("line_verdict", "What it came to: pass, fail, insufficient or invalid."),
        _number("line_down_bps", Unit.BIT_PER_SECOND, "IP rate downwards of all PCs together in that test."),
        _number("line_up_bps", Unit.BIT_PER_SECOND, "The same upwards."),
        _number("line_contracted_down_bps", Unit.BIT_PER_SECOND, "What the contract promises downwards."),
        _number("line_contracted_up_bps", Unit.BIT_PER_SECOND, "The same upwards."),
    ),
)
ROOM = StatusMeasurement(
    "room_status", "How a room stands.", ("school", "room"), (_CHOICE, _text("name", "Name of the room."), *_SUMS)
)
DEVICE = StatusMeasurement(
    "device_status",
    "How a device stands.",
    ("school", "room", "device", "label"),
    (
        _CHOICE,
        _text("kind", "pc, teacher_pc, gateway, router or display."),
        _text("condition", "One of: " + ", ".join(Condition) + "."),
        _LAST_SEEN,
        _number("silent_s", Unit.SECOND, "Silence, counted in time in use only."),
        _count("identity_conflict", "1 when two machines use its identity."),
        _count("clock_doubtful", "1 when its newest round has a time of its own clock, or a guess."),
        _count("memory_bytes", "Memory of the machine.", Unit.BYTE),
        _number("disk_free_ratio", Unit.RATIO, "Free share of the system volume."),
        _count("spool_envelopes", "Envelopes that wait in its spool."),
        *_LESSONS,
    ),
)
SERVICE = StatusMeasurement(
    "service_status",
    "How the collecting itself stands.",
    (),
    (
        _count("heard_minutes", "Of the last 60 minutes, those in which a collector could hear."),
        _count("schools", "Schools that were looked at."),
        _count("devices", "Devices that were looked at."),
    ),
)
STATUS = {one.name: one for one in (SCHOOL, ROOM, DEVICE, SERVICE)}
"""Every status series by name; none has the name of a measurement of the catalogue."""

Fields = dict[str, int | float | str | None]


def lines(
    found: Overview, verdicts: Mapping[str, Mapping[str, int]], faults: Mapping[str, Mapping[str, int]]
) -> list[bytes]:
    """Write the points of one instant, in line protocol with nanoseconds.

    Args:
        found: everything.
        verdicts: by school, number of verdicts in each state.
        faults: by school, number of devices with each fault; a school of which nothing is known is not in it.
    """
    at = int(found.at)
    out = [_line(SERVICE, (), {"heard_minutes": found.heard_minutes, "schools": len(found.schools),
                               "devices": sum(school.sums.devices for school in found.schools)}, at)]  # fmt: skip
    for school in found.schools:
        fields = _school(school, verdicts[school.id], faults.get(school.id, {}))
        out.append(_line(SCHOOL, (school.id, school.name), fields, at))
        out += (_line(ROOM, (school.id, room.id or NO_ROOM), _room(room), at) for room in school.rooms)
        out += (
            _line(DEVICE, (school.id, device.room_id or NO_ROOM, device.id, device.label), _device(device), at)
            for device in school.devices
        )
    return [line.encode() for line in out]


def _school(school: SchoolOverview, verdicts: Mapping[str, int], faults: Mapping[str, int]) -> Fields:
    return {
        "choice": _choice(school.name, school.id),
        **_sums(school.sums),
        **{f"verdict_{state.value}": verdicts[state.value] for state in State},
        **{fault: faults.get(fault) for fault in FAULTS},
        **_line_test(school.last_test),
    }


def _line_test(test: LineRun | None) -> Fields:
    if test is None:
        return {}
    return {
        "line_tested_s": test.at,
        "line_verdict": str(test.verdict),
        "line_down_bps": test.ip_dl,
        "line_up_bps": test.ip_ul,
        "line_contracted_down_bps": test.contracted_dl,
        "line_contracted_up_bps": test.contracted_ul,
    }


def _room(room: RoomOverview) -> Fields:
    name = room.name or NO_ROOM
    return {"choice": _choice(name, room.id or NO_ROOM), "name": name, **_sums(room.sums)}


def _device(device: DeviceOverview) -> Fields:
    doubtful = device.clock_doubtful
    return {
        "choice": _choice(device.label, device.id),
        "kind": device.kind,
        "condition": device.condition.value,
        "last_seen_s": device.last_seen,
        "silent_s": device.silent_s,
        "identity_conflict": int(device.in_conflict),
        "clock_doubtful": None if doubtful is None else int(doubtful),
        "memory_bytes": device.memory_bytes,
        "disk_free_ratio": device.disk_free_ratio,
        "spool_envelopes": device.spool_envelopes,
        **_lessons(device.today),
    }


def _sums(sums: Sums) -> Fields:
    heard = sums.last_seen is not None
    return {
        "devices": sums.devices,
        **{condition.value: count for condition, count in sums.conditions.items()},
        "clock_doubtful": sums.clock_doubtful if heard else None,
        "identity_conflicts": sums.in_conflict if heard or sums.in_conflict else None,
        "waiting": sums.waiting if heard else None,
        "last_seen_s": sums.last_seen,
        **_lessons(sums.today),
    }


def _lessons(today: Lessons) -> Fields:
    return {
        "lesson_expected_minutes": today.expected,
        "lesson_known_minutes": today.known,
        "lesson_seen_minutes": today.seen,
        "lesson_seen_ratio": today.seen / today.known if today.known else None,
    }


def _choice(name: str, own_id: str) -> str:
    return f"{name.replace('|', '/')}|{own_id}"


def _line(kind: StatusMeasurement, tags: tuple[str, ...], values: Fields, at: int) -> str:
    head = "".join(f",{name}={tag_text(text)}" for name, text in zip(kind.tags, tags, strict=True) if text)
    return f"{kind.name}{head} {','.join(_fields(kind, values))} {at}000000000"


def _fields(kind: StatusMeasurement, values: Fields) -> Iterator[str]:
    for name, value in values.items():
        if value is None:
            continue
        match kind.types[name]:
            case Type.TEXT:
                text = str(value).replace("\n", " ").translate(_TEXT)
                yield f'{name}="{text}"'
            case Type.INT:
                yield f"{name}={int(value)}i"
            case _:
                yield f"{name}={float(value)!r}"
