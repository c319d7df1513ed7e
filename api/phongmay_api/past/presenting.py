"""Turns a verdict of the past into words: by the packs of that day, and unknown where no run vouched for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from phongmay_api.past.schemas import PastVerdictOut, RunOut
from phongmay_rules.explanation import Explanation
from phongmay_rules.explanation import explain as explain_fully
from phongmay_rules.history import PastVerdict, past_sentence
from phongmay_rules.model import Pack, Text
from phongmay_store.register.compliance import EvaluationRun


def explanation(pack: Pack, one: PastVerdict, since: datetime | None, language: str) -> Explanation:
    """Explain it in full, as it could have been explained then."""
    held = since if one.run_id is not None else None
    return explain_fully(one, one.row.rule_id, pack, one.row.evidence, held, language)


def run_out(run: EvaluationRun | None, *, is_archived: bool) -> RunOut | None:
    """Give what is said about the run that stood."""
    if run is None:
        return None
    return RunOut(
        id=run.id, evaluated_at=run.evaluated_at, valid_for_s=run.valid_for_s, known_at=run.known_at,
        pack_id=run.pack_id, pack_hash=run.pack_hash, pack_archived=is_archived,
    )  # fmt: skip


def verdict_out(pack: Pack, one: PastVerdict, since: Mapping[int, datetime], language: str) -> PastVerdictOut:
    """Give a verdict with all that it rested on."""
    row, held = one.row, since.get(one.row.id)
    return PastVerdictOut(
        id=row.id,
        subject_kind=row.subject_kind,
        subject_id=row.subject_id,
        rule_id=row.rule_id,
        state=one.state,
        reason=one.reason,
        sentence=past_sentence(one, pack, language),
        sentences=Text(vi=past_sentence(one, pack, "vi"), en=past_sentence(one, pack, "en")),
        explanation_vi=explanation(pack, one, held, "vi").sentences(),
        explanation_en=explanation(pack, one, held, "en").sentences(),
        state_since=held if one.run_id is not None else None,
        measured=row.measured,
        required=row.required,
        evidence=row.evidence,
        evaluated_at=row.evaluated_at,
        recorded_at=row.recorded_at,
        run_id=row.run_id,
        rule_hash=row.rule_hash,
        pack_id=row.pack_id,
        pack_hash=row.pack_hash,
    )
