"""Sentences: marketed units, whose figure, and both languages for whatever a case can come to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from phongmay_contract.units import Unit
from phongmay_rules.case_model import CaseKind
from phongmay_rules.cases import run_cases
from phongmay_rules.explain import format_beside, format_value, sentence, state_name
from phongmay_rules.loader import load_pack
from phongmay_rules.model import Threshold
from phongmay_store.register.compliance import State

PACK = load_pack("tanbinh-2023")
RESULTS = {(result.rule_id, result.case.name): result for result in run_cases(PACK)}


def _say(rule: str, case: str, language: str) -> str:
    return sentence(RESULTS[rule, case].judgement, PACK.rules[rule], language)


def test_what_was_measured_what_is_required_and_whose_figure() -> None:
    """A failing PC reads as a technician would say it, and the figure is the district's, not 762's."""
    assert _say("TB-01", "2 GB", "vi") == (
        "Không đạt: Dung lượng RAM theo cỡ bán trên thị trường: 2 GB; tối thiểu 4 GB (mức do quận đặt)."
    )
    assert _say("TB-01", "2 GB", "en") == "Fail: Memory as marketed: 2 GB; at least 4 GB (district setting)."
    assert _say("PH-01", "20 working PCs for 45 pupils", "en") == (
        "Fail: 20 of 20 PCs work; 23 needed for 45 pupils (district setting)."
    )


def test_unknown_says_why() -> None:
    """An unknown verdict gives its reason in place of a value."""
    assert _say("TB-07", "wireless", "en").startswith(
        "Unknown: Speed of the wired interface that leads to the Internet: wireless"
    )
    assert "có thể làm thay đổi kết luận" in _say("PH-02", "one of thirty is not known", "vi")


@dataclass(frozen=True)
class _Share:
    """A verdict about a share, as `sentence` needs it."""

    measured: dict[str, Any]
    required: dict[str, Any]
    evidence: list[Any] = field(default_factory=list)
    state: str = "fail"
    reason: str = "below"


@pytest.mark.parametrize(
    ("measured", "required", "text"),
    [
        ({"members": "rooms", "met": 1, "perhaps": 0, "total": 1}, {"operator": "at_least", "value": 1.0, "unit": "1"},
         "1 of 1 room meets it"),
        ({"members": "rooms", "met": 0, "perhaps": 0, "total": 2}, {"operator": "at_least", "value": 1.0, "unit": "1"},
         "0 of 2 rooms meet it"),
        ({"value": 1, "total": 1}, {"operator": "per_head", "value": 1, "heads": 1},
         "1 of 1 PC works; 1 needed for 1 pupil "),
        ({"value": 1, "total": 3}, {"operator": "per_head", "value": 2, "heads": 3},
         "1 of 3 PCs works; 2 needed for 3 pupils "),
        ({"value": 1, "total": 9, "perhaps": 5, "declared_only": 3, "in_repair": 2},
         {"operator": "per_head", "value": 2, "heads": 3},
         "1 of 9 PCs works, 5 not known (3 of them declared only), 2 in repair; 2 needed for 3 pupils "),
        ({"value": 1, "total": 9, "perhaps": 3, "declared_only": 3}, {"operator": "per_head", "value": 2, "heads": 3},
         "1 of 9 PCs works, 3 not known (declared only); 2 needed for 3 pupils "),
    ],
)  # fmt: skip
def test_english_knows_one_from_many(measured: dict[str, Any], required: dict[str, Any], text: str) -> None:
    """Noun and verb follow their number."""
    share = _Share(measured, {**required, "number_from": "plan"})
    assert text in sentence(share, PACK.rules["QU-01"], "en")


def test_inherited_origin_is_told() -> None:
    """A target of the plan that rests on district settings says both."""
    text = _say("QU-01", "one school lacks PCs", "vi")
    assert "mức theo Kế hoạch" in text
    assert "mức do quận đặt" in text


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_case_has_a_sentence(language: str) -> None:
    """Whatever a rule can come to can be said, in one sentence that begins with the state."""
    for result in RESULTS.values():
        text = sentence(result.judgement, PACK.rules[result.rule_id], language)
        assert text.startswith(state_name(result.judgement.state, language) + ": ")
        assert text.endswith(".")
        assert "None" not in text
        if result.case.kind is CaseKind.PASS:
            assert len(text) > 20


@pytest.mark.parametrize(
    ("value", "unit", "vi", "en"),
    [
        (4 * 1024**3, "B", "4 GB", "4 GB"),
        (1.5 * 1024**3, "B", "1,5 GB", "1.5 GB"),
        (64 * 10**9, "B", "64 GB", "64 GB"),
        (100e6, "bit/s", "100 Mbit/s", "100 Mbit/s"),
        (50e3, "bit/s", "50 kbit/s", "50 kbit/s"),
        (999_970, "bit/s", "1 Mbit/s", "1 Mbit/s"),
        (0, "bit/s", "0 Mbit/s", "0 Mbit/s"),
        (48_371_234.5, "bit/s", "48,4 Mbit/s", "48.4 Mbit/s"),
        (0.05, "s", "50 ms", "50 ms"),
        (0.0123456, "s", "12,3 ms", "12.3 ms"),
        (0, "s", "0 giây", "0 s"),
        (1.85, "m2", "1,85 m²", "1.85 m²"),
        (1.8472222, "m2", "1,8 m²", "1.8 m²"),
        (0.955, "ratio", "95,5%", "95.5 %"),
        (0.9995, "ratio", "99,95%", "99.95 %"),
        (2 / 3, "ratio", "66,7%", "66.7 %"),
        (2999 / 3000, "ratio", "99,97%", "99.97 %"),
        (1 / 99_999, "ratio", "0,001%", "0.001 %"),
        (0, "ratio", "0%", "0 %"),
        (1, "ratio", "100%", "100 %"),
        (900, "s", "15 phút", "15 min"),
        (360_000, "s", "100 giờ", "100 h"),
        (3 * 86400, "s", "3 ngày", "3 days"),
        (400_000, "s", "4,6 ngày", "4.6 days"),
        (10, "s", "10 giây", "10 s"),
        (-40, "d", "quá hạn 40 ngày", "over by 40 days"),
        (None, "B", "chưa rõ", "not known"),
    ],
)
def test_values_as_people_read_them(value: float | None, unit: str, vi: str, en: str) -> None:
    """Base units become marketed ones, with the decimal sign of the language; all but one is not all."""
    assert format_value(value, unit, "vi") == vi
    assert format_value(value, unit, "en") == en


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_limit_of_a_pack_is_shown_to_the_last_digit(language: str) -> None:
    """A figure of a law, or a bound, is never rounded: 1.85 m2 is not 1.9, 50 kbit/s are not 0.1 Mbit/s."""
    limits = {
        (check.unit, bound)
        for rule in PACK.rules.values()
        for check in rule.check
        if isinstance(check, Threshold)
        for bound in (check.bound.values() if isinstance(check.bound, Mapping) else [check.bound])
        if not isinstance(bound, str)
    }
    parameters = PACK.standard.parameters.values()
    limits |= {(one.unit, number) for one in parameters for number in (one.low, one.value, one.high)}
    assert {unit for unit, _ in limits} >= {Unit.SQUARE_METRE, Unit.BIT_PER_SECOND, Unit.RATIO, Unit.SECOND, Unit.COUNT}
    for unit, number in limits:
        if unit not in (Unit.NONE, Unit.BYTE):  # "GB" is said of memory and of disks
            text = format_value(number, unit, language)
            assert _read(text, unit) == pytest.approx(number, rel=1e-9), text


_FACTORS = {
    "Mbit/s": 1e6, "kbit/s": 1e3, "%": 0.01, "ms": 1e-3, "s": 1, "giây": 1, "min": 60, "phút": 60, "h": 3600,
    "giờ": 3600, "days": 86400, "ngày": 86400, "m²": 1, "bit": 1, "": 1,
}  # fmt: skip


def _read(text: str, unit: Unit) -> float:
    """Read a shown value back into its base unit."""
    found = re.fullmatch(r"([0-9.,]+) ?(.*)", text)
    assert found, text
    return float(found[1].replace(",", ".")) * (1 if unit is Unit.DAY else _FACTORS[found[2]])


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize(
    ("value", "limit", "unit", "shown"),
    [
        (0.7996, 0.8, "ratio", "79.96"), (0.999_99, 1.0, "ratio", "99.999"), (1.8472222, 1.85, "m2", "1.8"),
        (1.8666666, 1.87, "m2", "1.867"),
        (999_970.0, 1e6, "bit/s", "0.99997"), (24.04, 24.0, "1", "24.04"), (0.05004, 0.05, "s", "50.04"),
        (0.8, 0.8, "ratio", "80"), (0.75, 0.8, "ratio", "75"),
    ],
)  # fmt: skip
def test_a_value_is_told_apart_from_its_limit(value: float, limit: float, unit: str, shown: str, language: str) -> None:
    """No sentence says that 80 % fail at least 80 %: a value gets as many digits as it takes to differ."""
    measured = {"fact": "", "value": value, "unit": unit}
    required = {"operator": "at_least", "value": limit, "unit": unit, "number_from": "plan"}
    text = sentence(_Share(measured, required), PACK.rules["QU-01"], language)
    value_shown = format_beside(value, limit, unit, language)
    assert value_shown in text
    assert re.split(r"[^0-9.]", value_shown.replace(",", "."))[0] == shown
    assert (value_shown == format_value(limit, unit, language)) == (value == limit)


def test_every_state_has_a_name() -> None:
    """No state shows up as its code."""
    for state in State:
        assert state_name(state, "vi") != state.value
        assert state_name(state, "en") != state.value
