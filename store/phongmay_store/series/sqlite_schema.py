"""Tables of the embedded series store, made from the catalogue; a later catalogue adds tables and columns on opening.

In: an open connection of the writer. Out: every table that this program needs. A quantity whose type differs from the
column that is there raises StoreError: field types never change.

    m_<measurement>   device, part, at | basis, sender, run, seq | one column a quantity
    latest            which `at` is the newest of (measurement, device, part)
    envelope          every stored envelope once: the guard against counting twice
    minutes           60-bit masks of an hour: seen, reachable, unreachable
    listening         60-bit masks of an hour: a collector could hear
    run_offset, presence, dead_letter, odd_name
    out_of_range      when a device last sent a value that is physically impossible
"""

from __future__ import annotations

import sqlite3

from phongmay_contract.catalogue import MEASUREMENTS, Measurement, Type
from phongmay_store.errors import StoreError

SQL_TYPES = {Type.INT: "INTEGER", Type.FLOAT: "REAL", Type.BOOL: "INTEGER", Type.TEXT: "TEXT"}
KEY_COLUMNS = ("device", "part", "at", "basis", "sender", "run", "seq")
"""What every measurement's table has besides its quantities."""

_HOUSE = """
CREATE TABLE IF NOT EXISTS latest (
    measurement TEXT NOT NULL, device TEXT NOT NULL, part TEXT NOT NULL, at REAL NOT NULL, basis TEXT NOT NULL,
    PRIMARY KEY (measurement, device, part)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS envelope (
    sender TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL,
    at REAL NOT NULL, basis TEXT NOT NULL, received REAL NOT NULL,
    PRIMARY KEY (sender, run, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS minutes (
    device TEXT NOT NULL, hour INTEGER NOT NULL,
    seen INTEGER NOT NULL, reachable INTEGER NOT NULL, unreachable INTEGER NOT NULL,
    PRIMARY KEY (device, hour)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS minutes_by_hour ON minutes (hour);
CREATE TABLE IF NOT EXISTS listening (
    hour INTEGER PRIMARY KEY, minutes INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS run_offset (
    device TEXT NOT NULL, run TEXT NOT NULL, offset_s REAL NOT NULL, basis TEXT NOT NULL,
    PRIMARY KEY (device, run)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS presence (
    device TEXT PRIMARY KEY, state TEXT NOT NULL, session TEXT NOT NULL, run TEXT NOT NULL,
    since REAL NOT NULL, last_seen REAL NOT NULL, agent TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    payload BLOB NOT NULL, received REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS odd_name (
    oddity TEXT NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (oddity, name)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS out_of_range (
    device TEXT PRIMARY KEY, last_at REAL NOT NULL, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""


def table(measurement: str) -> str:
    """Give the table of a measurement."""
    return f"m_{measurement}"


def create(connection: sqlite3.Connection) -> None:
    """Make every table that is missing, and add the columns of quantities that the file does not know yet.

    Raises:
        StoreError: a column has another type than the catalogue says.
        sqlite3.Error: the file cannot be written.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _HOUSE.split(";"):
            if statement.strip():
                connection.execute(statement)
        for measurement in MEASUREMENTS.values():
            _create_measurement(connection, measurement)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _create_measurement(connection: sqlite3.Connection, measurement: Measurement) -> None:
    name = table(measurement.name)
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {name} ("
        "device TEXT NOT NULL, part TEXT NOT NULL, at REAL NOT NULL, basis TEXT NOT NULL, "
        "sender TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, "
        "PRIMARY KEY (device, part, at)) STRICT, WITHOUT ROWID"
    )
    there = columns(connection, measurement.name)
    for quantity in measurement.quantities:
        wanted = SQL_TYPES[quantity.type]
        if quantity.name not in there:
            connection.execute(f'ALTER TABLE {name} ADD COLUMN "{quantity.name}" {wanted}')
        elif there[quantity.name] != wanted:
            raise StoreError(
                f"series store: {measurement.name}.{quantity.name} is {there[quantity.name]} in the file, but this "
                f"program measures {wanted}; types never change: begin a new file with store.series_path"
            )


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Tell whether the file has a table; one that an older program made lacks newer ones."""
    sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(sql, (name,)).fetchone() is not None


def columns(connection: sqlite3.Connection, measurement: str) -> dict[str, str]:
    """Give name and SQL type of the columns that a measurement's table has; empty when there is no such table."""
    return {row[1]: row[2] for row in connection.execute(f"PRAGMA table_info({table(measurement)})")}
