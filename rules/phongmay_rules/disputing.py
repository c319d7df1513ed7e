"""A dispute from its opening to the recheck: the school's statement goes in, the evaluation made at once comes out.

Command line, API and pages all open disputes here. The statement is stored before the evaluation; when the stores are
busy or away afterwards, the dispute stands open without a recheck, and nothing of it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from phongmay_rules import deciding
from phongmay_rules.deciding import DecisionError
from phongmay_rules.engine import evaluate
from phongmay_rules.model import Pack
from phongmay_store.errors import StoreError
from phongmay_store.register.decisions import Dispute
from phongmay_store.register.failures import sentence
from phongmay_store.series.interface import SeriesReader


@dataclass(frozen=True, slots=True)
class Opened:
    """A dispute that was opened.

    Attributes:
        recheck: what the evaluation came to; None = it could not be made now.
        problem: why not; "" = it was made.
    """

    opened: Dispute
    recheck: Dispute | None
    problem: str = ""


def open_and_recheck(
    sessions: sessionmaker[Session],
    series: Callable[[], AbstractContextManager[SeriesReader]],
    pack: Pack,
    verdict_id: int,
    *,
    text: str,
    signed_by: str,
    interval_s: float,
) -> Opened:
    """Open a dispute about a current verdict, evaluate its unit and record what came of it.

    Args:
        sessions: of the register.
        series: opens the series store.
        pack: packs in force.
        verdict_id: the verdict.
        text: what is wrong.
        signed_by: login.
        interval_s: seconds between evaluations, as the engine runs.

    Raises:
        DecisionError: the dispute cannot be opened; nothing is stored.
    """
    with sessions(expire_on_commit=False) as session:
        opened = deciding.open_dispute(session, verdict_id, text=text, signed_by=signed_by)
        session.commit()
    try:
        with series() as reader:
            evaluate(sessions, reader, pack, unit=opened.unit_id, interval_s=interval_s)
        with sessions(expire_on_commit=False) as session:
            found = deciding.recheck(session, opened.number)
            session.commit()
    except (StoreError, SQLAlchemyError, DecisionError) as error:
        return Opened(opened, None, sentence(error) if isinstance(error, SQLAlchemyError) else str(error))
    return Opened(opened, found)
