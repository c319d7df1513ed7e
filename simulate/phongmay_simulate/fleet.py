"""The sample district's PCs in one loop: they connect, send their past, report, and some leave as their role says.

A district model and identities go in; real MQTT traffic comes out until the caller stops it. Nothing is raised for a
broker that goes away: the PCs come back by themselves, as real ones do.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Mapping
from typing import Any

from phongmay_contract.topics import Kind
from phongmay_simulate.agenda import Agenda
from phongmay_simulate.agent import SimulatedAgent
from phongmay_simulate.descriptors import make_room
from phongmay_simulate.district import District, Role, Room, Seat
from phongmay_simulate.enrolling import Identity
from phongmay_simulate.machine import Machine
from phongmay_simulate.wire import Wire

HISTORY_MINUTES = 60
LESSONS_OF_OFTEN_OFF = 2
WEEK_S = 7 * 86400
FAREWELL_S = 4.0
"""Seconds after a PC's first receipt at which the switched-off say goodbye and the doomed lose their plug."""
CHECK_S = 1.0
"""Between a PC's looks at what has no receipt yet."""
_TURN_S = 0.05


class Fleet:
    """All simulated machines of a district."""

    def __init__(
        self, district: District, identities: Mapping[str, Identity], *, interval_s: float, seed: int = 0
    ) -> None:
        first = next(iter(identities.values()))
        self._wire = Wire(first.broker_host, first.broker_port)
        self._agenda = Agenda()
        self._interval = interval_s
        self._chance = random.Random(seed)  # noqa: S311 spreads rounds, nothing secret
        self._finishing = False
        self.agents: list[SimulatedAgent] = []
        for school in district.schools:
            for room, seat in school.seats():
                if seat.role is not Role.SILENT:
                    self._add(room, seat, identities[seat.code])
        make_room(len(self.agents))

    def _add(self, room: Room, seat: Seat, identity: Identity) -> None:
        now = time.time()
        for copy in range(2 if seat.role is Role.CLONED else 1):
            uptime = 90_000 + self._chance.uniform(0, 500_000) + WEEK_S * (room.lessons - 1)
            machine = Machine(seat.role, seat.code, uptime, now, copy)
            agent = SimulatedAgent(self._wire, machine, identity, secrets.token_hex(8))
            self._prepare(agent, room)
            self.agents.append(agent)
            agent.start()
            self._agenda.at(0.0, lambda agent=agent: self._greet(agent))  # type: ignore[misc] # mypy cannot infer it

    def run_until(self, deadline: float, stop: Any = None) -> None:
        """Work until a monotonic deadline or until `stop.is_set()`."""
        while (now := time.monotonic()) < deadline and not (stop is not None and stop.is_set()):
            self._wire.turn(self._agenda.wait_s(now, _TURN_S))
            self._agenda.run_due(time.monotonic())

    def finish(self, patience_s: float) -> None:
        """Send nothing new, wait until every receipt is there (or patience ends), then say goodbye."""
        self._finishing = True
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline and any(a.unreceipted and not a.stopped for a in self.agents):
            self.run_until(time.monotonic() + _TURN_S)
        for agent in self.agents:
            if not agent.stopped:
                agent.goodbye()
        self._wire.close()

    def progress(self) -> tuple[int, int, int]:
        """Give (connected machines, envelopes sent, receipts)."""
        records = [record for agent in self.agents for record in agent.runs.values()]
        return (
            sum(agent.connected for agent in self.agents),
            sum(len(record.sent) for record in records),
            sum(len(record.receipted) for record in records),
        )

    def _prepare(self, agent: SimulatedAgent, room: Room) -> None:
        """Let the machine remember the minutes of the classes before; they go out as backfill."""
        machine = agent.machine
        lessons = min(room.lessons, LESSONS_OF_OFTEN_OFF) if machine.role is Role.OFTEN_OFF else room.lessons
        if machine.copy == 0:
            for ago in range(lessons - 1, -1, -1):
                for minute in range(HISTORY_MINUTES, 0, -1):
                    groups = machine.round(60.0, live=False)
                    agent.remember(groups, room.history_end - WEEK_S * ago - 60 * minute + 30)

    # ---- what each machine does --------------------------------------------------------------------------------------

    def _greet(self, agent: SimulatedAgent) -> None:
        """Send the inventory once the machine is connected, and begin its rounds."""
        now = time.monotonic()
        if not agent.connected:
            self._agenda.at(now + _TURN_S, lambda: self._greet(agent))
            return
        agent.send(Kind.INVENTORY, agent.machine.inventory())
        self._agenda.at(now + self._chance.uniform(0.2, self._interval), lambda: self._report(agent))
        self._agenda.at(now + FAREWELL_S, lambda: self._look(agent))

    def _report(self, agent: SimulatedAgent) -> None:
        if agent.stopped or self._finishing:
            return
        if agent.connected:
            agent.send(Kind.ROUND, agent.machine.round(self._interval))
        self._agenda.at(time.monotonic() + self._interval, lambda: self._report(agent))

    def _look(self, agent: SimulatedAgent) -> None:
        """Look after what has no receipt; let those whose role it is leave once everything is receipted."""
        if agent.stopped:
            return
        now = time.monotonic()
        agent.check(now)
        if agent.receipted and not agent.unreceipted:
            if agent.machine.role in (Role.SWITCHED_OFF, Role.OFTEN_OFF):
                agent.goodbye()
                return
            if agent.machine.role is Role.WENT_SILENT:
                agent.cut()
                return
        self._agenda.at(now + CHECK_S, lambda: self._look(agent))
