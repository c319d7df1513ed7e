"""What concurrent tests say of rooms and lines: runs go in, facts come out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from phongmay_rules.facts.campaigns import line_facts, quarter_start, room_facts
from phongmay_rules.facts.catalogue import DAY, Found, missing
from phongmay_rules.places import DevicePlace, LinePlace, RoomPlace, SchoolPlace
from phongmay_rules.reasons import Reason
from phongmay_rules.runs import LineRun, RoomOutcome
from phongmay_store.register.timetable import LOCAL

AT = datetime(2026, 11, 23, 10, tzinfo=LOCAL).timestamp()
FLOOR = 1e6
ROOM = RoomPlace("r1", "th", "computer_room", 40, "", "room:r1")
PCS = [DevicePlace(name, "th", "r1", "pc", "in_service", 0.0, False, "", f"device:{name}") for name in "abcd"]
LINES = [LinePlace("VNPT", "fibre", "line:1", 100_000_000, 50_000_000)]
PUPILS = Found("students", 500, AT, None, ("declared:1",))


def run(
    days_ago: float, verdict: str = "pass", *, failed: str = "", absent: str = "", line: str = "", **more: object
) -> LineRun:
    """Make a floor run of the whole school with one room of four PCs."""
    took = [pc for pc in "abcd" if pc not in absent]
    passed = frozenset(pc for pc in took if pc not in failed)
    p10 = 0.4e6 if failed else FLOOR
    made = LineRun(
        id=f"run-{days_ago:g}", kind="floor", at=AT - days_ago * DAY, verdict=verdict, line_verdict=line or verdict,
        is_usable=verdict in ("pass", "fail"), whole_school=True, floor_bps=FLOOR, pace_bps=FLOOR, registered=4,
        emulated=len(absent), goodput_dl=3.99e6 if verdict == "pass" else 2e6, ip_dl=4.1e6, ip_ul=4.1e6, p10_bps=p10,
        idle_s=0.01, contracted_dl=100_000_000, contracted_ul=50_000_000,
        below=frozenset({"down"} if failed else ()),
        rooms={"r1": RoomOutcome(passed, frozenset(failed), p10)},
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type] # fields of the dataclass


def capacity(days_ago: float, down: float, up: float) -> LineRun:
    """Make a capacity run."""
    return run(days_ago, kind="capacity", floor_bps=0.0, pace_bps=0.0, ip_dl=down, ip_ul=up, rooms={})


def of_room(*runs: LineRun, needed: float = FLOOR, pcs: list[DevicePlace] = PCS) -> dict[str, Found]:
    """Give the facts of the room."""
    return {found.name: found for found in room_facts(ROOM, pcs, runs, needed, AT)}


def of_line(*runs: LineRun, needed: float = FLOOR, lines: list[LinePlace] = LINES) -> dict[str, Found]:
    """Give the facts of the school's lines."""
    school = SchoolPlace("th", "Trường", "thcs", rooms=[ROOM], devices=PCS, lines=lines, runs=runs)
    return {found.name: found for found in line_facts(school, PUPILS, needed, AT)}


def test_nothing_was_run() -> None:
    """Without a run everything is missing with a reason that says so; nothing passes and nothing fails."""
    assert {found.missing for found in of_room().values()} == {Reason.NO_RUN_YET}
    reasons = {name: found.missing for name, found in of_line().items()}
    assert {reasons.pop("download_per_pc_bps"), reasons.pop("rtt_mean_s")} == {Reason.NO_RUN_YET}
    assert set(reasons.values()) == {Reason.NO_CAPACITY_RUN}


def test_every_pc_passed() -> None:
    """A room passes when every PC in service passed at least once this quarter, in whichever valid run."""
    found = of_room(run(9, "fail", failed="a"), run(2, absent="b"), run(1, absent="a"))
    assert found["concurrent_pass_ratio"].value == 1.0
    assert found["concurrent_p10_bps"].value == FLOOR


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
