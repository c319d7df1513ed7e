"""Papers and photographs in a folder, each under the SHA-256 of what is kept.

In: the bytes that somebody handed in. Out: hash, type, size; and the bytes again by their hash. A file is written
beside its place and moved there, so nobody ever reads half of one; the same file twice is one file. A folder that is
missing, not writable or full is a StoreError that says which and what to do.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from phongmay_store.cleaning import FileRefused, MediaType, clean
from phongmay_store.errors import StoreError

MIB = 1024**2
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A file that may be kept: without what it told about place and person."""

    sha256: str
    media_type: MediaType
    payload: bytes


@dataclass(frozen=True, slots=True)
class AttachmentFolder:
    """The folder.

    Attributes:
        path: existing directory, writable for this program.
        max_bytes: size of what may be handed in.
    """

    path: Path
    max_bytes: int

    def check(self, payload: bytes) -> Cleaned:
        """Tell whether a file may be kept, and as what; writes nothing.

        Raises:
            FileRefused: it is too large, none of the types that are taken, or damaged.
        """
        if len(payload) > self.max_bytes:
            raise FileRefused(
                "large", f"the file has {len(payload) / MIB:.1f} MiB; at most {self.max_bytes // MIB} are taken"
            )
        media_type, kept = clean(payload)
        return Cleaned(hashlib.sha256(kept).hexdigest(), media_type, kept)

    def put(self, file: Cleaned) -> None:
        """Keep a file.

        Raises:
            StoreError: the folder is missing, not writable, or the disk is full.
        """
        place = self._place(file.sha256)
        if place.exists():
            return
        self._require_folder()
        unfinished = place.with_name(f".{secrets.token_hex(8)}.part")
        try:
            place.parent.mkdir(mode=0o750, exist_ok=True)
            with unfinished.open("xb") as out:
                out.write(file.payload)
                out.flush()
                os.fsync(out.fileno())
            unfinished.replace(place)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise self._failed(error, "written") from error

    def get(self, sha256: str) -> bytes:
        """Give a file.

        Raises:
            StoreError: it is not there any more, cannot be read, or is not what was kept.
        """
        try:
            payload = self._place(sha256).read_bytes()
        except FileNotFoundError:
            self._require_folder()
            raise StoreError(
                f"store.attachments_path {self.path}: the file {sha256} is not there; bring it back from the backup"
            ) from None
        except OSError as error:
            raise self._failed(error, "read") from error
        if hashlib.sha256(payload).hexdigest() != sha256:
            raise StoreError(
                f"store.attachments_path {self.path}: the file {sha256} was changed; bring it back from the backup"
            )
        return payload

    def _place(self, sha256: str) -> Path:
        if not _HASH.fullmatch(sha256):
            raise ValueError(f"{sha256!r} is no SHA-256")
        return self.path / sha256[:2] / sha256

    def _require_folder(self) -> None:
        if not self.path.is_dir():
            raise StoreError(
                f"store.attachments_path {self.path} is no directory; create it, writable for the user of the API, "
                "or set another"
            )

    def _failed(self, error: OSError, verb: str) -> StoreError:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "make room on the disk" if full else "give the user of the API the right to it"
        return StoreError(
            f"store.attachments_path {self.path}: a file could not be {verb} ({error.strerror}); {remedy}"
        )
