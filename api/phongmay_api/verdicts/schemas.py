"""What the API says about verdicts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, Field

from phongmay_rules.model import Text


class VerdictOut(BaseModel):
    """The judgement of one rule on one subject."""

    id: int
    unit_id: str = Field(description="School or district that the subject belongs to.")
    subject_kind: str = Field(description="device, room, school or district.")
    subject_id: str
    rule_id: str
    state: str = Field(description="pass, fail, unknown, not_applicable, manual, waived or error; as judged.")
    reason: str = Field(description="Code of the explanation.")
    sentence: str = Field(description="What was found and what is required, in the language asked for.")
    evaluated_at: datetime = Field(description="Since when the verdict is like this.")
    confirmed_at: datetime | None = Field(
        description="When the engine last came to the same verdict; null = no longer current."
    )
    stale: bool = Field(description="The engine has not confirmed it in time: count the state as unknown.")


class MissingOut(BaseModel):
    """Data that are missing, and who can supply them."""

    fact: str | None = Field(description="Fact of the catalogue; null = results of members are missing.")
    rule: str | None = Field(description="Rule whose results are missing on members; null = a fact is missing.")
    reason: str = Field(description="Code of why it is missing.")
    supplier: str = Field(description="school_it, school, district, isp, campaign or operator.")
    text: Text


class ExplanationOut(BaseModel):
    """The verdict in whole sentences: finding, document, since when, what to do, which data are missing."""

    vi: list[str]
    en: list[str]
    state_since: datetime | None = Field(description="Since when the state holds without a break.")
    rule_in_force_from: date | None = Field(description="First day of the rule; null = it left the pack.")
    who_must_act: list[str] = Field(description="school, district, isp, supplier.")
    missing: list[MissingOut] = Field(description="Of an unknown verdict: what is missing and who can supply it.")


class VerdictDetail(VerdictOut):
    """A verdict with everything needed to follow and reproduce it."""

    state_name: Text
    sentences: Text
    explanation: ExplanationOut
    duty: Text | None = Field(description="The document that demands it; null = none, or the rule left the pack.")
    number_from: str | None = Field(description="Whose figure the threshold is.")
    measured: dict[str, Any]
    required: dict[str, Any]
    evidence: list[Any] = Field(description="Facts with values, times and source envelopes; verdicts of members.")
    run_id: int = Field(description="Evaluation run that wrote it.")
    rule_hash: str
    pack_id: str
    pack_hash: str
    recorded_at: datetime
