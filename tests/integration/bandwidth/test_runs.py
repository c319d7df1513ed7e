"""Whole runs on loopback: both kinds, both directions, what the server saw and what the participants saw."""

from __future__ import annotations

import secrets
import sys
import time

import pytest

from phongmay_bandwidth.analysis import analyse
from phongmay_bandwidth.fetch import FetchError, abort_run, fetch_report
from phongmay_bandwidth.machine import UnknownMachine
from phongmay_bandwidth.order import RunKind
from phongmay_bandwidth.planning import make_orders
from phongmay_bandwidth.result import Outcome
from phongmay_bandwidth.ticket import Purpose
from phongmay_bandwidth.verdict import Expected, Reason, Verdict

from .conftest import Party, Server, take_part

pytestmark = pytest.mark.alone

DEVICES = [f"pc-{number:03}" for number in range(8)]


def test_a_floor_run_passes_on_a_wide_line(server: Server) -> None:
    """Paced at the floor both ways, server and participants agree, everybody starts at T0, latency is told."""
    for _ in range(3):  # again when this machine was too busy for a clean run
        plan = server.plan(registered=8)
        results = take_part(server, plan, DEVICES).wait()
        found = analyse(plan, [Expected(device) for device in DEVICES], server.report(plan.run), results)
        if found.verdict is Verdict.PASS and found.valid == 8:
            break
    assert (found.verdict, found.reasons) == (Verdict.PASS, ())
    assert (found.started, found.valid, found.excluded) == (8, 8, ())
    for figures in found.directions:
        assert figures.goodput_bps == pytest.approx(8 * 8e6, rel=0.06)
        assert figures.client_bps == pytest.approx(figures.goodput_bps, rel=0.03)
        assert figures.stop_reason == "window"
    assert found.idle_rtt_p50_s is not None
    assert found.ping_loss_ratio is not None
    assert found.start_spread_s is not None
    for result in results.values():
        assert abs(result.clock_offset_s or 1.0) < 0.1, "server and participant share this machine's clock"
        assert sum(result.down_bins) == result.down_bytes


def test_pacing_in_the_program_where_the_kernel_has_none() -> None:
    """The token bucket keeps the same rate, and the report says who paced."""
    server = Server(pacing="bucket")
    try:
        plan = server.plan(registered=4, directions=(Purpose.DOWN,))
        results = take_part(server, plan, DEVICES[:4]).wait()
        report = server.report(plan.run)
    finally:
        server.close()
    assert {flow.paced for flow in report.connections if flow.direction == "down"} == {"bucket"}
    found = analyse(plan, [Expected(device) for device in DEVICES[:4]], report, results)
    assert found.directions[0].goodput_bps == pytest.approx(4 * 8e6, rel=0.06)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the congestion control")
def test_the_server_sets_cubic_and_says_what_is_in_force(server: Server) -> None:
    """Whatever the system's default is; the kernel paces and TCP counts what is acknowledged."""
    plan = server.plan(registered=1, directions=(Purpose.DOWN,))
    take_part(server, plan, DEVICES[:1]).wait()
    report = server.report(plan.run)
    assert report.congestion_control == "cubic"
    down = next(flow for flow in report.connections if flow.direction == "down")
    assert (down.paced, down.counter, down.source) == ("kernel", "acked", "127.0.0.1")
    assert down.min_rtt_s is not None


def test_a_capacity_run_ends_by_its_byte_cap_and_both_sides_know(server: Server) -> None:
    """The cap of the run holds within what is on its way in a tenth of a second; nobody takes it for a fault."""
    plan = server.plan(RunKind.CAPACITY, byte_cap=50_000_000, window_max_s=3.0)
    results = take_part(server, plan, DEVICES[:2]).wait()
    report = server.report(plan.run)
    assert (report.reason_down, report.reason_up) == ("run_byte_cap", "run_byte_cap")
    assert {result.outcome for result in results.values()} == {Outcome.OK}


def test_an_abort_by_the_coordinator_ends_everybody_at_once(server: Server) -> None:
    """The stop button: connections are cut, participants say so, nobody is admitted afterwards."""
    plan = server.plan(window_min_s=10.0, window_max_s=10.0)
    party = take_part(server, plan, DEVICES[:4])
    time.sleep(2.0)
    before = time.monotonic()
    abort_run("127.0.0.1", server.port, server.key, plan.run)
    results = party.wait()
    assert time.monotonic() - before < 5
    assert {(result.outcome, result.reason) for result in results.values()} == {(Outcome.ABORTED, "ordered")}
    report = server.report(plan.run)
    assert report.aborted
    _, answer = server.show(server.ticket(run=plan.run))
    assert b'"aborted"' in answer
    found = analyse(plan, [Expected(device) for device in DEVICES[:4]], report, results)
    assert (found.verdict, found.reasons[0]) == (Verdict.INSUFFICIENT, Reason.ABORTED)


def test_a_run_that_was_ended_before_anybody_came_stays_ended(server: Server) -> None:
    """The stop button is pressed while orders are on their way: whoever comes later is turned away."""
    plan = server.plan()
    orders = make_orders(plan, DEVICES[:2], server.key, time.time())
    abort_run("127.0.0.1", server.port, server.key, plan.run)
    time.sleep(1.3)  # the server looks after its runs every second
    results = Party(orders).wait()
    assert {(result.outcome, result.reason) for result in results.values()} == {(Outcome.ERROR, "refused_aborted")}
    assert server.report(plan.run).refused == {"aborted": 2}


class BusyPc(UnknownMachine):
    """A PC at which somebody sits down after a second."""

    def __init__(self) -> None:
        self.since = time.monotonic() + 1.5

    def input_idle_s(self) -> float | None:
        return 0.0 if time.monotonic() > self.since else 1000.0


def test_a_person_who_comes_back_ends_one_participant_only(server: Server) -> None:
    """The others go on; the analysis names the one and why."""
    plan = server.plan(registered=8, abort_on_input=True, directions=(Purpose.DOWN,))
    orders = make_orders(plan, DEVICES, server.key, time.time())
    results = Party(orders, {"pc-003": BusyPc()}).wait()
    assert (results["pc-003"].outcome, results["pc-003"].reason) == (Outcome.ABORTED, "input")
    found = analyse(plan, [Expected(device) for device in DEVICES], server.report(plan.run), results)
    assert found.participants[3].status == "aborted"
    assert found.valid == 7


def test_a_run_of_which_nobody_came_is_unknown(server: Server) -> None:
    """The coordinator hears it as a refusal, not as an empty run."""
    with pytest.raises(FetchError) as caught:
        fetch_report("127.0.0.1", server.port, server.key, "run-nobody")
    assert caught.value.refusal == "unknown_run"
    with pytest.raises(FetchError) as caught:
        fetch_report("127.0.0.1", server.port, secrets.token_bytes(32), "run-nobody")
    assert caught.value.refusal == "forged"


def test_a_server_that_is_not_there_is_an_outcome() -> None:
    """No exception leaves a participant: the PC tells that it could not reach the server."""
    server = Server()
    plan = server.plan()
    orders = make_orders(plan, DEVICES[:1], server.key, time.time())
    server.close()
    result = Party(orders).wait()["pc-000"]
    assert (result.outcome, result.reason) == (Outcome.ERROR, "unreachable")


def test_the_uplink_is_told_when_it_is_the_limit() -> None:
    """A server whose own line is narrower than what it is asked for says so, and the run is void."""
    server = Server(uplink_bps=2e7)
    try:
        plan = server.plan(registered=4, warmup_s=1.0, window_min_s=2.5, window_max_s=2.5, directions=(Purpose.DOWN,))
        results = take_part(server, plan, DEVICES[:4]).wait()
        report = server.report(plan.run)
    finally:
        server.close()
    assert "uplink" in report.limits
    found = analyse(plan, [Expected(device) for device in DEVICES[:4]], report, results)
    assert found.verdict is Verdict.INVALID
