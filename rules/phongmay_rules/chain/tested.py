"""Bandwidth tests in the chain: results that no link stands for go in, each becomes a digest that is a link.

A digest covers every column of the run as it was planned, of its result and of every participant. Results are written
by the coordinator, which knows no chain; the next evaluation links them. `changed` holds digests against the rows of
today. A column that a later version adds must be without a value in old rows, as for all links.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from phongmay_rules.chain.links import append_row, content_of
from phongmay_store.register.campaign import CampaignDigest, CampaignParticipant, CampaignResult, CampaignRun
from phongmay_store.register.chain import LinkKind

_TABLES: tuple[tuple[Table, str], ...] = tuple(
    (table, order)
    for model, order in ((CampaignRun, "run_id"), (CampaignResult, "run_id"), (CampaignParticipant, "device_id"))
    if isinstance(table := model.__table__, Table)
)
_canonical = msgspec.json.Encoder(order="sorted").encode
_BLOCK = 100


def link_results(session: Session, units: Collection[str] | None = None) -> int:
    """Make every result of a test that no link stands for a link of its school's chain; the caller commits.

    Args:
        session: the register.
        units: of these schools only; None = of all.

    Raises:
        IntegrityError: another writer lengthened a chain at the same time; nothing may be committed.
    """
    statement = (
        select(CampaignResult.run_id, CampaignResult.school_id)
        .outerjoin(CampaignDigest, CampaignDigest.run_id == CampaignResult.run_id)
        .where(CampaignDigest.number.is_(None))
        .order_by(CampaignResult.recorded_at, CampaignResult.run_id)
    )
    if units is not None:
        statement = statement.where(CampaignResult.school_id.in_(units))
    found = [(run_id, school) for run_id, school in session.execute(statement)]
    made = digests(session, [run_id for run_id, _ in found])
    for run_id, school in found:
        row = CampaignDigest(unit_id=school, run_id=run_id, digest=made[run_id])
        append_row(session, LinkKind.CAMPAIGN, school, row)
    return len(found)


def digests(session: Session, run_ids: Sequence[str]) -> dict[str, str]:
    """Give the digest of the rows of each run; one without a result has none."""
    out: dict[str, str] = {}
    for start in range(0, len(run_ids), _BLOCK):
        wanted = run_ids[start : start + _BLOCK]
        rows: dict[str, list[list[Any]]] = {run_id: [] for run_id in wanted}
        judged = set()
        for table, order in _TABLES:
            statement = select(table).where(table.c.run_id.in_(wanted)).order_by(table.c[order])
            for row in session.execute(statement).mappings():
                rows[row["run_id"]].append([str(table.name), content_of(table, dict(row))])
                if table.name == CampaignResult.__tablename__:
                    judged.add(row["run_id"])
        out |= {run_id: hashlib.sha256(_canonical(rows[run_id])).hexdigest() for run_id in wanted if run_id in judged}
    return out


def changed(session: Session, linked: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Hold digests that sound links stand for against the rows of today.

    Yields:
        The digest's row, and what happened to its test.
    """
    rows = list(linked)
    now = digests(session, [row["run_id"] for row in rows])
    for row in rows:
        digest = now.get(row["run_id"])
        if digest is None:
            yield row, "was removed"
        elif digest != row["digest"]:
            yield row, "was changed"
