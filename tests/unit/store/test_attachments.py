"""The folder of papers and photographs: by hash, once, whole; what is wrong with it is one sentence."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from phongmay_store.attachments import AttachmentFolder
from phongmay_store.cleaning import FileRefused
from phongmay_store.errors import StoreError

PDF = b"%PDF-1.4\nhop dong\n%%EOF\n"


def test_a_file_comes_back_by_its_hash_and_is_kept_once(tmp_path: Path) -> None:
    """The hash is that of the kept bytes; twice the same file is one file and leaves nothing beside it."""
    folder = AttachmentFolder(tmp_path, 1000)
    file = folder.check(PDF)
    folder.put(file)
    folder.put(file)
    assert file.sha256 == hashlib.sha256(PDF).hexdigest()
    assert folder.get(file.sha256) == PDF
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [file.sha256]


def test_too_large_is_refused(tmp_path: Path) -> None:
    """The cap is the setting's, at the limit still taken."""
    assert AttachmentFolder(tmp_path, len(PDF)).check(PDF)
    with pytest.raises(FileRefused, match="at most"):
        AttachmentFolder(tmp_path, len(PDF) - 1).check(PDF)


def test_a_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    """The sentence names the key and what to do; nothing is made in silence where a disk was not mounted."""
    folder = AttachmentFolder(tmp_path / "absent", 1000)
    file = folder.check(PDF)
    for act in (lambda: folder.put(file), lambda: folder.get(file.sha256)):
        with pytest.raises(StoreError, match=r"store\.attachments_path .*absent is no directory; create it"):
            act()
    assert not (tmp_path / "absent").exists()


def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a file never stays and never stands under a hash."""

    def full(_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = AttachmentFolder(tmp_path, 1000)
    file = folder.check(PDF)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"No space left on device.*make room on the disk"):
        folder.put(file)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_lost_or_changed_file_is_a_sentence(tmp_path: Path) -> None:
    """Evidence that was changed on disk is never given out as what was handed in."""
    folder = AttachmentFolder(tmp_path, 1000)
    file = folder.check(PDF)
    folder.put(file)
    path = tmp_path / file.sha256[:2] / file.sha256
    path.write_bytes(PDF.replace(b"hop", b"HOP"))
    with pytest.raises(StoreError, match="was changed"):
        folder.get(file.sha256)
    path.unlink()
    with pytest.raises(StoreError, match="is not there"):
        folder.get(file.sha256)


def test_a_hash_is_no_path(tmp_path: Path) -> None:
    """Nothing but 64 hexadecimal digits ever becomes a file name."""
    with pytest.raises(ValueError, match="no SHA-256"):
        AttachmentFolder(tmp_path, 1000).get("../../etc/passwd")
