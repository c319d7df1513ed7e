"""A private PostgreSQL for tests and benchmarks: an empty folder goes in, a running server on loopback comes out.

Debian's package is enough; whether its own cluster runs does not matter. PostgreSQL refuses to run as root, so as
root it is started as `postgres` or `nobody`. Whatever is sorted there is sorted by the rules of Vietnamese, not byte
by byte as SQLite does it, so that nothing rests on the order of bytes. What cannot be started raises ClusterError.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psutil
import psycopg

from phongmay_contract.errors import OperatorError

USER, PASSWORD = "phongmay", "throw-away"
_STOP_S = 20.0


class ClusterError(OperatorError):
    """PostgreSQL is not installed, or does not start."""


def programs() -> Path:
    """Give the folder of initdb and postgres, the newest version first.

    Raises:
        ClusterError: there is none.
    """
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]), reverse=True
    )
    elsewhere = shutil.which("initdb")
    if not found and elsewhere is None:
        raise ClusterError("PostgreSQL is not installed: apt install postgresql")
    return found[0].parent if found else Path(str(elsewhere)).resolve().parent


class Cluster:
    """A PostgreSQL of its own; `start` and `stop` as often as wanted, `close` once.

    Args:
        durable: wait for the disk at each commit, as a server does; tests that pull no plug need not.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._programs = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="phongmay-pg-"))
        owner = _owner()
        self._user = owner.pw_uid if owner else None
        self._group = owner.pw_gid if owner else None
        self._more_groups: list[int] | None = [] if owner else None
        self._numbers = count(1)
        self._server: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        secret = self._folder / "password"
        secret.write_text(PASSWORD, "ascii")
        if owner is not None:
            for path in (self._folder, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "--pgdata", str(self.data), "--username", USER, "--pwfile", str(secret), "--auth",
                  "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--locale-provider", "icu",
                  "--icu-locale", "vi", "--no-sync", "--no-instructions")  # fmt: skip
        settings = [
            "listen_addresses = '127.0.0.1'", f"port = {self.port}", f"unix_socket_directories = '{self._folder}'",
            "max_connections = 60", "shared_buffers = 64MB", "autovacuum_naptime = 10s", "log_line_prefix = '%t '",
        ]  # fmt: skip
        if not durable:
            settings += ["fsync = off", "synchronous_commit = off", "full_page_writes = off"]
        with (self.data / "postgresql.conf").open("a", encoding="ascii") as file:
            file.write("\n".join(settings) + "\n")

    @property
    def data(self) -> Path:
        """Folder of the database files."""
        return self._folder / "data"

    @property
    def socket_folder(self) -> Path:
        """Folder of the Unix socket."""
        return self._folder

    def url(self, database: str) -> str:
        """Give the register's URL of a database."""
        return f"postgresql+psycopg://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        server = self.launch()
        end = time.monotonic() + 60
        while True:
            try:
                with self.connect():
                    return
            except psycopg.OperationalError as error:
                if server.poll() is not None or time.monotonic() > end:
                    raise ClusterError(f"PostgreSQL does not start: {error}; {self.log()[-500:]}") from error
            time.sleep(0.05)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server and wait for nothing: it may still have a crash to recover from, or may refuse to start."""
        with (self._folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self.data)],
                stdout=log, stderr=subprocess.STDOUT, cwd="/", process_group=0, user=self._user, group=self._group,
                extra_groups=self._more_groups,
            )  # fmt: skip
        return self._server

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: by default without waiting for its clients; with SIGKILL as a power cut does."""
        if self._server is None:
            return
        children = self.children() if how is signal.SIGKILL else []  # each leads a group of its own
        server, self._server = self._server, None
        server.send_signal(how)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(how)
        try:
            server.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    def kill_postmaster(self) -> None:
        """Kill the first process alone; those of its clients notice it by themselves, some only when they are done."""
        if self._server is not None:
            server, self._server = self._server, None
            server.kill()
            server.wait()

    def tell(self, what: signal.Signals) -> None:
        """Send a signal to all of the server: SIGSTOP lets it stand still, SIGCONT go on."""
        if self._server is not None:
            self._server.send_signal(what)
            for child in self.children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.send_signal(what)

    def children(self) -> list[psutil.Process]:
        """Give the server's child processes."""
        if self._server is None or self._server.poll() is not None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self._server.pid).children()
        return []

    def backends(self) -> list[psutil.Process]:
        """Give those that serve a client."""
        found = []
        for child in self.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.cmdline()[:1] and child.cmdline()[0].startswith(f"postgres: {USER} "):
                    found.append(child)
        return found

    def log(self) -> str:
        """Give what the server has said."""
        path = self._folder / "server.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """Connect as the owner of everything; each statement is committed by itself."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=database, autocommit=True,
            connect_timeout=10,
        )  # fmt: skip

    def create(self, template: str = "template0") -> str:
        """Make a database, by default an empty one, and give its name."""
        name = f"register_{next(self._numbers)}"
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return name

    def drop(self, database: str) -> None:
        """Take a database away, whoever is connected."""
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'.encode())

    def close(self) -> None:
        """Stop the server and take its files away."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments], capture_output=True, text=True, cwd="/", check=False,
            user=self._user, group=self._group, extra_groups=self._more_groups,
        )  # fmt: skip
        if done.returncode:
            raise ClusterError(f"{program} failed: {(done.stderr or done.stdout).strip()[-500:]}")


@contextlib.contextmanager
def running(*, durable: bool = False) -> Iterator[Cluster]:
    """Give a running cluster that is gone afterwards."""
    cluster = Cluster(durable=durable)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


def _owner() -> pwd.struct_passwd | None:
    """Give whom the server runs as; None = as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ClusterError("PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody' to run it as")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
