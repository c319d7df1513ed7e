"""What the API says about devices."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class SeatOut(BaseModel):
    """A place in a room."""

    id: str
    label: str
    row: int
    column: int


class PresenceOut(BaseModel):
    """Whether a device is heard of, by its connections to the broker."""

    state: str = Field(description="online, goodbye (ended cleanly) or lost (ended without a word).")
    since: datetime
    last_seen: datetime
    agent: str = Field(description="Version of the agent.")


class DeviceOut(BaseModel):
    """A device of a school."""

    id: str
    unit_id: str = Field(description="School.")
    room_id: str | None
    seat: SeatOut | None
    code: str = Field(description="The school's own inventory code.")
    kind: str = Field(description="pc, teacher_pc, gateway, router or display.")
    state: str = Field(description="in_service, in_repair or retired.")
    agent_since: datetime | None = Field(description="Since when an agent is expected; null = declared only.")
    identity_conflict: bool = Field(description="Two live machines claim this identity; a technician must decide.")
    presence: PresenceOut | None = Field(description="null = never heard of.")
