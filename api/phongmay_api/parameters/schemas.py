"""What the API says about parameters in force, and what it is told."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field

from phongmay_rules.deciding import MAX_TEXT
from phongmay_rules.model import Text


class SetOut(BaseModel):
    """What a unit set."""

    unit_id: str | None = Field(description="Who set it; null = a unit above that you may not see.")
    value: float
    set_by: str = Field(description="Login of the officer.")
    reason: str
    recorded_at: datetime
    valid_from: datetime = Field(description="Since when it holds; as recorded_at where nobody said otherwise.")


class InForceOut(BaseModel):
    """A parameter as it holds for a unit."""

    parameter: str
    pack_id: str
    about: Text
    unit: str = Field(description="Base unit of all values.")
    value: float = Field(description="In force for the unit.")
    default: float = Field(description="The pack's own value.")
    low: float
    high: float
    fixed: bool = Field(description="A figure of a law: nobody may set it.")
    in_bounds: bool = Field(description="false = nothing is judged by it: every verdict that reads it is an error.")
    number_from: str = Field(description="Whose figure the default is, e.g. district_setting.")
    source: Text
    rules: list[str] = Field(description="Rules that read it.")
    set: SetOut | None = Field(description="What the nearest unit set last; null = the default holds.")
    pending: SetOut | None = Field(description="What the nearest unit set that holds only from a later time on.")


class InForceDetail(InForceOut):
    """A parameter with everything that was ever set for the unit, or above it as far as you may see."""

    history: list[SetOut] = Field(description="Newest first.")


class WantedIn(BaseModel):
    """A value to be looked at."""

    value: float = Field(allow_inf_nan=False, description="In the base unit.")


class SettingIn(WantedIn):
    """A value to be set."""

    reason: str = Field(min_length=1, max_length=MAX_TEXT, description="Why; printed with the value for ever.")
    valid_from: date | None = Field(
        default=None,
        description="Local day from whose beginning it holds (default: from now on); not before the newest value's.",
    )
    was: float | None = Field(
        default=None, allow_inf_nan=False, description="Value in force at the preview; 409 when it is another now."
    )


class MoveOut(BaseModel):
    """How many verdicts of a rule go from one state to another."""

    rule_id: str
    before: str
    after: str
    count: int


class ChangedOut(BaseModel):
    """A verdict that would be another."""

    subject_kind: str
    subject_id: str
    rule_id: str
    before: str
    after: str
    sentence: str = Field(description="What it would say, in the language asked for.")


class KeptOut(BaseModel):
    """A unit below that has set a value of its own, which stays."""

    unit_id: str
    value: float
    in_bounds: bool = Field(description="false = every verdict that reads it is an error until the unit sets another.")


class EffectOut(BaseModel):
    """What a value would change in the unit and below it; nothing is written."""

    before: float = Field(description="In force for the unit now.")
    after: float
    judged: int = Field(description="Verdicts that were compared.")
    changed: int
    kept: list[KeptOut] = Field(description="Other values of units below; they stay.")
    moves: list[MoveOut]
    changes: list[ChangedOut] = Field(description="The first 500.")
