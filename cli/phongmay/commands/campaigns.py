"""`phongmay campaigns run`: plans and drives the runs of all campaigns until it is told to stop."""

from __future__ import annotations

import argparse
import logging
import signal
import threading

from sqlalchemy.orm import Session, sessionmaker

from phongmay.commands import Commands
from phongmay.monitoring import serve
from phongmay.reports import coordinator_report, coordinator_turns
from phongmay.settings import ServerSettings, load
from phongmay_campaigns.coordinator import Coordinator
from phongmay_campaigns.planner import Floor, FloorOf
from phongmay_rules.judging_units import PER_PC_MIN
from phongmay_rules.loader import packs_in_force
from phongmay_rules.parameters import in_force, read_overrides
from phongmay_rules.places import read_organisation
from phongmay_rules.settings import RulesSettings
from phongmay_store.register.base import utc_now
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.register.sealing import Seal
from phongmay_store.series import readers

DEFAULT_FLOOR_BPS = 1e6
"""Where no pack in force names a floor."""


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("campaigns", help="the coordinator: plans and drives bandwidth tests")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verbs.add_parser("run", help="coordinate until SIGTERM or Ctrl-C").set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    settings = load(args.config)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    coordinator = make_coordinator(settings)
    serve(
        settings.campaigns.metrics_port, lambda: coordinator_turns(coordinator), lambda: coordinator_report(coordinator)
    )
    coordinator.run(stop)
    return 0


def make_coordinator(settings: ServerSettings) -> Coordinator:
    """Put the coordinator together.

    Raises:
        OperatorError: register, packs or sealing key cannot be used.
    """
    engine = open_register(settings.store.register_url)
    require_current(engine)
    return Coordinator(
        sessionmaker(engine, expire_on_commit=False),
        readers(settings.store),
        Seal.open(settings.store.seal_path),
        settings.campaigns,
        floor_by_rules(settings.rules),
    )


def floor_by_rules(settings: RulesSettings) -> FloorOf:
    """Give the function that asks the packs in force, and what units set, for the floor of a school."""
    pack = packs_in_force(settings)

    def floor_of(session: Session, school_id: str) -> Floor:
        organisation = read_organisation(session, utc_now(), only=())
        found = in_force(pack, read_overrides(session, pack), organisation.ancestry(school_id)).get(PER_PC_MIN)
        return Floor(found.value if found is not None else DEFAULT_FLOOR_BPS, pack.hash)

    return floor_of
