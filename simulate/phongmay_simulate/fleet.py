"""Runs all simulated PCs in one thread with one select loop, and keeps the ledger of what was sent and receipted.

A district model and identities go in; real MQTT traffic comes out until the caller stops it. Nothing is raised for a
broker that goes away: the PCs come back by themselves, as real ones do.
"""

from __future__ import annotations

import random
import selectors
import time
from collections.abc import Iterable, Mapping
from typing import Any

from phongmay_contract.topics import Kind
from phongmay_simulate.connection import Connection
from phongmay_simulate.district import District, Role, Room, Seat
from phongmay_simulate.enrolling import Identity
from phongmay_simulate.machine import Machine

MAX_PENDING = 32
"""Connects on their way at the same time; a broker's listen backlog is 100 (measured: more than that takes minutes)."""
HISTORY_MINUTES = 60
LESSONS_OF_OFTEN_OFF = 2
WEEK_S = 7 * 86400
FAREWELL_S = 4.0
"""Seconds after a PC's first receipt at which the switched-off say goodbye and the doomed lose their plug."""


class Fleet:
    """All simulated machines of a district."""

    def __init__(
        self, district: District, identities: Mapping[str, Identity], *, interval_s: float, seed: int = 0
    ) -> None:
        self._interval = interval_s
        self._chance = random.Random(seed)  # noqa: S311 spreads rounds, nothing secret
        self._connections: list[tuple[Connection, Room]] = []
        self._due: dict[int, float] = {}
        self._greeted: dict[int, float] = {}
        for school in district.schools:
            for room, seat in school.seats():
                if seat.role is not Role.SILENT:
                    self._add(room, seat, identities[seat.code])

    def _add(self, room: Room, seat: Seat, identity: Identity) -> None:
        now = time.time()
        for copy in range(2 if seat.role is Role.CLONED else 1):
            uptime = 90_000 + self._chance.uniform(0, 500_000) + WEEK_S * (room.lessons - 1)
            self._connections.append((Connection(Machine(seat.role, seat.code, uptime, now, copy), identity), room))

    def run_until(self, deadline: float, stop: Any = None) -> None:
        """Work until a monotonic deadline or until `stop.is_set()`."""
        while time.monotonic() < deadline and not (stop is not None and stop.is_set()):
            self._connect_some()
            exchange((connection for connection, _ in self._connections), 0.05)
            for index, (connection, room) in enumerate(self._connections):
                connection.tick()
                self._act(index, connection, room)

    def finish(self, patience_s: float) -> None:
        """Send nothing new, wait until every receipt is there (or patience ends), then say goodbye."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline and any(c.unreceipted and not c.stopped for c, _ in self._connections):
            exchange((connection for connection, _ in self._connections), 0.05)
            for connection, _ in self._connections:
                connection.tick()
        for connection, _ in self._connections:
            if not connection.stopped:
                connection.goodbye()
        end = time.monotonic() + 1.0
        while time.monotonic() < end and any(c.wants_write() for c, _ in self._connections):
            exchange((connection for connection, _ in self._connections), 0.05)

    def ledger(self) -> list[dict[str, Any]]:
        """Give, for each run of each machine, what was sent, receipted and refused."""
        return [
            {
                "device": connection.identity.device_id,
                "code": connection.machine.code,
                "role": connection.machine.role.value,
                "copy": connection.machine.copy,
                "run": connection.run,
                "sent": len(connection.sent),
                "receipted": len(connection.receipted),
                "refused": connection.refused,
                "outstanding": connection.unreceipted,
            }
            for connection, _ in self._connections
        ]

    def progress(self) -> tuple[int, int, int]:
        """Give (connected machines, envelopes sent, receipts)."""
        pairs = self._connections
        return (
            sum(connection.connected for connection, _ in pairs),
            sum(len(connection.sent) for connection, _ in pairs),
            sum(len(connection.receipted) for connection, _ in pairs),
        )

    def _connect_some(self) -> None:
        pending = sum(c.socket() is not None and not c.connected for c, _ in self._connections)
        for index, (connection, room) in enumerate(self._connections):
            if pending >= MAX_PENDING:
                return
            if index not in self._due:
                self._due[index] = time.monotonic() + self._chance.uniform(0.2, self._interval)
                self._prepare(connection, room)
                connection.connect()
                pending += 1

    def _prepare(self, connection: Connection, room: Room) -> None:
        """Let the machine remember the minutes of the classes before; they go out as backfill."""
        machine = connection.machine
        lessons = min(room.lessons, LESSONS_OF_OFTEN_OFF) if machine.role is Role.OFTEN_OFF else room.lessons
        if machine.copy == 0:
            for ago in range(lessons - 1, -1, -1):
                for minute in range(HISTORY_MINUTES, 0, -1):
                    groups = machine.round(60.0, live=False)
                    connection.remember(groups, room.history_end - WEEK_S * ago - 60 * minute + 30)

    def _act(self, index: int, connection: Connection, room: Room) -> None:
        now = time.monotonic()
        if connection.stopped or index not in self._due:
            return
        if connection.connected and index not in self._greeted:
            self._greeted[index] = now
            connection.send(Kind.INVENTORY, connection.machine.inventory())
        if index in self._greeted and connection.receipted and not connection.unreceipted:
            leaving = now - self._greeted[index] > FAREWELL_S
            if leaving and connection.machine.role in (Role.SWITCHED_OFF, Role.OFTEN_OFF):
                connection.goodbye()
                return
            if leaving and connection.machine.role is Role.WENT_SILENT:
                connection.cut()
                return
        if connection.connected and now >= self._due[index]:
            self._due[index] = now + self._interval
            connection.send(Kind.ROUND, connection.machine.round(self._interval))


def exchange(connections: Iterable[Connection], wait_s: float) -> None:
    """Wait at most so long for the sockets of some connections, and let them read and write what they can."""
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            sock = connection.socket()
            if sock is not None and sock.fileno() >= 0:
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.wants_write() else 0)
                selector.register(sock, events, connection)
        if not selector.get_map():
            time.sleep(wait_s)
            return
        for key, events in selector.select(wait_s):
            if events & selectors.EVENT_READ:
                key.data.readable()
            if events & selectors.EVENT_WRITE:
                key.data.writable()
