"""Fills a series store for `bench store`, past its own way in: 14 million rows through the collector would take hours.

In: settings of an empty store and what is to lie in it. Out: rows, newest rows, hours and minute masks as the program
itself would have left them; SQLite by statements into its files, InfluxDB by its lines.
"""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from phongmay_store.register.engine import migrate, open_register
from phongmay_store.series import open_writer
from phongmay_store.series.database import RegisterDatabase
from phongmay_store.series.influx_server import InfluxServer
from phongmay_store.series.influx_setup import set_up
from phongmay_store.series.sqlite import SqliteSeries, days_folder
from phongmay_store.series.sqlite_days import DayFiles
from phongmay_store.settings import INFLUX, InfluxSettings, StoreSettings

DAY, HOUR = 86400, 3600
OPEN_HOURS = 10
"""Of a day, from 00:00 UTC = 07:00 in Viet Nam."""
_ALL = (1 << 60) - 1


class Filling:
    """What lies in a store: whole days before today, so that nothing depends on the hour of the day."""

    def __init__(self, devices: int, now: float, every_s: int = 60) -> None:
        self.devices, self.now, self.every_s = devices, now, every_s
        self.names = [f"pc-{number:05d}" for number in range(devices)]
        today = int(now // DAY)
        self.raw_days = [today - 2, today - 1]
        self.hours = [
            day * DAY + hour * HOUR for day in range(today - 30, today) for hour in range(OPEN_HOURS)
        ]  # fmt: skip
        self.recent = [int(now // HOUR) * HOUR - HOUR, int(now // HOUR) * HOUR]
        self.newest = self.raw_days[-1] * DAY + OPEN_HOURS * HOUR - every_s
        self.rounds = devices * len(self.raw_days) * OPEN_HOURS * HOUR // every_s


def fill_sqlite(settings: StoreSettings, filling: Filling) -> float:
    """Fill the files; gives the seconds that it took."""
    start = time.monotonic()
    open_writer(settings).close()
    days = DayFiles(days_folder(settings.series_path), reading=False)
    names = json.dumps(filling.names)
    for day in filling.raw_days:
        _fill_day(days.file(day), day, names, filling)
    with closing(sqlite3.connect(settings.series_path)) as main:
        main.execute("ATTACH ? AS day", (str(days.path(filling.raw_days[-1])),))
        main.execute(
            "INSERT INTO l_usage SELECT m.* FROM json_each(?) AS d JOIN day.m_usage AS m "
            "ON m.device = d.value AND m.part = '' AND m.at = ?",
            (names, filling.newest),
        )
        hours = json.dumps(filling.hours)
        main.execute(
            "INSERT INTO h_usage (device, part, hour, cpu_busy_ratio_samples, cpu_busy_ratio_low, cpu_busy_ratio_high, "
            "cpu_busy_ratio_mean) SELECT d.value, '', h.value, 60, 0.0, 1.0, 0.25 "
            "FROM json_each(?) AS d CROSS JOIN json_each(?) AS h",
            (names, hours),
        )
        main.execute(
            "INSERT INTO series_minutes SELECT d.value, h.value, ?, ?, 0 "
            "FROM json_each(?) AS d CROSS JOIN json_each(?) AS h",
            (_ALL, _ALL, names, hours),
        )
        main.commit()
    days.close()
    with closing(SqliteSeries.open(settings.series_path)) as series:
        while series.maintain(filling.now):  # packs the masks of past hours
            pass
    with closing(sqlite3.connect(settings.series_path)) as main:  # the present hour and the one before stay in rows
        main.execute(
            "INSERT INTO series_minutes SELECT d.value, h.value, ?, ?, 0 "
            "FROM json_each(?) AS d CROSS JOIN json_each(?) AS h",
            (_ALL, _ALL, names, json.dumps(filling.recent)),
        )
        main.commit()
    return time.monotonic() - start


def _fill_day(connection: sqlite3.Connection, day: int, names: str, filling: Filling) -> None:
    times = json.dumps([day * DAY + at for at in range(0, OPEN_HOURS * HOUR, filling.every_s)])
    connection.execute(
        "INSERT INTO m_usage (device, part, at, basis, sender, run, seq, cpu_busy_ratio, memory_available_bytes, "
        "memory_used_bytes, swap_used_bytes, system_volume_bytes, system_volume_free_bytes, disk_read_bytes, "
        "disk_written_bytes) SELECT d.value, '', t.value, 'live', d.value, '00112233445566aa', t.key, 0.25, "
        "4294967296, 2147483648 + t.key, 0, 240057409536, 120057409536, 1000000 * t.key, 2000000 * t.key "
        "FROM json_each(?) AS d CROSS JOIN json_each(?) AS t",
        (names, times),
    )
    connection.commit()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def influxd(folder: Path) -> Iterator[tuple[StoreSettings, int]]:
    """Run an influxd of its own, set up for a store; gives the store's settings and influxd's process number."""
    port = _free_port()
    config = folder / "influxdb.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{_free_port()}"\n[meta]\ndir = "{folder}/meta"\n'
        f'[data]\ndir = "{folder}/data"\nwal-dir = "{folder}/wal"\nindex-version = "tsi1"\n'
        f'[http]\nbind-address = "127.0.0.1:{port}"\nlog-enabled = false\n[monitor]\nstore-enabled = false\n',
        "utf-8",
    )
    with (folder / "influxd.log").open("wb") as log:
        process = subprocess.Popen(["influxd", "-config", str(config)], stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(1800):  # a filled one first reads what it had not yet packed
            try:
                urlopen(f"{url}/ping", timeout=2).close()
                break
            except (URLError, OSError):
                time.sleep(0.05)
        settings = StoreSettings(
            register_url=f"sqlite:///{folder}/register.db",
            series=INFLUX,
            influx=InfluxSettings(version="1", url=url, timeout_s=60.0),
        )
        migrate(open_register(settings.register_url))
        set_up(settings)
        yield settings, process.pid
    finally:
        process.kill()
        process.wait()


def fill_influx(settings: StoreSettings, filling: Filling, progress: Path) -> float:
    """Fill both databases; gives the seconds that it took.

    What is interrupted goes on at the block whose number stands in `progress`; one that comes again changes nothing.
    """
    start = time.monotonic()
    done = int(progress.read_text("ascii")) if progress.exists() else 0
    kept, raw = settings.influx.database, f"{settings.influx.database}_raw"
    with closing(InfluxServer(settings.influx)) as server:
        for number, (is_round, block) in enumerate(_blocks(filling)):
            if number >= done:
                server.write(raw if is_round else kept, [block().encode()])
                progress.write_text(str(number + 1), "ascii")
    _fill_state(settings, filling)
    with closing(open_writer(settings)) as series:
        while series.maintain(filling.now):  # packs the masks of past weeks
            pass
    return time.monotonic() - start


def _fill_state(settings: StoreSettings, filling: Filling) -> None:
    """Put into the register what it has besides the server: masks of the last two days, of which two hours are open."""
    finished = [hour for hour in filling.hours if hour >= filling.raw_days[0] * DAY]
    hours = [(hour, 1, int(hour not in filling.recent), hour + HOUR) for hour in (*finished, *filling.recent)]
    database = RegisterDatabase(open_register(settings.register_url))
    with database.writing() as writing:
        writing.one("DELETE FROM series_minutes")
        writing.one("DELETE FROM series_hour")
        writing.many("INSERT INTO series_hour (hour, changed, rolled, touched) VALUES (?, ?, ?, ?)", hours)
        writing.many(
            "INSERT INTO series_minutes (device, hour, seen, reachable, unreachable) VALUES (?, ?, ?, ?, ?)",
            [(name, hour, _ALL, _ALL, 0) for name in filling.names for hour, *_ in hours],
        )


def _blocks(filling: Filling) -> Iterator[tuple[bool, Callable[[], str]]]:
    """Give what is to be written, block by block: whether it is of rounds, and its lines."""
    for hour in filling.hours:
        yield False, partial(_hour_lines, filling, hour)
    for day in filling.raw_days:
        for second in range(0, OPEN_HOURS * HOUR, filling.every_s):
            yield True, partial(_round_lines, filling, day, second)


def _hour_lines(filling: Filling, hour: int) -> str:
    hourly = "cpu_busy_ratio_samples=60i,cpu_busy_ratio_low=0.0,cpu_busy_ratio_high=1.0,cpu_busy_ratio_mean=0.25"
    masks = (
        f"seen={_ALL}i,seen_minutes=60i,reachable={_ALL}i,reachable_minutes=60i,unreachable=0i,unreachable_minutes=0i"
    )
    at = f"{hour}000000000"
    lines = [f"hourly_usage,device={name} {hourly} {at}" for name in filling.names]
    return "\n".join([*lines, *(f"minutes,device={name} {masks} {at}" for name in filling.names)])


def _round_lines(filling: Filling, day: int, second: int) -> str:
    fields = (
        f"cpu_busy_ratio=0.25,memory_available_bytes=4294967296i,memory_used_bytes={2**31 + second}i,"
        f"swap_used_bytes=0i,system_volume_bytes=240057409536i,system_volume_free_bytes=120057409536i,"
        f"disk_read_bytes={second}i,disk_written_bytes={second}i,"
        f'source_run="00112233445566aa",source_seq={second}i {day * DAY + second}000000000'
    )
    return "\n".join(f"usage,device={name} {fields}" for name in filling.names)
