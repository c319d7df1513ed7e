"""The real agent as a process, for tests of the whole chain."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Agent:
    """A real agent of a house: its settings, identity and spool; started and killed as often as a test wants."""

    house: Any
    device: str
    config: Path
    spool: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Agent:
        """Start a run of the agent."""
        name = f"agent-{self.device}"
        self.process = self.house.processes.start(name, ["phongmay_agent", "--config", str(self.config), "run"])
        return self

    def waiting(self) -> set[tuple[str, int]]:
        """Give (run, seq) of what lies in the spool; from a copy, since a running agent lets nobody else read it."""
        if not self.spool.exists():
            return set()
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "spool"
            self.keep_spool(copy)
            with closing(sqlite3.connect(copy / self.spool.name)) as connection:
                try:
                    return set(connection.execute("SELECT run, seq FROM envelope"))
                except sqlite3.OperationalError:  # copied before the agent had made its table
                    return set()

    def stored(self) -> set[tuple[str, int]]:
        """Give (run, seq) of what the server has stored of this device, by its own file."""
        path = self.house.settings.store.series_path
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=15)) as connection:
            blocks = connection.execute("SELECT run, block, bits FROM series_stored WHERE sender = ?", (self.device,))
            return {(run, 60 * block + bit) for run, block, bits in blocks for bit in range(60) if bits >> bit & 1}

    def keep_spool(self, folder: Path) -> None:
        """Copy the spool's files, as a frozen disk keeps them."""
        folder.mkdir()
        for path in self.spool.parent.glob(self.spool.name + "*"):
            if not path.name.endswith("-shm"):
                shutil.copy2(path, folder)

    def restore_spool(self, folder: Path) -> None:
        """Put the kept files back in place of what has been written since."""
        for path in self.spool.parent.glob(self.spool.name + "*"):
            path.unlink()
        for path in folder.iterdir():
            shutil.copy2(path, self.spool.parent)


@pytest.fixture
def new_agent(house: Any) -> Callable[[], Agent]:
    """Enrol this machine in the house, and give an agent that reports every second."""

    def make() -> Agent:
        identity = house.enrol()
        folder = house.folder / identity.device_id
        folder.mkdir()
        state = folder / "identity.json"
        state.touch(mode=0o600)
        broker = {"host": "127.0.0.1", "port": house.settings.broker.port}
        state.write_text(
            json.dumps({"device_id": identity.device_id, "secret": identity.secret, "broker": broker, "server": ""})
        )
        config = folder / "agent.toml"
        config.write_text(
            f'identity_file = "{state}"\nspool_file = "{folder}/spool.db"\n'
            'interval_s = 1\nprobes = ["usage", "state"]\n'
        )
        return Agent(house, identity.device_id, config, folder / "spool.db")

    return make
