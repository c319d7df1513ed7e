"""The store is away, a device floods, a letter is sent again: the real collector on the real Mosquitto."""

from __future__ import annotations

import http.client
import json
import resource
import subprocess
import sys
from contextlib import closing
from typing import Any

import pytest

from phongmay_contract.envelope import Transit, encode_live
from phongmay_store.series import open_writer
from phongmay_store.series.interface import DeadLetter

pytestmark = pytest.mark.integration
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def run(house: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ours as a user would."""
    command = [sys.executable, "-m", "phongmay", "--config", str(house.config), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def ask(house: Any, path: str) -> tuple[int, str]:
    """Ask the collector's port."""
    connection = http.client.HTTPConnection("127.0.0.1", house.settings.collector.metrics_port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def figure(house: Any, name: str) -> float:
    """Give one figure of /metrics."""
    lines = [line for line in ask(house, "/metrics")[1].splitlines() if line.startswith(name + " ")]
    return float(lines[0].rpartition(" ")[2])


def test_receipts_go_on_while_the_store_is_away_and_kill_9_loses_none(
    house: Any, mosquitto: str, wait_until: Any
) -> None:
    """What has a receipt is in the queue, synced: the next process stores it once, and nobody sends it again."""
    identity = house.enrol()
    house.start_broker()
    collector = house.start_collector()
    sender = house.sender(identity).connect()
    sender.wait_for_receipts(sender.send())
    wal = house.settings.store.series_path.with_name("series.db-wal")
    resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, (wal.stat().st_size, resource.RLIM_INFINITY))
    envelopes = [sender.send() for _ in range(60)]  # the store's file cannot grow; the queue's has room for these
    sender.wait_for_receipts(*envelopes)
    assert house.stored() == 1
    told = run(house, "status", "--lang", "en")
    assert told.returncode == 2
    assert "the series store takes nothing; messages waiting on disk, and why: 6" in told.stdout
    assert ask(house, "/ready")[0] == 200, "it still takes messages, so nobody should restart it"
    assert 'phongmay_queue_messages{where="disk"} 60.0' in ask(house, "/metrics")[1]
    house.processes.kill(collector)
    sender.cut()
    house.start_collector()
    wait_until(lambda: house.stored() == 61, "the queue is stored")
    with house.series() as series:
        rows = series.range(sender.device, "usage", 0, 2e10)
    assert len(rows) == 61
    assert {row.basis for row in rows} == {"live"}, "dated as if the store had never been away"


@pytest.mark.parametrize("house", [{"collector": "device_messages_per_minute = 200"}], indirect=True)
def test_a_flooding_device_is_named_and_disturbs_nobody(running: Any, wait_until: Any) -> None:
    """Its messages beyond the limit get no receipt; the next PC's are stored as ever; log and status name it."""
    loud, quiet = running.sender(running.enrol()).connect(), running.sender(running.enrol()).connect()
    flood = [loud.send(wait=False) for _ in range(3000)]
    quiet.wait_for_receipts(*(quiet.send() for _ in range(5)))
    loud.wait_for_receipts(*flood[:150])
    wait_until(lambda: figure(running, "phongmay_unread_messages_total") >= 2700, "all of the flood is read or not")
    assert not loud.has_receipt(flood[-1])
    assert f"device_throttled topic=phongmay/v1/{loud.device}/round" in running.log("collector")
    told = run(running, "status")
    assert told.returncode == 2
    assert f"phongmay/v1/{loud.device}/round" in told.stdout
    assert running.stored(quiet.device) == 5
    assert running.stored(loud.device) <= 200


def test_status_says_of_every_process_how_it_stands(running: Any, wait_until: Any) -> None:
    """A process that does not answer is wrong, with the remedy; Vietnamese unless English is asked for."""
    sender = running.sender(running.enrol()).connect()
    sender.wait_for_receipts(sender.send())
    told = run(running, "status")
    assert told.returncode == 2
    lines = told.stdout.splitlines()
    assert lines[0].startswith("collector 1   hoạt động tốt"), told.stdout
    assert "rules         không trả lời" in told.stdout
    assert f"cổng {running.settings.rules.metrics_port}" in told.stdout
    assert json.loads(ask(running, "/health")[1]) == {"status": "ok"}
    assert json.loads(ask(running, "/ready")[1]) == {"ready": True, "reasons": []}
    assert figure(running, "phongmay_envelopes_total") == 1
    wait_until(lambda: "phongmay_broker_clients" in ask(running, "/metrics")[1], "the broker's own figures")
    assert figure(running, "phongmay_broker_dropped_messages_total") == 0


def test_a_letter_is_stored_when_it_is_sent_again_and_only_once(running: Any, wait_until: Any) -> None:
    """A device that was not registered when it sent: after registration its letters are replayed, at any time."""
    sender = running.sender(running.enrol()).connect()
    sender.wait_for_receipts(sender.send())
    other = running.enrol()
    envelope = sender.envelope()._replace(sender=other.device_id)
    topic = f"phongmay/v1/{other.device_id}/round"
    letter = encode_live(envelope, Transit(sender.session, sender.instant()))
    with closing(open_writer(running.settings.store)) as series:
        received = sender.instant().wall
        dead = [DeadLetter(0, topic, "unknown_device", "", letter, received),
                DeadLetter(0, topic, "not_json", "", b"{", received)]  # fmt: skip
        series.write([], dead=dead)
    assert run(running, "deadletters", "replay").returncode == 2, "which ones must be said"
    for stored in (1, 0):
        told = run(running, "deadletters", "replay", "--reason", "unknown_device")
        assert told.returncode == 0, told.stderr
        assert f"1 sent again: {stored} envelopes stored, 0 letters still refused" in told.stdout
    assert running.stored(other.device_id) == 1
    with running.series() as series:
        assert list(series.presence([other.device_id])) == [], "a letter of the past says nothing of who is there"
    told = run(running, "deadletters", "replay", "--all")
    assert told.returncode == 1
    assert "refused not_json" in told.stdout
    with running.series() as series:
        assert len(series.dead_letters()) == 2, "sent again and refused again makes no second letter"
