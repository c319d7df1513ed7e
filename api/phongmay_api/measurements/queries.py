"""Reads measured values of a device that the scope has let through, and gives them their units."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from phongmay_api.measurements.schemas import RowOut, ValueOut
from phongmay_api.problems import not_found
from phongmay_contract.catalogue import MEASUREMENTS, Measurement
from phongmay_store.series.interface import Row, SeriesReader


def measurement(name: str) -> Measurement:
    """Look a measurement up in the catalogue.

    Raises:
        Problem: 404, the catalogue does not have it.
    """
    found = MEASUREMENTS.get(name)
    if found is None:
        raise not_found("measurement")
    return found


def latest(series: SeriesReader, device: str) -> list[RowOut]:
    """Give the newest row of every measurement and part of a device."""
    return [out(kind, row) for kind in MEASUREMENTS.values() for row in series.latest(kind.name, [device])]


def stretch(
    series: SeriesReader,
    device: str,
    kind: Measurement,
    start: datetime,
    end: datetime,
    part: str | None,
    after: tuple[float, str] | None,
    limit: int,
) -> Sequence[Row]:
    """Give up to `limit` rows with start <= time < end, behind the key `after`."""
    return series.range(device, kind.name, start.timestamp(), end.timestamp(), part=part, limit=limit, after=after)


def out(kind: Measurement, row: Row) -> RowOut:
    """Give a row with the units of its values."""
    return RowOut(
        measurement=kind.name,
        part=row.part,
        at=datetime.fromtimestamp(row.at, UTC),
        time_basis=row.basis,
        values={
            name: ValueOut(value=value, unit=kind.by_name[name].unit)
            for name, value in row.values.items()
            if name in kind.by_name
        },
        source=str(row.source),
    )
