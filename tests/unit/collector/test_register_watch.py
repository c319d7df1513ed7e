"""The register is asked aside: whoever cannot wait does not, and nothing that was to be written is forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from phongmay_collector import register_watch
from phongmay_collector.broker_files import PasswordRefresh, write_all
from phongmay_collector.register_watch import RegisterThread, RegisterWatch
from phongmay_collector.settings import BrokerSettings
from phongmay_store.errors import StoreError
from phongmay_store.register.base import utc_now
from phongmay_store.register.device import Device, IdentityConflict
from phongmay_store.register.engine import migrate, open_register


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Engine]:
    """An empty register."""
    engine = open_register(f"sqlite:///{tmp_path}/register.db")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def woken() -> threading.Event:
    """Is set when the loop would be woken."""
    return threading.Event()


@pytest.fixture
def watch(register: Engine, tmp_path: Path, woken: threading.Event) -> RegisterWatch:
    """A watch of that register whose threads run."""
    broker = BrokerSettings(directory=tmp_path / "broker")
    write_all(broker, register)
    made = RegisterWatch(register, PasswordRefresh(broker, register), None, woken.set)
    made.start()
    return made


def add(engine: Engine, device: str) -> None:
    """Put a device into the register."""
    with Session(engine) as session:
        session.add(Device(id=device, valid_from=utc_now(), school_id="s", code=device, kind="pc"))
        session.commit()


def take_turn(watch: RegisterWatch, woken: threading.Event, now: float) -> None:
    """Let the watch ask, wait until it would wake the loop, and take what it brought."""
    watch.ask(now)
    assert woken.wait(30)
    woken.clear()
    watch.settle(lambda _topic, _payload: None)


def test_nobody_waits_for_a_question_that_hangs(
    monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., Any]
) -> None:
    """The first one waits its patience; whoever comes while it hangs is told at once and leaves nothing behind; when it
    is answered at last, the next question is asked as ever."""
    thread, answer, asked = RegisterThread("test"), threading.Event(), []
    assert thread.ask(lambda: "the caller asks") == "the caller asks"
    thread.start()
    assert thread.ask(lambda: threading.current_thread().name) == "test"
    monkeypatch.setattr(register_watch, "PATIENCE_S", 0.2)
    with pytest.raises(StoreError, match="not answered"):
        thread.ask(answer.wait)
    for _ in range(3):
        with pytest.raises(StoreError, match="not answered"):
            thread.ask(lambda: asked.append(1))
    monkeypatch.setattr(register_watch, "PATIENCE_S", 30.0)
    answer.set()
    wait_until(lambda: thread._begun is None, "the question is answered")
    assert thread.ask(lambda: "again") == "again"
    assert asked == []
    with pytest.raises(ZeroDivisionError):
        thread.ask(lambda: 1 // 0)


def test_a_turn_brings_devices_and_writes_conflicts(
    watch: RegisterWatch, register: Engine, woken: threading.Event
) -> None:
    """A device that came is found by itself, and all are read anew by and by; a conflict is written, once."""
    assert watch.directory.find("pc-1") is None
    add(register, "pc-1")
    assert watch.directory.find("pc-1") is not None
    watch.conflicts["pc-1"] = "run a sent again"
    take_turn(watch, woken, 1.0)
    assert watch.directory.loads == 2
    with Session(register) as session:
        assert session.scalars(select(IdentityConflict.device_id)).all() == ["pc-1"]
    assert watch.conflicts == {}
    take_turn(watch, woken, 2.0)
    assert watch.directory.loads == 2, "all devices are read every 30 s only"


def test_what_could_not_be_written_is_written_when_the_register_is_back(
    watch: RegisterWatch, register: Engine, woken: threading.Event
) -> None:
    """While the register fails the devices that were read last go on, and conflicts of before and of meanwhile wait."""
    add(register, "pc-1")
    take_turn(watch, woken, 1.0)
    with register.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE identity_conflict RENAME TO gone")
    watch.conflicts["pc-1"] = "first"
    watch.ask(2.0)
    watch.conflicts["pc-2"] = "meanwhile"
    watch.ask(2.0)  # changes nothing: a turn is under way
    assert woken.wait(30)
    woken.clear()
    watch.settle(lambda _topic, _payload: None)
    assert watch.availability.is_away
    assert watch.conflicts == {"pc-1": "first", "pc-2": "meanwhile"}
    assert watch.directory.find("pc-1") is not None
    with register.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO identity_conflict")
    take_turn(watch, woken, 3.0)
    assert not watch.availability.is_away
    with Session(register) as session:
        assert sorted(session.scalars(select(IdentityConflict.device_id))) == ["pc-1", "pc-2"]
