"""Messages that wait on disk while the store is away: as they came, in their order, in one SQLite file.

In: messages. Out: the same messages, oldest first, also after kill -9 or a power cut: each `append` is synced before it
returns, because a receipt may follow. The queue has a bound; what goes beyond it raises QueueFull, and the collector
stops acknowledging instead. A file that cannot be used raises StoreError. One file belongs to one collector.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from phongmay_collector.link import Inbound
from phongmay_store.errors import StoreError

_ROW_BYTES = 100
"""What a row costs besides its payload."""
_TABLE = """
CREATE TABLE IF NOT EXISTS waiting (
    id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL,
    qos INTEGER NOT NULL, retained INTEGER NOT NULL, received REAL NOT NULL, waited REAL NOT NULL) STRICT"""


class QueueFull(StoreError):
    """The bound is reached."""


class DiskQueue:
    """The queue of one collector.

    Args:
        path: its file; made when missing.
        most_bytes: bound.

    Attributes:
        count: messages in it.
        bytes: their size.

    Raises:
        StoreError: the file cannot be opened.
    """

    def __init__(self, path: Path, most_bytes: int) -> None:
        self._path = path
        self._most_bytes = most_bytes
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute(_TABLE)
            self.count, self.bytes = self._connection.execute(
                "SELECT count(*), coalesce(sum(length(payload) + ?), 0) FROM waiting", (_ROW_BYTES,)
            ).fetchone()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"collector.queue_path {path}: the queue cannot be opened ({error}); give a file in a directory that "
                "this user may write"
            ) from error

    def append(self, messages: Sequence[Inbound]) -> int:
        """Keep messages, and give the id of the last.

        Raises:
            QueueFull: they do not fit any more; none is kept.
            StoreError: the disk does not take them; none is kept.
        """
        size = sum(len(message.payload) + _ROW_BYTES for message in messages)
        if self.bytes + size > self._most_bytes:
            raise QueueFull(f"queue {self._path} is full: collector.queue_mib is reached")
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO waiting (user, topic, payload, qos, retained, received, waited) VALUES (?,?,?,?,?,?,?)",
                [(m.user, m.topic, m.payload, m.qos, m.retained, m.received, m.waited) for m in messages],
            )
            last = connection.execute("SELECT max(id) FROM waiting").fetchone()[0]
        self.count += len(messages)
        self.bytes += size
        return int(last)

    def oldest(self, limit: int) -> tuple[list[Inbound], int]:
        """Give the oldest messages, and the id of the last of them; they stay.

        Raises:
            StoreError: the file cannot be read.
        """
        sql = "SELECT id, user, topic, payload, qos, retained, received, waited FROM waiting ORDER BY id LIMIT ?"
        try:
            rows = self._connection.execute(sql, (limit,)).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"queue {self._path} cannot be read: {error}") from error
        messages = [
            Inbound(user, 0, 0, qos, topic, payload, bool(retained), received, 0.0, waited)
            for _, user, topic, payload, qos, retained, received, waited in rows
        ]
        return messages, int(rows[-1][0]) if rows else 0

    def drop(self, last: int) -> None:
        """Forget the messages up to an id: they are stored.

        Raises:
            StoreError: the disk does not take it; they stay, and storing them again changes nothing.
        """
        with self._transaction() as connection:
            count, size = connection.execute(
                "SELECT count(*), coalesce(sum(length(payload) + ?), 0) FROM waiting WHERE id <= ?", (_ROW_BYTES, last)
            ).fetchone()
            connection.execute("DELETE FROM waiting WHERE id <= ?", (last,))
        self.count -= count
        self.bytes -= size
        if not self.count:
            with self._guarded():
                self._connection.execute("PRAGMA incremental_vacuum")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"queue {self._path} cannot be written: {error}; see that the disk has room") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guarded():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
