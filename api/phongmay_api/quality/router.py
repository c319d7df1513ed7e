"""Route of the four scores of the data's quality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Query

from phongmay_api.access.scope import CurrentScope
from phongmay_api.context import Shared
from phongmay_api.problems import not_found
from phongmay_api.quality.schemas import DefinitionOut, QualityOut, SchoolQuality, ScoreOut
from phongmay_api.routing import api_router
from phongmay_rules.model import Text
from phongmay_rules.quality import DEFINITIONS, Score, Share, total

router = api_router("quality")


def _scores(shares: Mapping[Score, Share]) -> list[ScoreOut]:
    return [
        ScoreOut(
            score=score.value, good=share.good, total=share.total, unknown=share.unknown, ratio=share.ratio,
            unknown_ratio=share.unknown_ratio, faults=dict(share.faults),
        )
        for score, share in shares.items()
    ]  # fmt: skip


@router.get("/quality", summary="Quality of the data: alive, clean, complete, right")
def get_quality(
    scope: CurrentScope,
    context: Shared,
    unit: Annotated[str | None, Query(description="Unit; default: the highest that you may see.")] = None,
) -> QualityOut:
    """Give the four scores of each school of a unit with numerator, denominator and unknown share; a minute old."""
    if unit is None and not scope.units:
        raise not_found("organisation unit")
    top = scope.below(unit or scope.units[0].id)[0].id
    found = context.quality.of(scope.session, context.series, top)
    return QualityOut(
        unit_id=top,
        scores=_scores(total(found)),
        schools=[
            SchoolQuality(
                unit_id=school.unit_id, name=school.name, evaluated_at=school.evaluated_at,
                engine_stopped=school.engine_stopped, scores=_scores(school.scores),
            )
            for school in found
        ],
        definitions=[
            DefinitionOut(score=score.value, word=Text(vi=about.word_vi, en=about.word_en),
                          definition=Text(vi=about.vi, en=about.en))
            for score, about in DEFINITIONS.items()
        ],
    )  # fmt: skip
