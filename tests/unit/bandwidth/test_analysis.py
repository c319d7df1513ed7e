"""The analysis: what passes, what fails, what says nothing, and whom a failing run points at."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from phongmay_bandwidth.analysis import analyse
from phongmay_bandwidth.order import RunKind
from phongmay_bandwidth.planning import RunPlan
from phongmay_bandwidth.report import ConnectionReport, RunReport
from phongmay_bandwidth.result import Outcome, ParticipantResult
from phongmay_bandwidth.verdict import (
    Cause,
    Expected,
    LineContract,
    PastRun,
    Reason,
    RunAnalysis,
    Verdict,
    Witness,
    decide,
)

T0 = 1_800_000_000.0
FLOOR = {"down": 2e6, "up": 1e6}
PLAN = RunPlan("run-1234", RunKind.FLOOR, "h", 7800, T0, FLOOR["down"], FLOOR["up"], registered=40)
DEVICES = [f"pc-{number:03}" for number in range(40)]


def connection(
    device: str, direction: str, rate_bps: float, source: str = "198.51.100.1", **more: Any
) -> ConnectionReport:
    """A connection at an even rate for 8.1 s."""
    start = PLAN.starts()[PLAN.directions[0 if direction == "down" else 1]]
    bins = (round(rate_bps / 8 * 0.1),) * 81
    values: dict[str, Any] = {
        "participant": device,
        "direction": direction,
        "stream": 0,
        "source": source,
        "started_at": start + 0.005,
        "ended_at": start + 8.1,
        "stop_reason": "peer",
        "bytes": sum(bins),
        "bins": bins,
        "congestion_control": "cubic",
        "paced": "kernel",
        "counter": "acked",
        "retransmitted_bytes": 0,
        "rtt_s": 0.01,
        "min_rtt_s": 0.01,
        "rwnd_limited_s": 0.0,
        "sndbuf_limited_s": 0.0,
    }
    return ConnectionReport(**{**values, **more})


def report(*connections: ConnectionReport, **more: Any) -> RunReport:
    """A finished run."""
    starts = list(PLAN.starts().values())
    values: dict[str, Any] = {
        "run": "run-1234",
        "kind": "floor",
        "now": T0 + 30,
        "finished": True,
        "aborted": False,
        "start_down": starts[0],
        "start_up": starts[1],
        "stopped_down_s": 6.0,
        "stopped_up_s": 6.0,
        "reason_down": "window",
        "reason_up": "window",
        "congestion_control": "cubic",
        "cpu_max_ratio": 0.1,
        "egress_max_bps": 8e7,
        "ingress_max_bps": 4e7,
        "limited": False,
        "limits": (),
        "refused": {},
        "connections": connections,
        "controls": {},
    }
    return RunReport(**{**values, **more})


def school(
    shares: dict[str, float] | None = None,
    told: dict[str, float] | None = None,
    present: list[str] | None = None,
    every: float = 1.0,
    sources: tuple[str, ...] = ("198.51.100.1",),
    **more: Any,
) -> RunAnalysis:
    """A floor run in which some PCs get a share of their pace, and some tell another share than the server saw."""
    present = DEVICES if present is None else present
    pace = len(DEVICES) / len(present) if present else 1.0
    connections, results = [], {}
    for device, source in zip(present, itertools.cycle(sources), strict=False):
        share = (shares or {}).get(device, every)
        for direction in ("down", "up"):
            connections.append(connection(device, direction, FLOOR[direction] * pace * share, source))
        lie = (told or {}).get(device, 1.0)
        rates = {d: FLOOR[d] * pace * share * lie for d in ("down", "up")}
        results[device] = ParticipantResult("run-1234", Outcome.OK, "floor", down_bps=rates["down"], up_bps=rates["up"])
    results.update(more.pop("results", {}))
    lines = more.pop("lines", ())
    witnesses = more.pop("witnesses", ())
    drop = more.pop("drop", ())
    kept = [found for found in connections if found.participant not in drop]
    expected = [Expected(device, f"room-{int(device[3:]) // 20}", device in present) for device in DEVICES]
    return analyse(PLAN, expected, report(*kept, **more), results, lines, witnesses)


def test_a_line_that_carries_all_passes() -> None:
    """Every PC at its pace: PASS for run, line and rooms; figures at the IP layer."""
    found = school()
    assert (found.verdict, found.cause, found.reasons) == (Verdict.PASS, Cause.NONE, ())
    assert found.lines[0].verdict is Verdict.PASS
    assert found.room_passed == {"room-0": True, "room-1": True}
    down = found.directions[0]
    assert down.goodput_bps == pytest.approx(80e6, rel=1e-3)
    assert down.ip_bps == pytest.approx(80e6 * 1500 / 1448, rel=1e-3)
    assert (down.jain, down.share_floor) == (pytest.approx(1.0), 1.0)
    assert found.to_record()["verdict"] == "pass"


def test_a_line_that_lacks_three_percent_fails_although_each_pc_has_its_95() -> None:
    """The sum decides near the margin."""
    found = school(every=0.97)
    assert (found.verdict, found.cause) == (Verdict.FAIL, Cause.LINE)
    assert found.reasons == (Reason.SUM_BELOW_ORDER,)
    assert found.lines[0].verdict is Verdict.FAIL


def test_one_slow_pc_is_named_and_does_not_fail_the_line() -> None:
    """A bad cable in one seat: the run fails, its room fails, line and other room pass."""
    found = school({"pc-003": 0.4})
    assert (found.verdict, found.cause, found.slow_devices) == (Verdict.FAIL, Cause.ONE_PC, ("pc-003",))
    assert found.lines[0].verdict is Verdict.PASS
    assert found.room_passed == {"room-0": False, "room-1": True}


def test_one_slow_room_is_named_and_does_not_fail_the_line() -> None:
    """A switch of one room: its PCs all lack, the others have all; the line was not loaded enough to pass either."""
    found = school(dict.fromkeys(DEVICES[:20], 0.5))
    assert (found.verdict, found.cause, found.slow_rooms) == (Verdict.FAIL, Cause.ONE_ROOM, ("room-0",))
    assert found.lines[0].verdict is Verdict.INSUFFICIENT


def test_a_line_that_was_not_loaded_has_not_passed() -> None:
    """Two of 40 dropped out after the orders: the others have all, but the line never carried what 40 need."""
    found = school(drop=("pc-001", "pc-002"))
    assert (found.verdict, found.reasons) == (Verdict.INSUFFICIENT, (Reason.TOO_LITTLE_LOAD,))
    assert found.lines[0].verdict is Verdict.INSUFFICIENT
    assert school(drop=("pc-001",)).verdict is Verdict.PASS
    assert school(drop=("pc-001", "pc-002"), every=0.9).verdict is Verdict.FAIL


def test_when_all_lack_it_is_the_line() -> None:
    """Everybody at 60 %."""
    found = school(every=0.6)
    assert (found.verdict, found.cause) == (Verdict.FAIL, Cause.LINE)
    assert found.lines[0].verdict is Verdict.FAIL


def test_a_limited_server_makes_the_run_invalid() -> None:
    """What the server could not give is no evidence against the school."""
    found = school(every=0.6, limited=True, limits=("cpu",))
    assert (found.verdict, found.cause, found.reasons) == (Verdict.INVALID, Cause.SERVER, (Reason.SERVER_LIMITED,))
    assert found.lines[0].verdict is Verdict.INVALID
    assert found.room_passed == {"room-0": None, "room-1": None}


@pytest.mark.parametrize(("liars", "verdict"), [(1, Verdict.PASS), (4, Verdict.PASS), (5, Verdict.INVALID)])
def test_who_disagrees_is_excluded_and_few_veto_nobody(liars: int, verdict: Verdict) -> None:
    """Up to 10 % that tell 4 % more than the server saw are left out by name; more make the run INVALID."""
    found = school(told=dict.fromkeys(DEVICES[:liars], 1.04))
    assert found.verdict is verdict
    assert found.excluded == tuple(DEVICES[:liars])
    assert found.valid == 40 - liars


def test_a_lying_participant_does_not_lift_the_sum() -> None:
    """The server is the authority on every byte."""
    honest, lying = school(every=0.9), school(every=0.9, told={"pc-000": 50.0})
    assert lying.directions[0].goodput_bps == honest.directions[0].goodput_bps
    assert lying.verdict is Verdict.FAIL


def test_participation_below_80_percent_says_nothing() -> None:
    """31 of 40 is INSUFFICIENT, never PASS; 32 of 40 may pass, flagged as emulated."""
    assert school(present=DEVICES[:31]).verdict is Verdict.INSUFFICIENT
    found = school(present=DEVICES[:32])
    assert (found.verdict, found.reasons, found.emulated) == (Verdict.PASS, (Reason.EMULATED,), 8)
    assert found.room_passed["room-1"] is None, "a room with absent PCs has not passed"
    assert school(present=DEVICES[:31], every=0.5).verdict is Verdict.INSUFFICIENT


def test_nobody_at_all_is_insufficient() -> None:
    """No data is never a pass and never a fail."""
    found = school(present=[])
    assert found.verdict is Verdict.INSUFFICIENT
    assert found.valid == 0


def test_busy_pcs_are_named_and_too_many_make_the_run_invalid() -> None:
    """More than 10 % at which somebody sat down: INVALID; up to 10 % are left out by name."""
    gone = {d: ParticipantResult("run-1234", Outcome.BUSY, reason="input") for d in DEVICES[:5]}
    found = school(results=gone)
    assert (found.verdict, found.reasons) == (Verdict.INVALID, (Reason.PCS_BUSY,))
    assert (found.participants[0].status, found.participants[0].reason) == ("busy", "input")
    assert found.busy == tuple(DEVICES[:5])
    few = school(results=dict(list(gone.items())[:4]))
    assert (few.verdict, few.busy) == (Verdict.PASS, tuple(DEVICES[:4]))


def test_one_busy_pc_of_a_run_that_was_stopped_is_no_tenth() -> None:
    """39 were told to stop and one was busy: the run was stopped, which is INSUFFICIENT, and nobody is to blame."""
    told = {d: ParticipantResult("run-1234", Outcome.ABORTED, reason="ordered") for d in DEVICES[1:]}
    found = school(results={"pc-000": ParticipantResult("run-1234", Outcome.BUSY, reason="input"), **told})
    assert (found.verdict, found.reasons[0]) == (Verdict.INSUFFICIENT, Reason.ABORTED)


def test_busy_and_disagreeing_pcs_count_together() -> None:
    """Three that disagree and two that were busy are more than a tenth of 40."""
    gone = {d: ParticipantResult("run-1234", Outcome.BUSY, reason="input") for d in DEVICES[:2]}
    found = school(results=gone, told=dict.fromkeys(DEVICES[2:5], 1.04))
    assert (found.verdict, found.reasons) == (Verdict.INVALID, (Reason.DISAGREEMENT,))


def test_aborted_pcs_are_named_and_too_many_end_the_run() -> None:
    """More than 10 % that were told to stop: INSUFFICIENT."""
    gone = {d: ParticipantResult("run-1234", Outcome.ABORTED, reason="ordered") for d in DEVICES[:5]}
    found = school(results=gone)
    assert (found.verdict, found.reasons[0]) == (Verdict.INSUFFICIENT, Reason.ABORTED)
    assert found.participants[0].status == "aborted"
    assert found.participants[0].reason == "ordered"
    few = school(results=dict(list(gone.items())[:4]))
    assert few.verdict is Verdict.PASS


def test_silence_after_an_order_is_absence() -> None:
    """A PC that was ordered and opened nothing is absent, and its room has not passed."""
    found = school(drop=("pc-001",), results={"pc-001": None})
    assert found.participants[1].status == "absent"
    assert found.room_passed["room-0"] is None


def test_foreign_traffic_on_the_line_takes_back_a_fail_and_not_a_pass() -> None:
    """The router saw 30 Mbit/s that were not ours: a failing run says nothing, a passing one stands."""
    wire = int(0.6 * 80e6 * 1514 / 1448 / 8 * 6 + 30e6 / 8 * 6)
    lines = (LineContract("line-1", ("198.51.100.1",), 100e6, 50e6),)
    failing = school(every=0.6, lines=lines, witnesses=(Witness("down", wire, 6.0),))
    assert (failing.verdict, Reason.CROSS_TRAFFIC in failing.reasons) == (Verdict.INSUFFICIENT, True)
    assert failing.directions[0].cross_bps == pytest.approx(30e6, rel=0.01)
    wire = int(80e6 * 1514 / 1448 / 8 * 6 + 30e6 / 8 * 6)
    assert school(lines=lines, witnesses=(Witness("down", wire, 6.0),)).verdict is Verdict.PASS


def test_late_starts_are_named_and_scattered_starts_void_the_run() -> None:
    """One PC a second late is left out; starts 0.4 s apart mean that the clocks failed."""
    connections = [connection(device, direction, FLOOR[direction]) for device in DEVICES for direction in FLOOR]
    late = [replace(c, started_at=c.started_at + (1.0 if c.participant == "pc-005" else 0.0)) for c in connections]
    expected = [Expected(device) for device in DEVICES]
    found = analyse(PLAN, expected, report(*late), {})
    assert (found.verdict, found.participants[5].status) == (Verdict.PASS, "late")
    apart = [replace(c, started_at=c.started_at + 0.4 * (c.participant > "pc-020")) for c in connections]
    assert Reason.CLOCKS in analyse(PLAN, expected, report(*apart), {}).reasons


def test_two_lines_are_judged_apart_and_summed() -> None:
    """Grouped by source address, as the server saw it; an address of no known line is said."""
    sources = ("198.51.100.1", "203.0.113.9")
    lines = (LineContract("line-1", sources[:1]), LineContract("line-2", sources[1:]))
    found = school(sources=sources, lines=lines)
    assert [(line.line, line.participants, line.verdict) for line in found.lines] == [
        ("line-1", 20, Verdict.PASS),
        ("line-2", 20, Verdict.PASS),
    ]
    assert sum(line.directions[0].ip_bps for line in found.lines) == pytest.approx(found.directions[0].ip_bps)
    weak = school(dict.fromkeys(DEVICES[1::2], 0.8), sources=sources, lines=lines)
    assert [line.verdict for line in weak.lines] == [Verdict.PASS, Verdict.FAIL]
    assert Reason.UNKNOWN_LINE in school(sources=sources, lines=lines[:1]).reasons


@pytest.mark.parametrize(
    ("promised", "verdict"), [(80e6, Verdict.PASS), (100e6, Verdict.FAIL), (0.0, Verdict.INSUFFICIENT)]
)
def test_a_capacity_run_is_held_against_the_contract(promised: float, verdict: Verdict) -> None:
    """Without a contracted rate there is nothing to say."""
    plan = replace(PLAN, kind=RunKind.CAPACITY)
    connections = [connection(device, direction, FLOOR[direction]) for device in DEVICES for direction in FLOOR]
    lines = (LineContract("line-1", ("198.51.100.1",), promised, promised / 2),)
    found = analyse(plan, [Expected(device) for device in DEVICES], report(*connections), {}, lines)
    assert found.verdict is verdict
    assert found.lines[0].verdict is verdict


def test_an_aborted_run_and_an_unfinished_one_say_nothing() -> None:
    """The stop button is no verdict."""
    assert school(aborted=True).verdict is Verdict.INSUFFICIENT
    assert school(finished=False).verdict is Verdict.INVALID


# ---- several runs ----------------------------------------------------------------------------------------------------


def days(*runs: tuple[int, Verdict]) -> Verdict | None:
    """What runs of January come to."""
    return decide([PastRun(date(2027, 1, day), verdict) for day, verdict in runs])


def test_a_fail_needs_two_of_three_valid_runs_on_different_days() -> None:
    """One bad day, twice the same day, or voids in between never condemn a line."""
    fail, ok, void = Verdict.FAIL, Verdict.PASS, Verdict.INVALID
    assert days() is None
    assert days((1, void)) is None
    assert days((1, fail)) is Verdict.INSUFFICIENT
    assert days((1, fail), (1, fail)) is Verdict.INSUFFICIENT
    assert days((1, fail), (2, fail)) is Verdict.FAIL
    assert days((1, fail), (2, void), (3, void), (4, fail)) is Verdict.FAIL
    assert days((1, fail), (2, ok), (3, fail)) is Verdict.FAIL
    assert days((1, fail), (2, ok)) is Verdict.PASS
    assert days((1, fail), (2, fail), (3, ok), (4, ok)) is Verdict.PASS
