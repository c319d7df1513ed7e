"""A throw-away Mosquitto on a free loopback port, an enrolled agent for it, and a collector that a test plays."""

from __future__ import annotations

import getpass
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from phongmay_agent.agent import Agent
from phongmay_agent.identity import Identity
from phongmay_agent.settings import AgentSettings
from phongmay_agent.stopping import Stopper
from phongmay_contract import keys
from phongmay_contract.envelope import Receipt, encode_receipt
from phongmay_contract.topics import Kind, build, parse

UP = ("status", "round", "inventory", "event", "campaign", "backfill")
DEVICE, SECRET = "pc-agenttest", "7" * 64
PATIENCE_S = 20


def _mosquitto() -> str:
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        if os.environ.get("PHONGMAY_REQUIRE_ALL") == "1":
            pytest.fail("mosquitto is not installed")
        pytest.skip("mosquitto is not installed")
    return found


class Broker:
    """A Mosquitto that can be killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.program = _mosquitto()
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as sock:
            self.port = int(sock.getsockname()[1])
        (folder / "acl").write_text(
            "\n".join(
                [
                    "user collector",
                    "topic readwrite phongmay/v1/#",
                    *(f"pattern write phongmay/v1/%u/{kind}" for kind in UP),
                    "pattern read phongmay/v1/%u/receipt",
                    "pattern read phongmay/v1/%u/command",
                ]
            )
            + "\n"
        )
        self.let_in({DEVICE: keys.mqtt_password(SECRET)})
        (folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\nuse_username_as_clientid true\n"
            f"user {getpass.getuser()}\npassword_file {folder}/passwords\nacl_file {folder}/acl\npersistence false\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    def let_in(self, users: dict[str, str]) -> None:
        """Write the password file."""
        path = self.folder / "passwords"
        path.write_text("".join(f"{user}:{password}\n" for user, password in {"collector": "c", **users}.items()))
        path.chmod(0o600)
        subprocess.run(
            [str(Path(self.program).parent.parent / "bin" / "mosquitto_passwd"), "-U", str(path)], check=True
        )

    def start(self) -> None:
        """Start it and wait until it listens."""
        command = [self.program, "-c", str(self.folder / "mosquitto.conf")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(f"mosquitto does not listen: {(self.folder / 'log').read_text()}")

    def kill(self) -> None:
        """End it with kill -9: it forgets all."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
        self.process = None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A running broker."""
    folder = tmp_path / "broker"
    folder.mkdir(mode=0o755)
    broker = Broker(folder)
    broker.start()
    yield broker
    broker.kill()


@dataclass
class Heard:
    """One message that the collector got."""

    kind: Kind
    message: dict[str, Any]
    retained: bool


class Collector:
    """Hears all devices and gives receipts when the test says so."""

    def __init__(self, port: int) -> None:
        self.heard: queue.Queue[Heard] = queue.Queue()
        self.log: list[Heard] = []
        self._subscribed = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="collector")
        self.client.username_pw_set("collector", "c")
        self.client.on_connect = lambda client, *_: client.subscribe("phongmay/v1/#", qos=1)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = self._on_message
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._subscribed.wait(PATIENCE_S)

    def _on_message(self, _client: Any, _user: Any, message: mqtt.MQTTMessage) -> None:
        kind = parse(message.topic).kind
        if kind is not Kind.RECEIPT:
            self.heard.put(Heard(kind, json.loads(message.payload), message.retain))

    def wait(self, wanted: Callable[[Heard], bool]) -> Heard:
        """Wait for a message; those before it are in `log`."""
        end = time.monotonic() + PATIENCE_S
        while (left := end - time.monotonic()) > 0:
            try:
                heard = self.heard.get(timeout=left)
            except queue.Empty:
                break
            self.log.append(heard)
            if wanted(heard):
                return heard
        raise AssertionError(f"not heard; there were {[(h.kind.value, h.message.get('seq')) for h in self.log]}")

    def wait_kind(self, kind: Kind, **equal: Any) -> Heard:
        """Wait for a message of a kind with certain values."""
        return self.wait(lambda h: h.kind is kind and all(h.message.get(key) == value for key, value in equal.items()))

    def receipt(self, run: str, *seqs: int, refused: tuple[tuple[int, str], ...] = ()) -> None:
        """Settle envelopes."""
        payload = encode_receipt([Receipt(run, tuple((seq, seq) for seq in seqs), refused)])
        self.client.publish(build(DEVICE, Kind.RECEIPT), payload, qos=1)

    def close(self) -> None:
        """Leave."""
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def collector(broker: Broker) -> Iterator[Collector]:
    """A collector that listens."""
    collector = Collector(broker.port)
    yield collector
    collector.close()


class Running:
    """An agent in a thread of this process, driven by its real select."""

    def __init__(self, settings: AgentSettings, port: int) -> None:
        self.settings = settings
        self.stopper = Stopper()
        self.failure: BaseException | None = None
        self._identity = Identity(DEVICE, SECRET, "127.0.0.1", port)
        self._made = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self._made.wait(PATIENCE_S)

    def _run(self) -> None:
        try:
            self.agent = Agent(self.settings, self._identity)
            self._made.set()
            self.agent.run(self.stopper)
        except BaseException as failure:
            self.failure = failure
            raise

    def stop(self) -> None:
        """Let it say goodbye."""
        if self.thread.is_alive():
            self.stopper.stop()
            self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()
        assert self.failure is None


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., AgentSettings]:
    """Make settings of an agent that measures every second."""

    def make(**changes: Any) -> AgentSettings:
        return AgentSettings(**{"spool_file": tmp_path / "spool.db", "interval_s": 1.0, "probes": ["state"], **changes})

    return make


@pytest.fixture
def start(broker: Broker, make_settings: Callable[..., AgentSettings]) -> Iterator[Callable[..., Running]]:
    """Start agents; all are stopped at the end."""
    running: list[Running] = []

    def begin(**changes: Any) -> Running:
        running.append(Running(make_settings(**changes), broker.port))
        return running[-1]

    yield begin
    for item in running:
        item.stop()


@pytest.fixture
def command(tmp_path: Path, broker: Broker) -> list[str]:
    """The command line of an enrolled agent."""
    identity = tmp_path / "identity.json"
    identity.write_text(
        json.dumps({"device_id": DEVICE, "secret": SECRET, "broker": {"host": "127.0.0.1", "port": broker.port}})
    )
    identity.chmod(0o600)
    config = tmp_path / "agent.toml"
    config.write_text(
        f'identity_file = "{identity}"\nspool_file = "{tmp_path}/spool.db"\ninterval_s = 1\n'
        'probes = ["hardware", "usage", "link", "traffic", "state"]\n'
    )
    return [sys.executable, "-m", "phongmay_agent", "--config", str(config)]
