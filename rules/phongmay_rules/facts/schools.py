"""All facts of some schools at one instant: places and a snapshot of the series go in, `Found` by subject comes out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from phongmay_rules.facts import hardware, network, presence, rooms
from phongmay_rules.facts.catalogue import FACTS, Found, missing
from phongmay_rules.facts.snapshot import Snapshot, take
from phongmay_rules.facts.support import SupportTable, shipped_table
from phongmay_rules.places import DevicePlace, SchoolPlace
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.timetable import Timetable, TimetableError, parse
from phongmay_store.series.interface import SeriesReader

Subject = tuple[str, str]
"""(kind, id)."""
_DEVICE_FACTS = tuple(name for name, kind in FACTS.items() if kind.subject is SubjectKind.DEVICE)
_REACH = ("internet_reach_ratio", "internet_known_s", "internet_coverage_ratio")
_SILENCE = ("heard", "silent_expected_s")


@dataclass
class FactMaker:
    """Makes the facts of schools; what several of them share (timetables) is read once.

    Attributes:
        at: true time of the evaluation.
    """

    at: float
    table: SupportTable = field(default_factory=shipped_table)
    _timetables: dict[str, Timetable | None] = field(default_factory=dict)
    _days: dict[str, network.Expected | None] = field(default_factory=dict)

    def make(self, schools: Iterable[SchoolPlace], series: SeriesReader) -> dict[Subject, list[Found]]:
        """Give the facts of every device, room and school."""
        schools = list(schools)
        measured = [d for school in schools for d in school.devices if d.agent_since is not None and not d.in_conflict]
        days = [day for device in measured if (day := self._day(device.timetable))]
        start, end = min((day.start for day in days), default=0.0), max((day.end for day in days), default=0.0)
        snapshot = take(series, [device.id for device in measured], start, end)
        out: dict[Subject, list[Found]] = {}
        for school in schools:
            out[SubjectKind.SCHOOL, school.id] = rooms.school_facts(school, self.at)
            for room in school.rooms:
                out[SubjectKind.ROOM, room.id] = rooms.room_facts(room, self.at)
            for device in school.devices:
                out[SubjectKind.DEVICE, device.id] = self._device(device, snapshot)
        return out

    def _device(self, device: DevicePlace, snapshot: Snapshot) -> list[Found]:
        if device.agent_since is None:
            return _nothing(_DEVICE_FACTS, Reason.NO_AGENT, self.at, device.row)
        if device.in_conflict:
            return _nothing(_DEVICE_FACTS, Reason.IDENTITY_CONFLICT, self.at, device.row)
        found = hardware.hardware_facts(snapshot.hardware.get(device.id), self.at, self.table)
        found += hardware.disk_facts(snapshot.disks.get(device.id, ()), self.at)
        found += network.link_facts(snapshot.links.get(device.id, ()), self.at)
        timetable = self._timetable(device.timetable)
        heard = snapshot.presence.get(device.id)
        if timetable is None:
            reported = heard is not None and heard.last_seen >= self.at - presence.REPORTED_S
            return [
                *found,
                *_nothing((*_REACH, *_SILENCE), Reason.BAD_TIMETABLE, self.at, device.row),
                Found("reported_7d", 1 if reported else 0, self.at),
            ]
        hours, day = snapshot.minutes.get(device.id, ()), self._day(device.timetable)
        found += network.reach_facts(hours, day, device.agent_since, self.at)
        interval = presence.interval_of(snapshot.agents.get(device.id))
        found += presence.presence_facts(heard, timetable, device.agent_since, interval, self.at)
        return found

    def _timetable(self, text: str) -> Timetable | None:
        if text not in self._timetables:
            try:
                self._timetables[text] = parse(text)
            except TimetableError:
                self._timetables[text] = None
        return self._timetables[text]

    def _day(self, text: str) -> network.Expected | None:
        if text not in self._days:
            timetable = self._timetable(text)
            self._days[text] = network.last_day(timetable, self.at) if timetable else None
        return self._days[text]


def _nothing(names: Iterable[str], reason: Reason, at: float, row: str) -> list[Found]:
    return [missing(name, reason, at, sources=(row,)) for name in names]
