"""Minute masks of weeks on InfluxDB: 168 hours of a device in one text, a month in a twentieth of the time.

In: masks of hours that are finished. Out: the same masks by week, joined with those of hours that only the register
has yet. `minutes_week` holds a text for each device and week: seen, what `reachable` lacks of it, and unreachable, 168
places of 64 bits each; zeros at the end cut off, packed by zlib, in base64. `minutes_packed` says which weeks are there
whole; others (of a server that an older program filled, or that two collectors wrote at once, until housekeeping has
packed them) are read from the hours in `minutes`. Everything may be repeated. What the server refuses, and a text that
is none of ours, is a StoreError.
"""
# ruff: noqa: S608 - literals and names come from influx_words, which lets nothing end one

from __future__ import annotations

import binascii
import zlib
from binascii import a2b_base64, b2a_base64
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from math import ceil

from phongmay_store.errors import StoreError
from phongmay_store.series.influx_server import InfluxServer
from phongmay_store.series.influx_words import among, name, tag_back, tag_text
from phongmay_store.series.interface import MinuteCounts, Minutes, Reach, Strips
from phongmay_store.series.state import HOUR_S, State
from phongmay_store.series.strips import (
    HOURS,
    PLACES,
    WEEK_BYTES,
    WEEK_S,
    hour_of,
    hours_between,
    joined_strips,
    numbers_of,
    values_of,
)
from phongmay_store.series.tally import Tally

MINUTES, WEEKS, PACKED = "minutes", "minutes_week", "minutes_packed"
_MANY_DEVICES = 1000
"""Beyond so many the question names no devices, and the answer is sifted here."""
_DEVICES_A_PIECE = 500
"""Of which one step of housekeeping packs a week: some 0.5 s of InfluxDB."""
_MOST_S = 9_200_000_000
"""InfluxDB counts nanoseconds in 64 bits."""
Numbers = list[int]
"""Of a device's week: seen, reachable, unreachable."""


class InfluxWeeks:
    """Weeks of minute masks on one server.

    Args:
        server: where they are.
        state: of the series, which has the masks of hours that are not finished.
        kept: database of what is kept.
    """

    def __init__(self, server: InfluxServer, state: State, kept: str) -> None:
        self._server, self._state, self._kept = server, state, kept
        self._todo: set[int] | None = None  # weeks that are not packed; None: nobody has looked
        self._devices: list[str] | None = None  # of the week that is being packed, those that are not done
        self._written: int | None = None  # week that was written last

    # ---- reading -----------------------------------------------------------------------------------------------------

    def minutes(self, start: float, end: float, devices: Collection[str] | None) -> Iterator[Minutes]:
        """Give the masks of every hour that touches [start, end), by device and hour."""
        found = []
        for week, values in self._weeks(start, end, devices):
            at = week * WEEK_S
            places = range(max(0, int((start - at) // HOUR_S)), min(HOURS, ceil((end - at) / HOUR_S)))
            for device, numbers in values.items():
                for place in places:
                    masks = [number >> PLACES * place & (1 << PLACES) - 1 for number in numbers]
                    if masks[0] or masks[2]:
                        found.append(Minutes(device, at + place * HOUR_S, *masks))
        return iter(sorted(found))

    def seen(self, start: float, end: float, devices: Collection[str] | None) -> dict[str, int]:
        """Give the minutes of [start, end), two whole UTC hours, in which each device measured a round: as `strips`."""
        out: defaultdict[str, int] = defaultdict(int)
        for week, values in self._weeks(start, end, devices):
            place = PLACES * ((week * WEEK_S - int(start)) // HOUR_S)
            for device, (seen, *_) in values.items():
                out[device] |= seen << place if place >= 0 else seen >> -place
        whole = (1 << PLACES * hours_between(start, end)) - 1
        return {device: minutes & whole for device, minutes in out.items()}

    def strips(self, start: float, end: float, devices: Collection[str]) -> dict[str, Strips]:
        """Give the minutes of [start, end), two whole UTC hours, as `seen`, and those that tried the Internet."""
        out: dict[str, Strips] = {}
        whole = (1 << PLACES * hours_between(start, end)) - 1
        for week, values in self._weeks(start, end, devices):
            place = PLACES * ((week * WEEK_S - int(start)) // HOUR_S)
            for device, numbers in values.items():
                mine = Strips(*((bits << place if place >= 0 else bits >> -place) & whole for bits in numbers))
                out[device] = joined_strips(out[device], mine) if device in out else mine
        return out

    def reach(self, start: float, end: float, devices: Collection[str] | None) -> dict[str, Reach]:
        """Give the minutes of every hour that touches [start, end) in which each device tried the Internet target."""
        first = hour_of(start)
        whole = (1 << PLACES * max(0, ceil((end - first) / HOUR_S))) - 1
        out: defaultdict[str, Reach] = defaultdict(lambda: Reach(first, 0, 0))
        for week, values in self._weeks(start, end, devices):
            place = PLACES * ((week * WEEK_S - first) // HOUR_S)
            for device, (_, *tried) in values.items():
                mine = [(bits << place if place >= 0 else bits >> -place) & whole for bits in tried]
                out[device] = Reach(first, *(one | two for one, two in zip(out[device][1:], mine, strict=True)))
        return dict(out)

    def minutes_within(self, wanted: Mapping[int, int], devices: Collection[str] | None) -> dict[str, MinuteCounts]:
        """Count the minutes of each device that lie in wanted ones."""
        if not wanted:
            return {}
        inside: defaultdict[int, int] = defaultdict(int)
        for hour, mask in wanted.items():
            inside[hour // WEEK_S] |= mask << PLACES * (hour % WEEK_S // HOUR_S)
        tally = Tally()
        for week, values in self._weeks(min(wanted), max(wanted) + HOUR_S, devices):
            for device, numbers in values.items():
                tally.add(device, numbers, inside[week])
        return tally.counts()

    def _weeks(
        self, start: float, end: float, devices: Collection[str] | None
    ) -> Iterator[tuple[int, dict[str, Numbers]]]:
        """Give the masks of weeks that touch [start, end), each week once; hours outside may lack."""
        start, end = max(start, -_MOST_S), min(end, _MOST_S)
        if start >= end or (devices is not None and not devices):
            return
        recent = self._recent(start, end, devices)  # first: what is finished meanwhile is then found twice
        first, last = int(start // WEEK_S), ceil(end / WEEK_S)
        packed = sorted(self._packed(first, last))
        for week in packed:
            yield week, _joined(self._of_week(week, devices), recent.pop(week, {}))
        edges = [start, *(edge for week in packed for edge in (week * WEEK_S, (week + 1) * WEEK_S)), end]
        for since, until in zip(edges[::2], edges[1::2], strict=True):
            if since < until:
                for week, values in self._of_hours(since, until, devices).items():
                    yield week, _joined(values, recent.pop(week, {}))
        yield from recent.items()

    def _recent(self, start: float, end: float, devices: Collection[str] | None) -> dict[int, dict[str, Numbers]]:
        """Give what the server may not have: hours in which something came since they were finished, if they were."""
        found: dict[int, dict[str, Numbers]] = {}
        for hour, _, _ in self._state.changed_hours(int(start // HOUR_S) * HOUR_S, end):
            rows = self._state.minutes(hour, hour + 1, devices)
            _put(found.setdefault(hour // WEEK_S, {}), hour, ((row.device, row[2:]) for row in rows))
        return found

    def _packed(self, first: int, last: int) -> set[int]:
        statement = (
            f'SELECT "whole" FROM {name(PACKED)} WHERE time >= {_nanoseconds(first)} AND time < {_nanoseconds(last)}'
        )
        found = self._server.query(self._kept, statement)
        return {at // 10**9 // WEEK_S for series in found for at, whole in series.values if whole}

    def _of_week(self, week: int, devices: Collection[str] | None) -> dict[str, Numbers]:
        where = f"time = {_nanoseconds(week)}{_few(devices)}"
        statement = f'SELECT "masks", "device" FROM {name(WEEKS)} WHERE {where}'
        chosen = None if devices is None else frozenset(devices)
        found = {}
        for series in self._server.query(self._kept, statement):
            for _, text, tag in series.values:
                device = tag_back(tag)
                if chosen is None or device in chosen:
                    found[device] = _numbers(text, device)
        return found

    def _of_hours(self, start: float, end: float, devices: Collection[str] | None) -> dict[int, dict[str, Numbers]]:
        where = f"time > {int(start - HOUR_S)}000000000 AND time < {ceil(end)}000000000{_few(devices)}"
        statement = f'SELECT "seen", "reachable", "unreachable" FROM {name(MINUTES)} WHERE {where} GROUP BY "device"'
        chosen = None if devices is None else frozenset(devices)
        found: dict[int, dict[str, Numbers]] = {}
        for series in self._server.query(self._kept, statement):
            device = tag_back(series.tags["device"])
            if chosen is None or device in chosen:
                for at, *bits in series.values:
                    hour = at // 10**9
                    _put(found.setdefault(hour // WEEK_S, {}), hour, [(device, bits)])
        return found

    # ---- housekeeping ------------------------------------------------------------------------------------------------

    def join(self, hour: int, masks: Mapping[str, Collection[int]]) -> None:
        """Join the masks of an hour, which `minutes` has already, with its week."""
        week = hour // WEEK_S
        if not self._packed(week, week + 1):
            if self._todo is not None:
                self._todo.add(week)
            self._devices = None  # a week that is being packed is begun anew
            return
        there = self._of_week(week, masks.keys())
        mine = {device: list(there.get(device, (0, 0, 0))) for device in masks}
        _put(mine, hour, masks.items())
        self._write(week, {device: numbers for device, numbers in mine.items() if numbers != there.get(device)})

    def pack(self, now: float) -> bool:
        """Pack the week of the next devices that only `minutes` has; True when there may be more."""
        if self._todo is None:
            self._todo = self._unpacked(int(now // WEEK_S))
        if not self._todo:
            return False
        week = max(self._todo)  # what is asked for most
        if self._devices is None:
            found = self._server.query(self._kept, f'SHOW TAG VALUES FROM {name(MINUTES)} WITH KEY = "device"')
            self._devices = [tag_back(text) for series in found for _, text in series.values]
        some, self._devices = self._devices[:_DEVICES_A_PIECE], self._devices[_DEVICES_A_PIECE:]
        if some:
            values = self._of_hours(week * WEEK_S, (week + 1) * WEEK_S, some)
            self._write(week, values.get(week, {}))
        if not self._devices:
            self._mark(week, whole=True)
            self._todo.discard(week)
            self._devices = None
        return True

    def unpack(self) -> None:
        """Take the week that was written last out of those that are whole: another may have joined hours meanwhile."""
        if self._written is not None:
            self._mark(self._written, whole=False)
        self._todo = self._devices = None

    def _mark(self, week: int, *, whole: bool) -> None:
        self._written = week
        self._server.write(self._kept, [f"{PACKED} whole={str(whole).lower()} {_nanoseconds(week)}".encode()])

    def _unpacked(self, newest: int) -> set[int]:
        found = self._server.query(self._kept, f'SELECT first("seen_minutes") FROM {name(MINUTES)}')
        oldest = min((at // 10**9 // WEEK_S for series in found for at, _ in series.values), default=newest)
        return set(range(oldest, newest + 1)) - self._packed(oldest, newest + 1)

    def _write(self, week: int, values: Mapping[str, Numbers]) -> None:
        self._written, at = week, _nanoseconds(week)
        lines = [f'{WEEKS},device={tag_text(one)} masks="{_text(numbers)}" {at}' for one, numbers in values.items()]
        self._server.write(self._kept, [line.encode() for line in lines])


def _nanoseconds(week: int) -> str:
    return f"{week * WEEK_S}000000000"


def _few(devices: Collection[str] | None) -> str:
    return "" if devices is None or len(devices) > _MANY_DEVICES else f" AND {among('device', devices)}"


def _put(values: dict[str, Numbers], hour: int, masks: Iterable[tuple[str, Iterable[int]]]) -> None:
    """Join masks of an hour with the values of its week."""
    place = PLACES * (hour % WEEK_S // HOUR_S)
    for device, bits in masks:
        mine = values.get(device, (0, 0, 0))
        values[device] = [one | mask << place for one, mask in zip(mine, bits, strict=True)]


def _joined(some: dict[str, Numbers], others: Mapping[str, Numbers]) -> dict[str, Numbers]:
    for device, numbers in others.items():
        mine = some.get(device, (0, 0, 0))
        some[device] = [one | two for one, two in zip(mine, numbers, strict=True)]
    return some


def _text(numbers: Numbers) -> str:
    parts = [value or bytes(WEEK_BYTES) for value in values_of(numbers, WEEK_BYTES)]
    return b2a_base64(zlib.compress(b"".join(parts).rstrip(b"\0")), newline=False).decode()


def _numbers(text: str, device: str) -> Numbers:
    try:
        masks = zlib.decompress(a2b_base64(text))
    except (binascii.Error, zlib.error, TypeError, ValueError) as error:
        raise StoreError(
            f"InfluxDB: {WEEKS} has a text of {device} that is no packed masks ({error}): find who else writes there, "
            "or give this store a database of its own (store.influx.database)"
        ) from error
    return numbers_of(masks[:WEEK_BYTES], masks[WEEK_BYTES : 2 * WEEK_BYTES], masks[2 * WEEK_BYTES :])
