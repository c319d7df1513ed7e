"""What the API says about clauses: every clause of the packs in force, with its state for a unit."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from phongmay_api.compliance.schemas import SharesOut
from phongmay_rules.model import Assessment, Text


class StatementOut(BaseModel):
    """What a person stated on a clause; it holds now."""

    number: int
    met: bool
    statement: str
    signed_by: str
    valid_to: datetime


class ClauseStandingOut(BaseModel):
    """A clause for a unit."""

    clause: str
    document: str
    locator: Text
    text: Text
    assessment: Assessment = Field(description="automated, partial or manual.")
    note: Text = Field(description="Why it is assessed so.")
    state: str = Field(
        description="Worst state of the verdicts of its rules; manual where a person has to say, also where the part "
        "that is measured passes; unknown where one of its rules is switched off and nothing worse is known; "
        "not_applicable where nothing of it is judged in this unit."
    )
    rules: list[str] = Field(description="Rules in force that judge it or a part of it.")
    switched_off: list[str] = Field(
        description="Rules on it that nobody judges, because they are off in their pack and rules.optional does not "
        "name them."
    )
    verdicts: SharesOut = Field(description="Their verdicts in the unit and below it.")
    stated: StatementOut | None = Field(description="A statement never turns the state into pass.")


class ClausesOut(BaseModel):
    """Every clause for a unit."""

    unit_id: str
    evaluated_at: datetime | None
    stale: bool
    shares: SharesOut = Field(description="Clauses by state.")
    stated_met: int = Field(description="Clauses in state manual of which a person states that they are met.")
    stated_not_met: int
    clauses: list[ClauseStandingOut]
