"""The files that Grafana reads at its start: two data sources, two folders, the boards in each language.

In: settings and a directory. Out: `provisioning/datasources`, `provisioning/dashboards` and `dashboards/<language>` in
it, the same bytes for the same settings; secrets are named by the file in which Grafana finds them, never written. What
cannot be written raises DashboardError.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from phongmay_dashboards.building import build
from phongmay_dashboards.device import DEVICE
from phongmay_dashboards.district import DISTRICT
from phongmay_dashboards.errors import DashboardError
from phongmay_dashboards.query import KEPT, RAW
from phongmay_dashboards.school import SCHOOL
from phongmay_dashboards.settings import DashboardSettings
from phongmay_dashboards.specification import Board
from phongmay_dashboards.wording import Language, Words
from phongmay_store.settings import InfluxSettings

BOARDS: tuple[Board, ...] = (DISTRICT, SCHOOL, DEVICE)
"""Every board, the way from one to the next."""
FOLDERS: Mapping[Language, Words] = {
    Language.VI: Words("Phòng Máy", "Phòng Máy"),
    Language.EN: Words("Phòng Máy (English)", "Phòng Máy (English)"),
}
_HEAD = "# Written by 'phongmay dashboards build'; changes here are overwritten.\n"


def files(settings: DashboardSettings, influx: InfluxSettings, seen_as: str) -> Iterator[tuple[str, str]]:
    """Give every file: its path below the directory, and its text.

    Args:
        settings: the table [dashboards].
        influx: the table [store.influx].
        seen_as: the directory's path as Grafana sees it.
    """
    yield "provisioning/datasources/phongmay.yaml", _yaml(data_sources(settings, influx))
    yield "provisioning/dashboards/phongmay.yaml", _yaml(providers(seen_as))
    for language in Language:
        for board in BOARDS:
            yield f"dashboards/{language.value}/{board.key}.json", build(board, language, settings.pages_url)


def write(directory: Path, settings: DashboardSettings, influx: InfluxSettings, seen_as: str = "") -> list[Path]:
    """Write every file as a whole; gives their paths.

    Raises:
        DashboardError: the directory cannot be written.
    """
    found = []
    for name, text in files(settings, influx, seen_as or str(directory.resolve())):
        path = directory / name
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(text, "utf-8")
            fresh.replace(path)
        except OSError as error:
            raise DashboardError(
                f"--to {directory}: {path} cannot be written ({error.strerror}); "
                "give a directory that this user may write"
            ) from error
        found.append(path)
    return found


def data_sources(settings: DashboardSettings, influx: InfluxSettings) -> dict[str, Any]:
    """Give the data sources: one for each of our two databases."""
    url = (settings.influx_url or influx.url).rstrip("/")
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": f"Phòng Máy {name}",
                "uid": uid,
                "type": "influxdb",
                "access": "proxy",
                "url": _plain(url),
                "isDefault": uid == RAW,
                "editable": False,
                **_trusting(settings, _access(settings, influx, _plain(database))),
            }
            for name, uid, database in (
                ("raw", RAW, f"{influx.database}_raw"),
                ("kept", KEPT, influx.database),
            )
        ],
    }


def _access(settings: DashboardSettings, influx: InfluxSettings, database: str) -> dict[str, Any]:
    known: dict[str, Any] = {"dbName": database, "httpMode": "POST", "timeInterval": "1m"}
    if not settings.secret_file:
        return {"jsonData": known}
    secret = f"$__file{{{settings.secret_file}}}"
    if influx.version == "1":
        return {"jsonData": known, "user": _plain(settings.influx_user), "secureJsonData": {"password": secret}}
    header = {"httpHeaderName1": "Authorization"}
    return {"jsonData": known | header, "secureJsonData": {"httpHeaderValue1": f"Token {secret}"}}


def _trusting(settings: DashboardSettings, access: dict[str, Any]) -> dict[str, Any]:
    if not settings.influx_ca_file:
        return access
    secrets = access.get("secureJsonData", {}) | {"tlsCACert": f"$__file{{{settings.influx_ca_file}}}"}
    return access | {"jsonData": access["jsonData"] | {"tlsAuthWithCACert": True}, "secureJsonData": secrets}


def providers(seen_as: str) -> dict[str, Any]:
    """Give the folders: one a language."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": f"phongmay-{language.value}",
                "folder": folder.vi,
                "folderUid": f"phongmay-{language.value}",
                "type": "file",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 60,
                "options": {"path": _plain(f"{seen_as}/dashboards/{language.value}")},
            }
            for language, folder in FOLDERS.items()
        ],
    }


def _plain(text: str) -> str:
    """Keep Grafana from expanding $ in a text of ours."""
    return text.replace("$", "$$")


def _yaml(content: dict[str, Any]) -> str:
    """Write YAML: JSON is YAML, and needs no further library."""
    return _HEAD + json.dumps(content, indent=2, ensure_ascii=False) + "\n"
