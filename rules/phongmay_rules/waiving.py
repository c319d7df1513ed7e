"""Waivers in force: rows go in, and a failing judgement that the district lifted comes out as waived.

A waiver excuses a fail of one rule on a subject and on everything below it. It changes nothing else: pass, unknown and
not applicable stay what they are, and the state that it excuses stays readable in the verdict's evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from phongmay_rules.judging import Judgement
from phongmay_rules.reasons import Reason
from phongmay_store.register.asking import ask
from phongmay_store.register.compliance import State
from phongmay_store.register.decisions import Waiver


@dataclass(frozen=True, slots=True)
class InForce:
    """What a verdict needs to tell of its waiver."""

    number: int
    signed_by: str
    reason: str
    until: str


Waivers = Mapping[tuple[str, str], InForce]
"""(rule, subject) -> waiver."""


_WAIVERS = (
    select(
        Waiver.number, Waiver.rule_id, Waiver.subject_id, Waiver.signed_by, Waiver.reason, Waiver.valid_from,
        Waiver.valid_to, Waiver.replaces,
    )
    .where(Waiver.recorded_at <= bindparam("known_at"))
    .order_by(Waiver.number)
)  # fmt: skip


def read_waivers(session: Session, at: datetime, known_at: datetime) -> Waivers:
    """Give the waivers that hold at an instant, as known at another; of several the newest."""
    rows = ask(session, _WAIVERS, known_at=known_at)
    replaced = {row.replaces for row in rows}
    return {
        (row.rule_id, row.subject_id): InForce(row.number, row.signed_by, row.reason, row.valid_to.isoformat())
        for row in rows
        if row.number not in replaced and row.valid_from <= at < row.valid_to
    }


def excuse(judgement: Judgement, rule_id: str, lineage: Iterable[str], waivers: Waivers) -> Judgement:
    """Give the judgement as it stands under the waivers.

    Args:
        judgement: what the rule came to.
        rule_id: the rule.
        lineage: the subject and everything above it, nearest first.
        waivers: those in force.
    """
    if judgement.state is not State.FAIL or not waivers:
        return judgement
    waiver = next((waivers[rule_id, subject] for subject in lineage if (rule_id, subject) in waivers), None)
    if waiver is None:
        return judgement
    item = {
        "waiver": waiver.number, "signed_by": waiver.signed_by, "why": waiver.reason, "until": waiver.until,
        "state": judgement.state.value, "reason": judgement.reason.value,
    }  # fmt: skip
    return replace(judgement, state=State.WAIVED, reason=Reason.WAIVED, evidence=[*judgement.evidence, item])
