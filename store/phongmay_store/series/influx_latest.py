"""Newest rows on InfluxDB: asked for a day, then for what lies further back, until none is missing.

A question without bounds reads every day that is kept, for every series: of 5,000 PCs and 14 days 8 s instead of 0.5 s.
In: a measurement and devices. Out: the newest row of each device and part; one whose time is a guess only where there
is no other. What the server refuses is a StoreError.
"""
# ruff: noqa: S608 - literals and names come from influx_words, which lets nothing end one

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from typing import NamedTuple

from phongmay_store.series.influx_server import InfluxServer
from phongmay_store.series.influx_words import GUESSED, among, name, row_of, tag_back
from phongmay_store.series.interface import Row, TimeBasis
from phongmay_store.series.state import DAY_S

_DAYS_BACK = (1, 2, 4, 8, 16, 32)
"""Edges between one question and the next; what is older than the last is asked for at once."""
_MANY_DEVICES = 1000
"""Beyond so many the question names no devices, and the answer is sifted here."""
_TAG = re.compile(r",((?:[^,=\\]|\\.)+)=((?:[^,\\]|\\.)*)")
_ESCAPED = re.compile(r"\\([,= ])")


class _Key(NamedTuple):
    device: str
    part: str
    is_guess: bool


def latest(
    server: InfluxServer, database: str, measurement: str, columns: str, devices: Collection[str] | None
) -> dict[tuple[str, str], Row]:
    """Give the newest row by device and part; `columns` are those of `row_of`."""
    chosen = None if devices is None else frozenset(devices)
    missing = _series(server, database, measurement, chosen)
    newest: dict[tuple[str, str], Row] = {}
    now, until = int(time.time()), ""
    for days in (*_DAYS_BACK, None) if missing is not None else (None,):
        asked = chosen if missing is None else {key.device for key in missing}
        conditions = [among("device", asked)] if asked is not None and len(asked) <= _MANY_DEVICES else []
        since = now - days * DAY_S if days is not None else None
        conditions += [f"time >= {since}000000000"] if since is not None else []
        conditions += [f"time < {until}"] if until else []
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        statement = (
            f"SELECT {columns} FROM {name(measurement)}{where} "
            f'GROUP BY "device", "part", {name(GUESSED)} ORDER BY time DESC LIMIT 1'
        )
        for series in server.query(database, statement):
            for cells in series.rows():
                row = row_of(measurement, series.tags, cells)
                before = newest.get((row.device, row.part))
                if before is None or (before.basis is TimeBasis.GUESS and row.basis is not TimeBasis.GUESS):
                    newest[row.device, row.part] = row
        if missing is not None:
            missing = {key for key in missing if not _is_settled(key, newest)}
            if not missing:
                break
        until = f"{since}000000000"
    return newest


def _is_settled(key: _Key, newest: Mapping[tuple[str, str], Row]) -> bool:
    found = newest.get((key.device, key.part))
    return found is not None and (key.is_guess or found.basis is not TimeBasis.GUESS)


def _series(server: InfluxServer, database: str, measurement: str, chosen: Collection[str] | None) -> set[_Key] | None:
    """Give the series of which a row is wanted; None where InfluxDB does not tell (3 has no SHOW SERIES)."""
    if server.settings.version == "3":
        return None
    few = chosen is not None and len(chosen) <= _MANY_DEVICES
    where = f" WHERE {among('device', chosen)}" if few and chosen is not None else ""
    found = set()
    for series in server.query(database, f"SHOW SERIES FROM {name(measurement)}{where}"):
        for (text,) in series.values:
            tags = {key: _ESCAPED.sub(r"\1", value) for key, value in _TAG.findall(text)}
            key = _Key(tag_back(tags.get("device", "")), tag_back(tags.get("part", "")), GUESSED in tags)
            if chosen is None or key.device in chosen:
                found.add(key)
    return found
