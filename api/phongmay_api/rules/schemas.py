"""What the API says about rules. Duty (which document demands it) and number_from (whose figure) stay apart."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, Field

from phongmay_rules.model import Text


class DocumentOut(BaseModel):
    """A paper that demands something."""

    id: str
    number: str
    title: Text
    issued: date | None
    source: str
    body_read: bool = Field(description="Somebody of this project has read its text, not only what is said about it.")


class ClauseOut(BaseModel):
    """A clause of a document that a rule rests on."""

    id: str
    document: str
    locator: Text = Field(description="Where in the document.")
    text: Text = Field(description="Vietnamese wording, and what it means in English.")
    wording: str = Field(description="verbatim, or reported when only a summary was seen.")
    assessment: str = Field(description="automated, partial or manual.")
    note: Text = Field(description="Why it is assessed like that.")


class ParameterOut(BaseModel):
    """A named figure of the pack; an organisation unit may set its own within the bounds."""

    name: str
    value: float
    unit: str = Field(description="Base unit.")
    low: float
    high: float
    about: Text
    number_from: str = Field(description="Whose figure this is, e.g. district_setting.")
    source: Text


class FactKindOut(BaseModel):
    """A fact that a rule reads, as the catalogue declares it."""

    name: str
    about: Text
    unit: str = Field(description="Base unit.")
    subject: str = Field(description="What it is about: device, room, school or district.")
    source: str = Field(description="measured, declared or derived.")
    measurable: bool = Field(description="false = nothing measures it yet, so it is always missing.")
    window: str = Field(description="Which time it is about, e.g. 30d, quarter, now.")
    freshness_s: float | None = Field(description="Age at which it is stale; null = computed by every evaluation.")
    coverage: float | None = Field(description="Least share that must be known for a value; null = whole or not there.")
    coverage_of: str | None = Field(description="Of what: expected_minutes, pcs_in_service, ordered_load.")


class RuleOut(BaseModel):
    """A rule of the packs in force."""

    id: str
    group: str
    group_title: Text
    subject: str = Field(description="What it judges: device, room, school or district.")
    severity: str
    title: Text
    who_must_act: list[str] = Field(description="school, district, isp, supplier.")
    duty: DocumentOut | None = Field(description="The document that demands it; null = none, it is good practice.")
    number_from: str = Field(description="Whose figure the weakest threshold is, e.g. district_setting.")
    valid_from: date
    valid_to: date | None
    hash: str = Field(description="SHA-256 of the rule.")
    pack_id: str
    pack_hash: str = Field(description="SHA-256 of the whole pack.")
    enabled: bool = Field(description="false = switched off: it is in the pack, and nothing is judged by it.")


class RuleDetail(RuleOut):
    """A rule with everything that it rests on."""

    rationale: Text
    remediation: Text
    clauses: list[ClauseOut]
    parameters: list[ParameterOut]
    facts: list[FactKindOut] = Field(description="What its own checks read.")
