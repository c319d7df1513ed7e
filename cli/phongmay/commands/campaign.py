"""`phongmay campaign`: order bandwidth tests and look at them; `phongmay campaigns run` carries them out."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay.campaign_view import follow
from phongmay.commands import Commands
from phongmay.settings import ServerSettings, load
from phongmay_bandwidth.ticket import read_key
from phongmay_campaigns import passive
from phongmay_campaigns.ledger import stop_campaign
from phongmay_campaigns.ordering import Wish, add_server, order
from phongmay_campaigns.presence import wan_parts
from phongmay_campaigns.reporting import words
from phongmay_campaigns.reporting.evidence import Evidence, gather
from phongmay_campaigns.reporting.facts_of_run import about, conclusion, measured
from phongmay_campaigns.reporting.pdf import to_pdf
from phongmay_campaigns.reporting.table import to_csv
from phongmay_campaigns.sites import read_site
from phongmay_contract.errors import OperatorError
from phongmay_store.register.base import utc_now
from phongmay_store.register.campaign import BandwidthServer, Campaign, CampaignKind, CampaignMode, CampaignRun
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.register.organisation import Unit, find_external
from phongmay_store.register.place import Room
from phongmay_store.register.sealing import Seal
from phongmay_store.register.timetable import LOCAL
from phongmay_store.series import open_reader


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("campaign", help="bandwidth tests: run, list, show, stop, report, busy, server")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    verb = verbs.add_parser("run", help="order a test and follow it")
    place = verb.add_mutually_exclusive_group(required=True)
    place.add_argument("--school", metavar="UNIT", help="one school: its id, or issuer:value")
    place.add_argument("--unit", metavar="UNIT", help="every school below this unit")
    verb.add_argument("--room", metavar="ID", help="only this computer room (its id or its name)")
    verb.add_argument(
        "--kind", choices=[kind.value for kind in CampaignKind], default="floor", help="what is tested (default: floor)"
    )
    verb.add_argument(
        "--mode", choices=[mode.value for mode in CampaignMode], default="now",
        help="now; teacher (input does not abort); planned (breaks, after class); opportunistic (default: now)",
    )  # fmt: skip
    verb.add_argument("--every-days", type=int, default=0, metavar="N", help="again N days after each valid run")
    verb.add_argument("--wake", action="store_true", help="wake PCs that are off; the school agreed to it")
    verb.add_argument("--failover", action="store_true", help="the main line is pulled out: measure the other one")
    verb.add_argument("--server", default="", metavar="ID", help="bandwidth server (default: the only one)")
    verb.add_argument("--no-follow", action="store_true", help="only order it")
    verb.add_argument("--lang", choices=("vi", "en"), default="vi", help="language (default: %(default)s)")
    verb.set_defaults(run=_order)

    verb = verbs.add_parser("list", help="campaigns and their newest runs")
    verb.add_argument("--all", action="store_true", help="also those that have ended")
    verb.set_defaults(run=_list)

    verb = verbs.add_parser("show", help="one campaign, or one run with its figures")
    verb.add_argument("id", help="id of a campaign or run")
    verb.add_argument("--lang", choices=("vi", "en"), default="vi", help="language (default: %(default)s)")
    verb.set_defaults(run=_show)

    verb = verbs.add_parser("stop", help="stop a campaign and its run")
    verb.add_argument("id", help="id of the campaign")
    verb.set_defaults(run=_stop)

    verb = verbs.add_parser("report", help="write one run as PDF or CSV")
    verb.add_argument("id", help="id of the run")
    verb.add_argument("--out", type=Path, required=True, metavar="FILE", help="file that ends in .pdf or .csv")
    verb.add_argument("--lang", choices=("vi", "en"), default="vi", help="language (default: %(default)s)")
    verb.set_defaults(run=_report)

    verb = verbs.add_parser("busy", help="how busy a school's lines were, by its router; warns, proves nothing")
    verb.add_argument("--school", required=True, metavar="UNIT", help="its id, or issuer:value")
    verb.add_argument("--days", type=int, default=7, help="days up to now (default: %(default)s)")
    verb.set_defaults(run=_busy)

    servers = verbs.add_parser("server", help="bandwidth servers: add, list").add_subparsers(
        required=True, metavar="VERB"
    )
    verb = servers.add_parser("add", help="register a server, or change the one of this name")
    verb.add_argument("--name", required=True, help="what people call it")
    verb.add_argument("--host", required=True, help="address as the PCs reach it")
    verb.add_argument("--port", type=int, required=True, help="its TCP and UDP port")
    verb.add_argument("--key-file", type=Path, required=True, help="its ticket key; kept sealed in the register")
    verb.add_argument("--uplink-mbit", type=float, required=True, help="what its own line carries")
    verb.set_defaults(run=_add_server)
    servers.add_parser("list", help="registered servers").set_defaults(run=_list_servers)


@contextmanager
def _register(settings: ServerSettings) -> Iterator[Session]:
    engine = open_register(settings.store.register_url)
    require_current(engine)
    with Session(engine, expire_on_commit=False) as session:
        yield session
    engine.dispose()


def _unit(session: Session, text: str) -> Unit:
    issuer, colon, value = text.partition(":")
    found = find_external(session, issuer, value) if colon else text
    unit = session.scalar(Unit.at().where(Unit.id == found)) if found else None
    if unit is None:
        raise OperatorError(f"no organisation unit {text!r}; say its id or issuer:value")
    return unit


def _room(session: Session, school_id: str, text: str) -> str:
    rooms = session.scalars(Room.at().where(Room.school_id == school_id, (Room.id == text) | (Room.name == text))).all()
    if len(rooms) != 1:
        raise OperatorError(f"{len(rooms)} rooms of {school_id} are called {text!r}; say the id of one")
    return rooms[0].id


def _order(args: argparse.Namespace) -> int:
    settings = load(args.config)
    with _register(settings) as session:
        unit = _unit(session, args.school or args.unit)
        wish = Wish(
            unit_id=unit.id, kind=CampaignKind(args.kind), mode=CampaignMode(args.mode),
            room_id=_room(session, unit.id, args.room) if args.room else None, every_days=args.every_days,
            wake=args.wake, failover=args.failover, server_id=args.server,
        )  # fmt: skip
        campaign = order(session, wish, "command line")
        session.commit()
        print(f"{campaign.id}: {campaign.name}, {len(campaign.schools)} school(s), {campaign.mode}", flush=True)
        if args.no_follow:
            return 0
        return follow(session, Seal.open(settings.store.seal_path), campaign.id, args.lang)


def _list(args: argparse.Namespace) -> int:
    with _register(load(args.config)) as session:
        for campaign in session.scalars(Campaign.at().order_by(Campaign.valid_from.desc(), Campaign.id)):
            if args.all or campaign.state == "active":
                print(f"{campaign.id}  {campaign.state:<8}{campaign.kind:<10}{campaign.mode:<14}"
                      f"{len(campaign.schools):>4} schools  {campaign.name}")  # fmt: skip
                _print_runs(session, campaign.id, 3)
    return 0


def _print_runs(session: Session, campaign_id: str, most: int) -> None:
    newest = select(CampaignRun.run_id).where(CampaignRun.campaign_id == campaign_id)
    run_ids = session.scalars(newest.order_by(CampaignRun.due_at.desc()).limit(most)).all()
    for run_id in run_ids:
        evidence = gather(session, run_id)
        if evidence is not None:
            print(f"  {_line_of(evidence)}")


def _line_of(evidence: Evidence) -> str:
    run, result = evidence.run, evidence.result
    state = f"{result.verdict} {' '.join(result.reasons)}" if result else f"{evidence.standing.step} {evidence.reason}"
    return f"{run.run_id}  {run.due_at.astimezone(LOCAL):%Y-%m-%d %H:%M}  {evidence.school}  {state.strip()}"


def _show(args: argparse.Namespace) -> int:
    with _register(load(args.config)) as session:
        evidence = gather(session, args.id)
        if evidence is not None:
            print("\n".join(run_lines(evidence, args.lang)))
            return 0
        campaign = _campaign(session, args.id)
        print(f"{campaign.id}: {campaign.name} ({campaign.state})")
        _print_runs(session, campaign.id, 1000)
    return 0


def run_lines(evidence: Evidence, language: str) -> Iterator[str]:
    """Give a run for the terminal."""
    pairs = [*conclusion(evidence, language), *about(evidence, language)]
    if evidence.result is not None:
        pairs += measured(evidence.result, language)
    width = max(len(name) for name, _ in pairs) + 2
    for name, value in pairs:
        yield f"{name:<{width}}{value}"
    for one in evidence.participants:
        rates = " ".join(f"{words.rate(value, language):>13}" for value in (one.goodput_dl_srv, one.goodput_ul_srv))
        status = words.word(words.STATUSES, one.status, language)
        yield f"  {one.code:<16}{evidence.room_name(one.room_id):<14}{rates}  {status} {one.reason}".rstrip()


def _campaign(session: Session, campaign_id: str) -> Campaign:
    campaign = session.scalar(Campaign.at().where(Campaign.id == campaign_id))
    if campaign is None:
        raise OperatorError(f"no campaign or run {campaign_id!r}; 'phongmay campaign list --all' names them")
    return campaign


def _stop(args: argparse.Namespace) -> int:
    with _register(load(args.config)) as session:
        stopped = stop_campaign(session, _campaign(session, args.id))
        session.commit()
    print(f"{args.id}: {'will be stopped by the coordinator' if stopped else 'has ended already'}")
    return 0


def _report(args: argparse.Namespace) -> int:
    if args.out.suffix not in (".pdf", ".csv"):
        raise OperatorError(f"--out {args.out}: the file must end in .pdf or .csv")
    with _register(load(args.config)) as session:
        evidence = gather(session, args.id)
        if evidence is None:
            raise OperatorError(f"no run {args.id!r}; 'phongmay campaign list --all' names them")
        is_pdf = args.out.suffix == ".pdf"
        content = to_pdf(evidence, args.lang, utc_now()) if is_pdf else to_csv(evidence, args.lang)
    try:
        args.out.write_bytes(content)
    except OSError as error:
        raise OperatorError(f"--out {args.out}: cannot be written ({error.strerror})") from error
    print(f"{args.out}: {len(content)} bytes")
    return 0


def _busy(args: argparse.Namespace) -> int:
    """Print share of full time, 95th percentile and busiest hour of each direction; 1 = order a capacity test."""
    settings, now = load(args.config), utc_now()
    with _register(settings) as session:
        site = read_site(session, _unit(session, args.school).id, now)
    if site is None or not site.routers:
        raise OperatorError(f"{args.school}: no router is registered; how busy the lines were is unknown")
    rates = {"received_bytes": [one.down_bps for one in site.lines], "sent_bytes": [one.up_bps for one in site.lines]}
    warns = False
    with closing(open_reader(settings.store)) as series:
        for router in site.routers:
            start = now.timestamp() - 86400 * args.days
            parts = wan_parts(row.part for row in series.latest("router", [router]))
            rows = passive.together([passive.read(series, router, part, start, now.timestamp()) for part in parts])
            for counter, promised in rates.items():
                line = sum(one for one in promised if one) if promised and all(promised) else None
                found = passive.busy(rows, counter, line) if line else None
                print(f"{router}  {counter:<15}{_busy_text(found)}")
                warns = warns or (found is not None and found.warns)
    return 1 if warns else 0


def _busy_text(found: passive.Busy | None) -> str:
    if found is None:
        return "unknown: the contracted rate is not declared"
    if found.full_share is None or found.p95 is None or found.peak is None:
        return "unknown: no readings"
    warning = "  -> order a capacity test" if found.warns else ""
    return (f"full {found.full_share:.1%} of the time, p95 {found.p95:.0%}, busiest hour {found.peak_hour}:00 with "
            f"{found.peak:.0%}, unknown {found.unknown_s / 3600:.1f} h{warning}")  # fmt: skip


def _add_server(args: argparse.Namespace) -> int:
    settings = load(args.config)
    with _register(settings) as session:
        server = add_server(
            session, Seal.open(settings.store.seal_path), name=args.name, host=args.host, port=args.port,
            key=read_key(args.key_file), uplink_bps=int(args.uplink_mbit * 1e6),
        )  # fmt: skip
        session.commit()
        print(f"{server.id}: {server.name} at {server.host}:{server.port}, {server.uplink_bps / 1e6:g} Mbit/s")
    return 0


def _list_servers(args: argparse.Namespace) -> int:
    with _register(load(args.config)) as session:
        for server in session.scalars(BandwidthServer.at().order_by(BandwidthServer.name)):
            print(f"{server.id}  {server.name}  {server.host}:{server.port}  {server.uplink_bps / 1e6:g} Mbit/s")
    return 0
