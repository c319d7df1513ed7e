"""The server that chaos plays with: real broker, collector, store and agents as processes that can be killed singly.

An empty folder and the engines of series and register go in; programs come out that start, die by kill -9, stand still
and come back. What ends by itself or does not come back raises ChaosError with the end of its log.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks._chaos_program import TRACEBACK, ChaosError, Program
from benchmarks._chaos_register import PostgresRegister
from phongmay.demo.processes import free_port
from phongmay.settings import ServerSettings, load
from phongmay_simulate import provisioning
from phongmay_simulate.enrolling import Identity
from phongmay_simulate.population import Population
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.series.influx_setup import set_up

SQLITE, INFLUX, POSTGRESQL = "sqlite", "influx", "postgresql"
PATIENCE_S = 30.0


class RealAgent:
    """A real agent with its spool on disk."""

    def __init__(self, server: Server, identity: Identity) -> None:
        folder = server.folder / identity.device_id
        folder.mkdir()
        self.device = identity.device_id
        self.spool = folder / "spool.db"
        state = folder / "identity.json"
        state.touch(mode=0o600)
        broker = {"host": identity.broker_host, "port": identity.broker_port}
        content = {"device_id": identity.device_id, "secret": identity.secret, "broker": broker, "server": ""}
        state.write_text(json.dumps(content), "utf-8")
        config = folder / "agent.toml"
        config.write_text(
            f'identity_file = "{state}"\nspool_file = "{self.spool}"\ninterval_s = 1\nprobes = ["usage", "state"]\n',
            "utf-8",
        )
        arguments = [sys.executable, "-m", "phongmay_agent", "--config", str(config), "run"]
        self.program = server.add(f"agent-{self.device}", arguments)

    def waiting(self) -> set[tuple[str, int]]:
        """Give (run, seq) of what lies in its spool; from a copy, since a running agent lets nobody else read it."""
        with tempfile.TemporaryDirectory() as folder:
            for path in self.spool.parent.glob(self.spool.name + "*"):
                if not path.name.endswith("-shm"):
                    shutil.copy2(path, folder)
            with closing(sqlite3.connect(Path(folder) / self.spool.name)) as connection:
                try:
                    return set(connection.execute("SELECT run, seq FROM envelope"))
                except sqlite3.OperationalError:  # copied before the agent had made its table
                    return set()


class Server:
    """Broker, collector and stores of one chaos, all in one folder and on loopback."""

    def __init__(self, folder: Path, series: str, register: str, population: Population) -> None:
        self.folder = folder
        self.series = series
        self.programs: dict[str, Program] = {}
        self.register = PostgresRegister() if register == POSTGRESQL else None
        try:
            self._lay_out(population)
        except BaseException:
            self.stop()
            raise

    def _lay_out(self, population: Population) -> None:
        folder = self.folder
        self.port = free_port()
        self.config = folder / "phongmay.toml"
        influx = ""
        register_url = self.register.url if self.register else f"sqlite:///{folder}/register.db"
        if self.series == INFLUX:
            influx = f'series = "influx"\n[store.influx]\nversion = "1"\nurl = "{self._add_influxd()}"\n'
        self.config.write_text(
            f'[store]\nregister_url = "{register_url}"\nseries_path = "{folder}/series.db"\n{influx}'
            f'[broker]\nport = {self.port}\ndirectory = "{folder}/broker"\n',
            "utf-8",
        )
        self.settings: ServerSettings = load(self.config)
        engine = open_register(self.settings.store.register_url)
        migrate(engine)
        self.identities = provisioning.provision(engine, population, ("127.0.0.1", self.port))
        engine.dispose()
        own = [sys.executable, "-m", "phongmay", "--config", str(self.config)]
        self.broker = self.add("broker", [*own, "broker", "run"])
        needs = self.register.is_away if self.register else None
        self.collector = self.add("collector", [*own, "collector", "run"], needs)

    def add(self, name: str, arguments: Sequence[str], needs: Callable[[], bool] | None = None) -> Program:
        """Add a program; it does not run yet."""
        self.programs[name] = Program(name, arguments, self.folder / f"{name}.log", needs)
        return self.programs[name]

    def start(self) -> None:
        """Start everything, each when what it needs is there."""
        if "influxd" in self.programs:
            self.programs["influxd"].start()
            _wait(lambda: _answers(f"{self.settings.store.influx.url}/ping"), "influxd answers")
            set_up(self.settings.store)
        self.broker.start()
        _wait(self._broker_listens, "the broker listens")
        self.collector.start()
        _wait(self._collector_stands, "the collector is there")

    def stop(self) -> None:
        """End whatever still runs, last added first."""
        for program in reversed(self.programs.values()):
            with contextlib.suppress(ChaosError):
                program.end(signal.SIGTERM)
        if self.register is not None:
            self.register.close()

    def check(self) -> None:
        """Make sure that nothing ended by itself, and that the series are where this run says."""
        if self.register is not None:
            self.register.check()
        for program in self.programs.values():
            program.check()
        if self.series == INFLUX and self.settings.store.series_path.exists():
            raise ChaosError("series are to be in InfluxDB, but the collector made a SQLite file")

    def queued(self) -> int:
        """Count the messages that have their receipts and wait in the collector's queue on disk."""
        queue = self.settings.broker.directory / "queue.db"
        if not queue.exists():
            return 0
        with closing(sqlite3.connect(f"file:{queue}?mode=ro", uri=True, timeout=5)) as connection:
            return int(connection.execute("SELECT count(*) FROM waiting").fetchone()[0])

    def check_words(self) -> None:
        """Make sure that no program has said a traceback.

        Raises:
            ChaosError: one has.
        """
        for program in self.programs.values():
            said = program.log.read_text("utf-8", "replace") if program.log.exists() else ""
            if TRACEBACK in said:
                first = said.index(TRACEBACK)
                raise ChaosError(f"{program.name} met something that it did not expect:\n{said[first : first + 3000]}")

    def lock_series(self) -> Callable[[], None]:
        """Hold a lock on the SQLite file, as a slow backup would; gives what lets it go."""
        connection = sqlite3.connect(self.settings.store.series_path, timeout=5, isolation_level=None)
        with contextlib.suppress(sqlite3.OperationalError):  # busy for that long: slow enough by itself
            connection.execute("BEGIN IMMEDIATE")
        return connection.close

    def _collector_stands(self) -> bool:
        self.check()
        return self.collector.words().count(" connected user=") >= 2

    def _broker_listens(self) -> bool:
        self.check()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def _add_influxd(self) -> str:
        program = shutil.which("influxd")
        if program is None:
            raise ChaosError("influxd is needed for --series influx: apt install influxdb")
        port = free_port()
        conf = self.folder / "influxdb.conf"
        data = self.folder / "influx"
        conf.write_text(
            f'reporting-disabled = true\nbind-address = "127.0.0.1:{free_port()}"\n'
            f'[meta]\ndir = "{data}/meta"\n[data]\ndir = "{data}/data"\nwal-dir = "{data}/wal"\n'
            f'index-version = "tsi1"\n'
            f'[http]\nbind-address = "127.0.0.1:{port}"\nlog-enabled = false\n[monitor]\nstore-enabled = false\n',
            "utf-8",
        )
        self.add("influxd", [program, "-config", str(conf)])
        return f"http://127.0.0.1:{port}"


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
        return True
    return False


def _wait(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise ChaosError(f"{what}: not within {PATIENCE_S:.0f} s")
        time.sleep(0.05)


def require_mosquitto() -> None:
    """Make sure that the broker can run; amqtt proves nothing."""
    if shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") is None:
        raise ChaosError("mosquitto is needed: apt install mosquitto")
