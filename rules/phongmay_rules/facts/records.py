"""Fact rows: what was found goes in, and only what differs from the newest row is appended; rows are never changed.

A row is written when the value, the reason or (where the catalogue says so) the detail differs, or when the old row
is older than half of the fact's freshness. Times inside are float seconds UTC.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, or_, select
from sqlalchemy.orm import Session

from phongmay_rules.facts.catalogue import FACTS, Found
from phongmay_rules.facts.schools import Subject
from phongmay_store.register import bulk
from phongmay_store.register.asking import ask
from phongmay_store.register.compliance import CurrentFact, Fact

_UNITS = {name: str(kind.unit) for name, kind in FACTS.items()}
_SOURCES = {name: str(kind.source) for name, kind in FACTS.items()}
_BLOCK = 400
"""Ids in one IN list: SQLite and PostgreSQL both take it."""


class FactValue(NamedTuple):
    """A fact row as rules read it.

    Attributes:
        id: row in the register; 0 in a case of a pack.
        value: number or word; None with `missing` = why.
        at: true time that it is about.
    """

    id: int
    name: str
    value: float | str | None
    missing: str
    at: float
    source: str = ""
    sources: Sequence[str] = ()
    detail: Mapping[str, Any] | None = None


Facts = dict[Subject, dict[str, FactValue]]
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def digest(facts: Iterable[FactValue]) -> str:
    """Give one digest over everything that some fact rows say, in their order: a row that was just found gives the same
    as it does when it is read again."""
    said = [
        (fact.id, fact.name, float(fact.value) if isinstance(fact.value, int) else fact.value, fact.missing, fact.at,
         fact.source, fact.sources, fact.detail or {})
        for fact in facts
    ]  # fmt: skip
    return blake2b(_encode(said).encode(), digest_size=16).hexdigest()


_COLUMNS = (
    Fact.id, Fact.subject_kind, Fact.subject_id, Fact.name, Fact.number, Fact.text, Fact.missing, Fact.valid_at,
    Fact.source, Fact.sources, Fact.detail,
)  # fmt: skip


_CURRENT = select(*_COLUMNS).join(CurrentFact, CurrentFact.fact_id == Fact.id)
_OF_UNITS = _CURRENT.where(CurrentFact.unit_id.in_(bindparam("units", expanding=True)))
_SOME = _CURRENT.where(
    CurrentFact.unit_id == bindparam("of"),
    or_(
        CurrentFact.subject_id.in_(bindparam("subjects", expanding=True)),
        CurrentFact.name.in_(bindparam("names", expanding=True)),
    ),
)


def read_current(session: Session, units: Sequence[str]) -> Facts:
    """Give the newest fact rows of all subjects of some units."""
    out: Facts = {}
    for block in _blocks(units):
        out |= _by_subject(ask(session, _OF_UNITS, units=list(block)))
    return out


def read_some(session: Session, unit: str, subjects: Collection[str], names: Collection[str]) -> Facts:
    """Give the newest fact rows of some subjects of a unit, and of all others in it only those of some names."""
    return _by_subject(ask(session, _SOME, of=unit, subjects=list(subjects), names=list(names)))


def _by_subject(rows: Iterable[Sequence[Any]]) -> Facts:
    out: Facts = {}
    for row, kind, subject, name, number, text, reason, at, source, sources, detail in rows:
        value = number if number is not None else text
        out.setdefault((kind, subject), {})[name] = FactValue(
            row, name, value, reason, at.timestamp(), source, sources, detail
        )
    return out


def read_past(session: Session, unit_id: str, newest_fact_id: int) -> Facts:
    """Give the facts of a unit's subjects as they were current when `newest_fact_id` was the newest row."""
    newest = (
        select(func.max(Fact.id))
        .where(Fact.unit_id == unit_id, Fact.id <= newest_fact_id)
        .group_by(Fact.subject_kind, Fact.subject_id, Fact.name)
    )
    return _by_subject(session.execute(select(*_COLUMNS).where(Fact.id.in_(newest))))


def read_known(session: Session, unit_id: str, valid_at: datetime, known_at: datetime) -> Facts:
    """Give the facts about an instant as far as they were recorded by another, the newest of each name."""
    rows = session.execute(
        select(*_COLUMNS)
        .where(Fact.unit_id == unit_id, Fact.valid_at <= valid_at, Fact.recorded_at <= known_at)
        .order_by(Fact.valid_at, Fact.id)
    )
    return _by_subject(rows)


def write(
    session: Session,
    found: Mapping[Subject, Iterable[Found]],
    homes: Mapping[Subject, str],
    at: float,
    current: Facts,
) -> int:
    """Append what differs and point to it.

    Args:
        session: open transaction of the register; the caller commits.
        found: facts by subject.
        homes: unit of each of these subjects.
        at: time of the evaluation.
        current: the newest rows of these subjects (`read_current`, `read_some`); new rows take their places in it.

    Returns:
        How many rows are new.
    """
    new: list[Found] = []
    ends: list[tuple[Subject, int]] = []
    units: list[str] = []
    kinds: list[str] = []
    subjects: list[str] = []
    for subject, facts in found.items():
        before = len(new)
        known = current.setdefault(subject, {})
        new += [fact for fact in facts if not _same(known.get(fact.name), fact)] if known else facts
        fresh = len(new) - before
        if fresh:
            ends.append((subject, len(new)))
            units += [homes[subject]] * fresh
            kinds += [str(subject[0])] * fresh
            subjects += [subject[1]] * fresh
    ids = bulk.reserve(session, Fact, len(new))
    names, values = [fact.name for fact in new], [fact.value for fact in new]
    whys = ["" if fact.missing is None else str(fact.missing) for fact in new]
    kept = {moment: _stored(moment) for moment in {fact.at for fact in new}}
    times = {moment: stored.timestamp() for moment, stored in kept.items()}
    origins = [_SOURCES[fact.name] if fact.source is None else str(fact.source) for fact in new]
    sources, details = [fact.sources for fact in new], [fact.detail for fact in new]
    columns: dict[str, Sequence[Any]] = {
        "id": ids,
        "unit_id": units,
        "subject_kind": kinds,
        "subject_id": subjects,
        "name": names,
        "number": [None if isinstance(value, str) else value for value in values],
        "text": [value if isinstance(value, str) else None for value in values],
        "unit": [_UNITS[name] for name in names],
        "missing": whys,
        "source": origins,
        "sources": sources,
        "detail": details,
        "valid_at": [kept[fact.at] for fact in new],
        "recorded_at": [datetime.fromtimestamp(at, UTC)] * len(new),
    }
    bulk.append_columns(session, Fact, columns)
    bulk.point(session, CurrentFact, Fact, ids)
    read = zip(ids, names, values, whys, [times[fact.at] for fact in new], origins, sources, details, strict=True)
    rows = zip(names, map(FactValue._make, read), strict=True)
    done = 0
    for subject, end in ends:
        current[subject].update(islice(rows, end - done))
        done = end
    return len(new)


def _same(known: FactValue | None, fact: Found) -> bool:
    if known is None or known.missing != (fact.missing or "") or known.value != fact.value:
        return False
    kind = FACTS[fact.name]
    if kind.detail_matters and known.detail != dict(fact.detail):
        return False
    if known.source != (fact.source or kind.source) or _beside(known.detail) != _beside(fact.detail):
        return False
    return kind.freshness_s is None or fact.at - known.at <= kind.freshness_s / 2


def _beside(detail: Mapping[str, Any] | None) -> object:
    """Give what was declared beside a measured value."""
    return (detail or {}).get("declared")


def _stored(at: float) -> datetime:
    """Give a time as the register keeps it, in whole microseconds: rules must read the same time later."""
    return datetime.fromtimestamp(at, UTC)


def _blocks(items: Sequence[str]) -> Iterable[Sequence[str]]:
    return (items[start : start + _BLOCK] for start in range(0, len(items), _BLOCK))
