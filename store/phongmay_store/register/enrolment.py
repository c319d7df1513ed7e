"""Tokens in, device identities out: how a machine becomes a device of a school.

A token is expiring and counted and belongs to one school (and perhaps room). Enrolling gives a device id and a secret
exactly once; the register keeps only the broker's hash line and, sealed, the command key. Refusals raise EnrolmentError
with a fixed code.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from phongmay_contract import keys
from phongmay_store.register.base import new_id, utc_now
from phongmay_store.register.device import Credential, Device, DeviceKind, EnrolmentToken
from phongmay_store.register.sealing import Seal

_ITERATIONS = 101  # Mosquitto's own default; the password is 256 bits of chance and needs no stretching


class EnrolmentError(Exception):
    """Enrolment refused; `code` is one of bad_token, expired_token, used_token, unknown_code, already_enrolled."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Identity:
    """What an enrolled device gets, once."""

    device_id: str
    secret: str


def make_token(
    session: Session,
    school_id: str,
    *,
    room_id: str | None = None,
    uses: int = 50,
    valid: timedelta = timedelta(days=7),
) -> str:
    """Make an enrolment token and give its text, which is stored nowhere."""
    token = "pm-" + secrets.token_urlsafe(18)
    session.add(
        EnrolmentToken(
            token_hash=token_hash(token),
            school_id=school_id,
            room_id=room_id,
            uses_left=uses,
            expires_at=utc_now() + valid,
        )
    )
    return token


def token_hash(token: str) -> str:
    """Hash a token or key of high entropy for storage and look-up."""
    return hashlib.sha256(token.encode()).hexdigest()


def enrol(session: Session, token: str, *, fingerprint: str = "", code: str = "", seal: Seal | None = None) -> Identity:
    """Turn a token into an identity.

    Args:
        session: the caller commits.
        token: text of the enrolment token.
        fingerprint: salted hardware hash of the machine, "" if it could not be made.
        code: inventory code of a device that the register has already (import); "" makes a new PC.
        seal: seals the device's command key; without one the device can be given no commands.

    Raises:
        EnrolmentError: the token does not serve, or the code is unknown or already has an agent.
    """
    row = session.get(EnrolmentToken, token_hash(token), with_for_update=True)
    if row is None:
        raise EnrolmentError("bad_token", "this enrolment token is not known; ask the district for a new one")
    if row.expires_at <= utc_now():
        raise EnrolmentError("expired_token", f"this enrolment token ended on {row.expires_at:%Y-%m-%d %H:%M} UTC")
    taken = session.execute(  # counted by the database: a whole room may enrol in the same second
        update(EnrolmentToken)
        .where(EnrolmentToken.token_hash == row.token_hash, EnrolmentToken.uses_left > 0)
        .values(uses_left=EnrolmentToken.uses_left - 1)
        .returning(EnrolmentToken.uses_left)
    ).first()
    if taken is None:
        raise EnrolmentError("used_token", "this enrolment token has been used as often as it may be")
    device = _place(session, row, code)
    secret = keys.new_secret()
    session.merge(
        Credential(
            device_id=device,
            broker_hash=broker_hash(keys.mqtt_password(secret)),
            fingerprint=fingerprint,
            command_key=seal.seal(keys.command_key(secret)) if seal else "",
            created_at=utc_now(),
            revoked_at=None,  # said aloud: merge would keep the old one's
        )
    )
    return Identity(device, secret)


def _place(session: Session, token: EnrolmentToken, code: str) -> str:
    if code:
        device = session.scalar(Device.at().where(Device.school_id == token.school_id, Device.code == code))
        if device is None:
            raise EnrolmentError("unknown_code", f"the school has no device with inventory code {code!r}")
        if session.scalar(select(Credential).where(Credential.device_id == device.id, Credential.revoked_at.is_(None))):
            raise EnrolmentError(
                "already_enrolled", f"device {code!r} has an identity; a technician must revoke it first"
            )
        if device.agent_since is None:
            device.revise(session, {"agent_since": utc_now()})
        return device.id
    device_id = new_id("pc")
    session.add(
        Device(
            id=device_id,
            valid_from=utc_now(),
            school_id=token.school_id,
            room_id=token.room_id,
            code=device_id,
            kind=DeviceKind.PC.value,
            agent_since=utc_now(),
        )
    )
    return device_id


def broker_hash(password: str, salt: bytes | None = None) -> str:
    """Make the hash that stands in Mosquitto's password file: $7$iterations$salt$PBKDF2-SHA512."""
    salt = salt or secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def broker_hash_matches(password: str, stored: str) -> bool:
    """Check a password against a line that `broker_hash` made (for the embedded broker)."""
    try:
        _, scheme, iterations, salt, digest = stored.split("$")
        again = hashlib.pbkdf2_hmac("sha512", password.encode(), base64.b64decode(salt), int(iterations))
        return scheme == "7" and secrets.compare_digest(again, base64.b64decode(digest))
    except ValueError:
        return False
