"""How every device, room and school stands at this moment, for whoever must mend it: boards and the API read it here.

In: register and series of one instant. Out: a condition and a few newest values for each device, and their sums;
nothing is written and no rule reads it. What cannot be told is unknown or None, never good: when no collector could
hear, nothing is said about who is there. A store that cannot be read raises StoreError, an unknown unit OperatorError.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from phongmay_contract.envelope import ONLINE
from phongmay_rules.facts.presence import SILENCE_MAX_S, interval_of
from phongmay_rules.places import DevicePlace, SchoolPlace, read_organisation
from phongmay_rules.runs import LineRun
from phongmay_rules.standing import find_unit
from phongmay_store.register.base import utc_now
from phongmay_store.register.device import Device, DeviceState
from phongmay_store.register.place import Room, Seat
from phongmay_store.register.timetable import Hours, TimetableError, day_start, local_day, parse
from phongmay_store.series.interface import MinuteCounts, Presence, Row, SeriesReader, TimeBasis

LONG_SILENCE_S = 4 * 3600.0
"""Half a school day: whoever was silent in so much time in use counts as silent outside of it too."""
MISSED_ROUNDS = 3
HEARD_LATELY_S = 300
"""When no collector heard anything in so many seconds, nobody's presence is known."""
_LAG_S = 120
"""Minutes count when they are so old: their rounds have arrived."""


class Condition(StrEnum):
    """What may be said of a device now."""

    ONLINE = "online"
    """Connected, and heard within three of its rounds."""
    SILENT = "silent"
    """Not heard although its room is in use; or, outside lessons, for more than half a school day of them."""
    OFF = "off"
    """Not heard, and nobody is missing it."""
    UNKNOWN = "unknown"
    """No collector can hear at present, two machines use its identity, or the hours of its room cannot be told."""
    NEVER = "never"
    """Its agent was never heard."""
    NO_AGENT = "no_agent"
    """Declared only: nothing will ever be heard of it."""
    IN_REPAIR = "in_repair"
    """Registered as being repaired."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """Minutes of today in which the room was in use, up to two minutes ago.

    Attributes:
        expected: by timetable and calendar.
        known: of these, a collector could hear.
        seen: of these, the device was there.
    """

    expected: int = 0
    known: int = 0
    seen: int = 0


@dataclass(frozen=True, slots=True)
class DeviceOverview:
    """One device.

    Attributes:
        label: inventory code and seat, for people.
        last_seen: true time; None = never.
        silent_s: since it was last heard, counted in time in use only; None = cannot be told.
        in_conflict: two machines use its identity.
        clock_doubtful: the time of its newest round rests on its own clock or on a guess; None = no round.
        memory_bytes: memory of the machine.
        disk_free_ratio: free share of the system volume.
        spool_envelopes: what waits in its spool for a receipt.
    """

    id: str
    school_id: str
    room_id: str | None
    label: str
    kind: str
    condition: Condition
    last_seen: float | None
    silent_s: float | None
    in_conflict: bool
    clock_doubtful: bool | None
    memory_bytes: int | None
    disk_free_ratio: float | None
    spool_envelopes: int | None
    today: Lessons


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over devices.

    Attributes:
        conditions: number of devices in each condition; every condition is a key.
        clock_doubtful: devices whose newest round has a doubtful time.
        in_conflict: devices whose identity two machines use.
        waiting: envelopes in their spools.
        last_seen: newest sign of life; None = never.
        today: sums of minutes.
    """

    devices: int
    conditions: Mapping[Condition, int]
    clock_doubtful: int
    in_conflict: int
    waiting: int
    last_seen: float | None
    today: Lessons


@dataclass(frozen=True, slots=True)
class RoomOverview:
    """A room; id and name are "" for devices that stand in none."""

    id: str
    name: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class SchoolOverview:
    """A school with its rooms and devices.

    Attributes:
        last_test: newest concurrent test of the line that has ended.
    """

    id: str
    name: str
    sums: Sums
    rooms: tuple[RoomOverview, ...]
    devices: tuple[DeviceOverview, ...]
    last_test: LineRun | None


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything at one instant.

    Attributes:
        heard_minutes: of the last 60 whole minutes, those in which a collector could hear.
    """

    at: float
    heard_minutes: int
    schools: tuple[SchoolOverview, ...]


def overview(
    session: Session, series: SeriesReader, unit: str | None = None, *, at: datetime | None = None
) -> Overview:
    """Look at every school of a unit.

    Args:
        session: the register; only read.
        series: reader of the series store.
        unit: id, or issuer:value; None = all.
        at: the present (default: now).

    Raises:
        OperatorError: there is no such unit.
    """
    moment = at or utc_now()
    only = None if unit is None else _schools_of(session, unit, moment)
    organisation = read_organisation(session, moment, only=only)
    schools = [school for school in organisation.schools.values() if only is None or school.id in only]
    look = _Look(session, series, schools, moment)
    return Overview(look.at, look.heard_minutes, tuple(look.school(school) for school in schools))


def _schools_of(session: Session, unit: str, moment: datetime) -> set[str]:
    """Give the schools of a unit, without reading what stands in any."""
    organisation = read_organisation(session, moment, only=())
    root = find_unit(session, organisation, unit)
    return {school for school in organisation.schools if root in organisation.ancestry(school)}


def sums_of(devices: Sequence[DeviceOverview]) -> Sums:
    """Sum devices up."""
    counts = Counter(device.condition for device in devices)
    return Sums(
        len(devices),
        {condition: counts[condition] for condition in Condition},
        sum(bool(device.clock_doubtful) for device in devices),
        sum(device.in_conflict for device in devices),
        sum(device.spool_envelopes or 0 for device in devices),
        max((device.last_seen for device in devices if device.last_seen is not None), default=None),
        Lessons(
            sum(device.today.expected for device in devices),
            sum(device.today.known for device in devices),
            sum(device.today.seen for device in devices),
        ),
    )


class _Look:
    """What is read once for all schools."""

    def __init__(
        self, session: Session, series: SeriesReader, schools: Sequence[SchoolPlace], moment: datetime
    ) -> None:
        self.at = moment.timestamp()
        every = [device for school in schools for device in school.devices]
        ids = {device.id for device in every}
        self._presence = {presence.device: presence for presence in series.presence(ids)} if ids else {}
        self._agent = _newest(series.latest("agent", ids))
        self._usage = _newest(series.latest("usage", ids))
        self._hardware = _newest(series.latest("hardware", ids))
        places = [school.id for school in schools]
        rooms, devices = Room.at(moment).where(Room.school_id.in_(places)), Device.at(moment)
        self._rooms = {room.id: room.name for room in session.scalars(rooms)}
        seats = {
            seat.id: seat.label for seat in session.scalars(Seat.at(moment).where(Seat.room_id.in_([*self._rooms])))
        }
        self._labels = {
            device.id: " · ".join(filter(None, (device.code, seats.get(device.seat_id or "", ""))))
            for device in session.scalars(devices.where(Device.school_id.in_(places)))
        }
        listening = series.listening(day_start(local_day(self.at)) - 3600, self.at)
        self.heard_minutes = _minutes(listening, self.at - 3600, self.at)
        self._hears = bool(_minutes(listening, self.at - HEARD_LATELY_S, self.at))
        self._hours = {
            (school.id, text): _hours(school, text, self.at)
            for school in schools
            for text in {device.timetable for device in school.devices}
        }
        self._today = self._lessons(series, every, listening)

    def school(self, place: SchoolPlace) -> SchoolOverview:
        devices = tuple(self._device(device) for device in place.devices)
        by_room: dict[str, list[DeviceOverview]] = {room.id: [] for room in place.rooms}
        for device in devices:
            by_room.setdefault(device.room_id or "", []).append(device)
        rooms = tuple(
            RoomOverview(room, self._rooms.get(room, ""), sums_of(inside)) for room, inside in by_room.items()
        )
        return SchoolOverview(
            place.id, place.name, sums_of(devices), rooms, devices, place.runs[-1] if place.runs else None
        )

    def _device(self, place: DevicePlace) -> DeviceOverview:
        presence = self._presence.get(place.id)
        agent, usage, hardware = (found.get(place.id) for found in (self._agent, self._usage, self._hardware))
        hours, interval = self._hours[place.unit_id, place.timetable], interval_of(agent)
        silent = _silence(presence, hours, place.agent_since, interval, self.at)
        size, free = (_number(usage, name) for name in ("system_volume_bytes", "system_volume_free_bytes"))
        memory, spool = _number(hardware, "memory_bytes"), _number(agent, "spool_envelopes")
        return DeviceOverview(
            place.id,
            place.unit_id,
            place.room_id,
            self._labels.get(place.id) or place.id,
            place.kind,
            self._condition(place, presence, hours, silent, interval),
            presence.last_seen if presence else None,
            silent,
            place.in_conflict,
            None if agent is None else agent.basis is not TimeBasis.LIVE,
            None if memory is None else int(memory),
            free / size if size and free is not None else None,
            None if spool is None else int(spool),
            self._today.get(place.id, Lessons()),
        )

    def _condition(
        self, place: DevicePlace, presence: Presence | None, hours: Hours | None, silent: float | None, interval: float
    ) -> Condition:
        if place.state == DeviceState.IN_REPAIR:
            return Condition.IN_REPAIR
        if place.agent_since is None:
            return Condition.NO_AGENT
        if not self._hears or place.in_conflict:
            return Condition.UNKNOWN
        if presence is None:
            return Condition.NEVER
        if presence.state == ONLINE and self.at - presence.last_seen <= MISSED_ROUNDS * interval:
            return Condition.ONLINE
        if hours is None or silent is None:
            return Condition.UNKNOWN
        in_use = hours.expected_seconds(self.at - 60, self.at) > 0
        return Condition.SILENT if silent >= (MISSED_ROUNDS * interval if in_use else LONG_SILENCE_S) else Condition.OFF

    def _lessons(
        self, series: SeriesReader, devices: Iterable[DevicePlace], listening: Mapping[int, int]
    ) -> dict[str, Lessons]:
        start, end = day_start(local_day(self.at)), (self.at - _LAG_S) // 60 * 60
        alike: dict[tuple[str, str, float], list[str]] = {}
        for device in devices:
            if device.agent_since is not None and device.state == DeviceState.IN_SERVICE and not device.in_conflict:
                since = -(-max(start, device.agent_since) // 60) * 60
                alike.setdefault((device.unit_id, device.timetable, since), []).append(device.id)
        by_minutes: dict[tuple[tuple[int, int], ...], list[tuple[Lessons, list[str]]]] = {}
        for (school, text, since), ids in alike.items():
            hours = self._hours[school, text]
            if hours is None or since >= end:
                continue
            expected = hours.minute_masks(since, end)
            known = {hour: both for hour, mask in expected.items() if (both := mask & listening.get(hour, 0))}
            whole, heard = (sum(map(int.bit_count, masks.values())) for masks in (expected, known))
            by_minutes.setdefault(tuple(sorted(known.items())), []).append((Lessons(whole, heard), ids))
        found: dict[str, Lessons] = {}
        for minutes, groups in by_minutes.items():  # most schools have the same hours: one question for all of them
            counts = series.minutes_within(dict(minutes), {device_id for _, ids in groups for device_id in ids})
            for lessons, ids in groups:
                for device_id in ids:
                    seen = counts.get(device_id, MinuteCounts(0, 0, 0)).seen
                    found[device_id] = Lessons(lessons.expected, lessons.known, seen)
        return found


def _newest(rows: Iterator[Row]) -> dict[str, Row]:
    return {row.device: row for row in rows}


def _number(row: Row | None, name: str) -> float | None:
    value = row.values.get(name) if row else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _hours(school: SchoolPlace, text: str, at: float) -> Hours | None:
    try:
        hours = school.calendar.cut(parse(text))
    except TimetableError:
        return None
    return None if hours.expired(at) else hours


def _silence(
    presence: Presence | None, hours: Hours | None, since: float | None, interval: float, at: float
) -> float | None:
    """Count as the fact `silent_expected_s` does, but unrounded."""
    if hours is None or since is None:
        return None
    start = max(since, at - SILENCE_MAX_S, presence.last_seen if presence else since)
    return hours.expected_seconds(start, at) if at - start >= 2 * interval else 0.0


def _minutes(masks: Mapping[int, int], start: float, end: float) -> int:
    """Count the marked minutes that lie in [start, end) as a whole."""
    first, last = int(-(-start // 60)), int(end // 60)
    return sum(masks.get(minute // 60 * 3600, 0) >> minute % 60 & 1 for minute in range(first, last))


def in_order(found: Overview) -> list[DeviceOverview]:
    """Give all devices in order of id."""
    return sorted((device for school in found.schools for device in school.devices), key=lambda device: device.id)
