"""The whole chain on PostgreSQL: broker, collector, rules engine; the database is killed in the midst, twice."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from benchmarks._postgres import Cluster, running
from phongmay_contract.envelope import Group
from phongmay_contract.topics import Kind
from phongmay_rules.chain.verifying import units_with_chain, verify
from phongmay_store.register.compliance import CurrentRun, CurrentVerdict, EvaluationRun

pytestmark = pytest.mark.integration
HARDWARE = Group("hardware", {"os_id": "debian", "os_version": "12", "memory_bytes": 8 * 2**30, "cpu_bits": 64})


@pytest.fixture
def server(postgres: Cluster) -> Iterator[Cluster]:
    """A PostgreSQL of this test alone that waits for the disk, as one in use does."""
    assert postgres  # says that it is missing
    with running(durable=True) as cluster:
        yield cluster


@pytest.fixture
def house_register_url(server: Cluster) -> str:
    """The house's register lies in PostgreSQL."""
    return server.url(server.create())


def verdicts(house: Any, devices: list[str]) -> set[str]:
    """Give those devices that have a present verdict."""
    with Session(house.engine) as session:
        return set(session.scalars(select(CurrentVerdict.subject_id).where(CurrentVerdict.subject_id.in_(devices))))


@pytest.mark.parametrize("house", [{"rules": "interval_s = 1\nrun_row_s = 1\nwatch_s = 0"}], indirect=True)
def test_nothing_is_lost_when_postgresql_is_killed(
    house: Any, server: Cluster, mosquitto: str, wait_until: Callable[..., Any]
) -> None:
    """Killed with -9 and started again: every envelope is stored once, every chain is sound, nobody was restarted.

    While it is away collector and engine say so in one sentence; a PC that cannot be looked up waits for the answer.
    """
    identities = [house.enrol() for _ in range(2)]
    house.start_broker()
    house.start_collector()
    engine = house.processes.start("rules", ["phongmay", "--config", str(house.config), "rules", "run"])
    known = [house.sender(identity) for identity in identities]
    for sender in known:
        sender.connect()
    sent = [sender.send(sender.envelope(HARDWARE, kind=Kind.INVENTORY)) for sender in known]
    sent += [sender.send() for sender in known]
    for sender in known:
        sender.wait_for_receipts(*[one for one in sent if one.sender == sender.device])
    devices = [sender.device for sender in known]
    wait_until(lambda: verdicts(house, devices) == set(devices), "the first verdicts")

    for number in range(2):
        newcomer = house.sender(house.enrol())  # whom the collector has not looked up yet
        newcomer.connect(birth=False)
        server.stop(signal.SIGKILL)
        first = newcomer.send(wait=False)
        for name, word in (("rules", "event=store_away"), ("collector", "register_away")):
            wait_until(lambda n=number, f=name, w=word: house.log(f).count(w) > n, f"{name}: {word}")
        sent += [first, *(sender.send(wait=False) for sender in known)]
        server.start()
        for sender in (*known, newcomer):
            sender.wait_for_receipts(*[one for one in sent if one.sender == sender.device])
            assert not sender.refused
        for name, word in (("rules", "event=store_back"), ("collector", "register_back")):
            wait_until(lambda n=number, f=name, w=word: house.log(f).count(w) > n, f"{name}: {word}")
        devices.append(newcomer.device)
        wait_until(lambda: verdicts(house, devices) == set(devices), "the newcomer is judged")

    assert house.collector.poll() is None
    assert engine.poll() is None
    for log in (house.log("collector"), house.log("rules")):
        assert "Traceback" not in log
        assert "PostgreSQL" in log or "database" in log, log
        assert "throw-away" not in log
    assert house.stored() == len(sent) == len({(one.sender, one.run, one.seq) for one in sent})
    assert house.processes.kill(engine, signal.SIGTERM) == 0
    with Session(house.engine) as session:
        units = units_with_chain(session)
        assert house.school_id in units
        for unit in units:
            assert verify(session, unit, (), None).breaks == ()
            runs = select(func.max(EvaluationRun.id)).where(EvaluationRun.unit_id == unit)
            assert session.get_one(CurrentRun, unit).run_id == session.scalar(runs)
