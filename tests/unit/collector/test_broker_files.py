"""The broker's files: complete, private, in step with the register, and understood alike by both brokers."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from phongmay_collector.broker_files import (
    BrokerFiles,
    PasswordRefresh,
    write_all,
)
from phongmay_collector.broker_rights import Rights, parse_acl
from phongmay_collector.broker_watch import hang_up
from phongmay_collector.members import LIVE_USER, MARKER, PAST_USER
from phongmay_collector.settings import BrokerSettings, CollectorSettings, check_batch
from phongmay_contract.errors import ContractError, OperatorError
from phongmay_contract.topics import ROOT, parse
from phongmay_store.register.base import utc_now
from phongmay_store.register.device import Credential
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.register.enrolment import broker_hash


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_register(f"sqlite:///{tmp_path}/register.db")
    migrate(made)
    yield made
    made.dispose()


def add(engine: Engine, device: str, password: str = "secret") -> None:
    with Session(engine) as session:
        session.merge(Credential(device_id=device, broker_hash=broker_hash(password), created_at=utc_now()))
        session.commit()


def test_all_files_are_private_and_the_passwords_stay(engine: Engine, tmp_path: Path) -> None:
    """Nobody else may read a hash or password; writing again must not lock a running collector out."""
    settings = BrokerSettings(directory=tmp_path / "broker")
    paths = write_all(settings, engine)
    before = {path: path.read_text() for path in paths}
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    write_all(settings, engine)
    assert {path: path.read_text() for path in paths} == before


def test_a_directory_that_cannot_be_written_is_named(engine: Engine) -> None:
    """One sentence with the key."""
    with pytest.raises(OperatorError, match=r"broker\.directory /proc/phongmay"):
        write_all(BrokerSettings(directory=Path("/proc/phongmay")), engine)


def test_the_password_file_follows_the_register(engine: Engine, tmp_path: Path) -> None:
    """New devices come in, revoked ones go, and an unchanged register writes nothing."""
    settings = BrokerSettings(directory=tmp_path / "broker")
    write_all(settings, engine)
    rights = Rights(BrokerFiles(settings.directory))
    refresh = PasswordRefresh(settings, engine)
    assert not rights.is_user("pc-one", "secret")
    add(engine, "pc-one")
    assert refresh.refresh(0.0)
    assert not refresh.refresh(1.0)
    assert rights.is_user("pc-one", "secret")
    assert not rights.is_user("pc-one", "other")
    with Session(engine) as session:
        session.get_one(Credential, "pc-one").revoked_at = utc_now()
        session.commit()
    assert refresh.refresh(2.0)
    assert not rights.is_user("pc-one", "secret")


def test_a_device_cannot_be_called_like_the_collector(engine: Engine, tmp_path: Path) -> None:
    """Its line in the password file would give it the collector's rights."""
    add(engine, LIVE_USER, "intruder")
    settings = BrokerSettings(directory=tmp_path / "broker")
    write_all(settings, engine)
    files = BrokerFiles(settings.directory)
    assert files.passwords.read_text().count(f"{LIVE_USER}:") == 1
    assert Rights(files).is_user(LIVE_USER, files.read_own_password(LIVE_USER))


def test_a_device_has_its_own_topics_and_no_others(engine: Engine, tmp_path: Path) -> None:
    """It cannot write its own commands or receipts, read another's, or hear all by a wildcard."""
    settings = BrokerSettings(directory=tmp_path / "broker")
    write_all(settings, engine)
    rights = Rights(BrokerFiles(settings.directory))
    rights.is_user("", "")
    up = ("status", "round", "inventory", "event", "campaign", "backfill")
    for kind in up:
        assert rights.may_publish("pc-one", f"{ROOT}/pc-one/{kind}")
        assert not rights.may_publish("pc-one", f"{ROOT}/pc-two/{kind}")
        assert not rights.may_receive("pc-one", f"{ROOT}/pc-one/{kind}")
        assert rights.may_receive(PAST_USER if kind == "backfill" else LIVE_USER, f"{ROOT}/+/{kind}")
    for kind in ("command", "receipt"):
        assert rights.may_receive("pc-one", f"{ROOT}/pc-one/{kind}")
        assert not rights.may_publish("pc-one", f"{ROOT}/pc-one/{kind}")
        assert rights.may_publish(LIVE_USER, f"{ROOT}/pc-two/{kind}")
    for topic in ("#", "+/+/+/+", f"{ROOT}/+/receipt", f"{ROOT}/pc-two/command", f"{ROOT}/pc-one/#", MARKER):
        assert not rights.may_receive("pc-one", topic), topic
    assert not rights.may_publish("pc-one", MARKER)
    assert not rights.may_receive(LIVE_USER, f"{ROOT}/+/backfill")


def test_the_marker_is_no_topic_of_the_contract() -> None:
    """No device can ever be addressed by it."""
    with pytest.raises(ContractError):
        parse(MARKER)


def test_a_foreign_line_of_an_acl_is_refused() -> None:
    """The embedded broker must not grant by guessing."""
    with pytest.raises(OperatorError, match="topic deny x"):
        parse_acl(["user a", "topic deny x"])


@pytest.mark.parametrize("content", ["", "abc", "1", "999999999"])
def test_a_stale_pid_file_hangs_up_nobody(tmp_path: Path, content: str) -> None:
    """A number left by a killed broker may belong to any other process by now."""
    path = tmp_path / "mosquitto.pid"
    path.write_text(content)
    assert hang_up(path) is False


def test_a_batch_must_fit_the_broker() -> None:
    """Equal is allowed, one more is not."""
    check_batch(BrokerSettings(max_inflight_messages=500), CollectorSettings(batch_size=500))
    with pytest.raises(OperatorError, match=r"batch_size 501 exceeds broker\.max_inflight_messages 500"):
        check_batch(BrokerSettings(max_inflight_messages=500), CollectorSettings(batch_size=501))
