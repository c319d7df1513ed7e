"""A register that stands still, and a collector that has to go on: both real, PostgreSQL is stopped by SIGSTOP."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks._postgres import Cluster
from phongmay.settings import load
from phongmay_store.series.influx_setup import set_up

pytestmark = pytest.mark.integration


@pytest.fixture
def house_register_url(postgres: Cluster, postgres_registers: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """The house's register is in PostgreSQL; parametrize indirectly with the end of its URL."""
    database = postgres_registers.take()
    yield postgres.url(database) + getattr(request, "param", "")
    postgres_registers.give_back(database)


@pytest.fixture
def stopped(postgres: Cluster) -> Iterator[Callable[[signal.Signals], None]]:
    """Send a signal to PostgreSQL; in the end it goes on in any case."""
    yield postgres.tell
    postgres.tell(signal.SIGCONT)


@pytest.mark.parametrize("house_register_url", ["?tcp_user_timeout=60000&connect_timeout=60"], indirect=True)
def test_receipts_are_given_while_the_register_stands_still(
    house: Any, mosquitto: str, stopped: Callable[[signal.Signals], None], wait_until: Any
) -> None:
    """A question without an answer (here for a minute and more) is no reason to let the broker and the schools wait:
    devices that are known go on. What the register knows meanwhile is learnt when it answers again."""
    identity = house.enrol()
    house.start_broker()
    house.start_collector()
    sender = house.sender(identity).connect()
    stopped(signal.SIGSTOP)
    end = time.monotonic() + 4  # it asks the register each second, so it hangs in a question soon
    while time.monotonic() < end:
        sender.wait_for_receipts(sender.send())
    assert house.collector.poll() is None
    stopped(signal.SIGCONT)
    assert house.stored(sender.device) == sender.seq
    another = house.sender(house.enrol()).connect()  # its password has reached the broker
    another.wait_for_receipts(another.send())
    assert "connection broke" not in house.log("collector")


def test_messages_wait_on_disk_while_the_series_state_stands_still(
    house: Any, mosquitto: str, influxd_program: str, time_servers: Any, tmp_path: Path, wait_until: Any,
    stopped: Callable[[signal.Signals], None],
) -> None:  # fmt: skip
    """With InfluxDB the state of the series is in PostgreSQL. When that stands still, the writer gives its statement up
    before anybody becomes impatient, and messages go to the queue on disk; in the end each is stored, once."""
    identity = house.enrol()
    with time_servers.influxd(influxd_program, tmp_path / "influxd") as influxd:
        influx = f'[store.influx]\nversion = "1"\nurl = "{influxd.url}"\n'
        text = house.config.read_text("utf-8").replace("[store]\n", '[store]\nseries = "influx"\n', 1)
        house.config.write_text(text + influx, "utf-8")
        house.settings = load(house.config)
        set_up(house.settings.store)
        house.start_broker()
        house.start_collector()
        sender = house.sender(identity).connect()
        sender.wait_for_receipts(sender.send())
        stopped(signal.SIGSTOP)
        for _ in range(3):
            sender.wait_for_receipts(sender.send())
        assert " store_away " in house.log("collector")
        stopped(signal.SIGCONT)
        wait_until(lambda: house.stored(sender.device) == sender.seq, "what waited on disk is stored")
        sender.wait_for_receipts(sender.send())
        assert house.stored() == sender.seq
        with house.series() as series:
            rows = series.range(sender.device, "usage", 0.0, time.time() + 60)
        assert [row.source.seq for row in rows] == list(range(1, sender.seq + 1))
        house.processes.kill(house.collector)


@pytest.mark.parametrize("house_register_url", ["?tcp_user_timeout=2000&connect_timeout=2"], indirect=True)
def test_a_collector_ends_while_its_register_stands_still(
    house: Any, mosquitto: str, stopped: Callable[[signal.Signals], None], wait_until: Any
) -> None:
    """SIGTERM ends it by itself, exit code 0, no traceback; before, it waited for the register for ever. What it says
    of the register is that it does not answer."""
    identity = house.enrol()
    house.start_broker()
    collector = house.start_collector()
    sender = house.sender(identity).connect()
    sender.wait_for_receipts(sender.send())
    stopped(signal.SIGSTOP)
    wait_until(lambda: " register_away " in house.log("collector"), "the collector says so")
    start = time.monotonic()
    collector.send_signal(signal.SIGTERM)
    assert collector.wait(40) == 0, house.log("collector")
    assert time.monotonic() - start < 20
    stopped(signal.SIGCONT)
    said = house.log("collector")
    assert "collector_stopped" in said
    assert "Traceback" not in said
    assert "PostgreSQL does not answer in time" in said
    house.start_collector()
    sender.wait_for_receipts(sender.send())
    wait_until(lambda: house.stored() == 2, "it goes on where it was")
