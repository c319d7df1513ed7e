"""Writes the status series: register and series of this moment go in, lines go to the InfluxDB of the rounds.

One call writes one instant. What cannot be read or written is a StoreError, and nothing is written: the boards then say
that they know nothing, since they look at the last minutes only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from phongmay_dashboards.errors import DashboardError
from phongmay_dashboards.status_series import FAULTS, lines
from phongmay_rules.model import Pack
from phongmay_rules.overview import overview
from phongmay_rules.quality import clean
from phongmay_rules.summary import summarise
from phongmay_store.register.base import utc_now
from phongmay_store.series.influx_server import InfluxServer
from phongmay_store.series.interface import SeriesReader
from phongmay_store.settings import INFLUX, StoreSettings


@dataclass(frozen=True, slots=True)
class Fed:
    """What one call wrote.

    Attributes:
        at: true time that the points are about.
    """

    at: float
    points: int
    schools: int
    devices: int
    took_s: float


def require_influx(settings: StoreSettings) -> None:
    """Make sure that the series lie in an InfluxDB, which is what Grafana reads.

    Raises:
        DashboardError: they do not.
    """
    if settings.series != INFLUX:
        raise DashboardError(
            f"store.series is {settings.series!r}, and Grafana's boards read an InfluxDB: set store.series = "
            '"influx" and the table [store.influx] (docs/stores.md), or use the pages of the API'
        )


def feed(session: Session, series: SeriesReader, server: InfluxServer, settings: StoreSettings, pack: Pack) -> Fed:
    """Write how everything stands now.

    Args:
        session: the register; only read.
        series: reader of the series store.
        server: the InfluxDB of that store.
        settings: the table [store].
        pack: the rule packs in force.

    Raises:
        StoreError: a store cannot be read or written.
    """
    began, moment = time.monotonic(), utc_now()
    found = overview(session, series, at=moment)
    ids = [school.id for school in found.schools]
    verdicts: dict[str, Mapping[str, int]] = {}
    for unit, summary in summarise(session, ids, pack=pack, at=moment).items():
        counts: dict[str, int] = {}
        for shares in summary.groups.values():
            for state, count in shares.counts.items():
                counts[state] = counts.get(state, 0) + count
        verdicts[unit] = counts
    faults = {
        school: {fault: share.faults[fault] for fault in FAULTS}
        for school, share in clean(session, series, at=moment).items()
        if share.total  # where no device has told anything, nothing is known of its faults
    }
    points = lines(found, verdicts, faults)
    server.write(f"{settings.influx.database}_raw", points)
    devices = sum(school.sums.devices for school in found.schools)
    return Fed(found.at, len(points), len(ids), devices, time.monotonic() - began)
