"""Verifies a unit's chain: links, rows and facts behind them, signed heads and packs go in, what is broken comes out.

Nothing is written. What is found is named by its place: link, kind of row, row, and how it was broken. A cut tail or a
chain that was rewritten as a whole agrees with itself; only heads that were signed before and kept elsewhere show it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from phongmay_rules.chain import tested
from phongmay_rules.chain.archive import is_sound
from phongmay_rules.chain.links import Head, genesis, key_name, link_hash, table_of
from phongmay_rules.chain.quoting import contradicted, rows_in
from phongmay_rules.model import Pack
from phongmay_rules.reasons import Reason
from phongmay_store.register.chain import ArchivedPack, ChainLink, LinkKind
from phongmay_store.register.compliance import CurrentRun, CurrentVerdict, EvaluationRun, Verdict

_BLOCK = 500


class Tampering(StrEnum):
    """How something was broken."""

    CHANGED = "changed"
    REMOVED_ROW = "removed_row"
    REMOVED_LINK = "removed_link"
    FACT = "fact"
    NOT_LINKED = "not_linked"
    CUT_TAIL = "cut_tail"
    REWRITTEN = "rewritten"
    POINTER = "pointer"
    PACK = "pack"


@dataclass(frozen=True, slots=True)
class Break:
    """Something that is broken.

    Attributes:
        sequence: link at which it shows; 0 = not at a link.
        sentence: for a person, in English.
    """

    unit_id: str
    tampering: Tampering
    sequence: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Report:
    """What verifying one unit came to.

    Attributes:
        breaks: empty = sound; in order of the chain, then what shows at no link.
        links: length of the chain.
        facts: fact rows that its verdicts quote and that were held against them.
    """

    unit_id: str
    links: int
    facts: int
    breaks: tuple[Break, ...]

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing was found."""
        return not self.breaks


class _Link(NamedTuple):
    sequence: int
    kind: LinkKind
    row_id: int
    hash: bytes


def verify(
    session: Session,
    unit_id: str,
    signed: Iterable[Head] = (),
    loaded: Pack | None = None,
    *,
    with_facts: bool = True,
) -> Report:
    """Verify everything about one unit.

    Args:
        session: the register; one transaction, so that a running engine changes nothing underneath.
        unit_id: the unit; one without a chain is sound unless heads or rows say that it had one.
        signed: heads whose signatures hold.
        loaded: the pack that the engine would judge by now, compared with the one that judged.
        with_facts: also hold every fact row that a verdict quotes against what is quoted.
    """
    unit = _Unit(session, unit_id, with_facts)
    breaks = list(unit.along_the_chain())
    breaks += unit.against_heads(sorted(signed, key=lambda head: head.sequence))
    breaks.sort(key=lambda found: found.sequence)
    if not breaks:
        breaks += unit.pointers()
    breaks += unit.not_linked()
    breaks += unit.packs(loaded)
    return Report(unit_id, len(unit.hashes), len(unit.facts), tuple(breaks))


def units_with_chain(session: Session) -> list[str]:
    """Give the units that have links or runs."""
    chained = set(session.scalars(select(ChainLink.unit_id).distinct()))
    return sorted(chained | set(session.scalars(select(EvaluationRun.unit_id).distinct())))


class _Unit:
    def __init__(self, session: Session, unit_id: str, with_facts: bool) -> None:
        self._session, self._id, self._with_facts = session, unit_id, with_facts
        self.facts: set[int] = set()
        self._wrong_facts: set[int] = set()
        self._linked: dict[LinkKind, set[int]] = {kind: set() for kind in LinkKind}
        self.hashes: dict[int, bytes] = {}

    def _broken(self, tampering: Tampering, sequence: int, sentence: str) -> Break:
        place = f"link {sequence}: " if sequence else ""
        return Break(self._id, tampering, sequence, f"unit {self._id}: {place}{sentence}")

    def along_the_chain(self) -> Iterator[Break]:
        """Compare each link with the one before and with its row."""
        before, expected = genesis(self._id), 1
        for block in _blocks(self._links()):
            rows = self._rows(block)
            held: dict[int, Mapping[str, Any]] = {}
            tests: dict[int, tuple[int, Mapping[str, Any]]] = {}
            for link in block:
                if link.sequence != expected:
                    missing = f"{expected}" if link.sequence == expected + 1 else f"{expected} to {link.sequence - 1}"
                    yield self._broken(Tampering.REMOVED_LINK, expected, f"removed from the chain (missing: {missing})")
                    expected = link.sequence
                row = rows.get((link.kind, link.row_id))
                name = f"{link.kind} row {link.row_id}"
                if row is None:
                    yield self._broken(Tampering.REMOVED_ROW, link.sequence, f"{name} was removed")
                # After a gap the hash before is not known, so nothing can be said about this one link.
                elif (link.sequence == 1 or link.sequence - 1 in self.hashes) and link.hash != link_hash(
                    before, self._id, link.sequence, link.kind, row
                ):
                    what = f"{name}{_about(link.kind, row)} or its link was changed after it was written"
                    yield self._broken(Tampering.CHANGED, link.sequence, what)
                elif link.kind is LinkKind.VERDICT:
                    held[link.sequence] = row
                elif link.kind is LinkKind.CAMPAIGN:
                    tests[row["number"]] = (link.sequence, row)
                self.hashes[link.sequence] = before = link.hash
                self._linked[link.kind].add(link.row_id)
                expected += 1
            for row, problem in tested.changed(self._session, [row for _, row in tests.values()]):
                sentence = f"bandwidth test {row['run_id']} {problem} after it was linked"
                gone = Tampering.REMOVED_ROW if problem == "was removed" else Tampering.CHANGED
                yield self._broken(gone, tests[row["number"]][0], sentence)
            if self._with_facts:
                yield from self._quoted(held)

    def _quoted(self, held: Mapping[int, Mapping[str, Any]]) -> Iterator[Break]:
        """Hold the fact rows that sound verdicts quote; each wrong row is named once, at the first link."""
        links = {row["id"]: sequence for sequence, row in held.items()}
        for verdict, fact, problem in contradicted(self._session, list(held.values())):
            if fact not in self._wrong_facts:
                self._wrong_facts.add(fact)
                what = f"fact row {fact}: {problem} after verdict row {verdict} quoted it"
                yield self._broken(Tampering.FACT, links[verdict], what)
        self.facts |= rows_in(held.values())

    def _links(self) -> Iterator[_Link]:
        rows = self._session.execute(
            select(ChainLink.sequence, ChainLink.kind, ChainLink.row_id, ChainLink.hash)
            .where(ChainLink.unit_id == self._id)
            .order_by(ChainLink.sequence)
        )
        return (_Link(sequence, LinkKind(kind), row, digest) for sequence, kind, row, digest in rows)

    def _rows(self, block: Sequence[_Link]) -> dict[tuple[LinkKind, int], Mapping[str, Any]]:
        out: dict[tuple[LinkKind, int], Mapping[str, Any]] = {}
        for kind in {link.kind for link in block}:
            table, key = table_of(kind), key_name(kind)
            ids = [link.row_id for link in block if link.kind is kind]
            for row in self._session.execute(select(table).where(table.c[key].in_(ids))).mappings():
                out[kind, row[key]] = dict(row)
        return out

    def against_heads(self, signed: Sequence[Head]) -> Iterator[Break]:
        """Compare the chain with heads that were signed earlier; the first that disagrees is named."""
        end, agreed = max(self.hashes, default=0), 0
        for head in signed:
            if head.sequence > end:
                sentence = f"tail cut: a signed head says that the chain had {head.sequence} links, it ends at {end}"
                yield self._broken(Tampering.CUT_TAIL, end + 1, sentence)
                return
            if head.sequence in self.hashes and self.hashes[head.sequence] != head.hash:
                sentence = f"chain rewritten: up to link {head.sequence} it is not what was signed"
                yield self._broken(Tampering.REWRITTEN, agreed + 1, sentence)
                return
            agreed = head.sequence

    def not_linked(self) -> Iterator[Break]:
        """Find rows of the unit that no link stands for: put in by hand, or their links were cut off."""
        for kind in LinkKind:
            table, key = table_of(kind), key_name(kind)
            for row in self._session.scalars(
                select(table.c[key]).where(table.c.unit_id == self._id).order_by(table.c[key])
            ):
                if row not in self._linked[kind]:
                    yield self._broken(Tampering.NOT_LINKED, 0, f"{kind} row {row} is in no link of the chain")
                    break

    def pointers(self) -> Iterator[Break]:
        """Compare what is shown as current with the newest rows; asked only of a sound chain."""
        newest: dict[tuple[str, str, str], tuple[int, str]] = {}
        columns = (Verdict.id, Verdict.subject_kind, Verdict.subject_id, Verdict.rule_id, Verdict.reason)
        for row, kind, subject, rule, reason in self._session.execute(
            select(*columns).where(Verdict.unit_id == self._id).order_by(Verdict.id)
        ):
            newest[kind, subject, rule] = (row, reason)
        wanted = {key: row for key, (row, reason) in newest.items() if reason != Reason.GONE}
        shown = {
            (kind, subject, rule): row
            for kind, subject, rule, row in self._session.execute(
                select(
                    CurrentVerdict.subject_kind, CurrentVerdict.subject_id, CurrentVerdict.rule_id,
                    CurrentVerdict.verdict_id,
                ).where(CurrentVerdict.unit_id == self._id)
            )
        }  # fmt: skip
        for key in sorted(wanted.keys() | shown.keys()):
            if wanted.get(key) != shown.get(key):
                sentence = (
                    f"{' '.join(key)}: verdict row {shown.get(key, 'none')} is shown as current, "
                    f"{wanted.get(key, 'none')} is the newest"
                )
                yield self._broken(Tampering.POINTER, 0, sentence)
                return
        run = self._session.scalar(select(func.max(EvaluationRun.id)).where(EvaluationRun.unit_id == self._id))
        vouching = self._session.scalar(select(CurrentRun.run_id).where(CurrentRun.unit_id == self._id))
        if run != vouching:
            sentence = f"run row {vouching or 'none'} is said to vouch, {run or 'none'} is the newest"
            yield self._broken(Tampering.POINTER, 0, sentence)

    def packs(self, loaded: Pack | None) -> Iterator[Break]:
        """Look for packs that judged and were changed: in the archive, or between two runs under one version."""
        judged = list(
            self._session.scalars(
                select(EvaluationRun.pack_hash)
                .where(EvaluationRun.unit_id == self._id)
                .group_by(EvaluationRun.pack_hash)
                .order_by(func.min(EvaluationRun.id))
            )
        )  # fmt: skip
        by_version: dict[tuple[str, str], str] = {}
        contents: dict[str, str] = {}
        for pack_hash in judged:
            archived = self._session.get(ArchivedPack, pack_hash)
            if archived is None:
                sentence = f"pack {pack_hash[:12]} judged, but it was removed from the archive"
                yield self._broken(Tampering.PACK, 0, sentence)
            elif not is_sound(archived):
                sentence = f"pack {archived.pack_id} {pack_hash[:12]} was changed in the archive after it judged"
                yield self._broken(Tampering.PACK, 0, sentence)
            else:
                contents[pack_hash] = archived.content
                first = by_version.setdefault((archived.pack_id, archived.version), pack_hash)
                if first != pack_hash:
                    yield self._two_contents(archived.pack_id, archived.version, contents[first], archived.content)
        if loaded is not None and loaded.hash not in contents:
            judged_by = by_version.get((loaded.id, loaded.standard.version))
            if judged_by is not None:
                yield self._two_contents(loaded.id, loaded.standard.version, contents[judged_by], loaded.content)

    def _two_contents(self, pack_id: str, version: str, first: str, second: str) -> Break:
        before, after = json.loads(first), json.loads(second)
        files = ", ".join(name for name in sorted({*before, *after}) if before.get(name) != after.get(name))
        sentence = f"pack {pack_id} was changed without a new version ({version}): {files}"
        return self._broken(Tampering.PACK, 0, sentence)


def _about(kind: LinkKind, row: Mapping[str, Any]) -> str:
    return f" ({row['rule_id']} on {row['subject_kind']} {row['subject_id']})" if kind is LinkKind.VERDICT else ""


def _blocks(links: Iterator[_Link]) -> Iterator[Sequence[_Link]]:
    while block := list(islice(links, _BLOCK)):
        yield block
