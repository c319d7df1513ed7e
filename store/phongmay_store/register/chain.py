"""The hash chain of each unit over its runs, verdicts and decisions, and the packs that judged. Append-only."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from phongmay_store.register.base import Base, utc_now


class LinkKind(StrEnum):
    """Which table the row of a link stands in."""

    RUN = "run"
    VERDICT = "verdict"
    WAIVER = "waiver"
    ATTESTATION = "attestation"
    DISPUTE = "dispute"
    PARAMETER = "parameter"
    CAMPAIGN = "campaign"
    """A bandwidth test, by the digest of all its rows."""


class ChainLink(Base):
    """One link: the key (unit, sequence) keeps a chain from forking, whoever writes.

    Attributes:
        sequence: 1, 2, 3 ... in the unit's chain.
        row_id: key of the row in the table of `kind`.
        hash: SHA-256 over the hash of the link before and the canonical bytes of the whole row.
    """

    __tablename__ = "chain_link"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 SQLAlchemy's API

    unit_id: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    row_id: Mapped[int]
    hash: Mapped[bytes]


class ArchivedPack(Base):
    """A pack that judged, kept so that an old verdict's rule can always be shown and judged again.

    Attributes:
        pack_hash: SHA-256 of `content`, as runs and verdicts name it.
        content: canonical JSON of the pack's files: file -> its tables.
    """

    __tablename__ = "archived_pack"

    pack_hash: Mapped[str] = mapped_column(primary_key=True)
    pack_id: Mapped[str]
    version: Mapped[str]
    content: Mapped[str]
    archived_at: Mapped[datetime] = mapped_column(default=utc_now)
