"""Makes the facts of a past run anew from the series store and says which differ from the stored ones, and why.

Nothing is written: stored facts stand, whatever the series says today. Differences are to be expected, because data
arrive late, raw series are dropped after their time, and the register (timetables, agents) is corrected for the past.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from phongmay_rules.chain.archive import pack_by_hash
from phongmay_rules.facts import availability, line
from phongmay_rules.facts.catalogue import FACTS, Found
from phongmay_rules.facts.records import FactValue, read_past
from phongmay_rules.facts.schools import FactMaker, Subject
from phongmay_rules.judging_units import floor_bps
from phongmay_rules.model import Pack
from phongmay_rules.parameters import Overrides, read_overrides
from phongmay_rules.places import Organisation, SchoolPlace, calendars_at, homes_in, read_organisation
from phongmay_rules.reasons import Reason
from phongmay_rules.replaying import run_at
from phongmay_store.register.compliance import EvaluationRun
from phongmay_store.series.interface import (
    DeadLetter,
    Hourly,
    MinuteCounts,
    Minutes,
    Presence,
    Row,
    SeriesReader,
    Strips,
    TimeBasis,
)

_WINDOWS_S = (7200.0, 2 * 86400.0, 60 * 86400.0)
"""How far back the newest row of a device is looked for; mostly the first is enough."""
_PAGE = 5000
_SIGNS_OF_LIFE = {
    "heard": 1, "reported_7d": 1, "silent_expected_s": -1,
    **dict.fromkeys((*availability.DEVICE, *availability.ROOM, *line.NAMES), 1),
}  # fmt: skip
"""Facts about signs of life: whether more signs make them greater or smaller."""
_JUST_AFTER = 1e-6


class Why(StrEnum):
    """Why a fact comes out differently."""

    CALENDAR = "calendar"
    """The calendar of that time was corrected after the run: by the calendar as it was known then it would differ."""
    DROPPED = "dropped"
    """The series does not hold the data any more."""
    LATE = "late"
    """Data about that time arrived after the run."""
    OTHER = "other"
    """The same data give another value: register, holidays that came with the program, or program have changed."""


@dataclass(frozen=True, slots=True)
class FactDifference:
    """One fact that comes out differently."""

    subject: Subject
    name: str
    stored: FactValue | None
    made: Found | None
    why: Why

    def sentence(self) -> str:
        """Say it to a person."""
        texts = {
            Why.CALENDAR: "the school's calendar was corrected after the run",
            Why.DROPPED: "the series no longer holds the data",
            Why.LATE: "data about that time arrived after the run",
            Why.OTHER: "the same data give another value: the register or the program has changed",
        }
        stored = _shown(self.stored.value, self.stored.missing) if self.stored else "nothing"
        made = _shown(self.made.value, self.made.missing or "") if self.made else "nothing"
        return f"{self.subject[0]} {self.subject[1]} {self.name}: stored {stored}, now {made}: {texts[self.why]}"


def recompute(session: Session, series: SeriesReader, unit_id: str, at: datetime) -> list[FactDifference]:
    """Compare the facts that the last run at or before an instant judged by with what the series gives today.

    Args:
        session: the register; its present knowledge of that instant is used.
        series: the series store.
        unit_id: a school, or a unit above: all schools below it.
        at: the instant.

    Raises:
        ReplayError: no run at that time.
        PackError: the pack that says which floor was in force is not in the archive.
    """
    run = run_at(session, unit_id, at)
    moment = run.evaluated_at.timestamp()
    organisation = read_organisation(session, run.evaluated_at)
    schools = [school for school in organisation.schools.values() if unit_id in organisation.ancestry(school.id)]
    past = _PastSeries(series, moment)
    floors = _Floors(session, organisation, run)
    made = FactMaker(moment, floor_of=floors).make(schools, past)
    before = FactMaker(moment, floor_of=floors).make(_corrected_since(session, organisation, schools, run), past)
    known = read_organisation(session, run.evaluated_at, run.known_at).schools
    out: list[FactDifference] = []
    for school in schools:
        stored = read_past(session, school.id, run.newest_fact_id)
        here = set(homes_in([school]))
        judged = set(homes_in([known[school.id]])) if school.id in known else set()
        for subject in sorted(here | judged):  # facts of what had left the school before the run were not judged by
            now = {fact.name: fact for fact in made.get(subject, ())} if subject in here else {}
            then = {fact.name: fact for fact in before.get(subject, ())}
            by_calendar = {name for name, fact in then.items() if name in now and _told(fact) != _told(now[name])}
            found = _differences(subject, stored.get(subject, {}) if subject in judged else {}, now, by_calendar)
            moved = (subject in here) != (subject in judged)  # the register places it otherwise than the run did
            out += [replace(one, why=Why.OTHER) for one in found] if moved else found
    return out


class _Floors:
    """The floor of each school as the run knew it; the pack is read only when some school was tested."""

    def __init__(self, session: Session, organisation: Organisation, run: EvaluationRun) -> None:
        self._session, self._organisation, self._run = session, organisation, run
        self._known: tuple[Pack, Overrides] | None = None

    def __call__(self, school_id: str) -> float:
        if self._known is None:
            pack = pack_by_hash(self._session, self._run.pack_hash)
            self._known = pack, read_overrides(self._session, pack, self._run.known_at or self._run.evaluated_at)
        return floor_bps(*self._known, self._organisation.ancestry(school_id))


def _corrected_since(
    session: Session, organisation: Organisation, schools: Collection[SchoolPlace], run: EvaluationRun
) -> list[SchoolPlace]:
    """Give the schools whose calendar is known otherwise today, with the calendar as it was known to the run."""
    then = calendars_at(
        session, [school.id for school in schools], organisation.parents, run.evaluated_at, run.known_at
    )
    return [
        replace(school, calendar=then[school.id])
        for school in schools
        if then[school.id].periods != school.calendar.periods
    ]


def _told(fact: Found) -> tuple[object, ...]:
    return fact.value, fact.missing, fact.detail.get("minutes_expected")


def _differences(
    subject: Subject, stored: Mapping[str, FactValue], made: Mapping[str, Found], by_calendar: Collection[str]
) -> Iterator[FactDifference]:
    known, amount = stored.get("internet_known_s"), made.get("internet_known_s")
    more = _more(known, amount) if known and amount else 0.0
    for name in FACTS:
        old, new = stored.get(name), made.get(name)
        if (old is None and new is None) or (old is not None and new is not None and _same(old, new)):
            continue
        if name in by_calendar:
            why = Why.CALENDAR
        elif name.startswith("internet_") and more != 0:
            why = Why.LATE if more > 0 else Why.DROPPED
        elif name == "works_7d":  # rests on signs of life and on the registered state
            why = _why_works(stored.get("reported_7d"), made.get("reported_7d"))
        else:
            why = _why(old, new)
        yield FactDifference(subject, name, old, new, why)


def _why_works(old: FactValue | None, new: Found | None) -> Why:
    return Why.OTHER if old is not None and new is not None and _same(old, new) else _why(old, new)


def _same(old: FactValue, new: Found) -> bool:
    if (old.value, old.missing) != (new.value, new.missing or ""):
        return False
    return not FACTS[new.name].detail_matters or old.detail == dict(new.detail)


def _why(old: FactValue | None, new: Found | None) -> Why:
    if old is not None and new is not None and Reason.COVERAGE in (old.missing, new.missing):
        return _why_covered(old, new)
    had, has = old is not None and not old.missing, new is not None and not new.missing
    if had != has:
        return Why.DROPPED if had else Why.LATE
    if old is None or new is None or not had:
        return Why.OTHER
    if old.name in _SIGNS_OF_LIFE:
        if _expected_otherwise(old, new):
            return Why.OTHER
        more = _more(old, new) * _SIGNS_OF_LIFE[old.name]
        return Why.LATE if more > 0 else Why.DROPPED
    if set(new.sources) != set(old.sources) and new.at != old.at:
        return Why.LATE if new.at > old.at else Why.DROPPED
    return Why.OTHER


def _why_covered(old: FactValue, new: Found) -> Why:
    """Of a share of which too little was known, or is now, the known minutes tell what came or went."""
    was, now = ((old.detail or {}).get("minutes_known"), new.detail.get("minutes_known"))
    if _expected_otherwise(old, new) or was is None or now is None or was == now:
        return Why.OTHER
    return Why.LATE if now > was else Why.DROPPED


def _expected_otherwise(old: FactValue, new: Found) -> bool:
    """Tell whether the same window has other expected minutes: a timetable or an agent's begin was corrected."""
    was = old.detail or {}
    return was.get("to") == new.detail.get("to") and was.get("minutes_expected") != new.detail.get("minutes_expected")


def _more(old: FactValue, new: Found) -> float:
    """Tell by how much a number grew; words and missing values do not."""
    both = isinstance(old.value, int | float) and isinstance(new.value, int | float)
    return float(new.value) - float(old.value) if both else 0.0  # type: ignore[arg-type] # both are numbers


def _shown(value: float | str | None, missing: str) -> str:
    return missing or (f"{value:g}" if isinstance(value, int | float) else str(value))


class _PastSeries:
    """A series store as it looks at an instant, from the rows that it holds today."""

    def __init__(self, series: SeriesReader, at: float) -> None:
        self._series, self._at = series, at

    def latest(self, measurement: str, devices: Collection[str] | None = None) -> Iterator[Row]:
        """Give the newest row of each (device, part) up to the instant."""
        for device in devices or ():
            yield from self._newest(device, measurement).values()

    def _newest(self, device: str, measurement: str) -> dict[str, Row]:
        end, newest = self._at + _JUST_AFTER, dict[str, Row]()
        for window in _WINDOWS_S:
            start = self._at - window
            after: tuple[float, str] | None = None
            while page := self._series.range(device, measurement, start, end, limit=_PAGE, after=after):
                newest |= {row.part: row for row in page if row.basis is not TimeBasis.GUESS}
                after = (page[-1].at, page[-1].part)
            if newest:
                break
            end = start
        return newest

    def newer(self, measurement: str, since: float) -> set[str]:
        """Facts ask for no such thing; no device was new in the past."""
        return set()

    def minutes(self, start: float, end: float, devices: Collection[str] | None = None) -> Iterator[Minutes]:
        """Give the minute masks; facts ask for no time after the instant."""
        return self._series.minutes(start, end, devices)

    def seen(self, start: float, end: float, devices: Collection[str] | None = None) -> Mapping[str, int]:
        """Give minutes with a round; facts ask for no time after the instant."""
        return self._series.seen(start, end, devices)

    def strips(self, start: float, end: float, devices: Collection[str]) -> Mapping[str, Strips]:
        """Give minutes with a round or a try; facts ask for no time after the instant."""
        return self._series.strips(start, end, devices)

    def hourly(
        self, measurement: str, quantity: str, start: float, end: float, devices: Collection[str] | None = None
    ) -> Sequence[Hourly]:
        """Give a gauge by the hour; facts ask for no time after the instant."""
        return self._series.hourly(measurement, quantity, start, end, devices)

    def minutes_within(
        self, wanted: Mapping[int, int], devices: Collection[str] | None = None
    ) -> Mapping[str, MinuteCounts]:
        """Count minutes; facts ask for no time after the instant."""
        return self._series.minutes_within(wanted, devices)

    def listening(self, start: float, end: float) -> Mapping[int, int]:
        """Give the minutes in which a collector could hear; facts ask for no time after the instant."""
        return self._series.listening(start, end)

    def presence(self, devices: Collection[str] | None = None) -> Iterator[Presence]:
        """Give the last sign of life of each device up to the instant, from its rounds."""
        known = {presence.device: presence for presence in self._series.presence(devices)}
        for device, presence in known.items():
            if presence.last_seen <= self._at:
                yield presence
                continue
            for row in self._newest(device, "agent").values():
                yield Presence(device, presence.state, "", row.source.run, row.at, row.at, presence.agent)

    def range(
        self,
        device: str,
        measurement: str,
        start: float,
        end: float,
        *,
        part: str | None = None,
        limit: int = 1000,
        after: tuple[float, str] | None = None,
    ) -> Sequence[Row]:
        """Give rows up to the instant."""
        until = min(end, self._at + _JUST_AFTER)
        return self._series.range(device, measurement, start, until, part=part, limit=limit, after=after)

    def envelope_count(self, device: str | None = None) -> int:
        """Count stored envelopes of today."""
        return self._series.envelope_count(device)

    def dead_letters(self, limit: int = 100, after: int = 0) -> Sequence[DeadLetter]:
        """Give the dead letters of today."""
        return self._series.dead_letters(limit, after)

    def unknown_names(self) -> Mapping[str, int]:
        """Give the unknown names of today."""
        return self._series.unknown_names()

    def out_of_range_devices(self) -> Mapping[str, float]:
        """Give the impossible values of today."""
        return self._series.out_of_range_devices()
