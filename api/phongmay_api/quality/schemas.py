"""What the API says about the quality of the data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, Field

from phongmay_rules.model import Text


class ScoreOut(BaseModel):
    """One score as counts; never a percentage alone."""

    score: str = Field(description="song (alive), sach (clean), du (complete) or dung (right).")
    good: int = Field(description="Numerator.")
    total: int = Field(description="Denominator: only what is known.")
    unknown: int = Field(description="What could not be judged; in neither.")
    ratio: float | None = Field(description="good / total; null = nothing is known.")
    unknown_ratio: float | None = Field(description="Unknown share of everything; null = there is nothing at all.")
    faults: Mapping[str, int] = Field(description="How often each fault was met.")


class SchoolQuality(BaseModel):
    """The four scores of a school."""

    unit_id: str
    name: str
    evaluated_at: datetime | None = Field(description="Newest evaluation of the rules; null = never.")
    engine_stopped: bool = Field(description="Never evaluated, or longer ago than three intervals.")
    scores: list[ScoreOut]


class DefinitionOut(BaseModel):
    """What a score counts."""

    score: str
    word: Text
    definition: Text


class QualityOut(BaseModel):
    """Scores of a unit: sums of counts, the schools, and what each score means."""

    unit_id: str
    scores: list[ScoreOut]
    schools: list[SchoolQuality]
    definitions: list[DefinitionOut]
