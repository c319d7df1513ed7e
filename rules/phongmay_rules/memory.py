"""What a running engine remembers of each unit, so that an evaluation only touches what changed.

In: facts as they were found and written, places, verdicts' states. Out: whether anything that a unit's verdicts rest on
differs. Nothing here is needed for a correct verdict: forgetting it costs one full evaluation. A few hundred bytes a
device are held; facts and verdicts themselves are not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from math import inf

import msgspec

from phongmay_rules.facts.catalogue import FACTS, Found
from phongmay_rules.facts.records import Facts, FactValue
from phongmay_rules.facts.schools import Subject
from phongmay_rules.judging import Judgement
from phongmay_rules.judging_units import Key, States
from phongmay_rules.places import SchoolPlace, UnitPlace
from phongmay_store.register.compliance import SubjectKind

_encode = msgspec.json.Encoder(enc_hook=str).encode
_TIMED = {name: kind.freshness_s for name, kind in FACTS.items() if kind.freshness_s is not None}
_DETAILED = frozenset(name for name, kind in FACTS.items() if kind.detail_matters)


Verdicts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """What was written of one subject's facts.

    Attributes:
        content: digest of all that makes a fact row differ, except times.
        due: for each fact that grows stale, in order, the time from which a newer value is written anew.
        verdicts: of a device, each rule that judged it with the state that it came to.
    """

    content: bytes
    due: tuple[float, ...]
    verdicts: Verdicts = ()

    def holds(self, found: Iterable[Found]) -> bool:
        """Tell whether writing these facts would append no row."""
        found = list(found)
        if content(found) != self.content:
            return False
        newest = (fact.at for fact in found if fact.name in _TIMED)
        return all(at <= due for at, due in zip(newest, self.due, strict=True))


def content(found: Iterable[Found]) -> bytes:
    """Digest what makes fact rows differ (see `records`): values, reasons, sources, and the details that matter."""
    return blake2b(
        _encode(
            [
                (fact.name, fact.value, fact.missing, fact.source, fact.detail.get("declared"),
                 fact.detail if fact.name in _DETAILED else None)
                for fact in found
            ]
        ),
        digest_size=16,
    ).digest()  # fmt: skip


def mark(found: Iterable[Found], rows: Mapping[str, FactValue], verdicts: Iterable[tuple[str, str]] = ()) -> Mark:
    """Remember facts of one subject.

    Args:
        found: what was found.
        rows: the rows that stand for it now.
        verdicts: as in `Mark`.
    """
    found = list(found)
    due = tuple(rows[fact.name].at + _TIMED[fact.name] / 2 for fact in found if fact.name in _TIMED)
    return Mark(content(found), due, _shared(tuple(verdicts)))


def of_devices(judged: Mapping[Key, Judgement]) -> dict[Subject, list[tuple[str, str]]]:
    """Give each rule and state of every device that was judged."""
    out: dict[Subject, list[tuple[str, str]]] = {}
    for (kind, name, rule), judgement in judged.items():
        if kind == SubjectKind.DEVICE:
            out.setdefault((kind, name), []).append((rule, judgement.state))
    return out


@lru_cache(maxsize=4096)
def _shared(verdicts: Verdicts) -> Verdicts:
    """Give the same object for what is equal: nearly all of a city's devices come to one of a few dozen results."""
    return verdicts


def stale_at(school: SchoolPlace, facts: Facts, subjects: Iterable[Subject], at: float) -> float:
    """Give the next instant at which some value may grow stale without anything else changing.

    Closed time does not age a value (`Context.is_stale`). What the calendar will close ahead is not known yet, so the
    instant may be too early; what it opens makes another calendar, and the school is judged anew.

    Args:
        school: whose calendar and timetables say when something ages.
        facts: fact rows by subject.
        subjects: which of them are looked at.
        at: the present.
    """
    ageings = school.ageings()
    known = {  # most values of a school are about few instants
        (ageings[subject], limit, fact.at)
        for subject in subjects
        for fact in facts.get(subject, {}).values()
        if (limit := _TIMED.get(fact.name)) is not None and not fact.missing
    }
    due = inf
    for ageing, limit, known_at in known:
        age = ageing.age(known_at, at)
        if age <= limit and at + (limit - age) / ageing.rate < due:
            due = min(due, ageing.older_at(age, at, limit))
    return due


@dataclass(slots=True)
class Remembered:
    """What is known of one unit since its last evaluation.

    Attributes:
        run_id: its newest run row when it was evaluated; another number means that somebody else evaluated it.
        run_at: true time of that row.
        place: what stood there.
        stale_at: a verdict changes by itself from then on.
        states: states of the rules that units above read.
        counts: group of rules -> state -> how many.
        marks: facts by subject.
        below: of a unit above schools, the states in its schools that it was judged by.
    """

    run_id: int
    run_at: float
    place: SchoolPlace | UnitPlace
    stale_at: float
    states: States
    counts: Mapping[str, Mapping[str, int]]
    marks: dict[Subject, Mark] = field(default_factory=dict)
    below: Mapping[str, States] = field(default_factory=dict)

    def kept(self, changed: Collection[Subject]) -> dict[Key, str]:
        """Give the verdicts of all devices but those that changed, by their state."""
        return {
            (*subject, rule): state
            for subject, mark in self.marks.items()
            if subject not in changed
            for rule, state in mark.verdicts
        }

    def holds(self, subject: Subject, found: Iterable[Found]) -> bool:
        """Tell whether the facts of a subject are what was written of it."""
        known = self.marks.get(subject)
        return known is not None and known.holds(found)


@dataclass
class Memory:
    """What an engine remembers.

    Attributes:
        basis: what all schools were judged by (`Sitting.basis`).
        units: by id.
        homes: unit of every subject when the register was last swept.
    """

    basis: tuple[object, ...] = ()
    units: dict[str, Remembered] = field(default_factory=dict)
    homes: Mapping[tuple[str, str], str] = field(default_factory=dict)
