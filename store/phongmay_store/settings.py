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
        Path(),
        about="Key that seals secrets in the register (command keys of PCs, keys of bandwidth servers), the same for "
        "every process of the server; made when missing. Empty: seal.key beside the series.",
    )

    @property
    def seal_path(self) -> Path:
        """Where the sealing key lies."""
        return self.seal_file if self.seal_file != Path() else self.series_path.with_name("seal.key")
