"""Verdict rows: judgements of a unit go in; a row is appended where anything but the time differs, and pointed to.

Every row, also that of a run, becomes a link of its unit's chain. A subject that is gone gets a last row
(not_applicable, reason "gone") and loses its pointer, so that neither the present nor a look at the past shows it as
standing. Rows are never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from phongmay_rules.chain import links
from phongmay_rules.chain.links import Entry
from phongmay_rules.judging import Judgement
from phongmay_rules.judging_units import Key
from phongmay_rules.model import Pack
from phongmay_rules.reasons import Reason
from phongmay_store.register import bulk
from phongmay_store.register.chain import LinkKind
from phongmay_store.register.compliance import CurrentFact, CurrentVerdict, EvaluationRun, Fact, State, Verdict

_Content = tuple[str, str, dict[str, Any], dict[str, Any], list[Any], str, str, str]
"""State, reason, measured, required, evidence, and the columns of `_STAMP`: all that makes a verdict differ."""
_STAMP = ("rule_hash", "pack_id", "pack_hash")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording one unit came to."""

    unit_id: str
    run_id: int
    counts: Mapping[str, Mapping[str, int]]
    changed: int


def record(
    session: Session,
    pack: Pack,
    judged: Mapping[str, Mapping[Key, Judgement]],
    at: float,
    valid_for_s: float,
    known_at: datetime | None = None,
) -> list[Recorded]:
    """Write runs, verdicts and pointers of some units; the caller commits.

    Args:
        session: open transaction of the register.
        pack: the pack that judged.
        judged: unit -> key -> judgement; a present verdict of the unit that is not in it is gone.
        at: true time of the evaluation.
        valid_for_s: how long the run vouches for its verdicts.
        known_at: knowledge of the register that the judgements rest on; default: `at`.
    """
    moment = datetime.fromtimestamp(at, UTC)
    present = _present(session, list(judged))
    newest_fact = session.scalar(select(func.max(Fact.id))) or 0
    out: list[Recorded] = []
    runs: list[EvaluationRun] = []
    rows: list[dict[str, Any]] = []
    known: list[bool] = []
    gone: list[dict[str, Any]] = []
    for unit, judgements in judged.items():
        before = present.get(unit, {})
        changes = [key for key, judgement in judgements.items() if _differs(before.get(key), judgement, key, pack)]
        lost = [key for key in before if key not in judgements]
        run = EvaluationRun(
            unit_id=unit,
            evaluated_at=moment,
            newest_fact_id=newest_fact,
            pack_id=pack.id,
            pack_hash=pack.hash,
            counts=_counts(pack, judgements),
            changed=len(changes) + len(lost),
            valid_for_s=valid_for_s,
            known_at=known_at or moment,
        )
        runs.append(run)
        session.add(run)
        session.flush()
        out.append(Recorded(unit, run.id, run.counts, run.changed))
        base = {"run_id": run.id, "unit_id": unit, "evaluated_at": moment, "recorded_at": moment}
        rows += [base | _row(key, judgements[key]) | _stamp(pack, key[2]) for key in changes]
        known += [key in before for key in changes]
        gone += [base | _ended(key) | dict(zip(_STAMP, before[key][-3:], strict=True)) for key in lost]
    pointers = [_pointer(row) | {"verdict": row_id} for row, row_id in zip(rows, _append(session, rows), strict=True)]
    _append(session, gone)
    _forget(session, gone)
    _point(session, pointers, known, out)
    entries = [Entry(run.unit_id, LinkKind.RUN, links.as_mapping(LinkKind.RUN, run)) for run in runs]
    links.append(session, entries + _entries(rows) + _entries(gone))
    return out


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
        (kind, subject)
        for kind, subject, unit in session.execute(select(*places).distinct())
        if homes.get((kind, subject)) != unit
    }
    moment = datetime.fromtimestamp(at, UTC)
    rows: list[dict[str, Any]] = []
    for kind, subject in sorted(astray):
        pointers = select(CurrentVerdict, Verdict).join(Verdict, Verdict.id == CurrentVerdict.verdict_id)
        for pointer, verdict in session.execute(
            pointers.where(CurrentVerdict.subject_kind == kind, CurrentVerdict.subject_id == subject)
        ):
            key = (kind, subject, pointer.rule_id)
            base = {
                "run_id": pointer.confirmed_run_id, "unit_id": pointer.unit_id, "evaluated_at": moment,
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


def _present(session: Session, units: Sequence[str]) -> dict[str, dict[Key, _Content]]:
    out: dict[str, dict[Key, _Content]] = {}
    columns = (
        CurrentVerdict.unit_id, Verdict.subject_kind, Verdict.subject_id, Verdict.rule_id, Verdict.state,
        Verdict.reason, Verdict.measured, Verdict.required, Verdict.evidence,
        *(getattr(Verdict, name) for name in _STAMP),
    )  # fmt: skip
    rows = session.execute(
        select(*columns).join(Verdict, Verdict.id == CurrentVerdict.verdict_id).where(CurrentVerdict.unit_id.in_(units))
    )
    for unit, kind, subject, rule, *content in rows:
        out.setdefault(unit, {})[kind, subject, rule] = tuple(content)
    return out


def _differs(stored: _Content | None, judgement: Judgement, key: Key, pack: Pack) -> bool:
    fresh = (
        judgement.state.value, judgement.reason.value, judgement.measured, judgement.required, judgement.evidence,
        *_stamp(pack, key[2]).values(),
    )  # fmt: skip
    return stored != fresh


def _counts(pack: Pack, judgements: Mapping[Key, Judgement]) -> dict[str, dict[str, int]]:
    """Count states by group of rules."""
    counts: dict[str, dict[str, int]] = {group: {} for group in pack.standard.groups}
    for (_, _, rule), judgement in judgements.items():
        group = counts[pack.rules[rule].group]
        group[judgement.state.value] = group.get(judgement.state.value, 0) + 1
    return {group: states for group, states in counts.items() if states}


def _stamp(pack: Pack, rule: str) -> dict[str, str]:
    stamp = pack.stamp(rule)
    return {"rule_hash": pack.rule_hashes[rule], "pack_id": stamp.id, "pack_hash": stamp.hash}


def _row(key: Key, judgement: Judgement) -> dict[str, Any]:
    return {
        "subject_kind": key[0], "subject_id": key[1], "rule_id": key[2], "state": judgement.state.value,
        "reason": judgement.reason.value, "measured": judgement.measured, "required": judgement.required,
        "evidence": judgement.evidence,
    }  # fmt: skip


def _ended(key: Key) -> dict[str, Any]:
    gone = Judgement(State.NOT_APPLICABLE, Reason.GONE, {}, {}, [])
    return _row(key, gone)


def _append(session: Session, rows: list[dict[str, Any]]) -> list[int]:
    """Store rows; each gets its `id`."""
    if not rows:
        return []
    ids = bulk.reserve(session, Verdict, len(rows))
    for row, row_id in zip(rows, ids, strict=True):
        row["id"] = row_id
    bulk.append(session, Verdict, rows)
    return list(ids)


def _entries(rows: Iterable[Mapping[str, Any]]) -> list[Entry]:
    return [Entry(row["unit_id"], LinkKind.VERDICT, row) for row in rows]


def _pointer(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": row["subject_kind"], "subject": row["subject_id"], "rule": row["rule_id"],
            "unit": row["unit_id"], "run": row["run_id"]}  # fmt: skip


_MINE = (
    CurrentVerdict.subject_kind == bindparam("kind"),
    CurrentVerdict.subject_id == bindparam("subject"),
    CurrentVerdict.rule_id == bindparam("rule"),
)


def _point(
    session: Session, pointers: Sequence[dict[str, Any]], known: Sequence[bool], runs: Sequence[Recorded]
) -> None:
    """Point to the new rows, and let each run confirm all verdicts of its unit."""
    connection = session.connection()
    moved = [pointer for pointer, is_known in zip(pointers, known, strict=True) if is_known]
    fresh = [pointer for pointer, is_known in zip(pointers, known, strict=True) if not is_known]
    if moved:
        connection.execute(update(CurrentVerdict).where(*_MINE).values(verdict_id=bindparam("verdict")), moved)
    if fresh:
        columns = {
            "subject_kind": "kind", "subject_id": "subject", "rule_id": "rule", "unit_id": "unit",
            "verdict_id": "verdict", "confirmed_run_id": "run",
        }  # fmt: skip
        bulk.append(session, CurrentVerdict, [{to: row[of] for to, of in columns.items()} for row in fresh])
    if runs:
        connection.execute(
            update(CurrentVerdict)
            .where(CurrentVerdict.unit_id == bindparam("unit"))
            .values(confirmed_run_id=bindparam("run")),
            [{"unit": run.unit_id, "run": run.run_id} for run in runs],
        )


def _forget(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        session.connection().execute(delete(CurrentVerdict).where(*_MINE), [_pointer(row) for row in rows])
