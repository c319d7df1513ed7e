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
        unclear: schools with nothing failing, but something unknown.
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
    kinds = [_kind(school) for school in schools]
    return DistrictView(
        unit=unit,
        crumbs=crumbs(scope, unit),
        groups=groups(pack, words.language),
        own=shares[unit.id],
        judged=worst_first(judged),
        units=below,
        schools=schools,
        failing=kinds.count(State.FAIL),
        unclear=kinds.count(State.UNKNOWN),
        clear=kinds.count(State.PASS),
        sample=any(found.is_sample for found in units),
    )


def _bad(shares: UnitShares) -> int:
    return shares.total[State.FAIL] + shares.total[State.ERROR]


def _urgency(shares: UnitShares) -> tuple[int, int, str]:
    return -_bad(shares), -shares.total[State.UNKNOWN], shares.unit.name


def _kind(shares: UnitShares) -> State:
    """Tell a school's place among the three figures; a school without any pass is not clear but unknown."""
    if _bad(shares):
        return State.FAIL
    if shares.total[State.UNKNOWN] or not shares.total[State.PASS]:
        return State.UNKNOWN
    return State.PASS
