"""A city's rate, and a district that comes back with its past, through the real broker and collector.

In: seconds, devices, an engine of the series. Out: lag from sending to receipt, the collector's share of a core, how
its memory grew. The generator says how late it was itself: beyond the lag, the figures are the machine's and not ours.
"""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks._influxd import cpu_s
from benchmarks._server import Served
from phongmay_contract.units import MIB
from phongmay_simulate.load import Load, percentile

RATE = 125_000 / 60
CONNECTIONS = 10_000
_SETTLED = 0.25
"""Share of the time after which memory should no longer grow."""
_QUARTERS = 3
"""Pieces of the rest, between which memory is looked at: a leak goes on, a cache that fills does not."""
_SLICE_S = 5.0


class City(NamedTuple):
    """What a steady rate took."""

    lag_p99_s: float
    late_p99_s: float
    cores: float
    rss_growths_mib: list[float]
    rss_mib: float
    sent: int


class Past(NamedTuple):
    """What a backfill took beside the live rate."""

    lag_p99_s: float
    late_p99_s: float
    wall_s: float
    envelopes: int
    left: int


def steady(folder: Path, seconds: float, store: str, connections: int = CONNECTIONS, rate: float = RATE) -> City:
    """Send at a city's rate for so long."""
    with Served(folder, connections, store) as served:
        load = Load(served.identities)
        try:
            load.open()
            load.greet()
            process = psutil.Process(served.collector_pid)
            sent = load.steady(rate, seconds * _SETTLED)
            memory, cpu, start = [process.memory_info().rss], cpu_s(process.pid), time.monotonic()
            for _ in range(_QUARTERS):
                sent += load.steady(rate, seconds * (1 - _SETTLED) / _QUARTERS)
                memory.append(process.memory_info().rss)
            wall, used = time.monotonic() - start, cpu_s(process.pid) - cpu
            load.drain(60.0)
            growths = [(after - before) / MIB for before, after in pairwise(memory)]
            return City(
                percentile(load.lags, 0.99), percentile(load.late, 0.99), used / wall, growths, memory[-1] / MIB, sent
            )  # fmt: skip
        finally:
            load.close()


def come_back(folder: Path, devices: int, hours: float, patience_s: float, store: str) -> Past:
    """Let devices send their past while the live rate of all connections goes on."""
    with Served(folder, CONNECTIONS, store) as served:
        load = Load(served.identities)
        try:
            load.open()
            load.greet()
            start = time.monotonic()
            load.come_back(devices, hours)
            envelopes = devices * int(hours * 60)
            while load.past_left and time.monotonic() - start < patience_s:
                load.steady(RATE, _SLICE_S)
            wall, left = time.monotonic() - start, load.past_left
            return Past(percentile(load.lags, 0.99), percentile(load.late, 0.99), wall, envelopes, left)
        finally:
            load.close()
