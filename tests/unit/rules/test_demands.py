"""Demands that an organisation makes or not, and figures that must be exceeded: thresholds, settings and words."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from phongmay_contract.units import Unit
from phongmay_rules.checks.outcome import BadParameterError, Context, Outcome, Setting
from phongmay_rules.checks.threshold import threshold
from phongmay_rules.consistency import check_standard
from phongmay_rules.errors import PackError
from phongmay_rules.explain import sentence
from phongmay_rules.facts.records import FactValue
from phongmay_rules.judging import Subject, judge
from phongmay_rules.loader import load_packs, shipped_packs
from phongmay_rules.model import NumberFrom, Threshold
from phongmay_rules.parameters import defaults, with_overrides
from phongmay_rules.reasons import Reason
from phongmay_rules.setting import SettingError, read_typed, require_settable, typed
from phongmay_store.register.compliance import State

PACK = load_packs(shipped_packs())
AT = 1_700_000_000.0
OURS, LAW = NumberFrom.DISTRICT_SETTING, NumberFrom.LAW
SOUND = Threshold(kind="threshold", fact="has_audio", unit=Unit.NONE, at_least=1, demanded_by="smart_audio")
PARTS = {
    "has_display": "smart_display", "has_teacher_pc": "smart_teacher_pc", "has_internet": "smart_internet",
    "has_audio": "smart_audio", "has_camera": "smart_camera", "has_signal_equipment": "smart_signal",
}  # fmt: skip
"""Every component that is known, and what demands it."""
ROOM = Subject("room", "r", "th", "smart_classroom", "thcs")


def fact(name: str, value: float | None, missing: str = "") -> FactValue:
    """Make a fact row."""
    return FactValue(7, name, value, missing, AT, "declared")


def look(facts: list[FactValue], **parameters: Setting) -> Context:
    """Make what a check looks at; the rule's own figures are the law's."""
    return Context({found.name: found for found in facts}, [], parameters, LAW, "thcs", AT)


def demand(value: float, **more: object) -> Setting:
    """Set the demand for audio."""
    return Setting(value, Unit.NONE, OURS, "quan", source="QĐ 1", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "facts", [[], [fact("has_audio", 0)], [fact("has_audio", 1)], [fact("has_audio", None, "stale")]]
)
def test_what_is_not_demanded_is_not_looked_at(facts: list[FactValue]) -> None:
    """Present, absent or unknown: the check does not apply, names whose setting that is, and rests on nothing."""
    assert threshold(SOUND, look(facts, smart_audio=demand(0))) == Outcome(
        State.NOT_APPLICABLE, Reason.NOT_DEMANDED, {"fact": "has_audio"},
        {"operator": "demanded", "value": 0, "unit": "", "number_from": "district_setting", "parameter": "smart_audio",
         "set_by": "quan", "source": "QĐ 1"}, (),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "state", "reason"),
    [(1, State.PASS, Reason.MET), (0, State.FAIL, Reason.BELOW), (None, State.UNKNOWN, Reason.NOT_DECLARED)],
)
def test_what_is_demanded_is_whose_demand_it_is(value: float | None, state: State, reason: Reason) -> None:
    """A demanded component is judged like any fact; the verdict names who demands it, not whose figure a yes is."""
    found = threshold(SOUND, look([fact("has_audio", value, "" if value is not None else "not_declared")],
                                  smart_audio=demand(1)))  # fmt: skip
    assert (found.state, found.reason, len(found.evidence)) == (state, reason, 1)
    assert found.required == {
        "operator": "at_least", "value": 1, "unit": "", "number_from": "district_setting", "parameter": "smart_audio",
        "set_by": "quan", "source": "QĐ 1",
    }  # fmt: skip


def test_a_demand_out_of_bounds_judges_nothing() -> None:
    """It is named, as any parameter is."""
    with pytest.raises(BadParameterError, match=r"^smart_audio$"):
        threshold(SOUND, look([fact("has_audio", 1)], smart_audio=demand(2, in_bounds=False)))


@pytest.mark.parametrize(
    ("value", "state", "reason"),
    [
        (math.nextafter(0.7, 1), State.PASS, Reason.MET),
        (0.7, State.FAIL, Reason.BELOW),
        (math.nextafter(0.7, 0), State.FAIL, Reason.BELOW),
        (7 / 10, State.FAIL, Reason.BELOW),
    ],
)
def test_above_is_more_than(value: float, state: State, reason: Reason) -> None:
    """Exactly the figure is not above it, however the share came about."""
    check = Threshold(kind="threshold", fact="equipped_classrooms_ratio", unit=Unit.RATIO, above=0.7)
    found = threshold(check, look([fact("equipped_classrooms_ratio", value)]))
    assert (found.state, found.reason) == (state, reason)
    assert found.required == {"operator": "above", "value": 0.7, "unit": "ratio", "number_from": "law"}


def test_tr_17_says_above() -> None:
    """At exactly 70 % the sentence says that more than that is needed, in both languages."""
    rule = PACK.rules["TR-17"]
    school = Subject("school", "th", "th", level="thcs")
    name = "equipped_classrooms_ratio"
    judged = judge(rule, school, {name: fact(name, 0.7)}, (), defaults(PACK), AT)
    assert judged.state is State.FAIL
    assert "trên 70%" in sentence(judged, rule, "vi")
    assert "above 70 %" in sentence(judged, rule, "en")


@pytest.mark.parametrize("part", PARTS)
def test_each_component_is_the_organisations_to_demand(part: str) -> None:
    """Of a room that lacks one component, and of which nothing is known about one, only a demand makes a verdict."""
    rule = PACK.rules["PH-08"]
    assert {check.fact: check.demanded_by for check in rule.check if isinstance(check, Threshold)} == PARTS
    others = {name: fact(name, 1) for name in PARTS if name != part}
    for value in (0, None):
        facts = others | {part: fact(part, value, "" if value == 0 else "not_declared")}
        wanted = judge(rule, ROOM, facts, (), with_overrides(PACK, {PARTS[part]: 1}, "quan"), AT)
        assert wanted.state is (State.FAIL if value == 0 else State.UNKNOWN)
        assert wanted.required["parameter"] == PARTS[part]
        waved = judge(rule, ROOM, facts, (), with_overrides(PACK, {PARTS[part]: 0}, "quan"), AT)
        assert waved.state is State.PASS


def test_who_demands_nothing_is_told_so() -> None:
    """A rule of which nothing is demanded does not apply, and the sentence says why, in both languages."""
    rule = PACK.rules["PH-08"]
    judged = judge(rule, ROOM, {}, (), with_overrides(PACK, dict.fromkeys(PARTS.values(), 0), "quan"), AT)
    assert (judged.state, judged.reason, judged.evidence) == (State.NOT_APPLICABLE, Reason.NOT_DEMANDED, [])
    assert sentence(judged, rule, "vi") == f"Không áp dụng: đơn vị không yêu cầu ({rule.title.vi})."
    assert sentence(judged, rule, "en") == (
        f"Not applicable: not demanded by the unit's settings ({rule.title.en})."
    )  # fmt: skip


def test_a_demand_is_yes_or_no() -> None:
    """It is typed and written as a word, and nothing between yes and no can be set."""
    declared = PACK.standard.parameters["smart_camera"]
    for language, yes, no in (("vi", "có", "không"), ("en", "yes", "no")):
        assert (typed(declared, 1, language), typed(declared, 0, language)) == (yes, no)
        for text, value in ((yes, 1), (no, 0), (f" {yes.upper()} ", 1), ("1", 1), ("0", 0)):
            assert read_typed(declared, text, language) == value
    with pytest.raises(SettingError):
        read_typed(declared, "perhaps", "en")
    for value in (0.5, 2, -1):
        with pytest.raises(SettingError, match="expected 1"):
            require_settable(PACK, "smart_camera", value)
    require_settable(PACK, "smart_camera", 1)


@pytest.mark.parametrize("key", ["value", "low", "high"])
def test_a_pack_says_yes_or_no_too(key: str) -> None:
    """Half a demand is refused when the pack is loaded, with file, key and what was expected."""
    declared = PACK.standard.parameters["smart_camera"].model_copy(update={"high": 1, key: 0.5})
    standard = PACK.standard.model_copy(update={"parameters": {"smart_camera": declared}})
    said = rf"standard.toml: key 'parameters.smart_camera.{key}' is 0.5, expected: 1 \(yes\) or 0 \(no\)"
    with pytest.raises(PackError, match=said):
        check_standard(standard, PACK.standard, Path("standard.toml"))
