"""What the API says about measured values."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class ValueOut(BaseModel):
    """One value in its base unit."""

    value: int | float | bool | str
    unit: str = Field(description="Base unit: B, bit/s, s, ratio, 1 ...; empty for words and yes/no.")


class RowOut(BaseModel):
    """Values that were taken together."""

    measurement: str
    part: str = Field(description="Disk, interface, target or probe; empty where the measurement has none.")
    at: datetime = Field(description="True time of measuring, not the device's own clock.")
    time_basis: str = Field(description="How the true time is known: live, wall or guess.")
    values: dict[str, ValueOut]
    source: str = Field(description="Envelope that brought it: sender/run/seq.")
