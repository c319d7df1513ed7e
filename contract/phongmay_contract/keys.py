"""What both sides derive from a device's 256-bit secret, so that the secret itself never travels after enrolment."""

from __future__ import annotations

import hashlib
import hmac
import secrets


def new_secret() -> str:
    """Make a device secret: 64 hexadecimal digits."""
    return secrets.token_hex(32)


def mqtt_password(secret: str) -> str:
    """Derive the password that the device shows the broker."""
    return _derive(secret, b"phongmay mqtt password v1")


def command_key(secret: str) -> bytes:
    """Derive the key with which commands to this device are signed."""
    return bytes.fromhex(_derive(secret, b"phongmay command key v1"))


def _derive(secret: str, purpose: bytes) -> str:
    return hmac.new(bytes.fromhex(secret), purpose, hashlib.sha256).hexdigest()
