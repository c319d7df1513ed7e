"""`scripts/bench store`: what it costs to ask the series: newest values, hours of a school, minutes in lessons.

5,000 PCs: rounds of two days (ten hours a day, one a minute; `--every` takes another pace) and 30 days of roll-ups and
minute masks, on SQLite or (`--store influx`) on an influxd of its own. Each question is asked five times by a process
that does not write, one behind the other; printed are the medians of wall time and of that process's processor time (on
SQLite that is all of it, and a busy machine makes only the former longer), the first and the slowest. On SQLite the
reference is a bare SELECT of the same newest rows. `--folder` keeps the filled store: the next call there asks at once,
since filling takes its minutes, and on InfluxDB goes on where a call was interrupted. `--quick` takes 500 PCs. The last
line is JSON.
"""

from __future__ import annotations

import argparse
import json
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks._arguments import Arguments
from benchmarks._store_filling import Filling, fill_influx, fill_sqlite, influxd
from phongmay_contract.errors import OperatorError
from phongmay_store.series import open_reader
from phongmay_store.series.interface import SeriesReader
from phongmay_store.settings import StoreSettings

DEVICES, QUICK = 5000, 500
SCHOOL = 45
_TIMES = 5
_WHOLE = (1 << 60) - 1
_LESSONS = {0: _WHOLE ^ (1 << 15) - 1, 1: _WHOLE, 2: _WHOLE, 3: _WHOLE, 4: (1 << 30) - 1}
"""Minutes of the UTC hours 0 to 4: a morning of lessons from 07:15 to 11:30 in Viet Nam."""
_ENGINES = ("sqlite", "influx")
Cost = tuple[float, float]
"""Wall seconds and processor seconds of the asking process."""


def run(arguments: list[str]) -> None:
    """Measure and print."""
    parser = Arguments("store", __doc__)
    parser.add_argument("--store", choices=_ENGINES, default=_ENGINES[0], help="engine (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} PCs instead of {DEVICES}")
    parser.add_argument("--every", type=int, default=60, help="seconds between rounds (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="keep the filled store there, and ask one that is there already")
    args = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a time limit must not leave an influxd behind
    with ExitStack() as stack:
        folder = args.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="phongmay-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        if args.store == "influx":
            settings, _ = stack.enter_context(influxd(folder))
        else:
            settings = StoreSettings(series_path=folder / "series.db")
        filling, about = _filled(folder, settings, args)
        with ProcessPoolExecutor(1, get_context("spawn")) as asker:
            figures = asker.submit(_ask, settings, filling).result()
        if args.store == "sqlite":
            figures |= _bare(settings, filling)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{args.store}, {about}; {size / 2**20:,.0f} MiB")
    print(f"{'figure':<16}{'median':>9}{'cpu':>9}{'first':>9}{'slowest':>9}   about")
    result: dict[str, object] = {"store": args.store, "rounds": filling.rounds}
    for key, (times, words) in figures.items():
        walls, cpus = zip(*times, strict=True)
        cells = (statistics.median(walls), statistics.median(cpus), walls[0], max(walls))
        print(f"{key:<16}{''.join(f'{1e3 * cell:>9.1f}' for cell in cells)}   {words}")
        result |= {f"{key}_ms": round(1e3 * cells[0], 1), f"{key}_cpu_ms": round(1e3 * cells[1], 1)}
    print(json.dumps(result))


def _filled(folder: Path, settings: StoreSettings, args: argparse.Namespace) -> tuple[Filling, str]:
    """Fill the store, or find it filled by an earlier call; gives what lies in it, and words about it."""
    note = folder / "filled.json"
    wanted = {"store": args.store, "devices": QUICK if args.quick else DEVICES, "every_s": args.every}
    if note.exists():
        found = json.loads(note.read_text("utf-8"))
        if any(found.get(key) != value for key, value in wanted.items()):
            raise OperatorError(f"--folder {folder} holds {found}, not {wanted}; give another one")
        filling = Filling(found["devices"], found["now"], found["every_s"])
        if found["is_full"]:
            return filling, f"{filling.rounds:,} rounds, filled before"
    else:
        filling = Filling(wanted["devices"], time.time(), args.every)
    if args.store == "influx":
        note.write_text(json.dumps({**wanted, "now": filling.now, "is_full": False}), "utf-8")
        took = fill_influx(settings, filling, folder / "progress")
    else:
        took = fill_sqlite(settings, filling)
    note.write_text(json.dumps({**wanted, "now": filling.now, "is_full": True}), "utf-8")
    return filling, f"{filling.rounds:,} rounds, filled in {took:.0f} s"


def _bare(settings: StoreSettings, filling: Filling) -> dict[str, tuple[list[Cost], str]]:
    """Give what the newest rows cost without us."""
    with closing(sqlite3.connect(settings.series_path)) as connection:

        def select(_: object) -> None:
            rows = connection.execute("SELECT * FROM l_usage ORDER BY device, part").fetchall()
            assert len(rows) == filling.devices

        return {"bare_select": (_times(select, None), "the same newest rows by a bare SELECT")}


def _ask(settings: StoreSettings, filling: Filling) -> dict[str, tuple[list[Cost], str]]:
    """Ask three questions, hold the answers against what was filled in, and give the seconds of each time."""
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
            "q_last": (_times(last, reader), f"newest row of each of {filling.devices} devices"),
            "q_hourly": (_times(hourly, reader), f"hourly mean of {len(school)} PCs over 30 days"),
            "q_avail": (_times(available, reader), "minutes in lessons of each device over 30 days"),
        }


def _times(question: Callable[[Any], None], reader: SeriesReader | None) -> list[Cost]:
    times = []
    for _ in range(_TIMES):
        cpu, start = time.process_time(), time.perf_counter()
        question(reader)
        times.append((time.perf_counter() - start, time.process_time() - cpu))
    return times
