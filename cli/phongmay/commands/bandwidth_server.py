"""`phongmay bandwidth-server`: what participants of a concurrent bandwidth test load their line against."""

from __future__ import annotations

import argparse

from phongmay import monitoring
from phongmay.commands import Commands
from phongmay.reports import bandwidth_report, bandwidth_turns
from phongmay.settings import load
from phongmay_bandwidth.server import BandwidthServer
from phongmay_bandwidth.serving import check, serve
from phongmay_bandwidth.ticket import make_key


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("bandwidth-server", help="the far end of concurrent bandwidth tests")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verbs.add_parser("run", help="serve until SIGTERM or Ctrl-C").set_defaults(run=_run)
    verbs.add_parser("new-key", help="make the ticket key that server and coordinator share").set_defaults(run=_new_key)
    verbs.add_parser("check-config", help="say whether it could run, and touch nothing").set_defaults(run=_check)


def _run(args: argparse.Namespace) -> int:
    settings = load(args.config).bandwidth
    serve(settings, lambda server: _watch(settings.metrics_port, server))
    return 0


def _watch(port: int, server: BandwidthServer) -> None:
    monitoring.serve(port, lambda: bandwidth_turns(server), lambda: bandwidth_report(server))


def _new_key(args: argparse.Namespace) -> int:
    path = load(args.config).bandwidth.key_file
    make_key(path)
    print(f"New ticket key in {path}; give the bandwidth server and the coordinator the same file.")
    return 0


def _check(args: argparse.Namespace) -> int:
    print(f"{args.config}: {check(load(args.config).bandwidth)}")
    return 0
