"""Settings of the API and pages: the table [api] of phongmay.toml."""

from __future__ import annotations

from dataclasses import dataclass

from phongmay_contract.settings import setting


@dataclass(frozen=True)
class ApiSettings:
    """Where the API listens and what it tells enrolling agents."""

    host: str = setting("127.0.0.1", about="Address to listen on.")
    port: int = setting(8080, about="Port to listen on.", low=1, high=65535)
    broker_host: str = setting("127.0.0.1", about="Address of the broker as the agents reach it (told at enrolment).")
    broker_port: int = setting(1883, about="Port of the broker as the agents reach it.", low=1, high=65535)
    broker_ca_file: str = setting(
        "",
        about="File (PEM) with the CA of the broker's certificate, told at enrolment: agents then speak TLS with it; "
        "empty = they speak without.",
    )
    session_hours: float = setting(12, about="Hours after which a browser must sign in again.", low=0.1, high=720)
    secure_cookies: bool = setting(False, about="Send cookies over HTTPS only; true wherever HTTPS is in front.")
    trusted_proxies: str = setting(
        "", about="Addresses of reverse proxies, with commas: their X-Forwarded-For is believed; empty = none."
    )
    metrics_port: int = setting(
        9482, about="Port on 127.0.0.1 for /metrics, /health and /ready of the API; 0 = none.", low=0, high=65535
    )
