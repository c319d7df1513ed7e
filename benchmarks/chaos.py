"""`scripts/bench chaos --minutes M --seed S`: everything goes wrong, by chance but bounded, and nothing may be lost.

A real Mosquitto, collector, stores, some real agents and two hundred simulated ones; kill -9, full disk, standing
processes, locked stores, cut lines, restarted and frozen PCs, duplicated and reordered messages. At the end all is
mended and every spool must empty. Laws: every envelope with a receipt is stored exactly once; every one without is
still in its sender's spool; no program ends by itself but by exit code 2 and a clear sentence while something that it
needs is away. The last line is JSON: faults, lost, doubled, seed and counts. Exit 1, with the names of the envelopes,
when the first two are broken, 2 with the program's last words for the third; the same seed draws from the same sequence
of faults again (which of them find their target free depends on the machine), and the engines that it is not told.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks._arguments import Arguments
from benchmarks._chaos_faults import End, Fault, Schedule, of_agents, of_server
from benchmarks._chaos_program import ChaosError
from benchmarks._chaos_server import INFLUX, POSTGRESQL, SQLITE, RealAgent, Server, require_mosquitto
from phongmay_contract.topics import Kind
from phongmay_simulate import ledger, population
from phongmay_simulate.agenda import Agenda
from phongmay_simulate.agent import Mischief, SimulatedAgent
from phongmay_simulate.district import Role
from phongmay_simulate.machine import Machine, watched
from phongmay_simulate.population import Member
from phongmay_simulate.ranges import Ranges
from phongmay_simulate.wire import Wire
from phongmay_store.series import open_reader

ROUND_S = 2.0
SCHOOLS, PCS = 4, 50
RESEND_S = 4.0
SETTLE_S = 120.0
"""How long the spools may take to empty once all is mended."""


class Chaos:
    """One run: the simulated fleet, the faults, the judgement."""

    def __init__(self, server: Server, agents: list[RealAgent], people: population.Population, seed: int) -> None:
        self.server = server
        self.real = agents
        self.counts: Counter[str] = Counter()
        self.wire = Wire("127.0.0.1", server.port, keepalive_s=10)
        self.fleet: list[tuple[Member, SimulatedAgent]] = []
        self._agenda = Agenda()
        self._seed = seed
        self._chance = random.Random(f"{seed}/fleet")
        self._boots = 0
        self._making = True
        self._open_faults: dict[int, tuple[Fault, End]] = {}
        mischief = Mischief(random.Random(f"{seed}/mischief"), twice=0.05, late=0.05)
        real = {agent.device for agent in agents}
        for member in people.speakers():
            if member.role is Role.SILENT or member.id in real:
                continue
            for copy in range(2 if member.role is Role.CLONED else 1):
                self._add(member, copy, mischief)
        self._disks = {id(agent): agent.disk() for _, agent in self.fleet}
        by_school: dict[str, list[SimulatedAgent]] = {}
        for member, agent in self.fleet:
            by_school.setdefault(member.id[:9], []).append(agent)
        lines = [
            Fault("line_cut", f"line {name}", self._cut(there), 0.5, 5.0, 0.5) for name, there in by_school.items()
        ]
        frozen = [pair for pair in self.fleet if pair[0].frozen]
        restarts = [Fault("pc_restarted", "pc", self._restart, 0.2, 1.0), Fault("pc_frozen", "frozen pc",
                    lambda: self._fall_back(frozen), 0.2, 1.0)]  # fmt: skip
        self._schedule = Schedule([*of_server(server), *of_agents(agents), *lines, *restarts], seed)

    def _add(self, member: Member, copy: int, mischief: Mischief) -> None:
        agent = SimulatedAgent(
            self.wire,
            self._machine(member, copy),
            self.server.identities[member.id],
            self._run(),
            mischief,
            resend_s=4.0,
        )
        self.fleet.append((member, agent))
        agent.start()
        self._agenda.at(time.monotonic() + self._chance.uniform(0, ROUND_S), lambda: self._round(member, agent))
        self._agenda.at(time.monotonic() + 1.0, lambda: self._check(agent))

    def _machine(self, member: Member, copy: int = 0) -> Machine:
        return Machine(member.role, member.id, self._chance.uniform(60, 80_000), time.time(), copy)

    def _run(self) -> str:
        self._boots += 1
        return f"{random.Random(f'{self._seed}/{self._boots}').getrandbits(64):016x}"

    # ---- what goes wrong with simulated PCs --------------------------------------------------------------------------

    def _round(self, member: Member, agent: SimulatedAgent) -> None:
        """Send a round; in the end only as long as one is needed to hear that a collector is there."""
        needed = self._making or (agent.unreceipted > 0 and not agent.heard_receipt)
        if needed and not agent.stopped:
            own = agent.machine.round(ROUND_S)
            agent.send(Kind.ROUND, (*own, watched(member.watches)) if member.watches else own)
        self._agenda.at(time.monotonic() + ROUND_S, lambda: self._round(member, agent))

    def _check(self, agent: SimulatedAgent) -> None:
        now = time.monotonic()
        agent.check(now)
        self._agenda.at(now + 1.0, lambda: self._check(agent))

    def _cut(self, agents: list[SimulatedAgent]) -> Callable[[], End]:
        def begin() -> End:
            there = [agent for agent in agents if not agent.stopped]
            for agent in there:
                agent.cut()

            def end() -> None:
                for agent in there:
                    agent.start()

            return end

        return begin

    def _restart(self) -> End:
        member, agent = self._chance.choice(self.fleet)
        if agent.stopped:
            return lambda: None
        agent.cut()
        return lambda: self._boot(member, agent)

    def _boot(self, member: Member, agent: SimulatedAgent) -> None:
        agent.boot(self._run(), self._machine(member, agent.machine.copy))
        agent.start()

    def _fall_back(self, frozen: list[tuple[Member, SimulatedAgent]]) -> End:
        """Start a PC again from an old disk; the disk is kept anew when it holds more, so that old things go out."""
        if not frozen:
            return lambda: None
        member, agent = self._chance.choice(frozen)
        if agent.stopped:
            return lambda: None
        agent.cut()
        old = self._disks[id(agent)]
        if len(agent.disk()) > len(old):
            self._disks[id(agent)] = old = agent.disk()
        agent.fall_back(old)
        return lambda: self._boot(member, agent)

    # ---- the run -----------------------------------------------------------------------------------------------------

    def turn_until(self, done: Callable[[], bool], deadline: float) -> bool:
        """Turn the loop until something is so, or the time is up."""
        look_at = 0.0
        while (now := time.monotonic()) < deadline:
            self.wire.turn(self._agenda.wait_s(now, 0.02))
            self._agenda.run_due(time.monotonic())
            if now >= look_at:
                look_at = now + 0.25
                self.server.check()
                if done():
                    return True
        return False

    def rage(self, seconds: float) -> None:
        """Let things go wrong for so long, then mend all of them."""
        first = time.monotonic() + 3.0
        self._agenda.at(first, lambda: self._strike(time.monotonic() + seconds))
        self.turn_until(lambda: False, first + seconds)
        for number in list(self._open_faults):
            self._mend(number)

    def _strike(self, until: float) -> None:
        now = time.monotonic()
        if now >= until:
            return
        drawn = self._schedule.draw()
        if drawn is not None:
            fault, length = drawn
            self.counts[fault.name] += 1
            number = self.counts.total()
            self._open_faults[number] = (fault, fault.begin())
            self._agenda.at(now + length, lambda: self._mend(number))
        self._agenda.at(now + self._schedule.pause(), lambda: self._strike(until))

    def _mend(self, number: int) -> None:
        fault, end = self._open_faults.pop(number, (None, None))
        if fault is not None and end is not None:
            end()
            self._schedule.free(fault)

    def settle(self) -> None:
        """Make no more rounds than are needed, wait until spools and queue on disk are empty, and end the collector.

        Raises:
            ChaosError: some are not, though nothing is wrong any more.
        """
        self._making = False
        end = time.monotonic() + SETTLE_S
        if not self.turn_until(self._empty, end):
            left = {agent.identity.device_id: agent.unreceipted for _, agent in self.fleet if agent.unreceipted}
            left |= {agent.device: count for agent in self.real if (count := len(agent.waiting())) > 1}
            first = dict(list(left.items())[: ledger.NAMED])
            raise ChaosError(
                f"{len(left)} spools did not empty within {SETTLE_S:.0f} s of peace: {first}; the collector's last "
                f"words:\n{self.server.collector.tail()}"
            )

        for agent in self.real:
            agent.program.end(signal.SIGTERM)
        if not self.turn_until(lambda: not self.server.queued(), end):
            raise ChaosError(f"{self.server.queued()} messages wait on disk:\n{self.server.collector.tail()}")
        self.server.collector.end(signal.SIGTERM)  # or it might still store what is being judged

    def _empty(self) -> bool:
        for member, agent in self.fleet:
            if member.role is Role.CLONED and not agent.unreceipted and not agent.stopped:
                agent.goodbye()  # or it would throw the other holder out for ever
        if any(agent.unreceipted for _, agent in self.fleet):
            return False
        return all(len(agent.waiting()) <= 1 for agent in self.real)

    def judge(self) -> ledger.Comparison:
        """Hold the ledgers against the store: the simulated ones' and the real spools on disk."""
        self.server.check_words()
        entries = list(ledger.entries(agent for _, agent in self.fleet))
        with closing(open_reader(self.server.settings.store)) as series:
            for one in self.real:
                entries += _real_entries(one, ledger.stored_envelopes(series, one.device))
            return ledger.compare(series, entries)


def _real_entries(agent: RealAgent, stored: dict[str, dict[int, int]]) -> list[dict[str, Any]]:
    """Give a ledger of a real agent: what its spool no longer holds has had its receipt, or else it is lost."""
    waiting: dict[str, set[int]] = {}
    for run, seq in agent.waiting():
        waiting.setdefault(run, set()).add(seq)
    entries = []
    for run in stored.keys() | waiting.keys():
        left = waiting.get(run, set())
        made = max([*stored.get(run, {}), *left])
        receipted = Ranges((seq, seq) for seq in range(1, made + 1) if seq not in left)
        entries.append({"device": agent.device, "run": run, "made": made, "receipted": receipted.pairs(),
                        "refused": {}, "waiting": [[seq, seq] for seq in sorted(left)], "wiped": []})  # fmt: skip
    return entries


def run(arguments: list[str]) -> None:
    """Run one chaos and print what came of it."""
    parser = Arguments("chaos", __doc__)
    parser.add_argument("--minutes", type=float, default=1.5, help="how long things go wrong (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="which things (default: drawn, and printed)")
    parser.add_argument("--series", choices=(SQLITE, INFLUX), help="engine of the series (default: drawn by the seed)")
    parser.add_argument("--register", choices=(SQLITE, POSTGRESQL), help="engine of the register (default: the same)")
    parser.add_argument("--pcs", type=int, default=PCS, help="PCs of each of four schools (default: %(default)s)")
    parser.add_argument("--agents", type=int, default=2, help="real agents among the simulated (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="empty folder to use and keep (default: one that is removed)")
    args = parser.parse_args(arguments)
    require_mosquitto()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10**6)
    drawn = random.Random(f"{seed}/engines")
    engines = drawn.choice((SQLITE, INFLUX)), drawn.choice((SQLITE, POSTGRESQL))
    args.series, args.register = args.series or engines[0], args.register or engines[1]
    print(f"seed {seed}, {args.minutes} minutes, series in {args.series}, register in {args.register}", flush=True)
    if args.folder:
        args.folder.mkdir(parents=True, exist_ok=True)
        figures = rage(args.folder, seed, args)
    else:
        with tempfile.TemporaryDirectory(prefix="phongmay-chaos-", ignore_cleanup_errors=True) as folder:
            figures = rage(Path(folder), seed, args)
    print(json.dumps(figures))
    if figures["lost"] or figures["doubled"] or figures["refused"]:
        sys.exit(1)


def rage(folder: Path, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Lay out, let it rage, settle, judge; gives the figures of the last line."""
    people = population.build(seed, SCHOOLS, args.pcs)
    server = Server(folder, args.series, args.register, people)
    standard = [member.id for member in people.speakers() if member.role is Role.STANDARD and member.kind == "pc"]
    agents = [RealAgent(server, server.identities[device]) for device in standard[: args.agents]]
    chaos = None
    try:
        server.start()
        for agent in agents:
            agent.program.start()
        chaos = Chaos(server, agents, people, seed)
        chaos.rage(args.minutes * 60)
        begin = time.monotonic()
        chaos.settle()
        peace = time.monotonic() - begin
        found = chaos.judge()
    finally:
        if chaos is not None:
            chaos.wire.close()
        server.stop()
    for name, count in sorted(chaos.counts.items()):
        print(f"  {name:<22}{count:>5}")
    for name in found.lost[: ledger.NAMED]:
        print(f"LOST     {name}")
    for name in found.doubled[: ledger.NAMED]:
        print(f"DOUBLED  {name}")
    return {"faults": chaos.counts.total(), "seed": seed, "series": args.series, "register": args.register,
            "settle_s": round(peace, 1), "reconnects": chaos.wire.losses,
            "gave_up": sum(program.gave_up for program in server.programs.values()),
            **{key: value for key, value in found.as_dict().items() if not key.endswith("_envelopes")}}  # fmt: skip
