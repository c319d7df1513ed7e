"""`phongmay api run`: the JSON API and the pages, in one process.

In: the settings file. Out: HTTP on api.host and api.port until SIGTERM or Ctrl-C. A register that is missing or old, a
broken pack or a port in use: one sentence, exit code 2.
"""

from __future__ import annotations

import argparse
import errno
import logging
import socket
from contextlib import closing

import uvicorn

from phongmay.commands import Commands
from phongmay.monitoring import serve
from phongmay.reports import TURN_S, ApiStanding
from phongmay.settings import ServerSettings, load
from phongmay_api.app import create_app
from phongmay_api.settings import ApiSettings
from phongmay_contract.errors import OperatorError
from phongmay_rules.loader import packs_in_force
from phongmay_store.attachments import MIB, AttachmentFolder
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.register.sealing import Seal
from phongmay_store.series import readers


def add(commands: Commands) -> None:
    """Declare the verb."""
    verb = commands.add_parser("api", help="the JSON API and the pages")
    actions = verb.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("run", help="serve until stopped")
    action.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    settings = load(args.config)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s level=%(levelname)s logger=%(name)s %(message)s")
    standing = ApiStanding(open_register(settings.store.register_url), readers(settings.store))
    server = make_server(settings, standing)
    with closing(listen(settings.api)) as listener:
        serve(settings.api.metrics_port, standing.turns, standing.report)
        print(f"pages and API on http://{settings.api.host}:{settings.api.port}", flush=True)
        server.run(sockets=[listener])
    return 0


def make_server(settings: ServerSettings, standing: ApiStanding | None = None) -> uvicorn.Server:
    """Put application and server together.

    Args:
        settings: of the server.
        standing: is told that the loop turns.

    Raises:
        OperatorError: register, rule pack or sealing key cannot be used.
    """
    engine = open_register(settings.store.register_url)
    require_current(engine)
    pack = packs_in_force(settings.rules)
    folder = AttachmentFolder(settings.store.attachments_path, settings.store.attachment_max_mib * MIB)
    app = create_app(
        settings.api,
        engine,
        readers(settings.store),
        pack,
        folder,
        settings.rules.interval_s,
        Seal.open(settings.store.seal_path),
    )
    proxies = settings.api.trusted_proxies
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or None,
        timeout_graceful_shutdown=5,
        timeout_notify=TURN_S,
        callback_notify=standing.turned if standing is not None else None,
    )
    return uvicorn.Server(config)


def listen(settings: ApiSettings) -> socket.socket:
    """Take the port before anything else starts.

    Raises:
        OperatorError: the port is in use or may not be taken; the sentence names the key.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise OperatorError(
                f"api.port {settings.port} on {settings.host} is in use; end the program that has it or set another"
            ) from error
        raise OperatorError(
            f"api.host {settings.host!r} with api.port {settings.port} cannot be listened on ({error.strerror}); "
            "give an address of this machine and a port that this user may take"
        ) from error
    return listener
