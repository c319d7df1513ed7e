"""Many new rows of one table at once: mappings go in, rows with ids stand in the open transaction.

SQLAlchemy's own bulk insert asks the database for the ids (18 of 21 s for 20,000 rows over SQLite) and prepares every
value anew. Here the ids are taken beforehand and the statement is compiled once a table; the types' own processors turn
values into what the driver takes, so what is stored is the same. Two writers that took the same ids cannot both
succeed: the primary key refuses the second one (IntegrityError).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from operator import is_not, itemgetter
from typing import Any, NamedTuple

from sqlalchemy import JSON, Column, Dialect, LargeBinary, Select, String, Table, TextClause, func, insert, select, text
from sqlalchemy.orm import Session

from phongmay_store.register.asking import ask
from phongmay_store.register.base import Base, UtcDateTime
from phongmay_store.register.engine import TEXTS_ARE_CHECKED, json_text, refuse_nul

TOGETHER = 16
"""Rows in one statement where that is faster."""
_PLAIN = {str, type(None)}


def reserve(session: Session, model: type[Base], count: int) -> Sequence[int]:
    """Take `count` ids of a table that no row has; the table's one key is the integer `id`."""
    if not count:
        return ()
    if session.get_bind().dialect.name == "sqlite":
        first = newest(session, model) + 1
        return range(first, first + count)
    return [int(row) for row in session.scalars(_TAKEN, {"name": _table(model).name, "count": count})]


def newest(session: Session, model: type[Base]) -> int:
    """Give the greatest id of a table; 0 = it is empty."""
    ((greatest,),) = ask(session, _greatest(_table(model)))
    return greatest or 0


_TAKEN = text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)")


@lru_cache(maxsize=64)
def _greatest(table: Table) -> Select[Any]:
    return select(func.max(table.c.id))


def append(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that name every column.

    Args:
        session: open transaction of the register; the caller commits.
        model: mapped class of the table.
        rows: column -> value, every column of the table in each.

    Raises:
        KeyError: a row lacks a column.
    """
    if rows:
        names = [column.name for column in _table(model).columns]
        columns = zip(*map(itemgetter(*names), rows), strict=True)
        append_columns(session, model, dict(zip(names, columns, strict=True)))


def append_columns(session: Session, model: type[Base], columns: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows that are given column by column.

    Args:
        session: open transaction of the register; the caller commits.
        model: mapped class of the table.
        columns: every column of the table, its values in the order of the rows; others are not looked at.

    Raises:
        KeyError: a column is missing.
        UnstorableTextError: a text cannot be kept.
    """
    connection = session.connection()
    table = _table(model)
    count = len(columns[table.columns[0].name])
    plan = _plan(table, connection.dialect, frozenset(_empty(table, columns) if count >= TOGETHER else ()))
    cells: list[Iterable[Any]] = [columns[name] for name in plan.names]
    for place, process in plan.processors:
        cells[place] = map(process, cells[place])
    for place, process in plan.jsons:
        cells[place] = _each_once(process, columns[plan.names[place]])
    stored: dict[Any, Any] = {}  # most rows of one call share their times
    for place, process in plan.times:
        times = tuple(cells[place])
        stored |= {value: process(value) for value in set(times) - stored.keys()}
        cells[place] = map(stored.__getitem__, times)
    for place in plan.texts:
        texts = columns[plan.names[place]]
        refuse_nul(tuple(set(texts)))
        if set(map(type, texts)) - _PLAIN:  # SQLite's driver looks for an adapter for each word of an enumeration
            cells[place] = [text if text is None else str(text) for text in texts]
    width = len(cells)
    flat: list[Any] = [None] * (count * width)  # row after row
    for place, values in enumerate(cells):
        flat[place::width] = list(values)  # refuses a column of another length
    at = 0
    for statement, rows in ((plan.together, TOGETHER), (plan.statement, 1)):
        step, end = rows * width, len(flat) - (len(flat) - at) % (rows * width)
        if statement and at < end:
            some = [tuple(flat[start : start + step]) for start in range(at, end, step)]
            connection.exec_driver_sql(statement, some, execution_options={TEXTS_ARE_CHECKED: True})
            at = end


def point(session: Session, pointers: type[Base], model: type[Base], ids: Sequence[int]) -> None:
    """Let new rows be the current ones, each in the place of the one that was; nothing leaves the database.

    Args:
        session: open transaction of the register; the caller commits.
        pointers: mapped class whose key are columns of the rows, and whose one other column is their id.
        model: mapped class of the rows.
        ids: of the rows, as they were taken (`reserve`): what lies between them is theirs, or of another writer who
            has not committed yet.
    """
    if ids:
        values = {"first": min(ids), "last": max(ids)}
        session.connection().execute(_pointing(_table(pointers), _table(model)), values)


@lru_cache(maxsize=64)
def _pointing(pointers: Table, rows: Table) -> TextClause:
    key = [column.name for column in pointers.primary_key.columns]
    (shown,) = (column.name for column in pointers.columns if column.name not in key)
    listed = ", ".join(key)
    return text(
        f"INSERT INTO {pointers.name} ({listed}, {shown}) SELECT {listed}, id FROM {rows.name} "  # noqa: S608
        f"WHERE id BETWEEN :first AND :last ON CONFLICT ({listed}) DO UPDATE SET {shown} = excluded.{shown}"
    )


_Process = tuple[int, Callable[[Any], Any]]


class _Plan(NamedTuple):
    """How rows of one table get into one database.

    Attributes:
        together: the same for so many rows at once; "" = the driver is as fast row by row.
        names: of the columns in their order, but those in which nothing is told.
        processors: place -> what turns the value into what the driver takes.
        jsons: the same for JSON.
        times: the same for points in time.
        texts: places of texts; JSON is none, since it writes every control character in other words.
    """

    statement: str
    together: str
    names: Sequence[str]
    processors: Sequence[_Process]
    jsons: Sequence[_Process]
    times: Sequence[_Process]
    texts: Sequence[int]


def _empty(table: Table, columns: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    """Give the columns in which nothing is told of any row: SQLite's driver looks for an adapter for each NULL."""
    for column in table.columns:
        if column.nullable and column.server_default is None and not any(map(_IS_TOLD, columns[column.name])):
            yield column.name


_IS_TOLD = partial(is_not, None)


@lru_cache(maxsize=128)
def _plan(table: Table, dialect: Dialect, empty: frozenset[str]) -> _Plan:
    kept = [column for column in table.columns if column.name not in empty]
    names = [column.name for column in kept]
    statement = str(insert(table).compile(dialect=dialect, column_keys=names))
    if dialect.paramstyle not in ("qmark", "format"):
        # psycopg takes %(name)s; by place every driver is the same
        statement = statement % dict.fromkeys(names, "%s")
    jsons: list[_Process] = []
    times: list[_Process] = []
    others: list[_Process] = []
    for place, column in enumerate(kept):
        if (process := _processor(column, dialect)) is not None:
            kind = jsons if isinstance(column.type, JSON) else times if isinstance(column.type, UtcDateTime) else others
            kind.append((place, process))
    texts = [place for place, column in enumerate(kept) if isinstance(column.type, String)]
    together = ""
    if dialect.name == "sqlite":  # its driver takes a lock, binds, steps and resets for each statement
        head, values = statement.split(" VALUES ")
        together = f"{head} VALUES {', '.join([values] * TOGETHER)}"
    return _Plan(statement, together, names, others, jsons, times, texts)


def _each_once(process: Callable[[Any], Any], values: Sequence[Any]) -> Iterable[Any]:
    """Process values, one that stands in several rows once: nearly all that a device measured comes from few envelopes,
    and what a rule demands is the same for a whole school."""
    places = list(map(id, values))
    made = {place: process(value) for place, value in dict(zip(places, values, strict=True)).items()}
    return map(made.__getitem__, places)


def _processor(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Give what the column's type does, without the way round that SQLAlchemy takes to JSON in SQLite."""
    if isinstance(column.type, JSON) and dialect.name == "sqlite":
        return json_text
    if isinstance(column.type, LargeBinary) and dialect.name == "sqlite":
        return bytearray  # what its driver takes without looking for an adapter
    processor: Callable[[Any], Any] | None = column.type.dialect_impl(dialect).bind_processor(dialect)
    return processor


def _table(model: type[Base]) -> Table:
    table = model.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is not stored in a table")
    return table
