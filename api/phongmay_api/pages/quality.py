"""The block of the four scores on the page of a school or district: counts, bars, definitions, what is at fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phongmay_api.access.scope import Scope
from phongmay_api.context import Context
from phongmay_api.pages.texts import Texts
from phongmay_rules.explain import format_value
from phongmay_rules.quality import DEFINITIONS, FAULTS, Definition, Share, total
from phongmay_store.errors import StoreError


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """One score in words and counts."""

    word: str
    definition: str
    share: str
    counts: dict[str, int]
    good: int
    total: int
    unknown: str
    faults: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class QualityBlock:
    """The four scores of a unit; without lines the series could not be read."""

    lines: Sequence[ScoreLine]
    stopped: int


def quality_block(scope: Scope, context: Context, unit_id: str, words: Texts) -> QualityBlock:
    """Gather the block of a unit of the scope; a series store that cannot be read must not hide the verdicts."""
    try:
        found = context.quality.of(scope.session, context.series, unit_id)
    except StoreError:
        return QualityBlock([], 0)
    lines = [_line(DEFINITIONS[score], share, words) for score, share in total(found).items()]
    return QualityBlock(lines, sum(school.engine_stopped for school in found))


def _line(about: Definition, share: Share, words: Texts) -> ScoreLine:
    vi = words.language == "vi"

    def percent(ratio: float | None) -> str:
        return words("quality_nothing") if ratio is None else format_value(ratio, "ratio", words.language)

    return ScoreLine(
        word=about.word_vi if vi else about.word_en,
        definition=about.vi if vi else about.en,
        share=percent(share.ratio),
        counts={"fail": share.total - share.good, "unknown": share.unknown, "pass": share.good},
        good=share.good,
        total=share.total,
        unknown=words("quality_unknown", count=share.unknown, share=percent(share.unknown_ratio))
        if share.unknown
        else "",
        faults=[(FAULTS[name][not vi], count) for name, count in share.faults.most_common()],
    )
