"""The loop of `phongmay rules run`: evaluates everything every interval, and single PCs when their inventory is new.

In: settings, the register, packs. Out: facts, runs and verdicts in the register, signed heads in their file, log lines.
A store that cannot be used is told once, tried again every interval, and told once when it is back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from phongmay.monitoring import serve
from phongmay.reports import EvaluationFigures, rules_report
from phongmay.settings import ServerSettings
from phongmay_rules.chain.heads import ChainError, add_lines, read_key, sign_all
from phongmay_rules.engine import Engine
from phongmay_rules.model import Pack
from phongmay_store.errors import StoreError
from phongmay_store.register.failures import sentence
from phongmay_store.series import readers

_log = logging.getLogger("phongmay.rules")
FOLLOW_MOST = 200
"""More PCs with a new inventory than this wait for the next full evaluation, which is cheaper for so many."""
LATE_S = 30.0
"""An inventory may be stored this much later than the time that it is about."""


class EvaluationLoop:
    """Evaluates until told to stop."""

    def __init__(self, settings: ServerSettings, sessions: sessionmaker[Session], pack: Pack, stop: Event) -> None:
        self._settings, self._sessions, self._pack, self._stop = settings, sessions, pack, stop
        rules = settings.rules
        self._engine = Engine(
            sessions, pack, interval_s=rules.interval_s, run_row_s=rules.run_row_s, recount_s=rules.recount_s
        )
        self._readers = readers(settings.store)
        self._away = False
        self._signing_due = time.monotonic()
        self.figures = EvaluationFigures(settings.rules.interval_s)

    def run(self) -> None:
        """Evaluate every interval; in between, look for new inventories."""
        rules = self._settings.rules
        _log.info("event=started pack=%s hash=%s interval_s=%g", self._pack.id, self._pack.hash[:12], rules.interval_s)
        serve(rules.metrics_port, self.figures.turns, lambda: rules_report(self.figures))
        while not self._stop.is_set():
            self.figures.turned_at = time.monotonic()
            due = time.monotonic() + rules.interval_s
            if not self._carefully(self._evaluate):
                self.figures.failed += 1
            while (left := due - time.monotonic()) > 0 and not self._stop.is_set():
                self._stop.wait(min(left, rules.watch_s or left))
                has_time = rules.watch_s and due - time.monotonic() > rules.watch_s
                if has_time and not (self._away or self._stop.is_set()):
                    self._carefully(self._follow)
        _log.info("event=stopped")

    def _carefully(self, look: Callable[[], None]) -> bool:
        """Look, and tell whether the stores let it."""
        try:
            look()
            return True
        except StoreError as error:
            if not self._away:
                _log.warning(
                    'event=store_away detail="%s" next_try_s=%g', error, self._settings.rules.interval_s
                )  # fmt: skip
            self._away = True
            self.figures.away = str(error)
            return False

    def _is_back(self) -> None:
        if self._away:
            _log.info("event=store_back")
        self._away = False
        self.figures.away = ""

    def _evaluate(self) -> None:
        began = time.monotonic()
        with self._readers() as series:
            result = self._engine.evaluate(series)
        self._is_back()
        figures = self.figures
        figures.took_s, figures.evaluated_at = time.monotonic() - began, time.time()
        figures.facts, figures.evaluations = result.facts, figures.evaluations + 1
        figures.verdicts += result.changed
        _log.info(
            "event=evaluated units=%d facts=%d verdicts=%d took_s=%.2f",
            len(result.units), result.facts, result.changed, time.monotonic() - began,
        )  # fmt: skip
        if time.monotonic() >= self._signing_due:
            self._sign_heads()
            self._signing_due = time.monotonic() + self._settings.rules.heads_interval_s

    def _follow(self) -> None:
        with self._readers() as series:
            devices = series.newer("hardware", time.time() - self._settings.rules.watch_s - LATE_S)
            if 0 < len(devices) <= FOLLOW_MOST:
                result = self._engine.follow(series, devices)
                if result.changed:
                    _log.info("event=followed devices=%d verdicts=%d", len(devices), result.changed)

    def _sign_heads(self) -> None:
        """Add the signed heads of all chains to the heads file; a missing key is told, and stops nothing."""
        rules = self._settings.rules
        try:
            with self._sessions() as session:
                signed = sign_all(session, read_key(rules.key_file))
            add_lines(rules.heads_file, signed)
        except (ChainError, SQLAlchemyError) as error:
            detail = sentence(error) if isinstance(error, SQLAlchemyError) else error
            _log.warning('event=heads_not_signed detail="%s"', detail)
        else:
            _log.info("event=heads_signed units=%d", len(signed))
