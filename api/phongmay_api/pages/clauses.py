"""What the page of clauses shows of a unit: every clause by document, with its state and what is behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from phongmay_api.access.scope import Scope
from phongmay_api.clauses.queries import standings_of
from phongmay_api.pages.district import crumbs
from phongmay_api.pages.texts import Texts
from phongmay_rules.clauses import ClauseStanding, count
from phongmay_rules.explanation import document_name
from phongmay_rules.model import Pack
from phongmay_rules.summary import summarise
from phongmay_store.register.compliance import State
from phongmay_store.register.organisation import Unit


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """A document with its clauses and how many of them are in which state."""

    title: str
    body_read: bool
    counts: Mapping[str, int]
    clauses: Sequence[ClauseStanding]


@dataclass(frozen=True, slots=True)
class ClausesView:
    """The page of clauses of a unit.

    Attributes:
        counts: clauses by state.
        stated_met: clauses in state manual of which a person states that they are met.
        stated_not_met: or that they are not.
    """

    unit: Unit
    crumbs: Sequence[Unit]
    counts: Mapping[str, int]
    stated_met: int
    stated_not_met: int
    unstated: int
    documents: Sequence[DocumentPart]
    evaluated_at: datetime | None
    stale: bool


def clauses_view(scope: Scope, pack: Pack, unit: Unit, words: Texts) -> ClausesView:
    """Gather the page."""
    summaries = summarise(scope.session, [unit.id], pack=pack)
    found = standings_of(scope, pack, [unit], summaries)[unit.id]
    by_document: dict[str, list[ClauseStanding]] = {}
    for row in found:
        by_document.setdefault(row.clause.document, []).append(row)
    manual = [row for row in found if row.state is State.MANUAL]
    stated = [row.stated.met for row in manual if row.stated is not None]
    return ClausesView(
        unit=unit,
        crumbs=[*crumbs(scope, unit), unit],
        counts=count(found).counts,
        stated_met=sum(stated),
        stated_not_met=len(stated) - sum(stated),
        unstated=len(manual) - len(stated),
        documents=[_part(pack, name, rows, words) for name, rows in by_document.items()],
        evaluated_at=summaries[unit.id].last_run,
        stale=summaries[unit.id].is_stale,
    )


def _part(pack: Pack, name: str, rows: list[ClauseStanding], words: Texts) -> DocumentPart:
    document = pack.standard.documents[name]
    return DocumentPart(document_name(document, words.language), document.body_read, count(rows).counts, rows)
