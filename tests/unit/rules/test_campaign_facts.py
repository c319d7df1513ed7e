"""What concurrent tests say of rooms and lines: runs go in, facts come out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from phongmay_rules.facts.campaigns import quarter_start
from phongmay_rules.facts.catalogue import missing
from phongmay_rules.places import LinePlace
from phongmay_rules.reasons import Reason
from phongmay_rules.runs import LineRun, RoomOutcome
from phongmay_store.register.timetable import LOCAL
from tests.unit.rules.campaign_runs import AT, FLOOR, LINES, PCS, ROOM, capacity, of_line, of_room, run


def test_nothing_was_run() -> None:
    """Without a run everything is missing with a reason that says so; nothing passes and nothing fails."""
    assert {found.missing for found in of_room().values()} == {Reason.NO_RUN_YET}
    reasons = {name: found.missing for name, found in of_line().items()}
    by_floor_runs = ("download_per_pc_bps", "rtt_mean_s", "loss_ratio")
    assert {reasons.pop(name) for name in by_floor_runs} == {Reason.NO_RUN_YET}
    assert set(reasons.values()) == {Reason.NO_CAPACITY_RUN}


def test_every_pc_passed() -> None:
    """A room passes when every PC in service passed at least once this quarter, in whichever valid run."""
    found = of_room(run(9, "fail", failed="a"), run(2, absent="b"), run(1, absent="a"))
    assert found["concurrent_pass_ratio"].value == 1.0


def test_a_room_of_which_few_took_part_has_no_rate() -> None:
    """Four of five PCs are enough for the rate of the slowest tenth; three of five say nothing of the room, whether
    they held the floor or not, however good the run of the school was. PCs that came since count as not tested."""
    five = [*PCS, replace(PCS[0], id="e")]
    name = "concurrent_p10_bps"
    assert of_room(run(1), pcs=five)[name].value == FLOOR
    for few in ([run(1, absent="d")], [run(day, "fail", failed="a", absent="d") for day in (3, 2)]):
        source = (f"register:campaign_result/{few[-1].id}",)
        assert of_room(*few, pcs=five)[name] == missing(
            name, Reason.NOT_ALL_TESTED, AT, sources=source, run=few[-1].id, pcs=5, tested=3
        )
    assert of_room(run(2), run(1, absent="d"), pcs=five)[name].sources == ("register:campaign_result/run-2",)
    assert of_room(run(1), pcs=[])[name] == missing(name, Reason.NO_MEMBERS, AT, sources=(ROOM.row,))


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        ([run(2, absent="b")], Reason.NOT_ALL_TESTED),
        ([run(2, "fail", failed="b")], Reason.NOT_ALL_TESTED),
        ([run(2, "fail", failed="b"), run(2.1, "fail", failed="b")], Reason.NOT_ALL_TESTED),
        ([run(60)], Reason.NO_RUN_YET),
        ([run(2, "insufficient"), run(1, "invalid")], Reason.NO_RUN_YET),
        ([run(2, floor_bps=0.5e6)], Reason.FLOOR_RAISED),
    ],
    ids=["absent", "failed once", "failed twice on one day", "last quarter", "void runs", "floor raised"],
)
def test_a_room_stays_unknown(runs: list[LineRun], reason: Reason) -> None:
    """An untested PC, a single failure, an old or void run and a raised floor are unknown, neither pass nor fail."""
    found = of_room(*runs)["concurrent_pass_ratio"]
    assert (found.value, found.missing) == (None, reason)


def test_a_pc_fails_a_room_on_two_days() -> None:
    """A PC that failed two of its last three valid runs on different days fails the room; a later pass mends it."""
    twice = [run(3, "fail", failed="b"), run(2, "fail", failed="b")]
    found = of_room(*twice)["concurrent_pass_ratio"]
    assert (found.value, found.detail["failed"]) == (0.75, ["b"])
    assert of_room(*twice, run(1))["concurrent_pass_ratio"].value == 1.0


def test_a_pc_in_repair_is_not_counted() -> None:
    """PCs in repair and machines that are no PCs do not keep a room from passing."""
    others = [replace(PCS[1], state="in_repair"), replace(PCS[2], kind="display")]
    assert of_room(run(1, absent="bc"), pcs=[PCS[0], PCS[3], *others])["concurrent_pass_ratio"].value == 1.0
    assert of_room(run(1), pcs=others)["concurrent_pass_ratio"].missing is Reason.NO_MEMBERS


def test_the_line_held() -> None:
    """A passing run of the whole school shows the floor, also when a fifth of the PCs was emulated."""
    found = of_line(run(1, absent="d"))["download_per_pc_bps"]
    assert (found.value, found.detail["emulated"]) == (FLOOR, 1)
    assert of_line(run(1, whole_school=False))["download_per_pc_bps"].missing is Reason.NO_RUN_YET
    assert of_line(run(1), needed=2e6)["download_per_pc_bps"].missing is Reason.FLOOR_RAISED


def test_a_line_fails_on_two_days_only() -> None:
    """One failure, or two on one day, leave a line open; two on different days fail it with the rate it reached."""
    one, two = run(3, "fail", failed="abcd"), run(2, "fail", failed="abcd")
    assert of_line(one)["download_per_pc_bps"].missing is Reason.FAILED_ONCE
    assert of_line(one, replace(one, at=one.at + 60))["download_per_pc_bps"].missing is Reason.FAILED_ONCE
    assert of_line(one, two)["download_per_pc_bps"].value == 0.4e6
    assert of_line(one, two, run(1))["download_per_pc_bps"].value == 0.4e6, "two of the last three"
    assert of_line(one, two, run(1), run(0.5))["download_per_pc_bps"].value == FLOOR


def test_one_slow_pc_does_not_fail_the_line() -> None:
    """A run that fails by one PC passes the line, if the line carried the load; if it did not, the line stays open."""
    slow = run(1, "fail", failed="b", line="pass", goodput_dl=3.8e6, cause="slow_pc")
    assert of_line(slow)["download_per_pc_bps"].value == FLOOR
    found = of_line(replace(slow, goodput_dl=2e6, cause="slow_room"))["download_per_pc_bps"]
    assert found.missing is Reason.LOAD_NOT_REACHED


def test_upward_failures_are_not_downward_ones() -> None:
    """A line that fails upwards only still shows the downward floor."""
    found = of_line(*(run(day, "fail", failed="abcd", below=frozenset({"up"})) for day in (3, 2)))
    assert found["download_per_pc_bps"].value == FLOOR


def test_a_line_whose_sum_is_short_does_not_pass() -> None:
    """Every PC had 0.97 of its pace, the sum less than was ordered: the line failed, though nobody was slow by himself,
    and also where no direction is told."""
    for below in (frozenset({"down"}), frozenset({"up", "down"}), frozenset[str]()):
        short = [run(day, "fail", goodput_dl=3.88e6, p10_bps=0.97e6, below=below) for day in (3, 2)]
        assert of_line(short[0])["download_per_pc_bps"].missing is Reason.FAILED_ONCE
        assert of_line(*short)["download_per_pc_bps"].value == pytest.approx(0.97e6)


def test_a_lowered_floor_that_the_sum_did_not_reach_does_not_pass() -> None:
    """All PCs had enough for half of the floor, but the line did not carry so much, or nobody told: it stays failed."""
    for share in (0.4, None):
        rooms = {"r1": RoomOutcome(frozenset("acd"), frozenset("b"), 0.4e6, {"b": 0.6})}
        failed = [run(day, "fail", failed="b", line_share=share, rooms=rooms, goodput_dl=1.6e6) for day in (3, 2)]
        assert of_line(*failed, needed=FLOOR / 2)["download_per_pc_bps"].value == 0.4e6


def test_rates_of_capacity_runs() -> None:
    """Median, share of a pupil and share of the contract come from capacity runs of the last quarter."""
    found = of_line(capacity(100, 1e6, 1e6), capacity(3, 90e6, 40e6), capacity(2, 70e6, 45e6), capacity(1, 80e6, 44e6))
    assert found["download_p50_bps"].value == 80e6
    assert found["upload_p50_bps"].value == 44e6
    assert found["download_per_student_bps"].value == 160e3
    assert found["download_contract_ratio"].value == pytest.approx(0.8)
    assert found["upload_contract_ratio"].value == pytest.approx(0.86)
    assert found["rtt_mean_s"].value == pytest.approx(0.01)


def test_an_unknown_contract() -> None:
    """One line without a contracted rate leaves the ratio missing: it is to be declared."""
    lines = [*LINES, LinePlace("FPT", "fibre", "line:2", None, None)]
    found = of_line(capacity(1, 90e6, 40e6), lines=lines)["download_contract_ratio"]
    assert found == missing("download_contract_ratio", Reason.NOT_DECLARED, AT, sources=("line:1", "line:2"))


def test_quarters_are_local() -> None:
    """A quarter begins at local midnight, not at that of UTC."""
    assert datetime.fromtimestamp(quarter_start(AT), LOCAL) == datetime(2026, 10, 1, tzinfo=LOCAL)
    last = datetime(2026, 12, 31, 23, 59, tzinfo=LOCAL).timestamp()
    assert quarter_start(last) == quarter_start(AT)
    assert quarter_start(last + 60) == last + 60
