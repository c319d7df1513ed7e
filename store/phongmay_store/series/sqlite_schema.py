"""Tables of the embedded series store, made from the catalogue; a later catalogue adds tables and columns on opening.

In: an open connection of the writer. Out: every table that this program needs. A quantity whose type differs from the
column that is there raises StoreError: field types never change.

Main file:
    series_*          the state (phongmay_store.register.series_state): identities, offsets, masks, presence, letters
    m_<measurement>   what is kept: device, part, at | basis, sender, run, seq | one column a quantity
    l_<measurement>   the newest row of each device and part, whole: it stays when the day of its row is dropped
    minutes_week      minute masks of past weeks, 168 hours in one value (sqlite_weeks)
    minutes_block     the same masks by the hour, 500 devices in one value; minutes_lane numbers them (sqlite_blocks)
    h_<measurement>   gauges by the hour: device, part, hour | samples, low, high, mean of each
File of a day:
    m_<measurement>   rounds of that UTC day
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import cache

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from phongmay_contract.catalogue import MEASUREMENTS, Measurement, Type
from phongmay_store.errors import StoreError
from phongmay_store.register.series_state import STATE_TABLES
from phongmay_store.series import sqlite_blocks
from phongmay_store.series.quantities import gauges, is_raw

SQL_TYPES = {Type.INT: "INTEGER", Type.FLOAT: "REAL", Type.BOOL: "INTEGER", Type.TEXT: "TEXT"}
KEY_COLUMNS = ("device", "part", "at", "basis", "sender", "run", "seq")
"""What every measurement's table has besides its quantities."""
PARTS = ("samples", "low", "high", "mean")
"""Columns of a gauge by the hour."""
_LATEST_KEY = (
    "device TEXT NOT NULL, part TEXT NOT NULL, at REAL NOT NULL, basis TEXT NOT NULL, "
    "sender TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (device, part)"
)
_ROW_KEY = _LATEST_KEY.replace("(device, part)", "(device, part, at)")
_WEEKS = """
CREATE TABLE IF NOT EXISTS minutes_week (week INTEGER NOT NULL, device TEXT NOT NULL, seen BLOB NOT NULL,
not_reached BLOB, unreachable BLOB, PRIMARY KEY (week, device)) STRICT"""
_HOUR_KEY = "device TEXT NOT NULL, part TEXT NOT NULL, hour INTEGER NOT NULL, PRIMARY KEY (device, part, hour)"


def table(measurement: str) -> str:
    """Give the table of a measurement."""
    return f"m_{measurement}"


def latest_table(measurement: str) -> str:
    """Give the table of the newest rows of a measurement."""
    return f"l_{measurement}"


def hourly_table(measurement: str) -> str:
    """Give the table of the hours of a measurement."""
    return f"h_{measurement}"


def hourly_columns(quantity: str) -> tuple[str, str, str, str]:
    """Give the columns of a gauge by the hour: samples, low, high, mean."""
    return f"{quantity}_samples", f"{quantity}_low", f"{quantity}_high", f"{quantity}_mean"


@cache
def _state_ddl() -> tuple[str, ...]:
    dialect = sqlite.dialect()
    statements = []
    for one in STATE_TABLES:
        statements.append(str(CreateTable(one, if_not_exists=True).compile(dialect=dialect)))
        statements += (str(CreateIndex(ix, if_not_exists=True).compile(dialect=dialect)) for ix in one.indexes)
    return tuple(statements)


def create_main(connection: sqlite3.Connection) -> None:
    """Make what is missing in the main file.

    Raises:
        StoreError: a column has another type than the catalogue says.
        sqlite3.Error: the file cannot be written.
    """
    with _AllOrNothing(connection):
        for statement in _state_ddl():
            connection.execute(statement)
        connection.execute(_WEEKS)
        if not has_table(connection, "minutes_block"):
            sqlite_blocks.create(connection)
        for measurement in MEASUREMENTS.values():
            _grow(connection, latest_table(measurement.name), _LATEST_KEY, _typed(measurement))
            if not is_raw(measurement):
                _grow(connection, table(measurement.name), _ROW_KEY, _typed(measurement))
            if gauges(measurement):
                columns = [
                    (name, kind)
                    for gauge in gauges(measurement)
                    for name, kind in zip(hourly_columns(gauge.name), ("INTEGER", "REAL", "REAL", "REAL"), strict=True)
                ]
                _grow(connection, hourly_table(measurement.name), _HOUR_KEY, columns)


def create_day(connection: sqlite3.Connection) -> None:
    """Make what is missing in the file of a day.

    Raises:
        StoreError: a column has another type than the catalogue says.
        sqlite3.Error: the file cannot be written.
    """
    with _AllOrNothing(connection):
        for measurement in MEASUREMENTS.values():
            if is_raw(measurement):
                _grow(connection, table(measurement.name), _ROW_KEY, _typed(measurement))


class _AllOrNothing:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._connection.execute("COMMIT")
        elif self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _typed(measurement: Measurement) -> list[tuple[str, str]]:
    return [(quantity.name, SQL_TYPES[quantity.type]) for quantity in measurement.quantities]


def _grow(connection: sqlite3.Connection, name: str, key: str, wanted: Iterable[tuple[str, str]]) -> None:
    there = table_columns(connection, name)
    if not there:
        keys, _, primary = key.partition("PRIMARY KEY")
        columns = "".join(f'"{column}" {kind}, ' for column, kind in wanted)
        connection.execute(f"CREATE TABLE {name} ({keys}{columns}PRIMARY KEY{primary}) STRICT, WITHOUT ROWID")
        return
    for column, kind in wanted:
        if column not in there:
            connection.execute(f'ALTER TABLE {name} ADD COLUMN "{column}" {kind}')
        elif there[column] != kind:
            raise StoreError(
                f"series store: {name[2:]}.{column} is {there[column]} in the file, but this "
                f"program measures {kind}; types never change: begin a new file with store.series_path"
            )


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Tell whether the file has a table; one that an older program made lacks newer ones."""
    sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(sql, (name,)).fetchone() is not None


def table_columns(connection: sqlite3.Connection, name: str) -> dict[str, str]:
    """Give name and SQL type of the columns that a table has; empty when there is no such table."""
    return {row[1]: row[2] for row in connection.execute(f"PRAGMA table_info({name})")}


def columns(connection: sqlite3.Connection, measurement: str) -> dict[str, str]:
    """Give name and SQL type of the columns that a measurement's table has; empty when there is no such table."""
    return table_columns(connection, table(measurement))
