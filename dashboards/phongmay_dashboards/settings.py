"""The table [dashboards] of phongmay.toml."""

from __future__ import annotations

from dataclasses import dataclass

from phongmay_contract.settings import setting


@dataclass(frozen=True)
class DashboardSettings:
    """How the boards are built and fed."""

    interval_s: float = setting(60.0, about="Seconds between two writings of the status series.", low=5, high=3600)
    metrics_port: int = setting(
        0, about="Port on 127.0.0.1 for /metrics, /health and /ready of 'phongmay dashboards feed'; 0 = none.",
        low=0, high=65535,
    )  # fmt: skip
    pages_url: str = setting(
        "http://127.0.0.1:8080", about="Address of the API's pages as browsers reach it; boards link there."
    )
    influx_url: str = setting("", about="Address of the InfluxDB as Grafana reaches it; empty = store.influx.url.")
    influx_ca_file: str = setting(
        "", about="File (PEM), as Grafana sees it, with the CA of the InfluxDB's certificate; empty = those it trusts."
    )
    influx_user: str = setting("", about="User for Grafana at an InfluxDB 1.x with passwords; give it reading only.")
    secret_file: str = setting(
        "",
        about="File, as Grafana sees it, with that user's password (1.x) or a reading token (2.x, 3) and nothing else; "
        "empty = none is asked for.",
    )
