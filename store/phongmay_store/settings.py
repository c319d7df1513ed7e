"""Settings of the stores: the tables [store] and [store.influx] of phongmay.toml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phongmay_contract.settings import section, setting

SQLITE, INFLUX = "sqlite", "influx"


@dataclass(frozen=True)
class InfluxSettings:
    """Where an InfluxDB is; read only when store.series is "influx"."""

    version: str = setting("2", about="1 for InfluxDB 1.6 to 1.12, 2 for 2.x, 3 for 3.x.", choices=("1", "2", "3"))
    url: str = setting("http://127.0.0.1:8086", about="Address of the server, http:// or https://.")
    auth: str = setting(
        "",
        about="File that holds the secret in one line: user:password for version 1, the token for 2 and 3; "
        "empty = the server asks for none.",
    )
    ca_file: str = setting(
        "",
        about="File (PEM) with the CA of the server's certificate, for https://; empty = those that the system trusts.",
    )
    database: str = setting(
        "phongmay",
        about="Database (1, 3) or bucket (2) of what is kept; rounds go to a second one of this name with _raw behind.",
    )
    org: str = setting("phongmay", about="Organisation; version 2 only.")
    timeout_s: float = setting(10.0, about="Seconds after which a request counts as failed.", low=0.1, high=300)


@dataclass(frozen=True)
class StoreSettings:
    """Where series and register lie."""

    register_url: str = setting(
        "sqlite:////var/lib/phongmay/register.db",
        about="SQLAlchemy URL of the register: sqlite:///FILE or postgresql+psycopg://ROLE:PASSWORD@HOST/DATABASE.",
    )
    series: str = setting(SQLITE, about="Engine of the series.", choices=(SQLITE, INFLUX))
    series_path: Path = setting(
        Path("/var/lib/phongmay/series.db"),
        about="File of the embedded series store; its files of single days lie beside it.",
    )
    raw_days: int = setting(
        14, about="Days for which single rounds are kept; hours, minute masks and inventories stay.", low=2, high=3660
    )
    influx: InfluxSettings = section(InfluxSettings, about='InfluxDB, for store.series = "influx".')
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
