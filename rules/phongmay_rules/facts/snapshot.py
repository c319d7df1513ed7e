"""What the series store holds about some devices, read once: a reader and device ids go in, rows by device come out.

A store that cannot be read raises StoreError, which passes through.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from phongmay_store.series.interface import EnvelopeId, GivesReach, Presence, Reach, Row, SeriesReader
from phongmay_store.series.strips import reach


@dataclass(frozen=True)
class Snapshot:
    """Newest rows and minutes of some devices; a device that is not in a mapping has none."""

    hardware: Mapping[str, Row]
    disks: Mapping[str, Sequence[Row]]
    links: Mapping[str, Sequence[Row]]
    agents: Mapping[str, Row]
    usage: Mapping[str, Row]
    presence: Mapping[str, Presence]
    reach: Mapping[str, Reach]


@lru_cache(maxsize=4096)
def told_by(envelope: EnvelopeId) -> tuple[str, ...]:
    """Give an envelope as the sources of what it told: one tuple for all facts that came in it."""
    return (str(envelope),)


@lru_cache(maxsize=4096)
def counted_from(start: int, end: int, calendar: tuple[str, ...]) -> tuple[str, ...]:
    """Give minutes, and the calendar entries that had a say in them, as sources: one tuple for all who share them."""
    return (f"series:minutes/{start}-{end}", *calendar)


def take(series: SeriesReader, devices: Collection[str], start: float, end: float) -> Snapshot:
    """Read everything that facts of these devices need; [start, end) bounds the minutes."""
    if not devices:
        return Snapshot({}, {}, {}, {}, {}, {}, {})
    tried: Mapping[str, Reach] = {}
    if end > start:
        if isinstance(series, GivesReach):
            tried = series.reach(start, end, devices)
        else:
            tried = reach(series.minutes(start, end, devices), start)
    return Snapshot(
        {row.device: row for row in series.latest("hardware", devices)},
        _by_device(series, "disk", devices),
        _by_device(series, "link", devices),
        {row.device: row for row in series.latest("agent", devices)},
        {row.device: row for row in series.latest("usage", devices)},
        {presence.device: presence for presence in series.presence(devices)},
        tried,
    )


def _by_device(series: SeriesReader, measurement: str, devices: Collection[str]) -> dict[str, list[Row]]:
    out: dict[str, list[Row]] = {}
    for row in series.latest(measurement, devices):
        out.setdefault(row.device, []).append(row)
    return out
