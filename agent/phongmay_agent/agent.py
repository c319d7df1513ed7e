"""The agent itself: it waits until something is due or comes, measures, and hands envelopes to spool and publisher.

One select waits for the broker, the wish to stop and the next moment at which anything is due. Each interval gives one
`round` envelope; the hardware is read at the start and then now and then, and sent as `inventory` when it changed and
once a day. A bandwidth test that the server orders runs in a thread beside it and gives a `campaign` envelope. Every
envelope is on the disk before it is sent. A spool that fails in mid-run is logged and measuring goes on; nothing of the
network ever ends the agent.
"""

from __future__ import annotations

import logging
import math
import secrets
import select
from collections import Counter
from collections.abc import Sequence

from phongmay_agent import __version__
from phongmay_agent.assembly import build_probes
from phongmay_agent.clock import Clock, SystemClock
from phongmay_agent.commands import Commands
from phongmay_agent.delivery import Delivery
from phongmay_agent.identity import Identity
from phongmay_agent.machine import SystemMachine
from phongmay_agent.probes.base import Probe, run_probe
from phongmay_agent.probes.state import SpoolFill
from phongmay_agent.publisher import Publisher
from phongmay_agent.schedule import DAY_S, Schedule
from phongmay_agent.settings import AgentSettings
from phongmay_agent.spool import Spool, SpoolError
from phongmay_agent.stopping import Stopper
from phongmay_contract import keys
from phongmay_contract.catalogue import Cadence, Value
from phongmay_contract.envelope import Envelope, Group, Instant
from phongmay_contract.tls import read_ca
from phongmay_contract.topics import Kind

FIRST_CONTACT_S = 3.0
"""The first round waits so long for a session, since what is measured in one may go out live."""
CLOCK_JUMP_S = 5.0
"""How far the wall clock may drift from the monotonic one between two rounds before that is an event."""
GOODBYE_S = 3.0
_LONGEST_WAIT_S = 3600.0

_log = logging.getLogger(__name__)


def measure(probes: Sequence[Probe], cadence: Cadence) -> tuple[Group, ...]:
    """Run the probes of one cadence, one after another."""
    return tuple(group for probe in probes if probe.cadence is cadence for group in run_probe(probe))


class Agent:
    """One run of the agent."""

    def __init__(self, settings: AgentSettings, identity: Identity, clock: Clock | None = None) -> None:
        """Open the spool and prepare everything; nothing is sent yet.

        Raises:
            SpoolError: the spool cannot be used.
        """
        self.run_id = secrets.token_hex(8)
        self._clock = clock or SystemClock()
        self._identity = identity
        self._spool = Spool(settings.spool_file, settings.spool_max_bytes)
        self._delivery = Delivery(self._spool, self.run_id, max(10.0, 3 * settings.interval_s))
        self._commands = Commands(
            keys.command_key(identity.secret),
            identity.device_id,
            self._clock,
            SystemMachine(),
            takes_part=settings.campaigns,
        )
        self._publisher = Publisher(
            identity, self.run_id, self._delivery, self._clock, self._commands.received, self._commands.heard_time,
            read_ca("broker_ca_file", settings.broker_ca_file) if settings.broker_ca_file else identity.broker_ca,
        )  # fmt: skip
        self._probes = build_probes(settings, identity, self._clock, self._fill)
        now = self._clock.now()
        self._schedule = Schedule(settings.interval_s, settings.inventory_check_s, now.mono)
        self._first_contact_until = now.mono + FIRST_CONTACT_S
        self._seq = 0
        self._inventory: tuple[Group, ...] = ()
        self._inventory_sent_at = -math.inf
        self._last = now
        self._dropped = self._spool.dropped
        self._set_aside = 0
        self._spool_fails = False
        self._told_memory = False
        self._told_refused: Counter[str] = Counter()

    def run(self, stop: Stopper) -> None:
        """Run until told to stop; then say goodbye and close."""
        _log.info("run %s of %s, %d envelopes in the spool", self.run_id, self._identity.device_id, self._spool.count)
        try:
            while not self._wait(stop):
                self._publisher.tick()
                self._take_results()
                now = self._clock.mono()
                if not self._publisher.connected and now < self._first_contact_until:
                    continue
                self._first_contact_until = -math.inf
                if self._schedule.inventory_due(now):
                    self._take_inventory()
                if self._schedule.round_due(now):
                    self._take_round()
        except KeyboardInterrupt:
            pass
        self._end(stop)

    # ---- waiting ------------------------------------------------------------------------------------------------

    def _wait(self, stop: Stopper) -> bool:
        """Wait until something comes or is due; give True when it is time to stop."""
        now = self._clock.mono()
        due = max(self._schedule.next_at(), self._first_contact_until)
        wait_s = min(due, self._publisher.next_at()) - now
        return self._select(stop, min(max(0.0, wait_s), _LONGEST_WAIT_S))

    def _select(self, stop: Stopper | None, wait_s: float) -> bool:
        sock = self._publisher.socket()
        sockets = [sock] if sock is not None else []
        readers = [*sockets, *([stop.reader, self._commands.reader] if stop is not None else [])]
        writers = sockets if self._publisher.wants_write() else []
        if not readers:
            return False
        readable, writable, _ = select.select(readers, writers, [], wait_s)
        if sock in readable:
            self._publisher.readable()
        if sock in writable:
            self._publisher.writable()
        return stop is not None and stop.reader in readable

    def _end(self, stop: Stopper) -> None:
        self._commands.close()
        self._take_results()
        self._publisher.say_goodbye()
        end = self._clock.mono() + GOODBYE_S
        while not self._publisher.has_said_goodbye() and (left := end - self._clock.mono()) > 0:
            self._select(None, left)
        self._publisher.close()
        self._spool.close()
        _log.info("stopped with %d envelopes in the spool", self._spool.count)

    # ---- measuring ----------------------------------------------------------------------------------------------

    def _take_round(self) -> None:
        at = self._clock.now()
        self._tell_events(at)
        self._hand_over(Kind.ROUND, at, measure(self._probes, Cadence.ROUND))

    def _take_results(self) -> None:
        """Send what a bandwidth test has given."""
        for result in self._commands.results():
            self._hand_over(Kind.CAMPAIGN, self._clock.now(), result.to_groups())

    def _take_inventory(self) -> None:
        """Read the hardware; send it if it is not what was sent last, or that was a day ago."""
        at = self._clock.now()
        found = measure(self._probes, Cadence.CHANGE)
        changed = _without_time(found) != _without_time(self._inventory)
        if found and (changed or at.mono >= self._inventory_sent_at + DAY_S):
            self._inventory, self._inventory_sent_at = found, at.mono
            self._hand_over(Kind.INVENTORY, at, found)

    def _tell_events(self, at: Instant) -> None:
        """Say what happened since the last round, once there is somebody to say it to."""
        drift = (at.wall - self._last.wall) - (at.mono - self._last.mono)
        self._last = at
        if abs(drift) > CLOCK_JUMP_S:
            self._tell(at, "clock_jumped", 1)
        if self._spool.in_memory and not self._told_memory:
            self._told_memory = True
            _log.error("the spool broke and its disk takes no new one: until a restart envelopes wait in memory only")
            self._tell(at, "spool_in_memory", 1)
        if self._spool.set_aside > self._set_aside:
            _log.error("the spool was broken and has been set aside as %s.broken", self._spool.path)
            self._tell(at, "spool_set_aside", self._spool.set_aside - self._set_aside)
            self._set_aside = self._spool.set_aside
            self._dropped = min(self._dropped, self._spool.dropped)
        if self._publisher.connected and self._spool.dropped > self._dropped:
            self._tell(at, "spool_dropped", self._spool.dropped - self._dropped)
            self._dropped = self._spool.dropped
        for refusal, count in self._commands.gate.refused.items():
            if count > self._told_refused[refusal]:
                self._tell(at, f"command_{refusal}", count - self._told_refused[refusal])
                self._told_refused[refusal] = count

    def _tell(self, at: Instant, code: str, count: int) -> None:
        values: dict[str, Value] = {"code": code, "count": count}
        self._hand_over(Kind.EVENT, at, (Group("event", values),))

    def _hand_over(self, kind: Kind, at: Instant, body: tuple[Group, ...]) -> None:
        """Number an envelope, put it on the disk, send it."""
        self._seq += 1
        envelope = Envelope(kind, self._identity.device_id, self.run_id, self._seq, at, __version__, body)
        try:
            self._spool.append(envelope)
            self._spool_fails = False
        except SpoolError as error:
            if not self._spool_fails:
                _log.error("%s", error)
            self._spool_fails = True
        self._publisher.send_live(envelope)

    def _fill(self) -> SpoolFill:
        return SpoolFill(self._spool.count, self._spool.size_bytes, self._spool.dropped)


def _without_time(groups: Sequence[Group]) -> list[Group]:
    """Leave out how long the probes took, which differs every time."""
    return [
        Group(group.measurement, {k: v for k, v in group.values.items() if k != "took_s"}, group.subject, group.part)
        for group in groups
    ]
