"""What the API says about the past."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from phongmay_rules.model import Text


class RunOut(BaseModel):
    """The evaluation that stood at the instant."""

    id: int
    evaluated_at: datetime
    valid_for_s: float = Field(description="Seconds after `evaluated_at` for which it vouches for its verdicts.")
    known_at: datetime | None = Field(description="As the register was known then it judged.")
    pack_id: str = Field(description="The packs in force then, with + between.")
    pack_hash: str
    pack_archived: bool = Field(description="Their text is in the archive; otherwise that of today's packs is shown.")


class PastVerdictOut(BaseModel):
    """A verdict as it stood."""

    id: int
    subject_kind: str = Field(description="device, room, school or district.")
    subject_id: str
    rule_id: str
    state: str = Field(description="What may be said about the instant; unknown where no run vouches for it.")
    reason: str = Field(description="Code of the explanation; engine_stopped where no run vouches for it.")
    sentence: str = Field(description="In the language asked for.")
    sentences: Text
    explanation_vi: list[str]
    explanation_en: list[str]
    state_since: datetime | None = Field(description="Since when the state had held without a break.")
    measured: dict[str, Any]
    required: dict[str, Any]
    evidence: list[Any] = Field(description="Facts with values, times and source envelopes; verdicts of members.")
    evaluated_at: datetime = Field(description="When the row was judged.")
    recorded_at: datetime
    run_id: int = Field(description="Run that wrote the row.")
    rule_hash: str
    pack_id: str
    pack_hash: str


class PastOut(BaseModel):
    """The verdicts of a unit as they stood."""

    unit_id: str
    valid_at: datetime
    known_at: datetime | None = Field(description="What was recorded later is left out; null = nothing is.")
    vouched: bool = Field(description="A run vouches for the instant; otherwise everything is unknown.")
    run: RunOut | None = Field(description="Newest run at or before the instant; null = never judged by then.")
    items: list[PastVerdictOut]
    next_cursor: str | None = Field(description="Pass as `cursor` for the next page; null = this is the last one.")
