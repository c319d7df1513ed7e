"""Rounds in one SQLite file a UTC day, beside the main file: written by one, read by many, dropped whole.

In: rows of a day. Out: the same rows by device and time. A day that nobody wrote has no file and no rows. A file that
cannot be opened, read or written is a StoreError that names it.
"""
# ruff: noqa: S608 - table and column names come from the catalogue, every value is bound

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from phongmay_contract.catalogue import MEASUREMENTS
from phongmay_store.errors import StoreError
from phongmay_store.series import sqlite_schema
from phongmay_store.series.arrivals import Arrivals, Table
from phongmay_store.series.housekeeping import raw_from
from phongmay_store.series.quantities import is_raw
from phongmay_store.series.state import DAY_S

_OPEN = 4
"""Files of days that are held open for writing: today, yesterday, and what a backlog brings."""
PAGE_CACHE_KIB = 8192
"""Of each file that is written: it fills within minutes and then stands; four times as much saves no processor time."""
_EPOCH = date(1970, 1, 1)
NUDGE_S = 1e-6
_SOURCE_AT = slice(4, 7)


class DayFiles:
    """The files of single days of one store.

    Args:
        folder: where they lie; made with the first day that is written.
        reading: open them for reading only.
    """

    def __init__(self, folder: Path, *, reading: bool) -> None:
        self._folder, self._reading = folder, reading
        self._open: OrderedDict[int, sqlite3.Connection] = OrderedDict()

    def close(self) -> None:
        """Let go of the files."""
        while self._open:
            self._open.popitem()[1].close()

    def path(self, day: int) -> Path:
        """Give the file of a day (days since 1970-01-01)."""
        return self._folder / f"{_EPOCH + timedelta(days=day)}.db"

    def days(self, first: float = 0.0, last: float = 1e11) -> list[int]:
        """Give the days that have a file and touch [first, last), in order."""
        try:
            names = sorted(path.stem for path in self._folder.glob("????-??-??.db"))
        except OSError as error:
            raise StoreError(f"series store: {self._folder} cannot be listed ({error})") from error
        found = []
        for name in names:
            try:
                day = (date.fromisoformat(name) - _EPOCH).days
            except ValueError:
                continue
            if (day + 1) * DAY_S > first and day * DAY_S < last:
                found.append(day)
        return found

    def file(self, day: int) -> sqlite3.Connection:
        """Give the open file of a day; the writer makes it when it is missing.

        Raises:
            StoreError: it cannot be opened or made.
        """
        if day in self._open:
            self._open.move_to_end(day)
            return self._open[day]
        path = self.path(day)
        try:
            connection = self._reader(path) if self._reading else self._writer(path)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"series store: file of a day {path} cannot be opened ({error}); see that this user may "
                f"{'read' if self._reading else 'write'} it and that the disk has room"
            ) from error
        self._open[day] = connection
        while not self._reading and len(self._open) > _OPEN:
            self._open.popitem(last=False)[1].close()
        return connection

    def _writer(self, path: Path) -> sqlite3.Connection:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=15, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA cache_size=-{PAGE_CACHE_KIB}")
            sqlite_schema.create_day(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @staticmethod
    def _reader(path: Path) -> sqlite3.Connection:
        uri = path.resolve().as_uri() + "?mode=ro"
        return sqlite3.connect(uri, uri=True, timeout=15, isolation_level=None, check_same_thread=False)

    def rows(self, day: int, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Read from the file of a day.

        Raises:
            StoreError: SQLite refuses.
        """
        try:
            return self.file(day).execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"series store: file of a day {self.path(day)} cannot be read: {error}") from error

    def write(self, day: int, rows: dict[str, list[list[Any]]]) -> None:
        """Commit rows (columns as in `insert`) of one day by measurement; times of rows may be moved by microseconds.

        Raises:
            StoreError: nothing of the day was written.
        """
        connection = self.file(day)
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                for measurement, some in rows.items():
                    insert(connection, measurement, some)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StoreError(
                f"series store: file of a day {self.path(day)} cannot be written: {error}; see that the disk has room "
                "and is not read-only"
            ) from error

    def drop(self, day: int) -> None:
        """Drop a day whole.

        Raises:
            StoreError: a file of it cannot be removed.
        """
        opened = self._open.pop(day, None)
        if opened is not None:
            opened.close()
        path = self.path(day)
        try:
            for ending in ("", "-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"series store: {path} cannot be removed ({error})") from error


def day_of(at: float) -> int:
    """Give the UTC day of a time, in days since 1970-01-01."""
    return int(at // DAY_S)


def day_name(day: int) -> str:
    """Give a day as people write it."""
    return datetime.fromtimestamp(day * DAY_S, UTC).strftime("%Y-%m-%d")


Rows = dict[str, list[list[Any]]]
"""Rows for `insert` by measurement."""


def rows_of(arrivals: Arrivals, raw_days: int) -> tuple[Rows, dict[int, Rows]]:
    """Make the rows that are kept, and those of rounds by day; rounds that are too old for `raw_days` are left out."""
    kept: Rows = {}
    days: dict[int, Rows] = {}
    oldest = raw_from(arrivals.received[-1], raw_days) if arrivals.seqs else 0.0
    for table in arrivals.tables(0, len(arrivals)):
        name, rows = table.measurement, _rows(arrivals, table)
        if not is_raw(MEASUREMENTS[name]):
            kept[name] = rows
            continue
        of_days = [day_of(arrivals.times[owner]) for owner in table.owners]
        if len(set(of_days)) == 1 and min(arrivals.times) >= oldest:
            days.setdefault(of_days[0], {})[name] = rows
            continue
        for day, owner, row in zip(of_days, table.owners, rows, strict=True):
            if arrivals.times[owner] >= oldest:
                days.setdefault(day, {}).setdefault(name, []).append(row)
    return kept, days


def _rows(arrivals: Arrivals, table: Table) -> list[list[Any]]:
    owners = table.owners
    columns: list[Sequence[Any]] = [arrivals.times, arrivals.bases, arrivals.senders, arrivals.runs, arrivals.seqs]
    if not table.is_single or len(owners) < len(arrivals):
        columns = [list(map(column.__getitem__, owners)) for column in columns]
    columns[1] = [basis.value for basis in columns[1]]
    return [[*keys, *cells] for *keys, cells in zip(table.devices, table.parts, *columns, table.cells, strict=True)]


_SQL: dict[tuple[str, int], str] = {}


def insert_sql(measurement: str) -> str:
    """Give the statement that inserts a row unless its key is taken."""
    quantities = MEASUREMENTS[measurement].quantities
    key = (measurement, len(quantities))
    if key not in _SQL:
        names = [*sqlite_schema.KEY_COLUMNS, *(quantity.name for quantity in quantities)]
        columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
        name = sqlite_schema.table(measurement)
        _SQL[key] = f"INSERT INTO {name} ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING"
    return _SQL[key]


def insert(connection: sqlite3.Connection, measurement: str, rows: list[list[Any]]) -> None:
    """Insert rows inside a transaction; a row that is there already from the same envelope stays as it is.

    Where another envelope (or an earlier group of the same one) has the instant, the row is moved by a microsecond, in
    place, so that the caller sees the time that it got.
    """
    sql = insert_sql(measurement)
    before = connection.total_changes
    connection.execute("SAVEPOINT batch")
    connection.executemany(sql, rows)
    if connection.total_changes - before != len(rows):
        connection.execute("ROLLBACK TO batch")
        _insert_singly(connection, measurement, sql, rows)
    connection.execute("RELEASE batch")


def _insert_singly(connection: sqlite3.Connection, measurement: str, sql: str, rows: list[list[Any]]) -> None:
    taken: set[tuple[Any, ...]] = set()
    there = f"SELECT sender, run, seq FROM {sqlite_schema.table(measurement)} WHERE device = ? AND part = ? AND at = ?"
    for row in rows:
        source = tuple(row[_SOURCE_AT])
        while connection.execute(sql, row).rowcount == 0:
            key = tuple(row[:3])
            if key not in taken and connection.execute(there, key).fetchone() == source:
                break  # written before a crash
            row[2] += NUDGE_S
        taken.add(tuple(row[:3]))
