"""Nothing that has a receipt is lost, nothing counts twice: with real agents, a real Mosquitto, and kill -9.

What is compared at the end of each test is identities, read from the two files themselves: what the agent's spool has
forgotten is what the store has, to the envelope.
"""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_contract import topics
from phongmay_contract.envelope import Transit, encode_live
from phongmay_contract.topics import Kind
from phongmay_store.register.device import IdentityConflict

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

NewAgent = Callable[[], Any]


def settled(agents: list[Any], wait_until: Any, rounds: int = 2) -> None:
    """Wait until each agent has had further receipts and nothing older than its last rounds waits in its spool."""
    for agent in agents:
        goal = len(agent.stored()) + rounds
        wait_until(
            lambda a=agent, g=goal: len(a.stored()) >= g and len(a.waiting()) <= 1,
            f"{agent.device} has its receipts",
            90,
        )


def without_gaps(agent: Any) -> dict[str, int]:
    """Assert that every envelope up to the last of each run is stored, but for those still in the spool.

    Returns:
        Number of stored envelopes by run.
    """
    waiting, stored = agent.waiting(), agent.stored()
    last: dict[str, int] = {}
    for run, seq in stored | waiting:
        last[run] = max(seq, last.get(run, 0))
    first = min(seq for _, seq in stored)
    everything = {(run, seq) for run, end in last.items() for seq in range(first, end + 1)}
    assert everything - stored - waiting == set(), "neither stored nor in the spool"
    return {run: sum(1 for other, _ in stored if other == run) for run in last}


def conflicts(house: Any) -> list[IdentityConflict]:
    """Give the identity conflicts of the register."""
    with Session(house.engine) as session:
        return list(session.scalars(select(IdentityConflict)))


def test_the_collector_is_killed_in_mid_stream(
    house: Any, mosquitto: str, new_agent: NewAgent, wait_until: Any
) -> None:
    """Kill -9 between two batches and within one: after a restart receipts = rows, and no row is there twice."""
    agents = [new_agent(), new_agent()]
    identities = [house.enrol() for _ in range(3)]
    house.start_broker()
    collector = house.start_collector()
    for agent in agents:
        agent.start()
    senders = [house.sender(identity).connect() for identity in identities]
    sent: dict[Any, list[Any]] = {sender: [] for sender in senders}
    for kill in range(2):
        for sender in senders:
            sent[sender] += [sender.send(wait=False) for _ in range(400)]
        wait_until(lambda k=kill: house.stored() > 300 + 1200 * k, "it is in the middle of it")
        house.processes.kill(collector)
        collector = house.start_collector()
    for sender, envelopes in sent.items():
        # What was committed and acknowledged in the very moment of the kill has lost its receipt: it is sent again.
        wait_until(lambda s=sender: house.stored(s.device) == 800, "every row is there", 60)
        missing = [envelope for envelope in envelopes if not sender.has_receipt(envelope)]
        for start in range(0, len(missing), 60):
            sender.send_past(missing[start : start + 60])
        sender.wait_for_receipts(*envelopes)
        assert house.stored(sender.device) == 800
        with house.series() as series:
            assert len(series.range(sender.device, "usage", 0, 1e11, limit=2000)) == 800
    settled(agents, wait_until)
    for agent in agents:
        assert len(without_gaps(agent)) == 1
    with house.series() as series:
        assert series.dead_letters() == []
    assert conflicts(house) == []


def test_the_broker_is_killed_and_forgets_what_it_had_acknowledged(
    house: Any, mosquitto: str, new_agent: NewAgent, wait_until: Any
) -> None:
    """PUBACK is no receipt: what the killed broker had taken is gone, and the spools send it again."""
    agent, identity = new_agent(), house.enrol()
    broker = house.start_broker()
    collector = house.start_collector()
    agent.start()
    settled([agent], wait_until)
    house.processes.kill(collector)
    sender = house.sender(identity).connect()
    envelopes = [sender.send() for _ in range(200)]  # each with its PUBACK
    wait_until(lambda: len(agent.waiting()) >= 4, "the agent's rounds wait for receipts")
    lost = agent.waiting()
    house.processes.kill(broker)
    sender.cut()
    house.start_broker()
    house.start_collector()
    sender.connect()
    sender.wait_for_receipts(sender.send())
    assert house.stored(identity.device_id) == 1, "the broker had forgotten all that it had acknowledged"
    for start in range(0, 200, 60):
        sender.send_past(envelopes[start : start + 60])
    sender.wait_for_receipts(*envelopes)
    assert house.stored(identity.device_id) == 201
    wait_until(lambda: lost <= agent.stored(), "the agent has sent them again", 90)
    settled([agent], wait_until)
    without_gaps(agent)


def test_the_agent_is_killed_and_its_next_run_sends_the_rest(
    house: Any, mosquitto: str, new_agent: NewAgent, wait_until: Any
) -> None:
    """What a killed agent had measured lies in its spool; the next run sends it as the past, at its own times."""
    agent = new_agent()
    house.start_broker()
    collector = house.start_collector()
    agent.start()
    settled([agent], wait_until)
    house.processes.kill(collector)
    wait_until(lambda: len(agent.waiting()) >= 4, "rounds wait in the spool")
    house.processes.kill(agent.process)
    left = agent.waiting()
    agent.start()
    house.start_collector()
    wait_until(lambda: left <= agent.stored(), "the rest of the killed run is stored", 90)
    settled([agent], wait_until)
    assert len(without_gaps(agent)) == 2
    with house.series() as series:
        rows = series.range(agent.device, "usage", 0, 1e11)
        (presence,) = series.presence([agent.device])
    assert {row.basis for row in rows} <= {"live", "wall"}
    assert [row.source.seq for row in rows if row.source.run == rows[0].source.run] == sorted(
        row.source.seq for row in rows if row.source.run == rows[0].source.run
    ), "in the order in which they were measured"
    assert presence.state == "online"
    assert conflicts(house) == [], "a restart is no clone"


def test_a_frozen_disk_that_plays_its_spool_again_changes_nothing(
    house: Any, mosquitto: str, new_agent: NewAgent, wait_until: Any
) -> None:
    """A PC with deep freeze falls back to yesterday's disk: the old spool goes out again, and every count stays."""
    agent = new_agent()
    house.start_broker()
    collector = house.start_collector()
    agent.start()
    settled([agent], wait_until)
    house.processes.kill(collector)
    wait_until(lambda: len(agent.waiting()) >= 4, "rounds wait in the spool")
    house.processes.kill(agent.process, signal.SIGTERM)
    frozen = house.folder / "frozen"
    agent.keep_spool(frozen)
    kept = agent.waiting()
    house.start_collector()
    agent.start()
    wait_until(lambda: kept <= agent.stored(), "all of it is stored", 90)
    settled([agent], wait_until)
    house.processes.kill(agent.process)

    def old_runs() -> list[tuple[Any, ...]]:
        with house.series() as series:
            rows = series.range(agent.device, "usage", 0, 1e11, limit=5000)
        return [(row.at, row.source, dict(row.values)) for row in rows if row.source.run in {run for run, _ in kept}]

    before, minutes_before = old_runs(), _minutes(house, agent.device)
    for _ in range(2):
        agent.restore_spool(frozen)
        assert agent.waiting() == kept
        agent.start()
        wait_until(lambda: not kept & agent.waiting(), "the collector has receipted the old spool again", 90)
        house.processes.kill(agent.process)
    assert old_runs() == before
    after = _minutes(house, agent.device)
    assert {hour: mask & after[hour] for hour, mask in minutes_before.items()} == minutes_before
    assert conflicts(house) == []


def _minutes(house: Any, device: str) -> dict[int, int]:
    with house.series() as series:
        return {minutes.hour: minutes.seen for minutes in series.minutes(0, 1e11, [device])}


def test_what_the_acl_denies_stays_in_the_spool_until_it_is_allowed(
    house: Any, mosquitto: str, new_agent: NewAgent, wait_until: Any
) -> None:
    """The broker acknowledges a publish that it drops; without a receipt the spool keeps it."""
    agent = new_agent()
    broker = house.start_broker()
    house.start_collector()
    acl = house.settings.broker.directory / "acl"
    allowed = acl.read_text()
    acl.write_text("\n".join(line for line in allowed.splitlines() if not line.startswith("pattern write")) + "\n")
    broker.send_signal(signal.SIGHUP)
    agent.start()
    wait_until(lambda: len(agent.waiting()) >= 4, "rounds wait in the spool")
    denied = agent.waiting()
    assert agent.stored() == set()
    acl.write_text(allowed)
    broker.send_signal(signal.SIGHUP)
    wait_until(lambda: denied <= agent.stored(), "they have come through", 120)
    settled([agent], wait_until)
    without_gaps(agent)
    with house.series() as series:
        assert series.dead_letters() == []


def test_without_the_acl_a_foreign_topic_ends_among_the_dead_letters(
    house: Any, mosquitto: str, wait_until: Any
) -> None:
    """The collector does not rest on the broker's rights: who speaks under another's name is refused by name."""
    victim, intruder = house.enrol(), house.enrol()
    command = ["phongmay", "--config", str(house.config), "broker", "files"]
    assert house.processes.start("files", command).wait(30) == 0
    conf = house.settings.broker.directory / "mosquitto.conf"
    conf.write_text("\n".join(line for line in conf.read_text().splitlines() if not line.startswith("acl_file")) + "\n")
    house.wait_for_port(house.processes.start("broker", [mosquitto, "-c", str(conf)], own=False))
    house.start_collector()
    sender = house.sender(intruder).connect()
    foreign = encode_live(sender.envelope(), Transit(sender.session, sender.instant()))
    sender.publish(topics.build(victim.device_id, Kind.ROUND), foreign)
    sender.publish("phongmay/v1/nobody-knows-me/round", foreign)
    sender.publish(sender.topic(Kind.ROUND), foreign.replace(sender.device.encode(), b"nobody-knows-me"))
    own = sender.send()
    sender.wait_for_receipts(own)
    with house.series() as series:
        found = [(letter.reason, letter.topic.split("/")[2]) for letter in series.dead_letters()]
    assert found == [
        ("wrong_sender", victim.device_id),
        ("unknown_device", "nobody-knows-me"),
        ("wrong_sender", sender.device),
    ]
    assert sender.refused == {}
    assert house.stored() == 1


def test_a_full_disk_stops_receipts_and_loses_nothing(house: Any, mosquitto: str, wait_until: Any) -> None:
    """While neither the store nor the queue can write, there is no receipt; afterwards all is there once."""
    sender_identity = house.enrol()
    house.start_broker()
    collector = house.start_collector()
    sender = house.sender(sender_identity).connect()
    sender.wait_for_receipts(sender.send())
    wal = house.settings.broker.directory / "queue.db-wal"
    limit = (wal.stat().st_size, resource.RLIM_INFINITY)
    resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, limit)  # the file cannot grow: as good as a full disk
    envelopes = [sender.send() for _ in range(300)]
    wait_until(lambda: "store_away" in house.log("collector"), "it says that the store is away")
    count = house.stored()
    time.sleep(2.5)  # some tries in vain
    assert house.stored() == count
    assert house.log("collector").count("store_away") == 1, "said once"
    assert not sender.has_receipt(envelopes[-1])
    resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    sender.wait_for_receipts(*envelopes)
    wait_until(lambda: house.stored() == 301, "what the queue on disk took first is stored")
    assert house.log("collector").count("store_back") == 1


def test_a_late_backlog_teaches_no_wrong_clock(house: Any, mosquitto: str, wait_until: Any) -> None:
    """Live messages that waited in the broker while the collector was away come hours late: they must not shift a run.

    Ten seconds stand for the hours. The run is new to the collector, its wall clock is right, and what it sends after
    the collector is back teaches the offset; so all rows lie where they were measured.
    """
    identity = house.enrol()
    house.start_broker()
    house.processes.kill(house.start_collector(), signal.SIGTERM)
    sender = house.sender(identity).connect()
    measured = {}
    for _ in range(3):
        envelope = sender.send()
        measured[envelope.seq] = envelope.measured.wall
    time.sleep(10)
    house.start_collector()
    late = list(range(1, 4))
    wait_until(lambda: house.stored(sender.device) == len(late), "the backlog is stored")
    time.sleep(1.5)  # a marker comes round every second
    for _ in range(2):
        envelope = sender.send()
        measured[envelope.seq] = envelope.measured.wall
        sender.wait_for_receipts(envelope)
    with house.series() as series:
        rows = series.range(sender.device, "usage", 0, time.time() + 60)
    found = [(row.source.seq, row.at, row.basis) for row in rows]
    assert {seq: basis for seq, _, basis in found} == {1: "wall", 2: "wall", 3: "wall", 4: "live", 5: "live"}
    for seq, at, _ in found:
        assert abs(at - measured[seq]) < 5, "the ten seconds of waiting are in no row"
