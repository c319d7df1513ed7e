"""Makes and ends accounts, grants, API keys and browser sessions. The caller commits.

Texts of keys and session tokens are given out once and stored as hashes. What a person can mend is an AccessError.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from phongmay_api.access.passwords import MIN_LENGTH, hash_password, password_matches
from phongmay_contract.errors import OperatorError
from phongmay_store.register.access import Account, ApiKey, BrowserSession, Grant, Role
from phongmay_store.register.base import new_id, utc_now
from phongmay_store.register.enrolment import token_hash
from phongmay_store.register.organisation import Unit

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")
KEY_PREFIX = "pmk-"
"""Makes a leaked key easy to recognise in a text."""


class AccessError(OperatorError):
    """An account or key cannot be made or found; the text says what to change."""


def add_account(session: Session, login: str, password: str, unit_id: str, role: Role) -> str:
    """Make a local sign-in with a role on a unit's subtree.

    Returns:
        The account's id.

    Raises:
        AccessError: login or password is unfit, the unit does not exist, or the login is taken.
    """
    if not _LOGIN.fullmatch(login):
        raise AccessError(f"login {login!r} must be 2 to 40 of a-z, 0-9, '.', '_', '-'; no names of persons")
    if len(password) < MIN_LENGTH:
        raise AccessError(f"the password has {len(password)} characters; at least {MIN_LENGTH} are needed")
    _require_unit(session, unit_id)
    if session.scalar(select(Account.id).where(Account.login == login)):
        raise AccessError(f"login {login!r} exists already; choose another one")
    account = Account(id=new_id("user"), login=login, password_hash=hash_password(password))
    session.add(account)
    session.add(Grant(account_id=account.id, unit_id=unit_id, role=role.value))
    return account.id


def disable_account(session: Session, login: str) -> None:
    """End an account and its sessions.

    Raises:
        AccessError: there is no such login.
    """
    account = session.scalar(select(Account).where(Account.login == login))
    if account is None:
        raise AccessError(f"there is no login {login!r}; 'phongmay access list' shows all")
    account.disabled_at = account.disabled_at or utc_now()
    session.execute(delete(BrowserSession).where(BrowserSession.account_id == account.id))


def add_key(
    session: Session, label: str, unit_id: str, role: Role, valid: timedelta | None = timedelta(days=365)
) -> tuple[str, str]:
    """Make an API key with a role on a unit's subtree.

    Returns:
        The key's id (to revoke it) and its text, which is stored nowhere.

    Raises:
        AccessError: the unit does not exist.
    """
    _require_unit(session, unit_id)
    text = KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        id=new_id("key"),
        key_hash=token_hash(text),
        label=label,
        unit_id=unit_id,
        role=role.value,
        expires_at=None if valid is None else utc_now() + valid,
    )
    session.add(key)
    return key.id, text


def revoke_key(session: Session, key_id: str) -> None:
    """End an API key at once.

    Raises:
        AccessError: there is no such key.
    """
    key = session.get(ApiKey, key_id)
    if key is None:
        raise AccessError(f"there is no API key {key_id!r}; 'phongmay access list' shows all")
    key.revoked_at = key.revoked_at or utc_now()


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new browser session: the cookie's token, given out once."""

    token: str
    login: str


def sign_in(session: Session, login: str, password: str, valid: timedelta) -> SignedIn | None:
    """Check login and password and open a browser session; None when they are wrong (never saying which)."""
    account = session.scalar(select(Account).where(Account.login == login.strip().lower()))
    right = password_matches(password, account.password_hash if account else None)
    if account is None or not right or account.disabled_at is not None:
        return None
    token = secrets.token_urlsafe(32)
    session.execute(delete(BrowserSession).where(BrowserSession.expires_at <= utc_now()))
    session.add(
        BrowserSession(
            token_hash=token_hash(token),
            account_id=account.id,
            form_token=secrets.token_urlsafe(24),
            expires_at=utc_now() + valid,
        )
    )
    return SignedIn(token, account.login)


def sign_out(session: Session, token: str) -> None:
    """End a browser session."""
    session.execute(delete(BrowserSession).where(BrowserSession.token_hash == token_hash(token)))


def _require_unit(session: Session, unit_id: str) -> None:
    if session.scalar(Unit.at().where(Unit.id == unit_id)) is None:
        raise AccessError(f"there is no organisation unit {unit_id!r}; the API's /organisation-units lists their ids")
