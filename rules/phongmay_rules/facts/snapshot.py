"""What the series store holds about some devices, read once: a reader and device ids go in, rows by device come out.

A store that cannot be read raises StoreError, which passes through.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from phongmay_store.series.interface import Minutes, Presence, Row, SeriesReader


@dataclass(frozen=True)
class Snapshot:
    """Newest rows and minute masks of some devices; a device that is not in a mapping has none."""

    hardware: Mapping[str, Row]
    disks: Mapping[str, Sequence[Row]]
    links: Mapping[str, Sequence[Row]]
    agents: Mapping[str, Row]
    usage: Mapping[str, Row]
    presence: Mapping[str, Presence]
    minutes: Mapping[str, Sequence[Minutes]]


def take(series: SeriesReader, devices: Collection[str], start: float, end: float) -> Snapshot:
    """Read everything that facts of these devices need; [start, end) bounds the minute masks."""
    if not devices:
        return Snapshot({}, {}, {}, {}, {}, {}, {})
    masks: dict[str, list[Minutes]] = {}
    if end > start:
        for hour in series.minutes(start, end, devices):
            masks.setdefault(hour.device, []).append(hour)
    return Snapshot(
        {row.device: row for row in series.latest("hardware", devices)},
        _by_device(series, "disk", devices),
        _by_device(series, "link", devices),
        {row.device: row for row in series.latest("agent", devices)},
        {row.device: row for row in series.latest("usage", devices)},
        {presence.device: presence for presence in series.presence(devices)},
        masks,
    )


def _by_device(series: SeriesReader, measurement: str, devices: Collection[str]) -> dict[str, list[Row]]:
    out: dict[str, list[Row]] = {}
    for row in series.latest(measurement, devices):
        out.setdefault(row.device, []).append(row)
    return out
