"""Plans runs: active campaigns and the runs so far go in, new runs with their slots are written to the register.

A school is due when a campaign wants it, no run of it is open, and its last valid run is old enough (a campaign of one
time wants one valid run a school; a ramp goes on until it is known how many PCs the room holds). What came to nothing
is tried again after a pause, a few times a day. A campaign whose schools have all got theirs, or whose end is past,
is done. Schools that cannot be tested (no server, no computer room) are told once in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_bandwidth.verdict import Verdict, says_something
from phongmay_campaigns.ledger import Standing, open_runs, take
from phongmay_campaigns.ramp import next_size
from phongmay_campaigns.scheduling import Slot, Waiting, plan
from phongmay_campaigns.settings import CampaignSettings
from phongmay_campaigns.sites import Site, read_site
from phongmay_campaigns.windows import intervals
from phongmay_store.register.base import new_id
from phongmay_store.register.campaign import (
    BandwidthServer,
    Campaign,
    CampaignKind,
    CampaignMode,
    CampaignResult,
    CampaignRun,
    CampaignState,
    RunStep,
)
from phongmay_store.register.timetable import LOCAL

RUN_S = 35.0
"""How long a run takes from its start to its end, a capacity test included."""
HORIZON_S = 3 * 86400.0
"""Slots are given so far ahead; what finds none waits for the next look."""
NOT_BEFORE_S = 2.0
_log = logging.getLogger("phongmay.campaigns")


class Floor(NamedTuple):
    """What each PC of a school must get, and which rules say so.

    Attributes:
        down_bps: payload rate downwards.
        rule_version: hash of the packs.
    """

    down_bps: float
    rule_version: str


FloorOf = Callable[[Session, str], Floor]
"""Gives the floor in force for a school."""


@dataclass
class _Need:
    """A school that a campaign wants tested now."""

    campaign: Campaign
    site: Site
    floor: Floor
    attempt: int
    ramp_n: int
    waiting: Waiting


class Planner:
    """Gives slots.

    Args:
        settings: the table [campaigns].
        floor_of: gives the floor in force for a school.
    """

    def __init__(self, settings: CampaignSettings, floor_of: FloorOf) -> None:
        self._settings, self._floor_of = settings, floor_of
        self._told: set[str] = set()

    def plan(self, session: Session, now: datetime) -> list[CampaignRun]:
        """Write the runs that can have a slot, and end campaigns that are done; the caller commits."""
        standing = open_runs(session)
        made: list[CampaignRun] = []
        active = select(Campaign).where(Campaign.holds(), Campaign.state == CampaignState.ACTIVE.value)
        campaigns = list(session.scalars(active.order_by(Campaign.starts_at, Campaign.id)))
        servers = {row.id: row for row in session.scalars(BandwidthServer.at(now))}
        needs: dict[str, list[_Need]] = {}
        for campaign in campaigns:
            if campaign.ends_at is not None and campaign.ends_at <= now:
                campaign.revise(session, {"state": CampaignState.DONE.value})
            elif campaign.server_id not in servers:
                self._tell(
                    campaign.id, f"campaign {campaign.id}: bandwidth server {campaign.server_id} is not registered"
                )
            elif campaign.starts_at <= now:
                budget = servers[campaign.server_id].uplink_bps * self._settings.uplink_share
                wanted, is_done = self._needs(session, campaign, standing, budget, now)
                if is_done:
                    campaign.revise(session, {"state": CampaignState.DONE.value})
                needs.setdefault(campaign.server_id, []).extend(wanted)
        for server_id, wanted in needs.items():
            made += self._give_slots(session, servers[server_id], wanted, standing, now)
        return made

    def _needs(
        self, session: Session, campaign: Campaign, standing: Sequence[Standing], budget: float, now: datetime
    ) -> tuple[list[_Need], bool]:
        """Give the schools of a campaign that are due, and whether all have got theirs for good."""
        busy = {one.run.school_id for one in standing}
        history = _history(session, campaign.id)
        out: list[_Need] = []
        left = 0
        for school_id in campaign.schools:
            site = read_site(session, school_id, now)
            pcs = site.of_room(campaign.room_id) if site else ()
            if site is None or not pcs:
                self._tell(
                    f"{campaign.id}/{school_id}",
                    f"campaign {campaign.id}: school {school_id} has no computer room with PCs",
                )
                continue
            runs = history.get(school_id, [])
            if any(one.run.campaign_id == campaign.id and one.run.school_id == school_id for one in standing):
                left += 1  # its run is under way: it is not done before that has ended
                continue
            size = _ramp_size(campaign, runs, len(pcs))
            if size is None or _has_its_run(campaign, runs, now):
                left += campaign.every_days > 0 and size is not None
                continue
            left += 1
            if school_id in busy or not self._may_try(runs, now):
                continue
            floor = self._floor_of(session, school_id)
            mode = CampaignMode(campaign.mode)
            start = now.timestamp() + NOT_BEFORE_S
            rate = site.rate_bps(campaign.kind, len(pcs), floor.down_bps, budget)
            if rate > budget:
                self._tell(
                    f"{campaign.id}/{school_id}/rate",
                    f"school {school_id}: {rate / 1e6:.0f} Mbit/s exceed the server's budget of {budget / 1e6:.0f}",
                )
            waiting = Waiting(
                school_id, site.line_ids, site.groups, rate, runs[-1].at.timestamp() if runs else 0.0,
                tuple(intervals(site.calendar, site.timetables(campaign.room_id), mode, start, start + HORIZON_S,
                                self._settings.after_class_min)),
                hurry=mode in (CampaignMode.NOW, CampaignMode.TEACHER),
            )  # fmt: skip
            out.append(_Need(campaign, site, floor, len(runs) + 1, size, waiting))
        return out, left == 0

    def _may_try(self, runs: Sequence[_Past], now: datetime) -> bool:
        if not runs:
            return True
        today = now.astimezone(LOCAL).date()
        tried = sum(run.at.astimezone(LOCAL).date() == today and run.counts is False for run in runs)
        pause = timedelta(minutes=self._settings.retry_min)
        return tried < self._settings.tries_a_day and (runs[-1].counts or runs[-1].at + pause <= now)

    def _give_slots(
        self,
        session: Session,
        server: BandwidthServer,
        needs: Sequence[_Need],
        standing: Sequence[Standing],
        now: datetime,
    ) -> list[CampaignRun]:
        by_school: dict[str, _Need] = {}
        for need in sorted(needs, key=lambda need: not need.waiting.hurry):
            by_school.setdefault(need.site.school_id, need)
        slots = plan(
            [need.waiting for need in by_school.values()], [_slot(one.run) for one in standing],
            now=now.timestamp() + NOT_BEFORE_S, budget_bps=server.uplink_bps * self._settings.uplink_share,
            slot_s=self._settings.slot_s, run_s=self._settings.lead_s + RUN_S, seed=int(now.timestamp()),
        )  # fmt: skip
        made = [self._write(session, by_school[slot.key], slot, now) for slot in slots]
        session.flush()
        return made

    def _write(self, session: Session, need: _Need, slot: Slot, now: datetime) -> CampaignRun:
        campaign, site, lines = need.campaign, need.site, need.site.lines
        down, up = [line.down_bps for line in lines], [line.up_bps for line in lines]
        run = CampaignRun(
            run_id=new_id("run"), campaign_id=campaign.id, school_id=site.school_id, room_id=campaign.room_id,
            lines=sorted(line.id for line in lines), groups=sorted(slot.groups),
            isp=", ".join(sorted({line.isp for line in lines if line.isp})), attempt=need.attempt, kind=campaign.kind,
            mode=campaign.mode, failover=campaign.failover, ramp_n=need.ramp_n, server_id=campaign.server_id,
            rate_bps=int(slot.rate_bps), contracted_dl=_sum(down), contracted_ul=_sum(up),
            floor_dl=need.floor.down_bps, floor_ul=need.floor.down_bps * self._settings.floor_up_share,
            rule_version=need.floor.rule_version, due_at=_utc(slot.begin), slot_start=_utc(slot.start),
            slot_end=_utc(slot.end), created_at=now,
        )  # fmt: skip
        session.add(run)
        take(session, run.run_id, RunStep.PLANNED, now, {"wake": campaign.wake})
        _log.info("event=planned run=%s school=%s kind=%s due=%s", run.run_id, site.school_id, run.kind, run.due_at)
        return run

    def _tell(self, key: str, text: str) -> None:
        if key not in self._told:
            self._told.add(key)
            _log.warning('event=not_planned detail="%s"', text)


class _Past(NamedTuple):
    """A run that has ended: when, whether it counts, and for a ramp how many PCs and whether the floor held."""

    at: datetime
    counts: bool
    ramp_n: int
    held: bool


def _history(session: Session, campaign_id: str) -> dict[str, list[_Past]]:
    rows = session.execute(
        select(
            CampaignRun.school_id,
            CampaignRun.due_at,
            CampaignRun.ramp_n,
            CampaignResult.verdict,
            CampaignResult.reasons,
        )
        .outerjoin(CampaignResult, CampaignResult.run_id == CampaignRun.run_id)
        .where(CampaignRun.campaign_id == campaign_id)
        .order_by(CampaignRun.attempt)
    )
    out: dict[str, list[_Past]] = {}
    for school, at, size, verdict, reasons in rows:
        counts = verdict is not None and says_something(verdict, reasons)
        past = _Past(at, counts, size, verdict == Verdict.PASS)
        out.setdefault(school, []).append(past)
    return out


def _has_its_run(campaign: Campaign, runs: Sequence[_Past], now: datetime) -> bool:
    """Tell whether the newest valid run is young enough. What a person ordered is done once, whatever came of it."""
    if campaign.kind == CampaignKind.RAMP.value:
        return False
    if campaign.mode in (CampaignMode.NOW.value, CampaignMode.TEACHER.value):
        return bool(runs)
    valid = [run.at for run in runs if run.counts]
    if not valid:
        return False
    return campaign.every_days == 0 or valid[-1] + timedelta(days=campaign.every_days) > now


def _ramp_size(campaign: Campaign, runs: Sequence[_Past], pcs: int) -> int | None:
    """Give the PCs of the next run: 0 = all; None = the ramp is over."""
    if campaign.kind != CampaignKind.RAMP.value:
        return 0
    tried: Mapping[int, bool] = {run.ramp_n: run.held for run in runs if run.counts}
    return next_size(tried, pcs)


def _slot(run: CampaignRun) -> Slot:
    lines = frozenset(run.lines) or frozenset({run.school_id})
    start, end, begin = (moment.timestamp() for moment in (run.slot_start, run.slot_end, run.due_at))
    return Slot(run.school_id, lines, frozenset(run.groups), run.rate_bps, start, end, begin)


def _sum(rates: Sequence[int | None]) -> int | None:
    """Add contracted rates; one that is not known leaves the sum unknown."""
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known and len(known) == len(rates) else None


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, LOCAL)
