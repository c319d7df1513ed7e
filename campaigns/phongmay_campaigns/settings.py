"""Settings of the coordinator: the table [campaigns] of phongmay.toml."""

from __future__ import annotations

from dataclasses import dataclass

from phongmay_contract.settings import setting


@dataclass(frozen=True)
class CampaignSettings:
    """When and how runs are planned and driven."""

    interval_s: float = setting(1, about="Seconds between looks at the runs.", low=0.1, high=60)
    plan_s: float = setting(10, about="Seconds between looks for schools that want a run.", low=0.2, high=3600)
    lease_s: float = setting(
        15, about="Seconds after which another coordinator may take over from one that fell silent.", low=2, high=600
    )
    slot_s: float = setting(90, about="Length of a slot; what a run does not need of it is jitter.", low=60, high=600)
    lead_s: float = setting(
        15, about="Seconds from the orders to the start: the way through outbox and broker, and idle latency.",
        low=4, high=60,
    )  # fmt: skip
    after_class_min: int = setting(
        45, about="Minutes after the last lesson in which computers are still on.", low=0, high=300
    )
    retry_min: float = setting(
        10, about="Minutes after which a run that came to nothing is tried again.", low=0, high=1440
    )
    tries_a_day: int = setting(3, about="Runs of one campaign in one school a day at most.", low=1, high=50)
    least_share: float = setting(
        0.8, about="Share of the computers that must be on before an unattended run begins.", low=0.1, high=1
    )
    idle_cpu: float = setting(
        0.3, about="Processor use below which a computer counts as idle for an opportunistic run.", low=0.01, high=1
    )
    router_busy: float = setting(
        0.1, about="Share of the line carried by the router above which a run is postponed.", low=0.01, high=1
    )
    uplink_share: float = setting(
        0.7, about="Share of a bandwidth server's uplink that runs may be expected to take.", low=0.05, high=1
    )
    wake_wait_s: float = setting(120, about="Seconds that woken computers get to come up.", low=5, high=600)
    result_wait_s: float = setting(
        30, about="Seconds after the end of a run in which results and the server's report may still come.",
        low=2, high=600,
    )  # fmt: skip
    metrics_port: int = setting(
        9484, about="Port on 127.0.0.1 for /metrics, /health and /ready of the coordinator; 0 = none.",
        low=0, high=65535,
    )  # fmt: skip
    floor_up_share: float = setting(
        1.0, about="Upward floor as a share of the downward one (a district setting).", low=0.01, high=1
    )
