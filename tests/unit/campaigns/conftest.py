"""A run of two rooms as the register keeps it, without a register."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from phongmay_campaigns.ledger import Standing
from phongmay_campaigns.reporting.evidence import Evidence
from phongmay_store.register.campaign import CampaignParticipant, CampaignResult, CampaignRun, RunStep

AT = datetime(2026, 11, 23, 4, 45, tzinfo=UTC)
FLOOR = 2_000_000.0


def _participant(number: int, *, slow: bool = False, absent: bool = False) -> CampaignParticipant:
    rate = None if absent else 0.4e6 if slow else FLOOR * (1 - 0.001 * (number % 7))
    bins = [] if rate is None else [int(rate * (0.6 if second == 0 else 1)) for second in range(8)]
    return CampaignParticipant(
        run_id="run-abc", device_id=f"pc-{number}", room_id="room-1" if number < 20 else "room-2",
        code=f"TH{number:02d}", link="wired", link_bps=10**9, clock_off=0.4, clock_rtt=0.011, start_err=0.004,
        goodput_dl_srv=rate, goodput_ul_srv=rate, goodput_dl_cli=rate, goodput_ul_cli=rate,
        idle_p50=None if absent else 0.0107, loaded_p50=None if absent else 0.0128, retrans=0.002,
        source_address="203.0.113.7", agent_version="0.1.0", status="absent" if absent else "ok", reason="",
        passed=None if absent else not slow, bins_dl=bins, bins_ul=bins,
    )  # fmt: skip


@pytest.fixture
def evidence() -> Callable[..., Evidence]:
    """Make the evidence of a floor run of 40 PCs; `slow` of them do not reach the floor, `absent` are not there."""

    def make(
        verdict: str = "pass", *, slow: int = 0, absent: int = 0, name: str = "Trường THCS Nguyễn Đức Cảnh"
    ) -> Evidence:
        participants = [_participant(n, slow=n < slow, absent=n >= 40 - absent) for n in range(40)]
        own = [one.goodput_dl_srv for one in participants if one.goodput_dl_srv is not None]
        run = CampaignRun(
            run_id="run-abc", campaign_id="camp-1", school_id="th", room_id=None, lines=["l"], groups=[], isp="VNPT",
            attempt=1, kind="floor", mode="planned", failover=False, ramp_n=0, server_id="srv", rate_bps=83 * 10**6,
            contracted_dl=100_000_000, contracted_ul=100_000_000, floor_dl=FLOOR, floor_ul=FLOOR,
            rule_version="ab" * 32, due_at=AT, slot_start=AT, slot_end=AT, created_at=AT,
        )  # fmt: skip
        result = CampaignResult(
            run_id="run-abc", school_id="th", kind="floor", t_start=AT, layer="ip", server_cc="cubic", warmup_s=2.0,
            window_s=6.0, streams=1, pace_bps=FLOOR, n_registered=40, n_online=40 - absent, n_started=40 - absent,
            n_valid=40 - absent, emulated_n=absent, agg_goodput_dl=sum(own), agg_goodput_ul=sum(own),
            agg_ip_dl=sum(own) * 1500 / 1448, agg_ip_ul=sum(own) * 1500 / 1448, minimum=min(own), p10=min(own),
            median=FLOOR, jain=0.99, share_floor=1 - slow / 40, idle_p50=0.0107, loaded_p50=0.0128, loss=0.0,
            retrans=0.002, bytes_total=126_000_000, stop_reason="window", server_load=0.08, directions=[], rooms=[],
            by_line=[], whole_room=True, whole_school=True, verdict=verdict,
            reasons=(["participants_below_floor"] if slow else []) + (["absent_pcs_were_emulated"] if absent else []),
            cause="slow_pc" if slow else "", cause_names=[f"TH{n:02d}" for n in range(slow)],
        )  # fmt: skip
        standing = Standing(run, RunStep.DONE, {"verdict": verdict}, AT)
        rooms = {"room-1": "Phòng Tin học 1", "room-2": "Phòng Tin học 2"}
        return Evidence(standing, result, participants, "Trường THCS Nguyễn Đức Cảnh", rooms, {"l": "Cáp quang chính"})

    return make
