"""Puts the probes together as the settings say: settings, identity, clock and spool in; probes out."""

from __future__ import annotations

import sys
from collections.abc import Callable

from phongmay_agent.clock import Clock
from phongmay_agent.identity import Identity
from phongmay_agent.probes import network_linux
from phongmay_agent.probes.base import Probe
from phongmay_agent.probes.hardware import HardwareProbe
from phongmay_agent.probes.link import LinkProbe
from phongmay_agent.probes.reach import ReachProbe
from phongmay_agent.probes.roots import Roots
from phongmay_agent.probes.router import RouterProbe
from phongmay_agent.probes.state import SpoolFill, StateProbe
from phongmay_agent.probes.targets import Target, parse_target
from phongmay_agent.probes.traffic import TrafficProbe
from phongmay_agent.probes.usage import UsageProbe
from phongmay_agent.settings import AgentSettings, ReachSettings
from phongmay_contract.catalogue import REACH_TARGETS

_GATEWAY_PORT = 80
"""Where a derived gateway is knocked at; nearly every router either listens there or refuses, and both are answers."""


def build_probes(
    settings: AgentSettings,
    identity: Identity | None,
    clock: Clock,
    spool: Callable[[], SpoolFill] | None,
    roots: Roots | None = None,
) -> tuple[Probe, ...]:
    """Make the probes that the settings name, in the order of `probes.NAMES`."""
    roots = roots or Roots()
    server = identity.server if identity else ""
    makers: dict[str, Callable[[], Probe]] = {
        "hardware": lambda: HardwareProbe(roots),
        "usage": lambda: UsageProbe(roots),
        "link": lambda: LinkProbe(roots, tells_address=settings.wakeable),
        "traffic": lambda: TrafficProbe(roots),
        "reach": lambda: ReachProbe(lambda: targets(settings.reach, server, roots), settings.reach.timeout_s),
        "state": lambda: StateProbe(clock, settings.interval_s, spool),
    }
    if settings.router.host:
        makers["router"] = lambda: RouterProbe(settings.router)
    return tuple(make() for name, make in makers.items() if name in settings.probes)


def targets(settings: ReachSettings, server: str, roots: Roots) -> dict[str, Target]:
    """Give the targets that are configured or can be derived now.

    Args:
        settings: as configured.
        server: address of the server at which the agent enrolled, "" if unknown.
        roots: where route table and resolv.conf are.
    """
    texts = {name: getattr(settings, name) for name in REACH_TARGETS}
    if not texts["district"] and server:
        texts["district"] = f"{server.rstrip('/')}/health"
    if sys.platform == "linux":
        route = network_linux.default_route(roots)
        if not texts["gateway"] and route is not None:
            texts["gateway"] = f"tcp://{route.gateway}:{_GATEWAY_PORT}"
        name_server = network_linux.name_server(roots)
        if not texts["dns"] and name_server is not None:
            texts["dns"] = f"dns://[{name_server}]" if ":" in name_server else f"dns://{name_server}"
    parsed = {name: parse_target(text, refused_is_answer=name == "gateway") for name, text in texts.items() if text}
    return {name: target for name, target in parsed.items() if target is not None}
