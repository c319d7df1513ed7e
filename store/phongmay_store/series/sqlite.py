"""The embedded series store: one SQLite file, one writer (the collector), any number of readers in other processes.

Arrivals go in, rows come out. WAL lets readers and the writer work at the same time; the writer syncs every commit,
because a receipt promises that a power cut loses nothing. Anything that SQLite refuses becomes a StoreError. Long
because it is the whole engine.
"""
# ruff: noqa: S608 - table and column names come from the catalogue, every value is bound

from __future__ import annotations

import json
import math
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from phongmay_contract.catalogue import MEASUREMENTS, Type, Value
from phongmay_contract.envelope import Group
from phongmay_contract.topics import Kind
from phongmay_store.errors import StoreError
from phongmay_store.series import sqlite_schema
from phongmay_store.series.interface import (
    Arrival,
    DeadLetter,
    EnvelopeId,
    Hourly,
    Minutes,
    Presence,
    Row,
    RunOffset,
    TimeBasis,
)
from phongmay_store.series.quantities import measurement_of, quantity_of

KEPT_DEAD_LETTERS = 2000
"""The newest are kept, since they tell what goes wrong now; ids go on counting, so a gap shows that older ones went."""
KEPT_PAYLOAD_BYTES = 64 * 1024
MAX_ODD_NAMES = 1000
"""Different odd names that are counted by name; further ones count as 'others', so that no agent can fill the file."""
MAX_ODD_NAME = 100
INTERNET = "internet"
"""The reach target on which the masks reachable and unreachable rest."""
_NUDGE_S = 1e-6
_UNKNOWN, _OUT_OF_RANGE = "unknown", "out_of_range"
_IDS_A_QUERY = 500

_LATEST = """
INSERT INTO latest VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at, basis = excluded.basis
WHERE CASE WHEN (latest.basis = 'guess') = (excluded.basis = 'guess') THEN excluded.at > latest.at
           ELSE latest.basis = 'guess' END"""
_MINUTES = """
INSERT INTO minutes VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET seen = seen | excluded.seen,
reachable = reachable | excluded.reachable, unreachable = unreachable | excluded.unreachable"""
_IMPOSSIBLE = """
INSERT INTO out_of_range VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET last_at = max(last_at, excluded.last_at),
count = count + excluded.count"""
_LISTENING = "INSERT INTO listening VALUES (?, ?) ON CONFLICT DO UPDATE SET minutes = minutes | excluded.minutes"
_ODD = "INSERT INTO odd_name VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count"


class SqliteSeries:
    """Series in one SQLite file; see `interface` for what each method promises."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._quantities = {name: _quantities(connection, name) for name in MEASUREMENTS}
        self._insert = {name: _insert_sql(name) for name in MEASUREMENTS}

    @classmethod
    def open(cls, path: Path) -> SqliteSeries:
        """Open the file for writing; makes it, its directory and its tables when they are missing.

        Raises:
            StoreError: it cannot be made or written, or is no series store.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=15, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            sqlite_schema.create(connection)
            return cls(connection, path)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"store.series_path {path}: the series store cannot be opened for writing ({error}); "
                "give a file in a directory that this user may write"
            ) from error

    @classmethod
    def open_reader(cls, path: Path) -> SqliteSeries:
        """Open an existing file for reading only.

        Raises:
            StoreError: there is no such file, or it is no series store.
        """
        if not path.is_file():
            raise StoreError(
                f"store.series_path {path}: no such file; the collector makes it: start 'phongmay collector run' first"
            )
        try:
            uri = path.resolve().as_uri() + "?mode=ro"
            connection = sqlite3.connect(uri, uri=True, timeout=15, isolation_level=None, check_same_thread=False)
            if not sqlite_schema.columns(connection, next(iter(MEASUREMENTS))):
                raise StoreError(
                    f"store.series_path {path}: is no series store yet; start 'phongmay collector run' first"
                )
            return cls(connection, path)
        except sqlite3.Error as error:
            raise StoreError(f"store.series_path {path}: the series store cannot be read ({error})") from error

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    # ---- writing -------------------------------------------------------------------------------------------------

    def known(self, ids: Iterable[EnvelopeId]) -> set[EnvelopeId]:
        """Tell which of these envelopes are stored already."""
        wanted = list(ids)
        found: set[EnvelopeId] = set()
        for start in range(0, len(wanted), _IDS_A_QUERY):
            some = wanted[start : start + _IDS_A_QUERY]
            marks = ",".join(["(?,?,?)"] * len(some))
            rows = self._read(
                f"SELECT sender, run, seq FROM envelope WHERE (sender, run, seq) IN (VALUES {marks})",
                [value for identity in some for value in identity],
            )
            found.update(EnvelopeId(*row) for row in rows)
        return found

    def write(
        self,
        arrivals: Sequence[Arrival],
        offsets: Sequence[RunOffset] = (),
        presence: Sequence[Presence] = (),
        dead: Sequence[DeadLetter] = (),
    ) -> None:
        """Commit all of this in one transaction; envelopes that are stored already change nothing.

        Raises:
            StoreError: nothing was written.
        """
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO run_offset VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [(o.device, o.run, o.offset, o.basis.value) for o in offsets],
            )
            self._write_arrivals(connection, arrivals)
            connection.executemany(
                "INSERT OR REPLACE INTO presence VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(p.device, p.state, p.session, p.run, p.since, p.last_seen, p.agent) for p in presence],
            )
            if dead:
                connection.executemany(
                    "INSERT INTO dead_letter (topic, reason, detail, payload, received) VALUES (?, ?, ?, ?, ?)",
                    [(d.topic, d.reason, d.detail, d.payload[:KEPT_PAYLOAD_BYTES], d.received) for d in dead],
                )
                connection.execute(
                    "DELETE FROM dead_letter WHERE id <= (SELECT max(id) FROM dead_letter) - ?", (KEPT_DEAD_LETTERS,)
                )

    def _write_arrivals(self, connection: sqlite3.Connection, arrivals: Sequence[Arrival]) -> None:
        latest: dict[tuple[str, str, str, bool], tuple[float, TimeBasis]] = {}
        minutes: dict[tuple[str, int], list[int]] = {}
        odd: Counter[tuple[str, str]] = Counter()
        for arrival in arrivals:
            envelope = arrival.envelope
            fresh = connection.execute(
                "INSERT INTO envelope VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (*arrival.id, envelope.kind.value, arrival.at, arrival.basis.value, arrival.received),
            )
            if fresh.rowcount == 0:
                continue
            for group in envelope.body:
                device = group.subject or envelope.sender
                at = self._insert_row(connection, device, group, arrival)
                key = (group.measurement, device, group.part, arrival.basis is TimeBasis.GUESS)
                if key not in latest or at > latest[key][0]:
                    latest[key] = (at, arrival.basis)
            if envelope.kind is Kind.ROUND and arrival.basis is not TimeBasis.GUESS:
                _mark_minute(minutes, arrival)
            odd.update((_UNKNOWN, name[:MAX_ODD_NAME]) for name in arrival.unknown)
            odd.update((_OUT_OF_RANGE, name[:MAX_ODD_NAME]) for name in arrival.out_of_range)
            if arrival.out_of_range:
                names = len(arrival.out_of_range)
                connection.execute(_IMPOSSIBLE, (envelope.sender, arrival.received, names))
        connection.executemany(_LATEST, [(*key[:3], at, basis.value) for key, (at, basis) in latest.items()])
        connection.executemany(_MINUTES, [(*key, *masks) for key, masks in minutes.items()])
        if odd:
            _count_odd(connection, odd)

    def _insert_row(self, connection: sqlite3.Connection, device: str, group: Group, arrival: Arrival) -> float:
        """Insert one row; where two envelopes measured at the same instant, the later one is moved by a microsecond."""
        values = [group.values.get(quantity.name) for quantity in MEASUREMENTS[group.measurement].quantities]
        at, basis = arrival.at, arrival.basis.value
        sql = self._insert[group.measurement]
        while connection.execute(sql, (device, group.part, at, basis, *arrival.id, *values)).rowcount == 0:
            at += _NUDGE_S
        return at

    def listened(self, times: Iterable[float]) -> None:
        """Keep that a collector could hear in the minutes of these true times."""
        hours: Counter[int] = Counter()
        for at in times:
            hour = int(at // 3600) * 3600
            hours[hour] |= 1 << int((at - hour) // 60)
        with self._transaction() as connection:
            connection.executemany(_LISTENING, hours.items())

    def settle(self, offsets: Sequence[RunOffset]) -> Sequence[RunOffset]:
        """Keep the offsets of runs that have none yet; give the offset that holds for each, in order."""
        if offsets:
            self.write([], offsets)
        return [self.offset(offset.device, offset.run) or offset for offset in offsets]

    def maintain(self, now: float) -> bool:
        """Give False: one file holds everything for ever, and hours are counted when they are asked for."""
        return False

    def offset(self, device: str, run: str) -> RunOffset | None:
        """Give the offset that was learnt for a run, if any."""
        rows = self._read("SELECT offset_s, basis FROM run_offset WHERE device = ? AND run = ?", (device, run))
        return RunOffset(device, run, rows[0][0], TimeBasis(rows[0][1])) if rows else None

    # ---- reading -------------------------------------------------------------------------------------------------

    def latest(self, measurement: str, devices: Collection[str] | None = None) -> Iterator[Row]:
        """Give the newest row of each (device, part); of all devices when None."""
        sql = (
            f"{self._select(measurement)} JOIN latest AS l ON m.device = l.device AND m.part = l.part AND m.at = l.at "
            "WHERE l.measurement = ?"
        )
        rows = self._of_devices(sql, [measurement], "l.device", devices, "l.device, l.part")
        return (self._row(measurement, row) for row in rows)

    def newer(self, measurement: str, since: float) -> set[str]:
        """Give the devices whose newest row of a measurement is about a time after `since`."""
        sql = "SELECT DISTINCT device FROM latest WHERE measurement = ? AND at > ?"
        return {device for (device,) in self._read(sql, (measurement, since))}

    def range(
        self,
        device: str,
        measurement: str,
        start: float,
        end: float,
        *,
        part: str | None = None,
        limit: int = 1000,
        after: tuple[float, str] | None = None,
    ) -> Sequence[Row]:
        """Give rows with start <= at < end in order of (at, part), at most `limit`, beginning behind `after`."""
        sql = f"{self._select(measurement)} WHERE m.device = ? AND m.at >= ? AND m.at < ?"
        values: list[Value] = [device, start, end]
        if part is not None:
            sql += " AND m.part = ?"
            values.append(part)
        else:  # named one by one, so that the key (device, part, at) finds the times without reading all of them
            sql += " AND m.part IN (SELECT part FROM latest WHERE measurement = ? AND device = ?)"
            values += (measurement, device)
        if after is not None:
            sql += " AND (m.at, m.part) > (?, ?)"
            values += after
        rows = self._read(f"{sql} ORDER BY m.at, m.part LIMIT ?", [*values, limit])
        return [self._row(measurement, row) for row in rows]

    def hourly(
        self, measurement: str, quantity: str, start: float, end: float, devices: Collection[str] | None = None
    ) -> Sequence[Hourly]:
        """Give a gauge by the hour, over all parts of all these devices."""
        quantity_of(measurement, quantity)
        hour = "CAST(floor(at / 3600) AS INTEGER) * 3600"
        sql = (
            f'SELECT {hour} AS hour, count("{quantity}"), min("{quantity}"), max("{quantity}"), avg("{quantity}") '
            f'FROM {sqlite_schema.table(measurement)} WHERE at >= ? AND at < ? AND "{quantity}" IS NOT NULL'
        )
        first, last = math.floor(start / 3600) * 3600, math.ceil(end / 3600) * 3600
        rows = self._of_devices(sql, [first, last], "device", devices, "hour", group="hour")
        return [Hourly(hour, count, float(low), float(high), mean) for hour, count, low, high, mean in rows]

    def minutes(self, start: float, end: float, devices: Collection[str] | None = None) -> Iterator[Minutes]:
        """Give the minute masks of every hour that touches [start, end)."""
        sql = "SELECT device, hour, seen, reachable, unreachable FROM minutes WHERE hour > ? AND hour < ?"
        rows = self._of_devices(sql, [start - 3600, end], "device", devices, "device, hour")
        return map(Minutes._make, rows)

    def listening(self, start: float, end: float) -> dict[int, int]:
        """Give the minutes in which a collector could hear."""
        rows = self._read("SELECT hour, minutes FROM listening WHERE hour > ? AND hour < ?", (start - 3600, end))
        return dict(rows)

    def presence(self, devices: Collection[str] | None = None) -> Iterator[Presence]:
        """Give the presence of devices that were ever heard of."""
        sql = "SELECT device, state, session, run, since, last_seen, agent FROM presence WHERE true"
        return (Presence(*row) for row in self._of_devices(sql, [], "device", devices, "device"))

    def envelope_count(self, device: str | None = None) -> int:
        """Count stored envelopes: each identity once."""
        where, values = ("", ()) if device is None else (" WHERE sender = ?", (device,))
        return int(self._read(f"SELECT count(*) FROM envelope{where}", values)[0][0])

    def dead_letters(self, limit: int = 100, after: int = 0) -> Sequence[DeadLetter]:
        """Give dead letters with id > after, oldest first."""
        sql = "SELECT id, topic, reason, detail, payload, received FROM dead_letter WHERE id > ? ORDER BY id LIMIT ?"
        return [DeadLetter(*row) for row in self._read(sql, (after, limit))]

    def unknown_names(self) -> Mapping[str, int]:
        """Give how often each unknown measurement or quantity name was met."""
        return self._odd_names(_UNKNOWN)

    def out_of_range_names(self) -> Mapping[str, int]:
        """Give how often each quantity had a value that is physically impossible."""
        return self._odd_names(_OUT_OF_RANGE)

    def out_of_range_devices(self) -> Mapping[str, float]:
        """Give when each device last sent a value that is physically impossible; devices that never did are absent."""
        if not sqlite_schema.has_table(self._connection, "out_of_range"):
            return {}
        return dict(self._read("SELECT device, last_at FROM out_of_range"))

    def _odd_names(self, oddity: str) -> dict[str, int]:
        return dict(self._read("SELECT name, count FROM odd_name WHERE oddity = ? ORDER BY name", (oddity,)))

    def _select(self, measurement: str) -> str:
        measurement_of(measurement)
        names = (*sqlite_schema.KEY_COLUMNS, *self._quantities[measurement])
        columns = ", ".join(f'm."{name}"' for name in names)
        return f"SELECT {columns} FROM {sqlite_schema.table(measurement)} AS m"

    def _row(self, measurement: str, raw: tuple[Any, ...]) -> Row:
        device, part, at, basis, sender, run, seq = raw[: len(sqlite_schema.KEY_COLUMNS)]
        by_name = MEASUREMENTS[measurement].by_name
        cells = zip(self._quantities[measurement], raw[len(sqlite_schema.KEY_COLUMNS) :], strict=True)
        values = {
            name: bool(value) if by_name[name].type is Type.BOOL else value
            for name, value in cells
            if value is not None
        }
        return Row(device, part, at, TimeBasis(basis), values, EnvelopeId(sender, run, seq))

    # ---- one way to talk to SQLite -------------------------------------------------------------------------------

    def _of_devices(
        self,
        sql: str,
        values: Sequence[Value],
        column: str,
        devices: Collection[str] | None,
        order: str,
        group: str = "",
    ) -> list[tuple[Any, ...]]:
        """Read rows of some devices; the list travels as one JSON text, so its length has no limit."""
        tail = f"GROUP BY {group} ORDER BY {order}" if group else f"ORDER BY {order}"
        if devices is None:
            return self._read(f"{sql} {tail}", values)
        chosen = json.dumps(list(devices))
        return self._read(f"{sql} AND {column} IN (SELECT value FROM json_each(?)) {tail}", [*values, chosen])

    def _read(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"series store {self._path} cannot be read: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StoreError(
                f"series store {self._path} cannot be written: {error}; see that the disk has room and is not read-only"
            ) from error


def _quantities(connection: sqlite3.Connection, measurement: str) -> list[str]:
    """Give the quantities that program and file both know: a file may be older than the program that reads it."""
    there = sqlite_schema.columns(connection, measurement)
    return [quantity.name for quantity in MEASUREMENTS[measurement].quantities if quantity.name in there]


def _insert_sql(measurement: str) -> str:
    names = [*sqlite_schema.KEY_COLUMNS, *(quantity.name for quantity in MEASUREMENTS[measurement].quantities)]
    columns = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO {sqlite_schema.table(measurement)} ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING"


def _mark_minute(minutes: dict[tuple[str, int], list[int]], arrival: Arrival) -> None:
    """Set the bit of the round's minute; a guessed time never gets here, since availability must not rest on it."""
    envelope = arrival.envelope
    hour = int(arrival.at // 3600) * 3600
    bit = 1 << int((arrival.at - hour) // 60)
    masks = minutes.setdefault((envelope.sender, hour), [0, 0, 0])
    masks[0] |= bit
    for group in envelope.body:
        if group.measurement == "reach" and group.part == INTERNET and group.subject in ("", envelope.sender):
            masks[1 if group.values["ok"] else 2] |= bit


def _count_odd(connection: sqlite3.Connection, odd: Counter[tuple[str, str]]) -> None:
    there = {tuple(row) for row in connection.execute("SELECT oddity, name FROM odd_name")}
    for (oddity, name), count in odd.items():
        full = (oddity, name) not in there and len(there) >= MAX_ODD_NAMES
        connection.execute(_ODD, (oddity, "others" if full else name, count))
        there.add((oddity, name))
