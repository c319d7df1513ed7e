"""Seals secrets that the register must give back: command keys of devices, keys of bandwidth servers.

A key file outside the register goes in; sealed texts come out and go back. Whoever reads the register alone reads
nothing of them. A key file that is missing, open to others or not the one that sealed raises SealError.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from phongmay_contract.errors import OperatorError


class SealError(OperatorError):
    """The key file of the register cannot be used."""


class Seal:
    """Seals and opens with the key of one file."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path, self._fernet = path, Fernet(key)

    @classmethod
    def open(cls, path: Path) -> Seal:
        """Read the key file, and make it (mode 0600) where there is none.

        Raises:
            SealError: it cannot be read or made, is open to others, or holds no key.
        """
        try:
            if not path.exists():
                _make(path)
            if os.name == "posix" and path.stat().st_mode & 0o077:
                raise SealError(f"{path}: others may read this key; run 'chmod 600 {path}'")
            return cls(path, path.read_bytes().strip())
        except OSError as error:
            raise SealError(
                f"{path}: the key that seals secrets cannot be read or made ({error}); see store.seal_file"
            ) from error
        except ValueError as error:
            raise SealError(f"{path}: is not a key; put the right file back (store.seal_file)") from error

    def seal(self, secret: bytes) -> str:
        """Seal a secret."""
        return self._fernet.encrypt(secret).decode()

    def open_sealed(self, sealed: str) -> bytes:
        """Give a secret back.

        Raises:
            SealError: another key sealed it, or it was changed.
        """
        try:
            return self._fernet.decrypt(sealed.encode())
        except InvalidToken:
            raise SealError(
                f"{self._path}: is not the key that sealed this secret; put the right file back (store.seal_file)"
            ) from None


def _make(path: Path) -> None:
    """Make the key file whole or not at all: two processes may start at once, and the first one's key holds."""
    own = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(Fernet.generate_key())
    try:
        os.link(own, path)
    except FileExistsError:
        pass
    finally:
        own.unlink()
