"""`scripts/bench feed`: what `phongmay dashboards feed` costs each time that it writes the status series.

5,000 PCs in 200 schools on a real InfluxDB 1.6 (influxd), judged by all packs, with inventories, rounds, presence and a
day of minute masks. Measured is the loop's own turn: it opens the stores, reads, counts, writes. Reference: influxd's
processor time for the same number of ready lines. `--quick` takes 500 PCs.
"""

from __future__ import annotations

import json
import resource
import statistics
import tempfile
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import sessionmaker

from benchmarks._arguments import Arguments
from benchmarks._district import SINCE, Size, device_ids, fill_register, write_first
from benchmarks._influxd import cpu_s
from benchmarks._store_filling import influxd
from phongmay.feeding_loop import FeedingLoop
from phongmay.settings import ServerSettings
from phongmay_rules.engine import Engine as RulesEngine
from phongmay_rules.loader import load_packs
from phongmay_store.register.engine import open_register
from phongmay_store.series import open_reader, open_writer
from phongmay_store.series.influx_server import InfluxServer
from phongmay_store.settings import StoreSettings

DISTRICT, QUICK = Size(200, 25), Size(20, 25)
_TIMES = 5
_HOUR = 3600
_WHOLE = (1 << 60) - 1


def run(arguments: list[str]) -> None:
    """Measure and print."""
    parser = Arguments("feed", __doc__)
    parser.add_argument("--quick", action="store_true", help="500 PCs in 20 schools")
    size = QUICK if parser.parse_args(arguments).quick else DISTRICT
    with tempfile.TemporaryDirectory(prefix="phongmay-bench-") as name, influxd(Path(name)) as (store, pid):
        settings = ServerSettings(store=store)
        _fill(settings, size)
        loop = FeedingLoop(settings, threading.Event())
        loop.once()  # what is loaded once is no cost of a turn
        own, theirs, wall = [], [], []
        for _ in range(_TIMES):
            cpu, influx, start = time.process_time(), cpu_s(pid), time.perf_counter()
            fed = loop.once()
            wall.append(time.perf_counter() - start)
            own.append(time.process_time() - cpu)
            theirs.append(cpu_s(pid) - influx)
        at = int(time.time())
        with closing(InfluxServer(store.influx)) as server:
            server.write(f"{store.influx.database}_raw", _ready(fed.points, at))  # which begins the series
            lines, cpu = _ready(fed.points, at + 60), cpu_s(pid)
            server.write(f"{store.influx.database}_raw", lines)
            bare = max(cpu_s(pid) - cpu, 0.01)
    median = statistics.median
    interval = settings.dashboards.interval_s
    figures = {
        "feed_cpu_s": (median(own), f"own processor time of a turn; slowest {max(own):.2f}"),
        "feed_influxd_cpu_s": (median(theirs), f"influxd's of a turn, {median(theirs) / bare:.1f} x that of its lines"),
        "feed_wall_s": (median(wall), f"with everything on this machine; slowest {max(wall):.2f}"),
        "feed_core_share": (median(own) / interval, f"of one core, at one turn in {interval:g} s"),
        "feed_points": (fed.points, f"points a turn about {fed.devices} PCs in {fed.schools} schools"),
        "feed_bare_cpu_s": (bare, "influxd's for as many ready lines"),
        "feed_peak_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "memory, filling included"),
    }
    print(f"{'figure':<24}{'value':>10}   about")
    for key, (value, about) in figures.items():
        print(f"{key:<24}{value:>10.3f}   {about}")
    print(json.dumps({key: round(value, 3) for key, (value, _) in figures.items()}))


def _fill(settings: ServerSettings, size: Size) -> None:
    """Lay the district out, and judge it once."""
    store, now = settings.store, datetime.now(UTC).replace(microsecond=0)
    fill_register(store.register_url, size, now - SINCE)
    at = now.timestamp()
    with closing(open_writer(store)) as writer:
        write_first(writer, size, at)
        writer.listened(at - 60 * minute for minute in range(24 * 60))
    _fill_minutes(store, device_ids(size), int(at // _HOUR) * _HOUR)
    engine = open_register(store.register_url)
    rules = RulesEngine(
        sessionmaker(engine, expire_on_commit=False), load_packs(settings.rules.packs), interval_s=600.0
    )
    with closing(open_reader(store)) as series:
        rules.evaluate(series)
    engine.dispose()


def _fill_minutes(store: StoreSettings, devices: list[str], end: int) -> None:
    masks = f"seen={_WHOLE}i,seen_minutes=60i,reachable={_WHOLE}i,reachable_minutes=60i"
    masks += ",unreachable=0i,unreachable_minutes=0i"
    with closing(InfluxServer(store.influx)) as server:
        for hour in range(end - 24 * _HOUR, end, _HOUR):
            server.write(
                store.influx.database, [f"minutes,device={name} {masks} {hour}000000000".encode() for name in devices]
            )


def _ready(count: int, at: int) -> list[bytes]:
    """Make lines like those of devices."""
    texts = (
        f"device_status,school=s-{number // 25},room=r-{number // 25},device=pc-{number},label=pc-{number} "
        f'choice="pc-{number}|pc-{number}",kind="pc",condition="online",last_seen_s={at}.0,silent_s=0.0,'
        f"identity_conflict=0i,clock_doubtful=0i,memory_bytes=8589934592i,disk_free_ratio=0.5,spool_envelopes=0i,"
        f"lesson_expected_minutes=600i,lesson_known_minutes=600i,lesson_seen_minutes=600i,lesson_seen_ratio=1.0 "
        f"{at}000000000"
        for number in range(count)
    )
    return [text.encode() for text in texts]
