"""Verdict rows: judgements of a unit go in; a row is appended where anything but the time differs, and pointed to.

Every row, also that of a run, becomes a link of its unit's chain. A subject that is gone gets a last row
(not_applicable, reason "gone") and loses its pointer, so that neither the present nor a look at the past shows it as
standing. Rows are never changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Text, bindparam, cast, delete, select, update
from sqlalchemy.orm import Session

from phongmay_rules.chain import links
from phongmay_rules.chain.links import Entry
from phongmay_rules.judging import Judgement
from phongmay_rules.judging_units import Kept, Key
from phongmay_rules.model import Pack
from phongmay_rules.reasons import Reason
from phongmay_store.register import bulk
from phongmay_store.register.asking import ask
from phongmay_store.register.chain import LinkKind
from phongmay_store.register.compliance import (
    CurrentFact,
    CurrentRun,
    CurrentVerdict,
    EvaluationRun,
    Fact,
    State,
    Verdict,
)

_Content = tuple[str, str, str, str, str, str, str, str]
"""State, reason, measured, required, evidence, and the columns of `_Stamp`: all that makes a verdict differ."""


class _Stamp(NamedTuple):
    """What judged: columns of a verdict's row."""

    rule_hash: str
    pack_id: str
    pack_hash: str


@dataclass(frozen=True, slots=True)
class Moment:
    """When an evaluation takes place, and how long it vouches for what it finds.

    Attributes:
        at: true time.
        known_at: knowledge of the register that the judgements rest on.
        present_s: seconds for which the present verdicts stand without another evaluation.
        row_s: seconds for which a run row vouches when the past is looked at.
    """

    at: float
    known_at: datetime
    present_s: float
    row_s: float

    @property
    def instant(self) -> datetime:
        """The true time as the register keeps it."""
        return datetime.fromtimestamp(self.at, UTC)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was judged of one unit.

    Attributes:
        judged: a present verdict of the unit that is neither here nor kept is gone.
        kept: verdicts that stand as they are; when there are any, nothing else of the unit is gone.
    """

    judged: Mapping[Key, Judgement]
    kept: Kept = field(default_factory=dict)

    def counts(self, pack: Pack) -> dict[str, dict[str, int]]:
        """Count states by group of rules."""
        found = Counter[tuple[str, str]](
            (pack.rules[rule].group, judgement.state) for (_, _, rule), judgement in self.judged.items()
        )
        found.update((pack.rules[rule].group, state) for (_, _, rule), state in self.kept.items())
        counts: dict[str, dict[str, int]] = {}
        for group in pack.standard.groups:
            states = {state.value: found[group, state] for state in sorted(State) if (group, state) in found}
            if states:
                counts[group] = states
        return counts


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording one unit came to."""

    unit_id: str
    run_id: int
    counts: Mapping[str, Mapping[str, int]]
    changed: int


def record(session: Session, pack: Pack, rulings: Mapping[str, Ruling], moment: Moment) -> list[Recorded]:
    """Write runs, verdicts and pointers of some units; the caller commits.

    Args:
        session: open transaction of the register.
        pack: the pack that judged.
        rulings: by unit.
        moment: when, and for how long.
    """
    if not rulings:
        return []
    present = _present(session, rulings)
    stamps = {rule: _stamp(pack, rule) for rule in {key[2] for ruling in rulings.values() for key in ruling.judged}}
    newest_fact = bulk.newest(session, Fact)
    out: list[Recorded] = []
    fresh, gone = _Rows(), _Rows()
    for (unit, ruling), run_id in zip(rulings.items(), bulk.reserve(session, EvaluationRun, len(rulings)), strict=True):
        before, judged = present.get(unit, {}), ruling.judged
        changes = {
            key: judgement
            for key, judgement in judged.items()
            if not before or _differs(before.get(key), judgement, stamps[key[2]])
        }
        lost = [] if ruling.kept else [key for key in before if key not in judged]
        out.append(Recorded(unit, run_id, ruling.counts(pack), len(changes) + len(lost)))
        fresh.add(run_id, unit, changes, changes.values(), [stamps[rule] for _, _, rule in changes])
        gone.add(run_id, unit, lost, [_GONE] * len(lost), [_Stamp(*before[key][-3:]) for key in lost])
    runs = [_run(found, pack, moment, newest_fact) for found in out]
    bulk.append(session, EvaluationRun, runs)
    linked = _append(session, fresh, moment.instant)
    bulk.point(session, CurrentVerdict, Verdict, [link.row_id for link in linked])
    linked += _append(session, gone, moment.instant)
    _forget(session, gone)
    _point_to_runs(session, runs, moment)
    links.append(session, [links.entry(run["unit_id"], LinkKind.RUN, run) for run in runs] + linked)
    return out


def confirm(
    session: Session,
    pack: Pack,
    unchanged: Mapping[str, Mapping[str, Mapping[str, int]]],
    due: Collection[str],
    moment: Moment,
) -> list[Recorded]:
    """Say that units were looked at and nothing changed; the caller commits.

    Args:
        session: open transaction of the register.
        pack: the pack in force.
        unchanged: unit -> its counts; each has a run row.
        due: those of them that get a new run row.
        moment: when, and for how long.

    Returns:
        The runs that got a row.
    """
    out: list[Recorded] = []
    if due:
        numbers = bulk.reserve(session, EvaluationRun, len(due))
        out = [Recorded(unit, run_id, unchanged[unit], 0) for unit, run_id in zip(due, numbers, strict=True)]
        newest_fact = bulk.newest(session, Fact)
        runs = [_run(found, pack, moment, newest_fact) for found in out]
        bulk.append(session, EvaluationRun, runs)
        _point_to_runs(session, runs, moment)
        links.append(session, [links.entry(run["unit_id"], LinkKind.RUN, run) for run in runs])
    others = [
        {"of": unit, "at": moment.instant, "holds": moment.present_s} for unit in unchanged if unit not in set(due)
    ]
    if others:
        session.connection().execute(_CONFIRM, others)
    return out


_CONFIRM = (
    update(CurrentRun)
    .where(CurrentRun.unit_id == bindparam("of"))
    .values(confirmed_at=bindparam("at"), valid_for_s=bindparam("holds"))
)
_NEWEST_RUNS = select(CurrentRun.unit_id, CurrentRun.run_id).where(
    CurrentRun.unit_id.in_(bindparam("units", expanding=True))
)


def newest_runs(session: Session, units: Collection[str]) -> dict[str, int]:
    """Give the newest run row of some units."""
    rows = ask(session, _NEWEST_RUNS, units=list(units))
    return {unit: run for unit, run in rows}  # noqa: C416 rows are no pairs to mypy


def _run(found: Recorded, pack: Pack, moment: Moment, newest_fact: int) -> dict[str, Any]:
    return {
        "id": found.run_id, "unit_id": found.unit_id, "evaluated_at": moment.instant, "newest_fact_id": newest_fact,
        "pack_id": pack.id, "pack_hash": pack.hash, "counts": found.counts, "changed": found.changed,
        "valid_for_s": moment.row_s, "known_at": moment.known_at,
    }  # fmt: skip


_FORGET_RUN = delete(CurrentRun).where(CurrentRun.unit_id == bindparam("of"))


def _point_to_runs(session: Session, runs: Sequence[Mapping[str, Any]], moment: Moment) -> None:
    """Let each unit's newest run be the one that vouches for all its verdicts."""
    if runs:
        units = [{"of": run["unit_id"]} for run in runs]
        session.connection().execute(_FORGET_RUN, units)
        common = {"confirmed_at": moment.instant, "valid_for_s": moment.present_s}
        bulk.append(session, CurrentRun, [{"unit_id": r["unit_id"], "run_id": r["id"], **common} for r in runs])


def sweep(session: Session, homes: Mapping[tuple[str, str], str], at: float) -> int:
    """Let go of subjects that no longer stand where their verdicts and facts say; the caller commits.

    Args:
        session: open transaction of the register.
        homes: unit of every subject (kind, id) that exists now.
        at: true time of the evaluation.

    Returns:
        How many verdicts ended.
    """
    places = (CurrentVerdict.subject_kind, CurrentVerdict.subject_id, CurrentVerdict.unit_id)
    astray = {
        (kind, subject): unit
        for kind, subject, unit in session.execute(select(*places).distinct())
        if homes.get((kind, subject)) != unit
    }
    rows = _Rows()
    runs = newest_runs(session, sorted(set(astray.values())))
    for kind, subject in sorted(astray):
        pointers = select(CurrentVerdict, Verdict).join(Verdict, Verdict.id == CurrentVerdict.verdict_id)
        for pointer, verdict in session.execute(
            pointers.where(
                CurrentVerdict.unit_id == astray[kind, subject],
                CurrentVerdict.subject_kind == kind,
                CurrentVerdict.subject_id == subject,
            )
        ):
            stamp = _Stamp(verdict.rule_hash, verdict.pack_id, verdict.pack_hash)
            rows.add(runs[pointer.unit_id], pointer.unit_id, [(kind, subject, pointer.rule_id)], [_GONE], [stamp])
    linked = _append(session, rows, datetime.fromtimestamp(at, UTC))
    _forget(session, rows)
    links.append(session, linked)
    facts = (CurrentFact.subject_kind, CurrentFact.subject_id, CurrentFact.unit_id)
    strays = [
        {"of": unit, "kind": kind, "subject": subject}
        for kind, subject, unit in session.execute(select(*facts).distinct())
        if homes.get((kind, subject)) != unit
    ]
    if strays:
        session.connection().execute(
            delete(CurrentFact).where(
                CurrentFact.unit_id == bindparam("of"),
                CurrentFact.subject_kind == bindparam("kind"),
                CurrentFact.subject_id == bindparam("subject"),
            ),
            strays,
        )
    return len(rows.keys)


_PRESENT = select(
    CurrentVerdict.unit_id, Verdict.subject_kind, Verdict.subject_id, Verdict.rule_id, Verdict.state, Verdict.reason,
    *(cast(column, Text) for column in (Verdict.measured, Verdict.required, Verdict.evidence)),
    *(getattr(Verdict, name) for name in _Stamp._fields),
).join(Verdict, Verdict.id == CurrentVerdict.verdict_id)  # fmt: skip
_OF_UNITS = _PRESENT.where(CurrentVerdict.unit_id.in_(bindparam("units", expanding=True)))
_OF_SUBJECTS = _PRESENT.where(
    CurrentVerdict.unit_id == bindparam("of"), CurrentVerdict.subject_id.in_(bindparam("subjects", expanding=True))
)


def _present(session: Session, rulings: Mapping[str, Ruling]) -> dict[str, dict[Key, _Content]]:
    """Give the present verdicts of whole units, and of partly judged ones those of the subjects that were judged."""
    out: dict[str, dict[Key, _Content]] = {}
    answers = [
        ask(session, _OF_SUBJECTS, of=unit, subjects=list({key[1] for key in ruling.judged}))
        for unit, ruling in rulings.items()
        if ruling.kept
    ]
    whole = [unit for unit, ruling in rulings.items() if not ruling.kept]
    if whole:
        answers.append(ask(session, _OF_UNITS, units=whole))
    for unit, kind, subject, rule, *content in chain.from_iterable(answers):
        out.setdefault(unit, {})[kind, subject, rule] = tuple(content)
    return out


def _differs(stored: _Content | None, judgement: Judgement, stamp: _Stamp) -> bool:
    """Tell whether a judgement is another one. Most are the same to the letter, which is told without reading JSON."""
    if stored is None:
        return True
    state, reason, *parts = stored
    if (state, reason, *parts[3:]) != (judgement.state, judgement.reason, *stamp):
        return True
    fresh = (judgement.measured, judgement.required, judgement.evidence)
    return any(
        msgspec.Raw(text.encode()) != links.canonical(part) and msgspec.json.decode(text) != part
        for text, part in zip(parts, fresh, strict=False)
    )


def _stamp(pack: Pack, rule: str) -> _Stamp:
    stamp = pack.stamp(rule)
    return _Stamp(pack.rule_hashes[rule], stamp.id, stamp.hash)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Verdicts that are to be stored, column by column."""

    run_ids: list[int] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    stamps: list[_Stamp] = field(default_factory=list)

    def add(
        self,
        run_id: int,
        unit: str,
        keys: Collection[Key],
        judgements: Iterable[Judgement],
        stamps: Iterable[_Stamp],
    ) -> None:
        """Take in some of one unit."""
        self.run_ids.extend([run_id] * len(keys))
        self.units.extend([unit] * len(keys))
        self.keys.extend(keys)
        self.judgements.extend(judgements)
        self.stamps.extend(stamps)


_GONE = Judgement(State.NOT_APPLICABLE, Reason.GONE, {}, {}, [])


def _append(session: Session, rows: _Rows, instant: datetime) -> list[Entry]:
    """Store rows; give what is to become links."""
    if not rows.keys:
        return []
    judgements = rows.judgements
    kinds, subjects, rules = zip(*rows.keys, strict=True)
    rule_hashes, pack_ids, pack_hashes = zip(*rows.stamps, strict=True)
    times = [instant] * len(judgements)
    columns: dict[str, Sequence[Any]] = {
        "id": bulk.reserve(session, Verdict, len(judgements)),
        "run_id": rows.run_ids,
        "unit_id": rows.units,
        "subject_kind": [str(kind) for kind in kinds],
        "subject_id": subjects,
        "rule_id": rules,
        "state": [str(judgement.state) for judgement in judgements],
        "reason": [str(judgement.reason) for judgement in judgements],
        "measured": _canonical([judgement.measured for judgement in judgements]),
        "required": _canonical([judgement.required for judgement in judgements]),
        "evidence": [links.canonical(judgement.evidence) for judgement in judgements],
        "rule_hash": rule_hashes,
        "pack_id": pack_ids,
        "pack_hash": pack_hashes,
        "evaluated_at": times,
        "recorded_at": times,
    }
    bulk.append_columns(session, Verdict, columns)
    return links.entries(LinkKind.VERDICT, columns)


def _canonical(values: Sequence[Any]) -> list[msgspec.Raw]:
    """Give the JSON of each; many are one object (what a rule demands of all PCs of a school), which is told once."""
    made = {id(value): links.canonical(value) for value in {id(value): value for value in values}.values()}
    return [made[id(value)] for value in values]


_FORGET = delete(CurrentVerdict).where(
    CurrentVerdict.unit_id == bindparam("of"),
    CurrentVerdict.subject_kind == bindparam("kind"),
    CurrentVerdict.subject_id == bindparam("subject"),
    CurrentVerdict.rule_id == bindparam("rule"),
)


def _forget(session: Session, rows: _Rows) -> None:
    if rows.keys:
        values = [
            {"of": unit, "kind": kind, "subject": subject, "rule": rule}
            for unit, (kind, subject, rule) in zip(rows.units, rows.keys, strict=True)
        ]
        session.connection().execute(_FORGET, values)
