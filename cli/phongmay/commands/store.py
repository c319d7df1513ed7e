"""`phongmay store`: sets the series store up, says whether it can be used, and does its housekeeping by hand.

In: the settings file. Out: a sentence on each thing that was done or found. A store that does not answer or refuses is
one sentence on stderr and exit code 2.
"""

from __future__ import annotations

import argparse
import os
import time
from contextlib import closing
from pathlib import Path

from phongmay.commands import Commands
from phongmay.settings import load
from phongmay_contract.errors import OperatorError
from phongmay_store.register.engine import migrate, open_register, require_current
from phongmay_store.series import open_reader, open_writer
from phongmay_store.settings import INFLUX, StoreSettings


def add(commands: Commands) -> None:
    """Declare the verb."""
    verb = commands.add_parser("store", help="the store of measured values")
    actions = verb.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("init", help="make files, databases and times of keeping; may be run again")
    action.set_defaults(run=_init)
    action = actions.add_parser("check-config", help="say whether the store can be used, and change nothing")
    action.set_defaults(run=_check)
    action = actions.add_parser("prune", help="roll up hours and drop what is past its time, now and by hand")
    action.set_defaults(run=_prune)


def _init(args: argparse.Namespace) -> int:
    settings = load(args.config).store
    if settings.series == INFLUX:
        from phongmay_store.series.influx_setup import set_up  # its HTTP client is loaded only where it is used

        engine = open_register(settings.register_url)
        migrate(engine)
        print(f"register {engine.url.render_as_string(hide_password=True)}: has its tables")
        engine.dispose()
        for line in set_up(settings):
            print(line)
        return 0
    was = settings.series_path.exists()
    open_writer(settings).close()
    print(f"file {settings.series_path}: {'was there' if was else 'made'}, rounds kept for {settings.raw_days} days")
    return 0


def _check(args: argparse.Namespace) -> int:
    settings = load(args.config).store
    if settings.series == INFLUX:
        from phongmay_store.series.influx_setup import check  # its HTTP client is loaded only where it is used

        if settings.influx.auth:
            _warn_of_readers(Path(settings.influx.auth))
        require_current(open_register(settings.register_url))
        for line in check(settings):
            print(line)
    else:
        _check_file(settings)
    print(f"{args.config}: good; rounds are kept for {settings.raw_days} days")
    return 0


def _check_file(settings: StoreSettings) -> None:
    path = settings.series_path
    folder = path.parent
    if not path.exists():
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise OperatorError(f"store.series_path {path}: directory {folder} is missing or not writable; make it")
        print(f"file {path}: not there yet; 'phongmay store init' or the collector makes it")
        return
    with closing(open_reader(settings)) as reader:
        reader.listening(0, 0)
    print(f"file {path}: answers")


def _warn_of_readers(path: Path) -> None:
    """Say when others may read the secret; that it is missing is told where it is used."""
    if path.exists() and os.name == "posix" and path.stat().st_mode & 0o077:
        print(f"warning: store.influx.auth {path} can be read by others; chmod 600 {path}")


def _prune(args: argparse.Namespace) -> int:
    settings = load(args.config).store
    pieces, began = 0, time.monotonic()
    with closing(open_writer(settings)) as series:
        while series.maintain(time.time()):
            pieces += 1
    took = time.monotonic() - began
    print(f"{pieces} pieces of housekeeping in {took:.1f} s; the rest is not due yet, or a collector does it")
    return 0
