"""Keeps the packs that judged: a loaded pack goes in, the pack of an old verdict comes out by its hash.

A pack that was never archived, or whose archived content was changed, raises PackError naming its hash.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_rules.errors import PackError
from phongmay_rules.loader import restore_pack
from phongmay_rules.model import Pack
from phongmay_store.register.chain import ArchivedPack


def keep(session: Session, pack: Pack) -> None:
    """Archive a pack unless it is there; the caller commits."""
    known = session.scalar(select(ArchivedPack.pack_hash).where(ArchivedPack.pack_hash == pack.hash))
    if known is None:
        session.add(
            ArchivedPack(pack_hash=pack.hash, pack_id=pack.id, version=pack.standard.version, content=pack.content)
        )


def is_sound(archived: ArchivedPack) -> bool:
    """Tell whether the archived content still has the hash that verdicts name."""
    return hashlib.sha256(archived.content.encode()).hexdigest() == archived.pack_hash


def pack_by_hash(session: Session, pack_hash: str) -> Pack:
    """Give the pack that judged.

    Raises:
        PackError: it is not in the archive, was changed there, or this program does not understand it.
    """
    archived = session.get(ArchivedPack, pack_hash)
    if archived is None:
        raise PackError(f"pack {pack_hash[:12]} is not in the archive; it judged before packs were archived")
    if not is_sound(archived):
        raise PackError(f"pack {pack_hash[:12]}: its archived content was changed; restore it from a backup")
    return _restored(archived.content)


@lru_cache(maxsize=8)
def _restored(content: str) -> Pack:
    """Read a pack once: whoever replays months asks for the same few again and again."""
    return restore_pack(content)
