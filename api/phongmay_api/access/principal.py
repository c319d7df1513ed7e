"""Who asks: an account in a browser session (cookie) or a program with an API key (Authorization header).

A request with a key is judged by the key alone. Anything expired, revoked, disabled or unknown is nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_store.register.access import Account, ApiKey, BrowserSession, Grant, Role
from phongmay_store.register.base import utc_now
from phongmay_store.register.enrolment import token_hash

SESSION_COOKIE = "phongmay_session"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody with rights.

    Attributes:
        name: login of the account or label of the key.
        grants: role by organisation unit.
        form_token: what forms of this browser session must bring; None for a key, which needs none.
    """

    name: str
    grants: Mapping[str, Role]
    form_token: str | None = None

    @property
    def is_account(self) -> bool:
        """It is a person's account in a browser session, not a key."""
        return self.form_token is not None


def identify(session: Session, request: Request) -> Principal | None:
    """Give the principal of a request, None when it is nobody's."""
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, text = header.partition(" ")
        return _by_key(session, text.strip()) if scheme.lower() == "bearer" else None
    token = request.cookies.get(SESSION_COOKIE)
    return _by_session(session, token) if token else None


def _by_key(session: Session, text: str) -> Principal | None:
    # Keys are 256 bits of chance and looked up by their hash: what the comparison's time tells is of no use.
    key = session.scalar(select(ApiKey).where(ApiKey.key_hash == token_hash(text)))
    if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= utc_now()):
        return None
    return Principal(key.label, {key.unit_id: Role(key.role)})


def _by_session(session: Session, token: str) -> Principal | None:
    row = session.get(BrowserSession, token_hash(token))
    if row is None or row.expires_at <= utc_now():
        return None
    account = session.get(Account, row.account_id)
    if account is None or account.disabled_at is not None:
        return None
    grants = session.scalars(select(Grant).where(Grant.account_id == account.id))
    return Principal(account.login, {grant.unit_id: Role(grant.role) for grant in grants}, row.form_token)
