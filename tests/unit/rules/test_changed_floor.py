"""A stored floor run held against a lower floor than the one of its day, to the last field."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phongmay_bandwidth.evidence import SUM_SHARE
from phongmay_bandwidth.figures import PASS_SHARE
from phongmay_rules.facts.campaigns import at_floor
from phongmay_rules.runs import LineRun, RoomOutcome

from .campaign_runs import FLOOR, run

HALF = FLOOR / 2
ENOUGH = SUM_SHARE / 2
"""Share of the old order that makes the line pass at half of it."""


def failed_run(reached: dict[str, float], *, line_share: float | None = ENOUGH, **more: object) -> LineRun:
    """Give a run that failed at the full floor; each PC of `reached` got that share of its pace."""
    room = RoomOutcome(frozenset("abcd") - set(reached), frozenset(reached), 0.4e6, reached)
    return run(1, "fail", failed="".join(reached), rooms={"r1": room}, line_share=line_share, **more)


def as_passed(one: LineRun, needed: float = HALF, **more: object) -> LineRun:
    """Give the run when all of its PCs had enough at the lower floor."""
    rooms = {
        name: replace(room, passed=room.passed | room.failed, failed=frozenset()) for name, room in one.rooms.items()
    }
    changes = {"floor_bps": needed, "pace_bps": one.pace_bps * needed / FLOOR, "rooms": rooms, "below": frozenset()}
    return replace(one, **(changes | more))  # type: ignore[arg-type] # fields of the dataclass


@pytest.mark.parametrize("needed", [FLOOR, FLOOR + 1, 2 * FLOOR, 0.0, -1.0])
def test_no_other_floor_changes_nothing(needed: float) -> None:
    """The same floor, a higher one and none at all leave a run as it is, also one that failed."""
    one = failed_run({"b": 1.0})
    assert at_floor(one, needed) is one


def test_a_run_without_a_failure_stays_as_it_is() -> None:
    """What passed at a floor passed at every lower one; its own floor still says how much it shows."""
    one = run(1)
    assert at_floor(one, HALF) is one


@pytest.mark.parametrize("needed", [0.5, 1.0, HALF, FLOOR - 1])
def test_whoever_had_enough_passes(needed: float) -> None:
    """PCs and line that reached the lower floor pass it; floor and pace are scaled, what was measured stays."""
    one = failed_run({"b": PASS_SHARE * needed / FLOOR, "c": 1.0}, line_share=SUM_SHARE * (needed / FLOOR))
    assert at_floor(one, needed) == as_passed(one, needed, verdict="pass", line_verdict="pass")


def test_who_stays_below_fails_alone() -> None:
    """One PC below the lower floor keeps the run failed and its directions below; the others pass in their room."""
    less = PASS_SHARE / 2 - 1e-9
    one = failed_run({"b": less, "c": PASS_SHARE / 2})
    found = at_floor(one, HALF)
    room = replace(one.rooms["r1"], passed=frozenset("acd"), failed=frozenset("b"))
    assert found == replace(one, floor_bps=HALF, pace_bps=one.pace_bps / 2, rooms={"r1": room})
    assert found.below == {"down"}
    assert (found.verdict, found.line_verdict) == ("fail", "fail")


def test_a_pc_whose_rate_is_not_known_stays_failed() -> None:
    """Without a stored rate nobody can say that it had enough, however low the floor has become."""
    one = failed_run({"b": 1.0})
    unknown = replace(one, rooms={"r1": replace(one.rooms["r1"], reached={})})
    found = at_floor(unknown, 1.0)
    assert found.rooms["r1"].failed == {"b"}
    assert found.verdict == "fail"


@pytest.mark.parametrize("line_share", [None, ENOUGH - 1e-9])
def test_a_line_that_did_not_carry_it_stays_failed(line_share: float | None) -> None:
    """All PCs had enough, but what the line carried is not known, or less than the lower floor orders."""
    one = failed_run({"b": 1.0}, line_share=line_share)
    assert at_floor(one, HALF) == as_passed(one, below=one.below)


def test_verdicts_that_had_not_failed_stay() -> None:
    """A line that passed already still passes, and a run that passed with a slow PC does not become another."""
    innocent = failed_run({"b": 1.0}, line="pass")
    assert at_floor(innocent, HALF) == as_passed(innocent, verdict="pass")
    unsure = failed_run({"b": 1.0}, line="insufficient")
    assert at_floor(unsure, HALF).line_verdict == "insufficient"
    slow = replace(failed_run({"b": 1.0}), verdict="insufficient", line_verdict="pass")
    assert at_floor(slow, HALF) == as_passed(slow)
    still = replace(failed_run({"b": 0.1}), line_verdict="pass")
    assert (at_floor(still, HALF).verdict, at_floor(still, HALF).line_verdict) == ("fail", "pass")


def test_a_line_that_failed_without_a_slow_pc() -> None:
    """The verdict alone says that the run failed: its line is held against the lower floor all the same."""
    one = run(1, "fail", line_share=ENOUGH)
    assert at_floor(one, HALF) == as_passed(one, verdict="pass", line_verdict="pass")


def test_each_room_by_itself() -> None:
    """A room whose PCs all had enough has passed, also when a PC of another one has not."""
    first = failed_run({"b": 0.6})
    other = RoomOutcome(frozenset("x"), frozenset("y"), 0.1e6, {"y": 0.1})
    found = at_floor(replace(first, rooms={**first.rooms, "r2": other}), HALF)
    assert found.rooms["r1"].failed == frozenset()
    assert found.rooms["r1"].passed == frozenset("abcd")
    assert found.rooms["r2"] == other
    assert found.verdict == "fail"
