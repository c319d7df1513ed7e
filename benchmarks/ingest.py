"""`scripts/bench ingest`: what storing one message costs, against what InfluxDB itself costs in the same run.

One message = one envelope with one point of 12 fields at QoS 1, never batched by the sender, from 1,000 devices.
Prints a table and one JSON object: cpu_ratio = the collector's whole processor time a point (commit, acknowledgement
and receipt included) over influxd's for a ready-made line (goal 0.75 at most); drain_ratio = points a second while a
queued backlog drains, broker and store on the same two cores, over influxd's write-only ceiling (goal 0.6 at least).
`--quick` takes a tenth, to try the benchmark itself.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from benchmarks import _ingest_backlog
from benchmarks._influxd import Influxd
from phongmay_contract.errors import OperatorError

COUNT, DEVICES = 100_000, 1_000
STORES = ("influx", "sqlite")


def run(arguments: list[str]) -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(prog="bench ingest")
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages")
    parser.add_argument("--store", choices=STORES, default=STORES[0], help="engine of the series")
    parser.add_argument("--devices", type=int, default=DEVICES, help="senders of the backlog (default: %(default)s)")
    args = parser.parse_args(arguments)
    for program, package in (("mosquitto", "mosquitto"), ("influxd", "influxdb")):
        if shutil.which(program) is None:
            raise OperatorError(f"{program} is needed: apt install {package}")
    figures = _backlog(COUNT // 10 if args.quick else COUNT, args.devices, args.store)
    print(f"{'figure':<32}{'value':>12}   what it stands against")
    for key, (value, reference) in figures.items():
        print(f"{key:<32}{value:>12.3f}   {reference}")
    print(json.dumps({key: round(value, 3) for key, (value, _) in figures.items()}))


def _backlog(count: int, devices: int, store: str) -> dict[str, tuple[float, str]]:
    with tempfile.TemporaryDirectory(prefix="phongmay-bench-") as name:
        folder = Path(name)
        influxd = Influxd(folder)
        try:
            top = _ingest_backlog.ceiling(influxd, count, devices)
            if store == "influx":
                found = _ingest_backlog.drain(folder, count, devices, influxd.settings(), influxd)
            else:
                found = _ingest_backlog.drain(folder, count, devices, "")
        finally:
            influxd.stop()
    ours, theirs = found.collector.cpu_s / count * 1e6, top.cpu_s / count * 1e6
    rate, most = count / found.collector.wall_s, count / top.wall_s
    return {
        "cpu_ratio": (ours / theirs, f"collector {ours:.1f} us a point, influxd {theirs:.1f}; goal 0.75 at most"),
        "drain_ratio": (rate / most, f"{rate:.0f} points/s drained, ceiling {most:.0f}; goal 0.6 at least"),
        "collector_cpu_us_per_point": (ours, f"{count} points of 12 fields of {devices} devices, {store}"),
        "broker_cpu_us_per_point": (found.broker_cpu_s / count * 1e6, "Mosquitto while the backlog drains"),
        "store_cpu_us_per_point": (found.store_cpu_s / count * 1e6, "influxd while the backlog drains"),
        "influxd_cpu_us_per_point": (theirs, "the ceiling: lines that are ready, in blocks of 5,000"),
    }
