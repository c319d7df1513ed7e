"""Signs heads of chains with a key that lies outside the register, and keeps them as lines of a file.

An inspector needs the file and the public key only. A key or heads file that is missing, unreadable or of another kind
raises ChainError naming it; a line whose signature does not hold is given back as such, never dropped.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from sqlalchemy.orm import Session

from phongmay_contract.errors import OperatorError
from phongmay_rules.chain.links import Head, heads
from phongmay_rules.chain.verifying import units_with_chain
from phongmay_store.register.base import utc_now

_PURPOSE = b"phongmay head v1\n"


class ChainError(OperatorError):
    """Key, heads file or unit that cannot be used."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """One line of a heads file.

    Attributes:
        at: when it was signed.
        key: first 16 hexadecimal digits of the SHA-256 of the public key.
        signature: Ed25519 over everything else.
    """

    head: Head
    at: datetime
    key: str
    signature: bytes

    def line(self) -> str:
        """Give the line of the file."""
        fields = _fields(self.head, self.at, self.key)
        return json.dumps(fields | {"signature": base64.b64encode(self.signature).decode()}, ensure_ascii=False)

    def holds(self, key: Ed25519PublicKey) -> bool:
        """Tell whether this key signed it, and nothing in it was changed."""
        try:
            key.verify(self.signature, _signed_bytes(self.head, self.at, self.key))
        except InvalidSignature:
            return False
        return True


def make_key(path: Path) -> Path:
    """Make a signing key: `path` (mode 0600) and its public half beside it (`.pub`).

    Returns:
        The file of the public half.

    Raises:
        ChainError: there is one already, or the file cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = path.with_name(path.name + ".pub")
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(private)
        public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    except FileExistsError:
        raise ChainError(f"{path}: there is a key already; older heads hold only by it: move it away first") from None
    except OSError as error:
        raise ChainError(f"{path}: the key cannot be written ({error}); see rules.key_file") from error
    return public


def read_key(path: Path) -> Ed25519PrivateKey:
    """Read the signing key.

    Raises:
        ChainError: it is missing, readable by others, or not an Ed25519 key.
    """
    try:
        mode = path.stat().st_mode & 0o077
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise ChainError(f"{path}: no such key; make one with 'phongmay verdicts key' (rules.key_file)") from None
    except (OSError, ValueError, TypeError) as error:
        raise ChainError(f"{path}: cannot be read as a key ({error})") from error
    if mode and os.name == "posix":
        raise ChainError(f"{path}: others may read or write this key; run 'chmod 600 {path}'")
    if not isinstance(key, Ed25519PrivateKey):
        raise ChainError(f"{path}: is not an Ed25519 key; make one with 'phongmay verdicts key'")
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key.

    Raises:
        ChainError: it is missing or not an Ed25519 key.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ChainError(f"{path}: cannot be read as a public key ({error})") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ChainError(f"{path}: is not an Ed25519 public key")
    return key


def sign(ends: Iterable[Head], key: Ed25519PrivateKey, at: datetime) -> list[SignedHead]:
    """Sign heads of chains that have a link."""
    name = _key_name(key.public_key())
    return [
        SignedHead(head, at, name, key.sign(_signed_bytes(head, at, name))) for head in ends if head.sequence > 0
    ]  # fmt: skip


def sign_all(session: Session, key: Ed25519PrivateKey) -> list[SignedHead]:
    """Sign the present head of every chain."""
    return sign(heads(session, units_with_chain(session)).values(), key, utc_now())


def add_lines(path: Path, signed: Iterable[SignedHead]) -> None:
    """Append signed heads to a file and see them safely on disk.

    Raises:
        ChainError: the file cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.writelines(head.line() + "\n" for head in signed)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ChainError(f"{path}: signed heads cannot be written ({error}); see rules.heads_file") from error


def read_lines(path: Path) -> Iterator[SignedHead]:
    """Give the heads of a file; whether their signatures hold is for the caller to ask.

    Raises:
        ChainError: the file cannot be read, or a line is no signed head.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ChainError(f"{path}: signed heads cannot be read ({error})") from error
    for number, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
            yield SignedHead(
                Head(str(fields["unit"]), int(fields["sequence"]), bytes.fromhex(fields["hash"])),
                datetime.fromisoformat(fields["at"]).astimezone(UTC),
                str(fields["key"]),
                base64.b64decode(fields["signature"], validate=True),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ChainError(f"{path}: line {number} is not a signed head ({type(error).__name__}: {error})") from error


def _fields(head: Head, at: datetime, key: str) -> dict[str, str | int]:
    return {
        "unit": head.unit_id, "sequence": head.sequence, "hash": head.hash.hex(),
        "at": at.astimezone(UTC).isoformat(), "key": key,
    }  # fmt: skip


def _signed_bytes(head: Head, at: datetime, key: str) -> bytes:
    text = json.dumps(_fields(head, at, key), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return _PURPOSE + text.encode()


def _key_name(key: Ed25519PublicKey) -> str:
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]
