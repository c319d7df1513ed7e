"""Sums verdicts up per unit and group of rules inside a scope; the counting itself is phongmay_rules.summary's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from phongmay_api.access.scope import Scope
from phongmay_api.clauses.queries import standings_of
from phongmay_api.language import Language
from phongmay_rules.clauses import count
from phongmay_rules.model import Pack, Text
from phongmay_rules.summary import Shares, Summary, summarise
from phongmay_store.register.organisation import Unit


@dataclass(frozen=True, slots=True)
class Group:
    """A group of rules with its title in one language."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class UnitShares:
    """A unit with everything below it.

    Attributes:
        groups: for each group of rules the number of verdicts in each state; every state is a key.
        total: the same over all groups.
        clauses: the same over every clause of the packs in force (`phongmay_rules.clauses`).
        evaluated_at: when the engine last judged it (of several schools: the one longest ago); None = never.
        stale: the engine has stopped for it, so that everything is counted as unknown.
    """

    unit: Unit
    groups: Mapping[str, Mapping[str, int]]
    total: Mapping[str, int]
    clauses: Mapping[str, int]
    evaluated_at: datetime | None
    stale: bool


def groups(pack: Pack, language: Language) -> list[Group]:
    """Give the pack's groups of rules that have rules, in the pack's order."""
    used = {rule.group for rule in pack.rules.values()}
    return [Group(key, group.title.in_(language)) for key, group in pack.standard.groups.items() if key in used]


def shares_of(scope: Scope, pack: Pack, units: Sequence[Unit]) -> list[UnitShares]:
    """Sum up units of the scope, in their order; a unit's subtree is in the scope whenever the unit is."""
    found = summarise(scope.session, [unit.id for unit in units], pack=pack)
    clauses = standings_of(scope, pack, units, found)
    return [_unit_shares(unit, found[unit.id], count(clauses[unit.id])) for unit in units]


def _unit_shares(unit: Unit, summary: Summary, clauses: Shares) -> UnitShares:
    total = Shares()
    for shares in summary.groups.values():
        total.merge(shares)
    by_group = {group: shares.counts for group, shares in summary.groups.items()}
    return UnitShares(unit, by_group, total.counts, clauses.counts, summary.last_run, summary.is_stale)


def group_title(pack: Pack, group: str) -> Text:
    """Give the title of a group; verdicts of rules that left the pack stand under "" until they are judged anew."""
    known = pack.standard.groups.get(group)
    return known.title if known else Text(vi="Ngoài bộ tiêu chí hiện hành", en="Not in the pack in force")
