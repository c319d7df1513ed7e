"""One narrow way to two databases: a SQLite file of our own, and the register by SQLAlchemy.

In: SQL with `?` for values, in the words that SQLite and PostgreSQL share. Out: rows, or a transaction in which
everything holds or nothing. What the database refuses becomes a StoreError with the sentence of whoever opened it.
"""
# ruff: noqa: S608 - names of columns come from this package, every value is bound

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from typing import Any, Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from phongmay_store.errors import StoreError

Values = Sequence[Any]
_KEYS_A_QUERY = 300
_ROWS_A_STATEMENT = 1000
_VALUES_A_STATEMENT = 30_000
"""SQLite takes 32,766, PostgreSQL 65,535."""


class Writing(Protocol):
    """An open transaction."""

    def rows(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Read."""
        ...

    def many(self, sql: str, values: Sequence[Values]) -> None:
        """Carry out an `INSERT ... VALUES (?, ...)` for each of the values, in an order that is the same for all."""
        ...

    def each(self, sql: str, values: Sequence[Values]) -> None:
        """Carry out one statement for each of the values, in their order."""
        ...

    def one(self, sql: str, values: Values = ()) -> int:
        """Carry out one statement; gives how many rows it touched."""
        ...


class Database(Protocol):
    """What the state of a series store needs of a database."""

    def rows(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Read."""
        ...

    def writing(self) -> AbstractContextManager[Writing]:
        """Give a transaction that is committed at the end of the block, or undone by any exception."""
        ...

    def version(self) -> Hashable:
        """Give what changes whenever somebody else commits; None where the database does not tell."""
        ...

    def among(self, column: str, wanted: Collection[str]) -> tuple[str, Any]:
        """Give a condition that a column is one of these texts, and the one value that it takes."""
        ...

    def by_key(
        self, table: str, key: tuple[str, str, str], columns: str, wanted: Iterable[tuple[str, str, int]]
    ) -> Iterable[tuple[Any, ...]]:
        """Give key and columns of the rows that have one of these keys."""
        ...


class SqliteFile:
    """A SQLite connection of this store's own.

    Args:
        connection: in autocommit mode.
        complaint: makes the sentence for a person, from "read" or "written" and what SQLite says.
    """

    def __init__(self, connection: sqlite3.Connection, complaint: Callable[[str, str], str]) -> None:
        self.connection = connection
        self._complaint = complaint

    def rows(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Read."""
        try:
            return self.connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(self._complaint("read", str(error))) from error

    def stream(self, sql: str, values: Values = ()) -> Iterator[tuple[Any, ...]]:
        """Read row by row: many large values need no memory for all of them."""
        try:
            yield from self.connection.execute(sql, values)
        except sqlite3.Error as error:
            raise StoreError(self._complaint("read", str(error))) from error

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Give a transaction; the write lock is taken at once, so nothing can fail half-way because of another."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield _SqliteWriting(self.connection)
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StoreError(self._complaint("written", str(error))) from error

    def version(self) -> Hashable:
        """Give SQLite's own number: it stays through commits of this connection and changes with any other's."""
        number: int = self.rows("PRAGMA data_version")[0][0]
        return number

    def among(self, column: str, wanted: Collection[str]) -> tuple[str, Any]:
        """Give a condition; the texts travel as one JSON text, so their number has no limit."""
        return f"{column} IN (SELECT value FROM json_each(?))", json.dumps(list(wanted))

    def by_key(
        self, table: str, key: tuple[str, str, str], columns: str, wanted: Iterable[tuple[str, str, int]]
    ) -> Iterable[tuple[Any, ...]]:
        """Give key and columns of the rows that have one of these keys."""
        return _by_values(self, table, key, columns, wanted)


def _by_values(
    database: Database, table: str, key: tuple[str, str, str], columns: str, wanted: Iterable[tuple[str, str, int]]
) -> Iterable[tuple[Any, ...]]:
    keys, names = list(wanted), ", ".join(key)
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(keys), _KEYS_A_QUERY):
        some = keys[start : start + _KEYS_A_QUERY]
        marks = ",".join(["(?,?,?)"] * len(some))
        sql = f"SELECT {names}, {columns} FROM {table} WHERE ({names}) IN (VALUES {marks})"
        found += database.rows(sql, tuple(chain.from_iterable(some)))
    return found


def _in_blocks(sql: str, values: Sequence[Values], mark: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Give an `INSERT ... VALUES (?, ...)` as statements of many rows each.

    Each statement costs a server's attention, and in SQLite a chance to lose the interpreter to another thread, which
    gives it back only after sys.getswitchinterval(). A statement of a number of rows that is new to the driver costs
    more to read than its rows to write, so below the most their number is a power of two.
    """
    head, _, rest = sql.partition("VALUES (")
    marks, _, tail = rest.partition(")")
    row, tail = f"({marks.replace('?', mark)})", tail.replace("?", mark)
    most = max(1, min(_ROWS_A_STATEMENT, _VALUES_A_STATEMENT // marks.count("?")))
    start = 0
    while start < len(values):
        left = len(values) - start
        some = values[start : start + (most if left >= most else 1 << left.bit_length() - 1)]
        yield f"{head}VALUES {','.join([row] * len(some))}{tail}", tuple(chain.from_iterable(some))
        start += len(some)


class _SqliteWriting:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def many(self, sql: str, values: Sequence[Values]) -> None:
        for statement, some in _in_blocks(sql, values, "?"):
            self._connection.execute(statement, some)

    def each(self, sql: str, values: Sequence[Values]) -> None:
        self._connection.executemany(sql, values)

    def one(self, sql: str, values: Values = ()) -> int:
        return self._connection.execute(sql, values).rowcount


class RegisterDatabase:
    """The register, be it SQLite or PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"

    def rows(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Read."""
        with self._told("read"), self._engine.connect() as connection:
            return self._writing(connection).rows(sql, values)

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Give a transaction."""
        with self._told("written"), self._engine.begin() as connection:
            yield self._writing(connection)

    def version(self) -> Hashable:
        """Give SQLite's number with the connection that it belongs to: our own commits by another one count too."""
        if not self._is_sqlite:
            return None
        with self._told("read"), self._engine.connect() as connection:
            number = self._writing(connection).rows("PRAGMA data_version")[0][0]
            return id(connection.connection.dbapi_connection), number

    def among(self, column: str, wanted: Collection[str]) -> tuple[str, Any]:
        """Give a condition; the texts travel as one value, so their number has no limit."""
        if self._is_sqlite:
            return f"{column} IN (SELECT value FROM json_each(?))", json.dumps(list(wanted))
        return f"{column} = ANY(?)", list(wanted)

    def by_key(
        self, table: str, key: tuple[str, str, str], columns: str, wanted: Iterable[tuple[str, str, int]]
    ) -> Iterable[tuple[Any, ...]]:
        """Give key and columns of the rows that have one of these keys."""
        if self._is_sqlite:
            return _by_values(self, table, key, columns, wanted)
        lists = [list(column) for column in zip(*wanted, strict=True)] or [[], [], []]
        chosen = ", ".join(f"{table}.{name}" for name in key)
        sql = (
            f"SELECT {chosen}, {columns} FROM {table} JOIN unnest(?::text[], ?::text[], ?::bigint[]) AS w (a, b, c) "
            f"ON {table}.{key[0]} = w.a AND {table}.{key[1]} = w.b AND {table}.{key[2]} = w.c"
        )
        return self.rows(sql, lists)

    def _writing(self, connection: Connection) -> _RegisterWriting:
        return _RegisterWriting(connection, "?" if self._is_sqlite else "%s")

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            where = self._engine.url.render_as_string(hide_password=True)
            said = str(error).splitlines()[0]
            raise StoreError(f"register {where}: the state of the series cannot be {what}: {said}") from error


class _RegisterWriting:
    def __init__(self, connection: Connection, mark: str) -> None:
        self._connection, self._mark = connection, mark

    def _sql(self, sql: str) -> str:
        return sql if self._mark == "?" else sql.replace("?", self._mark)

    def rows(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._connection.exec_driver_sql(self._sql(sql), tuple(values))]

    def many(self, sql: str, values: Sequence[Values]) -> None:
        if not values:
            return
        # Sorted, so that two collectors lock rows in one order; SQLite lets one write at a time anyhow.
        ordered: list[Any] = list(values)
        if self._mark != "?":
            ordered.sort()
        for statement, some in _in_blocks(sql, ordered, self._mark):
            self._connection.exec_driver_sql(statement, some)

    def each(self, sql: str, values: Sequence[Values]) -> None:
        if values:
            self._connection.exec_driver_sql(self._sql(sql), [tuple(row) for row in values])

    def one(self, sql: str, values: Values = ()) -> int:
        return self._connection.exec_driver_sql(self._sql(sql), tuple(values)).rowcount
