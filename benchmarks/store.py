"""`scripts/bench store [--quick]`: what it costs to ask the series: newest values, hours of a school, availability.

5,000 PCs: rounds of two days (ten hours a day) and 30 days of roll-ups and minute masks, on SQLite with one round a
minute, and on InfluxDB 1.6 (where influxd is installed) with one in ten minutes, since its filling takes its time.
Asked in a process of its own, five times; printed is the median. Reference: the same SQLite rows by a bare SELECT.
`--quick` takes 500 PCs.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks._arguments import Arguments
from benchmarks._store_filling import Filling, fill_influx, fill_sqlite, influxd
from phongmay_store.series import open_reader
from phongmay_store.series.interface import SeriesReader
from phongmay_store.settings import StoreSettings

DEVICES, QUICK = 5000, 500
SCHOOL = 45
_TIMES = 5
_WHOLE = (1 << 60) - 1
_LESSONS = {0: _WHOLE ^ (1 << 15) - 1, 1: _WHOLE, 2: _WHOLE, 3: _WHOLE, 4: (1 << 30) - 1}
"""Minutes of the UTC hours 0 to 4: a morning of lessons from 07:15 to 11:30 in Viet Nam."""


def run(arguments: list[str]) -> None:
    """Measure and print."""
    parser = Arguments("store", __doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} PCs")
    filling = Filling(QUICK if parser.parse_args(arguments).quick else DEVICES, time.time())
    figures: dict[str, tuple[float, str]] = {}
    with tempfile.TemporaryDirectory(prefix="phongmay-bench-") as name:
        settings = StoreSettings(series_path=Path(name) / "series.db")
        took = fill_sqlite(settings, filling)
        figures |= _ask(settings, filling, "", f"{filling.rounds:,} rounds, filled in {took:.0f} s")
        size = sum(path.stat().st_size for path in Path(name).rglob("*") if path.is_file())
        figures["sqlite_mib"] = (size / 2**20, "rounds of two days, hours and masks of 30")
    if shutil.which("influxd") is not None:
        with tempfile.TemporaryDirectory(prefix="phongmay-bench-") as name, influxd(Path(name)) as settings:
            sparse = Filling(filling.devices, filling.now, every_s=600)
            took = fill_influx(settings, sparse)
            figures |= _ask(settings, sparse, "influx_", f"{sparse.rounds:,} rounds, filled in {took:.0f} s")
    else:
        print("influxd is not installed (apt install influxdb): SQLite only", file=sys.stderr)
    print(f"{'figure':<24}{'value':>10}   about")
    for key, (value, about) in figures.items():
        print(f"{key:<24}{value:>10.1f}   {about}")
    print(json.dumps({key: round(value, 1) for key, (value, _) in figures.items()}))


def _ask(settings: StoreSettings, filling: Filling, prefix: str, about: str) -> dict[str, tuple[float, str]]:
    """Ask three questions, hold the answers against what was filled in, and give the times."""
    school = filling.names[:SCHOOL]
    wanted = {hour: _LESSONS[hour // 3600 % 24] for hour in filling.hours if hour // 3600 % 24 in _LESSONS}
    wanted |= dict.fromkeys(filling.recent, _WHOLE)
    minutes = sum(mask.bit_count() for mask in wanted.values())
    with closing(open_reader(settings)) as reader:

        def last(series: SeriesReader) -> None:
            rows = list(series.latest("usage"))
            assert len(rows) == filling.devices, len(rows)
            assert all(row.at >= filling.newest - 0.001 for row in rows)

        def hourly(series: SeriesReader) -> None:
            found = series.hourly("usage", "cpu_busy_ratio", filling.hours[0], filling.hours[-1] + 1, school)
            assert len(found) == len(filling.hours), len(found)
            assert all(hour.samples == len(school) * 60 for hour in found[:-20])

        def available(series: SeriesReader) -> None:
            counts = series.minutes_within(wanted)
            assert len(counts) == filling.devices, len(counts)
            assert all(count.seen == minutes for count in counts.values())

        return {
            f"{prefix}q_last_ms": (_median(last, reader), f"newest row of each of {filling.devices} devices; {about}"),
            f"{prefix}q_hourly_ms": (_median(hourly, reader), f"hourly mean of {len(school)} PCs over 30 days"),
            f"{prefix}q_avail_ms": (_median(available, reader), "minutes in lessons of each device over 30 days"),
        }


def _median(question: Callable[[Any], None], reader: SeriesReader) -> float:
    times = []
    for _ in range(_TIMES):
        start = time.perf_counter()
        question(reader)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)
