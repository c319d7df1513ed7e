"""Devices, their credentials at the broker, the tokens they enrol with, and identities that two machines claim."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from phongmay_store.register.base import Base, Versioned, utc_now


class DeviceKind(StrEnum):
    """What a device is."""

    PC = "pc"
    TEACHER_PC = "teacher_pc"
    GATEWAY = "gateway"
    ROUTER = "router"
    DISPLAY = "display"


class DeviceState(StrEnum):
    """Whether a device counts as working stock."""

    IN_SERVICE = "in_service"
    IN_REPAIR = "in_repair"
    RETIRED = "retired"


class Device(Versioned):
    """A device of a school.

    Attributes:
        code: the school's own inventory code, unique in the school; import and enrolment find the device by it.
        agent_since: since when an agent is expected to report; None = the device has none (declared only).
    """

    __tablename__ = "device"

    school_id: Mapped[str] = mapped_column(index=True)
    room_id: Mapped[str | None] = mapped_column(index=True)
    seat_id: Mapped[str | None]
    code: Mapped[str]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(default=DeviceState.IN_SERVICE.value)
    agent_since: Mapped[datetime | None]


class Credential(Base):
    """What the server knows of a device: the broker's hash line and the sealed command key, never the secret.

    A revoked device leaves the password file.

    Attributes:
        command_key: key that signs commands to it, sealed; "" = enrolled without a seal, so it takes no commands.
    """

    __tablename__ = "credential"

    device_id: Mapped[str] = mapped_column(primary_key=True)
    broker_hash: Mapped[str]
    fingerprint: Mapped[str] = mapped_column(default="")
    command_key: Mapped[str] = mapped_column(default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    revoked_at: Mapped[datetime | None]


class EnrolmentToken(Base):
    """An expiring, counted permission to enrol devices of one school (and room); only its hash is kept."""

    __tablename__ = "enrolment_token"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    school_id: Mapped[str] = mapped_column(index=True)
    room_id: Mapped[str | None]
    uses_left: Mapped[int]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class IdentityConflict(Base):
    """Two live holders of one device identity; open until a technician decides."""

    __tablename__ = "identity_conflict"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    device_id: Mapped[str] = mapped_column(index=True)
    detail: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(default=utc_now)
    closed_at: Mapped[datetime | None]
