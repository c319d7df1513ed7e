"""A register on a real PostgreSQL that chaos plays with: a private cluster, killed as a whole or by parts.

Nothing goes in; a URL of an empty database and things that can be done to the server come out. A server that does not
come back within its time raises ChaosError with the end of its log.
"""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import time

import psutil
import psycopg

from benchmarks._chaos_program import ChaosError
from benchmarks._postgres import Cluster

_AGAIN_S = 0.2
_PATIENCE_S = 60.0


class PostgresRegister:
    """A PostgreSQL of its own, waiting for the disk at each commit as a server does."""

    def __init__(self) -> None:
        self._cluster = Cluster(durable=True)
        self._cluster.start()
        self.url = self._cluster.url(self._cluster.create())
        self._server: subprocess.Popen[bytes] | None = None
        self._wanted = self._answers = True
        self._wanted_from = self._asked_at = 0.0

    def is_away(self) -> bool:
        """Tell whether it has not answered since something was last done to it."""
        return not self._answers

    def check(self) -> None:
        """Bring it back as a service manager does, if it should run.

        Raises:
            ChaosError: it does not come back.
        """
        now = time.monotonic()
        if not self._wanted or self._answers or now < self._asked_at + _AGAIN_S:
            return
        self._asked_at = now
        with contextlib.suppress(psycopg.OperationalError), self._cluster.connect():
            self._answers = True
            return
        if now > self._wanted_from + _PATIENCE_S:
            raise ChaosError(f"PostgreSQL did not come back in {_PATIENCE_S:.0f} s:\n{self._cluster.log()[-1000:]}")
        if self._server is not None and self._server.poll() is not None:  # children of a killed postmaster still end
            self._server = self._cluster.launch()

    # ---- what can be done to it ------------------------------------------------------------------------------------

    def kill(self) -> None:
        """End all its processes by kill -9."""
        self._wanted = self._answers = False
        self._cluster.stop(signal.SIGKILL)

    def kill_postmaster(self) -> None:
        """End its first process alone by kill -9."""
        self._wanted = self._answers = False
        self._cluster.kill_postmaster()

    def shut_down(self) -> None:
        """End it at once without a checkpoint, as `pg_ctl stop -m immediate` does."""
        self._wanted = self._answers = False
        self._cluster.stop(signal.SIGQUIT)

    def start(self) -> None:
        """Start it again, without waiting."""
        self._server = self._cluster.launch()
        self._is_wanted()

    def kill_backend(self, chance: random.Random) -> None:
        """End one process that serves a client; the server then throws out all of them and recovers."""
        there = self._cluster.backends()
        if there:
            with contextlib.suppress(psutil.NoSuchProcess):
                chance.choice(there).kill()
        self._is_wanted()

    def stand(self) -> None:
        """Let it stand still."""
        self._wanted = self._answers = False
        self._cluster.tell(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self._cluster.tell(signal.SIGCONT)
        self._is_wanted()

    def _is_wanted(self) -> None:
        self._wanted, self._answers, self._wanted_from = True, False, time.monotonic()

    def close(self) -> None:
        """End it and take its files away."""
        self._cluster.tell(signal.SIGCONT)
        self._cluster.close()
