"""The loop of `phongmay dashboards feed`: writes the status series every interval.

In: settings. Out: points in the InfluxDB, log lines, figures for /metrics. A store that cannot be used is told once,
tried again every interval, and told once when it is back; meanwhile the boards say that they know nothing.
"""

from __future__ import annotations

import logging
import time
from contextlib import closing
from threading import Event

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import sessionmaker

from phongmay.metrics import DASHBOARDS, figure
from phongmay.monitoring import Report, Trouble, serve
from phongmay.settings import ServerSettings
from phongmay_dashboards.feeding import Fed, feed
from phongmay_rules.loader import load_packs
from phongmay_store.errors import StoreError
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.register.failures import sentence
from phongmay_store.series import open_reader
from phongmay_store.series.influx_server import InfluxServer

_log = logging.getLogger("phongmay.dashboards")


class FeedingLoop:
    """Writes until told to stop.

    Args:
        settings: of the server.
        stop: ends the loop.

    Raises:
        StoreError: the register is not at its newest revision.
    """

    def __init__(self, settings: ServerSettings, stop: Event) -> None:
        self._settings, self._stop = settings, stop
        self._pack = load_packs(settings.rules.packs)
        engine = open_register(settings.store.register_url)
        require_current(engine)
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self._fed: Fed | None = None
        self._away = ""
        self._turned = time.monotonic()

    def once(self) -> Fed:
        """Write one instant.

        Raises:
            StoreError: a store cannot be read or written.
        """
        store = self._settings.store
        server = InfluxServer(store.influx)
        try:
            with closing(open_reader(store)) as series, self._sessions() as session:
                return feed(session, series, server, store, self._pack)
        except SQLAlchemyError as error:
            raise StoreError(f"register: {sentence(error)}") from error
        finally:
            server.close()

    def run(self) -> None:
        """Write every interval."""
        interval = self._settings.dashboards.interval_s
        serve(self._settings.dashboards.metrics_port, self.turns, self.report)
        _log.info("event=started interval_s=%g", interval)
        while not self._stop.is_set():
            self._turned = time.monotonic()
            self._carefully()
            self._stop.wait(max(0.0, interval - (time.monotonic() - self._turned)))
        _log.info("event=stopped")

    def _carefully(self) -> None:
        try:
            fed = self.once()
        except StoreError as error:
            if not self._away:
                _log.warning('event=store_away detail="%s"', error)
            self._away = str(error)
            return
        if self._away:
            _log.info("event=store_back")
        self._fed, self._away = fed, ""
        _log.info("event=fed points=%d took_s=%.2f", fed.points, fed.took_s)

    def report(self) -> Report:
        """Say how the loop stands."""
        fed = self._fed
        figures = [
            figure("status_fed_timestamp_seconds", fed.at if fed else 0.0),
            figure("status_points", fed.points if fed else 0),
            figure("status_feed_seconds", fed.took_s if fed else 0.0),
        ]
        return Report(DASHBOARDS, self.turns(), figures, [Trouble("stores_away", self._away)] if self._away else [])

    def turns(self) -> bool:
        """Tell whether it turns."""
        return time.monotonic() - self._turned < 3 * self._settings.dashboards.interval_s + 60
