"""Who may do what where: accounts, grants of a role on an organisation unit, API keys and browser sessions.

Passwords, keys and session tokens are stored as hashes only.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from phongmay_store.register.base import Base, utc_now


class Role(StrEnum):
    """What a principal may do on a unit and everything below it."""

    ADMIN = "admin"
    """Everything, accounts and keys included."""
    OFFICER = "officer"
    """Reads everything, manages register data and enrolment tokens."""
    TECHNICIAN = "technician"
    """Reads everything, makes enrolment tokens, declares facts of schools."""
    VIEWER = "viewer"
    """Reads verdicts and summaries (principal, inspector)."""


class Account(Base):
    """A local sign-in. No name, no address: the login is chosen by the organisation."""

    __tablename__ = "account"

    id: Mapped[str] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Grant(Base):
    """A role of an account on a unit's subtree."""

    __tablename__ = "account_grant"
    __table_args__ = (UniqueConstraint("account_id", "unit_id"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    account_id: Mapped[str] = mapped_column(index=True)
    unit_id: Mapped[str]
    role: Mapped[str]


class ApiKey(Base):
    """A key for programs: one role on one unit's subtree, expiring, revocable."""

    __tablename__ = "api_key"

    id: Mapped[str] = mapped_column(primary_key=True)
    key_hash: Mapped[str] = mapped_column(unique=True)
    label: Mapped[str]
    unit_id: Mapped[str]
    role: Mapped[str]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class BrowserSession(Base):
    """A signed-in browser."""

    __tablename__ = "browser_session"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(index=True)
    form_token: Mapped[str]
    expires_at: Mapped[datetime]
