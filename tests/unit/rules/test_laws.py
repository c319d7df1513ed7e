"""Laws that hold for every input, found wanting by random search if they do not."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from phongmay_contract.units import GB, GIB
from phongmay_rules.checks.outcome import Member
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.facts.network import Expected, last_day, reach_facts
from phongmay_rules.facts.presence import quantised
from phongmay_rules.facts.records import FactValue
from phongmay_rules.facts.sizes import MEMORY_STEPS, marketed_disk, marketed_memory
from phongmay_rules.judging import Judgement, Subject, judge
from phongmay_rules.loader import load_pack
from phongmay_rules.model import Rule
from phongmay_rules.parameters import defaults
from phongmay_rules.summary import Shares
from phongmay_store.register.compliance import State, SubjectKind
from phongmay_store.register.timetable import parse
from phongmay_store.series.interface import Minutes
from tests.unit.rules.reached import reach_of

PACK = load_pack("tanbinh-2023")
AT = 1_700_000_000.0
RANK = {State.FAIL: 0, State.UNKNOWN: 1, State.PASS: 2}
MORE_IS_BETTER = {
    "TB-01": ("ram_marketed_bytes", 64 * GIB),
    "TB-02": ("cpu_threads", 64),
    "TB-03": ("system_disk_marketed_bytes", 4000 * GB),
    "TB-05": ("os_support_days_left", 3000),
    "TB-07": ("link_speed_bps", 10**10),
    "TB-08": ("internet_reach_ratio", 1),
    "TB-10": ("availability_30d_ratio", 1),
}
STATES = st.sampled_from([State.PASS, State.FAIL, State.UNKNOWN, State.NOT_APPLICABLE, State.WAIVED, State.ERROR])


def _facts(**values: float | None) -> dict[str, FactValue]:
    return {
        name: FactValue(0, name, value, "" if value is not None else "no_data", AT) for name, value in values.items()
    }


GOOD = _facts(
    ram_marketed_bytes=8 * GIB, cpu_bits=64, cpu_threads=4, system_disk_marketed_bytes=240 * GB,
    os_support_days_left=300, link_speed_bps=10**9, internet_reach_ratio=1.0, internet_known_s=28_800,
    internet_coverage_ratio=1.0, heard=1, silent_expected_s=0, reported_7d=1, works_7d=1,
    system_volume_free_ratio=0.5, system_volume_free_bytes=100 * GB, screen_width_px=1920, screen_height_px=1080,
    availability_30d_ratio=1.0, availability_30d_known_s=144_000, availability_30d_coverage_ratio=1.0,
    record_fields_missing=0,
)  # fmt: skip


def _judge(rule: Rule, facts: dict[str, FactValue], members: list[Member] | None = None) -> Judgement:
    subject = Subject(rule.subject.kind, "x", "u", rule.subject.of[0] if rule.subject.of else "", "thcs")
    return judge(rule, subject, facts, members or [], defaults(PACK), AT)


@given(st.sampled_from(sorted(MORE_IS_BETTER)), st.data())
def test_better_is_never_judged_worse(rule: str, data: st.DataObject) -> None:
    """More memory, disk, speed, support or reach never worsens a verdict."""
    name, top = MORE_IS_BETTER[rule]
    values = st.floats(-1000 if name == "os_support_days_left" else 0, top)
    low, high = sorted((data.draw(values), data.draw(values)))
    worse = _judge(PACK.rules[rule], GOOD | _facts(**{name: low}))
    better = _judge(PACK.rules[rule], GOOD | _facts(**{name: high}))
    assert RANK[better.state] >= RANK[worse.state]


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_longer_silence_is_never_judged_better(first: float, second: float) -> None:
    """More silence never improves TB-09."""
    short, long = sorted((first, second))
    rule = PACK.rules["TB-09"]
    before = _judge(rule, GOOD | _facts(silent_expected_s=short))
    after = _judge(rule, GOOD | _facts(silent_expected_s=long))
    assert RANK[after.state] <= RANK[before.state]


@given(st.sampled_from([r.id for r in PACK.rules.values() if r.subject.kind is SubjectKind.DEVICE]), st.data())
def test_missing_data_never_passes(rule: str, data: st.DataObject) -> None:
    """Take away or age any fact that a rule reads, and it does not pass any more."""
    fields = [value for check in PACK.rules[rule].check for value in check.model_dump().values()]
    read = [name for name in fields if isinstance(name, str) and name in FACTS]
    name = data.draw(st.sampled_from(read))
    ways: list[dict[str, FactValue]] = [_facts(**{name: None})]
    if FACTS[name].freshness_s is not None:
        ways.append({name: FactValue(0, name, GOOD[name].value, "", AT - (FACTS[name].freshness_s or 0) - 1)})
    assert _judge(PACK.rules[rule], GOOD).state is State.PASS
    assert _judge(PACK.rules[rule], GOOD | data.draw(st.sampled_from(ways))).state is State.UNKNOWN
    assert _judge(PACK.rules[rule], {key: fact for key, fact in GOOD.items() if key != name}).state is State.UNKNOWN


def _members(states: list[State], rule: Rule) -> list[Member]:
    reads = rule.reads_rules()
    return [
        Member("device", f"d{number:03}", "pc", "in_service", True, {read: [state.value] for read in reads})
        for number, state in enumerate(states)
    ]


@given(st.sampled_from(["PH-01", "PH-02"]), st.lists(STATES, max_size=40), st.integers(0, 2**32))
def test_order_of_members_is_irrelevant(rule: str, states: list[State], seed: int) -> None:
    """The same members in any order give the identical judgement, to the last piece of evidence."""
    members = _members(states, PACK.rules[rule])
    mixed = list(members)
    random.Random(seed).shuffle(mixed)
    facts = _facts(class_size=20)
    assert _judge(PACK.rules[rule], facts, members) == _judge(PACK.rules[rule], facts, mixed)


@given(st.sampled_from(["PH-01", "PH-02"]), st.lists(STATES, min_size=1, max_size=40), st.data())
def test_bounds(rule: str, states: list[State], data: st.DataObject) -> None:
    """A decided aggregate stays decided the same way, however what is not known turns out."""
    facts = _facts(class_size=20)
    judged = _judge(PACK.rules[rule], facts, _members(states, PACK.rules[rule]))
    open_states = (
        (State.UNKNOWN, State.ERROR) if rule == "PH-02" else (State.UNKNOWN, State.ERROR, State.NOT_APPLICABLE)
    )
    outcome = [
        data.draw(st.sampled_from([State.PASS, State.FAIL])) if state in open_states else state for state in states
    ]
    after = _judge(PACK.rules[rule], facts, _members(outcome, PACK.rules[rule]))
    if judged.state in (State.PASS, State.FAIL):
        assert after.state is judged.state
    counted = judged.measured["states"]
    assert sum(counted.values()) == len(states)


@given(st.lists(st.tuples(st.sampled_from([state.value for state in State]), st.integers(0, 50))))
def test_shares_sum_to_the_whole(parts: list[tuple[str, int]]) -> None:
    """Shares of all states add up to one, and no state is left out."""
    shares = Shares()
    for state, count in parts:
        shares.add(state, count)
    assert shares.total == sum(count for _, count in parts)
    total = sum(shares.share(state.value) for state in State)
    assert abs(total - 1) < 1e-9 or (shares.total == 0 and total == 0)


@given(st.integers(1, 2**41), st.integers(1, 2**41))
def test_marketed_sizes_grow_with_what_is_reported(first: int, second: int) -> None:
    """A larger report never becomes a smaller marketed size."""
    low, high = sorted((first, second))
    assert marketed_memory(low) <= marketed_memory(high)
    assert marketed_disk(low) <= marketed_disk(high)


@given(st.sampled_from(MEMORY_STEPS), st.floats(0.01, 1))
def test_memory_is_never_claimed_beyond_what_is_installed(installed: int, part: float) -> None:
    """Whatever part of a machine's memory its system reports, the marketed size is at most what is installed."""
    assert marketed_memory(int(installed * part)) <= installed


@given(st.floats(0, 5e6), st.floats(0, 5e6), st.floats(1, 3600))
def test_silence_is_rounded_down_and_never_backwards(first: float, second: float, interval: float) -> None:
    """Quantised silence is at most the true one, close to it, and never falls while silence grows."""
    low, high = sorted((first, second))
    assert quantised(low, interval) <= quantised(high, interval)
    assert quantised(high, interval) <= high
    assert high - quantised(high, interval) < max(2 * interval, high / 8)


MASK = st.integers(0, (1 << 60) - 1)


@given(st.lists(st.tuples(MASK, MASK), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_reach_does_not_depend_on_order(masks: list[tuple[int, int]], chance: random.Random) -> None:
    """Hours in any order, and minutes that were sent twice, give the same facts; a missed minute is never reached."""
    start = 1_700_000_000 // 3600 * 3600
    hours = [Minutes("d", start + 3600 * n, up | down, up, down) for n, (up, down) in enumerate(masks)]
    end = start + 3600.0 * len(hours)
    expected = Expected(start, end, {hour.hour: (1 << 60) - 1 for hour in hours})
    facts = reach_facts(reach_of(hours), expected, 0.0, end)
    mixed = list(hours) * 2
    chance.shuffle(mixed)
    assert reach_facts(reach_of(mixed), expected, 0.0, end) == facts
    detail = facts[1].detail
    assert detail["minutes_reached"] == sum((up & ~down).bit_count() for up, down in masks)
    assert detail["minutes_reached"] <= detail["minutes_known"] <= detail["minutes_expected"] == 60 * len(masks)


@given(st.integers(0, 14 * 1440))
def test_last_day_ends_in_use_and_not_in_the_future(minute: int) -> None:
    """At any moment the last day ends with time in use that is over, and expects at most a day's lessons."""
    at = 1_795_000_000 + 60.0 * minute
    day = last_day(parse("Mon-Fri 07:00-11:30 13:00-16:30"), at)
    assert day is not None
    assert day.start < day.end <= at
    assert 0 < sum(mask.bit_count() for mask in day.masks.values()) <= 8 * 60
