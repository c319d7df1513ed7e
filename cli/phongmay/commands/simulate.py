"""`phongmay simulate`: the sample district as CSV files, and its machines as real MQTT traffic."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from phongmay.commands import Commands
from phongmay_contract.errors import OperatorError
from phongmay_simulate import district, enrolling, expectation, ledger
from phongmay_simulate.fleet import Fleet


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
    run.add_argument("--interval", type=float, default=60.0, help="seconds between rounds (default: %(default)s)")
    run.add_argument("--seconds", type=float, default=float("inf"), help="stop by itself after so many seconds")
    run.add_argument("--ledger", type=Path, help="where to write what was sent and receipted, when it ends")
    run.add_argument("--expected", type=Path, help="where to write the verdicts that must come out")
    _common(run)
    run.set_defaults(run=_run)


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
    end = time.monotonic() + args.seconds
    while not stop.is_set() and time.monotonic() < end:
        fleet.run_until(min(end, time.monotonic() + 1.0), stop)
        if sys.stdout.isatty():
            print("\r{} connected, {} sent, {} receipts ".format(*fleet.progress()), end="", flush=True)
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
