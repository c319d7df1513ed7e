"""Runs the bandwidth server as a process: settings in, served until SIGTERM or Ctrl-C.

`python -m phongmay_bandwidth run --config FILE` needs the standard library alone, so the server can stand anywhere;
of the file it reads the table [bandwidth] only. What a person can mend is an OperatorError.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import sys
import threading
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from phongmay_bandwidth.server import BandwidthServer
from phongmay_bandwidth.settings import BandwidthSettings
from phongmay_bandwidth.ticket import make_key, read_key
from phongmay_contract.errors import OperatorError
from phongmay_contract.settings import SettingsError, from_table

_OTHER_FILES = 32
_log = logging.getLogger(__name__)


def serve(settings: BandwidthSettings, watch: Callable[[BandwidthServer], None] | None = None) -> None:
    """Serve until told to stop.

    Args:
        settings: of the server.
        watch: is given the server before it begins.

    Raises:
        OperatorError: the key or the address cannot be had.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    _allow_sockets(settings.max_connections + settings.max_waiting + _OTHER_FILES)
    server = BandwidthServer(settings, read_key(settings.key_file))
    if watch is not None:
        watch(server)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: server.stop())
    # a thread of its own: on Windows a signal does not end a select of the main thread
    thread = threading.Thread(target=server.run, name="bandwidth-server")
    thread.start()
    while thread.is_alive():
        thread.join(1.0)


def _allow_sockets(count: int) -> None:
    """Raise this process's own limit of open files as far as it may be; Windows has none."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = count if hard == resource.RLIM_INFINITY else min(count, hard)
        if soft != resource.RLIM_INFINITY and soft < most:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        if most < count:
            _log.warning("only %d files may be open; raise the limit or lower bandwidth.max_connections", most)


def check(settings: BandwidthSettings) -> str:
    """Say what the settings mean.

    Raises:
        OperatorError: the key cannot be used.
    """
    read_key(settings.key_file)
    return (
        f"good; {settings.host}:{settings.port} TCP and UDP, uplink {settings.uplink_bps / 1e6:g} Mbit/s, "
        f"at most {settings.max_connections} connections, key {settings.key_file}"
    )


def read_table(path: Path) -> BandwidthSettings:
    """Read the table [bandwidth] of a settings file and leave the rest alone.

    Raises:
        SettingsError: the file or a key of the table is wrong.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8")).get("bandwidth", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read ({error}); give an existing file with --config") from None
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: 'bandwidth' must be a table")
    return from_table(BandwidthSettings, table, str(path), "bandwidth.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command of `python -m phongmay_bandwidth`."""
    parser = argparse.ArgumentParser(prog="python -m phongmay_bandwidth", description="The bandwidth server alone.")
    parser.add_argument("verb", choices=("run", "new-key", "check-config"), help="what to do")
    parser.add_argument("--config", type=Path, required=True, help="settings file with the table [bandwidth]")
    args = parser.parse_args(argv)
    try:
        settings = read_table(args.config)
        if args.verb == "run":
            serve(settings)
        elif args.verb == "new-key":
            make_key(settings.key_file)
            print(settings.key_file)
        else:
            print(f"{args.config}: {check(settings)}")
    except OperatorError as error:
        print(f"phongmay-bandwidth: {error}", file=sys.stderr)
        return 2
    return 0
