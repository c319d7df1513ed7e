"""TLS between schools and broker: a real Mosquitto, a certificate made here, the real agent and the real collector."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import pwd
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from phongmay.demo.processes import free_port
from phongmay.settings import load
from phongmay_agent.identity import parse_enrolment, read_identity, write_identity
from phongmay_agent.tls import make_context
from phongmay_collector.broker_files import write_all
from phongmay_contract import keys
from phongmay_contract.errors import OperatorError
from phongmay_contract.tls import TlsError, client_context, read_ca
from tests.certificates import DAY, Authority

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@dataclass
class Secured:
    """A house whose broker speaks TLS besides."""

    house: Any
    port: int
    authority: Authority
    folder: Path
    text: str

    def collector_config(self, ca: Path) -> Path:
        """Write the settings of a collector that stands on another machine."""
        text = self.text.replace(
            f"port = {self.house.settings.broker.port}\n", f'port = {self.port}\nca_file = "{ca}"\n', 1
        )
        path = self.folder / "collector.toml"
        path.write_text("\n".join(line for line in text.splitlines() if not line.startswith("tls_")), "utf-8")
        return path

    def agent(self, name: str, identity: Any, host: str = "127.0.0.1", ca_file: str = "") -> None:
        """Start an agent that learnt the CA at its enrolment, or has another one in its settings."""
        folder = self.folder / name
        folder.mkdir()
        learnt = "" if ca_file else self.authority.file.read_text("ascii")
        answer = {"device_id": identity.device_id, "secret": identity.secret,
                  "broker": {"host": host, "port": self.port, "ca": learnt}}  # fmt: skip
        write_identity(folder / "identity.json", parse_enrolment(answer, ""))
        assert read_identity(folder / "identity.json").broker_ca == learnt
        (folder / "agent.toml").write_text(
            f'identity_file = "{folder}/identity.json"\nspool_file = "{folder}/spool.db"\ninterval_s = 1\n'
            f'broker_ca_file = "{ca_file}"\nprobes = ["usage"]\n',
            "utf-8",
        )
        self.house.processes.start(name, ["phongmay_agent", "--config", f"{folder}/agent.toml", "run"])


@pytest.fixture
def secured(house: Any, mosquitto: str, tmp_path: Path) -> Secured:
    """A broker with a TLS listener; no collector yet."""
    authority, port = Authority(tmp_path, "ca"), free_port()
    certificate, key = authority.issue(dt.datetime.now(dt.UTC) - DAY)
    lines = (
        f'tls_port = {port}\ntls_bind = "127.0.0.1"\n'
        f'tls_certificate = "{certificate}"\ntls_key = "{key}"\n'
    )  # fmt: skip
    text = house.config.read_text("utf-8").replace("[broker]\n", f"[broker]\n{lines}", 1)
    house.config.write_text(text, "utf-8")
    house.settings = load(house.config)
    return Secured(house, port, authority, tmp_path, text)


def connected(client: mqtt.Client, wait_until: Callable[..., Any]) -> mqtt.Client:
    """Start a client's loop and wait until its session stands."""
    client.loop_start()
    wait_until(client.is_connected, "the client is connected")
    return client


def test_agent_and_collector_speak_tls(secured: Secured, wait_until: Callable[..., Any]) -> None:
    """Envelopes and receipts go through TLS; who knows another CA, or meets another name, sends no password."""
    house = secured.house
    pc, plain, wrong, elsewhere = (house.enrol() for _ in range(4))
    house.start_broker()
    good = secured.collector_config(secured.authority.file).read_text("utf-8")
    house.config.write_text(good, "utf-8")
    collector = house.start_collector()
    house.processes.kill(collector)
    sender = house.sender(plain).connect()
    burst = [sender.send(wait=False) for _ in range(3000)]  # more than TLS gives in one read
    burst.append(sender.send())  # the broker has them all
    foreign = Authority(secured.folder, "foreign")
    house.config.write_text(secured.collector_config(foreign.file).read_text("utf-8"), "utf-8")
    command = ["phongmay", "--config", str(house.config), "collector", "run"]
    stranger = house.processes.start("collector-wrong", command)
    wait_until(lambda: "see broker.ca_file" in house.log("collector-wrong"), "the collector refuses the broker")
    house.processes.kill(stranger)
    house.config.write_text(good, "utf-8")
    house.start_collector()
    secured.agent("agent", pc)
    secured.agent("agent-wrong", wrong, ca_file=str(foreign.file))
    secured.agent("agent-elsewhere", elsewhere, host="localhost")
    sender.wait_for_receipts(*burst)
    wait_until(lambda: house.stored(pc.device_id) >= 3, "the agent's rounds are stored")
    spool = secured.folder / "agent" / "spool.db"
    assert spool.exists()
    wait_until(lambda: "CERTIFICATE_VERIFY_FAILED" in house.log("agent-wrong"), "the foreign CA is refused")
    wait_until(lambda: "CERTIFICATE_VERIFY_FAILED" in house.log("agent-elsewhere"), "the other name is refused")
    assert house.stored(wrong.device_id) == house.stored(elsewhere.device_id) == 0
    assert "CERTIFICATE_VERIFY_FAILED" not in house.log("agent")


def test_over_tls_no_device_takes_the_session_of_another(secured: Secured, wait_until: Callable[..., Any]) -> None:
    """The user's name is the client id on this listener too: claiming another's id throws nobody out."""
    house = secured.house
    one, other = house.enrol(), house.enrol()
    house.start_broker()
    clients = []
    for identity in (one, other):
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=one.device_id)
        client.username_pw_set(identity.device_id, keys.mqtt_password(identity.secret))
        client.tls_set_context(client_context(secured.authority.file.read_text("ascii")))
        client.connect("127.0.0.1", secured.port)
        clients.append(connected(client, wait_until))
    time.sleep(0.3)
    assert clients[0].is_connected()
    nobody = mqtt.Client(CallbackAPIVersion.VERSION2)
    nobody.tls_set_context(client_context(secured.authority.file.read_text("ascii")))
    refusals: list[Any] = []
    nobody.on_connect = lambda *answer: refusals.append(answer[3])
    nobody.connect("127.0.0.1", secured.port)
    nobody.loop_start()
    wait_until(lambda: refusals, "an answer to somebody without a name")
    assert refusals[0].is_failure
    for client in (*clients, nobody):
        client.disconnect()
        client.loop_stop()


def test_a_clock_beyond_belief_leaves_out_the_period_alone(
    house: Any, mosquitto: str, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """A certificate that is not valid yet is refused - but by a PC that wakes up in 2009, which still wants its CA."""
    authority, port = Authority(tmp_path, "ca"), free_port()
    certificate, key = authority.issue(dt.datetime.now(dt.UTC) + DAY)
    conf = tmp_path / "mosquitto.conf"
    user = f"user {pwd.getpwuid(os.geteuid()).pw_name}\n" if os.geteuid() == 0 else ""
    conf.write_text(f"{user}listener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\n", "utf-8")
    house.processes.start("other-broker", [mosquitto, "-c", str(conf)], own=False)

    def shake(ca: str, wall: float) -> str:
        context = make_context(ca, wall)
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as raw, context.wrap_socket(
                raw, server_hostname="127.0.0.1"
            ) as sock:  # fmt: skip
                return str(sock.version())
        except ssl.SSLCertVerificationError as error:
            return error.verify_message

    def listens() -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        return False

    wait_until(listens, "the broker listens")
    ca = authority.file.read_text("ascii")
    year_2009 = dt.datetime(2009, 1, 1, tzinfo=dt.UTC).timestamp()
    assert "not yet valid" in shake(ca, time.time())
    assert shake(ca, year_2009) == "TLSv1.3"
    assert "issuer" in shake(Authority(tmp_path, "foreign").file.read_text("ascii"), year_2009)


def test_files_that_cannot_be_used_are_named_with_their_key(secured: Secured) -> None:
    """No certificate, a key of another one, a CA that is none: one sentence with the key, before anything starts."""
    house = secured.house
    foreign = Authority(secured.folder, "foreign").issue(dt.datetime.now(dt.UTC) - DAY)[1]
    settings = house.settings.broker
    for changes, sentence in (
        ({"tls_certificate": ""}, "broker.tls_certificate is empty"),
        ({"tls_key": "/nowhere"}, "broker.tls_key /nowhere: cannot be read"),
        ({"tls_key": str(foreign)}, "give a certificate and its own key"),
    ):
        with pytest.raises(OperatorError, match=sentence):
            write_all(replace(settings, **changes), house.engine)
    assert not settings.directory.exists()
    with pytest.raises(TlsError, match=r"broker_ca_file .*holds no CA"):
        read_ca("broker_ca_file", settings.tls_key)
    with pytest.raises(TlsError, match=r"api.broker_ca_file /nowhere: .*No such file"):
        read_ca("api.broker_ca_file", "/nowhere")


def test_the_identity_of_an_older_agent_has_no_ca(tmp_path: Path) -> None:
    """Files and answers from before TLS are read as they are: without it."""
    answer = {"device_id": "pc-1", "secret": "ab" * 32, "broker": {"host": "h", "port": 1883}}
    assert parse_enrolment(answer, "").broker_ca == ""
    path = tmp_path / "identity.json"
    path.write_text(json.dumps(answer), "utf-8")
    path.chmod(0o600)
    assert read_identity(path).broker_ca == ""
