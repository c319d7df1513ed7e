"""What the district overview shows: every school with all shares per group of rules, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phongmay_api.access.scope import Scope
from phongmay_api.compliance.queries import Group, UnitShares, groups, shares_of
from phongmay_api.pages.judged import Item, item, worst_first
from phongmay_api.pages.texts import Texts
from phongmay_api.verdicts import queries as verdicts
from phongmay_rules.model import Pack
from phongmay_store.register.compliance import State, SubjectKind
from phongmay_store.register.organisation import Unit, UnitKind, ancestors


@dataclass(frozen=True, slots=True)
class DistrictView:
    """The page of an organisation unit above schools.

    Attributes:
        crumbs: units above that may be seen, the highest first.
        own: shares of the whole unit.
        judged: verdicts on the unit as a whole.
        units: units right below that are no schools.
        failing: schools with something failing.
        unclear: schools with something unknown, whether or not something fails too: no figure hides what is missing.
        clear: schools in which every rule that applies passes.
    """

    unit: Unit
    crumbs: Sequence[Unit]
    groups: Sequence[Group]
    own: UnitShares
    judged: Sequence[Item]
    units: Sequence[UnitShares]
    schools: Sequence[UnitShares]
    failing: int
    unclear: int
    clear: int
    sample: bool


def crumbs(scope: Scope, unit: Unit) -> list[Unit]:
    """Give the units above one that the scope may see, the highest first."""
    return [above for above in reversed(ancestors(scope.session, unit.id)) if above.id in scope.visible]


def district_view(scope: Scope, pack: Pack, unit: Unit, words: Texts) -> DistrictView:
    """Gather the page of a unit."""
    units = scope.below(unit.id)
    shares = {found.unit.id: found for found in shares_of(scope, pack, units)}
    judged = [
        item(pack, found, words, {})
        for found in verdicts.current(scope, within=[unit.id], subject_kind=SubjectKind.DISTRICT, subject_id=unit.id)
    ]
    schools = sorted((shares[found.id] for found in units if found.kind == UnitKind.SCHOOL), key=_urgency)
    below = sorted(
        (shares[found.id] for found in units if found.parent_id == unit.id and found.kind != UnitKind.SCHOOL),
        key=_urgency,
    )
    return DistrictView(
        unit=unit,
        crumbs=crumbs(scope, unit),
        groups=used_groups(pack, [*schools, *below], words),
        own=shares[unit.id],
        judged=worst_first(judged),
        units=below,
        schools=schools,
        failing=sum(_bad(school) > 0 for school in schools),
        unclear=sum(_is_unclear(school) for school in schools),
        clear=sum(not _bad(school) and not _is_unclear(school) for school in schools),
        sample=any(found.is_sample for found in units),
    )


def used_groups(pack: Pack, shown: Sequence[UnitShares], words: Texts) -> list[Group]:
    """Give the groups of rules that have any verdict among the rows to show: an empty column says nothing."""
    return [group for group in groups(pack, words.language) if any(sum(row.groups[group.id].values()) for row in shown)]


def _bad(shares: UnitShares) -> int:
    return shares.total[State.FAIL] + shares.total[State.ERROR]


def _urgency(shares: UnitShares) -> tuple[int, int, str]:
    return -_bad(shares), -shares.total[State.UNKNOWN], shares.unit.name


def _is_unclear(shares: UnitShares) -> bool:
    """Tell whether something is unknown; a school without any pass was not judged yet, which is unknown too."""
    return shares.total[State.UNKNOWN] > 0 or not shares.total[State.PASS]
