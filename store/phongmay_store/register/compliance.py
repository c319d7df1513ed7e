"""Facts, evaluation runs and verdicts: append-only; pointers to the current rows stand in tables of their own."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Index, PrimaryKeyConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from phongmay_store.register.base import Base, utc_now


class SubjectKind(StrEnum):
    """What a fact or verdict is about; the values are rows of device, room and unit."""

    DEVICE = "device"
    ROOM = "room"
    SCHOOL = "school"
    DISTRICT = "district"


class State(StrEnum):
    """State of a verdict."""

    PASS = "pass"  # noqa: S105 not a password
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"
    MANUAL = "manual"
    WAIVED = "waived"
    ERROR = "error"


class Fact(Base):
    """One number (or word) that rules read, with where it comes from. Never changed, never deleted.

    Attributes:
        unit_id: school (or district) that the subject belongs to.
        number: the value if it is a number or yes/no (1/0); None with `text` None = asked for and not known.
        text: the value if it is a word.
        missing: reason code why there is no value ("" = there is one).
        source: measured, declared or derived.
        sources: envelope ids (sender/run/seq), register rows or fact ids that it was made from.
        detail: what a person needs to follow the derivation (raw value, window, coverage ...).
        valid_at: true time that the value is about.
    """

    __tablename__ = "fact"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    unit_id: Mapped[str] = mapped_column(index=True)
    subject_kind: Mapped[str]
    subject_id: Mapped[str]
    name: Mapped[str]
    number: Mapped[float | None]
    text: Mapped[str | None]
    unit: Mapped[str]
    missing: Mapped[str] = mapped_column(default="")
    source: Mapped[str]
    sources: Mapped[list[Any]]
    detail: Mapped[dict[str, Any]]
    valid_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(default=utc_now)


class CurrentFact(Base):
    """Which fact row is the newest of a subject and name; the pointers of a unit stand together."""

    __tablename__ = "current_fact"
    __table_args__ = (
        PrimaryKeyConstraint("unit_id", "subject_kind", "subject_id", "name"),
        {"sqlite_with_rowid": False},
    )

    subject_kind: Mapped[str]
    subject_id: Mapped[str]
    name: Mapped[str]
    unit_id: Mapped[str]
    fact_id: Mapped[int]


class EvaluationRun(Base):
    """One evaluation of one school (or of a district's own rules) from one snapshot; a stopped engine shows here.

    Evaluations that change nothing write a row only when the newest one is old enough (`rules.run_row_s`).

    Attributes:
        pack_id: the active packs, with + between.
        pack_hash: SHA-256 over them all; the archive keeps their content under it.
    """

    __tablename__ = "evaluation_run"
    __table_args__ = (Index("ix_evaluation_run_unit_at", "unit_id", "evaluated_at"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    unit_id: Mapped[str]
    evaluated_at: Mapped[datetime]
    newest_fact_id: Mapped[int]
    pack_id: Mapped[str]
    pack_hash: Mapped[str]
    counts: Mapped[dict[str, Any]]
    changed: Mapped[int]
    """Verdicts that differ from the run before (and so got a row)."""
    valid_for_s: Mapped[float] = mapped_column(default=180.0)
    """Seconds for which this row vouches for its verdicts when the past is looked at; later: unknown."""
    known_at: Mapped[datetime | None]
    """The register as known at this time is what the run judged by; None = a run before the chain."""


class Verdict(Base):
    """The judgement of one rule on one subject; a row is written when anything but the time differs.

    Attributes:
        reason: code of the sentence that explains the state ("below", "no_data", "stale", "not_this_level" ...).
        measured: what was found, e.g. {"value": 8589934592, "unit": "B"} or {"pass": 3, "fail": 1, ...}.
        required: what is demanded, e.g. {"operator": "at_least", "value": 4294967296, "unit": "B", "number_from": ...}.
        evidence: facts (id, name, value, unit, time, sources) and, for aggregates, the members' verdicts.
    """

    __tablename__ = "verdict"
    __table_args__ = (Index("ix_verdict_subject", "subject_id", "rule_id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[int]
    unit_id: Mapped[str] = mapped_column(index=True)
    subject_kind: Mapped[str]
    subject_id: Mapped[str]
    rule_id: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str]
    measured: Mapped[dict[str, Any]]
    required: Mapped[dict[str, Any]]
    evidence: Mapped[list[Any]]
    rule_hash: Mapped[str]
    pack_id: Mapped[str]
    pack_hash: Mapped[str]
    evaluated_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(default=utc_now)


class CurrentRun(Base):
    """Which run row of a unit is the newest, and when the engine last came to the same verdicts as that run.

    An evaluation that changes nothing in a unit moves `confirmed_at` and seldom writes a run row (ADR 7).

    Attributes:
        valid_for_s: seconds after `confirmed_at` in which the present verdicts stand; later they are unknown.
    """

    __tablename__ = "current_run"

    unit_id: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[int]
    confirmed_at: Mapped[datetime]
    valid_for_s: Mapped[float]


class CurrentVerdict(Base):
    """Which verdict row holds now for a subject and rule; the pointers of a unit stand together."""

    __tablename__ = "current_verdict"
    __table_args__ = (
        PrimaryKeyConstraint("unit_id", "subject_kind", "subject_id", "rule_id"),
        {"sqlite_with_rowid": False},
    )

    subject_kind: Mapped[str]
    subject_id: Mapped[str]
    rule_id: Mapped[str]
    unit_id: Mapped[str]
    verdict_id: Mapped[int]


class Parameter(Base):
    """A value that an organisation unit sets for a parameter of a pack: who, when, why. Append-only; newest wins.

    Attributes:
        valid_from: since when it holds; None = since it was recorded. Rows from before there was this column have none
            and get none: their links in the chain were made without it.
        source: document and place that the figure was taken from; None = the unit's own figure.
    """

    __tablename__ = "parameter"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    unit_id: Mapped[str] = mapped_column(index=True)
    pack_id: Mapped[str]
    name: Mapped[str]
    value: Mapped[float]
    set_by: Mapped[str]
    reason: Mapped[str]
    source: Mapped[str | None]
    recorded_at: Mapped[datetime] = mapped_column(default=utc_now)
    valid_from: Mapped[datetime | None]

    @property
    def begins_at(self) -> datetime:
        """Since when it holds."""
        return self.valid_from or self.recorded_at

    @classmethod
    def began(cls) -> ColumnElement[datetime]:
        """Give since when a row holds, for conditions."""
        return func.coalesce(cls.valid_from, cls.recorded_at)
