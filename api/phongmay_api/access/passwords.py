"""Passwords as scrypt hashes; the cost stands in the hash, so it can be raised without breaking old ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_COST, _BLOCK, _PARALLEL = 2**15, 8, 3  # OWASP Password Storage Cheat Sheet: N=2^15, r=8, p=3; 32 MiB
MIN_LENGTH = 10


def hash_password(password: str) -> str:
    """Hash a password for the register: scrypt$N$r$p$salt$digest."""
    salt = secrets.token_bytes(16)
    digest = _digest(password, salt, _COST, _BLOCK, _PARALLEL)
    return f"scrypt${_COST}${_BLOCK}${_PARALLEL}${_text(salt)}${_text(digest)}"


def password_matches(password: str, stored: str | None) -> bool:
    """Check a password in constant time; without a stored hash (no such login) as much work is done, in vain."""
    name, cost, block, parallel, salt, digest = (stored or _NOBODY).split("$")
    again = _digest(password, base64.b64decode(salt), int(cost), int(block), int(parallel))
    return hmac.compare_digest(again, base64.b64decode(digest)) and name == "scrypt" and stored is not None


def _digest(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=256 * cost * block, dklen=32
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


_NOBODY = f"scrypt${_COST}${_BLOCK}${_PARALLEL}${_text(bytes(16))}${_text(bytes(32))}"
