"""Concurrent bandwidth tests: servers and campaigns (which change), runs with their steps, results and participants.

A run is never changed: what was ordered is one row, each step that it took another, what came of it a third, written
once. Its state is its newest step, so whoever coordinates it can be killed at any instant and go on from the register.
Rates are bit/s at the IP layer unless a name says goodput; times are UTC; shares are ratios.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from phongmay_store.register.base import Base, Versioned, utc_now


class CampaignKind(StrEnum):
    """What is tested."""

    FLOOR = "floor"
    """Every PC pulls the floor at once; decides the rules."""
    CAPACITY = "capacity"
    """As much as the line gives."""
    RAMP = "ramp"
    """1, 5, 10 ... PCs until the floor breaks."""


class CampaignMode(StrEnum):
    """When it may run."""

    PLANNED = "planned"
    """In breaks and after class."""
    OPPORTUNISTIC = "opportunistic"
    """In breaks, after class and in lessons: whenever most of the room is on and idle."""
    TEACHER = "teacher"
    """Now, with the class sitting there: input does not abort."""
    NOW = "now"
    """Now, ordered by a person; input aborts."""


class CampaignState(StrEnum):
    """Whether a campaign goes on."""

    ACTIVE = "active"
    STOPPED = "stopped"
    DONE = "done"


class Campaign(Versioned):
    """The wish to test some schools.

    Attributes:
        unit_id: unit whose campaign it is: the school, or the unit above the schools of a list.
        schools: ids of the schools, each tested line by line.
        room_id: only this room; None = all computer rooms of the school at once.
        every_days: a new run so many days after a valid one; 0 = one valid run a line is enough.
        wake: PCs that are off are woken through one that is on (Wake-on-LAN); the school agreed to it.
        starts_at: no run before.
        ends_at: no run after; what was not tested by then stays untested.
        failover: the school pulled the main line out for it; such runs say nothing about the sum of the lines.
        server_id: bandwidth server.
        ordered_by: login or command that ordered it.
    """

    __tablename__ = "campaign"

    unit_id: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    kind: Mapped[str]
    mode: Mapped[str]
    schools: Mapped[list[Any]]
    room_id: Mapped[str | None]
    every_days: Mapped[int] = mapped_column(default=0)
    wake: Mapped[bool] = mapped_column(default=False)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    failover: Mapped[bool] = mapped_column(default=False)
    server_id: Mapped[str]
    state: Mapped[str] = mapped_column(default=CampaignState.ACTIVE.value)
    ordered_by: Mapped[str] = mapped_column(default="")


class BandwidthServer(Versioned):
    """The far end of a test: a point of the district's choosing.

    Attributes:
        host: as the PCs reach it.
        ticket_key: secret that tickets are signed with, sealed by the key file of the register.
        uplink_bps: what its own line carries; the sum of the runs stays below a share of it.
    """

    __tablename__ = "bandwidth_server"

    name: Mapped[str]
    host: Mapped[str]
    port: Mapped[int]
    ticket_key: Mapped[str]
    uplink_bps: Mapped[int] = mapped_column(BigInteger)


class RunStep(StrEnum):
    """What a run can come to, in this order but for the ends; the last four end it."""

    PLANNED = "planned"
    WAKING = "waking"
    ORDERED = "ordered"
    """Every order is in the outbox; T0 is fixed."""
    MEASURED = "measured"
    """The time of measuring is over; results may still come."""
    DONE = "done"
    POSTPONED = "postponed"
    STOPPED = "stopped"
    LOST = "lost"
    """Nobody drove it at its time."""


ENDS = frozenset({RunStep.DONE, RunStep.POSTPONED, RunStep.STOPPED, RunStep.LOST})


class CampaignRun(Base):
    """One run as it was planned: one line of one school at one time.

    Attributes:
        lines: lines that it may go over; empty = the school has registered none.
        groups: of lines of one group (provider and place) only one is tested at a time.
        isp: providers of the lines.
        attempt: how often the campaign tried this school, this time included.
        failover: the main line is off, what is measured is the other one.
        ramp_n: PCs that take part in this step of a ramp; 0 = all.
        rate_bps: rate that it is expected to take from the server's uplink.
        floor_dl: rate a PC that is demanded down (goodput).
        floor_ul: the same up.
        rule_version: hash of the packs that the floor is from.
        due_at: when it is to begin, jitter included.
        slot_start: begin of the slot that it lies in; nothing else runs on its lines in the slot.
        slot_end: end of that slot.
    """

    __tablename__ = "campaign_run"
    __table_args__ = (UniqueConstraint("campaign_id", "school_id", "attempt"),)

    run_id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(index=True)
    school_id: Mapped[str] = mapped_column(index=True)
    room_id: Mapped[str | None]
    lines: Mapped[list[Any]]
    groups: Mapped[list[Any]]
    isp: Mapped[str] = mapped_column(default="")
    attempt: Mapped[int]
    kind: Mapped[str]
    mode: Mapped[str]
    failover: Mapped[bool] = mapped_column(default=False)
    ramp_n: Mapped[int] = mapped_column(default=0)
    server_id: Mapped[str]
    rate_bps: Mapped[int] = mapped_column(BigInteger)
    contracted_dl: Mapped[int | None] = mapped_column(BigInteger)
    contracted_ul: Mapped[int | None] = mapped_column(BigInteger)
    floor_dl: Mapped[float]
    floor_ul: Mapped[float]
    rule_version: Mapped[str] = mapped_column(default="")
    due_at: Mapped[datetime] = mapped_column(index=True)
    slot_start: Mapped[datetime]
    slot_end: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class CampaignStep(Base):
    """A step of a run: append-only; a step is taken once.

    Attributes:
        detail: what the next step needs (T0, tickets' seeds, who was ordered) or why the run ended.
    """

    __tablename__ = "campaign_step"
    __table_args__ = (UniqueConstraint("run_id", "step"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(index=True)
    step: Mapped[str]
    detail: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(default=utc_now)


class CampaignResult(Base):
    """What came of a run; written once, when it ends. Verdicts, reasons and causes are words of `phongmay_bandwidth`.

    Attributes:
        school_id: as of the run, for whoever may read it.
        layer: layer of the rates called agg_ip ("ip").
        server_cc: congestion control that was in force at the server.
        pace_bps: what each participant was to pull downwards; 0 = unpaced.
        n_registered: PCs in service that should take part.
        n_valid: participants whose figures count.
        emulated_n: absent PCs for which the present ones pulled more.
        jain: fairness downwards, as p10, median and minimum are.
        share_floor: share of the participants that reached their pace, the smaller of both directions.
        cross_traffic: share of the line that was not the test's, by the router; None = unknown.
        router_dl: rate that the router counted in the same seconds; None = no router is read.
        server_load: share of the server's uplink that was in use.
        directions: all figures of each direction.
        by_line: figures by source address: several lines behind a balancer.
        rooms: for each room the PCs that passed and that failed, and the tenth percentile of the room downwards.
        whole_room: every PC in service of the tested rooms was meant.
        whole_school: every PC in service of all computer rooms was meant.
        cause: what a failure points to; `cause_names` says which PCs or rooms.
    """

    __tablename__ = "campaign_result"

    run_id: Mapped[str] = mapped_column(primary_key=True)
    school_id: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    t_start: Mapped[datetime] = mapped_column(index=True)
    layer: Mapped[str] = mapped_column(default="ip")
    server_cc: Mapped[str] = mapped_column(default="")
    warmup_s: Mapped[float]
    window_s: Mapped[float]
    streams: Mapped[int]
    pace_bps: Mapped[float]
    n_registered: Mapped[int]
    n_online: Mapped[int]
    n_started: Mapped[int]
    n_valid: Mapped[int]
    emulated_n: Mapped[int]
    agg_goodput_dl: Mapped[float | None]
    agg_goodput_ul: Mapped[float | None]
    agg_ip_dl: Mapped[float | None]
    agg_ip_ul: Mapped[float | None]
    agg_client_dl: Mapped[float | None]
    agg_client_ul: Mapped[float | None]
    jain: Mapped[float | None]
    p10: Mapped[float | None]
    median: Mapped[float | None]
    minimum: Mapped[float | None]
    share_floor: Mapped[float | None]
    idle_p50: Mapped[float | None]
    idle_p95: Mapped[float | None]
    loaded_p50: Mapped[float | None]
    loaded_p95: Mapped[float | None]
    loss: Mapped[float | None]
    retrans: Mapped[float | None]
    bytes_total: Mapped[int] = mapped_column(BigInteger)
    stop_reason: Mapped[str] = mapped_column(default="")
    cross_traffic: Mapped[float | None]
    router_dl: Mapped[float | None]
    router_ul: Mapped[float | None]
    server_load: Mapped[float | None]
    directions: Mapped[list[Any]]
    by_line: Mapped[list[Any]]
    rooms: Mapped[list[Any]]
    whole_room: Mapped[bool]
    whole_school: Mapped[bool]
    verdict: Mapped[str]
    reasons: Mapped[list[Any]]
    cause: Mapped[str] = mapped_column(default="")
    cause_names: Mapped[list[Any]]
    recorded_at: Mapped[datetime] = mapped_column(default=utc_now)


class CampaignParticipant(Base):
    """One PC of a run; written once, with the result.

    Attributes:
        link: wired, wireless or unknown.
        status: ok, absent, late, aborted, error, or excluded (its figures disagree with the server's).
        passed: it reached the pace in every direction; None = cannot be told.
        bins_dl: payload rate of each second from the ordered start on (bit/s), by the server.
    """

    __tablename__ = "campaign_participant"
    __table_args__ = (UniqueConstraint("run_id", "device_id"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(index=True)
    device_id: Mapped[str] = mapped_column(index=True)
    room_id: Mapped[str | None] = mapped_column(index=True)
    code: Mapped[str]
    link: Mapped[str] = mapped_column(default="")
    link_bps: Mapped[int | None] = mapped_column(BigInteger)
    clock_off: Mapped[float | None]
    clock_rtt: Mapped[float | None]
    start_err: Mapped[float | None]
    goodput_dl_srv: Mapped[float | None]
    goodput_ul_srv: Mapped[float | None]
    goodput_dl_cli: Mapped[float | None]
    goodput_ul_cli: Mapped[float | None]
    idle_p50: Mapped[float | None]
    idle_p95: Mapped[float | None]
    loaded_p50: Mapped[float | None]
    loaded_p95: Mapped[float | None]
    ping_loss: Mapped[float | None]
    retrans: Mapped[float | None]
    rwnd_limited: Mapped[float | None]
    nic_rx: Mapped[int | None] = mapped_column(BigInteger)
    nic_tx: Mapped[int | None] = mapped_column(BigInteger)
    own_cross_traffic: Mapped[float | None]
    cpu_max: Mapped[float | None]
    source_address: Mapped[str] = mapped_column(default="")
    agent_version: Mapped[str] = mapped_column(default="")
    status: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    passed: Mapped[bool | None]
    bins_dl: Mapped[list[Any]]
    bins_ul: Mapped[list[Any]]


class CampaignDigest(Base):
    """The digest of a test's rows, by which the test is a link of its school's chain; written once.

    Attributes:
        unit_id: the school.
        digest: SHA-256 over run, result and participants, in hexadecimal digits.
    """

    __tablename__ = "campaign_digest"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    unit_id: Mapped[str] = mapped_column(index=True)
    run_id: Mapped[str] = mapped_column(unique=True)
    digest: Mapped[str]
    recorded_at: Mapped[datetime] = mapped_column(default=utc_now)


class CoordinatorLease(Base):
    """Which coordinator may plan and drive runs: one row, held by whoever renewed it in time."""

    __tablename__ = "coordinator_lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    until: Mapped[datetime]
