"""`phongmay demo`: the whole house on loopback, this machine's agent and about 90 simulated PCs.

Without `--once` it runs until Ctrl-C and stops all that it started. With `--once` it stops by itself: exit 0 only if
every verdict is the one that the simulator expects and no envelope was lost, else 1 with the differences.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from phongmay.commands import Commands
from phongmay.demo import comparison, tables
from phongmay.demo.preparation import INTERVAL_S, Prepared, agent_settings_text, prepare
from phongmay.demo.processes import Child, Children, free_port, tail, wait_for_port, wait_for_url
from phongmay_contract.errors import OperatorError
from phongmay_rules.loader import packs_in_force
from phongmay_simulate.district import REAL_CODE
from phongmay_store.series import open_reader

PATIENCE_S = 60.0


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("demo", help="the whole house on loopback with sample data and this very PC")
    parser.add_argument(
        "--once", action="store_true", help="stop by itself; exit 0 only if every verdict is as expected"
    )
    parser.add_argument("--embedded", action="store_true", help="use the embedded broker even where Mosquitto is there")
    parser.add_argument("--port", type=int, default=8080, help="port of the pages if it is free (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=762, help="which seats get which fault (default: %(default)s)")
    parser.add_argument(
        "--internet",
        default="",
        help="Internet target for this PC's agent, e.g. https://example.org (default: none)",
    )
    parser.add_argument("--data", type=Path, help="empty directory to use and keep (default: one that is removed)")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    folder = _folder(args.data)
    children = Children(folder)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the last when the terminal is closed
        signal.signal(name, lambda *_: stop.set())
    try:
        prepared, simulator = _start(args, folder, children)
        _greet(prepared)
        if args.once:
            return _once(prepared, folder, children, simulator, stop)
        print("Ctrl-C stops everything.", flush=True)
        while not stop.wait(1.0):
            children.check()
        print("Stopping ...", flush=True)
        return 0
    finally:
        children.stop_all()
        if args.data is None:
            shutil.rmtree(folder, ignore_errors=True)


def _folder(wanted: Path | None) -> Path:
    if wanted is None:
        return Path(tempfile.mkdtemp(prefix="phongmay-demo-"))
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        if any(wanted.iterdir()):
            raise OperatorError(f"--data {wanted} is not empty; give an empty directory")
    except OSError as error:
        raise OperatorError(f"--data {wanted} cannot be used ({error.strerror}); give a writable directory") from error
    return wanted.resolve()


def _start(args: argparse.Namespace, folder: Path, children: Children) -> tuple[Prepared, Child]:
    api_port, broker_port = free_port(args.port), free_port()
    prepared = prepare(folder, seed=args.seed, api_port=api_port, broker_port=broker_port)
    embedded = args.embedded or shutil.which("mosquitto") is None
    phongmay = ["phongmay", "--config", str(prepared.config)]
    print(f"Broker: {'embedded (amqtt; for looking only)' if embedded else 'Mosquitto'}; data in {folder}", flush=True)
    children.start("broker", [*phongmay, "broker", "run", *(["--embedded"] if embedded else [])])
    children.start("api", [*phongmay, "api", "run"])
    wait_for_port(broker_port, children)
    children.start("collector", [*phongmay, "collector", "run"])
    children.start("rules", [*phongmay, "rules", "run"])
    server = f"http://127.0.0.1:{api_port}"
    wait_for_url(f"{server}/health", children)
    _start_agent(prepared, folder, children, server, api_port, args.internet)
    simulator = children.start(
        "simulator",
        [
            *phongmay, "simulate", "run",
            "--server", server,
            "--tokens", str(prepared.tokens_file),
            "--seed", str(prepared.seed),
            "--made-at", prepared.made_at.isoformat(),
            "--interval", str(INTERVAL_S),
            "--ledger", str(folder / "ledger.json"),
            "--expected", str(folder / "expected.json"),
        ],
    )  # fmt: skip
    return prepared, simulator


def _start_agent(
    prepared: Prepared, folder: Path, children: Children, server: str, api_port: int, internet: str
) -> None:
    settings = folder / "agent.toml"
    settings.write_text(agent_settings_text(folder, api_port, internet), "utf-8")
    agent = ["phongmay_agent", "--config", str(settings)]
    token, code = prepared.real_token, REAL_CODE
    enrolment = children.start(
        "agent-enrolment", [*agent, "enrol", "--server", server, "--token", token, "--code", code]
    )
    if enrolment.process.wait(20) != 0:
        children.check()
    children.stop(enrolment)
    children.start("agent", [*agent, "run"])


def _greet(prepared: Prepared) -> None:
    port = prepared.settings.api.port
    print(f"\n  Open http://127.0.0.1:{port}/   SAMPLE DATA: all names are invented\n")
    for account in prepared.accounts:
        print(f"  sign in as {account.login:<8} password {account.password:<14} ({account.where})")
    for key in prepared.keys:
        print(f"  API key {key.login:<8} {key.password}  ({key.where})")
    print(flush=True)


def _once(prepared: Prepared, folder: Path, children: Children, simulator: Child, stop: threading.Event) -> int:
    pack = packs_in_force(prepared.settings.rules)
    expected: list[dict[str, str]] = []

    def compare() -> list[str]:
        nonlocal expected
        if not expected and (folder / "expected.json").exists():
            expected = json.loads((folder / "expected.json").read_text("utf-8"))
        with Session(prepared.engine) as session:
            return comparison.differences(session, expected) if expected else ["the simulator has not begun"]

    found = _until_empty(compare, children, stop)
    with closing(open_reader(prepared.settings.store)) as series:
        with Session(prepared.engine) as session:
            for line in (
                *tables.real_pc(session, series, pack),
                "",
                *tables.schools(session, pack, prepared.district_id),
            ):
                print(line)
        children.stop(simulator)
        ledger = _ledger(folder, simulator)
        lost = comparison.losses(series, ledger)
        letters = series.dead_letters()
    print(f"\nSimulated machines: {sum(entry['sent'] for entry in ledger)} envelopes sent, "
          f"{sum(entry['receipted'] for entry in ledger)} receipts, {len(letters)} dead letters")  # fmt: skip
    for line in (*found, *lost):
        print(f"DIFFERENCE  {line}", file=sys.stderr)
    if found or lost:
        print(f"{len(found)} of {len(expected)} verdicts differ, {len(lost)} losses", file=sys.stderr)
        return 1
    print(f"All {len(expected)} verdicts are as the simulator expects.")
    return 0


def _ledger(folder: Path, simulator: Child) -> list[dict[str, Any]]:
    """Read what the simulator wrote when it ended."""
    try:
        ledger: list[dict[str, Any]] = json.loads((folder / "ledger.json").read_text("utf-8"))
    except OSError as error:
        raise OperatorError(f"the simulator ended without its ledger; its last words:\n{tail(simulator)}") from error
    return ledger


def _until_empty(compare: Callable[[], list[str]], children: Children, stop: threading.Event) -> list[str]:
    """Compare again and again until nothing differs or patience ends; the page fills in the meantime."""
    end = time.monotonic() + PATIENCE_S
    while True:
        children.check()
        found = compare()
        if not found or time.monotonic() > end or stop.is_set():
            return found
        if sys.stdout.isatty():
            print(f"\r  {len(found):>4} verdicts still to come ", end="", flush=True)
        stop.wait(0.5)
