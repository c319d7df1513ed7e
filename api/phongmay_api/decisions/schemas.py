"""What the API says about decisions, and what it is told."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, Field

from phongmay_rules.deciding import MAX_TEXT

_TEXT = Field(min_length=1, max_length=MAX_TEXT)
_ID = Field(max_length=100)


class WaiverIn(BaseModel):
    """A rule to be lifted for a subject and everything below it."""

    subject_id: str = Field(max_length=100, description="Device, room or organisation unit.")
    rule_id: str = _ID
    reason: str = _TEXT
    valid_to: AwareDatetime = Field(description="First instant without the waiver.")
    valid_from: AwareDatetime | None = Field(default=None, description="Beginning; default: now.")


class WithdrawalIn(BaseModel):
    """Why a waiver ends now."""

    reason: str = _TEXT


class WaiverOut(BaseModel):
    """A waiver: it excuses a failure and never counts as met."""

    number: int
    unit_id: str
    subject_id: str
    rule_id: str
    reason: str
    signed_by: str
    valid_from: datetime
    valid_to: datetime
    replaces: int | None = Field(description="Waiver that this row takes the place of.")
    replaced_by: int | None = Field(description="Row that took its place, e.g. its withdrawal.")
    in_force: bool
    recorded_at: datetime


class AttestationIn(BaseModel):
    """A statement on a clause that no machine judges alone."""

    unit: str = _ID
    clause: str = _ID
    met: bool
    statement: str = _TEXT
    valid_to: AwareDatetime
    attachment_name: str = Field(default="", max_length=200)
    attachment_hash: str = Field(
        default="", pattern=r"^([0-9a-f]{64})?$", description="SHA-256 of a file that the unit handed in before."
    )


class AttestationOut(BaseModel):
    """A statement."""

    number: int
    unit_id: str
    pack_id: str
    clause_id: str
    met: bool
    statement: str
    signed_by: str
    attachment_name: str
    attachment_hash: str
    valid_from: datetime
    valid_to: datetime
    recorded_at: datetime


class DisputeIn(BaseModel):
    """What is wrong with a current verdict."""

    verdict_id: int = Field(ge=1, le=2**53)
    text: str = _TEXT


class AnswerIn(BaseModel):
    """The district's answer to a dispute."""

    upheld: bool = Field(description="The school is right.")
    text: str = _TEXT


class DisputeStepOut(BaseModel):
    """One step of a dispute."""

    step: str = Field(description="opened, rechecked, upheld or rejected.")
    verdict_id: int = Field(description="The verdict that stood then.")
    verdict_state: str
    text: str
    signed_by: str
    recorded_at: datetime


class DisputeOut(BaseModel):
    """A dispute about a verdict."""

    number: int
    unit_id: str
    verdict_id: int
    subject_kind: str
    subject_id: str
    rule_id: str
    state: str = Field(description="Newest step.")
    open: bool = Field(description="Nobody has answered it yet.")
    steps: list[DisputeStepOut]
