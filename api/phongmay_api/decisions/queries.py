"""Reads waivers, attestations and disputes inside a scope, the newest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import aliased

from phongmay_api.access.scope import Scope
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import Verdict
from phongmay_store.register.decisions import Attestation, Dispute, DisputeStep, Waiver

ANSWERS = (DisputeStep.UPHELD.value, DisputeStep.REJECTED.value)
Within = Iterable[str] | None


@dataclass(frozen=True, slots=True)
class Case:
    """A dispute with all its steps in order.

    Attributes:
        steps: each with the verdict that stood then; the first one is the opening.
    """

    steps: Sequence[tuple[Dispute, Verdict]]

    @property
    def opened(self) -> Dispute:
        """The step that opened it."""
        return self.steps[0][0]

    @property
    def state(self) -> str:
        """The newest step: opened, rechecked, upheld or rejected."""
        return self.steps[-1][0].step

    @property
    def is_open(self) -> bool:
        """Nobody has answered it yet."""
        return self.state not in ANSWERS


def waivers(
    scope: Scope, within: Within = None, *, in_force: bool = False, ending_days: int | None = None,
    before: int | None = None, limit: int | None = None,
) -> Sequence[Waiver]:  # fmt: skip
    """Give waivers.

    Args:
        scope: who asks.
        within: only of these units.
        in_force: only those that hold now.
        ending_days: of those in force only the ones that end within so many days.
        before: only numbers below this one.
        limit: at most so many.
    """
    now = utc_now()
    statement = scope.select(Waiver, within)
    if in_force or ending_days is not None:
        later = aliased(Waiver)
        statement = statement.where(
            Waiver.valid_from <= now, Waiver.valid_to > now, ~exists().where(later.replaces == Waiver.number)
        )
    if ending_days is not None:
        statement = statement.where(Waiver.valid_to <= now + timedelta(days=ending_days))
    if before is not None:
        statement = statement.where(Waiver.number < before)
    return scope.session.scalars(statement.order_by(Waiver.number.desc()).limit(limit)).all()


def replacements(scope: Scope, numbers: Iterable[int]) -> dict[int, int]:
    """Give by which waiver others were replaced."""
    found = scope.session.execute(select(Waiver.replaces, Waiver.number).where(Waiver.replaces.in_(list(numbers))))
    return {old: new for old, new in found if old is not None}


def attestations(
    scope: Scope, within: Within = None, *, at: datetime | None = None, before: int | None = None,
    limit: int | None = None,
) -> Sequence[Attestation]:  # fmt: skip
    """Give statements; with `at` only those that hold at that instant."""
    statement = scope.select(Attestation, within)
    if at is not None:
        statement = statement.where(Attestation.valid_from <= at, Attestation.valid_to > at)
    if before is not None:
        statement = statement.where(Attestation.number < before)
    return scope.session.scalars(statement.order_by(Attestation.number.desc()).limit(limit)).all()


def disputes(
    scope: Scope, within: Within = None, *, is_open: bool | None = None, verdicts: Iterable[int] | None = None,
    before: int | None = None, limit: int | None = None,
) -> list[Case]:  # fmt: skip
    """Give disputes.

    Args:
        scope: who asks.
        within: only of these units.
        is_open: only unanswered ones, or only answered ones.
        verdicts: only about these verdicts, at whatever step.
        before: only numbers below this one.
        limit: at most so many.
    """
    step = aliased(Dispute)
    answered = exists().where(step.opened == Dispute.number, step.step.in_(ANSWERS))
    statement = scope.select(Dispute, within).where(Dispute.opened.is_(None))
    if is_open is not None:
        statement = statement.where(~answered if is_open else answered)
    if verdicts is not None:
        about = list(verdicts)
        statement = statement.where(
            Dispute.verdict_id.in_(about) | exists().where(step.opened == Dispute.number, step.verdict_id.in_(about))
        )
    if before is not None:
        statement = statement.where(Dispute.number < before)
    opened = scope.session.scalars(statement.order_by(Dispute.number.desc()).limit(limit)).all()
    numbers = [row.number for row in opened]
    rows = scope.session.execute(
        select(Dispute, Verdict)
        .join(Verdict, Verdict.id == Dispute.verdict_id)
        .where(Dispute.number.in_(numbers) | Dispute.opened.in_(numbers))
        .order_by(Dispute.number)
    )
    steps: dict[int, list[tuple[Dispute, Verdict]]] = {}
    for dispute, verdict in rows:
        steps.setdefault(dispute.opened or dispute.number, []).append((dispute, verdict))
    return [Case(steps[number]) for number in numbers if number in steps]
