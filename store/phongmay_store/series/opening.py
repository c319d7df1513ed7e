"""The one way to a series store: by settings, whatever engine they name.

In: the settings of the store. Out: a writer (for the collector) or readers (for everybody else). A store that cannot
be opened is a StoreError that names the key.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from typing import TYPE_CHECKING, Protocol

from phongmay_store.series.interface import SeriesReader, SeriesWriter
from phongmay_store.series.sqlite import SqliteSeries
from phongmay_store.settings import INFLUX, StoreSettings

if TYPE_CHECKING:
    from phongmay_store.series.influx import InfluxSeries


class OpenReader(SeriesReader, Protocol):
    """A reader that holds files or connections."""

    def close(self) -> None:
        """Let go of them."""
        ...


Readers = Callable[[], AbstractContextManager[OpenReader]]
"""Gives a reader that is closed behind the `with`; cheap enough for each request."""


def open_writer(settings: StoreSettings) -> SeriesWriter:
    """Open the series for the collector; close it when done.

    Raises:
        StoreError: it cannot be opened or made.
    """
    if settings.series == INFLUX:
        return _influx(settings)
    return SqliteSeries.open(settings.series_path, settings.raw_days)


def open_reader(settings: StoreSettings) -> OpenReader:
    """Open the series for reading; close it when done.

    Raises:
        StoreError: it cannot be opened, or nothing has made it yet.
    """
    if settings.series == INFLUX:
        return _influx(settings)
    return SqliteSeries.open_reader(settings.series_path, settings.raw_days)


def readers(settings: StoreSettings) -> Readers:
    """Give what opens a reader for each piece of work; InfluxDB is opened once, since its connections may be shared."""
    if settings.series == INFLUX:
        shared = _influx(settings)
        return lambda: nullcontext(shared)
    return lambda: closing(open_reader(settings))


def _influx(settings: StoreSettings) -> InfluxSeries:
    from phongmay_store.series.influx import InfluxSeries  # its HTTP client is loaded only where it is used

    return InfluxSeries(settings)
