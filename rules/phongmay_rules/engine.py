"""Evaluates: register and series go in, fact rows, run rows and verdict rows come out; bottom-up, school by school.

Facts are made from one snapshot per block of schools and written first; rules then read fact rows only. An engine that
is kept remembers what it wrote (`memory`), and touches only the schools and devices in which something differs. One
engine works on a register at a time. A register or series store that cannot be used raises StoreError; what was
committed before (whole blocks of schools) stays.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from phongmay_rules import verdicts
from phongmay_rules.chain import archive
from phongmay_rules.facts import records
from phongmay_rules.facts.catalogue import Found
from phongmay_rules.facts.records import Facts
from phongmay_rules.facts.schools import FactMaker, Subject, unit_facts
from phongmay_rules.judging_units import Key, Sitting, States, sit
from phongmay_rules.memory import Memory, Remembered, mark, stale_at
from phongmay_rules.model import Pack
from phongmay_rules.places import Organisation, SchoolPlace, UnitPlace, homes_in
from phongmay_rules.verdicts import Moment, Ruling
from phongmay_store.errors import StoreError
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import SubjectKind
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
    """Judge every school, then the units above, once and in full.

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
    return Engine(open_session, pack, interval_s=interval_s).evaluate(series, at=at, unit=unit)


class Engine:
    """Evaluates again and again.

    Args:
        open_session: gives a new session of the register.
        pack: the rules.
        interval_s: time between evaluations.
        run_row_s: a unit in which nothing changed gets a run row after so many seconds; 0 = each time.
    """

    def __init__(
        self, open_session: Callable[[], Session], pack: Pack, *, interval_s: float = 60.0, run_row_s: float = 0.0
    ) -> None:
        self._open, self._pack = open_session, pack
        self._present_s, self._run_row_s = RUN_HOLDS * interval_s, run_row_s
        self._memory = Memory()

    def evaluate(self, series: SeriesReader, *, at: datetime | None = None, unit: str | None = None) -> Evaluation:
        """Look at all schools (or those of one unit), then at the units above them.

        Raises:
            StoreError: a store cannot be read or written.
        """
        with self._careful(), _collecting_between_blocks() as collect:
            sitting, moment = self._sit(at or datetime.now(UTC))
            with self._open() as session:
                archive.keep(session, self._pack)
                ended = self._sweep(session, sitting.organisation, moment.at)
                session.commit()
            report = Evaluation(moment.instant, ended=ended)
            maker = FactMaker(moment.at)
            organisation = sitting.organisation
            for block in _blocks([s for s in organisation.schools.values() if _within(organisation, s.id, unit)]):
                self._schools(block, maker.make(block, series), sitting, moment, report)
                collect()
            places = [place for place in organisation.units.values() if _within(organisation, place.id, unit)]
            self._units(places, sitting, moment, report)
            return report

    def follow(self, series: SeriesReader, devices: Collection[str], *, at: datetime | None = None) -> Evaluation:
        """Look at single devices now, at the rooms and schools that they stand in, and at the units above.

        Facts of other devices stay what they were; a school that was never evaluated in full is left out.
        """
        with self._careful():
            homes = {home for device in devices if (home := self._memory.homes.get((SubjectKind.DEVICE, device)))}
            sitting, moment = self._sit(at or datetime.now(UTC), homes)
            report = Evaluation(moment.instant)
            schools = [sitting.organisation.schools[home] for home in homes if home in self._memory.units]
            if sitting.basis != self._memory.basis or not schools:
                return report
            maker = FactMaker(moment.at)
            found: dict[Subject, list[Found]] = {}
            for school in schools:
                found |= maker.devices(school, devices, series)
            self._schools(schools, found, sitting, moment, report)
            self._units(list(sitting.organisation.units.values()), sitting, moment, report)
            return report

    @contextmanager
    def _careful(self) -> Iterator[None]:
        """Forget everything when something fails half-way: a transaction that was rolled back was not written."""
        try:
            yield
        except SQLAlchemyError as error:
            self._memory = Memory()
            raise StoreError(f"register: evaluation stopped: {str(error).splitlines()[0]}") from error
        except BaseException:
            self._memory = Memory()
            raise

    def _sit(self, at: datetime, schools: Collection[str] | None = None) -> tuple[Sitting, Moment]:
        with self._open() as session:
            sitting = sit(session, self._pack, at, utc_now(), schools)
        moment = Moment(at.timestamp(), sitting.known_at, self._present_s, self._present_s + self._run_row_s)
        return sitting, moment

    def _sweep(self, session: Session, organisation: Organisation, at: float) -> int:
        homes = organisation.homes()
        if homes == self._memory.homes:
            return 0
        ended = verdicts.sweep(session, homes, at)
        self._memory.homes = homes
        return ended

    def _schools(
        self,
        block: Sequence[SchoolPlace],
        found: Mapping[Subject, list[Found]],
        sitting: Sitting,
        moment: Moment,
        report: Evaluation,
    ) -> None:
        if sitting.basis != self._memory.basis:
            self._memory.units.clear()
            self._memory.basis = sitting.basis
        by_school: dict[str, dict[Subject, list[Found]]] = {school.id: {} for school in block}
        for subject, home in homes_in(block).items():
            if subject in found:
                by_school[home][subject] = found[subject]
        with self._open() as session:
            runs = verdicts.newest_runs(session, [school.id for school in block])
            changed: dict[str, set[Subject]] = {}
            for school in block:
                known = self._known(school, runs, moment)
                changed[school.id] = {
                    subject
                    for subject, facts in by_school[school.id].items()
                    if known is None or not known.holds(subject, facts)
                }
                if known is None:
                    self._memory.units.pop(school.id, None)
            loud = [school for school in block if changed[school.id] or school.id not in self._memory.units]
            wanted = {subject: found[subject] for school in loud for subject in changed[school.id]}
            facts, written = records.write(
                session, wanted, {subject: school.id for school in loud for subject in changed[school.id]},
                moment.at, [school.id for school in loud],
            )  # fmt: skip
            rulings = {school.id: self._rule(session, school, facts, sitting, changed[school.id]) for school in loud}
            recorded = verdicts.record(session, self._pack, rulings, moment)
            quiet = [school.id for school in block if school.id not in rulings]
            recorded += self._confirm(session, quiet, moment)
            session.commit()
        report.facts += written
        by_unit = {school.id: school for school in block}
        for run in recorded:
            if run.unit_id in rulings:
                self._remember(by_unit[run.unit_id], run, rulings[run.unit_id], wanted, facts, sitting, moment)
        changes = {run.unit_id: run.changed for run in recorded}
        report.units += [UnitReport(s.id, s.name, self._memory.units[s.id].counts, changes.get(s.id, 0)) for s in block]

    def _known(self, school: SchoolPlace, runs: Mapping[str, int], moment: Moment) -> Remembered | None:
        """Give what is remembered of a school, if it still is true."""
        known = self._memory.units.get(school.id)
        if known is None or runs.get(school.id) != known.run_id or moment.at >= known.stale_at:
            return None
        return known if isinstance(known.place, SchoolPlace) and known.place.is_like(school) else None

    def _rule(
        self, session: Session, school: SchoolPlace, facts: Facts, sitting: Sitting, changed: Collection[Subject]
    ) -> Ruling:
        kept: dict[Key, str] = {}
        if school.id in self._memory.units:
            kept = {
                key: state
                for key, state in verdicts.states_of(session, school.id).items()
                if key[0] == SubjectKind.DEVICE and key[:2] not in changed
            }
        return Ruling(sitting.school(school, facts, kept), kept)

    def _confirm(self, session: Session, quiet: Sequence[str], moment: Moment) -> list[verdicts.Recorded]:
        units = self._memory.units
        due = [unit for unit in quiet if moment.at - units[unit].run_at >= self._run_row_s]
        runs = verdicts.confirm(session, self._pack, {unit: units[unit].counts for unit in quiet}, due, moment)
        for run in runs:
            units[run.unit_id].run_id, units[run.unit_id].run_at = run.run_id, moment.at
        return runs

    def _remember(
        self,
        school: SchoolPlace,
        run: verdicts.Recorded,
        ruling: Ruling,
        found: Mapping[Subject, list[Found]],
        facts: Facts,
        sitting: Sitting,
        moment: Moment,
    ) -> None:
        subjects = list(homes_in([school]))
        before = self._memory.units.get(school.id)
        marks = {} if before is None else before.marks
        marks |= {subject: mark(found[subject], facts[subject]) for subject in subjects if subject in found}
        self._memory.units[school.id] = Remembered(
            run.run_id,
            moment.at,
            school,
            stale_at(school, facts, subjects, moment.at),
           
            sitting.judge.states(ruling.judged, ruling.kept), run.counts, marks,
        )  # fmt: skip

    def _units(self, places: Sequence[UnitPlace], sitting: Sitting, moment: Moment, report: Evaluation) -> None:
        found = {(SubjectKind.DISTRICT.value, place.id): unit_facts(moment.at) for place in places}
        with self._open() as session:
            runs = verdicts.newest_runs(session, [place.id for place in places])
            loud = [place for place in places if not self._unit_stands(place, runs, found)]
            subjects = {(SubjectKind.DISTRICT.value, place.id): place.id for place in loud}
            facts, written = records.write(
                session, {subject: found[subject] for subject in subjects}, subjects, moment.at, list(subjects.values())
            )
            states = {unit: known.states for unit, known in self._memory.units.items()}
            rulings = {place.id: Ruling(sitting.unit(place, facts, states)) for place in loud}
            recorded = verdicts.record(session, self._pack, rulings, moment)
            recorded += self._confirm(session, [place.id for place in places if place.id not in rulings], moment)
            session.commit()
        report.facts += written
        by_id = {place.id: place for place in loud}
        for run in recorded:
            if run.unit_id in by_id:
                subject = (SubjectKind.DISTRICT.value, run.unit_id)
                place = by_id[run.unit_id]
                self._memory.units[run.unit_id] = Remembered(
                    run.run_id, moment.at, place, inf, {}, run.counts, {subject: mark(found[subject], facts[subject])},
                    self._below(place),
                )  # fmt: skip
        changes = {run.unit_id: run.changed for run in recorded}
        report.units += [
            UnitReport(p.id, p.name, self._memory.units[p.id].counts, changes.get(p.id, 0)) for p in places
        ]

    def _unit_stands(self, place: UnitPlace, runs: Mapping[str, int], found: Mapping[Subject, Iterable[Found]]) -> bool:
        known, subject = self._memory.units.get(place.id), (SubjectKind.DISTRICT.value, place.id)
        return (
            known is not None
            and known.run_id == runs.get(place.id)
            and known.place == place
            and known.holds(subject, found[subject])
            and known.below == self._below(place)
        )

    def _below(self, place: UnitPlace) -> dict[str, States]:
        units = self._memory.units
        return {school: units[school].states for school in place.schools if school in units}


@contextmanager
def _collecting_between_blocks() -> Iterator[Callable[[], object]]:
    """Keep Python from looking for rings of objects among the millions that one block makes and lets go.

    It took half of an evaluation's time; reference counting frees them all the same. Gives the function to call after
    each block.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield lambda: gc.collect(1)
    finally:
        if was_on:
            gc.enable()


def _within(organisation: Organisation, unit_id: str, root: str | None) -> bool:
    return root is None or root in organisation.ancestry(unit_id)


def _blocks(schools: Sequence[SchoolPlace]) -> Iterator[Sequence[SchoolPlace]]:
    return (schools[start : start + BLOCK] for start in range(0, len(schools), BLOCK))
