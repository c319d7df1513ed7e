"""Roll-ups in SQLite: gauges by the hour from the files of days, some hundred devices at a time.

In: an hour that is over. Out: rows of `h_<measurement>` in the main file; days past their time of keeping are dropped.
Everything may be repeated. What SQLite refuses is a StoreError.
"""
# ruff: noqa: S608 - table and column names come from the catalogue, every value is bound

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from phongmay_contract.catalogue import MEASUREMENTS
from phongmay_store.series import sqlite_schema, sqlite_weeks
from phongmay_store.series.database import Database
from phongmay_store.series.housekeeping import raw_from
from phongmay_store.series.interface import Hourly
from phongmay_store.series.quantities import gauges
from phongmay_store.series.sqlite_days import DayFiles, day_of
from phongmay_store.series.state import DAY_S, HOUR_S, State

_KEYS_A_PIECE = 500
"""Devices and parts that one step rolls up: some 30 ms."""


class SqliteHours:
    """The pieces of housekeeping in SQLite; see `housekeeping.Work`."""

    def __init__(self, main: Database, days: DayFiles, raw_days: int) -> None:
        self._main, self._days, self._raw_days = main, days, raw_days
        self._behind: tuple[str, str] | None = None

    def roll(self, measurement: str, hour: int) -> bool:
        """Roll up an hour of the next devices of a measurement."""
        day = day_of(hour)
        if day not in self._days.days(hour, hour + 1):
            return False
        sql = f"SELECT device, part FROM {sqlite_schema.latest_table(measurement)} "
        behind = self._behind or ("", "")
        keys = self._main.rows(
            f"{sql} WHERE (device, part) > (?, ?) ORDER BY device, part LIMIT ?"
            if self._behind
            else f"{sql} WHERE (device, part) >= (?, ?) ORDER BY device, part LIMIT ?",
            (*behind, _KEYS_A_PIECE),
        )
        if keys:
            rows = self._days.rows(day, roll_sql(measurement), [json.dumps(keys), hour, hour + HOUR_S])
            with self._main.writing() as writing:
                writing.many(hourly_insert(measurement), [(*row[:2], hour, *row[2:]) for row in rows])
        self._behind = tuple(keys[-1]) if len(keys) == _KEYS_A_PIECE else None
        return self._behind is not None

    def finish(self, hour: int) -> None:
        """Nothing: masks are kept where they are."""
        self._behind = None

    def tidy(self, now: float) -> bool:
        """Drop the oldest day that is past its time of keeping, or fold minute masks of past days into their week."""
        self._behind = None
        state = State(self._main)
        for day in self._days.days(0, raw_from(now, self._raw_days)):
            if not state.changed_hours(day * DAY_S, (day + 1) * DAY_S):
                self._days.drop(day)
                return True
        return sqlite_weeks.fold(self._main, now)

    def doubt(self) -> None:
        """Nothing: masks are joined in one transaction, and hours that are rolled up again replace what was there."""
        self._behind = None


def roll_sql(measurement: str) -> str:
    """Give the statement that counts an hour of devices and parts: a JSON list of pairs, start, end."""
    asked = ", ".join(
        f'{function}(m."{gauge.name}")'
        for gauge in gauges(MEASUREMENTS[measurement])
        for function in ("count", "min", "max", "avg")
    )
    return (
        f"SELECT m.device, m.part, {asked} FROM json_each(?) AS k CROSS JOIN {sqlite_schema.table(measurement)} AS m "
        "ON m.device = k.value ->> 0 AND m.part = k.value ->> 1 AND m.at >= ? AND m.at < ? "
        "WHERE m.basis <> 'guess' GROUP BY m.device, m.part"
    )


def hourly_insert(measurement: str) -> str:
    """Give the statement that puts an hour in the place of what is there."""
    names = ["device", "part", "hour"]
    for gauge in gauges(MEASUREMENTS[measurement]):
        names += sqlite_schema.hourly_columns(gauge.name)
    columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
    return f"INSERT OR REPLACE INTO {sqlite_schema.hourly_table(measurement)} ({columns}) VALUES ({marks})"


def rolled(
    main: Database, measurement: str, quantity: str, first: int, last: int, where: str, values: Sequence[Any]
) -> Iterator[Hourly]:
    """Give the hours of some devices together, as they were rolled up; `where` chooses rows of `l`."""
    samples, low, high, mean = (f'h."{column}"' for column in sqlite_schema.hourly_columns(quantity))
    sql = (
        f"SELECT h.hour, sum({samples}), min({low}), max({high}), sum({mean} * {samples}) / sum({samples}) "
        f"FROM {sqlite_schema.latest_table(measurement)} AS l "
        f"CROSS JOIN {sqlite_schema.hourly_table(measurement)} AS h "
        f"ON h.device = l.device AND h.part = l.part AND h.hour >= ? AND h.hour < ? AND {samples} > 0"
        f"{where} GROUP BY h.hour"
    )
    for hour, count, least, most, average in main.rows(sql, [first, last, *values]):
        yield Hourly(hour, count, least, most, average)


def counted(
    days: DayFiles, measurement: str, quantity: str, hour: int, keys: Sequence[tuple[Any, ...]]
) -> Hourly | None:
    """Count an hour of devices and parts from its rounds; None when there is no value."""
    day = day_of(hour)
    if not keys or day not in days.days(hour, hour + 1):
        return None
    column = f'm."{quantity}"'
    sql = (
        f"SELECT count({column}), min({column}), max({column}), avg({column}) FROM json_each(?) AS k "
        f"CROSS JOIN {sqlite_schema.table(measurement)} AS m ON m.device = k.value ->> 0 AND m.part = k.value ->> 1 "
        "AND m.at >= ? AND m.at < ? WHERE m.basis <> 'guess'"
    )
    ((count, low, high, mean),) = days.rows(day, sql, [json.dumps(keys), hour, hour + HOUR_S])
    return Hourly(hour, count, float(low), float(high), mean) if count else None
