"""Window and coverage of facts, as the catalogue declares them: words for all, no value where too little is known."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from re import findall

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phongmay_rules.facts import availability
from phongmay_rules.facts.availability import Tally
from phongmay_rules.facts.catalogue import BEHIND, FACTS, SPAN_S, SPANS, Behind, Span, basis, is_covered
from phongmay_rules.facts.network import Expected, reach_facts
from phongmay_rules.reasons import Reason
from phongmay_store.series.interface import Minutes
from tests.unit.rules.reached import reach_of

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC).timestamp()
HOUR = int(AT // 3600) * 3600


def test_every_window_and_coverage_has_words() -> None:
    """What is declared of a fact can be said in both languages, and a share that must be known is one of 0 to 1."""
    assert set(SPANS) == set(Span)
    assert set(BEHIND) == set(Behind)
    for kind in FACTS.values():
        vi, en = basis(kind, "vi"), basis(kind, "en")
        assert SPANS[kind.window] == (vi.partition(";")[0], en.partition(";")[0])
        assert (";" in vi) == (";" in en) == (kind.coverage is not None)
        assert kind.coverage is None or 0 < kind.coverage.least <= 1
        assert kind.measurable or kind.window in (Span.NOT_DECIDED, Span.QUARTER)


def test_both_languages_offer_the_same_alternatives() -> None:
    """What a school declares in Vietnamese is what an officer reads in English: no "or" stands in one of them alone."""
    for name, kind in FACTS.items():
        assert len(findall(r"\bhoặc\b", kind.vi)) == len(findall(r"\bor\b", kind.en)), name


def test_what_is_said_of_a_fact() -> None:
    """Window and share are said in the reader's language, the share in percent of what must be known."""
    name = "availability_30d_ratio"
    assert basis(FACTS[name], "vi") == "30 ngày qua; cần biết ít nhất 10% số phút trong giờ sử dụng"
    assert basis(FACTS[name], "en") == "last 30 days; needs at least 10 % of the expected minutes"
    for kind in (kind for kind in FACTS.values() if kind.coverage is not None):
        share = f"{kind.coverage.least:.0%}"
        assert f" {share} " in basis(kind, "vi")
        assert f" {share.replace('%', ' %')} " in basis(kind, "en")
    assert basis(FACTS["cpu_bits"], "vi") == "hiện tại"
    assert basis(FACTS["cpu_bits"], "en") == "now"


def test_windows_are_as_the_names_say() -> None:
    """A fact that names its days in its name is about so many days."""
    days = {"7d": 7, "30d": 30}
    for name, kind in FACTS.items():
        for text, length in days.items():
            if text in name.split("_"):
                assert SPAN_S[kind.window] == length * 86400


@given(st.sampled_from(sorted(FACTS)), st.integers(0, 100_000), st.integers(0, 100_000))
def test_a_share_is_compared_exactly(name: str, known: int, expected: int) -> None:
    """Exactly the declared share is enough, the least bit less is not, and of nothing expected nothing is known."""
    coverage = FACTS[name].coverage
    least = Fraction(str(coverage.least)) if coverage else Fraction(0)
    assert is_covered(name, known, expected) == (expected > 0 and Fraction(known, expected or 1) >= least)


@pytest.mark.parametrize("names", [availability.DEVICE, availability.ROOM])
def test_availability_of_less_than_a_tenth_is_unknown(names: tuple[str, ...]) -> None:
    """A machine that was heard of for 8 of 90 minutes is not said to have been there, nor not; how long is told."""
    enough, known, coverage = availability.found(names, Tally(0, AT, 90, 9, 9), (), AT)
    assert (enough.value, known.value, coverage.value) == (1.0, 0, 0.1)
    little, known, coverage = availability.found(names, Tally(0, AT, 90, 8, 8), (), AT)
    assert (little.value, little.missing, known.value, coverage.value) == (None, Reason.COVERAGE, 0, 0.0)
    assert little.detail["minutes_known"] == 8
    none = availability.found(names, Tally(0, AT, 90, 0, 0), (), AT)[0]
    assert (none.value, none.missing) == (None, Reason.NO_DATA)


@pytest.mark.parametrize(
    ("tried", "value", "why"), [(6, 1.0, None), (5, None, Reason.COVERAGE), (0, None, Reason.NO_DATA)]
)
def test_reach_of_less_than_a_tenth_is_unknown(tried: int, value: float | None, why: Reason | None) -> None:
    """The Internet was tried in 5 of 60 minutes: whether it was there all the time nobody knows."""
    expected = Expected(HOUR, HOUR + 3600, {HOUR: (1 << 60) - 1}, ())
    minutes = Minutes("d", HOUR, (1 << 60) - 1, (1 << tried) - 1, 0)
    found = reach_facts(reach_of([minutes]), expected, 0.0, AT)[0]
    assert (found.value, found.missing, found.detail["minutes_known"]) == (value, why, tried)
