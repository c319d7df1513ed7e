"""Many real connections in one thread, against a real Mosquitto and the real collector."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from phongmay_contract.envelope import GOODBYE, LOST, ONLINE
from phongmay_contract.topics import Kind
from phongmay_simulate import population, provisioning
from phongmay_simulate.agent import SimulatedAgent
from phongmay_simulate.district import Role
from phongmay_simulate.enrolling import Identity
from phongmay_simulate.load import Load, percentile
from phongmay_simulate.machine import Machine
from phongmay_simulate.wire import Wire

pytestmark = pytest.mark.integration


@pytest.fixture
def fleet(house: Any, mosquitto: str) -> list[Identity]:
    """Two hundred devices in the register, broker and collector running."""
    people = population.build(1, 4, 50, faults=False, gateways=False)
    found = provisioning.provision(house.engine, people, ("127.0.0.1", house.settings.broker.port))
    house.start_broker()
    house.start_collector()
    return list(found.values())


@pytest.fixture
def wire(house: Any) -> Iterator[Wire]:
    """A loop at the house's broker."""
    made = Wire("127.0.0.1", house.settings.broker.port)
    yield made
    made.close()


def agent_of(wire: Wire, identity: Identity, run: str = "0123456789abcdef") -> SimulatedAgent:
    """Make a healthy agent."""
    return SimulatedAgent(wire, Machine(Role.STANDARD, identity.device_id, 100.0, time.time()), identity, run)


def turn_until(wire: Wire, condition: Any, patience_s: float = 30.0) -> None:
    """Turn the loop until something is so."""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "did not come true"
        wire.turn(0.02)


def states(house: Any) -> dict[str, str]:
    """Give the presence of every device."""
    with house.series() as series:
        return {presence.device: presence.state for presence in series.presence()}


def test_a_load_gets_a_receipt_for_every_message(house: Any, fleet: list[Identity]) -> None:
    """What the generator says it sent is what the store has; each receipt has its lag."""
    load = Load(fleet)
    load.open()
    load.greet()
    sent = load.steady(200, 2.0) + load.steady(100, 0.1, each_turn=lambda: time.sleep(0.2))  # asleep when it ends
    load.come_back(3, hours=2)
    load.until(lambda: not load.past_left, 30, "send the past")
    load.drain(30)
    load.close()
    assert len(load.lags) == sent == 410
    assert len(load.past_lags) == 3 * 120
    assert 0 < percentile(load.lags, 0.5) <= percentile(load.lags, 0.99)
    assert load.refused == {}
    assert house.stored() == 200 + 410 + 360
    with house.series() as series:
        (row,) = series.latest("campaign", [fleet[10].device_id])
        minutes = sum(mask.seen.bit_count() for mask in series.minutes(0, 1e11, [fleet[0].device_id]))
    assert len(row.values) == 12
    assert row.basis == "live"
    assert minutes >= 120, "the past lies at its own minutes"


def test_goodbye_and_a_pulled_plug_are_told_apart(
    house: Any, fleet: list[Identity], wire: Wire, wait_until: Any
) -> None:
    """A clean end must reach the broker before the socket closes, and an unclean one must not."""
    agents = [agent_of(wire, identity) for identity in fleet[:40]]
    for agent in agents:
        agent.start()
    turn_until(wire, lambda: all(agent.connected for agent in agents))
    for agent in agents:
        agent.send(Kind.ROUND, agent.machine.round(60.0))
    turn_until(wire, lambda: not any(agent.unreceipted for agent in agents))
    for agent in agents[:20]:
        agent.goodbye()
    for agent in agents[20:30]:
        agent.cut()
    expected = [GOODBYE] * 20 + [LOST] * 10 + [ONLINE] * 10
    wait_until(lambda: [states(house)[agent.identity.device_id] for agent in agents] == expected, "presence is right")


def test_everybody_comes_back_after_the_broker_was_killed(house: Any, fleet: list[Identity], wire: Wire) -> None:
    """What was measured meanwhile and what the broker forgot is stored in the end, once."""
    agents = [agent_of(wire, identity) for identity in fleet]
    for agent in agents:
        agent.start()
    turn_until(wire, lambda: all(agent.connected for agent in agents))
    for agent in agents:
        agent.send(Kind.ROUND, agent.machine.round(60.0))
    wire.turn(0.0)
    house.processes.kill(house.broker)
    turn_until(wire, lambda: not any(agent.connected for agent in agents))
    for agent in agents:
        agent.send(Kind.ROUND, agent.machine.round(60.0))
    house.start_broker()
    turn_until(wire, lambda: all(agent.connected for agent in agents))
    next_round = 0.0

    def settled() -> bool:
        """Go on with rounds where nobody has answered yet: the collector may come back later than the PCs."""
        nonlocal next_round
        now = time.monotonic()
        for agent in agents:
            agent.check(now)
            if now >= next_round and not agent.heard_receipt:
                agent.send(Kind.ROUND, agent.machine.round(60.0))
        next_round = now + 2.0 if now >= next_round else next_round
        return all(agent.heard_receipt and not agent.unreceipted for agent in agents)

    turn_until(wire, settled, 90)
    assert house.stored() == sum(agent.runs[agent.run].made for agent in agents) >= 600
    assert wire.losses >= 200


def test_too_few_descriptors_are_said_before_anything_begins() -> None:
    """A limit that cannot be raised gives a sentence with the number that would do; a soft one is raised."""
    code = (
        "import resource; from phongmay_simulate.descriptors import make_room; from phongmay_contract.errors import "
        "OperatorError\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, 500)); make_room(400)\n"
        "assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 400\n"
        "try: make_room(1000)\nexcept OperatorError as error: print(error)"
    )
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 500
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "1064 open files" in done.stdout
    assert "at most 436" in done.stdout
