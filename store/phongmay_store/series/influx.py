"""The series on InfluxDB 1.x, 2.x or 3: points there, what is no point in the register's tables `series_*`.

Arrivals go in, rows come out. Points first, then what follows from them in one transaction, then the receipt: a crash
in between repeats the same points (see ADR 8). Two databases: `<name>_raw` for rounds, kept for store.raw_days, and
`<name>` for what stays. What server or register refuse is a StoreError.
"""
# ruff: noqa: S608 - literals and names come from influx_words, which lets nothing end one

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Engine

from phongmay_store.register.engine import open_register
from phongmay_store.series.arrivals import Arrivals, Lines
from phongmay_store.series.database import RegisterDatabase
from phongmay_store.series.housekeeping import Housekeeping, raw_from
from phongmay_store.series.influx_hours import InfluxHours, hourly_fields, hourly_measurement
from phongmay_store.series.influx_latest import latest
from phongmay_store.series.influx_server import InfluxServer
from phongmay_store.series.influx_weeks import InfluxWeeks
from phongmay_store.series.influx_words import (
    GUESSED,
    OWN_FIELDS,
    SOURCE_SEQ,
    among,
    encode,
    literal,
    name,
    row_of,
    tag_back,
    tag_filter,
)
from phongmay_store.series.interface import (
    Arrival,
    DeadLetter,
    EnvelopeId,
    Hourly,
    MinuteCounts,
    Minutes,
    Presence,
    Reach,
    Row,
    RunOffset,
    Strips,
)
from phongmay_store.series.quantities import is_raw, measurement_of, quantity_of
from phongmay_store.series.state import HOUR_S, State
from phongmay_store.settings import StoreSettings

_SLACK_NS = 1_000_000
"""Points lie up to a millisecond from the true time: asked for generously, then looked at one by one."""
_MOST_NS = 9_223_372_036_000_000_000
"""Times lie between this and its negative: the whole seconds of 64 bits, with room for the millisecond above."""


class InfluxSeries:
    """Series on an InfluxDB; see `interface` for what each method promises.

    Args:
        settings: of the store; opening asks nothing of the network.
        engine: the register; None opens the one of the settings.
    """

    def __init__(self, settings: StoreSettings, engine: Engine | None = None) -> None:
        self._engine = engine or open_register(settings.register_url)
        self._owns_engine = engine is None
        self._state = State(RegisterDatabase(self._engine))
        self._server = InfluxServer(settings.influx)
        self._kept = settings.influx.database
        self._raw = f"{self._kept}_raw"
        self._raw_days = settings.raw_days
        self._weeks = InfluxWeeks(self._server, self._state, self._kept)
        hours = InfluxHours(self._server, self._state, self._weeks, self._raw, self._kept)
        self._housekeeping = Housekeeping(self._state, hours, settings.raw_days)

    def close(self) -> None:
        """Let go of the connections."""
        self._server.close()
        if self._owns_engine:
            self._engine.dispose()

    # ---- writing -----------------------------------------------------------------------------------------------------

    def known(self, ids: Iterable[EnvelopeId]) -> set[EnvelopeId]:
        """Tell which of these envelopes are stored already."""
        return self._state.known(ids)

    def settle(self, offsets: Sequence[RunOffset]) -> Sequence[RunOffset]:
        """Keep the offsets of runs that have none yet; give the offset that holds for each, in order."""
        return self._state.settle(offsets, time.time())

    def prepare(self, arrivals: Arrivals, again: Callable[[], Arrivals]) -> Arrivals:
        """Write the lines of arrivals while their values are at hand."""
        return arrivals.prepared(self._lines(arrivals), again)

    def _lines(self, arrivals: Arrivals) -> Lines:
        return encode(arrivals, raw_from(arrivals.received[-1], self._raw_days))

    def write(
        self,
        arrivals: Sequence[Arrival] | Arrivals,
        presence: Sequence[Presence] = (),
        dead: Sequence[DeadLetter] = (),
    ) -> None:
        """Write points, then what follows from them; envelopes that are stored already change nothing.

        Raises:
            StoreError: nothing was promised; the same may be written again.
        """
        fresh = self._state.fresh(arrivals)
        if fresh.arrivals.seqs:
            ready = fresh.arrivals.ready
            lines = self._lines(fresh.arrivals) if ready is None else ready.lines
            self._server.write(self._raw, lines.raw)
            self._server.write(self._kept, lines.kept)
        if fresh.arrivals.seqs or presence or dead:
            with self._state.database.writing() as writing:
                self._state.keep(writing, fresh, presence, dead)
            self._state.kept(fresh)

    def listened(self, times: Iterable[float]) -> None:
        """Keep that a collector could hear in the minutes of these true times."""
        self._state.listened(times)

    def maintain(self, now: float) -> bool:
        """Do one small piece of the housekeeping that is due."""
        return self._housekeeping.step(now)

    def offset(self, device: str, run: str) -> RunOffset | None:
        """Give the offset that was learnt for a run, if any."""
        return self._state.offset(device, run)

    # ---- reading points ----------------------------------------------------------------------------------------------

    def _database(self, measurement: str) -> str:
        return self._raw if is_raw(measurement_of(measurement)) else self._kept

    def latest(self, measurement: str, devices: Collection[str] | None = None) -> Iterator[Row]:
        """Give the newest row of each (device, part); one whose time is a guess only where there is no other."""
        database = self._database(measurement)
        if devices is not None and not devices:
            return iter(())
        newest = latest(self._server, database, measurement, _columns(measurement), devices)
        return (newest[key] for key in sorted(newest) if devices is None or key[0] in devices)

    def newer(self, measurement: str, since: float) -> set[str]:
        """Give the devices whose newest row of a measurement is about a time after `since`."""
        statement = (
            f"SELECT last({name(SOURCE_SEQ)}) FROM {name(measurement)} "
            f'WHERE time > {_nanoseconds(since)} GROUP BY "device"'
        )
        found = self._server.query(self._database(measurement), statement)
        return {tag_back(series.tags["device"]) for series in found}

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
        first = max(start, after[0]) if after else start
        where = (
            f'"device" = {literal(tag_filter(device))} AND time >= {_nanoseconds(first) - _SLACK_NS} '
            f"AND time <= {_nanoseconds(end) + _SLACK_NS}"
        )
        if part is not None:
            where += f' AND "part" = {literal(tag_filter(part))}'
        rows: list[Row] = []
        margin = limit + 64
        while True:
            statement = (
                f"SELECT {_columns(measurement)} FROM {name(measurement)} WHERE {where} "
                f'GROUP BY "device", "part" ORDER BY time ASC LIMIT {margin}'
            )
            rows, cut = [], False
            for series in self._server.query(self._database(measurement), statement):
                cut = cut or len(series.values) >= margin
                rows += (row_of(measurement, series.tags, cells) for cells in series.rows())
            rows = [
                row
                for row in rows
                if start <= row.at < end and row.device == device and (after is None or (row.at, row.part) > after)
            ]
            if len(rows) >= limit or not cut:
                break
            margin *= 4
        return sorted(rows, key=lambda row: (row.at, row.part))[:limit]

    def hourly(
        self, measurement: str, quantity: str, start: float, end: float, devices: Collection[str] | None = None
    ) -> Sequence[Hourly]:
        """Give a gauge by the hour, over all parts of all these devices."""
        quantity_of(measurement, quantity)
        if devices is not None and not devices:
            return []
        first, last = math.floor(start / HOUR_S) * HOUR_S, math.ceil(end / HOUR_S) * HOUR_S
        oldest = raw_from(time.time(), self._raw_days)
        changed = {hour for hour, _, _ in self._state.changed_hours(max(first, oldest), last)}
        found = {
            hour.hour: hour
            for hour in self._rolled(measurement, quantity, first, last, devices)
            if hour.hour not in changed
        }
        for hour in changed:
            counted = self._counted(measurement, quantity, hour, devices)
            if counted is not None:
                found[hour] = counted
        return [found[hour] for hour in sorted(found)]

    def _rolled(
        self, measurement: str, quantity: str, first: int, last: int, devices: Collection[str] | None
    ) -> Iterator[Hourly]:
        samples, low, high, mean = (name(field) for field in hourly_fields(quantity))
        where = f"time >= {_nanoseconds(first)} AND time < {_nanoseconds(last)}"
        where += f" AND {among('device', devices)}" if devices is not None else ""
        source = name(hourly_measurement(measurement))
        sums, ends = self._server.results(
            self._kept,
            f'SELECT sum("total") FROM (SELECT {mean} * {samples} AS "total" FROM {source} WHERE {where}) '
            f"WHERE time >= {_nanoseconds(first)} AND time < {_nanoseconds(last)} GROUP BY time(1h) fill(none); "
            f"SELECT sum({samples}) AS samples, min({low}) AS low, max({high}) AS high FROM {source} "
            f"WHERE {where} GROUP BY time(1h) fill(none)",
        )
        totals = {cells["time"]: cells["sum"] for series in sums for cells in series.rows()}
        for series in ends:
            for cells in series.rows():
                count, at = int(cells["samples"]), cells["time"]
                yield Hourly(at // 10**9, count, float(cells["low"]), float(cells["high"]), totals[at] / count)

    def _counted(self, measurement: str, quantity: str, hour: int, devices: Collection[str] | None) -> Hourly | None:
        """Count an hour that is not rolled up yet."""
        field = name(quantity)
        where = f"time >= {_nanoseconds(hour)} AND time < {_nanoseconds(hour + HOUR_S)} AND {name(GUESSED)} != 'yes'"
        where += f" AND {among('device', devices)}" if devices is not None else ""
        statement = (
            f"SELECT count({field}) AS samples, min({field}) AS low, max({field}) AS high, mean({field}) AS mean "
            f"FROM {name(measurement)} WHERE {where}"
        )
        for series in self._server.query(self._raw, statement):
            for cells in series.rows():
                if cells["samples"]:
                    low, high, mean = float(cells["low"]), float(cells["high"]), float(cells["mean"])
                    return Hourly(hour, int(cells["samples"]), low, high, mean)
        return None

    def minutes(self, start: float, end: float, devices: Collection[str] | None = None) -> Iterator[Minutes]:
        """Give the minute masks of every hour that touches [start, end): those of the server and those of the state."""
        return self._weeks.minutes(start, end, devices)

    def seen(self, start: float, end: float, devices: Collection[str] | None = None) -> Mapping[str, int]:
        """Give the minutes of [start, end), two whole UTC hours, in which each device measured a round: as `strips`."""
        return self._weeks.seen(start, end, devices)

    def strips(self, start: float, end: float, devices: Collection[str]) -> Mapping[str, Strips]:
        """Give the minutes of [start, end), two whole UTC hours, as `seen`, and those that tried the Internet."""
        return self._weeks.strips(start, end, devices)

    def reach(self, start: float, end: float, devices: Collection[str]) -> Mapping[str, Reach]:
        """Give the minutes of every hour that touches [start, end) in which each device tried the Internet target."""
        return self._weeks.reach(start, end, devices)

    def minutes_within(
        self, wanted: Mapping[int, int], devices: Collection[str] | None = None
    ) -> Mapping[str, MinuteCounts]:
        """Count the minutes of each device that lie in wanted ones."""
        return self._weeks.minutes_within(wanted, devices)

    # ---- reading the state -------------------------------------------------------------------------------------------

    def listening(self, start: float, end: float) -> Mapping[int, int]:
        """Give the minutes in which a collector could hear."""
        return self._state.listening(start, end)

    def presence(self, devices: Collection[str] | None = None) -> Iterator[Presence]:
        """Give the presence of devices that were ever heard of."""
        return self._state.presence(devices)

    def envelope_count(self, device: str | None = None) -> int:
        """Count stored envelopes: each identity once."""
        return self._state.envelope_count(device)

    def dead_letters(self, limit: int = 100, after: int = 0) -> Sequence[DeadLetter]:
        """Give dead letters with id > after, oldest first."""
        return self._state.dead_letters(limit, after)

    def unknown_names(self) -> Mapping[str, int]:
        """Give how often each unknown measurement or quantity name was met."""
        return self._state.unknown_names()

    def out_of_range_devices(self) -> Mapping[str, float]:
        """Give when each device last sent a value that is physically impossible."""
        return self._state.out_of_range_devices()


def _columns(measurement: str) -> str:
    names = [quantity.name for quantity in measurement_of(measurement).quantities]
    return ", ".join(name(one) for one in (*names, *OWN_FIELDS))


def _nanoseconds(at: float) -> int:
    """Give a time as InfluxDB takes it: beyond the years 1677 and 2262 it knows none, and we no point."""
    return min(max(round(at * 1e6) * 1000, -_MOST_NS), _MOST_NS)
