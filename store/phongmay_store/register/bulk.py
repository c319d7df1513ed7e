"""Many new rows of one table at once: mappings go in, rows with ids stand in the open transaction.

SQLAlchemy's own bulk insert asks the database for the ids (18 of 21 s for 20,000 rows over SQLite) and prepares every
value anew. Here the ids are taken beforehand and the statement is compiled once a table; the types' own processors turn
values into what the driver takes, so what is stored is the same. Two writers that took the same ids cannot both
succeed: the primary key refuses the second one (IntegrityError).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import JSON, Column, Dialect, String, Table, func, insert, select, text
from sqlalchemy.orm import Session

from phongmay_store.register.base import Base, UtcDateTime
from phongmay_store.register.engine import json_text

_PLAIN = {str, type(None)}


def reserve(session: Session, model: type[Base], count: int) -> Sequence[int]:
    """Take `count` ids of a table that no row has; the table's one key is the integer `id`."""
    table = _table(model)
    if session.get_bind().dialect.name == "sqlite":
        newest = session.scalar(select(func.max(table.c.id))) or 0
        return range(newest + 1, newest + count + 1)
    taken = text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)")
    return [int(row) for row in session.scalars(taken, {"name": table.name, "count": count})]


def append(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that name every column.

    Args:
        session: open transaction of the register; the caller commits.
        model: mapped class of the table.
        rows: column -> value, every column of the table in each.

    Raises:
        KeyError: a row lacks a column.
    """
    if not rows:
        return
    connection = session.connection()
    plan = _plan(_table(model), connection.dialect)
    columns: list[Iterable[Any]] = list(zip(*map(plan.pick, rows), strict=True))
    for place, process in plan.processors:
        columns[place] = map(process, columns[place])
    stored: dict[Any, Any] = {}  # most rows of one call share their times
    for place, process in plan.times:
        cells = tuple(columns[place])
        stored |= {value: process(value) for value in set(cells) - stored.keys()}
        columns[place] = map(stored.__getitem__, cells)
    for place in plan.texts:  # SQLite's driver looks for an adapter for each text that is a word of an enumeration
        if set(map(type, columns[place])) - _PLAIN:
            columns[place] = [text if text is None else str(text) for text in columns[place]]
    connection.exec_driver_sql(plan.statement, list(zip(*columns, strict=True)))


class _Plan(NamedTuple):
    """How rows of one table get into one database.

    Attributes:
        pick: gives a row's cells in the order of the columns.
        processors: place -> what turns the value into what the driver takes.
        times: the same for points in time.
        texts: places of texts.
    """

    statement: str
    pick: Callable[[Mapping[str, Any]], Iterable[Any]]
    processors: Sequence[tuple[int, Callable[[Any], Any]]]
    times: Sequence[tuple[int, Callable[[Any], Any]]]
    texts: Sequence[int]


@lru_cache(maxsize=64)
def _plan(table: Table, dialect: Dialect) -> _Plan:
    names = [column.name for column in table.columns]
    statement = str(insert(table).compile(dialect=dialect, column_keys=names))
    if dialect.paramstyle not in ("qmark", "format"):
        # psycopg takes %(name)s; by place every driver is the same
        statement = statement % dict.fromkeys(names, "%s")
    found = [
        (place, process, isinstance(column.type, UtcDateTime))
        for place, column in enumerate(table.columns)
        if (process := _processor(column, dialect)) is not None
    ]
    pick: Callable[[Mapping[str, Any]], Iterable[Any]] = itemgetter(*names)
    processors = [(place, process) for place, process, is_time in found if not is_time]
    times = [(place, process) for place, process, is_time in found if is_time]
    texts = [place for place, column in enumerate(table.columns) if isinstance(column.type, String)]
    return _Plan(statement, pick, processors, times, texts)


def _processor(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Give what the column's type does, without the way round that SQLAlchemy takes to JSON in SQLite."""
    if isinstance(column.type, JSON) and dialect.name == "sqlite":
        return json_text
    processor: Callable[[Any], Any] | None = column.type.dialect_impl(dialect).bind_processor(dialect)
    return processor


def _table(model: type[Base]) -> Table:
    table = model.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is not stored in a table")
    return table
