"""What the API says about compliance as a whole: every state is counted, so that no share can hide another."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from phongmay_rules.model import Text
from phongmay_store.register.compliance import State


class SharesOut(BaseModel):
    """How many verdicts are in which state."""

    model_config = {"populate_by_name": True}

    passed: int = Field(alias="pass")
    fail: int
    unknown: int
    not_applicable: int
    manual: int
    waived: int
    error: int
    total: int


class GroupOut(BaseModel):
    """A group of rules."""

    group: str
    title: Text
    shares: SharesOut


class UnitCompliance(BaseModel):
    """An organisation unit with everything below it."""

    unit_id: str
    parent_id: str | None
    kind: str
    level: str
    name: str
    is_sample: bool
    evaluated_at: datetime | None = Field(description="Oldest last evaluation inside; null = not evaluated.")
    stale: bool = Field(description="The engine has stopped for this unit: its shares are counted as unknown.")
    groups: list[GroupOut]
    shares: SharesOut = Field(description="All groups together.")
    clauses: SharesOut = Field(description="Clauses of the packs in force by state, those that no machine judges too.")


class ComplianceOut(BaseModel):
    """Compliance of a unit and of each unit below it."""

    unit: UnitCompliance
    below: list[UnitCompliance] = Field(description="Every unit below, parents first.")


def shares(counts: Mapping[str, int]) -> SharesOut:
    """Make shares of counts by state."""
    values: dict[str, Any] = {state.value: counts.get(state.value, 0) for state in State}
    return SharesOut(**values, total=sum(values.values()))
