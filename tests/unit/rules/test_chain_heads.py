"""Signed heads: what is signed comes back and holds by the public key alone; anything changed does not."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phongmay_rules.chain.heads import ChainError, add_lines, make_key, read_key, read_lines, read_public_key, sign
from phongmay_rules.chain.links import Head

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
HEAD = Head("cs", 12, bytes(range(32)))


def test_signed_heads_come_back_from_the_file(tmp_path: Path) -> None:
    """What was signed and written is read again, and holds by the public key alone."""
    public = make_key(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    signed = sign([HEAD, Head("quan", 9, b"x" * 32), Head("empty", 0, b"")], read_key(tmp_path / "key"), AT)
    add_lines(tmp_path / "heads", signed[:1])
    add_lines(tmp_path / "heads", signed[1:])
    again = list(read_lines(tmp_path / "heads"))
    assert again == signed
    assert [head.head.unit_id for head in again] == ["cs", "quan"]
    assert all(head.holds(read_public_key(public)) for head in again)


@pytest.mark.parametrize("change", ["unit", "sequence", "hash", "at", "key", "signature", "other key"])
def test_a_changed_head_does_not_hold(change: str) -> None:
    """Every part of a signed head is signed, and only by this key."""
    key = Ed25519PrivateKey.generate()
    (signed,) = sign([HEAD], key, AT)
    other = {
        "unit": dataclasses.replace(signed, head=signed.head._replace(unit_id="th")),
        "sequence": dataclasses.replace(signed, head=signed.head._replace(sequence=1)),
        "hash": dataclasses.replace(signed, head=signed.head._replace(hash=b"y" * 32)),
        "at": dataclasses.replace(signed, at=AT + timedelta(microseconds=1)),
        "key": dataclasses.replace(signed, key="0" * 16),
        "signature": dataclasses.replace(signed, signature=signed.signature[:-1] + bytes([signed.signature[-1] ^ 1])),
        "other key": signed,
    }[change]
    public = (Ed25519PrivateKey.generate() if change == "other key" else key).public_key()
    assert signed.holds(key.public_key())
    assert not other.holds(public)


def test_wrong_keys_and_files_are_one_sentence(tmp_path: Path) -> None:
    """Missing, open to others, of another kind, already there: each is told with the file's name."""
    make_key(tmp_path / "key")
    with pytest.raises(ChainError, match="there is a key already"):
        make_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(ChainError, match="chmod 600"):
        read_key(tmp_path / "key")
    with pytest.raises(ChainError, match="verdicts key"):
        read_key(tmp_path / "none")
    (tmp_path / "text").write_text("no key\n")
    (tmp_path / "text").chmod(0o600)
    with pytest.raises(ChainError, match="cannot be read as a key"):
        read_key(tmp_path / "text")
    with pytest.raises(ChainError, match="line 1 is not a signed head"):
        list(read_lines(tmp_path / "text"))
