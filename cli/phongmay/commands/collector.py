"""`phongmay collector`: takes what the broker brings into the store, until it is told to stop."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from contextlib import closing

from phongmay.commands import Commands
from phongmay.settings import load
from phongmay_collector.broker_files import USERS, BrokerFiles
from phongmay_collector.service import Collector
from phongmay_collector.settings import check_batch
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.series import open_writer


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("collector", help="from the broker into the store")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verbs.add_parser("run", help="collect until SIGTERM or Ctrl-C").set_defaults(run=_run)
    verbs.add_parser("check-config", help="say whether it could run, and touch nothing").set_defaults(run=_check)


def _run(args: argparse.Namespace) -> int:
    settings = load(args.config)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    engine = open_register(settings.store.register_url)
    require_current(engine)
    with closing(open_writer(settings.store)) as series:
        Collector(settings.broker, settings.collector, series, engine).run(stop)
    return 0


def _check(args: argparse.Namespace) -> int:
    settings = load(args.config)
    check_batch(settings.broker, settings.collector)
    require_current(open_register(settings.store.register_url))
    files = BrokerFiles(settings.broker.directory)
    for user in USERS:
        files.read_own_password(user)
    print(
        f"{args.config}: good; broker {settings.broker.host}:{settings.broker.port}, "
        f"series {settings.store.series_path}, batches of {settings.collector.batch_size}"
    )
    return 0
