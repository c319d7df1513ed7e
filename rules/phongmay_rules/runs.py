"""What concurrent bandwidth tests came to, as facts need it: rows of the register go in, one value a run comes out.

Runs of half a year are read: no fact looks further back. Runs of a ramp and of a failover say nothing about rules.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_bandwidth.verdict import Verdict, says_something
from phongmay_store.register.campaign import CampaignKind, CampaignResult, CampaignRun

LOOK_BACK = timedelta(days=184)


@dataclass(frozen=True, slots=True)
class RoomOutcome:
    """What a run came to in one room.

    Attributes:
        passed: PCs that reached their pace.
        failed: PCs that took part and did not.
        p10_bps: tenth percentile of the room's PCs downwards; None = not measured.
    """

    passed: frozenset[str]
    failed: frozenset[str]
    p10_bps: float | None


@dataclass(frozen=True, slots=True)
class LineRun:
    """A run that has ended, of a floor or a capacity test.

    Attributes:
        at: true time of its start.
        verdict: of the run: pass, fail, insufficient or invalid.
        line_verdict: of the lines without the PCs and rooms that are to blame themselves.
        is_usable: its figures may be relied on.
        whole_school: every PC in service of all computer rooms was meant.
        floor_bps: payload rate a PC that was demanded; 0 in a capacity test.
        pace_bps: what each PC pulled: the floor, scaled up for absent PCs.
        registered: PCs that were meant.
        below: directions in which the floor was not reached.
    """

    id: str
    kind: str
    at: float
    verdict: str
    line_verdict: str
    is_usable: bool
    whole_school: bool
    floor_bps: float
    pace_bps: float
    registered: int
    emulated: int
    goodput_dl: float | None
    ip_dl: float | None
    ip_ul: float | None
    p10_bps: float | None
    idle_s: float | None
    contracted_dl: int | None
    contracted_ul: int | None
    below: frozenset[str] = frozenset()
    cause: str = ""
    rooms: dict[str, RoomOutcome] = field(default_factory=dict, hash=False)

    @property
    def is_valid(self) -> bool:
        """Tell whether it says something about the line."""
        return self.verdict in (Verdict.PASS, Verdict.FAIL)

    @property
    def source(self) -> str:
        """Name its row in the register."""
        return f"register:campaign_result/{self.id}"


def read_runs(
    session: Session, at: datetime, known_at: datetime | None = None, only: Collection[str] | None = None
) -> dict[str, tuple[LineRun, ...]]:
    """Give the runs of schools that had ended by an instant, as known at another, oldest first.

    Args:
        session: the register.
        at: the instant.
        known_at: results recorded later are not seen (default: all are).
        only: ids of schools; None = all.
    """
    result, run = CampaignResult, CampaignRun
    statement = (
        select(
            run.run_id, run.school_id, run.kind, result.t_start, result.verdict, result.reasons, result.by_line,
            result.whole_school, run.floor_dl,
            result.pace_bps, result.n_registered, result.emulated_n, result.agg_goodput_dl, result.agg_ip_dl,
            result.agg_ip_ul, result.p10, result.idle_p50, run.contracted_dl, run.contracted_ul, result.directions,
            result.cause, result.rooms,
        )
        .join(run, run.run_id == result.run_id)
        .where(
            result.t_start > at - LOOK_BACK, result.t_start <= at, run.failover.is_(False),
            run.kind.in_([CampaignKind.FLOOR.value, CampaignKind.CAPACITY.value]),
        )
        .order_by(result.t_start, result.run_id)
    )  # fmt: skip
    if known_at is not None:
        statement = statement.where(result.recorded_at <= known_at)
    if only is not None:
        statement = statement.where(run.school_id.in_(only))
    out: dict[str, list[LineRun]] = {}
    for row in session.execute(statement):
        is_floor = row.kind == CampaignKind.FLOOR
        found = LineRun(
            row.run_id, row.kind, row.t_start.timestamp(), row.verdict,
            _of_lines(row.verdict, row.by_line), says_something(row.verdict, row.reasons), row.whole_school,
            row.floor_dl if is_floor else 0.0, row.pace_bps, row.n_registered, row.emulated_n, row.agg_goodput_dl,
            row.agg_ip_dl, row.agg_ip_ul, row.p10, row.idle_p50, row.contracted_dl, row.contracted_ul,
            frozenset(one["direction"] for one in row.directions if _is_below(one)), row.cause,
            {
                one["room"]: RoomOutcome(
                    frozenset(one["passed_devices"]), frozenset(one["failed_devices"]), one["p10_dl"]
                )
                for one in row.rooms
            },
        )  # fmt: skip
        out.setdefault(row.school_id, []).append(found)
    return {school: tuple(runs) for school, runs in out.items()}


def _of_lines(verdict: str, lines: Sequence[Mapping[str, str]]) -> str:
    """Give the verdict of all lines: one that fails fails them, one that cannot be judged leaves them open."""
    if verdict not in (Verdict.PASS, Verdict.FAIL) or not lines:
        return verdict
    states = {line["verdict"] for line in lines}
    return (
        Verdict.FAIL if Verdict.FAIL in states else Verdict.PASS if states == {Verdict.PASS} else Verdict.INSUFFICIENT
    )


def _is_below(direction: dict[str, float | None]) -> bool:
    """Tell whether some participant missed its pace in a direction."""
    share = direction.get("share_floor")
    return share is not None and share < 1.0
