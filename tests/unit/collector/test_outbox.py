"""The outbox: commands go out signed, at least once, in time, and are marked when the broker has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from phongmay_collector.outbox import Outbox
from phongmay_contract.command import CommandError, CommandGate, Order, open_command
from phongmay_store.errors import StoreError
from phongmay_store.register.base import utc_now
from phongmay_store.register.device import Credential
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.register.outbox import OutboxCommand, put
from phongmay_store.register.sealing import Seal, SealError

KEY = b"k" * 32


@dataclass
class Message:
    """A message on its way."""

    topic: str
    payload: bytes
    arrived: bool = False

    def is_published(self) -> bool:
        """Tell whether the broker has it."""
        return self.arrived


@dataclass
class Wire:
    """A connection that a test looks at; without it nothing is taken."""

    up: bool = True
    sent: list[Message] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes) -> Message | None:
        """Take a message."""
        if not self.up:
            return None
        self.sent.append(Message(topic, payload))
        return self.sent[-1]


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Engine]:
    """A register with one device that has a command key and one that has none."""
    engine = open_register(f"sqlite:///{tmp_path}/register.db")
    migrate(engine)
    with Session(engine) as session:
        sealed = Seal.open(tmp_path / "seal.key").seal(KEY)
        session.add(Credential(device_id="pc-1", broker_hash="x", command_key=sealed))
        session.add(Credential(device_id="pc-2", broker_hash="x"))
        session.commit()
    yield engine
    engine.dispose()


@pytest.fixture
def outbox(register: Engine, tmp_path: Path) -> Outbox:
    """The outbox of that register."""
    return Outbox(register, Seal.open(tmp_path / "seal.key"))


def write(engine: Engine, device: str = "pc-1", name: str = "campaign_abort", life_s: float = 60) -> None:
    """Write a command."""
    with Session(engine) as session:
        put(session, device, name, {"run": "run-1"}, expires_at=utc_now() + timedelta(seconds=life_s))
        session.commit()


def send(outbox: Outbox, wire: Wire) -> None:
    """Do what the collector does once a second."""
    outbox.publish(outbox.prepare(), wire.publish)


def rows(engine: Engine) -> list[tuple[bool, str]]:
    """Give of each command whether it was sent, and why not."""
    with Session(engine) as session:
        found = session.scalars(select(OutboxCommand).order_by(OutboxCommand.number))
        return [(row.sent_at is not None, row.failure) for row in found]


def test_a_command_is_signed_for_its_device(register: Engine, outbox: Outbox) -> None:
    """What goes out is read by the device with its own key, and by no other; it is marked once the broker has it."""
    write(register)
    wire = Wire()
    send(outbox, wire)
    assert [message.topic for message in wire.sent] == ["phongmay/v1/pc-1/command"]
    command = open_command(KEY, "pc-1", wire.sent[0].payload)
    assert (command.order, command.body) == (Order.CAMPAIGN_ABORT, {"run": "run-1"})
    with pytest.raises(CommandError, match="forged"):
        open_command(b"x" * 32, "pc-1", wire.sent[0].payload)
    assert rows(register) == [(False, "")]
    wire.sent[0].arrived = True
    send(outbox, wire)
    assert rows(register) == [(True, "")]
    assert len(wire.sent) == 1


def test_a_crash_sends_again_and_the_device_obeys_once(register: Engine, outbox: Outbox, tmp_path: Path) -> None:
    """A collector that died before the broker's word sends the command again; the device lets it through once."""
    write(register)
    wire, gate = Wire(), CommandGate(KEY, "pc-1")
    send(outbox, wire)
    send(Outbox(register, Seal.open(tmp_path / "seal.key")), wire)
    first, second = (message.payload for message in wire.sent)
    now = utc_now().timestamp()
    gate.admit(first, now)
    with pytest.raises(CommandError, match="replayed"):
        gate.admit(second, now)


def test_without_a_connection_it_waits(register: Engine, outbox: Outbox) -> None:
    """Nothing is lost or marked while there is no broker."""
    write(register)
    wire = Wire(up=False)
    send(outbox, wire)
    assert rows(register) == [(False, "")]
    wire.up = True
    send(outbox, wire)
    assert len(wire.sent) == 1


def test_what_cannot_be_sent_is_marked(register: Engine, outbox: Outbox) -> None:
    """Expired, without a key, unknown: never sent, told once, and in nobody's way."""
    write(register, life_s=-1)
    write(register, "pc-2")
    write(register, "pc-3")
    write(register, name="format_disk")
    write(register)
    wire = Wire()
    send(outbox, wire)
    assert rows(register) == [
        (False, "expired"), (False, "no_command_key"), (False, "no_command_key"), (False, "unknown_order"), (False, ""),
    ]  # fmt: skip
    assert len(wire.sent) == 1


def test_a_register_that_is_away(register: Engine, outbox: Outbox) -> None:
    """A register that does not answer is a store that is away, not the end of the collector."""
    with register.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE outbox_command RENAME TO gone")
    with pytest.raises(StoreError):
        outbox.prepare()


def test_the_seal(tmp_path: Path) -> None:
    """A sealed secret is not readable without its file, another file does not open it, an open file is refused."""
    path = tmp_path / "seal.key"
    sealed = Seal.open(path).seal(KEY)
    assert KEY.decode() not in sealed
    assert Seal.open(path).open_sealed(sealed) == KEY
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(SealError, match="not the key that sealed"):
        Seal.open(tmp_path / "other.key").open_sealed(sealed)
    path.chmod(0o644)
    with pytest.raises(SealError, match="chmod 600"):
        Seal.open(path)
    with pytest.raises(SealError, match=r"store\.seal_file"):
        Seal.open(tmp_path / "no" / "seal.key")
    bad = tmp_path / "bad.key"
    bad.touch(mode=0o600)
    with pytest.raises(SealError, match="is not a key"):
        Seal.open(bad)
