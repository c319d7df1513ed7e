"""Each engine as a user has it: SQLite in a folder, InfluxDB as a real server with databases of its own for a test.

The state of an InfluxDB's series lies in the register, which may be SQLite or PostgreSQL: two engines more or less.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from phongmay_contract.envelope import Envelope, Group, Instant
from phongmay_contract.topics import Kind
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.series import OpenReader, open_reader, open_writer
from phongmay_store.series.influx_setup import set_up
from phongmay_store.series.interface import Arrival, SeriesWriter, TimeBasis
from phongmay_store.settings import INFLUX, InfluxSettings, StoreSettings

HOUR = int(time.time() // 3600 - 30) * 3600
"""A whole hour, so long ago that it may be rolled up, and well within the time for which rounds are kept."""
DEVICE, RUN = "pc-one", "aa" * 8


@dataclass
class Engine:
    """One engine with an empty store."""

    settings: StoreSettings
    writer: SeriesWriter

    def reader(self) -> OpenReader:
        """Open it as another process would."""
        return open_reader(self.settings)


def influx_settings(folder: Path, url: str, **changes: Any) -> StoreSettings:
    """Settings of a store on an InfluxDB 1.x with a database that no other test has."""
    influx = InfluxSettings(version="1", url=url, database=f"t{secrets.token_hex(4)}", timeout_s=5.0)
    register = f"sqlite:///{folder / 'register.db'}"
    settings = StoreSettings(register_url=register, series=INFLUX, series_path=folder / "no.db", influx=influx)
    return replace(settings, **changes)


def make_register(settings: StoreSettings) -> None:
    """Make the register's tables."""
    engine = open_register(settings.register_url)
    migrate(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def empty_register(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A register with all tables and nothing in it, to be copied: making it anew costs a second."""
    folder = tmp_path_factory.mktemp("register")
    make_register(StoreSettings(register_url=f"sqlite:///{folder / 'register.db'}"))
    return (folder / "register.db").read_bytes()


@pytest.fixture
def influx_store(tmp_path: Path, influxd: Any, empty_register: bytes) -> StoreSettings:
    """A store on the session's influxd, set up as `phongmay store init` does it."""
    (tmp_path / "register.db").write_bytes(empty_register)
    settings = influx_settings(tmp_path, influxd.url)
    set_up(settings)
    return settings


@pytest.fixture
def influx_with_postgres(
    tmp_path: Path, influxd: Any, postgres: Any, postgres_registers: Any
) -> Iterator[StoreSettings]:
    """The same with its state in a PostgreSQL."""
    database = postgres_registers.take()
    settings = influx_settings(tmp_path, influxd.url, register_url=postgres.url(database))
    set_up(settings)
    yield settings
    postgres_registers.give_back(database)


_FIXTURES = {"influx": "influx_store", "influx+postgresql": "influx_with_postgres"}


@pytest.fixture(params=["sqlite", *_FIXTURES])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Each engine, one behind the other."""
    if request.param in _FIXTURES:
        settings = request.getfixturevalue(_FIXTURES[request.param])
    else:
        settings = StoreSettings(series_path=tmp_path / "series.db")
    with closing(open_writer(settings)) as writer:
        yield Engine(settings, writer)


@pytest.fixture
def series(engine: Engine) -> SeriesWriter:
    """The writer of an empty store of each engine."""
    return engine.writer


@pytest.fixture
def empty_like(engine: Engine, tmp_path: Path) -> Iterator[SeriesWriter]:
    """Another empty store of the same engine."""
    (tmp_path / "other").mkdir()
    if engine.settings.series == INFLUX:
        settings = influx_settings(tmp_path / "other", engine.settings.influx.url)
        make_register(settings)
        set_up(settings)
    else:
        settings = StoreSettings(series_path=tmp_path / "other" / "series.db")
    with closing(open_writer(settings)) as writer:
        yield writer


def arrival(
    seq: int,
    at: float,
    *groups: Group,
    kind: Kind = Kind.ROUND,
    basis: TimeBasis = TimeBasis.LIVE,
    run: str = RUN,
    sender: str = DEVICE,
    received: float = 0.0,
    **more: Any,
) -> Arrival:
    """Make an envelope that has arrived; without groups it holds a `usage`."""
    body = groups or (usage(),)
    envelope = Envelope(kind, sender, run, seq, Instant(at, at - HOUR), "test", body)
    return Arrival(envelope, at, basis, received or at, **more)


def usage(memory: int = 5, subject: str = "", cpu: float = 0.25) -> Group:
    """Make a `usage`."""
    return Group("usage", {"cpu_busy_ratio": cpu, "memory_used_bytes": memory}, subject)


def reach(ok: bool, part: str = "internet") -> Group:
    """Make a `reach`."""
    return Group("reach", {"ok": ok}, part=part)


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """What tests of a store write: HOUR, DEVICE, RUN, arrival(), usage(), reach()."""
    return SimpleNamespace(HOUR=HOUR, DEVICE=DEVICE, RUN=RUN, arrival=arrival, usage=usage, reach=reach)
