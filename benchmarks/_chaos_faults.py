"""What chaos does: each fault has a target, a beginning, an end, and a length drawn between two limits.

Two faults of one target never overlap; those of different targets do. Nothing here judges.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks._chaos_program import Program
from benchmarks._chaos_register import PostgresRegister
from benchmarks._chaos_server import INFLUX, SQLITE, RealAgent, Server

End = Callable[[], None]


@dataclass(frozen=True)
class Fault:
    """One kind of mishap.

    Attributes:
        name: what is counted.
        target: what no second fault may touch meanwhile.
        begin: does it, and gives what ends it.
        shortest, longest: seconds between the two.
        weight: how often it is drawn, against the others.
    """

    name: str
    target: str
    begin: Callable[[], End]
    shortest: float
    longest: float
    weight: float = 1.0


def killed(program: Program) -> Callable[[], End]:
    """Kill a program and start it again later."""

    def begin() -> End:
        program.end(signal.SIGKILL)
        return program.start

    return begin


def restarted(program: Program) -> Callable[[], End]:
    """End a program as a service manager does, and start it again."""

    def begin() -> End:
        program.ask_to_end(signal.SIGTERM)
        return program.start

    return begin


def stopped(program: Program) -> Callable[[], End]:
    """Let a program stand still, and go on later."""

    def begin() -> End:
        program.tell(signal.SIGSTOP)
        return lambda: program.tell(signal.SIGCONT)

    return begin


def full_disk(program: Program) -> Callable[[], End]:
    """Let none of a program's files grow for a while."""

    def begin() -> End:
        program.fill_disk(True)
        return lambda: program.fill_disk(False)

    return begin


def started_on_full_disk(program: Program) -> Callable[[], End]:
    """Kill a program and start it again while none of its files may grow."""

    def begin() -> End:
        program.end(signal.SIGKILL)
        program.fill_disk(True)
        program.start()
        return lambda: program.fill_disk(False)

    return begin


def of_server(server: Server) -> list[Fault]:
    """Give what can happen to the server's own programs."""
    broker, collector = server.broker, server.collector
    faults = [
        Fault("broker_killed", "broker", killed(broker), 0.2, 3.0, 2),
        Fault("broker_stands", "broker", stopped(broker), 0.5, 3.0),
        Fault("collector_killed", "collector", killed(collector), 0.1, 3.0, 3),
        Fault("collector_restarted", "collector", restarted(collector), 0.1, 1.0),
        Fault("collector_stands", "collector", stopped(collector), 0.5, 4.0),
        Fault("disk_full", "collector", full_disk(collector), 1.0, 5.0, 2),
        Fault("disk_full_at_start", "collector", started_on_full_disk(collector), 1.0, 4.0),
    ]
    if server.register is not None:
        faults += of_register(server.register)
    if server.series == SQLITE:
        faults.append(Fault("store_slow", "store", server.lock_series, 0.5, 6.0, 2))
    if server.series == INFLUX:
        influxd = server.programs["influxd"]
        faults.append(Fault("store_killed", "store", killed(influxd), 0.2, 4.0, 3))
        faults.append(Fault("store_slow", "store", stopped(influxd), 0.5, 6.0, 2))
    return faults


def of_register(register: PostgresRegister) -> list[Fault]:
    """Give what can happen to a PostgreSQL."""
    chance = random.Random("backend")

    def then_started(how: Callable[[], None]) -> Callable[[], End]:
        def begin() -> End:
            how()
            return register.start

        return begin

    def backend() -> End:
        register.kill_backend(chance)
        return lambda: None

    def stands() -> End:
        register.stand()
        return register.go_on

    return [
        Fault("register_killed", "register", then_started(register.kill), 0.1, 4.0, 2),
        Fault("postmaster_killed", "register", then_started(register.kill_postmaster), 0.1, 3.0),
        Fault("register_restarted", "register", then_started(register.shut_down), 0.1, 2.0),
        Fault("backend_killed", "register", backend, 0.5, 2.0, 2),
        Fault("register_stands", "register", stands, 0.5, 6.0, 2),
    ]


def of_agents(agents: list[RealAgent]) -> list[Fault]:
    """Give what can happen to real agents."""
    return [Fault("agent_killed", agent.device, killed(agent.program), 0.1, 3.0) for agent in agents]


class Schedule:
    """Draws faults by a seed, never two of one target at a time."""

    def __init__(self, faults: list[Fault], seed: int) -> None:
        self._faults = faults
        self._chance = random.Random(f"{seed}/chaos")
        self._busy: set[str] = set()

    def draw(self) -> tuple[Fault, float] | None:
        """Give the next fault and its length; None when everything is in trouble already."""
        free = [fault for fault in self._faults if fault.target not in self._busy]
        if not free:
            return None
        fault = self._chance.choices(free, [one.weight for one in free])[0]
        self._busy.add(fault.target)
        return fault, self._chance.uniform(fault.shortest, fault.longest)

    def pause(self) -> float:
        """Give the seconds until the next fault."""
        return self._chance.uniform(0.3, 2.5)

    def free(self, fault: Fault) -> None:
        """Let the target have another fault."""
        self._busy.discard(fault.target)
