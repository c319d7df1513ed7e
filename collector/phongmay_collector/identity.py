"""Two live holders of one identity: a cloned disk that speaks with another PC's secret.

In: births and live envelopes in order of arrival. Out: a sentence when a run speaks again after another run was born.
A restart (run A, then B, and A never again) is no clone: an agent sends envelopes of older runs as backfill only, and
the broker drops what it had not read of a connection that is taken over. The caller asks only about messages that are
neither retained nor stored already, because a broker may deliver old ones again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from phongmay_collector.log import event
from phongmay_store.errors import StoreError
from phongmay_store.register.device import IdentityConflict
from phongmay_store.register.failures import sentence

_REMEMBERED = 16


@dataclass(slots=True)
class _Holders:
    runs: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    sessions: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


class IdentityWatch:
    """Remembers, for each device, its runs in order of their births."""

    def __init__(self) -> None:
        self._holders: dict[str, _Holders] = {}
        self._newest: dict[str, str] = {}

    @property
    def newest(self) -> Callable[[str], str | None]:
        """Give the function that gives the newest run of a device; None when none was heard since the start."""
        return self._newest.get

    def born(self, device: str, run: str, session: str) -> str | None:
        """Note a birth; gives a sentence when the run is one that another run had followed."""
        holders = self._holders.setdefault(device, _Holders())
        if session in holders.sessions:
            return None
        holders.sessions.append(session)
        return self._speaks(holders, device, run, "connected")

    def spoke(self, device: str, run: str) -> str | None:
        """Note a live envelope that is not stored yet; gives a sentence when the run had been followed by another."""
        if self._newest.get(device) == run:
            return None
        return self._speaks(self._holders.setdefault(device, _Holders()), device, run, "sent")

    def _speaks(self, holders: _Holders, device: str, run: str, what: str) -> str | None:
        if holders.runs and holders.runs[-1] == run:
            return None
        newest = holders.runs[-1] if holders.runs else ""
        again = run in holders.runs
        if again:
            holders.runs.remove(run)
        holders.runs.append(run)
        self._newest[device] = run
        return f"run {run} {what} again after run {newest} was born" if again else None


def open_conflicts(engine: Engine, found: dict[str, str]) -> None:
    """Write conflicts (device to sentence) into the register; a device with an open one gets no second.

    Raises:
        StoreError: the register cannot be written; nothing was.
    """
    try:
        with Session(engine) as session:
            for device, detail in found.items():
                is_open = IdentityConflict.closed_at.is_(None)
                if session.scalar(select(IdentityConflict).where(IdentityConflict.device_id == device, is_open)):
                    continue
                session.add(IdentityConflict(device_id=device, detail=detail))
                event("identity_conflict", device=device, detail=detail)
            session.commit()
    except SQLAlchemyError as error:
        raise StoreError(f"register cannot be written: {sentence(error)}") from error
