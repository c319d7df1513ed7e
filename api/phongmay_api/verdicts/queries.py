"""Reads verdicts inside a scope: current ones with the run that last confirmed them, and former ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import Select, select, tuple_

from phongmay_api.access.scope import Scope
from phongmay_api.problems import not_found
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import CurrentRun, CurrentVerdict, SubjectKind, Verdict
from phongmay_store.register.device import Device
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Room

Key = tuple[str, str, str]


class Judged(NamedTuple):
    """A verdict and when the engine last came to it; None when a newer verdict has replaced it."""

    verdict: Verdict
    confirmed: CurrentRun | None

    @property
    def stale(self) -> bool:
        """Tell whether the engine has stopped for this verdict."""
        run = self.confirmed
        return run is not None and utc_now() - run.confirmed_at > timedelta(seconds=run.valid_for_s)


def key_of(judged: Judged) -> Key:
    """Give the key that orders current verdicts; it does not change when a verdict does."""
    return judged.verdict.subject_kind, judged.verdict.subject_id, judged.verdict.rule_id


def _current(scope: Scope, within: Iterable[str] | None = None) -> Select[CurrentVerdict, Verdict, CurrentRun]:
    return (
        scope.select(CurrentVerdict, within)
        .join(Verdict, Verdict.id == CurrentVerdict.verdict_id)
        .join(CurrentRun, CurrentRun.unit_id == CurrentVerdict.unit_id)
        .add_columns(Verdict, CurrentRun)
    )


def _judged(scope: Scope, statement: Select[CurrentVerdict, Verdict, CurrentRun]) -> list[Judged]:
    return [Judged(verdict, run) for _, verdict, run in scope.session.execute(statement)]


def current(
    scope: Scope,
    *,
    within: Iterable[str] | None = None,
    subject_kind: str | None = None,
    subject_id: str | None = None,
    state: str | None = None,
    rule: str | None = None,
    after: Key | None = None,
    limit: int | None = None,
) -> list[Judged]:
    """Give current verdicts in order of subject and rule, behind the key `after`."""
    statement = _current(scope, within)
    if subject_kind is not None:
        statement = statement.where(CurrentVerdict.subject_kind == subject_kind)
    if subject_id is not None:
        statement = statement.where(CurrentVerdict.subject_id == subject_id)
    if rule is not None:
        statement = statement.where(CurrentVerdict.rule_id == rule)
    if state is not None:
        statement = statement.where(Verdict.state == state)
    columns = (CurrentVerdict.subject_kind, CurrentVerdict.subject_id, CurrentVerdict.rule_id)
    if after is not None:
        statement = statement.where(tuple_(*columns) > after)
    return _judged(scope, statement.order_by(*columns).limit(limit))


def one(scope: Scope, verdict_id: int) -> Judged:
    """Give one verdict, current or former.

    Raises:
        Problem: 404 or 403.
    """
    return with_runs(scope, [scope.one(Verdict, "verdict", Verdict.id == verdict_id)])[0]


def with_runs(scope: Scope, verdicts: Sequence[Verdict]) -> list[Judged]:
    """Add to verdicts the runs that last confirmed them; former verdicts have none."""
    statement = (
        select(CurrentVerdict.verdict_id, CurrentRun)
        .join(CurrentRun, CurrentRun.unit_id == CurrentVerdict.unit_id)
        .where(CurrentVerdict.verdict_id.in_([verdict.id for verdict in verdicts]))
    )
    runs = {row.verdict_id: row.CurrentRun for row in scope.session.execute(statement)}
    return [Judged(verdict, runs.get(verdict.id)) for verdict in verdicts]


def history(
    scope: Scope, kind: str, subject_id: str, rule: str | None, before: int | None, limit: int
) -> Sequence[Verdict]:
    """Give verdicts of a subject, newest first, older than the id `before`."""
    statement = scope.select(Verdict).where(Verdict.subject_kind == kind, Verdict.subject_id == subject_id)
    if rule is not None:
        statement = statement.where(Verdict.rule_id == rule)
    if before is not None:
        statement = statement.where(Verdict.id < before)
    return scope.session.scalars(statement.order_by(Verdict.id.desc()).limit(limit)).all()


def require_subject(scope: Scope, kind: SubjectKind, subject_id: str) -> None:
    """Make sure that a subject is in the scope.

    Raises:
        Problem: 404 or 403.
    """
    match kind:
        case SubjectKind.DEVICE:
            scope.one(Device, "device", Device.id == subject_id)
        case SubjectKind.ROOM:
            scope.one(Room, "room", Room.id == subject_id)
        case SubjectKind.SCHOOL:
            scope.one(Unit, "school", Unit.id == subject_id, Unit.kind == "school")
        case SubjectKind.DISTRICT:
            unit = scope.one(Unit, "organisation unit", Unit.id == subject_id)
            if unit.kind == "school":
                raise not_found("district")
