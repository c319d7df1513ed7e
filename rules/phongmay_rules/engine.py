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
from phongmay_rules.facts import records
from phongmay_rules.facts.schools import FactMaker, unit_facts
from phongmay_rules.judging_units import Sitting, States, sit
from phongmay_rules.model import Pack
from phongmay_rules.places import Organisation, SchoolPlace, UnitPlace, homes_in
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
        self._school_states: dict[str, States] = {}

    def run(self, unit: str | None) -> Evaluation:
        with self._open() as session:
            sitting = sit(session, self._pack, self._report.at, utc_now())
            organisation = sitting.organisation
            archive.keep(session, self._pack)
            self._report.ended = verdicts.sweep(session, organisation.homes(), self._at)
            session.commit()
        maker = FactMaker(self._at)
        for block in _blocks([s for s in organisation.schools.values() if _within(organisation, s.id, unit)]):
            self._schools(block, maker, sitting)
        self._units([place for place in organisation.units.values() if _within(organisation, place.id, unit)], sitting)
        return self._report

    def _schools(self, block: Sequence[SchoolPlace], maker: FactMaker, sitting: Sitting) -> None:
        found = maker.make(block, self._series)
        units = homes_in(block)
        with self._open() as session:
            facts, written = records.write(session, found, units, self._at)
            judged = {school.id: sitting.school(school, facts) for school in block}
            recorded = verdicts.record(session, self._pack, judged, self._at, self._valid_for_s, sitting.known_at)
            session.commit()
        self._report.facts += written
        names = {school.id: school.name for school in block}
        self._report.units += [UnitReport(r.unit_id, names[r.unit_id], r.counts, r.changed) for r in recorded]
        for school in block:
            self._school_states[school.id] = sitting.judge.states(judged[school.id])

    def _units(self, places: Sequence[UnitPlace], sitting: Sitting) -> None:
        found = {(SubjectKind.DISTRICT.value, place.id): unit_facts(self._at) for place in places}
        with self._open() as session:
            facts, written = records.write(session, found, {subject: subject[1] for subject in found}, self._at)
            judged = {place.id: sitting.unit(place, facts, self._school_states) for place in places}
            recorded = verdicts.record(session, self._pack, judged, self._at, self._valid_for_s, sitting.known_at)
            session.commit()
        self._report.facts += written
        names = {place.id: place.name for place in places}
        self._report.units += [UnitReport(r.unit_id, names[r.unit_id], r.counts, r.changed) for r in recorded]


def _within(organisation: Organisation, unit_id: str, root: str | None) -> bool:
    return root is None or root in organisation.ancestry(unit_id)


def _blocks(schools: Sequence[SchoolPlace]) -> Iterator[Sequence[SchoolPlace]]:
    return (schools[start : start + BLOCK] for start in range(0, len(schools), BLOCK))
