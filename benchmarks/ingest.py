"""`scripts/bench ingest`: what storing one message costs, against what InfluxDB itself costs in the same run.

One message = one envelope with one point of 12 fields at QoS 1, never batched by the sender, from 1,000 devices.
Prints a table and one JSON object: cpu_ratio = the collector's whole processor time a point (commit, acknowledgement
and receipt included) over influxd's for a ready-made line (goal 0.75 at most); drain_ratio = points a second while a
queued backlog drains, broker and store on the same two cores, over influxd's write-only ceiling (goal 0.6 at least).
cpu_ratio_beside has influxd's cost in the drain below it: a processor that others use serves both equally badly.

`--city` sends 2,083 messages a second over 10,000 connections for `--seconds` (600): city_lag_s_p99 (goal 2),
city_collector_cores (goal 0.25 on InfluxDB, 0.5 on SQLite), city_rss_growth_mib. `--backfill` lets `--devices` (5,000)
come back with `--hours` (24) each while that rate goes on: live_lag_s_p99 (goal 5), backfill_ratio = the time that it
took over the ceiling's own time for as many points. `--quick` takes a tenth.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from benchmarks import _ingest_backlog, _ingest_city
from benchmarks._arguments import Arguments
from benchmarks._influxd import Influxd
from phongmay_contract.errors import OperatorError

COUNT, DEVICES = 100_000, 1_000
STORES = ("influx", "sqlite")


def run(arguments: list[str]) -> None:
    """Run the parts that were asked for."""
    parser = Arguments("ingest", __doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages")
    parser.add_argument("--store", choices=STORES, default=STORES[0], help="engine of the series")
    parser.add_argument("--devices", type=int, help="senders of the backlog (1000), or devices that come back (5000)")
    parser.add_argument("--city", action="store_true", help="a city's rate")
    parser.add_argument("--backfill", action="store_true", help="devices come back while a city's rate goes on")
    parser.add_argument("--seconds", type=float, default=600, help="of --city, and at most of --backfill")
    parser.add_argument("--hours", type=float, default=24, help="of the past, of --backfill")
    args = parser.parse_args(arguments)
    share = 10 if args.quick else 1
    for program, package in (("mosquitto", "mosquitto"), ("influxd", "influxdb")):
        if shutil.which(program) is None:
            raise OperatorError(f"{program} is needed: apt install {package}")
    if args.city:
        figures = _city(args.seconds / share, args.store)
    elif args.backfill:
        figures = _backfill((args.devices or 5000) // share, args.hours, args.seconds, args.store)
    else:
        figures = _backlog(COUNT // share, args.devices or DEVICES, args.store)
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
    beside = found.store_cpu_s / count * 1e6
    figures = {
        "cpu_ratio": (ours / theirs, f"collector {ours:.1f} us a point, influxd {theirs:.1f}; goal 0.75 at most"),
        "drain_ratio": (rate / most, f"{rate:.0f} points/s drained, ceiling {most:.0f}; goal 0.6 at least"),
        "collector_cpu_us_per_point": (ours, f"{count} points of 12 fields of {devices} devices, {store}"),
        "broker_cpu_us_per_point": (found.broker_cpu_s / count * 1e6, "Mosquitto while the backlog drains"),
        "store_cpu_us_per_point": (beside, "influxd while the backlog drains"),
        "influxd_cpu_us_per_point": (theirs, "the ceiling: lines that are ready, in blocks of 5,000"),
    }
    if beside:
        figures["cpu_ratio_beside"] = (ours / beside, "no goal: collector over influxd while both work on the backlog")
    return figures


def _city(seconds: float, store: str) -> dict[str, tuple[float, str]]:
    with tempfile.TemporaryDirectory(prefix="phongmay-bench-") as name:
        influxd = Influxd(Path(name)) if store == "influx" else None
        try:
            found = _ingest_city.steady(Path(name), seconds, influxd.settings() if influxd else "")
        finally:
            if influxd is not None:
                influxd.stop()
    goal = 0.25 if influxd is not None else 0.5
    late = f"generator itself late by {found.late_p99_s:.3f} s"
    return {
        "city_lag_s_p99": (found.lag_p99_s, f"sending to receipt of {found.sent} messages; {late}; goal 2"),
        "city_collector_cores": (found.cores, f"{_ingest_city.RATE:.0f} messages/s, {store}; goal {goal} at most"),
        "city_rss_growth_mib": (
            sum(found.rss_growths_mib),
            f"after a quarter of the time, by quarters {', '.join(f'{one:+.1f}' for one in found.rss_growths_mib)}; "
            f"{found.rss_mib:.0f} MiB in all",
        ),
    }


def _backfill(devices: int, hours: float, patience_s: float, store: str) -> dict[str, tuple[float, str]]:
    with tempfile.TemporaryDirectory(prefix="phongmay-bench-") as name:
        influxd = Influxd(Path(name))
        try:
            top = _ingest_backlog.ceiling(influxd, COUNT // 2, DEVICES)
            settings = influxd.settings() if store == "influx" else ""
            found = _ingest_city.come_back(Path(name), devices, hours, patience_s, settings)
        finally:
            influxd.stop()
    stored = found.envelopes - found.left
    ceiling_s = stored * top.wall_s / (COUNT // 2)
    late = f"generator itself late by {found.late_p99_s:.3f} s"
    return {
        "live_lag_s_p99": (found.lag_p99_s, f"sending to receipt, live, beside the backfill; {late}; goal 5"),
        "backfill_ratio": (
            found.wall_s / ceiling_s,
            f"{stored} of {found.envelopes} of the past in {found.wall_s:.0f} s; the ceiling alone: {ceiling_s:.0f} s",
        ),
    }  # fmt: skip
