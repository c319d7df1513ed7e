"""The PCs of the lab: a real agent each, in a process and a namespace of its own, forked from one that imported all.

`python -m benchmarks._lab.fleet <spec.json>` reads who and where; runs until its standard input ends. Each PC's wall
clock is off by its own amount: the agent takes its clock as an argument, and this one is wrong.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import resource
import signal
import sys
from pathlib import Path

from benchmarks._lab.forwarder import enter
from phongmay_agent.agent import Agent
from phongmay_agent.clock import SystemClock
from phongmay_agent.identity import Identity
from phongmay_agent.settings import AgentSettings
from phongmay_agent.stopping import Stopper
from phongmay_contract.envelope import Instant


class WrongClock(SystemClock):
    """A clock that is off."""

    def __init__(self, off_s: float) -> None:
        self._off_s = off_s

    def now(self) -> Instant:
        """Give a moment on both clocks, the wall clock wrong."""
        right = super().now()
        return Instant(right.wall + self._off_s, right.mono)


def be_a_pc(spec: dict[str, str | float], folder: Path) -> None:
    """Run an agent until SIGTERM."""
    name = str(spec["device"])
    log = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    enter(str(spec["namespace"]))
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    settings = AgentSettings(spool_file=folder / f"{name}.db", probes=["state"], interval_s=30)
    identity = Identity(name, str(spec["secret"]), str(spec["broker"]), int(spec["port"]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Stopper() as stop:
        Agent(settings, identity, WrongClock(float(spec["off_s"]))).run(stop)
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {"cpu_s": used.ru_utime + used.ru_stime, "grew_kib": used.ru_maxrss - before}
    (folder / f"{name}.json").write_text(json.dumps(figures))


def main(path: str) -> None:
    """Fork the PCs, and end them when the lab goes away."""
    folder = Path(path).parent
    children = []
    gc.freeze()
    for spec in json.loads(Path(path).read_text()):
        child = os.fork()
        if child == 0:
            os.close(0)
            code = 1
            try:
                be_a_pc(spec, folder)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    print("ready", flush=True)
    sys.stdin.read()
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1])
