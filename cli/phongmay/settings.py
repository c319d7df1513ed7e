"""The server's one settings file, phongmay.toml: a table a part of the house."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phongmay_api.settings import ApiSettings
from phongmay_bandwidth.settings import BandwidthSettings
from phongmay_campaigns.settings import CampaignSettings
from phongmay_collector.settings import BrokerSettings, CollectorSettings
from phongmay_contract.settings import read_settings, section
from phongmay_dashboards.settings import DashboardSettings
from phongmay_rules.settings import RulesSettings
from phongmay_store.settings import StoreSettings

DEFAULT_PATH = Path("/etc/phongmay/phongmay.toml")


@dataclass(frozen=True)
class ServerSettings:
    """All settings of the server."""

    store: StoreSettings = section(StoreSettings, about="Where series and register lie.")
    broker: BrokerSettings = section(BrokerSettings, about="The MQTT broker.")
    collector: CollectorSettings = section(CollectorSettings, about="The collector.")
    bandwidth: BandwidthSettings = section(
        BandwidthSettings, about="The bandwidth server, against which rooms load their line."
    )
    campaigns: CampaignSettings = section(
        CampaignSettings, about="The coordinator of bandwidth campaigns (phongmay campaigns run)."
    )
    rules: RulesSettings = section(RulesSettings, about="The rules engine.")
    api: ApiSettings = section(ApiSettings, about="The API and the pages.")
    dashboards: DashboardSettings = section(DashboardSettings, about="The boards for Grafana.")


def load(path: Path) -> ServerSettings:
    """Read the settings file.

    Raises:
        SettingsError: file or key is wrong; the sentence says which.
    """
    return read_settings(ServerSettings, path)
