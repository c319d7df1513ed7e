"""What people decide about verdicts: waivers, attestations, disputes. Append-only, each row a link of a chain."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from phongmay_store.register.base import Base, utc_now


class Waiver(Base):
    """The district lifts a rule for a subject and everything below it, for a time. It excuses; it never counts as met.

    Attributes:
        unit_id: unit whose chain holds the row: the subject itself, or the school that it belongs to.
        subject_id: device, room or unit.
        signed_by: login of an officer above the subject.
        valid_to: end (exclusive); a waiver without an end would be a change of the rule.
        replaces: waiver that this one takes the place of; a withdrawal is one that ends when it begins.
    """

    __tablename__ = "waiver"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    unit_id: Mapped[str] = mapped_column(index=True)
    subject_id: Mapped[str]
    rule_id: Mapped[str]
    reason: Mapped[str]
    signed_by: Mapped[str]
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime]
    replaces: Mapped[int | None]
    recorded_at: Mapped[datetime] = mapped_column(default=utc_now)


class Attestation(Base):
    """A person's statement on a clause that no machine can judge, with the hash of the paper that shows it.

    Attributes:
        unit_id: school or unit above that the statement is about.
        clause_id: clause of the pack, assessed manual or partial.
        met: what the signer states.
        attachment_name: what the evidence is called ("" = nothing; the page of decisions keeps no name of a file).
        attachment_hash: SHA-256 of the file: an `Attachment` of the unit, or kept elsewhere (stated by command).
    """

    __tablename__ = "attestation"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    unit_id: Mapped[str] = mapped_column(index=True)
    pack_id: Mapped[str]
    clause_id: Mapped[str]
    met: Mapped[bool]
    statement: Mapped[str]
    signed_by: Mapped[str]
    attachment_name: Mapped[str] = mapped_column(default="")
    attachment_hash: Mapped[str] = mapped_column(default="")
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(default=utc_now)


class DisputeStep(StrEnum):
    """What happened in a dispute."""

    OPENED = "opened"
    RECHECKED = "rechecked"
    UPHELD = "upheld"
    """The district says that the school is right; what was wrong is mended in register or parameters."""
    REJECTED = "rejected"


class Dispute(Base):
    """One step of a dispute about a verdict: opened by the school, rechecked by the engine, answered by the district.

    Attributes:
        opened: number of the step that opened the dispute; None = this is it.
        verdict_id: the verdict that stood at this step.
        text: statement of the school, result of the recheck, or answer of the district.
    """

    __tablename__ = "dispute"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    opened: Mapped[int | None] = mapped_column(index=True)
    step: Mapped[str]
    unit_id: Mapped[str] = mapped_column(index=True)
    verdict_id: Mapped[int]
    text: Mapped[str]
    signed_by: Mapped[str]
    recorded_at: Mapped[datetime] = mapped_column(default=utc_now)
