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
from typing import Any

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
"""State, reason, measured, required, evidence, and the columns of `_STAMP`: all that makes a verdict differ."""
_STAMP = ("rule_hash", "pack_id", "pack_hash")


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
    instant = moment.instant
    newest_fact = bulk.newest(session, Fact)
    out: list[Recorded] = []
    runs: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    known: list[bool] = []
    gone: list[dict[str, Any]] = []
    for (unit, ruling), run_id in zip(rulings.items(), bulk.reserve(session, EvaluationRun, len(rulings)), strict=True):
        before, judged = present.get(unit, {}), ruling.judged
        changes = [key for key, judgement in judged.items() if _differs(before.get(key), judgement, stamps[key[2]])]
        lost = [] if ruling.kept else [key for key in before if key not in judged]
        found = Recorded(unit, run_id, ruling.counts(pack), len(changes) + len(lost))
        out.append(found)
        runs.append(_run(found, pack, moment, newest_fact))
        base = {"run_id": run_id, "unit_id": unit, "evaluated_at": instant, "recorded_at": instant}
        rows += [{**base, **_row(key, judged[key]), **stamps[key[2]]} for key in changes]
        known += [key in before for key in changes]
        gone += [base | _ended(key) | dict(zip(_STAMP, before[key][-3:], strict=True)) for key in lost]
    bulk.append(session, EvaluationRun, runs)
    _append(session, rows)
    _append(session, gone)
    _forget(session, gone)
    _point(session, rows, known)
    _point_to_runs(session, runs, moment)
    entries = [Entry(run["unit_id"], LinkKind.RUN, run) for run in runs]
    links.append(session, entries + _entries(rows) + _entries(gone))
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
        links.append(session, [Entry(run["unit_id"], LinkKind.RUN, run) for run in runs])
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
    moment = datetime.fromtimestamp(at, UTC)
    rows: list[dict[str, Any]] = []
    runs = newest_runs(session, sorted(set(astray.values())))
    for kind, subject in sorted(astray):
        pointers = select(CurrentVerdict, Verdict).join(Verdict, Verdict.id == CurrentVerdict.verdict_id)
        for pointer, verdict in session.execute(
            pointers.where(CurrentVerdict.subject_kind == kind, CurrentVerdict.subject_id == subject)
        ):
            key = (kind, subject, pointer.rule_id)
            base = {
                "run_id": runs[pointer.unit_id], "unit_id": pointer.unit_id, "evaluated_at": moment,
                "recorded_at": moment, **{name: getattr(verdict, name) for name in _STAMP},
            }  # fmt: skip
            rows.append(base | _ended(key))
    _append(session, rows)
    _forget(session, rows)
    links.append(session, _entries(rows))
    facts = (CurrentFact.subject_kind, CurrentFact.subject_id, CurrentFact.unit_id)
    strays = [
        {"kind": kind, "subject": subject}
        for kind, subject, unit in session.execute(select(*facts).distinct())
        if homes.get((kind, subject)) != unit
    ]
    if strays:
        session.connection().execute(
            delete(CurrentFact).where(
                CurrentFact.subject_kind == bindparam("kind"), CurrentFact.subject_id == bindparam("subject")
            ),
            strays,
        )
    return len(rows)


_PRESENT = select(
    CurrentVerdict.unit_id, Verdict.subject_kind, Verdict.subject_id, Verdict.rule_id, Verdict.state, Verdict.reason,
    *(cast(column, Text) for column in (Verdict.measured, Verdict.required, Verdict.evidence)),
    *(getattr(Verdict, name) for name in _STAMP),
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


def _differs(stored: _Content | None, judgement: Judgement, stamp: Mapping[str, str]) -> bool:
    """Tell whether a judgement is another one. Most are the same to the letter, which is told without reading JSON."""
    if stored is None:
        return True
    state, reason, *parts = stored
    if (state, reason, *parts[3:]) != (judgement.state, judgement.reason, *stamp.values()):
        return True
    fresh = (judgement.measured, judgement.required, judgement.evidence)
    return any(
        msgspec.Raw(text.encode()) != links.canonical(part) and msgspec.json.decode(text) != part
        for text, part in zip(parts, fresh, strict=False)
    )


def _stamp(pack: Pack, rule: str) -> dict[str, str]:
    stamp = pack.stamp(rule)
    return {"rule_hash": pack.rule_hashes[rule], "pack_id": stamp.id, "pack_hash": stamp.hash}


def _row(key: Key, judgement: Judgement) -> dict[str, Any]:
    return {
        "subject_kind": key[0], "subject_id": key[1], "rule_id": key[2], "state": str(judgement.state),
        "reason": str(judgement.reason), "measured": links.canonical(judgement.measured),
        "required": links.canonical(judgement.required), "evidence": links.canonical(judgement.evidence),
    }  # fmt: skip


def _ended(key: Key) -> dict[str, Any]:
    gone = Judgement(State.NOT_APPLICABLE, Reason.GONE, {}, {}, [])
    return _row(key, gone)


def _append(session: Session, rows: list[dict[str, Any]]) -> None:
    """Store rows; each gets its `id`."""
    if not rows:
        return
    ids = bulk.reserve(session, Verdict, len(rows))
    for row, row_id in zip(rows, ids, strict=True):
        row["id"] = row_id
    bulk.append(session, Verdict, rows)


def _entries(rows: Iterable[Mapping[str, Any]]) -> list[Entry]:
    return [Entry(row["unit_id"], LinkKind.VERDICT, row) for row in rows]


_MINE = (
    CurrentVerdict.subject_kind == bindparam("kind"),
    CurrentVerdict.subject_id == bindparam("subject"),
    CurrentVerdict.rule_id == bindparam("rule"),
)
_MOVE = update(CurrentVerdict).where(*_MINE).values(verdict_id=bindparam("verdict"))
_FORGET = delete(CurrentVerdict).where(*_MINE)


def _mine(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give the values of `_MINE` for a verdict row."""
    return {"kind": row["subject_kind"], "subject": row["subject_id"], "rule": row["rule_id"]}


def _point(session: Session, rows: Sequence[dict[str, Any]], known: Sequence[bool]) -> None:
    """Point to the new rows; those that are known take the place of another."""
    moved = [row for row, is_known in zip(rows, known, strict=True) if is_known]
    if moved:
        session.connection().execute(_MOVE, [{**_mine(row), "verdict": row["id"]} for row in moved])
    fresh = [row for row, is_known in zip(rows, known, strict=True) if not is_known]
    names = ("subject_kind", "subject_id", "rule_id", "unit_id")
    columns = {name: [row[name] for row in fresh] for name in names}
    bulk.append_columns(session, CurrentVerdict, columns | {"verdict_id": [row["id"] for row in fresh]})


def _forget(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        session.connection().execute(_FORGET, [_mine(row) for row in rows])
