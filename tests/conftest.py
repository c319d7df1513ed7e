"""What tests share: free ports, empty registers on both engines, real brokers and collectors as processes, devices.

Long because pytest shares fixtures through this one file. Nothing here is a mock. What needs an outside program is
skipped with its reason where the program is missing, and fails instead when PHONGMAY_REQUIRE_ALL=1 is set. Only
processes that were started here are ever ended.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from benchmarks._postgres import Cluster, ClusterError
from benchmarks._postgres import running as running_postgres
from phongmay.settings import ServerSettings, load
from phongmay_contract import keys, topics
from phongmay_contract.envelope import (
    LOST,
    ONLINE,
    Envelope,
    Group,
    Instant,
    Status,
    Transit,
    decode_receipt,
    encode_backfill,
    encode_live,
    encode_status,
)
from phongmay_contract.topics import Kind
from phongmay_store.register import metadata
from phongmay_store.register.base import new_id, utc_now
from phongmay_store.register.device import Device, DeviceKind
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.register.enrolment import Identity, enrol, make_token
from phongmay_store.register.organisation import SchoolLevel, Unit, UnitKind
from phongmay_store.series import OpenReader, open_reader

hypothesis.settings.register_profile("house", deadline=None)  # a slow machine breaks no law
hypothesis.settings.load_profile("house")

PATIENCE_S = 30.0
"""How long a condition may take to come true; never how long something is expected to take."""


def missing(reason: str) -> NoReturn:
    """Skip because an outside program is missing - or fail, where everything must be there."""
    if os.environ.get("PHONGMAY_REQUIRE_ALL") == "1":
        pytest.fail(f"{reason} (PHONGMAY_REQUIRE_ALL=1)", pytrace=False)
    pytest.skip(reason)


def wait_until(condition: Callable[[], Any], what: str = "", patience_s: float = PATIENCE_S) -> Any:
    """Wait until a condition holds and give its value."""
    end = time.monotonic() + patience_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"did not come true in {patience_s:.0f} s: {what or condition}")
        time.sleep(0.02)


@pytest.fixture(name="wait_until")
def wait_until_fixture() -> Callable[..., Any]:
    """The function `wait_until(condition, what="", patience_s=30)`."""
    return wait_until


_PORTS = range(10_000, 32_000)
"""Below those that systems give to outgoing connections: such a one could take a port before the server does."""
_given: set[int] = set()


def new_port() -> int:
    """Give a loopback port on which nobody listens, and that nobody else was given in this process."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


@pytest.fixture
def free_port() -> int:
    """A loopback port on which nobody listens."""
    return new_port()


@pytest.fixture(scope="session")
def mosquitto() -> str:
    """Path of the real Mosquitto."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    return found or missing("mosquitto is not installed: apt install mosquitto")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL of this session; who stops it starts it again."""
    with contextlib.ExitStack() as stack:
        try:
            cluster = stack.enter_context(running_postgres())
        except ClusterError as error:
            missing(str(error))
        yield cluster


class PostgresRegisters:
    """Empty registers in a PostgreSQL; one that was used is emptied and given again: quicker than a new one."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._template = cluster.create()
        engine = open_register(cluster.url(self._template))
        migrate(engine)
        engine.dispose()
        self._free: list[str] = []

    def take(self) -> str:
        """Give the name of a database with the present tables and nothing in them."""
        return self._free.pop() if self._free else self._cluster.create(self._template)

    def give_back(self, database: str) -> None:
        """Empty a database, whoever is still connected; one that cannot be emptied is taken away."""
        delete = "; ".join(f'DELETE FROM "{table}"' for table in metadata.tables)
        count_anew = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"
        with self._cluster.connect(database) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
            )
            try:
                connection.execute(f"SET lock_timeout = '5s'; {delete}; {count_anew}".encode())
            except psycopg.Error:
                self._cluster.drop(database)
                return
        self._free.append(database)


@pytest.fixture(scope="session")
def postgres_registers(postgres: Cluster) -> PostgresRegisters:
    """Empty registers in PostgreSQL."""
    return PostgresRegisters(postgres)


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the present tables and nothing in them, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "register.db"
    engine = open_register(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run whatever rests on a register on SQLite and on PostgreSQL, unless its module says that one is enough."""
    if "register_kind" in metafunc.fixturenames:
        one = metafunc.definition.get_closest_marker("one_register") is not None
        kinds = os.environ.get("PHONGMAY_TEST_REGISTERS", "sqlite postgresql").split()
        metafunc.parametrize("register_kind", kinds[:1] if one else kinds, scope="session")


@pytest.fixture
def new_register(register_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """The function that gives the URL of an empty register with the present tables, a new one at each call."""
    taken: list[str] = []

    def make() -> str:
        if register_kind == "sqlite":
            path = tmp_path / f"register{len(taken) or ''}.db"
            shutil.copy(request.getfixturevalue("empty_sqlite"), path)
            taken.append(str(path))
            return f"sqlite:///{path}"
        registers: PostgresRegisters = request.getfixturevalue("postgres_registers")
        taken.append(registers.take())
        cluster: Cluster = request.getfixturevalue("postgres")
        return cluster.url(taken[-1])

    yield make
    if register_kind != "sqlite":
        for database in taken:
            request.getfixturevalue("postgres_registers").give_back(database)


@pytest.fixture
def register_url(new_register: Callable[[], str]) -> str:
    """URL of an empty register with the present tables."""
    return new_register()


@dataclass
class TimeServer:
    """A real server of time series.

    Attributes:
        url: its address.
        authority: CA of its certificate, where it speaks TLS.
        version: what it says of itself in its header X-Influxdb-Version.
        process: its process.
    """

    arguments: list[str]
    folder: Path
    port: int
    authority: Path | None = None
    version: str = ""
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{'https' if self.authority else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait for its answer."""
        log = self.folder / "server.log"
        with log.open("ab") as out:
            self.process = subprocess.Popen(self.arguments, stdout=out, stderr=subprocess.STDOUT)

        def answers() -> bool:
            assert self.process.poll() is None, log.read_text("utf-8", "replace")
            trusted = ssl.create_default_context(cafile=self.authority) if self.authority else None
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"{self.url}/ping", timeout=2, context=trusted) as answer,
            ):
                self.version = answer.headers.get("X-Influxdb-Version") or ""
                return True
            return False

        wait_until(answers, f"{self.url} answers")

    def restart(self) -> None:
        """End it by kill -9 where it still runs, and start it again on the same files."""
        self.process.kill()
        self.process.wait()
        self.start()


class TimeServers:
    """Starts real servers of time series."""

    @staticmethod
    @contextlib.contextmanager
    def influxd(
        program: str, folder: Path, *, auth: bool = False, tls: tuple[Path, Path, Path] | None = None
    ) -> Iterator[TimeServer]:
        """Run an influxd 1.x on files in `folder` until the block ends; `tls`: its certificate, key, and their CA."""
        folder.mkdir(parents=True, exist_ok=True)
        port, config = new_port(), folder / "influxdb.conf"
        files = f'https-certificate = "{tls[0]}"\nhttps-private-key = "{tls[1]}"' if tls else ""
        secure = f"https-enabled = true\n{files}" if tls else ""
        config.write_text(
            f"""reporting-disabled = true
bind-address = "127.0.0.1:{new_port()}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
index-version = "tsi1"
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
auth-enabled = {str(auth).lower()}
{secure}
[monitor]
store-enabled = false
""",
            "utf-8",
        )
        with _running(TimeServer([program, "-config", str(config)], folder, port, tls[2] if tls else None)) as server:
            yield server


@contextlib.contextmanager
def _running(server: TimeServer) -> Iterator[TimeServer]:
    server.start()
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="session")
def time_servers() -> TimeServers:
    """What starts further real servers: `time_servers.influxd(program, folder, auth=True)`."""
    return TimeServers()


@pytest.fixture(scope="session")
def influxd_program() -> str:
    """Path of the real influxd 1.x."""
    return shutil.which("influxd") or missing("influxd is not installed: apt install influxdb")


@pytest.fixture(scope="session")
def influxd(influxd_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimeServer]:
    """A real InfluxDB 1.6 without passwords for the whole session; each test takes a database of its own name."""
    with TimeServers.influxd(influxd_program, tmp_path_factory.mktemp("influxd")) as server:
        yield server


@pytest.fixture(scope="session")
def victoria_metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimeServer]:
    """A real victoria-metrics: it takes what influxdb-client writes to /api/v2/write, and answers PromQL."""
    program = shutil.which("victoria-metrics") or missing("victoria-metrics is not installed: apt install it")
    folder, port = tmp_path_factory.mktemp("victoria"), new_port()
    arguments = [program, f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={folder}/data"]
    arguments += ["-retentionPeriod=1200", "-search.latencyOffset=0s"]
    with _running(TimeServer(arguments, folder, port)) as server:
        yield server


class Processes:
    """Child processes of one test, each with its log; all are ended with the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, arguments: Sequence[str], *, own: bool = True) -> subprocess.Popen[bytes]:
        """Start `python -m <arguments>` (or a program, with own=False); its output goes to <name>.log."""
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments] if own else list(arguments), stdout=log, stderr=subprocess.STDOUT
            )
        self._running.append(process)
        return process

    def log(self, name: str) -> str:
        """Give what a process has said so far."""
        path = self._folder / f"{name}.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def kill(self, process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGKILL) -> int:
        """End a process (kill -9 by default) and give its exit code."""
        if process.poll() is None:
            process.send_signal(how)
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{process.args!r} did not end by {how.name}") from None

    def kill_all(self) -> None:
        """End whatever still runs."""
        for process in reversed(self._running):
            if process.poll() is None:
                process.kill()
                process.wait()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Child processes that end with the test."""
    children = Processes(tmp_path)
    yield children
    children.kill_all()


@dataclass
class House:
    """A server of its own for one test: settings, register with a sample school, broker and collector as processes."""

    folder: Path
    config: Path
    settings: ServerSettings
    engine: Engine
    school_id: str
    processes: Processes
    embedded: bool = False
    broker: subprocess.Popen[bytes] | None = None
    collector: subprocess.Popen[bytes] | None = None
    senders: list[Sender] = field(default_factory=list)

    def enrol(self, kind: DeviceKind = DeviceKind.PC, school_id: str = "") -> Identity:
        """Enrol a machine of the school and give its identity."""
        with Session(self.engine) as session:
            identity = enrol(session, make_token(session, school_id or self.school_id))
            if kind is not DeviceKind.PC:
                session.flush()
                device = session.scalars(Device.at().where(Device.id == identity.device_id)).one()
                device.kind = kind.value
            session.commit()
        return identity

    def declare(self, kind: DeviceKind, school_id: str = "") -> str:
        """Put a device without an agent into the register."""
        device = Device(
            id=new_id(kind.value[:3]),
            valid_from=utc_now(),
            school_id=school_id or self.school_id,
            code=new_id("code"),
            kind=kind.value,
        )
        with Session(self.engine) as session:
            session.add(device)
            session.commit()
            return device.id

    def add_school(self, name: str) -> str:
        """Put another school into the register."""
        return _add_school(self.engine, name)

    def start_broker(self) -> subprocess.Popen[bytes]:
        """Start the broker as a user does, and wait until it listens."""
        embedded = ["--embedded"] if self.embedded else []
        process = self.processes.start("broker", ["phongmay", "--config", str(self.config), "broker", "run", *embedded])
        self.wait_for_port(process)
        self.broker = process
        return process

    def wait_for_port(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until a broker listens."""

        def listens() -> bool:
            assert process.poll() is None, self.processes.log("broker")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.settings.broker.port), 1):
                return True
            return False

        wait_until(listens, "the broker listens")

    def start_collector(self, number: int = 1) -> subprocess.Popen[bytes]:
        """Start a collector (one of several by its number), and wait until its two sessions stand."""
        name = "collector" if number == 1 else f"collector-{number}"
        before = self.log(name).count(" connected user=")
        command = ["phongmay", "--config", str(self.config), "collector", "run", "--number", str(number)]
        process = self.processes.start(name, command)

        def stands() -> bool:
            assert process.poll() is None, self.log(name)
            return self.log(name).count(" connected user=") >= before + 2

        wait_until(stands, "the collector is connected")
        self.collector = process
        return process

    def log(self, name: str) -> str:
        """Give what a process has said so far."""
        return self.processes.log(name)

    @contextlib.contextmanager
    def series(self) -> Iterator[OpenReader]:
        """The series store, for reading."""
        with contextlib.closing(open_reader(self.settings.store)) as reader:
            yield reader

    def stored(self, device: str | None = None) -> int:
        """Count stored envelopes."""
        with self.series() as series:
            return series.envelope_count(device)

    def sender(self, identity: Identity, **options: Any) -> Sender:
        """Make an MQTT device of this house; it is closed with the test."""
        sender = Sender(identity, self.settings.broker.port, **options)
        self.senders.append(sender)
        return sender


def _add_school(engine: Engine, name: str) -> str:
    unit = Unit(
        id=new_id("unit"),
        valid_from=utc_now(),
        kind=UnitKind.SCHOOL.value,
        name=name,
        level=SchoolLevel.THCS.value,
        is_sample=True,
    )
    with Session(engine) as session:
        session.add(unit)
        session.commit()
        return unit.id


@pytest.fixture
def house_register_url(tmp_path: Path) -> str:
    """Where a house keeps its register; a test overrides it to have another one."""
    return f"sqlite:///{tmp_path}/register.db"


@pytest.fixture
def house(
    tmp_path: Path, processes: Processes, house_register_url: str, request: pytest.FixtureRequest
) -> Iterator[House]:
    """A server of its own; nothing runs yet. Parametrize indirectly with extra lines for phongmay.toml by table."""
    extra: dict[str, str] = getattr(request, "param", {})
    config = tmp_path / "phongmay.toml"
    config.write_text(
        f"""[store]
register_url = "{house_register_url}"
series_path = "{tmp_path}/series.db"
[broker]
port = {new_port()}
directory = "{tmp_path}/broker"
{extra.get("broker", "")}
[collector]
metrics_port = {new_port()}
{extra.get("collector", "")}
[rules]
metrics_port = {new_port()}
{extra.get("rules", "")}
[api]
metrics_port = {new_port()}
""",
        "utf-8",
    )
    settings = load(config)
    engine = open_register(settings.store.register_url)
    migrate(engine)
    made = House(tmp_path, config, settings, engine, _add_school(engine, "Trường mẫu số 1"), processes)
    yield made
    for sender in made.senders:
        sender.close()
    engine.dispose()


@pytest.fixture
def running(house: House, mosquitto: str) -> House:
    """A server with Mosquitto and a collector running; `enrol` first what must be able to connect at once."""
    house.start_broker()
    house.start_collector()
    return house


class Sender:
    """A device on the wire for tests of the protocol: it sends exactly what it is told, and counts receipts.

    Args:
        identity: device id and secret.
        port: of the broker on loopback.
        run: run of the agent.
        wall_error: how far its wall clock is off.
        user: name at the broker, if not the device id.
    """

    def __init__(
        self, identity: Identity, port: int, *, run: str = "", wall_error: float = 0.0, user: str = ""
    ) -> None:
        self.device = identity.device_id
        self.run = run or os.urandom(8).hex()
        self.session = ""
        self.seq = 0
        self.stored: set[tuple[str, int]] = set()
        self.refused: dict[tuple[str, int], str] = {}
        self.receipts = 0
        self.started = time.monotonic() - 1000.0
        self._wall_error = wall_error
        self._user = user or identity.device_id
        self._password = keys.mqtt_password(identity.secret)
        self._port = port
        self._client: mqtt.Client | None = None
        self._lock = threading.Lock()
        self.connected = threading.Event()
        self.reason: Any = None

    def instant(self, ago: float = 0.0) -> Instant:
        """Give a moment on this machine's clocks."""
        return Instant(time.time() + self._wall_error - ago, time.monotonic() - self.started - ago)

    def status(self, state: str, session: str = "") -> bytes:
        """Encode a status message of this run."""
        return encode_status(Status(self.device, self.run, session or self.session, state, self.instant(), "test"))

    def connect(self, *, birth: bool = True, patience_s: float = PATIENCE_S) -> Sender:
        """Open a session with a last will, subscribe to receipts and say the birth."""
        self.connected.clear()
        self.session = os.urandom(8).hex()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=self.device)
        client.username_pw_set(self._user, self._password)
        client.will_set(self.topic(Kind.STATUS), self.status(LOST), qos=1, retain=True)
        client.max_inflight_messages_set(1000)
        client.max_queued_messages_set(0)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        self._client = client
        wait_until(self._try_to_connect, f"{self.device} is let in", patience_s)
        if birth:
            self.publish(self.topic(Kind.STATUS), self.status(ONLINE), retain=True)
        return self

    def _try_to_connect(self) -> bool:
        """Connect; the collector hands a new password to the broker within a second or so."""
        assert self._client is not None
        self.reason = None
        with contextlib.suppress(OSError):
            self._client.connect("127.0.0.1", self._port, keepalive=30)
            self._client.loop_start()
            wait_until(lambda: self.reason is not None, "an answer to CONNECT", 10)
            if self.connected.wait(0 if self.reason.is_failure else 10):
                return True
            self._client.loop_stop()
            time.sleep(0.2)
        return False

    def cut(self) -> None:
        """End the connection as a pulled plug does: the broker publishes the last will."""
        if self._client is not None:
            client, self._client = self._client, None
            sock = client.socket()
            client.loop_stop()
            if sock is not None:
                sock.close()

    def close(self) -> None:
        """End the connection cleanly, without a word."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def topic(self, kind: Kind) -> str:
        """Give this device's topic of a kind."""
        return topics.build(self.device, kind)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
        """Publish anything anywhere, and wait until the broker has acknowledged it."""
        assert self._client is not None
        self._client.publish(topic, payload, qos=qos, retain=retain).wait_for_publish(PATIENCE_S)

    def envelope(self, *groups: Group, ago: float = 0.0, kind: Kind = Kind.ROUND, seq: int | None = None) -> Envelope:
        """Measure: by default one ordinary round."""
        if seq is None:
            self.seq += 1
            seq = self.seq
        return Envelope(kind, self.device, self.run, seq, self.instant(ago), "test", groups or ordinary_round())

    def send(self, envelope: Envelope | None = None, *, wait: bool = True) -> Envelope:
        """Send an envelope live."""
        envelope = envelope or self.envelope()
        payload = encode_live(envelope, Transit(self.session, self.instant()))
        assert self._client is not None
        sent = self._client.publish(self.topic(envelope.kind), payload, qos=1)
        if wait:
            sent.wait_for_publish(PATIENCE_S)
        return envelope

    def send_past(self, envelopes: Sequence[Envelope]) -> None:
        """Send envelopes as one backfill."""
        payload = encode_backfill(self.device, envelopes, Transit(self.session, self.instant()))
        self.publish(self.topic(Kind.BACKFILL), payload)

    def has_receipt(self, *envelopes: Envelope) -> bool:
        """Tell whether all of these are receipted as stored."""
        with self._lock:
            return all((envelope.run, envelope.seq) in self.stored for envelope in envelopes)

    def wait_for_receipts(self, *envelopes: Envelope) -> None:
        """Wait until all of these are receipted as stored."""
        wait_until(lambda: self.has_receipt(*envelopes), f"receipts of {len(envelopes)} envelopes of {self.device}")

    def _on_connect(self, client: mqtt.Client, _user: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not reason.is_failure:
            client.subscribe(self.topic(Kind.RECEIPT), qos=1)
            self.connected.set()
        self.reason = reason

    def _on_message(self, _client: mqtt.Client, _user: Any, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            self.receipts += 1
            for receipt in decode_receipt(bytes(message.payload)):
                for first, last in receipt.stored:
                    self.stored.update((receipt.run, seq) for seq in range(first, last + 1))
                self.refused.update({(receipt.run, seq): reason for seq, reason in receipt.refused})


def ordinary_round() -> tuple[Group, ...]:
    """Give the groups of a usual round: about a dozen quantities."""
    return (
        Group("usage", {"cpu_busy_ratio": 0.25, "memory_used_bytes": 2**31, "memory_available_bytes": 2**32}),
        Group("link", {"is_up": True, "speed_bps": 10**9, "duplex": "full", "medium": "wired"}, part="eth0"),
        Group("reach", {"ok": True, "took_s": 0.004, "method": "tcp"}, part="internet"),
        Group("agent", {"uptime_s": 1000.0, "interval_s": 60.0}),
    )


@pytest.fixture
def no_proof_in_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the time of the real solver of the gap list run out right before its proof, from the call on."""
    optimize: Any = pytest.importorskip("scipy.optimize")
    solve = optimize.milp

    def late(*arguments: Any, **more: Any) -> Any:
        result = solve(*arguments, **more)
        result.status = 1
        return result

    return lambda: monkeypatch.setattr(optimize, "milp", late)
