"""What every process says of itself, with the real ones: all well, the series store away, the register away or hanging.

A collector, the engine, the API, the coordinator and a bandwidth server run on one PostgreSQL and one influxd of their
own; the tests stop these, and start them again.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from benchmarks._postgres import Cluster
from phongmay.demo.processes import free_port
from phongmay.metrics import METRICS, PREFIX
from phongmay.settings import load
from phongmay_bandwidth.ticket import make_key
from phongmay_store.series.influx_setup import set_up

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

BROKER_SAYS = ("broker_dropped_messages", "broker_queued_messages", "broker_queued_bytes", "broker_clients")


@pytest.fixture
def house_register_url(postgres: Cluster, postgres_registers: Any) -> Iterator[str]:
    """The house's register is in PostgreSQL."""
    database = postgres_registers.take()
    yield postgres.url(database)
    postgres_registers.give_back(database)


@dataclass
class Watched:
    """A server of which every process runs and is asked."""

    house: Any
    ports: dict[str, int]
    influxd: Any
    postgres: Cluster

    def ask(self, process: str, path: str) -> tuple[int, str, float]:
        """Ask a process; gives status, answer and seconds."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[process], timeout=20)
        start = time.monotonic()
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), time.monotonic() - start
        finally:
            connection.close()

    def ready(self, process: str) -> tuple[bool, str]:
        """Tell whether a process is ready, and the reasons why not."""
        status, text, _ = self.ask(process, "/ready")
        said = json.loads(text)
        assert (status == 200) == said["ready"] == (not said["reasons"])
        return said["ready"], " ".join(said["reasons"])

    def metrics(self, process: str) -> dict[str, Metric]:
        """Give what Prometheus would take from a process."""
        status, text, _ = self.ask(process, "/metrics")
        assert status == 200
        return {family.name: family for family in text_string_to_metric_families(text)}

    def figure(self, process: str, name: str) -> float:
        """Give a figure that has no label."""
        (sample,) = self.metrics(process)[f"{PREFIX}{name}"].samples
        return float(sample.value)

    def status(self) -> subprocess.CompletedProcess[str]:
        """Run `phongmay status`."""
        command = [sys.executable, "-m", "phongmay", "--config", str(self.house.config), "status", "--lang", "en"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def watched(
    house: Any, mosquitto: str, influxd_program: str, time_servers: Any, postgres: Cluster, tmp_path: Path,
    wait_until: Callable[..., Any],
) -> Iterator[Watched]:  # fmt: skip
    """Every process of a server, each on a port of its own; all are ready."""
    ports = {}
    text = house.config.read_text("utf-8")
    for process in ("campaigns", "bandwidth"):
        ports[process] = free_port()
        text += f"[{process}]\nmetrics_port = {ports[process]}\n"
        if process == "bandwidth":
            text += f'host = "127.0.0.1"\nport = {free_port()}\nkey_file = "{tmp_path}/bandwidth.key"\n'
    with time_servers.influxd(influxd_program, tmp_path / "influxd") as influxd:
        series = f'series = "influx"\nattachments_path = "{tmp_path}"\n'
        influx = f'[store.influx]\nversion = "1"\nurl = "{influxd.url}"\ntimeout_s = 2\n'
        text = text.replace("[store]\n", f"[store]\n{series}", 1)
        text = text.replace("[rules]\n", "[rules]\ninterval_s = 1\nwatch_s = 0\n", 1)
        text = text.replace("[api]\n", f"[api]\nport = {free_port()}\n", 1)
        house.config.write_text(text + influx, "utf-8")
        house.settings = settings = load(house.config)
        set_up(settings.store)
        make_key(settings.bandwidth.key_file)
        ports |= {"collector": settings.collector.metrics_port, "rules": settings.rules.metrics_port,
                  "api": settings.api.metrics_port}  # fmt: skip
        for verb in ("rules", "api", "campaigns", "bandwidth-server"):
            house.processes.start(verb, ["phongmay", "--config", str(house.config), verb, "run"])
        house.start_broker()
        house.start_collector()
        made = Watched(house, ports, influxd, postgres)

        def all_ready() -> bool:
            with contextlib.suppress(OSError):
                return all(made.ready(process)[0] for process in ports) and made.figure("rules", "evaluations") >= 1
            return False

        wait_until(all_ready, "every process is ready")
        yield made
        house.processes.kill_all()  # before the database is emptied


def test_every_process_says_how_it_stands(watched: Watched, wait_until: Callable[..., Any]) -> None:
    """All well, then influxd, then the register away and back: each process says so, turns on, and mends itself."""
    house = watched.house
    sender = house.sender(house.enrol()).connect()
    sender.wait_for_receipts(sender.send())
    wait_until(lambda: f"{PREFIX}{BROKER_SAYS[-1]}" in watched.metrics("collector"), "the broker's own account")
    figures_are_those_of_the_list(watched)
    before = watched.figure("rules", "evaluations")
    wait_until(lambda: watched.figure("rules", "evaluations") > before, "the engine evaluates again")
    assert 0 < watched.figure("rules", "evaluation_seconds") < 30
    assert abs(watched.figure("rules", "last_evaluation_timestamp_seconds") - time.time()) < 30
    assert watched.figure("collector", "receipts_outstanding") == watched.figure("collector", "held_messages") == 0
    assert abs(watched.figure("collector", "last_write_timestamp_seconds") - time.time()) < 60
    assert watched.figure("campaigns", "campaign_leads") == 1
    told = watched.status()
    assert (told.returncode, told.stdout.splitlines()[-1]) == (0, "All is well."), told.stdout
    assert [line.split()[0] for line in told.stdout.splitlines()[:-1]] == [
        "collector", "rules", "api", "campaigns", "bandwidth",
    ]  # fmt: skip
    the_series_are_away(watched, wait_until)
    the_register_is_away(watched, wait_until)
    the_register_hangs(watched, wait_until)
    sender.wait_for_receipts(sender.send())
    # A receipt says kept: while the store was away it was the queue on disk that took the message.
    wait_until(lambda: house.stored(sender.device) == sender.seq, "what the queue on disk kept is stored")


def figures_are_those_of_the_list(watched: Watched) -> None:
    """Each process gives the figures that the list has of it and no others, so that Prometheus can read them."""
    for process in watched.ports:
        families = watched.metrics(process)
        wanted = {
            f"{PREFIX}{metric.name}": metric
            for metric in METRICS.values()
            if metric.process.removesuffix("-server") == process
        }
        assert wanted
        assert families.keys() == wanted.keys(), process
        for name, family in families.items():
            metric = wanted[name]
            assert (family.documentation, family.type) == (metric.about, "counter" if metric.counter else "gauge")
            assert family.samples
            assert all(sample.name == metric.exposed for sample in family.samples)
            assert all(list(sample.labels) == ([metric.label] if metric.label else []) for sample in family.samples)


def all_turn(watched: Watched) -> None:
    """Assert that nobody would restart a process for something that a restart does not mend."""
    for process in watched.ports:
        status, text, took_s = watched.ask(process, "/health")
        assert (status, json.loads(text)["status"]) == (200, "ok"), process
        assert took_s < 5, f"{process}: /health waits for a store"


def the_series_are_away(watched: Watched, wait_until: Callable[..., Any]) -> None:
    """Without influxd the engine and the API cannot work; the collector can, by its queue on disk."""
    watched.influxd.process.kill()
    watched.influxd.process.wait()
    failed = watched.figure("rules", "failed_evaluations")
    wait_until(lambda: not watched.ready("rules")[0] and not watched.ready("api")[0], "rules and api are not ready")
    assert watched.influxd.url in watched.ready("api")[1]
    wait_until(lambda: watched.figure("rules", "failed_evaluations") > failed, "evaluations fail")
    assert watched.ready("collector") == (True, "")
    assert watched.ready("bandwidth") == (True, "")
    all_turn(watched)
    told = watched.status()
    assert told.returncode == 2
    assert "the series store cannot be read" in told.stdout
    assert "a store cannot be read or written" in told.stdout
    watched.influxd.start()
    wait_until(lambda: all(watched.ready(process)[0] for process in watched.ports), "all are ready again")


def the_register_is_away(watched: Watched, wait_until: Callable[..., Any]) -> None:
    """Without the register nobody but the bandwidth server can work; each finds it again by itself."""
    watched.postgres.stop(signal.SIGQUIT)
    try:
        for process in ("collector", "rules", "api", "campaigns"):
            wait_until(lambda process=process: not watched.ready(process)[0], f"{process} is not ready")
        assert watched.ready("bandwidth") == (True, "")
        assert watched.figure("campaigns", "campaign_leads") == 0
        all_turn(watched)
        told = watched.status()
        assert told.returncode == 2
        assert told.stdout.count("the register does not answer") == 2, told.stdout  # collector and API
        assert "PostgreSQL does not listen there" in told.stdout
        assert "throw-away" not in told.stdout
        watched.house.processes.kill(watched.house.broker)
        watched.house.start_broker()  # nobody is shut out because the register is away
        assert "goes on with the devices of its password file" in watched.house.log("broker")
    finally:
        watched.postgres.start()
    wait_until(lambda: all(watched.ready(process)[0] for process in watched.ports), "all are ready again")


def the_register_hangs(watched: Watched, wait_until: Callable[..., Any]) -> None:
    """A register that takes questions and never answers: API and collector say so within seconds, and live on."""
    watched.postgres.tell(signal.SIGSTOP)
    try:
        wait_until(lambda: not watched.ready("api")[0], "the API is not ready")
        status, text, took_s = watched.ask("api", "/ready")
        assert (status, "no answer for" in text) == (503, True)
        assert took_s < 10
        status, _, took_s = watched.ask("api", "/health")
        assert (status, took_s < 2) == (200, True)
        assert watched.figure("api", "register_answer_seconds") > 1
        wait_until(lambda: not watched.ready("collector")[0], "the collector is not ready")
        status, _, _ = watched.ask("collector", "/health")
        assert status == 200
    finally:
        watched.postgres.tell(signal.SIGCONT)
    wait_until(lambda: all(watched.ready(process)[0] for process in watched.ports), "all are ready again")
