"""The disk spool: envelopes wait here until the server's receipt, also through kill -9 and power cuts.

An envelope goes in before it is sent; only a receipt takes it out. The size is bounded: a full spool drops its oldest
envelope and counts it. A broken file is set aside (one such file is kept) and a new one begun; where not even that can
be done in mid-run, envelopes wait in memory. At the start a place that cannot be written, another agent on the same
file, or somebody else's database raises SpoolError. One SQLite file in WAL mode, locked for this process; every append
is on the disk when it returns.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from phongmay_contract.envelope import Envelope, Receipt, decode_stored, encode_stored
from phongmay_contract.errors import ContractError, OperatorError
from phongmay_contract.units import MIB

_APPLICATION_ID = 0x504D5350  # "PMSP"
_ROW_BYTES = 96
"""What a row costs beside its payload: record, index entry and their share of page space."""
_MEMORY_BYTES = 4 * MIB
"""Bound of a spool that has to live in memory."""
_SETUP = """
CREATE TABLE envelope (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL,
    seq INTEGER NOT NULL,
    payload BLOB NOT NULL,
    UNIQUE (run, seq)
);
CREATE TABLE dropped (count INTEGER NOT NULL);
INSERT INTO dropped VALUES (0);
"""

Key = tuple[str, int]
"""(run, seq): what names an envelope of this sender."""


class SpoolError(OperatorError):
    """The spool cannot be used."""


class _NotASpool(Exception):
    """The file is a database of somebody else."""


class Spool:
    """Envelopes without a receipt.

    Attributes:
        count: envelopes in it.
        size_bytes: what they take.
        dropped: envelopes lost because it was full or broken, since the file was made.
        set_aside: how many broken files this object has set aside.
        in_memory: the disk failed in mid-run; what waits now is lost when the agent ends.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Open or make the spool.

        Raises:
            SpoolError: it cannot be written, is in use, or is something else.
        """
        self.path = path
        self.max_bytes = max_bytes
        self.set_aside = 0
        self.in_memory = False
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise SpoolError(
                f"{path}: cannot be written ({error.strerror}); set 'spool_file' to a place that the agent may write"
            ) from None
        try:
            self._open(str(path))
        except _NotASpool:
            raise SpoolError(f"{path}: is another program's database; set 'spool_file' to a file of its own") from None
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise SpoolError(f"{path}: another agent is using this spool; stop it first") from None
            raise SpoolError(f"{path}: cannot be used ({error}); set 'spool_file' to a local disk with space") from None
        except sqlite3.DatabaseError:
            self._set_aside()

    # ---- the file -----------------------------------------------------------------------------------------------

    def _open(self, where: str) -> None:
        connection = sqlite3.connect(where, timeout=0.5, isolation_level=None)
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA cache_size = -256")
            known = connection.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID
            if not known and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise _NotASpool
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 64")
            if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("quick_check failed")
            if not known:
                connection.executescript(
                    f"BEGIN EXCLUSIVE; {_SETUP} PRAGMA application_id = {_APPLICATION_ID}; COMMIT;"
                )
            count, size = connection.execute(
                "SELECT count(*), coalesce(sum(length(payload) + ?), 0) FROM envelope", (_ROW_BYTES,)
            ).fetchone()
            dropped = connection.execute("SELECT count FROM dropped").fetchone()[0]
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self.count, self.size_bytes, self.dropped = int(count), int(size), int(dropped)

    def _set_aside(self) -> None:
        """Put the broken file aside and open a new one; what was in it is not counted as dropped."""
        with contextlib.suppress(AttributeError, sqlite3.Error):
            self._connection.close()
        try:
            self.path.replace(self.path.with_name(self.path.name + ".broken"))
            for suffix in ("-wal", "-shm", "-journal"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self._open(str(self.path))
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(f"{self.path}: is broken and cannot be replaced ({error}); free its disk") from None
        self.set_aside += 1

    def _begin_anew(self, error: sqlite3.DatabaseError) -> None:
        """Go on after the file broke in mid-run: with a new one, or in memory where the disk takes none."""
        if type(error) is not sqlite3.DatabaseError:  # its subclasses tell of wrong use, not of a broken file
            raise error
        try:
            self._set_aside()
        except SpoolError:
            self.max_bytes = min(self.max_bytes, _MEMORY_BYTES)
            self.in_memory = True
            self._open(":memory:")

    def close(self) -> None:
        """Close the file; what is in it stays."""
        self._connection.close()

    # ---- envelopes ----------------------------------------------------------------------------------------------

    def append(self, envelope: Envelope) -> None:
        """Put an envelope on the disk; the oldest go when there is no room.

        Raises:
            SpoolError: the disk takes nothing any more; the envelope is not kept.
        """
        payload = encode_stored(envelope)
        for _ in range(3):
            try:
                self._insert(envelope, payload)
            except sqlite3.OperationalError as error:
                if "full" not in str(error) or not self.count:
                    raise SpoolError(f"{self.path}: cannot be written ({error}); free its disk") from None
                self._drop(max(1, self.count // 10))  # the disk is full: make room inside the file
            except sqlite3.IntegrityError:
                return  # this very envelope is in it already
            except sqlite3.DatabaseError as error:
                self._begin_anew(error)
            else:
                return
        raise SpoolError(f"{self.path}: cannot be written (no space left); free its disk")

    def _insert(self, envelope: Envelope, payload: bytes) -> None:
        size = len(payload) + _ROW_BYTES
        with self._transaction():
            while self.count and self.size_bytes + size > self.max_bytes:
                self._delete_oldest(1)
            self._connection.execute(
                "INSERT INTO envelope (run, seq, payload) VALUES (?, ?, ?)", (envelope.run, envelope.seq, payload)
            )
            self.count += 1
            self.size_bytes += size

    def pending(self, limit: int, max_bytes: int, without: Collection[Key] = ()) -> list[Envelope]:
        """Give the oldest envelopes.

        Args:
            limit: how many at most.
            max_bytes: size of their payloads together at most (one envelope always fits).
            without: keys that are left out because they are on their way already.
        """
        found: list[Envelope] = []
        unreadable: list[int] = []
        size = 0
        try:
            cursor = self._connection.execute("SELECT id, run, seq, payload FROM envelope ORDER BY id")
            for row, run, seq, payload in cursor:
                if (run, seq) in without:
                    continue
                size += len(payload)
                if len(found) >= limit or (found and size > max_bytes):
                    break
                try:
                    found.append(decode_stored(payload))
                except ContractError:  # written by an agent of another version, or rotten
                    unreadable.append(row)
            cursor.close()
            if unreadable:
                self._drop_rows(unreadable)
        except sqlite3.OperationalError:
            return []  # a disk that fails to read now may read later
        except sqlite3.DatabaseError as error:
            self._begin_anew(error)
            return []
        return found

    def forget(self, receipts: Iterable[Receipt]) -> None:
        """Take out what the collector has stored or finally refused, and nothing else."""
        try:
            with self._transaction():
                for receipt in receipts:
                    ranges = [*receipt.stored, *((seq, seq) for seq, _ in receipt.refused)]
                    for first, last in ranges:
                        self._count_out(
                            self._connection.execute(
                                "DELETE FROM envelope WHERE run = ? AND seq BETWEEN ? AND ? RETURNING length(payload)",
                                (receipt.run, first, last),
                            )
                        )
        except sqlite3.OperationalError:
            pass  # a full disk: they are sent once more, and that changes nothing
        except sqlite3.DatabaseError as error:
            self._begin_anew(error)

    # ---- inside -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        before = self.count, self.size_bytes, self.dropped
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self.count, self.size_bytes, self.dropped = before
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _drop(self, number: int) -> None:
        with contextlib.suppress(sqlite3.OperationalError), self._transaction():
            self._delete_oldest(number)

    def _delete_oldest(self, number: int) -> None:
        self._count_dropped(
            self._connection.execute(
                "DELETE FROM envelope WHERE id IN (SELECT id FROM envelope ORDER BY id LIMIT ?)"
                " RETURNING length(payload)",
                (number,),
            )
        )

    def _drop_rows(self, rows: list[int]) -> None:
        with self._transaction():
            for row in rows:
                self._count_dropped(
                    self._connection.execute("DELETE FROM envelope WHERE id = ? RETURNING length(payload)", (row,))
                )

    def _count_dropped(self, deleted: sqlite3.Cursor) -> None:
        number = self._count_out(deleted)
        self.dropped += number
        self._connection.execute("UPDATE dropped SET count = count + ?", (number,))

    def _count_out(self, deleted: sqlite3.Cursor) -> int:
        sizes = [size for (size,) in deleted]
        self.count -= len(sizes)
        self.size_bytes -= sum(sizes) + _ROW_BYTES * len(sizes)
        return len(sizes)
