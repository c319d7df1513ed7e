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
    attachments_path: Path = setting(
        Path("/var/lib/phongmay/attachments"),
        about="Existing folder for papers and photographs that show what is declared.",
    )
    attachment_max_mib: int = setting(10, about="Size of one paper or photograph in MiB at most.", low=1, high=100)
    seal_file: Path = setting(
        Path("/var/lib/phongmay/seal.key"),
        about="Key that seals secrets in the register (command keys, keys of bandwidth servers); made when missing.",
    )
