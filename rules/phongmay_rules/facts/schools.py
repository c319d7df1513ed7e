"""All facts of some schools at one instant: places and a snapshot of the series go in, `Found` by subject comes out.

When a room is in use is its timetable, cut by its school's calendar; a calendar or a table of it that has run out gives
facts without a value, never hours that nobody vouches for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from phongmay_rules.facts import availability, campaigns, hardware, line, network, presence, reports, rooms
from phongmay_rules.facts.catalogue import BY_AGENT, Found, missing, not_measured
from phongmay_rules.facts.declared import with_declared
from phongmay_rules.facts.snapshot import Snapshot, take
from phongmay_rules.facts.support import SupportTable, shipped_table
from phongmay_rules.places import DevicePlace, RoomPlace, SchoolPlace, UnitPlace
from phongmay_rules.reasons import Reason
from phongmay_store.register.calendar_hours import Calendar
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.device import DeviceState
from phongmay_store.register.timetable import NEVER, Hours, TimetableError, parse
from phongmay_store.series.interface import SeriesReader, Strips

Subject = tuple[str, str]
"""(kind, id)."""
_REACH = ("internet_reach_ratio", "internet_known_s", "internet_coverage_ratio")
_SILENCE = ("heard", "silent_expected_s")


@dataclass
class FactMaker:
    """Makes the facts of schools; what several of them share (hours of rooms) is made once.

    Attributes:
        at: true time of the evaluation.
        book: counts of 30 days that earlier evaluations made.
        floor_of: gives the rate that each PC of a school must get, as the rules in force demand it.
    """

    at: float
    table: SupportTable = field(default_factory=shipped_table)
    book: availability.Book = field(default_factory=availability.Book)
    floor_of: Callable[[str], float] = field(default=lambda _: 0.0)
    _hours: dict[tuple[Calendar, str], Hours | None] = field(default_factory=dict)
    _days: dict[tuple[Calendar, str], network.Expected | None] = field(default_factory=dict)
    _months: dict[tuple[Calendar, str], availability.Month | None] = field(default_factory=dict)
    _listening: Mapping[int, int] | None = None

    def make(self, schools: Iterable[SchoolPlace], series: SeriesReader) -> dict[Subject, list[Found]]:
        """Give the facts of every device, room and school; the series are read before the first of them is made."""
        schools = list(schools)
        snapshot = self._snapshot(
            [(school.calendar, device) for school in schools for device in school.devices], series
        )
        counted = self._counted(schools, series, snapshot)
        out: dict[Subject, list[Found]] = {}
        for school in schools:
            counts = counted[school.id]
            of_school = school.declared.get((SubjectKind.SCHOOL, school.id), {})
            needed = self.floor_of(school.id) if school.runs else 0.0
            facts = rooms.school_facts(school, of_school, self.at)
            students = next(fact for fact in facts if fact.name == "students")
            facts += campaigns.line_facts(school, students, needed, self.at)
            facts += self._line(school, counts)
            out[SubjectKind.SCHOOL, school.id] = [*facts, reports.of_school(of_school, self.at)]
            reach: dict[str, Found] = {}
            standing: dict[str | None, list[DevicePlace]] = {}
            for device in school.devices:
                found = self._device(device, school.calendar, snapshot, counts)
                reach[device.id] = next(fact for fact in found if fact.name == "internet_reach_ratio")
                standing.setdefault(device.room_id, []).append(device)
                own = school.declared.get((SubjectKind.DEVICE, device.id), {})
                out[SubjectKind.DEVICE, device.id] = with_declared(device, found, own, self.table, self.at, of_school)
            for room in school.rooms:
                own = school.declared.get((SubjectKind.ROOM, room.id), {})
                devices = standing.get(room.id, [])
                out[SubjectKind.ROOM, room.id] = [
                    *rooms.room_facts(room, devices, reach, own, self.at),
                    *campaigns.room_facts(room, devices, school.runs, needed, self.at),
                    *self._room_availability(room, school.calendar, counts),
                ]
        return out

    def devices(self, school: SchoolPlace, only: Collection[str], series: SeriesReader) -> dict[Subject, list[Found]]:
        """Give the facts of some devices of a school, nothing about rooms or the school."""
        chosen = [device for device in school.devices if device.id in only]
        of_school = school.declared.get((SubjectKind.SCHOOL, school.id), {})
        snapshot = self._snapshot([(school.calendar, device) for device in chosen], series)
        counts = self.book.read(school, self.at)
        if counts is None:
            window = availability.window(self.at)
            counts = self._count(school, chosen, (), series, snapshot, lambda ids: series.seen(*window, ids))
        out: dict[Subject, list[Found]] = {}
        for device in chosen:
            own = school.declared.get((SubjectKind.DEVICE, device.id), {})
            found = self._device(device, school.calendar, snapshot, counts)
            out[SubjectKind.DEVICE, device.id] = with_declared(device, found, own, self.table, self.at, of_school)
        return out

    def _snapshot(self, devices: Iterable[tuple[Calendar, DevicePlace]], series: SeriesReader) -> Snapshot:
        measured = [(calendar, device) for calendar, device in devices if _measures(device)]
        days = [day for calendar, device in measured if (day := self._day(calendar, device.timetable))]
        start, end = min((day.start for day in days), default=0.0), max((day.end for day in days), default=0.0)
        return take(series, [device.id for _, device in measured], start, end)

    def _counted(
        self, schools: Sequence[SchoolPlace], series: SeriesReader, snapshot: Snapshot
    ) -> dict[str, availability.Counts]:
        """Give the counts of 30 days of each school; the minutes of those that are counted anew are read at once."""
        known = {school.id: self.book.read(school, self.at) for school in schools}
        due = [school for school in schools if known[school.id] is None]
        devices = [
            device.id
            for school in due
            for device in school.devices
            if _measures(device) and self._month(school.calendar, device.timetable, series) is not None
        ]
        strips = series.strips(*availability.window(self.at), devices) if devices else {}
        rounds = {device: own.seen for device, own in strips.items()}
        for school in due:
            made = self._count(school, school.devices, school.rooms, series, snapshot, lambda _: rounds)
            made |= self._count_line(school, series, snapshot, strips)
            self.book.write(school, self.at, made)
            known[school.id] = made
        return {school: counts for school, counts in known.items() if counts is not None}

    def _count(
        self,
        school: SchoolPlace,
        devices: Sequence[DevicePlace],
        in_rooms: Sequence[RoomPlace],
        series: SeriesReader,
        snapshot: Snapshot,
        rounds_of: Callable[[Sequence[str]], Mapping[str, int]],
    ) -> dict[Subject, availability.Tally]:
        return availability.count(
            devices, in_rooms, rounds_of, lambda text: self._month(school.calendar, text, series),
            lambda device: presence.interval_of(snapshot.agents.get(device)), self.at,
        )  # fmt: skip

    def _count_line(
        self, school: SchoolPlace, series: SeriesReader, snapshot: Snapshot, strips: Mapping[str, Strips]
    ) -> dict[Subject, availability.Tally]:
        counted = line.count(
            school.devices, strips, lambda text: self._month(school.calendar, text, series),
            lambda device: presence.interval_of(snapshot.agents.get(device)),
        )  # fmt: skip
        return {} if counted is None else {(SubjectKind.SCHOOL, school.id): counted}

    def _month(self, calendar: Calendar, text: str, series: SeriesReader) -> availability.Month | None:
        if (calendar, text) not in self._months:
            hours = self._hours_of(calendar, text)
            if self._listening is None:
                self._listening = series.listening(*availability.window(self.at))
            listening = self._listening
            self._months[calendar, text] = (
                None if hours is None or hours.expired(self.at) else availability.month(hours, listening, self.at)
            )
        return self._months[calendar, text]

    def _room_availability(self, room: RoomPlace, calendar: Calendar, counts: availability.Counts) -> list[Found]:
        hours, names = self._hours_of(calendar, room.timetable), availability.ROOM
        if hours is None:
            return _nothing(names, Reason.BAD_TIMETABLE, self.at, room.row)
        if expired := hours.expired(self.at):
            return _nothing(names, Reason.CALENDAR_EXPIRED, self.at, room.row, expired=expired)
        count = counts.get((SubjectKind.ROOM, room.id))
        if count is None:
            return _nothing(names, Reason.NO_AGENT, self.at, room.row)
        return availability.found(names, count, hours.sources(count.start, count.end - 1), self.at)

    def _line(self, school: SchoolPlace, counts: availability.Counts) -> list[Found]:
        """Give the facts about a school's Internet: it is expected while any room with an agent is in use."""
        texts = dict.fromkeys(device.timetable for device in school.devices if _measures(device))
        read = [hours for text in texts if (hours := self._hours_of(school.calendar, text)) is not None]
        if not read:
            return _nothing(line.NAMES, Reason.BAD_TIMETABLE if texts else Reason.NO_AGENT, self.at)
        if expired := next((text for hours in read if (text := hours.expired(self.at))), ""):
            return _nothing(line.NAMES, Reason.CALENDAR_EXPIRED, self.at, expired=expired)
        count = counts.get((SubjectKind.SCHOOL, school.id))
        if not isinstance(count, line.LineTally):
            return _nothing(line.NAMES, Reason.NO_DATA, self.at)
        entries = dict.fromkeys(entry for hours in read for entry in hours.sources(count.start, count.end - 1))
        return line.facts(count, tuple(entries), self.at)

    def _device(
        self, device: DevicePlace, calendar: Calendar, snapshot: Snapshot, counts: availability.Counts
    ) -> list[Found]:
        if device.agent_since is None:
            return self._nothing_measured(device, Reason.NO_AGENT)
        if device.in_conflict:
            return self._nothing_measured(device, Reason.IDENTITY_CONFLICT)
        found = hardware.hardware_facts(snapshot.hardware.get(device.id), self.at, self.table)
        found += hardware.disk_facts(snapshot.disks.get(device.id, ()), self.at)
        found += hardware.free_space_facts(snapshot.usage.get(device.id), self.at)
        found += not_measured(SubjectKind.DEVICE, self.at)
        found += network.link_facts(snapshot.links.get(device.id, ()), self.at)
        hours = self._hours_of(calendar, device.timetable)
        heard = snapshot.presence.get(device.id)
        expired = hours.expired(self.at) if hours else ""
        if hours is None or expired:
            why = Reason.CALENDAR_EXPIRED if expired else Reason.BAD_TIMETABLE
            detail = {"expired": expired} if expired else {}
            reported = presence.has_reported(heard, hours or NEVER, self.at)
            return [
                *found,
                *_nothing((*_REACH, *_SILENCE, *availability.DEVICE), why, self.at, device.row, **detail),
                Found("reported_7d", 1 if reported else 0, self.at),
                _works(device, reported, self.at),
            ]
        day = self._day(calendar, device.timetable)
        found += network.reach_facts(snapshot.reach.get(device.id), day, device.agent_since, self.at)
        count = counts[SubjectKind.DEVICE, device.id]
        found += availability.found(availability.DEVICE, count, hours.sources(count.start, count.end - 1), self.at)
        interval = presence.interval_of(snapshot.agents.get(device.id))
        found += presence.presence_facts(heard, hours, device.agent_since, interval, self.at)
        reported = presence.has_reported(heard, hours, self.at)
        return [*found, _works(device, reported, self.at)]

    def _nothing_measured(self, device: DevicePlace, reason: Reason) -> list[Found]:
        nothing = _nothing(BY_AGENT, reason, self.at, device.row)
        return [*nothing, *not_measured(SubjectKind.DEVICE, self.at)]

    def _hours_of(self, calendar: Calendar, text: str) -> Hours | None:
        """Give the hours of a room; None = its timetable cannot be read."""
        if (calendar, text) not in self._hours:
            try:
                self._hours[calendar, text] = calendar.cut(parse(text))
            except TimetableError:
                self._hours[calendar, text] = None
        return self._hours[calendar, text]

    def _day(self, calendar: Calendar, text: str) -> network.Expected | None:
        if (calendar, text) not in self._days:
            hours = self._hours_of(calendar, text)
            self._days[calendar, text] = network.last_day(hours, self.at) if hours else None
        return self._days[calendar, text]


def _nothing(names: Iterable[str], reason: Reason, at: float, *rows: str, **detail: str) -> list[Found]:
    return [missing(name, reason, at, sources=rows, **detail) for name in names]


def _measures(device: DevicePlace) -> bool:
    return device.agent_since is not None and not device.in_conflict


def _works(device: DevicePlace, reported: bool, at: float) -> Found:
    works = reported and device.state == DeviceState.IN_SERVICE
    return Found("works_7d", 1 if works else 0, at, None, (device.row,))


def unit_facts(place: UnitPlace, at: float) -> list[Found]:
    """Give the facts of a unit above schools."""
    return [reports.of_unit(place.declared, at), *not_measured(SubjectKind.DISTRICT, at)]
