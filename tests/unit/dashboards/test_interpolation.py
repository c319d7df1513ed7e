"""Macros and variables are expanded as Grafana's own sources do it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phongmay_dashboards.errors import DashboardError
from phongmay_dashboards.interpolation import Value, Window, choices, expand, interval_for, milliseconds

WINDOW = Window(1_700_000_000_000, 1_700_003_600_000)


def filled(query: str, **values: Value) -> str:
    """Expand with an interval of a minute."""
    return expand(query, values, WINDOW, "1m")


def test_the_time_filter_holds_both_ends_in_milliseconds() -> None:
    """$timeFilter stands for the range as the back end writes it."""
    assert filled("SELECT a FROM b WHERE $timeFilter") == (
        "SELECT a FROM b WHERE time >= 1700000000000ms and time <= 1700003600000ms"
    )


def test_intervals_are_filled_in_as_text_and_as_milliseconds() -> None:
    """$__interval_ms is not taken for $__interval followed by _ms."""
    assert filled("time($__interval) $interval $__interval_ms") == "time(1m) 1m 60000"


def test_a_choice_of_several_becomes_an_escaped_group() -> None:
    """All special characters of a regular expression, the slash too, are escaped; - is none of them."""
    chosen = Value(("a.b/c", "x-1"), multi=True)
    assert filled('"d" =~ /^$d$/', d=chosen) == r'"d" =~ /^(a\.b\/c|x-1)$/'
    assert filled('"d" =~ /^$d$/', d=Value(("a|b",), multi=True)) == r'"d" =~ /^(a\|b)$/'


def test_one_value_is_escaped_inside_a_regular_expression_only() -> None:
    """Between quotes a value stands as it is; the same variable escapes everywhere once a regex holds it."""
    assert filled("\"s\" = '$s'", s=Value("a.b")) == "\"s\" = 'a.b'"
    assert filled('"s" =~ /^$s$/', s=Value("a.b")) == r'"s" =~ /^a\.b$/'
    both = filled('"s" = \'$s\' AND "r" =~ /^$r$/', s=Value("a.b"), r=Value(("c.d",), multi=True))
    assert both == '"s" = \'a.b\' AND "r" =~ /^(c\\.d)$/'


def test_what_begins_like_a_number_is_not_escaped() -> None:
    """Grafana asks parseFloat, which is content with a number at the front."""
    assert filled('"s" =~ /^$s$/', s=Value("1.5")) == '"s" =~ /^1.5$/'


@pytest.mark.parametrize("query", ["'${s:csv}'", "'[[s]]'", "'$unknown'", "'${s}x${t}'"])
def test_what_is_not_expanded_here_is_refused(query: str) -> None:
    """A form or a name that these rules do not cover never reaches a server unexpanded."""
    with pytest.raises(DashboardError):
        filled(query, s=Value("a"))


@given(
    st.lists(st.text(st.characters(codec="ascii", exclude_characters="\r\n\x00"), min_size=1), min_size=1, max_size=5)
)
def test_an_escaped_choice_matches_itself_and_no_other(texts: list[str]) -> None:
    """Whatever the values hold: the group matches each of them and nothing else."""
    asked = filled("x =~ /^$v$/", v=Value(tuple(texts), multi=True))
    pattern = re.compile(asked.removeprefix("x =~ /^").removesuffix("$/").replace(r"\/", "/"))
    for text in texts:
        assert pattern.fullmatch(text)
    assert not pattern.fullmatch("".join(texts) + "?")


@pytest.mark.parametrize(
    ("span_s", "least", "expected"),
    [(3600, "1s", "5s"), (3600, "1m", "1m"), (86400, "1m", "1m"), (7 * 86400, "1m", "10m"), (300, "1m", "1m"),
     (90 * 86400, "1h", "2h")],
)  # fmt: skip
def test_the_interval_is_the_range_over_the_points_rounded(span_s: int, least: str, expected: str) -> None:
    """As Grafana's roundInterval: 1,000 points, and never below the panel's least interval."""
    assert interval_for(Window(0, span_s * 1000), 1000, least) == expected


def test_an_interval_that_is_none_is_named() -> None:
    """A misspelt interval is a sentence, not a wrong query."""
    assert milliseconds("90s") == 90_000
    with pytest.raises(DashboardError, match="interval 'soon'"):
        milliseconds("soon")


def test_lists_are_taken_apart_by_their_named_groups() -> None:
    """Text and value of an option; what does not match is no option; a name may hold anything but |."""
    pattern = r"/^(?<text>.*)\|(?<value>[^|]+)$/"
    assert choices(["Trường A (số 1)|u-1", "no id"], pattern) == [("Trường A (số 1)", "u-1")]
    assert choices(["a"], "") == [("a", "a")]
    with pytest.raises(DashboardError):
        choices(["a"], "a")
