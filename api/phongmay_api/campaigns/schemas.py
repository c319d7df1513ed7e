"""What the API says about campaigns and runs. Rates in bit/s, times in s, shares as ratios; null = not measured."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from phongmay_store.register.campaign import CampaignKind, CampaignMode


class CampaignIn(BaseModel):
    """What is to be tested."""

    unit: str = Field(description="A school, or a unit above schools: then every school below it.")
    schools: list[str] = Field([], max_length=1000, description="Only these schools of the unit.")
    room: str | None = Field(None, description="Only this computer room of the school.")
    kind: CampaignKind = CampaignKind.FLOOR
    mode: CampaignMode = CampaignMode.PLANNED
    name: str = Field("", max_length=200)
    every_days: int = Field(0, ge=0, le=366, description="A new run so many days after a valid one; 0 = once.")
    wake: bool = Field(False, description="Wake PCs that are off; the school agreed to it.")
    failover: bool = Field(False, description="The main line is pulled out.")
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    server: str = Field("", description="Bandwidth server; empty = the only one.")


class CampaignOut(BaseModel):
    """A campaign as it is now."""

    id: str
    unit_id: str
    name: str
    kind: str
    mode: str
    state: str = Field(description="active, stopped or done.")
    schools: list[str]
    room_id: str | None
    every_days: int
    wake: bool
    failover: bool
    starts_at: datetime
    ends_at: datetime | None
    server_id: str
    ordered_by: str


class RunOut(BaseModel):
    """A run in a list."""

    id: str
    campaign_id: str
    unit_id: str = Field(description="School.")
    room_id: str | None
    kind: str
    mode: str
    attempt: int
    due_at: datetime
    step: str = Field(description="planned, waking, ordered, measured, done, postponed, stopped or lost.")
    step_at: datetime
    end_reason: str = Field(description='Why it ended without a result; "" = it did not.')
    verdict: str | None = Field(description="pass, fail, insufficient or invalid; null = none yet.")
    reasons: list[str]
    cause: str = Field(description="slow_pc, slow_room, line, server or empty.")


class ParticipantOut(BaseModel):
    """One PC of a run."""

    device_id: str
    room_id: str | None
    code: str
    status: str
    reason: str
    passed: bool | None
    link: str
    link_bps: int | None
    clock_off: float | None
    clock_rtt: float | None
    start_err: float | None
    goodput_dl_srv: float | None
    goodput_ul_srv: float | None
    goodput_dl_cli: float | None
    goodput_ul_cli: float | None
    idle_p50: float | None
    idle_p95: float | None
    loaded_p50: float | None
    loaded_p95: float | None
    ping_loss: float | None
    retrans: float | None
    rwnd_limited: float | None
    nic_rx: int | None
    nic_tx: int | None
    own_cross_traffic: float | None
    cpu_max: float | None
    source_address: str
    agent_version: str
    bins_dl: list[int] = Field(description="Payload rate of each second from the ordered start on, by the server.")
    bins_ul: list[int]


class RunDetailOut(RunOut):
    """A run with everything that is kept of it."""

    lines: list[str]
    isp: str
    failover: bool
    ramp_n: int
    server_id: str
    contracted_dl: int | None
    contracted_ul: int | None
    floor_dl: float
    floor_ul: float
    rule_version: str
    result: dict[str, Any] | None = Field(description="Figures of the run; null = it gave none.")
    participants: list[ParticipantOut]
