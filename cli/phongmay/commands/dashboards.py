"""`phongmay dashboards`: builds the files for Grafana, feeds the status series, asks what the boards ask.

In: the settings file. Out: files, points in the InfluxDB, sentences. Exit code 1 when a panel has no data, 2 for what a
person can mend: a store that is no InfluxDB, a missing SDK (extra `grafana`), a directory that cannot be written.
"""

from __future__ import annotations

import argparse
import logging
import signal
import threading
import time
from pathlib import Path

from phongmay.commands import Commands
from phongmay.settings import ServerSettings, load
from phongmay_contract.errors import OperatorError
from phongmay_dashboards.feeding import require_influx


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("dashboards", help="boards for Grafana")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    building = verbs.add_parser("build", help="write data sources, folders and boards for Grafana's file provisioning")
    building.add_argument("--to", type=Path, required=True, metavar="DIR", help="directory for the files")
    building.add_argument(
        "--seen-as", default="", metavar="DIR", help="that directory as Grafana sees it (default: the same)"
    )
    building.set_defaults(run=_build)
    feeding = verbs.add_parser("feed", help="write how everything stands into the InfluxDB, until SIGTERM or Ctrl-C")
    feeding.add_argument("--once", action="store_true", help="write once and end")
    feeding.set_defaults(run=_feed)
    checking = verbs.add_parser("check", help="ask the InfluxDB everything that the boards ask; 1 if a panel is empty")
    checking.add_argument("--school", default="", metavar="ID", help="school of the boards (default: the first)")
    checking.add_argument("--device", default="", metavar="ID", help="device of its board (default: the first)")
    checking.add_argument(
        "--hours", type=float, default=24.0, help="range of time that ends now (default: %(default)s)"
    )
    checking.set_defaults(run=_check)


def _settings(args: argparse.Namespace) -> ServerSettings:
    settings = load(args.config)
    require_influx(settings.store)
    return settings


def _require_sdk() -> None:
    try:
        import grafana_foundation_sdk  # noqa: F401 - only whether it is there
    except ImportError:
        raise OperatorError(
            "the package grafana-foundation-sdk is missing; install the extra: pip install 'phongmay[server,grafana]'"
        ) from None


def _build(args: argparse.Namespace) -> int:
    settings = _settings(args)
    _require_sdk()
    from phongmay_dashboards.provisioning import write  # the SDK costs half a second

    for path in write(args.to, settings.dashboards, settings.store.influx, args.seen_as):
        print(path)
    return 0


def _feed(args: argparse.Namespace) -> int:
    settings = _settings(args)
    from phongmay.feeding_loop import FeedingLoop

    if args.once:
        fed = FeedingLoop(settings, threading.Event()).once()
        print(f"{fed.points} points about {fed.schools} schools and {fed.devices} devices in {fed.took_s:.1f} s")
        return 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    FeedingLoop(settings, stop).run()
    return 0


def _check(args: argparse.Namespace) -> int:
    settings = _settings(args)
    _require_sdk()
    from phongmay_dashboards.asking import answers, values
    from phongmay_dashboards.interpolation import Window
    from phongmay_dashboards.provisioning import BOARDS
    from phongmay_store.series.influx_server import InfluxServer

    end = int(time.time() * 1000)
    window = Window(end - int(args.hours * 3_600_000), end)
    server, empty = InfluxServer(settings.store.influx), 0
    try:
        for board in BOARDS:
            chosen = values(
                server, board, {"school": args.school, "device": args.device if board.key == "device" else ""}, window
            )
            for answer in answers(server, board, chosen, window):
                empty += not answer.rows
                print(f"{board.key:<9}{answer.rows:>7} rows  {answer.panel.title.en}")
    finally:
        server.close()
    print(f"{empty} queries without data" if empty else "every query gives data")
    return 1 if empty else 0
