"""Route of the gap list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query

from phongmay_api.access.scope import CurrentScope
from phongmay_api.context import Shared
from phongmay_api.gaps.queries import MAX_BUDGET, gap_list
from phongmay_api.gaps.schemas import (
    FirstOut,
    GapLineOut,
    GapsOut,
    LeftOut,
    LineOut,
    ObstacleOut,
    PricesOut,
    SchoolGapOut,
)
from phongmay_api.problems import not_found
from phongmay_api.routing import api_router
from phongmay_rules.gaps.listing import GapLine, GapList, SchoolGap
from phongmay_rules.gaps.obstacle_words import obstacle_text
from phongmay_rules.gaps.obstacles import Obstacles
from phongmay_rules.gaps.options import Target
from phongmay_rules.gaps.prices import SAMPLE
from phongmay_rules.gaps.words import first_of, school_name
from phongmay_rules.model import Pack, Text
from phongmay_store.register.timetable import LOCAL

router = api_router("gaps")


@router.get("/gaps", summary="What it costs to turn failing verdicts green")
def get_gaps(
    scope: CurrentScope,
    context: Shared,
    unit: Annotated[str | None, Query(description="Unit; default: the highest that you may see.")] = None,
    budget: Annotated[int | None, Query(ge=0, le=MAX_BUDGET, description="Whole VND; default: no limit.")] = None,
) -> GapsOut:
    """Give the cheapest set of measures, or the best within a budget: first the most schools, then the most verdicts.

    What is unknown is never priced. 501 where the solver (extra `planning`) is not installed.
    """
    if unit is None and not scope.units:
        raise not_found("organisation unit")
    top = scope.below(unit or scope.units[0].id)[0]
    found = gap_list(scope, context.pack, top, budget)
    prices = found.prices
    return GapsOut(
        unit_id=top.id,
        as_of=found.standing.at,
        budget_vnd=budget,
        total_vnd=found.cost,
        optimum_proven=found.is_proven,
        prices=PricesOut(
            file=SAMPLE.name, dated=prices.dated, valid_until=prices.valid_until, placeholder=prices.placeholder,
            warning=prices.staleness(found.standing.at.astimezone(LOCAL).date()), source=prices.source,
        ),
        lines=[_line(line) for line in found.lines],
        schools=[_school(found, school) for school in found.schools],
        above=_left(context.pack, found.above, tuple(found.above)),
        never_judged=sorted(found.standing.never_judged),
        still_unknown=len(found.undecided),
        broken=len(found.broken),
    )  # fmt: skip


def _line(line: GapLine) -> GapLineOut:
    item = line.line.item
    return GapLineOut(
        unit_id=line.school_id, room_id=line.room_id or None, device_id=line.device_id or None, item=item.id,
        name=item.name, count=line.count, unit_price_vnd=item.price_vnd, cost_vnd=line.cost, mends=list(line.mends),
        note=line.line.note,
        replaces=[
            LineOut(isp=one.isp, medium=one.medium, contracted_down_bps=one.down_bps, contracted_up_bps=one.up_bps)
            for one in line.replaces
        ],
    )  # fmt: skip


def _school(found: GapList, school: SchoolGap) -> SchoolGapOut:
    both = zip(first_of(found, school, "vi"), first_of(found, school, "en"), strict=True)
    return SchoolGapOut(
        unit_id=school.school_id, name=school_name(found, school.school_id), failing=school.red, mended=school.green,
        unknown=len(school.unknown), cost_vnd=school.cost, complete=school.is_complete,
        left=_left(found.standing.pack, school.obstacles, school.no_measure),
        entries=_left(found.standing.pack, school.obstacles, school.paperwork),
        first=[
            FirstOut(rule_id=vi.rule, count=vi.count, who=Text(vi=vi.who, en=en.who), text=Text(vi=vi.text, en=en.text))
            for vi, en in both
        ],
    )  # fmt: skip


def _left(pack: Pack, obstacles: Obstacles, targets: Sequence[Target]) -> list[LeftOut]:
    return [
        LeftOut(
            subject_kind=kind, subject_id=one, rule_id=rule,
            reasons=[
                ObstacleOut(
                    code=why.why, fact=why.fact, parameter=why.parameter,
                    text=Text(vi=obstacle_text(why, rule, pack, "vi"), en=obstacle_text(why, rule, pack, "en")),
                )
                for why in obstacles[kind, one, rule]
            ],
        )
        for kind, one, rule in targets
    ]  # fmt: skip
