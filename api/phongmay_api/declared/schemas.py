"""What the API says about declared facts, and what it takes."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class SaidOut(BaseModel):
    """What is declared."""

    value: float | str = Field(description="In base units; yes/no as 1/0.")
    since: datetime = Field(description="Since when it is so.")
    recorded_at: datetime
    declared_by: str = Field(description="Function or office; empty = only an imported file says so.")
    attachment_sha256: str = Field(description="Hash of what shows it; empty = nothing was handed in.")


class MeasuredOut(BaseModel):
    """What stands beside it."""

    value: float | str
    at: datetime
    registered: bool = Field(description="Counted in the register, not measured by a probe.")


class ItemOut(BaseModel):
    """One item of a subject, both sides."""

    item: str
    unit: str = Field(description="Unit in which it is declared: GB, Mbit/s, m2, yes/no, text, IP; empty = a number.")
    factor: int = Field(description="Declared number times this = base units.")
    low: float
    high: float
    declared: SaidOut | None
    measured: MeasuredOut | None
    disagrees: bool | None = Field(description="null = there are not both sides.")


class VersionOut(BaseModel):
    """One version of a declaration; what was corrected stays."""

    item: str
    value: float | str
    declared_by: str
    attachment_sha256: str
    valid_from: datetime
    valid_to: datetime | None
    recorded_at: datetime
    superseded_at: datetime | None = Field(description="null = the present knowledge.")


class SubjectOut(BaseModel):
    """Everything that may be declared of a subject."""

    kind: str
    id: str
    unit_id: str = Field(description="School; a unit above schools is its own.")
    items: list[ItemOut]
    history: list[VersionOut] | None = Field(description="With history=true; newest knowledge first.")


class DeclaredOut(BaseModel):
    """One declaration that holds now."""

    id: str
    unit_id: str
    subject_kind: str
    subject_id: str
    item: str
    declared: SaidOut


class DeclarationIn(BaseModel):
    """A declaration."""

    value: float | bool | str | None = Field(
        description="In the item's own unit (GB, m2 ...), yes/no as true/false; null takes the declaration back."
    )
    unit: str | None = Field(default=None, max_length=20, description="To be sure: must be the item's own.")
    declared_by: str = Field(min_length=1, max_length=60, description="Function or office, not a person's name.")
    valid_from: str | None = Field(
        default=None, max_length=40, description="Day (in Vietnam) or time with zone, not in the future; default: now."
    )
    attachment_sha256: str = Field(default="", max_length=64, description="Hash of a file handed in before.")


class ChangeOut(BaseModel):
    """What a row of a file does."""

    sheet: str
    key: str
    line: int
    action: str = Field(description="created, changed or unchanged.")
    differences: dict[str, list[str]] = Field(description="Of a changed thing: [before, after] by property.")


class FaultOut(BaseModel):
    """What is wrong in a file."""

    file: str
    line: int = Field(description="Line of a CSV, row of a sheet, entry of a JSON list; 0 = the file as a whole.")
    column: str
    value: str
    expected: str


class PreviewOut(BaseModel):
    """What a file would do, or did."""

    preview: str = Field(description="Mark of this preview; `apply` takes it.")
    changes: list[ChangeOut]
    errors: list[FaultOut] = Field(description="With any of them nothing can be applied.")
