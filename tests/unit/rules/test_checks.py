"""The check kinds to the last field: what a verdict says it measured, demanded and rests on.

Long because all seven kinds are tried with the same few makers of facts and members.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from phongmay_contract.units import Unit
from phongmay_rules.checks import counting
from phongmay_rules.checks.count import count
from phongmay_rules.checks.one_of import one_of
from phongmay_rules.checks.outcome import BadParameterError, Context, Member, Outcome, Setting
from phongmay_rules.checks.per_head import per_head
from phongmay_rules.checks.presence import presence
from phongmay_rules.checks.share import share
from phongmay_rules.checks.threshold import threshold
from phongmay_rules.checks.window import window
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.facts.records import FactValue
from phongmay_rules.model import Count, NumberFrom, OneOf, PerHead, Presence, Share, Threshold, Window
from phongmay_rules.reasons import Reason
from phongmay_store.register.ageing import WEEK_S, Ageing
from phongmay_store.register.compliance import State
from phongmay_store.register.organisation import SchoolLevel

AT = 1_700_000_000.0
OURS, PLAN = NumberFrom.DISTRICT_SETTING, NumberFrom.PLAN
GIB = 2**30


def fact(name: str, value: float | str | None, missing: str = "", age: float = 0) -> FactValue:
    """Make a fact row."""
    return FactValue(7, name, value, missing, AT - age, "measured", ["s/r/1"], {"k": 1})


def context(
    facts: list[FactValue] | None = None, members: list[Member] | None = None, level: str = "thcs",
    **parameters: Setting,
) -> Context:  # fmt: skip
    """Make what a check looks at."""
    return Context({found.name: found for found in facts or []}, members or [], parameters, PLAN, level, AT)


def item(found: FactValue, **more: Any) -> dict[str, Any]:
    """Give the evidence that a fact leaves."""
    return {
        "fact_id": 7, "name": found.name, "value": found.value, "unit": FACTS[found.name].unit.value, "at": found.at,
        "source": "measured", "sources": ["s/r/1"], "detail": {"k": 1}, **more,
    }  # fmt: skip


RAM = Threshold(kind="threshold", fact="ram_marketed_bytes", unit=Unit.BYTE, at_least="ram_min")
RAM_MIN = Setting(4 * GIB, Unit.BYTE, OURS, "quan")


@pytest.mark.parametrize(
    ("value", "state", "reason"),
    [
        (4 * GIB, State.PASS, Reason.MET),
        (4 * GIB - 1, State.FAIL, Reason.BELOW),
        (5 * GIB, State.PASS, Reason.MET),
        (0, State.FAIL, Reason.BELOW),
    ],
)
def test_at_least(value: float, state: State, reason: Reason) -> None:
    """The limit meets the demand; the verdict says what was found, what is demanded, by whom, and where it is from."""
    found = fact("ram_marketed_bytes", value)
    assert threshold(RAM, context([found], ram_min=RAM_MIN)) == Outcome(
        state,
        reason,
        {"fact": "ram_marketed_bytes", "value": value, "unit": "B"},
        {"operator": "at_least", "value": 4 * GIB, "unit": "B", "number_from": "district_setting",
         "parameter": "ram_min", "set_by": "quan"},
        (item(found),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "state", "reason"),
    [(9, State.PASS, Reason.MET), (9.5, State.FAIL, Reason.ABOVE), (-1, State.PASS, Reason.MET)],
)
def test_at_most(value: float, state: State, reason: Reason) -> None:
    """A number in the rule itself is the rule's own figure and no parameter."""
    check = Threshold(kind="threshold", fact="os_support_days_left", unit=Unit.DAY, at_most=9)
    found = threshold(check, context([fact("os_support_days_left", value)]))
    assert (found.state, found.reason) == (state, reason)
    assert found.required == {"operator": "at_most", "value": 9, "unit": "d", "number_from": "plan"}


def test_at_most_nothing() -> None:
    """A limit of 0 is a limit, upwards and downwards."""
    least = Threshold(kind="threshold", fact="os_support_days_left", unit=Unit.DAY, at_least=0)
    most = Threshold(kind="threshold", fact="os_support_days_left", unit=Unit.DAY, at_most=0)
    for value, states in ((0, ("pass", "pass")), (1, ("pass", "fail")), (-1, ("fail", "pass"))):
        look = context([fact("os_support_days_left", value)])
        assert (threshold(least, look).state, threshold(most, look).state) == states
        assert threshold(least, look).required["value"] == threshold(most, look).required["value"] == 0


@pytest.mark.parametrize(
    ("found", "reason", "evidence"),
    [
        (None, Reason.NO_DATA, {"name": "ram_marketed_bytes", "value": None, "unit": "B", "missing": "no_data"}),
        (fact("ram_marketed_bytes", None, "size_not_told"), Reason.SIZE_NOT_TOLD, {"missing": "size_not_told"}),
        (fact("ram_marketed_bytes", None), Reason.NO_DATA, {"missing": "no_data"}),
        (fact("ram_marketed_bytes", 8 * GIB, "size_not_told"), Reason.SIZE_NOT_TOLD, {"missing": "size_not_told"}),
        (fact("ram_marketed_bytes", 8 * GIB, age=30 * 86400 + 1), Reason.STALE, {"missing": "stale"}),
        (fact("ram_marketed_bytes", "eight"), Reason.NO_DATA, {"missing": "no_data"}),
    ],
)
def test_no_value(found: FactValue | None, reason: Reason, evidence: dict[str, Any]) -> None:
    """Absent, missing, stale or a word: unknown, no value, and the evidence says why."""
    judged = threshold(RAM, context([found] if found else [], ram_min=RAM_MIN))
    assert (judged.state, judged.reason) == (State.UNKNOWN, reason)
    assert judged.measured == {"fact": "ram_marketed_bytes", "value": None, "unit": "B"}
    assert judged.required["value"] == 4 * GIB
    assert judged.evidence == ((item(found, **evidence) if found else evidence),)


def test_fresh_to_the_last_second() -> None:
    """30 days to the second are not stale; a fact that each run computes never is."""
    look = context([fact("ram_marketed_bytes", 8 * GIB, age=30 * 86400)], ram_min=RAM_MIN)
    assert threshold(RAM, look).state is State.PASS
    rooms = Threshold(kind="threshold", fact="computer_rooms", unit=Unit.COUNT, at_least=1)
    assert threshold(rooms, context([fact("computer_rooms", 1, age=1e9)])).state is State.PASS


def test_a_parameter_out_of_bounds_judges_nothing() -> None:
    """It is named, with its setting."""
    bad = Setting(1, Unit.BYTE, OURS, "quan", in_bounds=False)
    with pytest.raises(BadParameterError, match=r"^ram_min$") as error:
        threshold(RAM, context([fact("ram_marketed_bytes", 8 * GIB)], ram_min=bad))
    assert (error.value.name, error.value.setting) == ("ram_min", bad)


def test_declared_where_measured_is_meant_is_said() -> None:
    """A declared size stands in for a measured one and the verdict says so; what is always declared needs no remark."""
    for name, check, value in (
        ("ram_marketed_bytes", RAM, 8 * GIB),
        ("cpu_bits", OneOf(kind="one_of", fact="cpu_bits", unit=Unit.BIT, values=(64,)), 64),
    ):
        run = threshold if isinstance(check, Threshold) else one_of
        for source, remark in (("declared", {"declared": True}), ("measured", {})):
            found = FactValue(7, name, value, "", AT, source)
            judged = run(check, context([found], ram_min=RAM_MIN))  # type: ignore[operator]
            unit = FACTS[name].unit.value
            assert judged.measured == {"fact": name, "value": value, "unit": unit} | remark
    area = Threshold(kind="threshold", fact="area_m2", unit=FACTS["area_m2"].unit, at_least=50)
    judged = threshold(area, context([FactValue(7, "area_m2", 60, "", AT, "declared")]))
    assert "declared" not in judged.measured


def test_a_bound_for_each_level() -> None:
    """Each level of school has its own limit, a number or a parameter."""
    check = RAM.model_copy(update={"at_least": {SchoolLevel.THCS: "ram_min", SchoolLevel.TIEU_HOC: 2 * GIB}})
    found = fact("ram_marketed_bytes", 3 * GIB)
    lower = threshold(check, context([found], ram_min=RAM_MIN))
    primary = threshold(check, context([found], level="tieu_hoc", ram_min=RAM_MIN))
    assert (lower.state, lower.required["parameter"]) == (State.FAIL, "ram_min")
    assert (primary.state, primary.required["value"]) == (State.PASS, 2 * GIB)


def test_one_of() -> None:
    """Listed passes, not listed fails, unknown is unknown; the list stands in the demand."""
    check = OneOf(kind="one_of", fact="cpu_bits", unit=Unit.BIT, values=(64, 128))
    required = {"operator": "one_of", "values": [64, 128], "unit": "bit", "number_from": "plan"}
    for value, state, reason in (
        (64, State.PASS, Reason.MET),
        (128, State.PASS, Reason.MET),
        (32, State.FAIL, Reason.NOT_LISTED),
    ):
        found = fact("cpu_bits", value)
        measured = {"fact": "cpu_bits", "value": value, "unit": "bit"}
        assert one_of(check, context([found])) == Outcome(state, reason, measured, required, (item(found),))
    nothing = one_of(check, context())
    assert (nothing.state, nothing.reason, nothing.required) == (State.UNKNOWN, Reason.NO_DATA, required)
    assert nothing.measured == {"fact": "cpu_bits", "value": None, "unit": "bit"}
    told = one_of(check, context([fact("cpu_bits", None, "width_not_told")]))
    assert told.reason is Reason.WIDTH_NOT_TOLD


@pytest.mark.parametrize(
    ("heard", "silent", "state", "reason"),
    [
        (1, 900, State.PASS, Reason.MET),
        (1, 901, State.FAIL, Reason.SILENT),
        (0, 901, State.FAIL, Reason.NEVER_HEARD),
        (0, 900, State.UNKNOWN, Reason.NOT_HEARD_YET),
        (None, 901, State.UNKNOWN, Reason.NO_AGENT),
        (1, None, State.UNKNOWN, Reason.NO_AGENT),
    ],
)
def test_presence(heard: float | None, silent: float | None, state: State, reason: Reason) -> None:
    """Silence decides first, then whether it was heard at all."""
    check = Presence(
        kind="presence", heard="heard", silent="silent_expected_s", unit=Unit.SECOND, at_most="stale_after"
    )
    facts = [fact("heard", heard, "" if heard is not None else "no_agent"),
             fact("silent_expected_s", silent, "" if silent is not None else "no_agent")]  # fmt: skip
    judged = presence(check, context(facts, stale_after=Setting(900, Unit.SECOND, OURS)))
    assert (judged.state, judged.reason) == (state, reason)
    assert judged.measured == {"fact": "silent_expected_s", "value": silent, "unit": "s", "heard": heard}
    assert judged.required == {"operator": "at_most", "value": 900, "unit": "s", "number_from": "district_setting",
                               "parameter": "stale_after"}  # fmt: skip
    assert [piece["name"] for piece in judged.evidence] == ["silent_expected_s", "heard"]


WINDOW = Window(
    kind="window", fact="internet_reach_ratio", unit=Unit.RATIO, at_least=0.95, known="internet_known_s",
    known_min=1800, coverage="internet_coverage_ratio", coverage_min=0.5,
)  # fmt: skip


@pytest.mark.parametrize(
    ("reach", "known", "coverage", "state", "reason"),
    [
        (0.95, 1800, 0.5, State.PASS, Reason.MET),
        (0.94, 1800, 0.5, State.FAIL, Reason.BELOW),
        (0.1, 1799, 0.4, State.UNKNOWN, Reason.TOO_FEW),
        (0.1, 1800, 0.49, State.UNKNOWN, Reason.COVERAGE),
        (None, 1800, 0.5, State.UNKNOWN, Reason.NO_EXPECTED_TIME),
        (1.0, None, 0.5, State.UNKNOWN, Reason.NO_EXPECTED_TIME),
        (1.0, 1800, None, State.UNKNOWN, Reason.NO_EXPECTED_TIME),
    ],
)
def test_window(reach: float | None, known: float | None, coverage: float | None, state: State, reason: Reason) -> None:
    """Too little known time or coverage is unknown, however good or bad the share; each limit itself is enough."""
    values = {"internet_reach_ratio": reach, "internet_known_s": known, "internet_coverage_ratio": coverage}
    facts = [fact(name, value, "" if value is not None else "no_expected_time") for name, value in values.items()]
    judged = window(WINDOW, context(facts))
    assert (judged.state, judged.reason) == (state, reason)
    assert judged.measured == {"fact": "internet_reach_ratio", "value": reach, "unit": "ratio", "known_s": known,
                               "coverage": coverage}  # fmt: skip
    assert judged.required == {"operator": "at_least", "value": 0.95, "unit": "ratio", "number_from": "plan",
                               "known_min_s": 1800, "coverage_min": 0.5}  # fmt: skip
    assert [piece["name"] for piece in judged.evidence] == list(values)


def pc(name: str, state: str = "in_service", *, sort: str = "pc", agent: bool = True, **rules: list[str]) -> Member:
    """Make a member."""
    return Member("device", name, sort, state, agent, {key.replace("_", "-"): found for key, found in rules.items()})


PER_HEAD = PerHead(
    kind="per_head", of=("pc",), rules=("TB-09",), heads="class_size", heads_by_level={"tieu_hoc": "cap"},
    heads_per_device=2,
)  # fmt: skip
CAP = Setting(3, Unit.COUNT, NumberFrom.LAW)


def test_per_head_says_all() -> None:
    """Counts of working, uncertain, in repair and declared PCs (each once: a broken one without an agent is broken),
    the demand and each member's state."""
    members = [
        pc("d", TB_09=["fail"]),
        pc("a", TB_09=["pass"]),
        pc("b", "in_repair", TB_09=["pass"]),
        pc("c", agent=False, TB_09=["pass"]),
        pc("t", sort="teacher_pc", TB_09=["pass"]),
        pc("e", TB_09=["not_applicable"]),
        pc("f", "in_repair", agent=False),
        pc("g", agent=False, TB_09=["not_applicable"]),
    ]
    heads = fact("class_size", 5)
    judged = per_head(PER_HEAD, context([heads], members, cap=CAP))
    assert (judged.state, judged.reason) == (State.UNKNOWN, Reason.UNDECIDED)
    assert judged.measured == {"value": 1, "perhaps": 3, "total": 7, "unit": "1", "in_repair": 2, "declared_only": 2,
                               "states": {"fail": 3, "pass": 1, "unknown": 3}}  # fmt: skip
    assert judged.required == {"operator": "per_head", "value": 3, "unit": "1", "number_from": "plan", "heads": 5,
                               "heads_from": "declared", "heads_per_device": 2}  # fmt: skip
    assert judged.evidence == (
        item(heads),
        {"subject_kind": "device", "subject_id": "a", "state": "pass"},
        {"subject_kind": "device", "subject_id": "b", "state": "fail"},
        {"subject_kind": "device", "subject_id": "c", "state": "unknown"},
        {"subject_kind": "device", "subject_id": "d", "state": "fail", "rules": ["TB-09"]},
        {"subject_kind": "device", "subject_id": "e", "state": "unknown"},
        {"subject_kind": "device", "subject_id": "f", "state": "fail"},
        {"subject_kind": "device", "subject_id": "g", "state": "unknown"},
    )


@pytest.mark.parametrize(
    ("heads", "level", "working", "state", "reason"),
    [
        (4, "thcs", 2, State.PASS, Reason.MET),
        (5, "thcs", 2, State.FAIL, Reason.BELOW),
        (None, "tieu_hoc", 2, State.PASS, Reason.MET),
        (None, "tieu_hoc", 1, State.FAIL, Reason.BELOW),
        (4, "tieu_hoc", 2, State.PASS, Reason.MET),
        (None, "thcs", 8, State.UNKNOWN, Reason.NOT_DECLARED),
        (None, "thcs", 9, State.UNKNOWN, Reason.NO_DATA),
    ],
)
def test_heads(heads: float | None, level: str, working: int, state: State, reason: Reason) -> None:
    """Declared heads first, the level's cap where there are none, else unknown; half a PC is a whole one."""
    members = [pc(f"p{number}", TB_09=["pass"]) for number in range(working)]
    found = fact("class_size", heads, "" if heads else "not_declared" if working < 9 else "no_data")
    judged = per_head(PER_HEAD, context([found], members, level, cap=CAP))
    assert (judged.state, judged.reason) == (state, reason)
    known = heads or (3 if level == "tieu_hoc" else None)
    assert judged.required["heads"] == known
    assert judged.required["heads_from"] == ("declared" if heads or known is None else "cap")
    assert judged.required["value"] == (None if known is None else -(-known // 2))
    assert (judged.required["operator"], judged.required["unit"]) == ("per_head", "1")
    assert (judged.measured["value"], len(judged.evidence)) == (working, 1 + working)


def test_a_fraction_of_a_pc_does_not_become_one_by_rounding() -> None:
    """35 pupils at 0.7 pupils a PC are 50 PCs; floating point makes 50.000000000000007 of it."""
    check = PER_HEAD.model_copy(update={"heads_per_device": 0.7})
    judged = per_head(check, context([fact("class_size", 35)], [pc("a", TB_09=["pass"])], cap=CAP))
    assert judged.required["value"] == 50


SHARE = Share(kind="share", members="devices", of=("pc",), states=("in_service",), rules=("TB-01", "TB-03"),
              at_least=0.5)  # fmt: skip


def test_share_says_all() -> None:
    """The worst rule of a member is its state, not applicable leaves the count, and evidence blames the rules."""
    members = [
        pc("b", TB_01=["pass"], TB_03=["fail"]),
        pc("a", TB_01=["pass"], TB_03=["pass"]),
        pc("c", TB_01=["not_applicable"], TB_03=["not_applicable"]),
        pc("d", TB_01=["pass"]),
        pc("r", "in_repair", TB_01=["pass"], TB_03=["pass"]),
        pc("t", sort="teacher_pc", TB_01=["pass"], TB_03=["pass"]),
        pc("w", TB_01=["waived"], TB_03=["pass"]),
    ]
    judged = share(SHARE, context([], members))
    assert (judged.state, judged.reason) == (State.UNKNOWN, Reason.UNDECIDED)
    assert judged.measured == {
        "met": 1, "perhaps": 1, "total": 4, "unit": "ratio", "members": "devices", "value": 0.25,
        "states": {"fail": 1, "not_applicable": 1, "pass": 1, "unknown": 1, "waived": 1},
    }  # fmt: skip
    assert judged.required == {"operator": "at_least", "value": 0.5, "unit": "ratio", "number_from": "plan",
                               "rules": ["TB-01", "TB-03"]}  # fmt: skip
    device = {"subject_kind": "device"}
    assert judged.evidence == (
        device | {"subject_id": "a", "state": "pass"},
        device | {"subject_id": "b", "state": "fail", "rules": ["TB-03"]},
        device | {"subject_id": "c", "state": "not_applicable", "rules": ["TB-01", "TB-03"]},
        device | {"subject_id": "d", "state": "unknown", "rules": ["TB-03"]},
        device | {"subject_id": "w", "state": "waived", "rules": ["TB-01"]},
    )


@pytest.mark.parametrize(
    ("states", "least", "state", "reason"),
    [
        (["pass"] * 19 + ["fail"], 0.95, State.PASS, Reason.MET),
        (["pass"] * 95 + ["fail"] * 5, 0.95, State.PASS, Reason.MET),
        (["pass"] * 18 + ["fail"] * 2, 0.95, State.FAIL, Reason.BELOW),
        (["pass"] * 18 + ["fail", "unknown"], 0.95, State.UNKNOWN, Reason.UNDECIDED),
        ([], 0.95, State.UNKNOWN, Reason.NO_MEMBERS),
        (["not_applicable"], 0.95, State.NOT_APPLICABLE, Reason.NO_MEMBER_APPLIES),
    ],
)
def test_shares(states: list[str], least: float, state: State, reason: Reason) -> None:
    """Bounds decide; a share that is exactly enough is enough, whatever binary fractions make of it."""
    members = [pc(f"p{number:03}", TB_01=[found], TB_03=[found]) for number, found in enumerate(states)]
    judged = share(SHARE.model_copy(update={"at_least": least}), context([], members))
    assert (judged.state, judged.reason) == (state, reason)
    assert ("value" in judged.measured) is (judged.measured["total"] > 0)
    assert judged.required["value"] == least


def test_share_by_fact() -> None:
    """A yes/no fact decides; without agents only where they are wanted."""
    check = Share(kind="share", members="devices", with_agent=True, fact="reported_7d", at_least=1.0)
    members = [
        Member("device", "yes", facts={"reported_7d": fact("reported_7d", 1)}),
        Member("device", "no", facts={"reported_7d": fact("reported_7d", 0)}),
        Member("device", "gone", facts={"reported_7d": fact("reported_7d", 1, "no_agent")}),
        Member("device", "none"),
        Member("device", "null", facts={"reported_7d": fact("reported_7d", None)}),
        Member("device", "paper", has_agent=False, facts={"reported_7d": fact("reported_7d", 1)}),
    ]
    judged = share(check, context([], members))
    assert judged.measured["states"] == {"fail": 1, "pass": 1, "unknown": 3}
    both = share(check.model_copy(update={"with_agent": False}), context([], members))
    assert both.measured["states"] == {"fail": 1, "pass": 2, "unknown": 3}


def test_an_old_fact_of_a_member_is_not_known() -> None:
    """Also in a share a value counts up to its freshness and no second longer; closed time does not age it."""
    check = Share(kind="share", members="devices", fact="ram_marketed_bytes", at_least=1.0)
    limit = FACTS["ram_marketed_bytes"].freshness_s
    assert limit is not None
    members = [
        Member("device", name, facts={"ram_marketed_bytes": fact("ram_marketed_bytes", 1, age=age)})
        for name, age in (("fresh", limit), ("old", limit + 1))
    ]
    judged = share(check, context([], members))
    assert judged.measured["states"] == {"pass": 1, "unknown": 1}
    closed = dataclasses.replace(context([], members), ageing=Ageing(lambda day: (), WEEK_S))
    assert share(check, closed).measured["states"] == {"pass": 2}


@pytest.mark.parametrize(
    ("states", "state", "reason"),
    [
        (["pass", "pass", "fail"], State.PASS, Reason.MET),
        (["pass", "fail", "fail"], State.FAIL, Reason.BELOW),
        (["pass", "unknown", "fail"], State.UNKNOWN, Reason.UNDECIDED),
        (["pass", "not_applicable"], State.FAIL, Reason.BELOW),
        ([], State.FAIL, Reason.BELOW),
    ],
)
def test_count(states: list[str], state: State, reason: Reason) -> None:
    """Two rooms that pass are enough; other kinds of room and devices are not counted."""
    check = Count(kind="count", members="rooms", of=("smart_classroom",), rules=("PH-08",), at_least=2)
    rooms = [
        Member("room", f"r{number}", "smart_classroom", states={"PH-08": [found]})
        for number, found in enumerate(states)
    ]
    others = [Member("room", "o", "office", states={"PH-08": ["pass"]}), pc("d", PH_08=["pass"])]
    judged = count(check, context([], [*others, *rooms]))
    assert (judged.state, judged.reason) == (state, reason)
    met, perhaps = states.count("pass"), states.count("unknown")
    assert judged.measured == {
        "value": met, "met": met, "perhaps": perhaps, "total": len(states) - states.count("not_applicable"),
        "unit": "1", "members": "rooms", "states": {name: states.count(name) for name in sorted(set(states))},
    }  # fmt: skip
    assert judged.required == {"operator": "at_least", "value": 2, "unit": "1", "number_from": "plan",
                               "rules": ["PH-08"]}  # fmt: skip
    assert [(piece["subject_id"], piece["state"]) for piece in judged.evidence] == [
        (f"r{number}", found) for number, found in enumerate(states)
    ]


def test_counting() -> None:
    """The worst state counts; certain failures are fail and waived, everything else that is not pass is open."""
    order = ["fail", "waived", "error", "manual", "unknown", "pass"]
    for number, state in enumerate(order):
        assert counting.worst(order[number:]) == state
    assert counting.worst(["not_applicable"]) is counting.worst([]) is State.NOT_APPLICABLE
    found = counting.bounds([State(state) for state in [*order, "not_applicable", "pass"]])
    assert (found.surely, found.perhaps, found.total, found.at_most) == (2, 3, 7, 5)
    member = pc("a", TB_01=["pass", "fail"])
    assert counting.of_rule(member, "TB-01") == ["pass", "fail"]
    assert counting.of_rule(member, "TB-02") == (State.UNKNOWN,)
    assert counting.under_rules(member, ()) is State.NOT_APPLICABLE
