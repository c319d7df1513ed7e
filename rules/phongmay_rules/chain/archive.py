"""Keeps the packs that judged: a loaded pack goes in, the pack of an old verdict comes out by its hash.

A pack that was never archived, or whose archived content was changed, raises PackError naming its hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_rules.errors import PackError
from phongmay_rules.loader import readable_files, restore_pack, shipped_packs
from phongmay_rules.merging import ASKED, canonical
from phongmay_rules.model import Pack
from phongmay_store.register.chain import ArchivedPack
from phongmay_store.register.compliance import EvaluationRun


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


def changed_files(session: Session, packs: Iterable[str | Path]) -> list[str]:
    """Name the files of packs that cannot be loaded in which they differ from the pack that judged last.

    Args:
        session: the register.
        packs: as the settings name them; those that they require are the shipped ones.
    """
    judged = (
        select(ArchivedPack)
        .join(EvaluationRun, EvaluationRun.pack_hash == ArchivedPack.pack_hash)
        .order_by(EvaluationRun.id.desc())
    )
    archived = session.scalars(judged.limit(1)).first()
    if archived is None or not is_sound(archived):
        return []
    before: dict[str, Any] = {name: table for name, table in json.loads(archived.content).items() if name != ASKED}
    now: dict[str, Any] = {}
    known = {name.partition("/")[0] for name in before}
    for pack in packs:
        owner, tables = readable_files(pack)
        now |= {f"{owner}/{file}": json.loads(canonical(table)) for file, table in tables.items()}
    for owner in known & set(shipped_packs()) - {name.partition("/")[0] for name in now}:
        tables = readable_files(owner)[1]
        now |= {f"{owner}/{file}": json.loads(canonical(table)) for file, table in tables.items()}
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


@lru_cache(maxsize=8)
def _restored(content: str) -> Pack:
    """Read a pack once: whoever replays months asks for the same few again and again."""
    return restore_pack(content)
