"""A queued backlog through the real collector: its processor time a point, and how fast it drains.

The collector is stopped (SIGSTOP) while Mosquitto fills its queue, then let go; the end is the last receipt, so that
commit, acknowledgement and receipt are in the figure. Reference of the same run: influxd alone, given equal points as
lines that are ready, in blocks of 5,000.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks._influxd import Cost, Influxd, cpu_s
from benchmarks._server import Served
from phongmay_simulate.load import POINT, Load

BLOCK = 5_000
PATIENCE_S = 100.0


class Drained(NamedTuple):
    """What the backlog took: the collector's cost, and the broker's and the store's processor seconds meanwhile."""

    collector: Cost
    broker_cpu_s: float
    store_cpu_s: float


def ceiling(influxd: Influxd, count: int, devices: int) -> Cost:
    """Write equal points straight into influxd; the first block makes the series and is not counted."""
    start = int(time.time()) - count
    cells = ",".join(
        f'{name}="{value}"' if isinstance(value, str) else f"{name}={value}" for name, value in POINT.values.items()
    )
    lines = [
        f"{POINT.measurement},device=pc-ceiling{number % devices:06d} {cells},"
        f'source_run="0123456789abcdef",source_seq={number}i {start + number}000000000'
        for number in range(-BLOCK, count)
    ]
    blocks = ["\n".join(lines[at : at + BLOCK]).encode() for at in range(0, len(lines), BLOCK)]
    influxd.write_all(blocks[:1])
    return influxd.write_all(blocks[1:])


def drain(folder: Path, count: int, devices: int, store: str, influxd: Influxd | None = None) -> Drained:
    """Queue `count` messages for a collector with this [store], and let it go."""
    with Served(folder, devices, store) as served:
        load = Load(served.identities)
        try:
            load.open()
            load.greet()
            pid = served.collector_pid
            os.kill(pid, signal.SIGSTOP)
            load.burst(count)
            before, start = [cpu_s(one) for one in _pids(served, influxd)], time.monotonic()
            os.kill(pid, signal.SIGCONT)
            load.drain(PATIENCE_S)
            wall = time.monotonic() - start
            used = [cpu_s(one) - had for one, had in zip(_pids(served, influxd), before, strict=True)]
        finally:
            load.close()
    return Drained(Cost(wall, used[0]), used[1], sum(used[2:]))


def _pids(served: Served, influxd: Influxd | None) -> list[int]:
    return [served.collector_pid, served.broker_pid, *([influxd.pid] if influxd is not None else [])]
