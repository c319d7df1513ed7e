"""What the verbs of `phongmay simulate` do with simulated schools: provision, load, day, history, compare.

Parsed arguments go in, an exit code comes out; what a person can mend raises OperatorError. Apart from the verbs
themselves, so that declaring them imports no database.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import threading
import time
from contextlib import closing
from datetime import date, datetime, timedelta

from phongmay.progress import Progress
from phongmay.settings import load
from phongmay_collector.broker_files import BrokerFiles, write_all
from phongmay_collector.broker_watch import hang_up
from phongmay_contract.errors import OperatorError
from phongmay_simulate import fleet_file, history, ledger, population, provisioning, school_day
from phongmay_simulate.district import LOCAL
from phongmay_simulate.enrolling import SimulationError
from phongmay_simulate.load import Load, percentile
from phongmay_simulate.playing import Player, Timeline
from phongmay_simulate.population import Population
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.series import open_reader, open_writer

SETTLE_S = 60.0


def provision(args: argparse.Namespace) -> int:
    """Write schools into the register and the broker's files, and their secrets into the fleet file."""
    settings = load(args.config)
    people = population.build(
        args.seed, args.schools, args.pcs, faults=not args.no_faults, gateways=not args.no_gateways
    )
    engine = open_register(settings.store.register_url)
    require_current(engine)
    since = datetime.now(LOCAL) - timedelta(days=args.since_days)
    identities = provisioning.provision(engine, people, (settings.broker.host, settings.broker.port), since=since)
    fleet_file.write(args.fleet, people, identities)
    write_all(settings.broker, engine)
    told = hang_up(BrokerFiles(settings.broker.directory).pid)
    engine.dispose()
    print(f"{len(people.schools)} schools, {len(identities)} devices with agents; secrets in {args.fleet}; "
          f"{'the running broker was told' if told else 'no broker runs yet'}")  # fmt: skip
    return 0


def put_load(args: argparse.Namespace) -> int:
    """Send equal messages at a rate and print how long their receipts took."""
    _, identities = fleet_file.read(args.fleet)
    chosen = list(identities.values())[: args.connections]
    if not chosen or len(chosen) < (args.connections or 0):
        raise OperatorError(
            f"--connections {args.connections or 'all'}: {args.fleet} has {len(identities)} devices; ask for fewer, "
            "or let 'phongmay simulate provision' write more"
        )
    bar, stop = Progress(), _stopper()
    generator = Load(chosen)
    generator.open()
    generator.greet()
    begin = time.monotonic()
    shown = 0

    def each_turn() -> bool:
        nonlocal shown
        passed = time.monotonic() - begin
        if int(passed) > shown:
            shown = int(passed)
            words = f"{len(generator.lags)} receipts, {generator.outstanding} outstanding"
            bar.show(passed / args.seconds, words)
        return stop.is_set()

    sent = generator.steady(args.rate, args.seconds, each_turn=each_turn)
    with contextlib.suppress(SimulationError):  # what is outstanding is in the figures
        generator.drain(SETTLE_S)
    bar.end()
    generator.close()
    lags, late = generator.lags, generator.late
    figures = {
        "connections": len(chosen), "sent": sent, "receipts": len(lags), "outstanding": generator.outstanding,
        "refused": len(generator.refused), "lag_s_p50": round(percentile(lags, 0.5), 3),
        "lag_s_p99": round(percentile(lags, 0.99), 3), "late_s_p99": round(percentile(late, 0.99), 3),
    }  # fmt: skip
    print(json.dumps(figures))
    return 0 if not generator.outstanding and not generator.refused else 1


def play_day(args: argparse.Namespace) -> int:
    """Play a day and write the ledger."""
    people, identities = fleet_file.read(args.fleet)
    now, day = time.time(), _day(args.date)
    if args.live:
        timeline = Timeline(now, now + args.seconds, 1.0, time.monotonic())
    else:
        hours = school_day.window(day)
        if hours.end > now:
            raise OperatorError(
                f"--date {day}: this day is not over, and a played day must lie in the past; give an earlier date, "
                "or --live for one that goes as it comes"
            )
        timeline = Timeline(hours.start, hours.end, (hours.end - hours.start) / args.seconds, time.monotonic())
    player = Player(people, identities, timeline, day, interval_s=args.interval, twice=args.twice, late=args.late,
                    always=args.always)  # fmt: skip
    bar = Progress()

    def show() -> None:
        connected, made, receipts, waiting = player.progress()
        bar.show(timeline.share(time.monotonic()),
                 f"{connected} connected, {made} made, {receipts} receipts, {waiting} in spools")  # fmt: skip

    player.play(_stopper(), show)
    player.finish(SETTLE_S, show)
    bar.end()
    _, made, receipts, waiting = player.progress()
    if args.ledger:
        ledger.write(args.ledger, player.agents, seed=people.seed, day=str(day), speed=round(timeline.speed, 3))
    print(json.dumps({"seed": people.seed, "day": str(day), "speed": round(timeline.speed, 1), "made": made,
                      "receipts": receipts, "waiting": waiting, "connects": player.wire.connects}))  # fmt: skip
    return 0


def write_history(args: argparse.Namespace) -> int:
    """Write days of the past into the series store."""
    settings = load(args.config)
    people = _people(args)
    days = history.last_days(args.days + args.older, datetime.now(LOCAL).date())
    bar, begin = Progress(), time.monotonic()
    with closing(open_writer(settings.store)) as series:
        done = history.write(
            series, people, days, full=args.days, until=time.time(), interval_s=args.interval,
            each_day=lambda so_far: bar.show(so_far.days / len(days), f"{so_far.envelopes} envelopes"),
        )  # fmt: skip
    bar.end()
    seconds = time.monotonic() - begin
    print(json.dumps({"days": done.days, "envelopes": done.envelopes, "seconds": round(seconds, 1),
                      "envelopes_per_s": round(done.envelopes / max(seconds, 0.001))}))  # fmt: skip
    return 0


def compare(args: argparse.Namespace) -> int:
    """Hold a ledger against the store; 1 when something is lost or doubled."""
    runs = ledger.read(args.ledger)
    settings = load(args.config).store
    with closing(open_reader(settings)) as series:
        found = ledger.compare(series, runs, rows_from=ledger.rows_since(time.time(), settings.raw_days))
    print(json.dumps(found.as_dict(), indent=1))
    return 1 if found.lost or found.doubled else 0


def _people(args: argparse.Namespace) -> Population:
    return fleet_file.read(args.fleet)[0]


def _day(text: str) -> date:
    if not text:
        return datetime.now(LOCAL).date() - timedelta(days=1)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise OperatorError(f"--date {text!r} is not a date such as 2026-11-27") from None


def _stopper() -> threading.Event:
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    return stop
