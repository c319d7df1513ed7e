"""An agent on a real broker obeys a signed order to a bandwidth test, and nothing else that comes as a command."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from phongmay_bandwidth.fetch import fetch_report
from phongmay_bandwidth.order import RunKind
from phongmay_bandwidth.planning import RunPlan, make_orders
from phongmay_bandwidth.result import Outcome, ParticipantResult
from phongmay_bandwidth.ticket import Purpose, new_nonce
from phongmay_contract import keys
from phongmay_contract.command import Command, Order, sign_command
from phongmay_contract.envelope import Receipt, encode_receipt, read_envelope
from phongmay_contract.topics import Kind, build

from ..bandwidth.conftest import Server
from .conftest import DEVICE, SECRET, Collector, Running

KEY = keys.command_key(SECRET)


@pytest.fixture
def server() -> Iterator[Server]:
    """A running bandwidth server."""
    running = Server()
    yield running
    running.close()


def send(collector: Collector, payload: bytes) -> None:
    """Publish to the device's command topic."""
    collector.client.publish(build(DEVICE, Kind.COMMAND), payload, qos=1).wait_for_publish(10)


def start_command(server: Server, run: str = "", lead_s: float = 1.5, **changes: Any) -> tuple[RunPlan, bytes]:
    """A short downward run for this device, as a signed command."""
    plan = server.plan(
        RunKind.FLOOR,
        run=run or f"run-{secrets.token_hex(4)}",
        directions=(Purpose.DOWN,),
        start=time.time() + lead_s,
        registered=1,
        **changes,
    )
    order = make_orders(plan, [DEVICE], server.key, time.time())[DEVICE]
    command = Command(DEVICE, Order.CAMPAIGN_START, new_nonce(), time.time() + 30, order.to_body())
    return plan, sign_command(KEY, command)


def tell_time(collector: Collector, running: Running) -> None:
    """Give a receipt with the server's time, and wait until the agent knows it."""
    seq = collector.wait_kind(Kind.ROUND).message["seq"]
    receipt = Receipt(running.agent.run_id, ((seq, seq),))
    collector.client.publish(build(DEVICE, Kind.RECEIPT), encode_receipt([receipt], at=time.time()), qos=1)
    end = time.monotonic() + 10
    while running.agent._commands.true_time() is None:
        assert time.monotonic() < end
        time.sleep(0.02)


def result_of(collector: Collector) -> ParticipantResult:
    """Wait for the agent's result."""
    heard = collector.wait_kind(Kind.CAMPAIGN)
    return ParticipantResult.from_groups(read_envelope(heard.message).body)


def test_an_ordered_test_is_run_and_its_result_goes_through_the_spool(
    collector: Collector, start: Callable[..., Running], server: Server
) -> None:
    """Signed, in time, once: the result is a campaign envelope and agrees with the server; a replay is none."""
    running = start()
    tell_time(collector, running)
    plan, payload = start_command(server)
    send(collector, payload)
    send(collector, payload)
    result = result_of(collector)
    assert (result.campaign_run, result.outcome) == (plan.run, Outcome.OK)
    assert result.clock_offset_s == pytest.approx(0, abs=0.1)
    assert result.down_bps == pytest.approx(8e6, rel=0.06)
    report = fetch_report("127.0.0.1", server.port, server.key, plan.run)
    assert sum(flow.bytes for flow in report.connections) == pytest.approx(result.down_bytes or 0, rel=0.02)
    assert running.agent._commands.gate.refused == {"replayed": 1}
    events = [heard.message["body"][0]["values"] for heard in collector.log if heard.kind is Kind.EVENT]
    assert events == [{"code": "command_replayed", "count": 1}]


def test_what_is_not_a_good_command_is_refused_and_counted(
    collector: Collector, start: Callable[..., Running], server: Server
) -> None:
    """Wrong key, expired, before the true time is known, retained: no test is run, the reasons are reported."""
    running = start()
    collector.wait_kind(Kind.ROUND)
    _, good = start_command(server)
    send(collector, good)
    end = time.monotonic() + 10
    while not running.agent._commands.gate.refused:
        assert time.monotonic() < end
        time.sleep(0.02)
    tell_time(collector, running)
    plan, _ = start_command(server)
    body = make_orders(plan, [DEVICE], server.key, time.time())[DEVICE].to_body()
    forged = Command(DEVICE, Order.CAMPAIGN_START, new_nonce(), time.time() + 30, body)
    send(collector, sign_command(keys.command_key("8" * 64), forged))
    send(collector, sign_command(KEY, Command(DEVICE, Order.CAMPAIGN_START, new_nonce(), time.time() - 1, body)))
    send(collector, b"{}")
    wanted = {"true_time_unknown": 1, "forged": 1, "expired": 1, "malformed": 1}
    while running.agent._commands.gate.refused != wanted:
        assert time.monotonic() < end + 10, running.agent._commands.gate.refused
        time.sleep(0.02)
    assert not server.server.admission.refused
    assert not server.server._runs, "nobody opened a connection"


def test_an_abort_command_and_a_stopping_agent_end_a_test(
    collector: Collector, start: Callable[..., Running], server: Server
) -> None:
    """Both are told as aborted; a second order meanwhile is refused as busy."""
    running = start()
    tell_time(collector, running)
    plan, payload = start_command(server, window_min_s=20.0, window_max_s=20.0)
    send(collector, payload)
    time.sleep(1.0)
    _, second = start_command(server)
    send(collector, second)
    busy = result_of(collector)
    assert (busy.outcome, busy.reason) == (Outcome.ERROR, "busy")
    abort = Command(DEVICE, Order.CAMPAIGN_ABORT, new_nonce(), time.time() + 30, {"run": plan.run})
    send(collector, sign_command(KEY, abort))
    result = result_of(collector)
    assert (result.outcome, result.reason) == (Outcome.ABORTED, "ordered")
    _, payload = start_command(server, window_min_s=20.0, window_max_s=20.0)
    send(collector, payload)
    time.sleep(1.0)
    running.stop()
    result = result_of(collector)
    assert (result.outcome, result.reason) == (Outcome.ABORTED, "agent_stopped")


def test_a_school_may_switch_tests_off(collector: Collector, start: Callable[..., Running], server: Server) -> None:
    """`campaigns = false`: the order is answered, not obeyed."""
    running = start(campaigns=False)
    tell_time(collector, running)
    _, payload = start_command(server)
    send(collector, payload)
    result = result_of(collector)
    assert (result.outcome, result.reason) == (Outcome.ERROR, "switched_off")
    assert not server.server._runs
