"""Drives one run from step to step: register and series go in, orders, steps and results go out.

Every step is committed with what belongs to it (see `ledger`), and what the next step needs stands in its detail, so
that the process can be killed at any instant: the next one reads the step and goes on. A run that nobody could order
in its slot, or whose report never came, is lost; one that must not run now (an exam entered meanwhile, a busy router,
PCs that are off) is postponed and planned again.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from phongmay_bandwidth.fetch import FetchError, abort_run, fetch_report
from phongmay_bandwidth.order import RunKind
from phongmay_bandwidth.planning import PlanError, RunPlan, make_orders
from phongmay_bandwidth.report import RunReport
from phongmay_campaigns import finishing, presence, waking
from phongmay_campaigns.failover import usual_lines
from phongmay_campaigns.ledger import Standing, StepTakenError, stop_run, take
from phongmay_campaigns.settings import CampaignSettings
from phongmay_campaigns.sites import Pc, Site, read_site
from phongmay_campaigns.windows import intervals
from phongmay_contract.command import Order
from phongmay_store.register import outbox
from phongmay_store.register.campaign import (
    BandwidthServer,
    Campaign,
    CampaignMode,
    CampaignRun,
    CampaignState,
    RunStep,
)
from phongmay_store.register.device import Credential
from phongmay_store.register.failures import sentence
from phongmay_store.register.sealing import Seal
from phongmay_store.series.interface import SeriesReader

SeriesOpener = Callable[[], AbstractContextManager[SeriesReader]]
AFTER_S = 3.0
"""Beyond the longest window: late starts and what is still in queues."""
_CAPACITY_WINDOW_S = 12.0
_LATE_S = 5.0
"""A run may begin so much later than planned and still end inside its slot's neighbours."""
_UNATTENDED = (CampaignMode.PLANNED.value, CampaignMode.OPPORTUNISTIC.value)
_log = logging.getLogger("phongmay.campaigns")


class Driver:
    """Takes runs from step to step.

    Args:
        sessions: the register.
        series: opens the series for one look.
        seal: opens the servers' ticket keys.
        settings: the table [campaigns].
    """

    def __init__(
        self, sessions: sessionmaker[Session], series: SeriesOpener, seal: Seal, settings: CampaignSettings
    ) -> None:
        self._sessions, self._series, self._seal, self._settings = sessions, series, seal, settings
        self._refused: set[tuple[str, RunStep]] = set()

    def drive(self, standing: Standing, now: datetime) -> None:
        """Take the next step of a run if it is time. What the register refuses of it is logged, and stops no other run.

        Raises:
            StoreError: series or register cannot be used.
            SealError: the server's ticket key cannot be opened.
        """
        with self._sessions() as session:
            try:
                if not self._is_wanted(session, standing.run):
                    self._stop(session, standing, now)
                elif standing.step in (RunStep.PLANNED, RunStep.WAKING):
                    self._begin(session, standing, now)
                elif standing.step is RunStep.ORDERED:
                    self._fetch(session, standing, now)
                elif standing.step is RunStep.MEASURED:
                    self._finish(session, standing, now)
            except StepTakenError as error:
                _log.info('event=step_taken detail="%s"', error)
            except IntegrityError as error:
                if (standing.run.run_id, standing.step) not in self._refused:
                    self._refused.add((standing.run.run_id, standing.step))
                    _log.error('event=step_refused run=%s step=%s detail="%s"', standing.run.run_id, standing.step,
                               sentence(error))  # fmt: skip

    def _is_wanted(self, session: Session, run: CampaignRun) -> bool:
        state = session.scalar(select(Campaign.state).where(Campaign.holds(), Campaign.id == run.campaign_id))
        return state != CampaignState.STOPPED.value

    # ---- before the start ------------------------------------------------------------------------------------------

    def _begin(self, session: Session, standing: Standing, now: datetime) -> None:
        run, settings = standing.run, self._settings
        wakes = standing.step is RunStep.PLANNED and bool(standing.detail.get("wake"))
        if now < run.due_at - timedelta(seconds=settings.wake_wait_s if wakes else 0):
            return
        if now > run.due_at + timedelta(seconds=settings.wake_wait_s + _LATE_S if wakes else _LATE_S):
            self._end(session, run, RunStep.LOST, now, "nobody_drove_it")
            return
        site = read_site(session, run.school_id, now)
        server = session.scalar(BandwidthServer.at(now).where(BandwidthServer.id == run.server_id))
        if site is None or server is None:
            self._end(session, run, RunStep.LOST, now, "school_or_server_is_gone")
            return
        with self._series() as series:
            meant = site.of_room(run.room_id)
            on = presence.who_is_on(series, [pc.id for pc in meant if pc.has_agent])
            if wakes and len(on) < len(meant) and self._wake(session, run, series, site, meant, on, now):
                return
            if now < run.due_at:
                return
            reason = self._hindrance(series, run, site, meant, on, now)
        if reason:
            self._end(session, run, RunStep.POSTPONED, now, reason)
            return
        self._order(session, run, server, site, meant, on, now)

    def _wake(
        self,
        session: Session,
        run: CampaignRun,
        series: SeriesReader,
        site: Site,
        meant: Sequence[Pc],
        on: set[str],
        now: datetime,
    ) -> bool:
        """Order PCs that are on to wake those that are off; False when nobody can."""
        sent = waking.order(session, run, series, meant, on, now)
        if sent:
            take(session, run.run_id, RunStep.WAKING, now, {"woken": sent})
            session.commit()
            _log.info("event=waking run=%s school=%s pcs=%d", run.run_id, site.school_id, len(sent))
        return bool(sent)

    def _hindrance(
        self, series: SeriesReader, run: CampaignRun, site: Site, meant: Sequence[Pc], on: set[str], now: datetime
    ) -> str:
        """Say why a run must not begin now; "" = nothing speaks against it."""
        at, mode, settings = now.timestamp(), CampaignMode(run.mode), self._settings
        opened = intervals(site.calendar, site.timetables(run.room_id), mode, at, at + 1, settings.after_class_min)
        if not opened:
            return "calendar"
        if not on or len(on) < run.ramp_n:
            return "nobody_on" if not on else "too_few_on"
        if run.mode in _UNATTENDED and len(on) < settings.least_share * len(meant):
            return "too_few_on"
        if mode is CampaignMode.OPPORTUNISTIC:
            idle = presence.who_is_idle(series, on, at, settings.idle_cpu)
            if len(idle) < settings.least_share * len(meant):
                return "not_idle"
        carried = presence.carried_lately(series, site.routers, at)
        share = carried.share(max(run.contracted_dl or 0, run.contracted_ul or 0)) if carried else None
        return "router_busy" if share is not None and share > settings.router_busy else ""

    def _order(
        self,
        session: Session,
        run: CampaignRun,
        server: BandwidthServer,
        site: Site,
        meant: Sequence[Pc],
        on: set[str],
        now: datetime,
    ) -> None:
        keyed = set(
            session.scalars(
                select(Credential.device_id).where(
                    Credential.device_id.in_(on), Credential.command_key != "", Credential.revoked_at.is_(None)
                )
            )
        )
        chosen = [pc.id for pc in meant if pc.id in keyed]
        if run.ramp_n:
            chosen = chosen[: run.ramp_n]
        plan = self._plan(run, server, len(chosen) if run.ramp_n else len(meant), now)
        try:
            orders = make_orders(plan, chosen, self._seal.open_sealed(server.ticket_key), now.timestamp())
        except PlanError as error:
            self._end(session, run, RunStep.POSTPONED, now, "no_command_key" if not chosen else str(error))
            return
        for device, order in orders.items():
            expires = now + timedelta(seconds=order.expires - now.timestamp())
            outbox.put(
                session, device, Order.CAMPAIGN_START.value, order.to_body(), expires_at=expires, run_id=run.run_id
            )
        detail = {
            "plan": {**dataclasses.asdict(plan), "directions": [one.value for one in plan.directions]},
            "ordered": sorted(orders),
            "meant": [dataclasses.asdict(pc) for pc in meant if not run.ramp_n or pc.id in orders],
            "on": sorted(on),
            "whole_school": len(meant) == len(site.pcs),
            "ends": max(plan.starts().values()) + plan.warmup_s + plan.window_max_s + AFTER_S,
        }
        take(session, run.run_id, RunStep.ORDERED, now, detail)
        session.commit()
        _log.info("event=ordered run=%s school=%s pcs=%d of=%d", run.run_id, site.school_id, len(orders), len(meant))

    def _plan(self, run: CampaignRun, server: BandwidthServer, registered: int, now: datetime) -> RunPlan:
        plan = RunPlan(
            run=run.run_id, kind=RunKind(run.kind), host=server.host, port=server.port,
            start=now.timestamp() + self._settings.lead_s, floor_down_bps=run.floor_dl, floor_up_bps=run.floor_ul,
            registered=registered, abort_on_input=run.mode != CampaignMode.TEACHER.value,
        )  # fmt: skip
        if plan.paced:
            return plan
        line = max(run.contracted_dl or 0, run.contracted_ul or 0)
        length = plan.warmup_s + _CAPACITY_WINDOW_S
        return dataclasses.replace(
            plan, window_max_s=_CAPACITY_WINDOW_S, byte_cap=int(1.25 * (line or run.rate_bps) / 8 * length)
        )

    # ---- after the start -------------------------------------------------------------------------------------------

    def _fetch(self, session: Session, standing: Standing, now: datetime) -> None:
        run, ends = standing.run, float(standing.detail["ends"])
        if now.timestamp() < ends:
            return
        server = session.scalar(BandwidthServer.at(now).where(BandwidthServer.id == run.server_id))
        late = now.timestamp() > ends + self._settings.result_wait_s
        if server is None:
            self._end(session, run, RunStep.LOST, now, "school_or_server_is_gone")
            return
        try:
            key = self._seal.open_sealed(server.ticket_key)
            report = fetch_report(server.host, server.port, key, run.run_id, timeout_s=5.0)
        except FetchError as error:
            _log.warning('event=no_report run=%s detail="%s"', run.run_id, error)
            if late:
                self._end(session, run, RunStep.LOST, now, f"no_report: {error.refusal or error}"[:200])
            return
        if report.finished or late:
            take(session, run.run_id, RunStep.MEASURED, now, {**standing.detail, "report": report.to_json()})
            session.commit()

    def _finish(self, session: Session, standing: Standing, now: datetime) -> None:
        detail: Mapping[str, Any] = standing.detail
        plan = finishing.read_plan(detail["plan"])
        with self._series() as series:
            results = finishing.read_results(series, detail["ordered"], plan)
            site = read_site(session, standing.run.school_id, now)
            ends = float(detail["ends"])
            is_early = now.timestamp() < ends + self._settings.result_wait_s
            complete = len(results) == len(detail["ordered"])
            if is_early and not (complete and self._router_has_told(series, site, plan.start, ends)):
                return
            server = session.scalar(BandwidthServer.at(now).where(BandwidthServer.id == standing.run.server_id))
            finished = finishing.finish(
                standing.run, detail, plan, RunReport.from_json(detail["report"]), results, series, site,
                server.uplink_bps if server else standing.run.rate_bps,
                self._usual(session, standing.run, site, plan.start),
            )  # fmt: skip
        take(session, standing.run.run_id, RunStep.DONE, now, {"verdict": finished.result.verdict})
        session.add(finished.result)
        session.add_all(finished.participants)
        session.commit()
        _log.info(
            "event=done run=%s school=%s verdict=%s",
            standing.run.run_id,
            standing.run.school_id,
            finished.result.verdict,
        )

    def _usual(self, session: Session, run: CampaignRun, site: Site | None, start: float) -> Sequence[Collection[str]]:
        """Give what tells a failover from an ordinary run: which lines carried those before it."""
        if site is None or not run.failover:
            return ()
        return usual_lines(session, run.school_id, [line.id for line in site.lines], datetime.fromtimestamp(start, UTC))

    def _router_has_told(self, series: SeriesReader, site: Site | None, start: float, ends: float) -> bool:
        """Tell whether nothing more is to be had of the router: it was read after the end, or nobody reads it."""
        if site is None or finishing.witness(series, site, start, ends) is not None:
            return True
        return presence.carried_lately(series, site.routers, start) is None

    # ---- ends ------------------------------------------------------------------------------------------------------

    def _stop(self, session: Session, standing: Standing, now: datetime) -> None:
        """End a run whose campaign was stopped: the server first, which cuts every connection, then the PCs."""
        run = standing.run
        if standing.step is RunStep.ORDERED:
            server = session.scalar(BandwidthServer.at(now).where(BandwidthServer.id == run.server_id))
            if server is not None:
                try:
                    abort_run(server.host, server.port, self._seal.open_sealed(server.ticket_key), run.run_id, 2.0)
                except FetchError as error:
                    _log.warning('event=not_aborted_at_server run=%s detail="%s"', run.run_id, error)
        stop_run(session, standing, now)
        session.commit()
        _log.info("event=stopped run=%s school=%s", run.run_id, run.school_id)

    def _end(self, session: Session, run: CampaignRun, step: RunStep, now: datetime, reason: str) -> None:
        take(session, run.run_id, step, now, {"reason": reason})
        session.commit()
        _log.info('event=%s run=%s school=%s reason="%s"', step.value, run.run_id, run.school_id, reason)
