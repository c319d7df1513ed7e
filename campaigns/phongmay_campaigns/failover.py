"""Which line a school usually goes over, by its last ordinary tests: a failover is none while that line still carries.

In: the register, and the run that ended. Out: for each of its last ordinary runs the lines that carried its PCs. Where
lines cannot be told apart by declared addresses, nothing comes out, and the failover says nothing either.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_bandwidth.verdict import Verdict
from phongmay_store.register.campaign import CampaignResult, CampaignRun

RUNS = 3
"""So many of the newest; what most of them went over is usual."""
YOUNG = timedelta(days=92)
"""Older runs tell nothing of how the school is connected today."""
_LOOKED_AT = 20


def usual_lines(
    session: Session, school_id: str, lines: Collection[str], before: datetime
) -> tuple[frozenset[str], ...]:
    """Give the lines that carried each of the school's last ordinary runs, newest first.

    Args:
        session: the register.
        school_id: the school.
        lines: its present lines; a run over anything else (an address of no line, a line that is gone) tells nothing.
        before: start of the failover.
    """
    rows = session.scalars(
        select(CampaignResult.by_line)
        .join(CampaignRun, CampaignRun.run_id == CampaignResult.run_id)
        .where(
            CampaignResult.school_id == school_id, CampaignRun.failover.is_(False),
            CampaignResult.verdict != Verdict.INVALID.value,
            CampaignResult.t_start < before, CampaignResult.t_start >= before - YOUNG,
        )
        .order_by(CampaignResult.t_start.desc(), CampaignResult.run_id)
        .limit(_LOOKED_AT)
    )  # fmt: skip
    carried = (frozenset(one["line"] for one in by_line if one["participants"]) for by_line in rows)
    known = [one for one in carried if one and one <= set(lines)]
    return tuple(known[:RUNS])
