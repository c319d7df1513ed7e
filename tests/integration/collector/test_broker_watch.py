"""`phongmay broker run --watch`: Mosquitto follows its files although the collector cannot reach its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy.orm import Session

from phongmay_collector.broker_files import BrokerFiles, write_all
from phongmay_collector.broker_watch import _is_ready
from phongmay_store.register.base import utc_now
from phongmay_store.register.device import Credential

pytestmark = pytest.mark.integration


def test_mosquitto_follows_its_files_and_the_watcher_goes_with_it(house: Any, mosquitto: str, wait_until: Any) -> None:
    """A new PC is let in, a revoked one thrown out, and nothing is left behind when Mosquitto is killed."""
    old = house.enrol()
    broker = house.processes.start("broker", ["phongmay", "--config", str(house.config), "broker", "run", "--watch"])
    house.wait_for_port(broker)
    files = BrokerFiles(house.settings.broker.directory)
    (watcher,) = wait_until(psutil.Process(broker.pid).children, "the watcher runs")
    sender = house.sender(old).connect()
    files.pid.unlink()  # as if the broker's processes were not ours: `write_all` and the collector reach nobody
    new = house.enrol()
    write_all(house.settings.broker, house.engine)
    house.sender(new).connect(birth=False)
    assert sender.connected.is_set()
    with Session(house.engine) as session:
        session.get_one(Credential, old.device_id).revoked_at = utc_now()
        session.commit()
    write_all(house.settings.broker, house.engine)
    wait_until(lambda: sender.reason.is_failure, "the revoked PC is thrown out")
    broker.kill()
    broker.wait()
    wait_until(lambda: not watcher.is_running(), "the watcher has ended")


def test_a_process_that_would_be_ended_by_it_is_not_told(tmp_path: Path, wait_until: Any) -> None:
    """A program that does not catch SIGHUP yet, as Mosquitto while it starts, is not ready for it."""
    ready = tmp_path / "ready"
    script = "import signal, sys, time, pathlib; sys.stdin.readline(); signal.signal(signal.SIGHUP, print); "
    script += f"pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
    try:
        assert not _is_ready(process.pid)
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        wait_until(ready.exists, "it catches SIGHUP")
        assert _is_ready(process.pid)
        os.kill(process.pid, signal.SIGHUP)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
