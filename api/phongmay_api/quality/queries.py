"""Reads the four scores of a unit of the scope; figures of the same minute are counted once, whoever looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from phongmay_rules.quality import Quality, quality
from phongmay_store.series.interface import SeriesReader

KEPT_S = 60.0
_MOST = 1000


@dataclass
class QualityCache:
    """Scores by unit, kept for a minute: a page that refreshes itself must not read a day of minutes each time."""

    _kept: dict[str, tuple[float, Sequence[Quality]]] = field(default_factory=dict)

    def of(
        self, session: Session, series: Callable[[], AbstractContextManager[SeriesReader]], unit_id: str
    ) -> Sequence[Quality]:
        """Give the scores of the schools of a unit; the caller made sure that it may be seen.

        Raises:
            StoreError: the series cannot be read.
        """
        now = time.monotonic()
        kept = self._kept.get(unit_id)
        if kept is not None and now - kept[0] < KEPT_S:
            return kept[1]
        with series() as reader:
            found = quality(session, reader, unit_id)
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[unit_id] = (now, found)
        return found
