"""`phongmay collector`: takes what the broker brings into the store, until it is told to stop."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from contextlib import closing
from dataclasses import replace

from phongmay.commands import Commands
from phongmay.monitoring import serve
from phongmay.reports import collector_report, collector_turns, port_of
from phongmay.settings import ServerSettings, load
from phongmay_collector.broker_files import BrokerFiles
from phongmay_collector.members import Member
from phongmay_collector.outbox import Outbox
from phongmay_collector.service import Collector
from phongmay_collector.settings import check_batch, check_member
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.register.sealing import Seal
from phongmay_store.series import open_writer
from phongmay_store.settings import INFLUX


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("collector", help="from the broker into the store")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    running = verbs.add_parser("run", help="collect until SIGTERM or Ctrl-C")
    checking = verbs.add_parser("check-config", help="say whether it could run, and touch nothing")
    for verb, function in ((running, _run), (checking, _check)):
        verb.add_argument(
            "--number", type=int, metavar="N", help="which of broker.collectors this is, instead of collector.number"
        )
        verb.set_defaults(run=function)


def _settings(args: argparse.Namespace) -> ServerSettings:
    """Read the settings, with the number of the command line.

    Raises:
        OperatorError: the broker's files name no such collector.
    """
    settings = load(args.config)
    if args.number is not None:
        settings = replace(settings, collector=replace(settings.collector, number=args.number))
    check_member(settings.broker, settings.collector)
    return settings


def _run(args: argparse.Namespace) -> int:
    settings = _settings(args)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    engine = open_register(settings.store.register_url)
    require_current(engine)
    with closing(open_writer(settings.store)) as series:
        outbox = Outbox(engine, Seal.open(settings.store.seal_path))
        collector = Collector(settings.broker, settings.collector, series, engine, outbox)
        serve(
            port_of(settings.collector), lambda: collector_turns(collector), lambda: collector_report(collector)
        )  # fmt: skip
        collector.run(stop)
    return 0


def _check(args: argparse.Namespace) -> int:
    settings = _settings(args)
    check_batch(settings.broker, settings.collector)
    require_current(open_register(settings.store.register_url))
    files = BrokerFiles(settings.broker.directory)
    member = Member(settings.collector.number)
    for user in (member.live_user, member.past_user):
        files.read_own_password(user)
    store = settings.store
    series = f"{store.influx.url} ({store.influx.database})" if store.series == INFLUX else str(store.series_path)
    print(
        f"{args.config}: good; broker {settings.broker.host}:{settings.broker.port}, "
        f"series {series}, batches of {settings.collector.batch_size}"
    )
    return 0
