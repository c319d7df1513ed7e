"""`phongmay simulate`: the sample district and its machines; whole cities of simulated schools for load and history."""

from __future__ import annotations

import argparse
import json
import math
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from phongmay.commands import Commands
from phongmay.progress import Progress
from phongmay_contract.errors import OperatorError
from phongmay_simulate import district, enrolling, expectation, ledger
from phongmay_simulate.fleet import Fleet


class _Within:
    """A type of argument: a number within bounds; no other would end, or be divided by."""

    def __init__(self, kind: type[int] | type[float], lowest: float, highest: float) -> None:
        self._kind, self._lowest, self._highest = kind, lowest, highest

    def __call__(self, text: str) -> float:
        """Read it; argparse names the argument where it is out of bounds or no number."""
        number = self._kind(text)
        if not self._lowest <= number <= self._highest:  # so written, NaN is refused too
            raise argparse.ArgumentTypeError(f"{text} is not from {self._lowest:g} to {self._highest:g}")
        return number

    def __repr__(self) -> str:
        """Give the word that argparse has for what is no number."""
        return "whole number" if self._kind is int else "number"


_INTERVAL, _SECONDS, _SHARE = _Within(float, 1, 86_400), _Within(float, 0.1, math.inf), _Within(float, 0, 1)


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("simulate", help="sample district and simulated machines")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    files = verbs.add_parser("district", help="write the sample district as CSV files for 'phongmay register import'")
    files.add_argument("--out", type=Path, required=True, help="existing directory for the files")
    _common(files)
    files.set_defaults(run=_write_district)

    run = verbs.add_parser("run", help="enrol the sample's machines and let them report until Ctrl-C")
    run.add_argument("--server", required=True, help="URL of the API, e.g. http://127.0.0.1:8080")
    run.add_argument(
        "--tokens", type=Path, required=True, help="JSON file: enrolment token by external id of the school"
    )
    run.add_argument("--interval", type=_INTERVAL, default=60.0, help="seconds between rounds (default: %(default)s)")
    run.add_argument("--seconds", type=_SECONDS, default=float("inf"), help="stop by itself after so many seconds")
    run.add_argument("--ledger", type=Path, help="where to write what was sent and receipted, when it ends")
    run.add_argument("--expected", type=Path, help="where to write the verdicts that must come out")
    _common(run)
    run.set_defaults(run=_run)
    _provision(verbs)
    _load(verbs)
    _day(verbs)
    _history(verbs)
    compare = verbs.add_parser("compare", help="hold a ledger against the series store; exit 1 if anything is lost")
    compare.add_argument("--ledger", type=Path, required=True, help="ledger that 'run' or 'day' wrote")
    compare.set_defaults(run=_late("compare"))


def _provision(verbs: Commands) -> None:
    parser = verbs.add_parser("provision", help="write simulated schools into register and broker, without enrolment")
    parser.add_argument(
        "--schools", type=_Within(int, 1, 5000), default=20, help="how many schools (default: %(default)s)"
    )
    parser.add_argument("--pcs", type=_Within(int, 1, 1000), default=50, help="PCs of each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=762, help="which device has which fault (default: %(default)s)")
    parser.add_argument("--no-faults", action="store_true", help="every PC standard, nothing strange")
    parser.add_argument("--no-gateways", action="store_true", help="no gateway and router in each school")
    parser.add_argument(
        "--since-days",
        type=_Within(float, 0, 3660),
        default=40,
        help="days for which all has existed (default: %(default)s)",
    )
    _fleet(parser, "where to write the devices and their secrets")
    parser.set_defaults(run=_late("provision"))


def _load(verbs: Commands) -> None:
    parser = verbs.add_parser("load", help="send equal messages at a rate, and say how long their receipts take")
    _fleet(parser)
    parser.add_argument(
        "--connections", type=_Within(int, 1, 20_000), help="how many devices, 1 to 20000 (default: all)"
    )
    parser.add_argument(
        "--rate", type=_Within(float, 0.01, 1e5), default=100.0, help="messages a second (default: %(default)s)"
    )
    parser.add_argument("--seconds", type=_SECONDS, default=60.0, help="for how long (default: %(default)s)")
    parser.set_defaults(run=_late("put_load"))


def _day(verbs: Commands) -> None:
    parser = verbs.add_parser("day", help="play a past school day in minutes, or the present as it comes")
    _fleet(parser)
    parser.add_argument("--date", default="", help="local date to play, e.g. 2026-11-27 (default: yesterday)")
    parser.add_argument("--seconds", type=_SECONDS, default=300.0, help="how long it takes (default: %(default)s)")
    parser.add_argument("--live", action="store_true", help="play the present: send live, as it comes")
    parser.add_argument("--always", action="store_true", help="everything is on, whatever the timetable says")
    parser.add_argument("--interval", type=_INTERVAL, default=60.0, help="played seconds between rounds (%(default)s)")
    parser.add_argument("--twice", type=_SHARE, default=0.01, help="share of messages sent twice (%(default)s)")
    parser.add_argument("--late", type=_SHARE, default=0.01, help="share sent behind the next one (%(default)s)")
    parser.add_argument("--ledger", type=Path, help="where to write what was sent and receipted")
    parser.set_defaults(run=_late("play_day"))


def _history(verbs: Commands) -> None:
    parser = verbs.add_parser("history", help="write seeded days of the past into the series store; no collector runs")
    _fleet(parser)
    parser.add_argument(
        "--days", type=_Within(int, 1, 3660), default=2, help="days with every round, today the last (%(default)s)"
    )
    parser.add_argument(
        "--older", type=_Within(int, 0, 3660), default=0, help="thinner days before these, for roll-ups (%(default)s)"
    )
    parser.add_argument("--interval", type=_INTERVAL, default=60.0, help="seconds between rounds (%(default)s)")
    parser.set_defaults(run=_late("write_history"))


def _fleet(parser: argparse.ArgumentParser, about: str = "file that 'simulate provision' wrote") -> None:
    parser.add_argument("--fleet", type=Path, required=True, help=about)


def _late(name: str) -> Callable[[argparse.Namespace], int]:
    """Give a function of `simulating` that is imported when it runs: it needs the stores."""

    def run(args: argparse.Namespace) -> int:
        from phongmay import simulating

        function: Callable[[argparse.Namespace], int] = getattr(simulating, name)
        return function(args)

    return run


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=762, help="which seats get which fault (default: %(default)s)")
    parser.add_argument("--made-at", default="", help="moment for which the sample is made, RFC 3339 (default: now)")
    parser.add_argument("--real-pc", action="store_true", help="add a fourth school with a seat for this very machine")


def _district(args: argparse.Namespace) -> district.District:
    try:
        made_at = datetime.fromisoformat(args.made_at) if args.made_at else datetime.now(UTC)
    except ValueError:
        raise OperatorError(f"--made-at {args.made_at!r} is not a time such as 2026-11-23T08:00:00+07:00") from None
    if made_at.tzinfo is None:
        raise OperatorError(f"--made-at {args.made_at!r} has no time zone; add Z or +07:00")
    return district.build(args.seed, made_at)


def _write_district(args: argparse.Namespace) -> int:
    if not args.out.is_dir():
        raise OperatorError(f"--out {args.out}: no such directory; create it first")
    for path in district.write_files(_district(args), args.out, with_real_pc=args.real_pc):
        print(path)
    return 0


def _run(args: argparse.Namespace) -> int:
    sample = _district(args)
    tokens = _read_tokens(args.tokens)
    if args.expected:
        _write_json(args.expected, [verdict.as_dict() for verdict in expectation.expect(sample)])
    wanted = [(school.external_id, seat.code) for school in sample.schools for _, seat in school.seats()]
    identities = enrolling.enrol_all(args.server, wanted, tokens)
    print(f"{len(identities)} simulated machines enrolled", flush=True)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    fleet = Fleet(sample, identities, interval_s=args.interval, seed=args.seed)
    end, bar = time.monotonic() + args.seconds, Progress()
    while not stop.is_set() and time.monotonic() < end:
        fleet.run_until(min(end, time.monotonic() + 1.0), stop)
        passed = 1.0 - (end - time.monotonic()) / args.seconds if args.seconds < float("inf") else 0.0
        bar.show(passed, "{} connected, {} sent, {} receipts".format(*fleet.progress()))
    bar.end()
    fleet.finish(patience_s=5.0)
    if args.ledger:
        ledger.write(args.ledger, fleet.agents, seed=args.seed)
    return 0


def _read_tokens(path: Path) -> dict[str, str]:
    try:
        tokens: dict[str, str] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise OperatorError(f"--tokens {path}: cannot be read as JSON ({error})") from error
    return tokens


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
