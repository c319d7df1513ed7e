"""A connection to PostgreSQL that does not wait for ever on a server that stands still.

In: what psycopg connects with. Out: a connection of psycopg. A statement may take as long as it needs while its server
lives. When nothing comes for `silence_s`, a second connection asks the server; if that is not answered either within
`connect_timeout` (a stopped process or a frozen machine, whose kernel goes on acknowledging for it), the connection is
given up with an OperationalError, and the next one, which a pool makes at once, is not waited for again. Imported only
where the register is in PostgreSQL: psycopg is an extra.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen

SILENCE_S = 3.0
"""Without an answer, before the server is asked on a second connection; sooner with a shorter `tcp_user_timeout`. To
ask costs a server that lives a connection and breaks nothing."""
REST_S = 0.5
"""So long nobody asks a server again that did not answer a second connection."""
_CONNECT_S = 5
"""For the second connection, unless the URL has a `connect_timeout`."""
_silent: dict[tuple[object, ...], float] = {}
"""When a server was given up last."""


class AnsweredConnection(psycopg.Connection[Any]):
    """A connection that gives up a server which answers nobody.

    Attributes:
        silence_s: seconds without an answer after which the server is asked.
        again: what a second connection is made with; None = this is the second one.
        gave_up: it was given up because nothing came.
    """

    silence_s = SILENCE_S
    again: dict[str, Any] | None = None
    gave_up = False

    def wait(self, gen: PQGen[RV], *args: Any, **more: Any) -> RV:
        """Do what psycopg does to wait for an answer, and no longer than the server lives."""
        return super().wait(self._watched(gen), *args, **more)

    def _watched(self, gen: PQGen[RV]) -> Generator[Any, Any, RV]:
        """Pass on what psycopg waits for; its loop comes by several times a second, also when there is nothing."""
        heard_at = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                now = time.monotonic()
                if ready:
                    heard_at = now
                elif now - heard_at > self.silence_s:
                    if not self._lives():
                        self.gave_up = True
                        if self.again is not None:
                            _silent[_server(self.again)] = time.monotonic()
                        self.pgconn.finish()
                        raise psycopg.OperationalError(
                            f"PostgreSQL has said nothing for {self.silence_s:g} s, nor does it answer a new connection"
                        )
                    heard_at = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as end:
            result: RV = end.value
            return result

    def _lives(self) -> bool:
        """Ask the server on a second connection; that it refuses is an answer too."""
        if self.again is None:
            return False
        try:
            second = _connect({"connect_timeout": _CONNECT_S, **self.again})
        except psycopg.errors.ConnectionTimeout:
            return False
        except psycopg.Error:
            return True
        second.again, second.silence_s = None, float(_CONNECT_S)
        try:
            second.execute("SELECT 1")
        except psycopg.Error:
            return not second.gave_up
        finally:
            second.close()
        return True


def connect(wanted: Mapping[str, Any]) -> AnsweredConnection:
    """Connect.

    Args:
        wanted: arguments of psycopg. `connect_timeout` also says how long the second connection may take.

    Raises:
        psycopg.Error: there is no connection; a server that was given up a moment ago is not asked.
    """
    if time.monotonic() - _silent.get(_server(wanted), float("-inf")) < REST_S:
        raise psycopg.errors.ConnectionTimeout("timeout expired: the server gave no answer a moment ago")
    return _connect(wanted)


def _connect(wanted: Mapping[str, Any]) -> AnsweredConnection:
    connection = AnsweredConnection.connect(**wanted)
    connection.again = dict(wanted)
    patience_s = int(wanted.get("tcp_user_timeout") or 0) / 1000
    connection.silence_s = min(SILENCE_S, patience_s or SILENCE_S)
    return connection


def _server(wanted: Mapping[str, Any]) -> tuple[object, ...]:
    return tuple(wanted.get(name) for name in ("host", "hostaddr", "port", "service"))
