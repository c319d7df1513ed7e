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
from phongmay_rules.chain import archive, tested
from phongmay_rules.facts import records
from phongmay_rules.facts.availability import Book
from phongmay_rules.facts.catalogue import Found
from phongmay_rules.facts.records import Facts
from phongmay_rules.facts.schools import FactMaker, Subject, unit_facts
from phongmay_rules.judging_units import Sitting, States, sit
from phongmay_rules.memory import Memory, Remembered, mark, of_devices, stale_at
from phongmay_rules.model import Pack
from phongmay_rules.places import Organisation, SchoolPlace, UnitPlace, homes_in
from phongmay_rules.verdicts import Moment, Ruling
from phongmay_store.errors import StoreError
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.engine import hold_one_state
from phongmay_store.register.failures import sentence
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
        recount_s: how long counts over 30 days hold; 0 = they are made each time.
    """

    def __init__(
        self,
        open_session: Callable[[], Session],
        pack: Pack,
        *,
        interval_s: float = 60.0,
        run_row_s: float = 0.0,
        recount_s: float = 0.0,
    ) -> None:
        self._open_session, self._pack = open_session, pack
        self._present_s, self._run_row_s = RUN_HOLDS * interval_s, run_row_s
        self._memory, self._book = Memory(), Book(recount_s)

    def evaluate(self, series: SeriesReader, *, at: datetime | None = None, unit: str | None = None) -> Evaluation:
        """Look at all schools (or those of one unit), then at the units above them.

        Raises:
            StoreError: a store cannot be read or written.
        """
        with self._careful(), _collecting_between_blocks() as collect:
            with self._open() as session:
                sitting, moment = self._sit(session, at or datetime.now(UTC))
                archive.keep(session, self._pack)
                ended = self._sweep(session, sitting.organisation, moment.at)
                tested.link_results(session)
                session.commit()
            if sitting.basis != self._memory.basis:
                self._memory.units.clear()
                self._memory.basis = sitting.basis
            report = Evaluation(moment.instant, ended=ended)
            maker = FactMaker(moment.at, book=self._book, floor_of=sitting.floor_bps)
            organisation = sitting.organisation
            for block in _blocks([s for s in organisation.schools.values() if _within(organisation, s.id, unit)]):
                found = maker.make(block, series)
                with self._open() as session:
                    runs = verdicts.newest_runs(session, [school.id for school in block])
                    self._schools(session, block, found, runs, sitting, moment, report)
                    session.commit()
                del found  # what is let go need not be looked through
                collect()
            places = [place for place in organisation.units.values() if _within(organisation, place.id, unit)]
            with self._open() as session:
                runs = verdicts.newest_runs(session, [place.id for place in places])
                self._units(session, places, runs, sitting, moment, report)
                session.commit()
            return report

    def follow(self, series: SeriesReader, devices: Collection[str], *, at: datetime | None = None) -> Evaluation:
        """Look at single devices now, at the rooms and schools that they stand in, and at the units above.

        Facts of other devices stay what they were. A school in which anything else changed (its rooms, settings, the
        calendar) is left to the next full evaluation.
        """
        with self._careful(), self._open() as session:
            homes = {home for device in devices if (home := self._memory.homes.get((SubjectKind.DEVICE, device)))}
            sitting, moment = self._sit(session, at or datetime.now(UTC), homes)
            report = Evaluation(moment.instant)
            present, places = sitting.organisation.schools, list(sitting.organisation.units.values())
            runs = verdicts.newest_runs(session, [*homes, *(place.id for place in places)])
            schools = [present[home] for home in homes & present.keys() if self._stands(present[home], runs, moment)]
            if sitting.basis != self._memory.basis or not schools:
                return report
            maker = FactMaker(moment.at, book=self._book, floor_of=sitting.floor_bps)
            found: dict[Subject, list[Found]] = {}
            for school in schools:
                found |= maker.devices(school, devices, series)
            self._schools(session, schools, found, runs, sitting, moment, report)
            self._units(session, places, runs, sitting, moment, report)
            session.commit()
            return report

    def _open(self) -> Session:
        """Open a session whose transaction may only be committed if nobody else changed what it rests on."""
        return hold_one_state(self._open_session())

    @contextmanager
    def _careful(self) -> Iterator[None]:
        """Forget everything when something fails half-way: a transaction that was rolled back was not written."""
        try:
            yield
        except SQLAlchemyError as error:
            self._memory = Memory()
            raise StoreError(f"register: evaluation stopped: {sentence(error)}") from error
        except BaseException:
            self._memory = Memory()
            raise

    def _sit(self, session: Session, at: datetime, schools: Collection[str] | None = None) -> tuple[Sitting, Moment]:
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
        session: Session,
        block: Sequence[SchoolPlace],
        found: Mapping[Subject, list[Found]],
        runs: Mapping[str, int],
        sitting: Sitting,
        moment: Moment,
        report: Evaluation,
    ) -> None:
        units = self._memory.units
        for school in block:
            if not self._stands(school, runs, moment):
                units.pop(school.id, None)
        changed = {school.id: self._changed(school, found) for school in block}
        loud = [school for school in block if changed[school.id] or school.id not in units]
        homes = {subject: school.id for school in loud for subject in changed[school.id]}
        wanted = {subject: found[subject] for subject in homes}
        facts = self._facts(session, loud, changed, sitting)
        report.facts += records.write(session, wanted, homes, moment.at, facts)
        rulings = {school.id: self._rule(school, facts, sitting, changed[school.id]) for school in loud}
        recorded = verdicts.record(session, self._pack, rulings, moment)
        recorded += self._confirm(session, [school.id for school in block if school.id not in rulings], moment)
        by_id = {school.id: school for school in loud}
        for run in recorded:
            if run.unit_id in by_id:
                self._remember(by_id[run.unit_id], run, rulings[run.unit_id], wanted, facts, sitting, moment)
        changes = {run.unit_id: run.changed for run in recorded}
        report.units += [UnitReport(s.id, s.name, units[s.id].counts, changes.get(s.id, 0)) for s in block]

    def _facts(
        self,
        session: Session,
        schools: Sequence[SchoolPlace],
        changed: Mapping[str, Collection[Subject]],
        sitting: Sitting,
    ) -> Facts:
        """Read the facts that are needed to judge schools: all of them, or those of what is judged again."""
        facts = records.read_current(session, [school.id for school in schools if school.id not in self._memory.units])
        for school in schools:
            if school.id in self._memory.units:
                judged = {name for kind, name in homes_in([school]) if kind != SubjectKind.DEVICE}
                judged |= {name for _, name in changed[school.id]}
                facts |= records.read_some(session, school.id, judged, sitting.judge.member_facts)
        return facts

    def _changed(self, school: SchoolPlace, found: Mapping[Subject, list[Found]]) -> dict[Subject, None]:
        """Give the subjects of a school whose facts differ from what was written of them, always in the same order."""
        known = self._memory.units.get(school.id)
        subjects = [subject for subject in homes_in([school]) if subject in found]
        return {subject: None for subject in subjects if known is None or not known.holds(subject, found[subject])}

    def _stands(self, school: SchoolPlace, runs: Mapping[str, int], moment: Moment) -> bool:
        """Tell whether what is remembered of a school still is true, but for new facts."""
        known = self._memory.units.get(school.id)
        return (
            known is not None
            and known.run_id == runs.get(school.id)
            and moment.at < known.stale_at
            and isinstance(known.place, SchoolPlace)
            and known.place.is_like(school)
        )

    def _rule(self, school: SchoolPlace, facts: Facts, sitting: Sitting, changed: Collection[Subject]) -> Ruling:
        known = self._memory.units.get(school.id)
        kept = {} if known is None else known.kept(changed)
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
        stale = min(stale_at(school, facts, subjects, moment.at), inf if before is None else before.stale_at)
        judged = of_devices(ruling.judged)
        marks |= {s: mark(found[s], facts[s], judged.get(s, ())) for s in subjects if s in found}
        self._memory.units[school.id] = Remembered(
            run.run_id,
            moment.at,
            school,
            stale,
            sitting.judge.states(ruling.judged, ruling.kept),
            run.counts,
            marks,
        )

    def _units(
        self,
        session: Session,
        places: Sequence[UnitPlace],
        runs: Mapping[str, int],
        sitting: Sitting,
        moment: Moment,
        report: Evaluation,
    ) -> None:
        found = {(SubjectKind.DISTRICT.value, place.id): unit_facts(place, moment.at) for place in places}
        loud = [place for place in places if not self._unit_stands(place, runs, found)]
        subjects = {(SubjectKind.DISTRICT.value, place.id): place.id for place in loud}
        facts = records.read_current(session, list(subjects.values()))
        report.facts += records.write(session, {name: found[name] for name in subjects}, subjects, moment.at, facts)
        states = {unit: known.states for unit, known in self._memory.units.items()}
        rulings = {place.id: Ruling(sitting.unit(place, facts, states)) for place in loud}
        recorded = verdicts.record(session, self._pack, rulings, moment)
        recorded += self._confirm(session, [place.id for place in places if place.id not in rulings], moment)
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
