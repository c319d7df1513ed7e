"""What the page of the gap list shows: what to buy by item and by school, what is left, what must be measured first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from phongmay_api.access.scope import Scope
from phongmay_api.pages.district import crumbs
from phongmay_api.pages.texts import Texts
from phongmay_rules.gaps.listing import GapLine, GapList, SchoolGap
from phongmay_rules.gaps.prices import SAMPLE
from phongmay_rules.gaps.words import (
    NOT_PROVEN,
    First,
    Left,
    as_of,
    first_of,
    left_above,
    left_of,
    note_text,
    place,
    rule_title,
    school_name,
    vnd,
)
from phongmay_store.register.organisation import Unit
from phongmay_store.register.timetable import LOCAL


@dataclass(frozen=True, slots=True)
class Purchase:
    """The same item for the same purpose in one school, wherever it stands."""

    name: str
    count: int
    price: str
    cost: str
    places: Sequence[str]
    mends: str
    note: str


@dataclass(frozen=True, slots=True)
class SchoolPart:
    """One school of the list."""

    id: str
    name: str
    gap: SchoolGap
    cost: str
    purchases: Sequence[Purchase]
    left: Sequence[Left]
    first: Sequence[First]


@dataclass(frozen=True, slots=True)
class GapsView:
    """The page."""

    unit: Unit
    crumbs: Sequence[Unit]
    found: GapList
    total: str
    budget: str
    as_of: str
    prices: str
    stale: str
    not_proven: str
    items: Sequence[tuple[str, int, str, str]]
    schools: Sequence[SchoolPart]
    above: Sequence[Left]
    never: Sequence[str]
    red: int
    green: int
    complete: int
    passed: int


def gaps_view(scope: Scope, unit: Unit, found: GapList, words: Texts) -> GapsView:
    """Gather the page."""
    prices, language = found.prices, words.language
    counts: Counter[str] = Counter()
    for line in found.lines:
        counts[line.line.item.id] += line.count
    items = [item for item in prices.item if counts[item.id]]
    items.sort(key=lambda item: -counts[item.id] * item.price_vnd)
    parts = [_school(found, school, language) for school in found.schools]
    parts.sort(key=lambda part: (-part.gap.cost, part.name))
    green = sum(school.green for school in found.schools)
    stale = prices.staleness(found.standing.at.astimezone(LOCAL).date())
    until = f"{prices.valid_until:%d/%m/%Y}"
    return GapsView(
        unit=unit,
        crumbs=[*crumbs(scope, unit), unit],
        found=found,
        total=vnd(found.cost),
        budget="" if found.budget is None else vnd(found.budget),
        as_of=as_of(found),
        prices=words(
            "gaps_prices", file=SAMPLE.name, dated=f"{prices.dated:%d/%m/%Y}", until=until,
            source=prices.source.in_(language),
        ),
        not_proven="" if found.is_proven else NOT_PROVEN[language == "en"],
        stale=words("gaps_stale", until=until) if stale else "",
        items=[
            (item.name.in_(language), counts[item.id], vnd(item.price_vnd), vnd(counts[item.id] * item.price_vnd))
            for item in items
        ],
        schools=parts,
        above=left_above(found, language),
        never=[school_name(found, school) for school in sorted(found.standing.never_judged)],
        red=sum(school.red for school in found.schools),
        green=green,
        complete=sum(school.is_complete for school in found.schools),
        passed=green,
    )  # fmt: skip


def _school(found: GapList, school: SchoolGap, language: str) -> SchoolPart:
    groups: dict[tuple[str, tuple[str, ...], str], list[GapLine]] = {}
    for line in found.lines:
        if line.school_id == school.school_id:
            groups.setdefault((line.line.item.id, line.mends, line.line.note), []).append(line)
    purchases = [_purchase(found, lines, language) for lines in groups.values()]
    return SchoolPart(
        school.school_id,
        school_name(found, school.school_id),
        school,
        vnd(school.cost),
        purchases,
        left_of(found, school, language),
        first_of(found, school, language),
    )


def _purchase(found: GapList, lines: Sequence[GapLine], language: str) -> Purchase:
    first = lines[0]
    count = sum(line.count for line in lines)
    item = first.line.item
    return Purchase(
        item.name.in_(language),
        count,
        vnd(item.price_vnd),
        vnd(count * item.price_vnd),
        sorted(filter(None, (place(found, line) for line in lines))),
        ", ".join(f"{rule_title(found, rule, language)} ({rule})" for rule in first.mends),
        note_text(first, language),
    )
