"""`phongmay broker`: generates the broker's files, and runs Mosquitto with them (or the embedded broker)."""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
from contextlib import closing

from sqlalchemy.exc import SQLAlchemyError

from phongmay.commands import Commands
from phongmay.settings import ServerSettings, load
from phongmay_collector.broker_files import BrokerFiles, write_all, write_without_register
from phongmay_collector.settings import BrokerSettings, check_batch
from phongmay_contract.errors import OperatorError
from phongmay_store.errors import StoreError
from phongmay_store.register.engine import open_register, require_current

_SYSTEM_PATHS = os.pathsep.join(("/usr/sbin", "/usr/local/sbin"))
"""Where Debian installs Mosquitto; not in the PATH of an ordinary user."""


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("broker", help="the MQTT broker and its generated files")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    files = verbs.add_parser("files", help="write mosquitto.conf, the password file and the ACL")
    files.set_defaults(run=_files)
    run = verbs.add_parser("run", help="write the files and run the broker in the foreground")
    run.add_argument(
        "--embedded",
        action="store_true",
        help="the embedded broker, for looking only, even where Mosquitto is installed",
    )
    run.add_argument(
        "--watch",
        action="store_true",
        help="also tell Mosquitto of changed files: for a collector that cannot reach its process, as in containers",
    )
    run.set_defaults(run=_run)


def _write(args: argparse.Namespace) -> ServerSettings:
    settings = load(args.config)
    check_batch(settings.broker, settings.collector)
    engine = open_register(settings.store.register_url)
    require_current(engine)
    for path in write_all(settings.broker, engine):
        print(path, flush=True)
    engine.dispose()
    return settings


def _files(args: argparse.Namespace) -> int:
    _write(args)
    return 0


def _write_or_go_on(args: argparse.Namespace) -> ServerSettings:
    """Write the files; while the register is away go on with the devices that the password file has.

    A broker that waited for the register would shut out every school for as long.
    """
    try:
        return _write(args)
    except StoreError as error:
        settings = load(args.config)
        if (
            not isinstance(error.__cause__, SQLAlchemyError)
            or not BrokerFiles(settings.broker.directory).passwords.exists()
        ):
            raise
        for path in write_without_register(settings.broker):
            print(path)
        print(
            f"phongmay: {error}; the broker goes on with the devices of its password file", file=sys.stderr, flush=True
        )
        return settings


def _run(args: argparse.Namespace) -> int:
    _require_free(load(args.config).broker)
    settings = _write_or_go_on(args)
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path=_SYSTEM_PATHS)
    if args.embedded or mosquitto is None:
        if settings.broker.tls_port:
            raise OperatorError(
                f"broker.tls_port is {settings.broker.tls_port}, but the embedded broker speaks no TLS: install "
                "Mosquitto (apt install mosquitto), or set broker.tls_port = 0"
            )
        from phongmay_collector.embedded_broker import run  # amqtt is an extra, and asks for asyncio

        run(settings.broker)
        return 0
    files = BrokerFiles(settings.broker.directory)
    if args.watch:
        command = [sys.executable, "-m", "phongmay_collector.broker_watch", str(os.getpid())]
        subprocess.Popen([*command, str(files.passwords), str(files.acl)])  # noqa: S603 # this interpreter's own module
    sys.stdout.flush()
    # Mosquitto takes this process's place, so that SIGTERM, SIGHUP and the exit code are its own.
    os.execv(mosquitto, [mosquitto, "-c", str(files.conf)])  # noqa: S606 our own path


def _require_free(settings: BrokerSettings) -> None:
    """Make sure that the ports can be listened on, since Mosquitto's own word on it names no key of ours."""
    for prefix, bind, port in (("", settings.bind, settings.port), ("tls_", settings.tls_bind, settings.tls_port)):
        family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((bind, port))
            except OSError as error:
                raise OperatorError(
                    f"broker.{prefix}port {port} on broker.{prefix}bind {bind} cannot be used ({error.strerror}); "
                    "another program has it, or it needs rights: give another port or stop that program"
                ) from error
