"""The agent at a real Mosquitto: birth, goodbye and last will, receipts, backfill, loss of broker, kill -9."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from phongmay_agent.spool import Spool
from phongmay_contract import keys
from phongmay_contract.checking import check
from phongmay_contract.envelope import Envelope, Group, Instant, decode_live
from phongmay_contract.topics import Kind

pytestmark = pytest.mark.integration


def old_envelopes(path: Path, number: int, run: str = "0" * 16) -> None:
    """Leave envelopes of an older run in a spool, as an agent does that lost its power."""
    spool = Spool(path, 1 << 24)
    for seq in range(1, number + 1):
        body = (Group("agent", {"uptime_s": 1.0}),)
        spool.append(Envelope(Kind.ROUND, "pc-agenttest", run, seq, Instant(1.0, float(seq)), "0.1.0", body))
    spool.close()


def until(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "never became true"
        time.sleep(0.02)


def test_birth_rounds_and_goodbye(collector: Any, start: Any) -> None:
    """Birth before everything, one session throughout, receipts empty the spool, then goodbye."""
    running = start()
    birth = collector.wait_kind(Kind.STATUS, state="online").message
    first = collector.wait_kind(Kind.ROUND, seq=1).message
    second = collector.wait_kind(Kind.ROUND, seq=2).message
    assert birth["run"] == first["run"] == second["run"] == running.agent.run_id
    assert birth["session"] == first["session"] == second["session"]
    assert collector.log[0].kind is Kind.STATUS
    collector.receipt(first["run"], 1, 2)
    collector.wait_kind(Kind.ROUND, seq=4)
    running.stop()
    bye = collector.wait_kind(Kind.STATUS, state="goodbye").message
    assert bye["session"] == birth["session"]
    assert not [h for h in collector.log if h.message.get("state") == "lost"]
    waiting = Spool(running.agent._spool.path, 1 << 24).pending(60, 1 << 24)
    assert {1, 2}.isdisjoint(e.seq for e in waiting)


def test_status_is_retained_and_envelopes_are_not(collector: Any, start: Any, broker: Any) -> None:
    """Whoever comes later learns who is present, and no old round."""
    start()
    collector.wait_kind(Kind.ROUND, seq=1)
    late = type(collector)(broker.port)
    try:
        assert late.wait(lambda h: h.retained).message["state"] == "online"
        late.wait(lambda h: h.kind is Kind.ROUND and h.message["seq"] >= 2)
        assert {h.kind for h in late.log if h.retained} == {Kind.STATUS}
    finally:
        late.close()


def test_what_the_agent_sends_is_what_the_contract_says(collector: Any, command: list[str]) -> None:
    """Inventory and round of this machine pass the collector's own check, with nothing unknown or impossible."""
    agent = subprocess.Popen([*command, "run"])
    try:
        for kind in (Kind.INVENTORY, Kind.ROUND):
            heard = collector.wait_kind(kind)
            envelope, transit = decode_live(json.dumps(heard.message).encode())
            checked = check(envelope)
            assert (checked.unknown, checked.out_of_range) == ((), ())
            assert transit.sent.mono >= envelope.measured.mono
        names = {group.measurement for h in collector.log for group in _groups(h)}
        assert {"hardware", "disk", "usage", "agent", "probe"} <= names
    finally:
        agent.terminate()
        assert agent.wait(10) == 0
    collector.wait_kind(Kind.STATUS, state="goodbye")


def _groups(heard: Any) -> list[Group]:
    return [Group(raw["measurement"], raw["values"]) for raw in heard.message.get("body", [])]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_signal_is_a_clean_goodbye(collector: Any, command: list[str], number: int) -> None:
    """Shutting the PC down is no loss; the exit code is 0."""
    agent = subprocess.Popen([*command, "run"], stderr=subprocess.PIPE, text=True)
    collector.wait_kind(Kind.STATUS, state="online")
    agent.send_signal(number)
    _, stderr = agent.communicate(timeout=10)
    assert agent.returncode == 0
    assert "Traceback" not in stderr
    collector.wait_kind(Kind.STATUS, state="goodbye")


def test_a_killed_agent_leaves_its_will_and_its_spool(collector: Any, command: list[str]) -> None:
    """kill -9: the broker sends that session's will; the next run sends the old envelopes as backfill only."""
    agent = subprocess.Popen([*command, "run"])
    birth = collector.wait_kind(Kind.STATUS, state="online").message
    collector.wait_kind(Kind.ROUND)
    collector.wait_kind(Kind.ROUND)
    agent.kill()
    agent.wait(10)
    will = collector.wait_kind(Kind.STATUS, state="lost").message
    assert (will["run"], will["session"]) == (birth["run"], birth["session"])
    old = {h.message["seq"] for h in collector.log if "body" in h.message}
    mark = len(collector.log)
    agent = subprocess.Popen([*command, "run"])
    try:
        live = collector.wait_kind(Kind.ROUND).message
        assert live["run"] != birth["run"]
        collector.receipt(live["run"], live["seq"])
        backfill = collector.wait_kind(Kind.BACKFILL).message
        sent = {(e["run"], e["seq"]) for e in backfill["envelopes"]}
        assert {(birth["run"], seq) for seq in old} <= sent
        after = collector.log[mark:]
        assert all(h.message["run"] != birth["run"] for h in after if h.kind in (Kind.ROUND, Kind.INVENTORY))
    finally:
        agent.terminate()
        agent.wait(10)


def test_a_day_of_the_past_goes_in_paced_messages(collector: Any, start: Any, tmp_path: Path) -> None:
    """150 old envelopes: none before a receipt, then 60, 60, 30, each only after the one before is settled."""
    old_envelopes(tmp_path / "spool.db", 150)
    running = start()
    run = running.agent.run_id
    collector.wait_kind(Kind.ROUND, seq=2)
    assert not [h for h in collector.log if h.kind is Kind.BACKFILL]
    collector.receipt(run, 1, 2)
    sizes = []
    while sum(sizes) < 150:
        envelopes = collector.wait_kind(Kind.BACKFILL).message["envelopes"]
        olds = [e["seq"] for e in envelopes if e["run"] == "0" * 16]
        sizes.append(len(olds))
        before = len([h for h in collector.log if h.kind is Kind.BACKFILL])
        seen = collector.wait_kind(Kind.ROUND).message["seq"]
        assert len([h for h in collector.log if h.kind is Kind.BACKFILL]) == before == len(sizes)
        collector.receipt("0" * 16, *olds)
        collector.receipt(run, *range(1, seen + 1))
    assert sizes == [60, 60, 30]
    until(lambda: running.agent._spool.count < 30)  # this run's latest rounds
    assert {e.run for e in _peek(running)} <= {run}


def _peek(running: Any) -> list[Envelope]:
    """Stop the agent and look into its spool."""
    running.stop()
    spool = Spool(running.agent._spool.path, 1 << 24)
    found = spool.pending(1000, 1 << 24)
    spool.close()
    return found


def test_a_broker_that_was_killed_costs_nothing(
    collector: Any, start: Any, broker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Rounds go into the spool meanwhile; then a new session, a birth, all of it as backfill; two log lines."""
    caplog.set_level(logging.INFO, "phongmay_agent")
    running = start()
    birth = collector.wait_kind(Kind.STATUS, state="online").message
    collector.wait_kind(Kind.ROUND, seq=1)
    broker.kill()
    at = running.agent._seq
    until(lambda: running.agent._seq >= at + 3)
    broker.start()
    again = collector.wait(lambda h: h.kind is Kind.STATUS and h.message["session"] != birth["session"]).message
    assert again["run"] == birth["run"]
    live = collector.wait_kind(Kind.ROUND).message
    assert live["seq"] > at + 2
    collector.receipt(birth["run"], live["seq"])
    missing = set(range(1, live["seq"]))
    sent = {e["seq"] for e in collector.wait_kind(Kind.BACKFILL).message["envelopes"]}
    assert missing <= sent
    words = [record.message for record in caplog.records]
    assert len([w for w in words if w.startswith("no broker at")]) == 1
    assert len([w for w in words if w == "the broker is back"]) == 1


def test_a_broker_that_refuses_is_told_once(
    collector: Any, start: Any, broker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong password: measuring goes on, one line says why, and once the device is let in it comes by itself."""
    caplog.set_level(logging.INFO, "phongmay_agent")
    broker.let_in({"pc-agenttest": "wrong"})
    broker.process.send_signal(signal.SIGHUP)
    running = start()
    until(lambda: running.agent._seq >= 2)
    words = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(words) == 1
    assert "refuses this device" in words[0]
    broker.let_in({"pc-agenttest": keys.mqtt_password("7" * 64)})
    broker.process.send_signal(signal.SIGHUP)
    collector.wait_kind(Kind.STATUS, state="online")
    live = collector.wait_kind(Kind.ROUND).message
    collector.receipt(live["run"], live["seq"])
    assert 1 in {e["seq"] for e in collector.wait_kind(Kind.BACKFILL).message["envelopes"]}


def test_what_the_server_refuses_is_not_sent_again(collector: Any, start: Any) -> None:
    """A dead letter is final: the spool forgets it."""
    running = start(interval_s=1.0)
    first = collector.wait_kind(Kind.ROUND, seq=1).message
    collector.receipt(first["run"], refused=((1, "wrong_type"),))
    collector.wait_kind(Kind.ROUND, seq=3)
    assert 1 not in {e.seq for e in _peek(running)}


def test_nonsense_in_the_receipt_topic_is_survived(collector: Any, start: Any) -> None:
    """A receipt that cannot be read changes nothing."""
    running = start()
    collector.wait_kind(Kind.ROUND, seq=1)
    for payload in (b"", b"{", b"[]", b'{"v":1,"runs":[1]}', b"\xff"):
        collector.client.publish("phongmay/v1/pc-agenttest/receipt", payload, qos=1)
    seen = collector.wait_kind(Kind.ROUND, seq=2).message["seq"]
    assert seen in {e.seq for e in _peek(running)}


def test_the_inventory_is_sent_on_change_only(collector: Any, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read every second: sent at the start, not while it stays the same, again when a disk appears."""
    from phongmay_agent.probes.hardware import HardwareProbe

    disks = ["a"]

    def measure(_: HardwareProbe) -> list[Group]:
        return [Group("hardware", {"os_id": "x"}), *(Group("disk", {"size_bytes": 1}, part=disk) for disk in disks)]

    monkeypatch.setattr(HardwareProbe, "measure", measure)
    start(probes=["hardware", "state"], inventory_check_s=1.0)
    collector.wait_kind(Kind.INVENTORY)
    for _ in range(3):
        collector.wait_kind(Kind.ROUND)
    assert len([h for h in collector.log if h.kind is Kind.INVENTORY]) == 1
    disks.append("b")
    body = collector.wait_kind(Kind.INVENTORY).message["body"]
    assert [g["part"] for g in body if g["measurement"] == "disk"] == ["a", "b"]


def test_a_spool_that_breaks_is_an_event(collector: Any, start: Any, tmp_path: Path) -> None:
    """A broken file at the start costs what it held; the district hears of it, and measuring goes on."""
    (tmp_path / "spool.db").write_bytes(b"rubbish" * 1000)
    start()
    body = collector.wait_kind(Kind.EVENT).message["body"]
    assert body == [{"measurement": "event", "values": {"code": "spool_set_aside", "count": 1}}]
    collector.wait_kind(Kind.ROUND)
    assert (tmp_path / "spool.db.broken").exists()


def test_a_full_spool_tells_how_much_it_lost(collector: Any, start: Any, tmp_path: Path) -> None:
    """What was dropped while there was nobody to tell is told once, with the number."""
    old_envelopes(tmp_path / "spool.db", 10)
    running = start()
    collector.wait_kind(Kind.ROUND, seq=1)
    running.agent._spool.dropped += 7  # as if a long silence had overflowed it
    told = collector.wait_kind(Kind.EVENT).message["body"][0]["values"]
    assert told == {"code": "spool_dropped", "count": 7}
    collector.wait_kind(Kind.ROUND)
    collector.wait_kind(Kind.ROUND)
    assert len([h for h in collector.log if h.kind is Kind.EVENT]) == 1
