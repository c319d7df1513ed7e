"""Common ground of the register's tables: aware UTC times, ids, and rows that are revised instead of overwritten."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import (
    JSON,
    BigInteger,
    BindParameter,
    ColumnElement,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    Select,
    and_,
    or_,
    select,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator

_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"  # no i, l, o, u, 0, 1: ids are read out on the telephone
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def new_id(prefix: str) -> str:
    """Make a stable id such as 'pc-k7m2q9xw3b' (49 bits of chance); valid as a device id of the contract."""
    return prefix + "-" + "".join(secrets.choice(_ALPHABET) for _ in range(10))


def utc_now() -> datetime:
    """Give the present as an aware UTC time."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite would drop the zone, so it is stored naive and given back aware."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times, store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive time {value!r}: the register takes aware times only")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back an aware UTC time."""
        return None if value is None else value.replace(tzinfo=UTC)


WHOLE = BigInteger().with_variant(Integer(), "sqlite")
"""Whole numbers have 64 bits: PostgreSQL's INTEGER ends at 2.1 Gbit/s and at 2 billion rows. SQLite's has them, and
numbers the rows of a table itself only under this name."""


When = datetime | BindParameter[datetime]
"""An instant, or the parameter of a statement that is kept and asked with another instant each time (see `asking`)."""


class Base(DeclarativeBase):
    """Base of all tables; names of constraints are fixed so that migrations can name them."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {  # noqa: RUF012 SQLAlchemy's API
        datetime: UtcDateTime,
        int: WHOLE,
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }


class Versioned(Base):
    """A thing whose properties change: one row a version, `id` is the thing, `row_id` the version.

    Attributes:
        valid_from: since when it is so in the world.
        valid_to: until when (exclusive); None = still.
        recorded_at: since when the register knows.
        superseded_at: since when the register knows better; None = this row is the present knowledge.
    """

    __abstract__ = True

    row_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(index=True)
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]
    recorded_at: Mapped[datetime] = mapped_column(default=utc_now)
    superseded_at: Mapped[datetime | None] = mapped_column(index=True)

    @classmethod
    def at(cls, valid_at: datetime | None = None, known_at: datetime | None = None) -> Select[Self]:
        """Select the versions that hold at `valid_at` (default: now) as known at `known_at` (default: now)."""
        return select(cls).where(cls.holds(valid_at, known_at))

    @classmethod
    def holds(cls, valid_at: When | None = None, known_at: When | None = None) -> ColumnElement[bool]:
        """Give the condition that `at` uses, for joins."""
        when = utc_now() if valid_at is None else valid_at
        return and_(cls.known(known_at), cls.valid_from <= when, or_(cls.valid_to.is_(None), cls.valid_to > when))

    @classmethod
    def known(cls, known_at: When | None = None) -> ColumnElement[bool]:
        """Give the condition that a version was the register's knowledge at `known_at` (default: now)."""
        if known_at is None:
            return cls.superseded_at.is_(None)
        return and_(cls.recorded_at <= known_at, or_(cls.superseded_at.is_(None), cls.superseded_at > known_at))

    def properties(self) -> dict[str, Any]:
        """Give the columns that say something about the thing (not the version's own bookkeeping)."""
        own = {"row_id", "id", "valid_from", "valid_to", "recorded_at", "superseded_at"}
        names: Sequence[str] = self.__table__.columns.keys()
        return {name: getattr(self, name) for name in names if name not in own}

    def revise(self, session: Session, changes: dict[str, Any], *, since: datetime | None = None) -> Self | None:
        """Record that the thing is different since `since` (default: now); None when nothing differs.

        Every version that holds between `since` and this row's end gets the changes: it is superseded and recorded
        again, split at `since` if it began before. So both "what did we believe then" and "how was it then" stay
        answerable, and no instant ever has two versions. When the thing was known only later than `since`, it is
        now taken to have existed since then.

        Returns:
            The row that takes this row's place.
        """
        before = self.properties()
        if all(before[key] == value for key, value in changes.items()):
            return None
        kind = type(self)
        _take(session, kind, self.id)
        now = utc_now()  # not before: who waited for another revision knows later than that one
        start = since or now
        overlaps = [
            kind.id == self.id,
            kind.superseded_at.is_(None),
            or_(kind.valid_to.is_(None), kind.valid_to > start),
        ]
        if self.valid_to is not None:
            overlaps.append(kind.valid_from < self.valid_to)
        fresh = self
        for number, row in enumerate(session.scalars(select(kind).where(*overlaps).order_by(kind.valid_from)).all()):
            old = row.properties()
            begin = start if number == 0 else row.valid_from
            row.superseded_at = now
            if row.valid_from < begin:
                session.add(kind(id=row.id, valid_from=row.valid_from, valid_to=begin, recorded_at=now, **old))
            new = kind(id=row.id, valid_from=begin, valid_to=row.valid_to, recorded_at=now, **{**old, **changes})
            session.add(new)
            if row is self:
                fresh = new
        return fresh


def _take(session: Session, kind: type[Versioned], thing: str) -> None:
    """Wait for others who revise the same thing, and let nobody begin until this transaction ends.

    Two that superseded the same row would leave two versions of one instant behind.
    """
    present = (kind.id == thing, kind.superseded_at.is_(None))
    if session.get_bind().dialect.name == "sqlite":
        session.execute(
            update(kind).where(*present).values(id=kind.id), execution_options={"synchronize_session": False}
        )
        return
    held: set[int] | None = None
    while True:  # who waited for another sees that one's new rows only when looking again
        rows = set(session.scalars(select(kind.row_id).where(*present).with_for_update()))
        if rows == held:
            return
        held = rows
