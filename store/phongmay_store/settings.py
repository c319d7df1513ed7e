"""Settings of the stores: the tables [store] of phongmay.toml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phongmay_contract.settings import setting


@dataclass(frozen=True)
class StoreSettings:
    """Where series and register lie."""

    register_url: str = setting(
        "sqlite:////var/lib/phongmay/register.db", about="SQLAlchemy URL of the register (SQLite or PostgreSQL)."
    )
    series_path: Path = setting(Path("/var/lib/phongmay/series.db"), about="File of the embedded series store.")
