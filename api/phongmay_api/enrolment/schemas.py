"""What goes in and out at enrolment."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class EnrolmentIn(BaseModel):
    """What a machine shows to become a device."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=200, description="Text of the enrolment token.")
    fingerprint: str = Field(default="", max_length=200, description="Salted hash over hardware ids; never the ids.")
    code: str = Field(default="", max_length=100, description="Inventory code of a device that is registered already.")


class BrokerOut(BaseModel):
    """Where the agent connects to."""

    host: str
    port: int
    ca: str = Field(default="", description="Certificates (PEM) that the broker's comes from; empty = no TLS.")


class EnrolmentOut(BaseModel):
    """The identity of the new device. The secret is given out once and kept nowhere."""

    device_id: str
    secret: str
    broker: BrokerOut


class TokenIn(BaseModel):
    """What an enrolment token shall permit."""

    model_config = ConfigDict(extra="forbid")

    unit: str = Field(description="School.")
    room: str | None = Field(default=None, description="Room that new PCs are put into.")
    uses: int = Field(default=50, ge=1, le=1000, description="How many machines may enrol with it.")
    valid_hours: float = Field(default=168, gt=0, le=24 * 90, description="Hours until it ends.")


class TokenOut(BaseModel):
    """A new enrolment token. Its text is given out once and kept nowhere."""

    token: str
    unit: str
    room: str | None
    uses: int
    expires_at: datetime
