"""Moves a series store of one file, as it was until November 2026, into a main file and files of days; nothing is lost.

In: the open main file with tables of both forms. Out: rows in files of days, hours and newest rows in new tables, the
old tables gone. Rows of days are moved first and may be moved again; everything else is one transaction, so whatever
interrupts it, the next opening begins again and ends the same. SQLite's errors pass through.
"""
# ruff: noqa: S608 - table and column names come from the catalogue, every value is bound

from __future__ import annotations

import sqlite3

from phongmay_contract.catalogue import MEASUREMENTS
from phongmay_store.series import sqlite_schema
from phongmay_store.series.quantities import gauges, is_raw
from phongmay_store.series.sqlite_days import DayFiles
from phongmay_store.series.state import BITS, DAY_S, HOUR_S

_COPIES = {
    "run_offset": "INSERT OR IGNORE INTO series_offset SELECT device, run, offset_s, basis, :today FROM run_offset",
    "minutes": "INSERT OR IGNORE INTO series_minutes SELECT device, hour, seen, reachable, unreachable FROM minutes",
    "listening": "INSERT OR IGNORE INTO series_listening SELECT hour, minutes FROM listening",
    "presence": "INSERT OR IGNORE INTO series_presence "
    "SELECT device, state, session, run, since, last_seen, agent FROM presence",
    "dead_letter": "INSERT OR IGNORE INTO series_dead_letter "
    "SELECT id, topic, reason, detail, payload, received FROM dead_letter",
    "odd_name": "INSERT OR IGNORE INTO series_odd_name SELECT oddity, name, count FROM odd_name",
    "out_of_range": "INSERT OR IGNORE INTO series_out_of_range SELECT device, last_at, count FROM out_of_range",
    "envelope": f"INSERT OR IGNORE INTO series_stored SELECT sender, run, seq / {BITS}, sum(1 << (seq % {BITS})), "
    f"CAST(min(received) / {DAY_S} AS INTEGER) FROM envelope GROUP BY sender, run, seq / {BITS}",
}
"""Old table to the statement that copies it; a file of some age may lack the newest ones."""


def is_old(connection: sqlite3.Connection) -> bool:
    """Tell whether the file has tables of the old form."""
    return sqlite_schema.has_table(connection, "envelope")


def move(connection: sqlite3.Connection, days: DayFiles) -> None:
    """Move everything.

    Raises:
        sqlite3.Error: a file cannot be written; the next opening tries again.
        StoreError: a file of a day cannot be made.
    """
    old = [name for name in MEASUREMENTS if sqlite_schema.columns(connection, name)]
    for name in old:
        if is_raw(MEASUREMENTS[name]):
            _move_rounds(connection, days, name)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for name in old:
            _keep_newest(connection, name)
            if is_raw(MEASUREMENTS[name]):
                _roll_up(connection, name)
                connection.execute(f"DROP TABLE {sqlite_schema.table(name)}")
        ((today,),) = connection.execute("SELECT CAST(unixepoch() / ? AS INTEGER)", (DAY_S,)).fetchall()
        for table, statement in _COPIES.items():
            if sqlite_schema.has_table(connection, table):
                connection.execute(statement, {"today": today} if ":today" in statement else {})
                connection.execute(f"DROP TABLE {table}")
        connection.execute("DROP TABLE latest")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _columns(connection: sqlite3.Connection, name: str) -> str:
    """Give the columns that file and catalogue both know."""
    there = sqlite_schema.columns(connection, name)
    quantities = [quantity.name for quantity in MEASUREMENTS[name].quantities if quantity.name in there]
    return ", ".join(f'"{column}"' for column in (*sqlite_schema.KEY_COLUMNS, *quantities))


def _move_rounds(connection: sqlite3.Connection, days: DayFiles, name: str) -> None:
    table, columns = sqlite_schema.table(name), _columns(connection, name)
    found = connection.execute(f"SELECT DISTINCT CAST(floor(at / {DAY_S}) AS INTEGER) FROM {table}").fetchall()
    for (day,) in found:
        days.file(day)  # makes it with its tables
        days.close()
        connection.execute("ATTACH ? AS day", (str(days.path(day)),))
        try:
            connection.execute("PRAGMA day.synchronous=FULL")
            connection.execute(
                f"INSERT OR IGNORE INTO day.{table} ({columns}) SELECT {columns} FROM main.{table} "
                "WHERE at >= ? AND at < ?",
                (day * DAY_S, (day + 1) * DAY_S),
            )
        finally:
            connection.execute("DETACH day")


def _keep_newest(connection: sqlite3.Connection, name: str) -> None:
    columns = _columns(connection, name)
    chosen = ", ".join(f"m.{column}" for column in columns.split(", "))
    connection.execute(
        f"INSERT OR REPLACE INTO {sqlite_schema.latest_table(name)} ({columns}) SELECT {chosen} "
        f"FROM latest AS l JOIN {sqlite_schema.table(name)} AS m "
        "ON m.device = l.device AND m.part = l.part AND m.at = l.at WHERE l.measurement = ?",
        (name,),
    )


def _roll_up(connection: sqlite3.Connection, name: str) -> None:
    table, hour = sqlite_schema.table(name), f"CAST(floor(at / {HOUR_S}) AS INTEGER) * {HOUR_S}"
    connection.execute(
        f"INSERT INTO series_hour SELECT hour, 1, CASE WHEN hour + {2 * HOUR_S} > newest THEN 0 ELSE 1 END, newest "
        f"FROM (SELECT DISTINCT {hour} AS hour, max(at) OVER () AS newest FROM {table}) "
        "WHERE true ON CONFLICT (hour) DO UPDATE SET rolled = min(rolled, excluded.rolled)"
    )
    there = sqlite_schema.columns(connection, name)
    known = [gauge.name for gauge in gauges(MEASUREMENTS[name]) if gauge.name in there]
    if not known:
        return
    names = ["device", "part", "hour"]
    asked = ["device", "part", f"{hour} AS hour"]
    for gauge in known:
        names += sqlite_schema.hourly_columns(gauge)
        asked += (f'{function}("{gauge}")' for function in ("count", "min", "max", "avg"))
    connection.execute(
        f"INSERT OR REPLACE INTO {sqlite_schema.hourly_table(name)} ({', '.join(names)}) "
        f"SELECT {', '.join(asked)} FROM {table} WHERE basis <> 'guess' GROUP BY device, part, hour"
    )
