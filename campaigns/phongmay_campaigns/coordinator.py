"""The coordinator: looks at the register every second, plans what is due and drives what is open, until told to stop.

One at a time by a lease in the register; a second one waits and takes over when the first falls silent. A store that
cannot be used is told once and tried again.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from phongmay_campaigns.driver import Driver, SeriesOpener
from phongmay_campaigns.ledger import hold_lease, open_runs
from phongmay_campaigns.planner import FloorOf, Planner
from phongmay_campaigns.settings import CampaignSettings
from phongmay_store.errors import StoreError
from phongmay_store.register.failures import sentence
from phongmay_store.register.sealing import Seal

_log = logging.getLogger("phongmay.campaigns")


@dataclass
class CoordinatorStanding:
    """How a coordinator stands; its loop writes, another thread reads.

    Attributes:
        turned_at: when the loop last turned, by `time.monotonic`.
        looked_at: when the last look ended (UTC), 0 = none yet.
        took_s: how long it took.
        open_runs: runs that it saw.
        leads: whether this coordinator is the one at work.
        away: why a store does not answer, "" when all is well.
    """

    turned_at: float = field(default_factory=time.monotonic)
    looked_at: float = 0.0
    took_s: float = 0.0
    open_runs: int = 0
    leads: bool = False
    away: str = ""


class Coordinator:
    """Plans and drives runs.

    Args:
        sessions: the register.
        series: opens the series for one look.
        seal: opens the servers' ticket keys.
        settings: the table [campaigns].
        floor_of: gives the floor in force for a school.

    Attributes:
        standing: what it says of itself.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        series: SeriesOpener,
        seal: Seal,
        settings: CampaignSettings,
        floor_of: FloorOf,
    ) -> None:
        self._sessions, self._settings = sessions, settings
        self._planner = Planner(settings, floor_of)
        self._driver = Driver(sessions, series, seal, settings)
        self._holder = secrets.token_hex(8)
        self._plan_at = 0.0
        self._waits = False
        self.standing = CoordinatorStanding()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        _log.info("event=started interval_s=%g", self._settings.interval_s)
        standing = self.standing
        while not stop.is_set():
            began = standing.turned_at = time.monotonic()
            try:
                standing.leads = self.look(datetime.now(UTC))
                if standing.away:
                    _log.info("event=store_back")
                standing.away, standing.looked_at, standing.took_s = "", time.time(), time.monotonic() - began
            except (StoreError, SQLAlchemyError) as error:
                said = sentence(error) if isinstance(error, SQLAlchemyError) else str(error)
                if not standing.away:
                    _log.warning('event=store_away detail="%s"', said)
                standing.away, standing.leads = said, False
            stop.wait(self._settings.interval_s)
        _log.info("event=stopped")

    def look(self, now: datetime) -> bool:
        """Plan and drive once; False while another coordinator is at work."""
        with self._sessions() as session:
            if not hold_lease(session, self._holder, now, self._settings.lease_s):
                if not self._waits:
                    _log.info("event=waiting detail=another coordinator is at work")
                self._waits = True
                return False
            self._waits = False
            if time.monotonic() >= self._plan_at:
                self._plan_at = time.monotonic() + self._settings.plan_s
                self._planner.plan(session, now)
                session.commit()
            runs = open_runs(session)
        self.standing.open_runs = len(runs)
        for one in runs:
            self._driver.drive(one, now)
            self.standing.turned_at = time.monotonic()
        return True
