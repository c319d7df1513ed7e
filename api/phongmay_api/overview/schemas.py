"""What the API says about how things stand at this moment."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

_CONDITION = (
    "online; silent (not heard in time in use); off (not heard, nobody misses it); unknown (no collector hears, two "
    "machines use the identity, or its hours cannot be told); never (was never heard); no_agent; in_repair."
)


class LessonsOut(BaseModel):
    """Minutes of today in which rooms were in use, up to two minutes ago, summed over devices."""

    expected: int
    known: int = Field(description="Of these, a collector could hear.")
    seen: int = Field(description="Of these, the device was there; seen/known is the availability.")


class SumsOut(BaseModel):
    """Sums over devices."""

    devices: int
    conditions: dict[str, int] = Field(description=f"Number of devices in each condition: {_CONDITION}")
    clock_doubtful: int = Field(description="Devices whose newest round has a time of their own clock, or a guess.")
    identity_conflicts: int
    waiting: int = Field(description="Envelopes that wait in the devices' spools.")
    last_seen: datetime | None
    today: LessonsOut


class RoomOverviewOut(BaseModel):
    """A room."""

    room_id: str | None = Field(description="null = devices that stand in no room.")
    name: str
    sums: SumsOut


class LineTestOut(BaseModel):
    """Newest concurrent test of a school's line."""

    run_id: str
    at: datetime
    verdict: str
    down_bps: float | None = Field(description="IP rate downwards of all PCs together, in bit/s.")
    up_bps: float | None
    contracted_down_bps: int | None
    contracted_up_bps: int | None


class SchoolOverviewOut(BaseModel):
    """A school."""

    unit_id: str
    name: str
    sums: SumsOut
    rooms: list[RoomOverviewOut]
    last_test: LineTestOut | None = Field(
        description="Newest concurrent test of the last 92 days that says something of the line; null = none does."
    )


class OverviewOut(BaseModel):
    """Every school of a unit at one instant."""

    unit_id: str
    at: datetime
    heard_minutes: int = Field(description="Of the last 60 minutes, those in which a collector could hear.")
    schools: list[SchoolOverviewOut]


class DeviceConditionOut(BaseModel):
    """A device."""

    device_id: str
    unit_id: str
    room_id: str | None
    label: str = Field(description="Inventory code and seat.")
    kind: str
    condition: str = Field(description=_CONDITION)
    last_seen: datetime | None
    silent_s: float | None = Field(description="Silence counted in time in use only; null = cannot be told.")
    identity_conflict: bool
    clock_doubtful: bool | None = Field(description="null = there is no round.")
    memory_bytes: int | None
    disk_free_ratio: float | None
    spool_envelopes: int | None
    today: LessonsOut


class HourOut(BaseModel):
    """A gauge over one hour, over all devices and parts."""

    hour: datetime
    samples: int
    low: float
    high: float
    mean: float


class HoursOut(BaseModel):
    """A gauge by the hour."""

    unit_id: str
    measurement: str
    quantity: str
    unit: str = Field(description="Base unit of low, high and mean.")
    hours: list[HourOut] = Field(description="Hours without a value are absent.")
