"""Evaluates: register and series go in, fact rows, run rows and verdict rows come out; bottom-up, school by school.

Facts are made from one snapshot per block of schools and written first; rules then read fact rows only. One engine
works on a register at a time. A register or series store that cannot be used raises StoreError; what was committed
before (whole blocks of schools) stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from phongmay_rules import verdicts
from phongmay_rules.chain import archive
from phongmay_rules.checks.outcome import Member, Setting
from phongmay_rules.facts import records
from phongmay_rules.facts.records import Facts
from phongmay_rules.facts.schools import FactMaker
from phongmay_rules.judging import Judgement, Subject, judge, judges
from phongmay_rules.model import Pack, Rule
from phongmay_rules.parameters import Overrides, in_force, read_overrides
from phongmay_rules.places import DevicePlace, Organisation, SchoolPlace, UnitPlace, homes_in, read_organisation
from phongmay_rules.verdicts import Key
from phongmay_store.errors import StoreError
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.timetable import LOCAL
from phongmay_store.series.interface import SeriesReader

BLOCK = 25
"""Schools that are read, judged and committed together: bounds memory and how long the register is locked."""
RUN_HOLDS = 3
"""A run vouches for its verdicts for so many intervals."""


@dataclass(frozen=True, slots=True)
class UnitReport:
    """What the evaluation of one unit came to.

    Attributes:
        counts: group of rules -> state -> how many.
        changed: verdicts that got a row.
    """

    unit_id: str
    name: str
    counts: Mapping[str, Mapping[str, int]]
    changed: int


@dataclass
class Evaluation:
    """What a whole evaluation came to.

    Attributes:
        at: true time.
        units: schools first, then the units above, children before parents.
        facts: fact rows written.
        ended: verdicts of subjects that stand elsewhere now or nowhere.
    """

    at: datetime
    units: list[UnitReport] = field(default_factory=list)
    facts: int = 0
    ended: int = 0

    @property
    def changed(self) -> int:
        """Verdict rows written."""
        return self.ended + sum(unit.changed for unit in self.units)


def evaluate(
    open_session: Callable[[], Session],
    series: SeriesReader,
    pack: Pack,
    *,
    at: datetime | None = None,
    unit: str | None = None,
    interval_s: float = 60.0,
) -> Evaluation:
    """Judge every school, then the units above.

    Args:
        open_session: gives a new session of the register, e.g. a sessionmaker.
        series: reader of the series store; only its newest state is read.
        pack: the rules.
        at: the present (aware); default: now. The newest series rows are judged as of this instant.
        unit: only this unit and what is below it.
        interval_s: time until the next evaluation; three of them are how long the run vouches for its verdicts.

    Raises:
        StoreError: a store cannot be read or written.
    """
    moment = at or datetime.now(UTC)
    try:
        return _Engine(open_session, series, pack, moment, interval_s).run(unit)
    except SQLAlchemyError as error:
        raise StoreError(f"register: evaluation stopped: {str(error).splitlines()[0]}") from error


class _Engine:
    def __init__(
        self, open_session: Callable[[], Session], series: SeriesReader, pack: Pack, at: datetime, interval_s: float
    ) -> None:
        self._open, self._series, self._pack = open_session, series, pack
        self._report = Evaluation(at)
        self._at = at.timestamp()
        self._valid_for_s = RUN_HOLDS * interval_s
        day = at.astimezone(LOCAL).date()
        self._rules = [rule for rule in pack.rules.values() if rule.in_force(day)]
        self._school_states: dict[str, dict[str, list[str]]] = {}

    def run(self, unit: str | None) -> Evaluation:
        with self._open() as session:
            organisation = read_organisation(session, self._report.at)
            overrides = read_overrides(session, self._pack)
            archive.keep(session, self._pack)
            self._report.ended = verdicts.sweep(session, organisation.homes(), self._at)
            session.commit()
        maker = FactMaker(self._at)
        for block in _blocks([s for s in organisation.schools.values() if _within(organisation, s.id, unit)]):
            self._schools(block, maker, organisation, overrides)
        above = [place for place in organisation.units.values() if _within(organisation, place.id, unit)]
        self._units(above, organisation, overrides)
        return self._report

    def _schools(
        self, block: Sequence[SchoolPlace], maker: FactMaker, organisation: Organisation, overrides: Overrides
    ) -> None:
        found = maker.make(block, self._series)
        units = homes_in(block)
        with self._open() as session:
            facts, written = records.write(session, found, units, self._at)
            judged = {
                school.id: self._judge_school(
                    school, facts, in_force(self._pack, overrides, organisation.ancestry(school.id))
                )
                for school in block
            }
            recorded = verdicts.record(session, self._pack, judged, self._at, self._valid_for_s)
            session.commit()
        self._report.facts += written
        names = {school.id: school.name for school in block}
        self._report.units += [UnitReport(r.unit_id, names[r.unit_id], r.counts, r.changed) for r in recorded]
        for school in block:
            self._school_states[school.id] = self._states(judged[school.id])

    def _judge_school(self, school: SchoolPlace, facts: Facts, settings: Mapping[str, Setting]) -> dict[Key, Judgement]:
        judged: dict[Key, Judgement] = {}
        subjects = {
            SubjectKind.DEVICE: [_device_subject(device, school) for device in school.devices],
            SubjectKind.ROOM: [
                Subject(SubjectKind.ROOM, room.id, school.id, room.kind, school.level) for room in school.rooms
            ],
            SubjectKind.SCHOOL: [Subject(SubjectKind.SCHOOL, school.id, school.id, "", school.level)],
        }
        for rule in self._rules:
            for subject in subjects.get(rule.subject.kind, ()):
                if judges(rule, subject):
                    own = facts.get((subject.kind, subject.id), {})
                    members = _devices(school, subject, facts, judged, rule)
                    judged[subject.kind, subject.id, rule.id] = self._judge(rule, subject, own, members, settings)
        return judged

    def _units(self, places: Sequence[UnitPlace], organisation: Organisation, overrides: Overrides) -> None:
        judged: dict[str, dict[Key, Judgement]] = {}
        for place in places:
            subject = Subject(SubjectKind.DISTRICT, place.id, place.id, place.kind)
            rules = [rule for rule in self._rules if judges(rule, subject)]
            settings = in_force(self._pack, overrides, organisation.ancestry(place.id)) if rules else {}
            members = [
                Member(SubjectKind.SCHOOL, school, states=self._school_states[school]) for school in place.schools
            ]
            judged[place.id] = {
                (subject.kind, subject.id, rule.id): self._judge(rule, subject, {}, members, settings) for rule in rules
            }
        with self._open() as session:
            recorded = verdicts.record(session, self._pack, judged, self._at, self._valid_for_s)
            session.commit()
        names = {place.id: place.name for place in places}
        self._report.units += [UnitReport(r.unit_id, names[r.unit_id], r.counts, r.changed) for r in recorded]

    def _judge(
        self,
        rule: Rule,
        subject: Subject,
        facts: Mapping[str, records.FactValue],
        members: Sequence[Member],
        settings: Mapping[str, Setting],
    ) -> Judgement:
        return judge(rule, subject, facts, members, settings, self._at, self._pack.inherited[rule.id])

    def _states(self, judged: Mapping[Key, Judgement]) -> dict[str, list[str]]:
        """Give the states of every rule in a school; a rule that had nothing to judge has none."""
        states: dict[str, list[str]] = {rule.id: [] for rule in self._rules}
        for (_, _, rule), judgement in judged.items():
            states[rule].append(judgement.state.value)
        return states


def _device_subject(device: DevicePlace, school: SchoolPlace) -> Subject:
    return Subject(
        SubjectKind.DEVICE, device.id, school.id, device.kind, school.level, device.state,
        device.agent_since is not None,
    )  # fmt: skip


def _devices(
    school: SchoolPlace, subject: Subject, facts: Facts, judged: Mapping[Key, Judgement], rule: Rule
) -> list[Member]:
    """Give the devices of a room or school as members, with the states of the rules that the aggregate reads."""
    if subject.kind == SubjectKind.DEVICE:
        return []
    reads = rule.reads_rules()
    return [
        Member(
            SubjectKind.DEVICE,
            device.id,
            device.kind,
            device.state,
            device.agent_since is not None,
            {
                read: [judged[key].state.value]
                for read in reads
                if (key := (SubjectKind.DEVICE.value, device.id, read)) in judged
            },
            facts.get((SubjectKind.DEVICE, device.id), {}),
        )
        for device in school.devices
        if subject.kind == SubjectKind.SCHOOL or device.room_id == subject.id
    ]


def _within(organisation: Organisation, unit_id: str, root: str | None) -> bool:
    return root is None or root in organisation.ancestry(unit_id)


def _blocks(schools: Sequence[SchoolPlace]) -> Iterator[Sequence[SchoolPlace]]:
    return (schools[start : start + BLOCK] for start in range(0, len(schools), BLOCK))
