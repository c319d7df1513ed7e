"""Plays a day of simulated schools over real MQTT connections: as it comes, or a past day in a few minutes.

A population, identities and a timeline go in; traffic and the agents' records come out. How a played day stays honest
to the collector's clock rules: nothing pretends that a minute takes a second. The played day lies in the PAST, and
what was measured in it goes out as backfill, exactly as from PCs whose line was cut all day and has come back. Every
start of a PC is a run of its own; its monotonic clock began at the true moment of that start and has been counting
ever since, so one offset holds for the birth that it sends now and for the minutes that it measured then. Birth and
live inventory teach the collector that offset; the rows land at the true times of the played day. Presence shows what
is true too: these sessions began and ended now. A day that is played as it comes (speed 1) sends live.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from phongmay_contract.topics import Kind
from phongmay_simulate import school_day
from phongmay_simulate.agenda import Agenda
from phongmay_simulate.agent import Mischief, SimulatedAgent, Spool
from phongmay_simulate.descriptors import make_room
from phongmay_simulate.district import Role
from phongmay_simulate.enrolling import Identity
from phongmay_simulate.machine import Machine, watched
from phongmay_simulate.population import Member, Population, SimulatedSchool
from phongmay_simulate.school_day import Stretch
from phongmay_simulate.wire import Wire

BOOT_S = 30.0
"""Seconds that a PC has been on when its agent starts."""
CHECK_S = 2.0
"""Real seconds between an agent's looks at what has no receipt and at the past that it has gathered."""
LEAVE_S = 3.0
"""Real seconds for which a PC of an accelerated day waits for its receipts before it is switched off."""
FROZEN_ROUND = 10
"""Round of the first start after which a frozen disk is as it will be at every later start."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """How played (true) time runs against the monotonic clock.

    Attributes:
        start: true time at which playing begins.
        end: true time at which it ends.
        speed: played seconds a real second; 1 = as it comes.
        began: monotonic time of the beginning.
    """

    start: float
    end: float
    speed: float
    began: float

    def real(self, played: float) -> float:
        """Give the monotonic time at which a played moment comes."""
        return self.began + (played - self.start) / self.speed

    def share(self, now: float) -> float:
        """Give how much has been played, 0 to 1."""
        return min(max((now - self.began) * self.speed / (self.end - self.start), 0.0), 1.0)


@dataclass(slots=True)
class Life:
    """What becomes of one agent in a day.

    Attributes:
        boots: how often it was started.
        is_on: it is switched on, whatever the line does.
        rounds: measured since its last start.
        disk: the spool that a frozen disk falls back to.
    """

    member: Member
    school: str
    agent: SimulatedAgent
    copy: int
    boots: int = 0
    is_on: bool = False
    rounds: int = 0
    disk: Spool = field(default_factory=dict)


class Player:
    """Plays one day of a population.

    Args:
        people: the schools.
        identities: by device id; all at one broker.
        timeline: what is played, and how fast.
        day: local date whose timetable holds.
        interval_s: played seconds between rounds.
        twice, late: chances that a message is sent twice, or behind the next one.
        always: everything is on all the time, whatever the timetable says.
    """

    def __init__(
        self,
        people: Population,
        identities: Mapping[str, Identity],
        timeline: Timeline,
        day: date,
        *,
        interval_s: float = 60.0,
        twice: float = 0.0,
        late: float = 0.0,
        always: bool = False,
    ) -> None:
        first = next(iter(identities.values()))
        self.timeline = timeline
        self.wire = Wire(first.broker_host, first.broker_port)
        self._agenda = Agenda()
        self._interval = interval_s
        self._seed = people.seed
        self._salt = f"{people.seed}/{time.time_ns()}"
        self._chance = random.Random(f"{people.seed}/{day}/play")  # noqa: S311 a reproducible day, nothing secret
        self._mischief = Mischief(self._chance, twice, late) if twice or late else None
        self._dark: set[str] = set()
        self._lives: dict[str, list[Life]] = {}
        for school in people.schools:
            self._lives[school.id] = list(self._enter(school, identities, day, always))
        make_room(sum(map(len, self._lives.values())))

    @property
    def agents(self) -> Iterable[SimulatedAgent]:
        """Give every agent, for the ledger."""
        return (life.agent for lives in self._lives.values() for life in lives)

    def play(self, stop: Any, each_second: Callable[[], None]) -> None:
        """Play until the timeline ends or `stop.is_set()`."""
        end = self.timeline.real(self.timeline.end)
        self._turn(lambda: time.monotonic() >= end or stop.is_set(), each_second)

    def finish(self, patience_s: float, each_second: Callable[[], None]) -> None:
        """Wait until whoever is on has all its receipts, or patience ends; then switch everything off."""
        end = time.monotonic() + patience_s
        here = [life for lives in self._lives.values() for life in lives if life.is_on]
        for life in here:
            life.is_on = False  # measures no more
        self._turn(lambda: time.monotonic() >= end or not any(_owes(life) for life in here), each_second)
        for agent in self.agents:
            if not agent.stopped:
                agent.goodbye()
        self.wire.close()

    def progress(self) -> tuple[int, int, int, int]:
        """Give (connected agents, envelopes made, receipts, envelopes in the spools)."""
        records = [record for agent in self.agents for record in agent.runs.values()]
        return (
            sum(agent.connected for agent in self.agents),
            sum(record.made for record in records),
            sum(len(record.receipted) for record in records),
            sum(agent.unreceipted for agent in self.agents),
        )

    def _turn(self, done: Callable[[], bool], each_second: Callable[[], None]) -> None:
        look_at = second_at = 0.0
        while True:
            now = time.monotonic()
            if now >= look_at:
                look_at = now + 0.1
                if done():
                    return
            if now >= second_at:
                second_at = now + 1.0
                each_second()
            self.wire.turn(self._agenda.wait_s(now, 0.02))
            self._agenda.run_due(time.monotonic())

    # ---- what happens ------------------------------------------------------------------------------------------------

    def _enter(
        self, school: SimulatedSchool, identities: Mapping[str, Identity], day: date, always: bool
    ) -> Iterable[Life]:
        at, line = self._agenda.at, self.timeline
        for cut in school_day.line_cuts(school, self._seed, day):
            if line.start <= cut.start < line.end:
                at(line.real(cut.start), lambda: self._darken(school.id))
                at(line.real(cut.end), lambda: self._lighten(school.id))
        for member in school.speakers():
            stays = [Stretch(line.start, line.end)] if always else school_day.stays(member, self._seed, day)
            stays = [stay for stay in stays if stay.end > line.start and stay.start < line.end]
            if not stays or member.role is Role.SILENT:
                continue
            for copy in range(2 if member.role is Role.CLONED else 1):
                machine = Machine(member.role, member.id, BOOT_S, stays[0].start, copy)
                agent = SimulatedAgent(
                    self.wire, machine, identities[member.id], self._run(member, copy, 1), self._mischief,
                    on_open=self._greet,
                )  # fmt: skip
                life = Life(member, school.id, agent, copy)
                for stay in stays:
                    at(line.real(max(stay.start, line.start)), self._on(life, stay))
                    if stay.end < line.end:
                        at(line.real(stay.end), self._off(life, stay))
                at(line.began + self._chance.uniform(0, CHECK_S), self._check(life))
                yield life

    def _run(self, member: Member, copy: int, boot: int) -> str:
        return hashlib.sha256(f"{self._salt}/{member.id}/{copy}/{boot}".encode()).hexdigest()[:16]

    def _greet(self, agent: SimulatedAgent) -> None:
        """Send the inventory live: once a run, and at every session of an accelerated day, which has no live rounds."""
        if self.timeline.speed != 1 or not agent.runs[agent.run].made:
            agent.send(Kind.INVENTORY, agent.machine.inventory())

    def _on(self, life: Life, stay: Stretch) -> Callable[[], None]:
        def switch_on() -> None:
            life.boots += 1
            life.is_on = True
            life.rounds = 0
            machine = Machine(life.member.role, life.member.id, BOOT_S, stay.start, life.copy)
            if life.member.frozen and life.boots > 1:
                life.agent.fall_back(life.disk)
            life.agent.boot(self._run(life.member, life.copy, life.boots), machine)
            if life.school not in self._dark:
                life.agent.start()
            first = max(stay.start, self.timeline.start) + self._chance.uniform(0, self._interval)
            self._agenda.at(self.timeline.real(first), self._round(life, life.boots, first))

        return switch_on

    def _off(self, life: Life, stay: Stretch) -> Callable[[], None]:
        def switch_off() -> None:
            life.is_on = False
            if not stay.cleanly:
                life.agent.cut()
            elif self.timeline.speed == 1:
                life.agent.goodbye()
            else:
                self._leave(life, life.boots, time.monotonic() + LEAVE_S)

        return switch_off

    def _leave(self, life: Life, boot: int, latest: float) -> None:
        now = time.monotonic()
        if boot != life.boots or life.is_on:
            return
        if life.agent.unreceipted and now < latest and not life.agent.stopped:
            life.agent.check(now)
            self._agenda.at(now + 0.2, lambda: self._leave(life, boot, latest))
        else:
            life.agent.goodbye()

    def _round(self, life: Life, boot: int, at: float) -> Callable[[], None]:
        def measure() -> None:
            if not life.is_on or boot != life.boots or at >= self.timeline.end:
                return
            agent, member = life.agent, life.member
            groups = agent.machine.round(self._interval)
            life.rounds += 1
            if member.watches:
                groups = (*groups, watched(member.watches, life.rounds))
            if self.timeline.speed == 1:
                agent.send(Kind.ROUND, groups)
            else:
                agent.remember(groups, at)
            if member.frozen and boot == 1 and life.rounds == FROZEN_ROUND:
                life.disk = agent.disk()
            following = at + self._interval
            self._agenda.at(self.timeline.real(following), self._round(life, boot, following))

        return measure

    def _check(self, life: Life) -> Callable[[], None]:
        def check() -> None:
            now = time.monotonic()
            life.agent.check(now)
            self._agenda.at(now + CHECK_S, check)

        return check

    def _darken(self, school: str) -> None:
        self._dark.add(school)
        for life in self._lives[school]:
            if not life.agent.stopped:
                life.agent.cut()

    def _lighten(self, school: str) -> None:
        self._dark.discard(school)
        for life in self._lives[school]:
            if life.is_on:
                life.agent.start()


def _owes(life: Life) -> bool:
    """Tell whether receipts can still come; the second holder of a clone lets go when it has all."""
    if life.member.role is Role.CLONED and not life.agent.unreceipted and not life.agent.stopped:
        life.agent.goodbye()
    return life.agent.unreceipted > 0 and not life.agent.stopped
