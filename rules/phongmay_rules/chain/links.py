"""Writes links: rows that were just stored go in, each becomes the next link of its unit's chain.

A link's hash covers the hash before it, its place in the chain and the canonical JSON of the whole row, so a row cannot
be changed, taken out or put in without every later link failing. Two writers that saw the same head cannot both
succeed: the key (unit, sequence) refuses the second one (IntegrityError, which the callers turn into a sentence).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import repeat
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Float, Table, bindparam, select
from sqlalchemy.orm import Session

from phongmay_store.register import bulk
from phongmay_store.register.base import Base, UtcDateTime
from phongmay_store.register.campaign import CampaignDigest
from phongmay_store.register.chain import ChainLink, LinkKind
from phongmay_store.register.compliance import EvaluationRun, Parameter, Verdict
from phongmay_store.register.decisions import Attestation, Dispute, Waiver

MODELS: Mapping[LinkKind, type[Base]] = {
    LinkKind.RUN: EvaluationRun,
    LinkKind.VERDICT: Verdict,
    LinkKind.WAIVER: Waiver,
    LinkKind.ATTESTATION: Attestation,
    LinkKind.DISPUTE: Dispute,
    LinkKind.PARAMETER: Parameter,
    LinkKind.CAMPAIGN: CampaignDigest,
}
"""Which rows are links."""


class Head(NamedTuple):
    """The last link of a unit's chain; sequence 0 = the chain is empty."""

    unit_id: str
    sequence: int
    hash: bytes


class Entry(NamedTuple):
    """A stored row that is to become a link.

    Attributes:
        row_id: key of the row.
        content: what the link's hash covers of it (`sealed`).
    """

    unit_id: str
    kind: LinkKind
    row_id: int
    content: msgspec.Raw


def table_of(kind: LinkKind) -> Table:
    """Give the table whose rows are links of this kind."""
    table = MODELS[kind].__table__
    if not isinstance(table, Table):
        raise TypeError(f"{kind} is not stored in a table")
    return table


_canonical = msgspec.json.Encoder(order="sorted").encode


def canonical(value: object) -> msgspec.Raw:
    """Give the JSON of a value as a link hashes it. A row may hold it in the value's place: it is made once then, for
    the link and for the register."""
    return msgspec.Raw(_canonical(value))


class _Plan(NamedTuple):
    names: tuple[str, ...]
    times: tuple[str, ...]
    floats: tuple[str, ...]


@lru_cache
def _plan(table: Table) -> _Plan:
    """Give the names of a table's columns, and of those that hold points in time and floating-point numbers."""

    def of(kind: type[Any]) -> tuple[str, ...]:
        return tuple(item.name for item in table.columns if isinstance(item.type, kind))

    return _Plan(tuple(item.name for item in table.columns), of(UtcDateTime), of(Float))


_PLANS = {kind: _plan(table_of(kind)) for kind in LinkKind}
_KEYS = {kind: next(iter(table_of(kind).primary_key.columns)).name for kind in LinkKind}


def key_name(kind: LinkKind) -> str:
    """Give the name of the column that a link's `row_id` refers to."""
    return _KEYS[kind]


def genesis(unit_id: str) -> bytes:
    """Give what stands for the hash before the first link."""
    return hashlib.sha256(f"phongmay chain v1\n{unit_id}".encode()).digest()


@lru_cache(maxsize=1024)
def _iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def link_hash(before: bytes, unit_id: str, sequence: int, kind: LinkKind, row: Mapping[str, Any]) -> bytes:
    """Hash one link.

    Columns without a value are left out, so that a column of a later version changes no old hash.
    """
    content = _content(_PLANS[kind], row)
    return hashlib.sha256(before + _canonical([unit_id, sequence, kind, content])).digest()


def entry(unit_id: str, kind: LinkKind, row: Mapping[str, Any]) -> Entry:
    """Give the entry for a row that holds every column and nothing else."""
    return Entry(unit_id, kind, row[_KEYS[kind]], canonical(_content(_PLANS[kind], row)))


def entries(kind: LinkKind, columns: Mapping[str, Sequence[Any]]) -> list[Entry]:
    """Give the entries for rows that are given column by column, every one with a value in every row: what `entry`
    gives for each, in a third of the time."""
    plan = _PLANS[kind]
    names = sorted(plan.names)
    cells: dict[str, Iterable[Any]] = {name: columns[name] for name in names}
    cells |= {name: map(_iso, columns[name]) for name in plan.times}
    cells |= {name: map(float, columns[name]) for name in plan.floats}
    # Fields in the order of their names are what the sorted keys of a mapping are.
    contents = map(msgspec.Raw, map(_encode, map(_shape(kind), *(cells[name] for name in names))))
    return list(map(Entry._make, zip(columns["unit_id"], repeat(kind), columns[_KEYS[kind]], contents)))


_encode = msgspec.json.Encoder().encode


@lru_cache
def _shape(kind: LinkKind) -> type[msgspec.Struct]:
    return msgspec.defstruct(f"{kind.name.title()}Content", sorted(_PLANS[kind].names), gc=False)


def content_of(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Give the columns of a row that have a value, as types of JSON."""
    return _content(_plan(table), row)


def _content(plan: _Plan, row: Mapping[str, Any]) -> dict[str, Any]:
    content = {**row}
    for name in plan.times:
        if content[name] is not None:
            content[name] = _iso(content[name])
    for name in plan.floats:
        if content[name] is not None:
            content[name] = float(content[name])
    if None in content.values():
        return {name: value for name, value in content.items() if value is not None}
    return content


_LAST = (
    select(ChainLink.sequence, ChainLink.hash)
    .where(ChainLink.unit_id == bindparam("of"))
    .order_by(ChainLink.sequence.desc())
    .limit(1)
)


def heads(session: Session, units: Iterable[str]) -> dict[str, Head]:
    """Give the last link of some units; the work does not grow with the length of the chains."""
    connection = session.connection()
    out = {}
    for unit in sorted(set(units)):
        last = connection.execute(_LAST, {"of": unit}).first()
        out[unit] = Head(unit, *last) if last is not None else Head(unit, 0, genesis(unit))
    return out


def append(session: Session, entries: Sequence[Entry]) -> None:
    """Make stored rows the next links of their units' chains, in the order given; the caller commits.

    Raises:
        IntegrityError: another writer lengthened one of these chains at the same time; nothing may be committed.
    """
    if not entries:
        return
    ends = {head.unit_id: head[1:] for head in heads(session, {entry.unit_id for entry in entries}).values()}
    sequences: list[int] = []
    hashes: list[bytes] = []
    sha256, encode = hashlib.sha256, _canonical
    for unit_id, kind, _, content in entries:
        last, before = ends[unit_id]
        sequence = last + 1
        made = sha256(before + encode((unit_id, sequence, kind, content))).digest()  # as `link_hash` does
        ends[unit_id] = (sequence, made)
        sequences.append(sequence)
        hashes.append(made)
    units, kinds, rows, _ = zip(*entries, strict=True)
    bulk.append_columns(
        session, ChainLink, {"unit_id": units, "sequence": sequences, "kind": kinds, "row_id": rows, "hash": hashes}
    )


def append_row(session: Session, kind: LinkKind, unit_id: str, stored: Base) -> None:
    """Flush one mapped row and make it a link.

    Raises:
        IntegrityError: another writer lengthened the chain at the same time; nothing may be committed.
    """
    session.add(stored)
    session.flush()
    append(session, [entry(unit_id, kind, as_mapping(kind, stored))])


def as_mapping(kind: LinkKind, stored: Base) -> dict[str, Any]:
    """Give all columns of a mapped row."""
    return {name: getattr(stored, name) for name in _PLANS[kind].names}
