"""Entry of the command `phongmay-agent`: arguments in, exit code out (0 well, 2 something to mend first)."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from phongmay_agent import __version__
from phongmay_agent.agent import Agent, measure
from phongmay_agent.assembly import build_probes, targets
from phongmay_agent.clock import SystemClock
from phongmay_agent.enrol import enrol
from phongmay_agent.identity import Identity, IdentityError, read_identity
from phongmay_agent.presenting import groups_text, sent_text
from phongmay_agent.probes.base import Probe
from phongmay_agent.probes.hardware import HardwareProbe
from phongmay_agent.probes.roots import Roots
from phongmay_agent.settings import DEFAULT_PATH, AgentSettings, load
from phongmay_agent.stopping import Stopper
from phongmay_contract.catalogue import Cadence
from phongmay_contract.errors import OperatorError
from phongmay_contract.settings import sample

_PROCESSOR_WINDOW_S = 1.0
"""A single round has no round before it to count processor use from."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command."""
    args = build_parser().parse_args(argv)
    run: Callable[[argparse.Namespace], None] = args.run
    try:
        run(args)
    except OperatorError as error:
        print(f"phongmay-agent: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `phongmay-agent show | head`
        sys.stderr.close()
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Make the parser with every verb; docs/commands.md is written from it."""
    parser = argparse.ArgumentParser(prog="phongmay-agent", description="Measures this PC for Phòng Máy.")
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, help="settings file (default: %(default)s)")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    def verb(name: str, run: Callable[[argparse.Namespace], None], about: str) -> argparse.ArgumentParser:
        command = verbs.add_parser(name, help=about, description=about)
        command.set_defaults(run=run)
        return command

    verb("run", _run, "measure and send until told to stop")
    enrolment = verb("enrol", _enrol, "turn an enrolment token into this PC's identity")
    enrolment.add_argument("--server", required=True, metavar="URL", help="address of the API, http://HOST:PORT")
    enrolment.add_argument("--token", required=True, help="the school's enrolment token")
    enrolment.add_argument("--code", default="", help="inventory code, if the register knows this PC already")
    enrolment.add_argument("--replace", action="store_true", help="enrol anew although there is an identity")
    verb("test", _test, "measure once and print it; send nothing")
    verb("show", _show, "print all that is ever sent, with the present values")
    verb("check-config", _check, "read the settings file and say what it means")
    verb("version", lambda _: print(__version__), "print the version")
    verb("sample-config", lambda _: print(sample(AgentSettings), end=""), "print a settings file with every key")
    return parser


def _run(args: argparse.Namespace) -> None:
    settings = load(args.config)
    _log_to_stderr(settings.log_level)
    agent = Agent(settings, read_identity(settings.identity_file))
    with Stopper() as stop:
        agent.run(stop)


def _enrol(args: argparse.Namespace) -> None:
    settings = load(args.config)
    hardware = HardwareProbe(Roots())
    identity = enrol(settings.identity_file, args.server, args.token, args.code, hardware, replace=args.replace)
    print(f"Enrolled as {identity.device_id}; broker {identity.broker_host}:{identity.broker_port}; "
          f"identity in {settings.identity_file}")  # fmt: skip


def _test(args: argparse.Namespace) -> None:
    probes = _probes(load(args.config))
    for cadence, heading in ((Cadence.CHANGE, "INVENTORY"), (Cadence.ROUND, "ROUND")):
        print(f"{heading} (not sent)")
        print("\n".join(groups_text(measure(probes, cadence))), end="\n\n")


def _show(args: argparse.Namespace) -> None:
    probes = _probes(load(args.config))
    groups = [*measure(probes, Cadence.CHANGE), *measure(probes, Cadence.ROUND)]
    print("\n".join(sent_text(probes, groups)))


def _check(args: argparse.Namespace) -> None:
    settings = load(args.config)
    identity = _identity(settings)
    print(f"{args.config}: good")
    print(f"  probes    {', '.join(settings.probes)}; every {settings.interval_s:g} s")
    print(f"  identity  {identity or f'none yet in {settings.identity_file}; run: phongmay-agent enrol'}")
    print(f"  spool     {settings.spool_file}, at most {settings.spool_max_bytes} bytes")
    for name, target in targets(settings.reach, identity.server if identity else "", Roots()).items():
        print(f"  reach     {name}: {target.method} {target.host}:{target.port}")


def _probes(settings: AgentSettings) -> Sequence[Probe]:
    """Make the probes for one look at this machine, with some processor time behind them; the spool stays untouched."""
    probes = build_probes(settings, _identity(settings), SystemClock(), None)
    time.sleep(_PROCESSOR_WINDOW_S)
    return probes


def _identity(settings: AgentSettings) -> Identity | None:
    """Give the identity, None before enrolment or where this user may not read it."""
    try:
        return read_identity(settings.identity_file)
    except IdentityError:
        return None


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
