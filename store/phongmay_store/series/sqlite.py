"""The embedded series store: a main file and one file a day, one writer (the collector), any number of readers.

Arrivals go in, rows come out. WAL lets readers and the writer work at the same time; the writer syncs every commit,
because a receipt promises that a power cut loses nothing. Rows of days first, then, in one transaction of the main
file, what follows from them (ADR 8). Anything that SQLite refuses becomes a StoreError.
"""
# ruff: noqa: S608 - table and column names come from the catalogue, every value is bound

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from phongmay_contract.catalogue import MEASUREMENTS, Type
from phongmay_store.errors import StoreError
from phongmay_store.series import sqlite_blocks, sqlite_schema, sqlite_weeks
from phongmay_store.series.arrivals import Arrivals
from phongmay_store.series.database import SqliteFile, Writing
from phongmay_store.series.housekeeping import Housekeeping, raw_from
from phongmay_store.series.interface import (
    Arrival,
    DeadLetter,
    EnvelopeId,
    Hourly,
    MinuteCounts,
    Minutes,
    Presence,
    Reach,
    Row,
    RunOffset,
    Strips,
    TimeBasis,
)
from phongmay_store.series.quantities import is_raw, measurement_of, quantity_of
from phongmay_store.series.sqlite_days import PAGE_CACHE_KIB, DayFiles, insert, rows_of
from phongmay_store.series.sqlite_hours import SqliteHours, counted, rolled
from phongmay_store.series.sqlite_moving import is_old, move
from phongmay_store.series.state import HOUR_S, State
from phongmay_store.series.strips import hour_of, joined_strips, reach, strips_of

_KEYS = len(sqlite_schema.KEY_COLUMNS)
DEFAULT_RAW_DAYS = 14
_MAPPED_BYTES = 256 * 1024 * 1024
"""Of the main file, that a reader maps instead of copying: a month of minute masks in half the time."""


class SqliteSeries:
    """Series in SQLite files; see `interface` for what each method promises."""

    def __init__(self, connection: sqlite3.Connection, path: Path, raw_days: int, *, reading: bool) -> None:
        def complain(what: str, said: str) -> str:
            remedy = "; see that the disk has room and is not read-only" if what == "written" else ""
            return f"series store {path} cannot be {what}: {said}{remedy}"

        self._connection, self._path, self._raw_days = connection, path, raw_days
        self._main = SqliteFile(connection, complain)
        self._state = State(self._main)
        self._days = DayFiles(days_folder(path), reading=reading)
        self._housekeeping = Housekeeping(self._state, SqliteHours(self._main, self._days, raw_days), raw_days)
        self._known_columns: dict[tuple[int | None, str], list[str]] = {}

    @classmethod
    def open(cls, path: Path, raw_days: int = DEFAULT_RAW_DAYS) -> SqliteSeries:
        """Open the files for writing; makes directory, files and tables when they are missing.

        A store that an older program made is moved into its new form first.

        Raises:
            StoreError: it cannot be made or written, or is no series store.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=15, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA cache_size=-{PAGE_CACHE_KIB}")
            sqlite_schema.create_main(connection)
            if is_old(connection):
                days = DayFiles(days_folder(path), reading=False)
                move(connection, days)
                days.close()
            return cls(connection, path, raw_days, reading=False)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"store.series_path {path}: the series store cannot be opened for writing ({error}); "
                "give a file in a directory that this user may write"
            ) from error

    @classmethod
    def open_reader(cls, path: Path, raw_days: int = DEFAULT_RAW_DAYS) -> SqliteSeries:
        """Open existing files for reading only.

        Raises:
            StoreError: there is no such file, or it is no series store.
        """
        if not path.is_file():
            raise StoreError(
                f"store.series_path {path}: no such file; the collector makes it: start 'phongmay collector run' first"
            )
        try:
            uri = path.resolve().as_uri() + "?mode=ro"
            connection = sqlite3.connect(uri, uri=True, timeout=15, isolation_level=None, check_same_thread=False)
            connection.execute(f"PRAGMA mmap_size={_MAPPED_BYTES}")
            if not sqlite_schema.has_table(connection, "series_stored") or is_old(connection):
                raise StoreError(
                    f"store.series_path {path}: is no series store yet; start 'phongmay collector run' first"
                )
            return cls(connection, path, raw_days, reading=True)
        except sqlite3.Error as error:
            raise StoreError(f"store.series_path {path}: the series store cannot be read ({error})") from error

    def close(self) -> None:
        """Let go of the files."""
        self._days.close()
        self._connection.close()

    # ---- writing -----------------------------------------------------------------------------------------------------

    def known(self, ids: Iterable[EnvelopeId]) -> set[EnvelopeId]:
        """Tell which of these envelopes are stored already."""
        return self._state.known(ids)

    def settle(self, offsets: Sequence[RunOffset]) -> Sequence[RunOffset]:
        """Keep the offsets of runs that have none yet; give the offset that holds for each, in order."""
        return self._state.settle(offsets, time.time())

    def prepare(self, arrivals: Arrivals, again: Callable[[], Arrivals]) -> Arrivals:
        """Leave arrivals as they are: a row is made of the values themselves."""
        return arrivals

    def write(
        self,
        arrivals: Sequence[Arrival] | Arrivals,
        presence: Sequence[Presence] = (),
        dead: Sequence[DeadLetter] = (),
    ) -> None:
        """Write rows, then what follows from them; envelopes that are stored already change nothing.

        Raises:
            StoreError: nothing was promised; the same may be written again.
        """
        fresh = self._state.fresh(arrivals)
        kept, days = rows_of(fresh.arrivals, self._raw_days)
        for day, rows in sorted(days.items()):
            self._days.write(day, rows)
        with self._main.writing() as writing:
            for measurement, some in kept.items():
                insert(self._connection, measurement, some)
            for rows in (kept, *days.values()):
                for measurement, some in rows.items():
                    _keep_latest(writing, measurement, some)
            self._state.keep(writing, fresh, presence, dead)
        self._state.kept(fresh)

    def listened(self, times: Iterable[float]) -> None:
        """Keep that a collector could hear in the minutes of these true times."""
        self._state.listened(times)

    def maintain(self, now: float) -> bool:
        """Do one small piece of the housekeeping that is due."""
        return self._housekeeping.step(now)

    def offset(self, device: str, run: str) -> RunOffset | None:
        """Give the offset that was learnt for a run, if any."""
        return self._state.offset(device, run)

    # ---- reading rows ------------------------------------------------------------------------------------------------

    def latest(self, measurement: str, devices: Collection[str] | None = None) -> Iterator[Row]:
        """Give the newest row of each (device, part); one whose time is a guess only where there is no other."""
        name = sqlite_schema.latest_table(measurement_of(measurement).name)
        names = self._columns(None, name, measurement)
        where, values = self._chosen("device", devices)
        rows = self._main.rows(f"SELECT {_listed(names)} FROM {name}{where} ORDER BY device, part", values)
        return _made(measurement, names, rows)

    def newer(self, measurement: str, since: float) -> set[str]:
        """Give the devices whose newest row of a measurement is about a time after `since`."""
        name = sqlite_schema.latest_table(measurement_of(measurement).name)
        return {device for (device,) in self._main.rows(f"SELECT DISTINCT device FROM {name} WHERE at > ?", (since,))}

    def range(
        self,
        device: str,
        measurement: str,
        start: float,
        end: float,
        *,
        part: str | None = None,
        limit: int = 1000,
        after: tuple[float, str] | None = None,
    ) -> Sequence[Row]:
        """Give rows with start <= at < end in order of (at, part), at most `limit`, beginning behind `after`."""
        kind = measurement_of(measurement)
        parts = [part] if part is not None else self._parts(measurement, device)
        first = max(start, after[0]) if after else start
        found: list[Row] = []
        for day in self._days.days(first, end) if is_raw(kind) else [None]:
            if len(found) >= limit:
                break
            names = self._columns(day, sqlite_schema.table(measurement), measurement)
            sql = (  # parts are named one by one, so that the key (device, part, at) finds the times
                f"SELECT {_listed(names)} FROM {sqlite_schema.table(measurement)} WHERE device = ? "
                "AND part IN (SELECT value FROM json_each(?)) AND at >= ? AND at < ?"
            )
            values: list[Any] = [device, json.dumps(parts), first, end]
            if after is not None:
                sql += " AND (at, part) > (?, ?)"
                values += after
            sql, values = f"{sql} ORDER BY at, part LIMIT ?", [*values, limit - len(found)]
            rows = self._main.rows(sql, values) if day is None else self._days.rows(day, sql, values)
            found += _made(measurement, names, rows)
        return found

    def _parts(self, measurement: str, device: str) -> list[str]:
        sql = f"SELECT part FROM {sqlite_schema.latest_table(measurement)} WHERE device = ?"
        return [part for (part,) in self._main.rows(sql, (device,))]

    def hourly(
        self, measurement: str, quantity: str, start: float, end: float, devices: Collection[str] | None = None
    ) -> Sequence[Hourly]:
        """Give a gauge by the hour, over all parts of all these devices."""
        quantity_of(measurement, quantity)
        first, last = math.floor(start / HOUR_S) * HOUR_S, math.ceil(end / HOUR_S) * HOUR_S
        oldest = raw_from(time.time(), self._raw_days)
        changed = {hour for hour, _, _ in self._state.changed_hours(max(first, oldest), last)}
        where, values = self._chosen("l.device", devices)
        found = {
            hour.hour: hour
            for hour in rolled(self._main, measurement, quantity, first, last, where, values)
            if hour.hour not in changed
        }
        if changed:
            keys = self._main.rows(
                f"SELECT device, part FROM {sqlite_schema.latest_table(measurement)} AS l{where}", values
            )
            for hour in changed:
                one = counted(self._days, measurement, quantity, hour, keys)
                if one is not None:
                    found[hour] = one
        return [found[hour] for hour in sorted(found)]

    def minutes(self, start: float, end: float, devices: Collection[str] | None = None) -> Iterator[Minutes]:
        """Give the minute masks of every hour that touches [start, end): of weeks, and of the last days."""
        days = self._state.minutes(start, end, devices)  # first: an hour that is packed meanwhile is then found twice
        weeks = list(sqlite_weeks.minutes(self._main, start, end, devices))
        return sqlite_weeks.joined(weeks, days) if weeks else days

    def seen(self, start: float, end: float, devices: Collection[str] | None = None) -> Mapping[str, int]:
        """Give the minutes of [start, end), two whole UTC hours, in which each device measured a round: as `strips`."""
        days = self._state.seen(start, end, devices)  # first, as in `minutes`
        for device, minutes in sqlite_weeks.seen(self._main, start, end, devices).items():
            days[device] = days.get(device, 0) | minutes
        return days

    def strips(self, start: float, end: float, devices: Collection[str]) -> Mapping[str, Strips]:
        """Give the minutes of [start, end), two whole UTC hours, as `seen`, and those that tried the Internet."""
        days = strips_of(self._state.minutes(start, end, devices), start)  # first, as in `minutes`
        weeks = sqlite_weeks.strips(self._main, start, end, devices)
        for device, minutes in days.items():
            weeks[device] = joined_strips(weeks[device], minutes) if device in weeks else minutes
        return weeks

    def reach(self, start: float, end: float, devices: Collection[str]) -> Mapping[str, Reach]:
        """Give the minutes of every hour that touches [start, end) in which each device tried the Internet target."""
        days = reach(self._state.minutes(start, end, devices), start)  # first, as in `minutes`
        weeks = sqlite_weeks.reach(self._main, start, end, devices)
        for device, (_, reachable, unreachable) in days.items():
            first, reached, missed = weeks.get(device, (hour_of(start), 0, 0))
            weeks[device] = Reach(first, reached | reachable, missed | unreachable)
        return weeks

    def minutes_within(
        self, wanted: Mapping[int, int], devices: Collection[str] | None = None
    ) -> Mapping[str, MinuteCounts]:
        """Count the minutes of each device that lie in wanted ones."""
        if sqlite_blocks.is_worth(self._main, devices):
            return sqlite_blocks.minutes_within(self._main, wanted, devices)
        return sqlite_weeks.minutes_within(self._main, wanted, devices)

    # ---- reading the state -------------------------------------------------------------------------------------------

    def listening(self, start: float, end: float) -> Mapping[int, int]:
        """Give the minutes in which a collector could hear."""
        return self._state.listening(start, end)

    def presence(self, devices: Collection[str] | None = None) -> Iterator[Presence]:
        """Give the presence of devices that were ever heard of."""
        return self._state.presence(devices)

    def envelope_count(self, device: str | None = None) -> int:
        """Count stored envelopes: each identity once."""
        return self._state.envelope_count(device)

    def dead_letters(self, limit: int = 100, after: int = 0) -> Sequence[DeadLetter]:
        """Give dead letters with id > after, oldest first."""
        return self._state.dead_letters(limit, after)

    def unknown_names(self) -> Mapping[str, int]:
        """Give how often each unknown measurement or quantity name was met."""
        return self._state.unknown_names()

    def out_of_range_names(self) -> Mapping[str, int]:
        """Give how often each quantity had a value that is physically impossible."""
        return self._state.out_of_range_names()

    def out_of_range_devices(self) -> Mapping[str, float]:
        """Give when each device last sent a value that is physically impossible; devices that never did are absent."""
        return self._state.out_of_range_devices()

    # ---- columns -----------------------------------------------------------------------------------------------------

    def _chosen(self, column: str, devices: Collection[str] | None) -> tuple[str, list[Any]]:
        if devices is None:
            return "", []
        condition, value = self._main.among(column, devices)
        return f" WHERE {condition}", [value]

    def _columns(self, day: int | None, name: str, measurement: str) -> list[str]:
        """Give the columns that program and file both know: a file may be older than the program that reads it."""
        key = (day, name)
        if key not in self._known_columns:
            connection = self._connection if day is None else self._days.file(day)
            try:
                there = sqlite_schema.table_columns(connection, name)
            except sqlite3.Error as error:
                raise StoreError(f"series store {self._path} cannot be read: {error}") from error
            quantities = [q.name for q in MEASUREMENTS[measurement].quantities if q.name in there]
            self._known_columns[key] = [*sqlite_schema.KEY_COLUMNS, *quantities]
        return self._known_columns[key]


def days_folder(path: Path) -> Path:
    """Give the folder of the files of days that belong to a main file."""
    return path.with_name(path.name + ".days")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _made(measurement: str, names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> Iterator[Row]:
    """Make rows of what was found under these columns."""
    quantities = names[_KEYS:]
    flags = [name for name in quantities if MEASUREMENTS[measurement].by_name[name].type is Type.BOOL]
    for device, part, at, basis, sender, run, seq, *cells in rows:
        values = {name: value for name, value in zip(quantities, cells, strict=True) if value is not None}
        for name in flags:
            if name in values:
                values[name] = bool(values[name])
        yield Row(device, part, at, _BASES[basis], values, EnvelopeId(sender, run, seq))


_BASES = {basis.value: basis for basis in TimeBasis}


_LATEST: dict[tuple[str, int], str] = {}


def _keep_latest(writing: Writing, measurement: str, rows: Sequence[list[Any]]) -> None:
    """Keep the newest row of each device and part; a guessed time gives way to any that is known."""
    newest: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        key = (row[0], row[1])
        before = newest.get(key)
        if before is None or _order(row) > _order(before):
            newest[key] = row
    writing.many(_latest_sql(measurement), list(newest.values()))


def _order(row: Sequence[Any]) -> tuple[bool, float]:
    return row[3] != TimeBasis.GUESS.value, row[2]


def _latest_sql(measurement: str) -> str:
    quantities = MEASUREMENTS[measurement].quantities
    key = (measurement, len(quantities))
    if key not in _LATEST:
        names = [*sqlite_schema.KEY_COLUMNS, *(quantity.name for quantity in quantities)]
        name, marks = sqlite_schema.latest_table(measurement), ", ".join("?" * len(names))
        changes = ", ".join(f'"{column}" = excluded."{column}"' for column in names[2:])
        _LATEST[key] = (
            f"INSERT INTO {name} ({_listed(names)}) VALUES ({marks}) "
            f"ON CONFLICT (device, part) DO UPDATE SET {changes} "
            f"WHERE CASE WHEN ({name}.basis = 'guess') = (excluded.basis = 'guess') THEN excluded.at > {name}.at "
            f"ELSE {name}.basis = 'guess' END"
        )
    return _LATEST[key]
