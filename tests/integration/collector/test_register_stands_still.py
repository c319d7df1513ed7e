"""A register that stands still for ever, and a collector that is told to end: both real, PostgreSQL is stopped."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks._postgres import Cluster

pytestmark = pytest.mark.integration


@pytest.fixture
def house_register_url(postgres: Cluster, postgres_registers: Any) -> Iterator[str]:
    """The house's register is in PostgreSQL, with less patience than by default (15 s and 5 s)."""
    database = postgres_registers.take()
    yield postgres.url(database) + "?tcp_user_timeout=2000&connect_timeout=2"
    postgres_registers.give_back(database)


def test_a_collector_ends_while_its_register_stands_still(
    house: Any, mosquitto: str, postgres: Cluster, wait_until: Any
) -> None:
    """SIGTERM ends it by itself, exit code 0, no traceback; before, it waited for the register for ever. What it says
    of the register is that it does not answer."""
    identity = house.enrol()
    house.start_broker()
    collector = house.start_collector()
    sender = house.sender(identity).connect()
    sender.wait_for_receipts(sender.send())
    postgres.tell(signal.SIGSTOP)
    try:
        time.sleep(1.5)  # it asks the register each second, so it hangs in a question now
        start = time.monotonic()
        collector.send_signal(signal.SIGTERM)
        assert collector.wait(40) == 0, house.log("collector")
        assert time.monotonic() - start < 20
    finally:
        postgres.tell(signal.SIGCONT)
    said = house.log("collector")
    assert "collector_stopped" in said
    assert "Traceback" not in said
    assert "PostgreSQL does not answer in time" in said
    house.start_collector()
    sender.wait_for_receipts(sender.send())
    wait_until(lambda: house.stored() == 2, "it goes on where it was")
