"""The agent's settings file agent.toml: every key with its sentence, default and bounds.

A TOML file goes in, a frozen AgentSettings comes out; anything wrong in it is a SettingsError naming file and key.
The broker's address and the secret are not here but in the identity file, which enrolment writes.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from phongmay_agent.gateway.credentials import AUTH_PROTOCOLS, NONE, PRIVACY_PROTOCOLS, credentials
from phongmay_agent.probes import NAMES
from phongmay_agent.probes.targets import parse_target
from phongmay_contract.catalogue import REACH_TARGETS
from phongmay_contract.errors import OperatorError
from phongmay_contract.settings import SettingsError, read_settings, section, setting
from phongmay_contract.units import KIB, MIB

if sys.platform == "win32":
    _CONFIG = Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / "PhongMay"
    _STATE = _CONFIG
else:
    _CONFIG = Path("/etc/phongmay")
    _STATE = Path("/var/lib/phongmay-agent")

DEFAULT_PATH = _CONFIG / "agent.toml"
MAX_WANS = 4
ROUTER_INTERVAL_S = 10.0
OFF = "off"
"""Word for a reach target that is not asked, not even where it could be derived."""


@dataclass(frozen=True)
class ReachSettings:
    """Which targets are asked. An empty one is derived where that is possible; "off" leaves one out."""

    gateway: str = setting(
        "", about="tcp://HOST:PORT. Empty: port 80 of the default route; a refusal is an answer too."
    )
    dns: str = setting("", about="dns://HOST. Empty: the system's first name server (Linux). Asked for the root only.")
    district: str = setting("", about="http(s)://HOST/PATH or tcp://HOST:PORT. Empty: /health of the enrolment server.")
    internet: str = setting(
        "", about="http(s):// or tcp:// target beyond the school. Empty: the Internet is not asked."
    )
    timeout_s: float = setting(3, about="Seconds after which a target counts as silent.", low=0.1, high=30)


@dataclass(frozen=True)
class RouterSettings:
    """The school's router, which the gateway's agent asks by SNMP (extra `gateway`)."""

    host: str = setting("", about="Address of the router. Empty: no router is asked.")
    port: int = setting(161, about="UDP port of its SNMP.", low=1, high=65535)
    device: str = setting("", about="Id of the router in the register; this agent must be a gateway of its school.")
    interfaces: list[str] = setting(
        [], about="WAN interfaces, one a line: name, description, alias or number, as the router calls them."
    )
    snmp: str = setting("2c", about="Version of SNMP that the router speaks; 3 keeps secrets.", choices=("2c", "3"))
    community_file: Path = setting(
        _CONFIG / "snmp-community", about="SNMP 2c: file with the read-only community; mode 0600."
    )
    user: str = setting("", about="SNMP 3: name of the user, who may only read.")
    auth_protocol: str = setting("sha", about="SNMP 3: how requests are signed.", choices=(NONE, *AUTH_PROTOCOLS))
    auth_file: Path = setting(_CONFIG / "snmp-auth", about="SNMP 3: file with the password of signing; mode 0600.")
    privacy_protocol: str = setting(
        "aes", about="SNMP 3: how requests are encrypted.", choices=(NONE, *PRIVACY_PROTOCOLS)
    )
    privacy_file: Path = setting(
        _CONFIG / "snmp-privacy", about="SNMP 3: file with the password of encryption; mode 0600."
    )
    timeout_s: float = setting(2, about="Seconds after which the router counts as silent.", low=0.1, high=5)


@dataclass(frozen=True)
class AgentSettings:
    """All settings of the agent."""

    identity_file: Path = setting(
        _STATE / "identity.json", about="Device id and secret, written by `phongmay-agent enrol`; mode 0600."
    )
    broker_ca_file: str = setting(
        "",
        about="File (PEM) with the CA of the broker's certificate. Empty: the one that enrolment gave; where it gave "
        "none, the agent speaks without TLS.",
    )
    spool_file: Path = setting(_STATE / "spool.db", about="Envelopes that wait for the server's receipt.")
    spool_max_bytes: int = setting(
        64 * MIB,
        about="Size of the spool; when it is full the oldest envelope goes.",
        low=512 * KIB,
        high=16 * 1024 * MIB,
    )
    interval_s: float = setting(60, about="Seconds between rounds.", low=1, high=3600)
    inventory_check_s: float = setting(
        3600,
        about="Seconds after which the hardware is read again; it is sent if it changed, and daily.",
        low=1,
        high=86400,
    )
    probes: list[str] = setting(list(NAMES), about="Which probes run.")
    campaigns: bool = setting(True, about="Take part in the concurrent bandwidth tests that the server orders.")
    wakeable: bool = setting(
        False, about="Tell the address of the wired card, so that the room's other PCs can wake this one for a test."
    )
    log_level: str = setting("info", about="What is logged to stderr.", choices=("debug", "info", "warning", "error"))
    reach: ReachSettings = section(ReachSettings, about="Targets of the reach probe.")
    router: RouterSettings = section(RouterSettings, about="Router that a gateway asks.")


def load(path: Path) -> AgentSettings:
    """Read the settings file.

    Raises:
        SettingsError: file or key is wrong; the sentence says which.
    """
    settings = read_settings(AgentSettings, path)
    for name in settings.probes:
        if name not in NAMES:
            raise SettingsError(f"{path}: 'probes' names {name!r}; known here: {', '.join(NAMES)}")
    for target in REACH_TARGETS:
        text = getattr(settings.reach, target)
        if text not in ("", OFF) and parse_target(text) is None:
            raise SettingsError(
                f"{path}: 'reach.{target}' is {text!r}; "
                f"expected tcp://HOST:PORT, http(s)://HOST[:PORT][/PATH], dns://HOST or {OFF}"
            )
    if settings.router.host:
        _check_router(settings, path)
    return settings


def _check_router(settings: AgentSettings, path: Path) -> None:
    router = settings.router
    if not router.device:
        raise SettingsError(f"{path}: 'router.device' is missing; expected the router's id in the register")
    if not 1 <= len(router.interfaces) <= MAX_WANS:
        raise SettingsError(f"{path}: 'router.interfaces' names {len(router.interfaces)}; expected 1 to {MAX_WANS}")
    if settings.interval_s > ROUTER_INTERVAL_S:
        raise SettingsError(
            f"{path}: 'interval_s' is {settings.interval_s:g}; a gateway that asks a router measures at least every "
            f"{ROUTER_INTERVAL_S:g} s, since means of a minute hide a line that is full"
        )
    try:
        credentials(router)
    except OperatorError as error:
        raise SettingsError(f"{path}: {error}") from None
