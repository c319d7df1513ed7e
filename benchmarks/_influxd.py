"""A real influxd of its own on free ports, and its ceiling: what it alone needs for lines that are ready.

In: an empty folder, then blocks of line protocol. Out: seconds and influxd's processor seconds. A refused write raises
OperatorError. Processor time is read from /proc: user and system of the whole process, compaction included.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from phongmay.demo.processes import free_port
from phongmay_contract.errors import OperatorError

DATABASE = "bench"
_PATIENCE_S = 20.0


class Cost(NamedTuple):
    """What a piece of work took."""

    wall_s: float
    cpu_s: float


class Influxd:
    """A running influxd; `stop` ends it."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        settings = folder / "influxdb.conf"
        settings.write_text(
            f"""reporting-disabled = true
bind-address = "127.0.0.1:{free_port()}"
[meta]
dir = "{folder}/influx/meta"
[data]
dir = "{folder}/influx/data"
wal-dir = "{folder}/influx/wal"
index-version = "tsi1"
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{self.port}"
log-enabled = false
[monitor]
store-enabled = false
""",
            "utf-8",
        )
        with (folder / "influxd.log").open("ab") as log:
            self._process = subprocess.Popen(["influxd", "-config", str(settings)], stdout=log, stderr=log)
        self._wait(folder / "influxd.log")
        for database in (DATABASE, "phongmay", "phongmay_raw"):
            self.ask("POST", f"/query?q=CREATE+DATABASE+{database}")

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def settings(self) -> str:
        """Give the lines of [store], and its table, with which the collector uses it."""
        return f'series = "influx"\n[store.influx]\nversion = "1"\nurl = "{self.url}"\n'

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Ask over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            return _exchange(connection, method, path, body)
        finally:
            connection.close()

    def write_all(self, blocks: Sequence[bytes]) -> Cost:
        """Write blocks of lines one after the other over one connection: the ceiling."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        cpu, start = cpu_s(self.pid), time.monotonic()
        for block in blocks:
            _exchange(connection, "POST", f"/write?db={DATABASE}&precision=ns", block)
        wall = time.monotonic() - start
        connection.close()
        return Cost(wall, cpu_s(self.pid) - cpu)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self, log: Path) -> None:
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                self.ask("GET", "/ping")
            except OSError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise OperatorError(f"influxd does not start: {log.read_text('utf-8', 'replace')[-500:]}")


def _exchange(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None) -> bytes:
    connection.request(method, path, body)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status >= 300:
        raise OperatorError(f"influxd answers {answer.status} to {path}: {content[:200].decode('utf-8', 'replace')}")
    return content


def cpu_s(pid: int) -> float:
    """Give the processor seconds (user and system) that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
