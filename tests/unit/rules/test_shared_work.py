"""What is worked out once for many: judging side by side, entries of a chain column by column."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phongmay_rules.chain import links
from phongmay_rules.checks.outcome import Context
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.facts.records import FactValue
from phongmay_rules.judging import Judgement, Subject, judge, judge_in
from phongmay_rules.loader import packs_in_force
from phongmay_rules.model import NumberFrom, Pack
from phongmay_rules.parameters import defaults
from phongmay_rules.settings import RulesSettings
from phongmay_store.register.chain import LinkKind
from phongmay_store.register.compliance import SubjectKind

AT = 1_764_000_000.0
DEVICE_FACTS = sorted(name for name, kind in FACTS.items() if kind.subject is SubjectKind.DEVICE)
VALUE = st.one_of(st.sampled_from([0, 1, 1.0, 0.5, 64, 2**33, 1e9, "word", None]), st.floats(0, 1e12))
WHY = st.sampled_from(["", "no_agent", "no_data"])
FACT = st.tuples(VALUE, WHY, st.floats(0, 1e7), st.sampled_from(["measured", "declared"]))
FOUND = st.dictionaries(st.sampled_from(DEVICE_FACTS), FACT)


@pytest.fixture(scope="module")
def pack() -> Pack:
    """Give all packs that are in force."""
    return packs_in_force(RulesSettings())


@settings(max_examples=60, deadline=None)
@given(found=st.lists(FOUND, min_size=1, max_size=4))
def test_judged_side_by_side_is_judged_alone(pack: Pack, found: list[dict[str, Any]]) -> None:
    """Law: who was judged before in the same context changes nothing in a verdict, to the last letter of its JSON."""
    parameters, subject = defaults(pack), Subject("device", "pc", "th", "pc", "thcs")
    several: list[dict[str, FactValue]] = [
        {
            name: FactValue(n, name, None if why else value, why, AT - age, source, ["s/r/1"], {"k": n})
            for n, (name, (value, why, age, source)) in enumerate(facts.items())
        }
        for facts in found
    ]
    for rule in pack.rules.values():
        if rule.subject.kind is SubjectKind.DEVICE:
            context = Context({}, (), parameters, rule.number_from, "thcs", AT)
            for facts in several:
                context.facts = facts
                together = judge_in(context, rule, subject, pack.inherited[rule.id])
                alone = judge(rule, subject, facts, (), parameters, AT, pack.inherited[rule.id])
                assert told(together) == told(alone)


def told(judgement: Judgement) -> bytes:
    """Give a judgement as it is stored."""
    return msgspec.json.encode(judgement, order="sorted")


TEXT = st.text(max_size=12)
WHEN = st.datetimes(timezones=st.just(UTC), min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1))  # noqa: DTZ001
JSON = st.dictionaries(TEXT, st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 2**53), TEXT))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT, JSON, WHEN), min_size=1, max_size=5))
def test_entries_by_column_are_entries_by_row(rows: list[tuple[str, str, dict[str, Any], datetime]]) -> None:
    """Law: whatever verdicts say, a link covers the same bytes whether rows are given one by one or by column."""
    whole = [
        {
            "id": number, "run_id": 7, "unit_id": f"đơn vị {unit}", "subject_kind": "device", "subject_id": subject,
            "rule_id": "TB-01", "state": "pass", "reason": "met", "measured": said, "required": {}, "evidence": [said],
            "rule_hash": "a", "pack_id": "p", "pack_hash": "b", "evaluated_at": at, "recorded_at": at,
        }
        for number, (unit, subject, said, at) in enumerate(rows)
    ]  # fmt: skip
    by_row = [links.entry(row["unit_id"], LinkKind.VERDICT, row) for row in whole]
    columns: dict[str, Any] = {name: [row[name] for row in whole] for name in whole[0]}
    for name in ("measured", "required", "evidence"):
        columns[name] = [links.canonical(value) for value in columns[name]]
    by_column = links.entries(LinkKind.VERDICT, columns)
    assert [one[:3] for one in by_column] == [one[:3] for one in by_row]
    assert [bytes(one.content) for one in by_column] == [bytes(one.content) for one in by_row]


def test_only_what_settings_decide_is_made_once(pack: Pack) -> None:
    """Law: a parameter that is in force for another school is read anew: contexts share nothing."""
    rule = pack.rules["TB-01"]
    facts = {"ram_marketed_bytes": FactValue(1, "ram_marketed_bytes", 4 * 2**30, "", AT)}
    subject, parameters = Subject("device", "pc", "th", "pc", "thcs"), defaults(pack)
    states = []
    for floor in (2.0**31, 2.0**33):
        changed = parameters | {"ram_min": replace(parameters["ram_min"], value=floor)}
        states.append(str(judge_in(Context(facts, (), changed, NumberFrom.PLAN, "thcs", AT), rule, subject).state))
    assert states == ["pass", "fail"]
