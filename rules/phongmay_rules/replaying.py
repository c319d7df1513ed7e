"""Judges a unit's past again: fact rows, register versions and the archived pack go in, differences come out.

Nothing but rows is read, and nothing is written. A unit without a run, or whose pack cannot be had any more, raises an
OperatorError that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from phongmay_contract.errors import OperatorError
from phongmay_rules.chain.archive import pack_by_hash
from phongmay_rules.facts.records import Facts, read_known, read_past
from phongmay_rules.judging import Judgement
from phongmay_rules.judging_units import Key, sit
from phongmay_rules.model import Pack
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import EvaluationRun, Verdict

FIELDS = ("state", "reason", "measured", "required", "evidence", "rule_hash", "pack_hash")
"""What a verdict says; where all are equal the verdicts are identical."""


class ReplayError(OperatorError):
    """A past that cannot be judged again, and why."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One verdict that comes out differently.

    Attributes:
        stored: what stands in the register; None = no such verdict.
        replayed: what comes out now; None = no such verdict.
    """

    key: Key
    stored: Mapping[str, Any] | None
    replayed: Mapping[str, Any] | None

    @property
    def fields(self) -> tuple[str, ...]:
        """Give the names of what differs; all of it when one side is missing."""
        if self.stored is None or self.replayed is None:
            return FIELDS
        return tuple(name for name in FIELDS if self.stored[name] != self.replayed[name])

    def sentence(self) -> str:
        """Say it to a person."""
        kind, subject, rule = self.key
        sides = [f"{side['state']} ({side['reason']})" if side else "none" for side in (self.stored, self.replayed)]
        what = "" if self.stored is None or self.replayed is None else f" [{', '.join(self.fields)}]"
        return f"{kind} {subject} {rule}: stored {sides[0]}, replayed {sides[1]}{what}"


@dataclass(frozen=True, slots=True)
class Replay:
    """What judging a unit's past again came to.

    Attributes:
        run: the run that stood at the instant.
        pack: the pack that it judged by, out of the archive.
        judged: all verdicts as they come out now.
    """

    run: EvaluationRun
    pack: Pack
    judged: Mapping[Key, Judgement]
    differences: tuple[Difference, ...]


def run_at(session: Session, unit_id: str, at: datetime) -> EvaluationRun:
    """Give the last run of a unit at or before an instant.

    Raises:
        ReplayError: there was none.
    """
    run = session.scalar(
        select(EvaluationRun)
        .where(EvaluationRun.unit_id == unit_id, EvaluationRun.evaluated_at <= at)
        .order_by(EvaluationRun.evaluated_at.desc(), EvaluationRun.id.desc())
        .limit(1)
    )
    if run is None:
        raise ReplayError(f"unit {unit_id}: there is no run at or before {at:%Y-%m-%d %H:%M:%S%z}")
    return run


def replay(session: Session, unit_id: str, at: datetime, known_at: datetime | None = None) -> Replay:
    """Judge a school (its devices, rooms and itself) or a unit above schools again.

    Args:
        session: the register.
        unit_id: the unit.
        at: the instant; the last run at or before it is judged again.
        known_at: judge by what was known then instead of by what the run itself knew. With a later time the
            differences are what later knowledge (corrections, late facts) would change; without it there must be none.
            Of parameters those values count that were in force at the run, also if it was recorded only later that
            they were.

    Raises:
        ReplayError: no run at that time, or one from before the chain.
        PackError: the pack is not in the archive.
    """
    run = run_at(session, unit_id, at)
    pack = pack_by_hash(session, run.pack_hash)
    known = known_at or run.known_at
    if known is None:
        raise ReplayError(f"unit {unit_id}: run {run.id} does not say what it knew; give a time with --known-at")
    sitting = sit(session, pack, run.evaluated_at, known, settled_at=run.known_at or run.evaluated_at)

    def facts(school: str) -> Facts:
        if known_at is None:
            return read_past(session, school, run.newest_fact_id)
        return read_known(session, school, run.evaluated_at, known_at)

    organisation = sitting.organisation
    if unit_id in organisation.schools:
        judged = sitting.school(organisation.schools[unit_id], facts(unit_id))
    elif unit_id in organisation.units:
        place = organisation.units[unit_id]
        states = {}
        if sitting.judge.has_targets(place):
            for school in place.schools:
                judgements = sitting.school(organisation.schools[school], facts(school))
                states[school] = sitting.judge.states(judgements)
        judged = sitting.unit(place, facts(unit_id), states)
    else:
        judged = {}  # as known then, the unit did not exist
    stored = _stored(session, unit_id, run)
    fresh = {key: _content(judgement, pack, key[2]) for key, judgement in judged.items()}
    differences = tuple(
        Difference(key, stored.get(key), fresh.get(key))
        for key in sorted(stored.keys() | fresh.keys())
        if stored.get(key) != fresh.get(key)
    )
    return Replay(run, pack, judged, differences)


def _stored(session: Session, unit_id: str, run: EvaluationRun) -> dict[Key, Mapping[str, Any]]:
    """Give the verdicts that stood when the run was over."""
    newest = (
        select(func.max(Verdict.id))
        .where(Verdict.unit_id == unit_id, Verdict.evaluated_at <= run.evaluated_at)
        .group_by(Verdict.subject_kind, Verdict.subject_id, Verdict.rule_id)
    )
    rows = session.scalars(select(Verdict).where(Verdict.id.in_(newest), Verdict.reason != Reason.GONE))
    return {
        (row.subject_kind, row.subject_id, row.rule_id): {name: getattr(row, name) for name in FIELDS} for row in rows
    }


def _content(judgement: Judgement, pack: Pack, rule_id: str) -> Mapping[str, Any]:
    return {
        "state": judgement.state.value, "reason": judgement.reason.value, "measured": judgement.measured,
        "required": judgement.required, "evidence": judgement.evidence, "rule_hash": pack.rule_hashes[rule_id],
        "pack_hash": pack.stamp(rule_id).hash,
    }  # fmt: skip
