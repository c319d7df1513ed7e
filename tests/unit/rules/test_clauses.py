"""Clauses as a whole: what is not checked is never hidden, and a person's word is never a pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from phongmay_rules.clauses import ClauseStanding, count, standings
from phongmay_rules.loader import load_packs
from phongmay_rules.model import Assessment, Pack
from phongmay_rules.settings import RulesSettings
from phongmay_rules.summary import Shares, Summary
from phongmay_store.register.compliance import State
from phongmay_store.register.decisions import Attestation

pytestmark = pytest.mark.one_register

NOW = datetime(2026, 11, 28, 8, tzinfo=UTC)
PARTIAL, MANUAL, OFF = "KH-I.1-2", "KH-I.2.a-1", "FCC-1000"


@pytest.fixture(scope="module")
def pack() -> Pack:
    """The shipped packs."""
    return load_packs(RulesSettings().packs)


def summary(judged: bool = True, **states: tuple[str, ...]) -> Summary:
    """A summary in which rules (with _ for -) have verdicts of these states."""
    rules = {}
    for rule, found in states.items():
        shares = rules.setdefault(rule.replace("_", "-"), Shares())
        for state in found:
            shares.add(state)
    return Summary("unit-a", {}, rules, NOW if judged else None)


def one(pack: Pack, clause: str, found: Summary, stated: dict[str, Attestation] | None = None) -> ClauseStanding:
    """The standing on one clause."""
    return next(row for row in standings(pack, found, stated or {}) if row.clause.id == clause)


def said(met: bool) -> dict[str, Attestation]:
    """A statement on every clause of these tests."""
    row = Attestation(unit_id="unit-a", met=met, statement="Đã kiểm tra", signed_by="quan")
    return {PARTIAL: row, MANUAL: row}


def test_every_clause_of_every_pack_is_there_once(pack: Pack) -> None:
    """A catalogue without the clauses that no machine judges would make every share too good."""
    found = standings(pack, summary(), {})
    assert [row.clause.id for row in found] == list(pack.clauses)
    assert count(found).total == len(pack.clauses) > 80
    assert count(found).counts[State.MANUAL] == sum(c.assessment is Assessment.MANUAL for c in pack.clauses.values())


@pytest.mark.parametrize(
    ("day", "old", "new"),
    [(date(2025, 9, 1), ("PH-06",), ()), (date(2025, 9, 2), (), ("PH-06b",)), (date(2026, 11, 28), (), ("PH-06b",))],
)
def test_rules_that_are_not_in_force_judge_nothing(
    pack: Pack, day: date, old: tuple[str, ...], new: tuple[str, ...]
) -> None:
    """Circular 14/2020 is judged until 1 September 2025, its successor from the 2nd: no rule stands beside a clause
    that it does not judge on that day."""
    rules = {row.clause.id: row.rules for row in standings(pack, summary(), {}, day)}
    assert (rules["TT14-2020-5.1a"], rules["TT14-2025-ROOM"]) == (old, new)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (("pass", "fail", "unknown"), State.FAIL),
        (("pass", "unknown"), State.UNKNOWN),
        (("pass", "error", "unknown"), State.ERROR),
        (("pass", "waived"), State.WAIVED),
        (("pass",), State.MANUAL),
        (("pass", "not_applicable"), State.MANUAL),
    ],
)
def test_a_clause_takes_the_worst_state_and_a_part_that_passes_is_not_the_whole(
    pack: Pack, states: tuple[str, ...], expected: State
) -> None:
    """Of a partly measured clause the rest is a person's word, whatever the machine says; waived is not met."""
    assert one(pack, PARTIAL, summary(TB_01=states)).state is expected


@pytest.mark.parametrize("met", [True, False])
def test_a_statement_is_shown_and_changes_no_state(pack: Pack, met: bool) -> None:
    """A signature cannot turn a failing, unknown or unmeasured clause into a pass."""
    for clause, found in ((PARTIAL, summary(TB_01=("fail",))), (PARTIAL, summary(TB_01=("unknown",))),
                          (MANUAL, summary())):  # fmt: skip
        without, stated = one(pack, clause, found), one(pack, clause, found, said(met))
        assert stated.state is without.state
        assert stated.state is not State.PASS
        assert stated.stated is not None
        assert stated.stated.met is met


def test_nothing_judged_is_unknown_until_an_engine_has_looked(pack: Pack) -> None:
    """Before the first evaluation nothing is known; afterwards a clause without verdicts here does not apply here."""
    assert one(pack, PARTIAL, summary(judged=False)).state is State.UNKNOWN
    assert one(pack, PARTIAL, summary()).state is State.NOT_APPLICABLE
    assert one(pack, MANUAL, summary(judged=False)).state is State.MANUAL


def test_rules_that_are_switched_off_judge_no_clause(pack: Pack) -> None:
    """An optional rule that nobody asked for must not appear as if it were judged."""
    for row in standings(pack, summary(), {}):
        assert set(row.rules) <= pack.active


@pytest.mark.parametrize("states", [(), ("pass",)])
def test_a_clause_whose_rule_is_switched_off_is_unknown_and_names_the_rule(pack: Pack, states: tuple[str, ...]) -> None:
    """Nobody looked, so it is neither met nor does it not apply, also where verdicts of an earlier day are left."""
    found = one(pack, OFF, summary(TR_06b=states) if states else summary())
    assert (found.state, found.rules, found.off) == (State.UNKNOWN, (), ("TR-06b",))
    assert {row.clause.id: row.off for row in standings(pack, summary(), {}) if row.off} == {
        "FCC-1000": ("TR-06b",), "DFE-SPEED": ("TR-06c",), "QD4725-1.7": ("TR-17",),
    }  # fmt: skip


def test_a_clause_of_which_a_part_is_switched_off_is_not_met(pack: Pack) -> None:
    """What passes covers the rules that were judged; a rule beside them that is off leaves the clause open."""
    half = replace(pack, active=pack.active - {"TB-02"})
    assert one(half, PARTIAL, summary(TB_01=("pass",))).state is State.UNKNOWN
    assert one(half, PARTIAL, summary(TB_01=("not_applicable",))).state is State.UNKNOWN
    assert one(half, PARTIAL, summary(TB_01=("fail",))).state is State.FAIL
    assert "TB-02" in one(half, PARTIAL, summary(TB_01=("fail",))).off


def test_a_rule_that_is_switched_on_or_over_is_not_called_switched_off() -> None:
    """rules.optional turns it on; a rule of the past is over, whatever the settings say."""
    on = load_packs(RulesSettings().packs, ["TR-06b"])
    assert one(on, OFF, summary(TR_06b=("pass",))).off == ()
    assert one(on, OFF, summary(TR_06b=("pass",))).state is State.MANUAL, "a partly measured one"
    assert next(row for row in standings(on, summary(), {}) if row.clause.id == "TT14-2020-5.1a").off == ()
