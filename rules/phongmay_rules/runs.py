"""What concurrent bandwidth tests came to, as facts need it: rows of the register go in, one value a run comes out.

Only what facts look at is read: valid floor runs and usable capacity runs of a quarter, the figures of rooms, lines and
slow PCs of floor runs alone. Runs of a ramp and of a failover say nothing about rules.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from phongmay_bandwidth.evidence import SUM_SHARE
from phongmay_bandwidth.verdict import Verdict, says_something
from phongmay_rules.facts.catalogue import SPAN_S, Span
from phongmay_store.register.asking import Question, ask
from phongmay_store.register.campaign import CampaignKind, CampaignParticipant, CampaignResult, CampaignRun

LOOK_BACK = timedelta(seconds=SPAN_S[Span.HELD])
"""A run vouches for so long: the longest quarter."""
_VALID = (Verdict.PASS.value, Verdict.FAIL.value)
_BLOCK = 400


@dataclass(frozen=True, slots=True)
class RoomOutcome:
    """What a run came to in one room.

    Attributes:
        passed: PCs that reached their pace.
        failed: PCs that took part and did not.
        p10_bps: tenth percentile of the room's PCs downwards; None = not measured.
        reached: for PCs that failed, the share of their pace that they reached, of the two directions the smaller one.
    """

    passed: frozenset[str]
    failed: frozenset[str]
    p10_bps: float | None
    reached: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def took_part(self) -> frozenset[str]:
        """PCs whose figures count."""
        return self.passed | self.failed


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
        lines: lines that the school had registered when it was planned; its contracts are theirs.
        carried: of a capacity run, PCs by the line that they went over; an address where no line is told by it.
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
    line_share: float | None = None
    """Share of what was ordered that the weakest line carried, of the two directions the smaller one."""
    rooms: dict[str, RoomOutcome] = field(default_factory=dict, hash=False)
    lines: tuple[str, ...] = ()
    carried: Mapping[str, int] = field(default_factory=dict, hash=False)
    loss: float | None = None
    """Share of lost echoes while the line carried the run; None = not measured."""

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

    def ended(kind: CampaignKind) -> Sequence[Row[Any]]:
        statement = _ended(kind, known_at is not None, only is not None)
        return ask(session, statement, at=at, since=at - LOOK_BACK, known_at=known_at, only=list(only or ()))

    found: dict[str, list[LineRun]] = {}
    runs = (*_floor_runs(session, ended(CampaignKind.FLOOR)), *_capacity_runs(ended(CampaignKind.CAPACITY)))
    for school, made in runs:
        found.setdefault(school, []).append(made)
    return {school: tuple(sorted(runs, key=lambda one: (one.at, one.id))) for school, runs in found.items()}


_SCALARS = (
    CampaignRun.run_id, CampaignRun.school_id, CampaignRun.kind, CampaignResult.t_start, CampaignResult.verdict,
    CampaignResult.whole_school, CampaignRun.floor_dl, CampaignRun.floor_ul, CampaignResult.pace_bps,
    CampaignResult.n_registered, CampaignResult.emulated_n, CampaignResult.agg_goodput_dl, CampaignResult.agg_ip_dl,
    CampaignResult.agg_ip_ul, CampaignResult.p10, CampaignResult.idle_p50, CampaignRun.contracted_dl,
    CampaignRun.contracted_ul, CampaignResult.cause, CampaignRun.lines, CampaignResult.loss,
)  # fmt: skip


_LINES = (CampaignResult.by_line, CampaignResult.directions, CampaignResult.rooms)


@lru_cache
def _ended(kind: CampaignKind, known: bool, some: bool) -> Question:
    """Select what has ended of one kind between `since` and `at`, and says something."""
    verdict = CampaignResult.verdict
    more, is_sound = (
        (_LINES, verdict.in_(_VALID)) if kind is CampaignKind.FLOOR
        else ((CampaignResult.reasons, CampaignResult.by_line), verdict != Verdict.INVALID.value)
    )  # fmt: skip
    statement = (
        select(*_SCALARS, *more)
        .join(CampaignRun, CampaignRun.run_id == CampaignResult.run_id)
        .where(
            CampaignResult.t_start > bindparam("since"), CampaignResult.t_start <= bindparam("at"),
            CampaignRun.failover.is_(False), CampaignRun.kind == kind.value, is_sound,
        )
    )  # fmt: skip
    if known:
        statement = statement.where(CampaignResult.recorded_at <= bindparam("known_at"))
    return statement.where(CampaignRun.school_id.in_(bindparam("only", expanding=True))) if some else statement


def _capacity_runs(rows: Iterable[Row[Any]]) -> Iterator[tuple[str, LineRun]]:
    for row in rows:
        if says_something(row.verdict, row.reasons):
            carried = {one["line"]: one["participants"] for one in row.by_line if one.get("participants")}
            yield row.school_id, _run(row, row.verdict, 0.0, carried=carried)


def _floor_runs(session: Session, rows: Sequence[Row[Any]]) -> Iterator[tuple[str, LineRun]]:
    reached = _reached(session, [row for row in rows if any(one["failed_devices"] for one in row.rooms)])
    for row in rows:
        shares = reached.get(row.run_id, {})
        yield row.school_id, _run(
            row, _of_lines(row.verdict, row.by_line), row.floor_dl,
            below=_below([row.directions, *(line["directions"] for line in row.by_line)]),
            line_share=_line_share(row.by_line or [{"directions": row.directions}]),
            rooms={
                one["room"]: RoomOutcome(
                    frozenset(one["passed_devices"]), frozenset(one["failed_devices"]), one["p10_dl"],
                    {device: shares[device] for device in one["failed_devices"] if device in shares},
                )
                for one in row.rooms
            },
        )  # fmt: skip


def _run(row: Row[Any], line_verdict: str, floor_bps: float, **more: Any) -> LineRun:
    return LineRun(
        row.run_id, row.kind, row.t_start.timestamp(), row.verdict, line_verdict, True, row.whole_school, floor_bps,
        row.pace_bps, row.n_registered, row.emulated_n, row.agg_goodput_dl, row.agg_ip_dl, row.agg_ip_ul, row.p10,
        row.idle_p50, row.contracted_dl, row.contracted_ul, cause=row.cause, lines=tuple(row.lines), loss=row.loss,
        **more,
    )  # fmt: skip


def _reached(session: Session, runs: Sequence[Row[Any]]) -> dict[str, dict[str, float]]:
    """Give the share of its pace that each PC reached which failed, by run."""
    paces = {
        run.run_id: (run.pace_bps, run.pace_bps * run.floor_ul / run.floor_dl) for run in runs
        if run.pace_bps and run.floor_dl and run.floor_ul
    }  # fmt: skip
    wanted, out = sorted(paces), dict[str, dict[str, float]]()
    who = CampaignParticipant
    for start in range(0, len(wanted), _BLOCK):
        rows = session.execute(
            select(who.run_id, who.device_id, who.goodput_dl_srv, who.goodput_ul_srv).where(
                who.run_id.in_(wanted[start : start + _BLOCK]), who.passed.is_(False)
            )
        )
        for run_id, device, *rates in rows:
            shares = [rate / pace for rate, pace in zip(rates, paces[run_id], strict=True) if rate is not None]
            if shares:
                out.setdefault(run_id, {})[device] = min(shares)
    return out


def _line_share(lines: Sequence[Mapping[str, Any]]) -> float | None:
    """Give the share of what was ordered that the weakest line carried; None where it was not told."""
    shares = [
        one["goodput_bps"] / one["ordered_bps"] if one.get("goodput_bps") is not None and one.get("ordered_bps")
        else None
        for line in lines for one in line["directions"]
    ]  # fmt: skip
    known = [share for share in shares if share is not None]
    return min(known) if known and len(known) == len(shares) else None


def _of_lines(verdict: str, lines: Sequence[Mapping[str, str]]) -> str:
    """Give the verdict of all lines: one that fails fails them, one that cannot be judged leaves them open."""
    if verdict not in (Verdict.PASS, Verdict.FAIL) or not lines:
        return verdict
    states = {line["verdict"] for line in lines}
    return (
        Verdict.FAIL if Verdict.FAIL in states else Verdict.PASS if states == {Verdict.PASS} else Verdict.INSUFFICIENT
    )


def _below(lines: Iterable[Sequence[Mapping[str, Any]]]) -> frozenset[str]:
    """Give the directions in which a participant missed its pace, or the sum stayed below what was ordered."""
    return frozenset(one["direction"] for directions in lines for one in directions if _is_below(one))


def _is_below(direction: Mapping[str, Any]) -> bool:
    share: float | None = direction.get("share_floor")
    goodput: float | None = direction.get("goodput_bps")
    ordered: float | None = direction.get("ordered_bps")
    if ordered and goodput is not None and goodput < SUM_SHARE * ordered:
        return True
    return share is not None and share < 1.0
