"""`phongmay rules`: look at a rule pack, check and test it, evaluate schools, explain one verdict."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from phongmay import quality, whatif
from phongmay.adopting import add_adopting, adopting_unit
from phongmay.commands import Commands
from phongmay.evaluation_loop import EvaluationLoop
from phongmay.evidence import evidence_lines, stamp_lines
from phongmay.naming import subjects_named
from phongmay.settings import load
from phongmay_contract.errors import OperatorError
from phongmay_rules import tables
from phongmay_rules.cases import run_cases
from phongmay_rules.engine import Evaluation, evaluate
from phongmay_rules.explain import format_value, origin_name
from phongmay_rules.explanation import actors, explain
from phongmay_rules.history import held_since, present
from phongmay_rules.loader import load_packs, packs_in_force
from phongmay_rules.model import Pack, Rule
from phongmay_rules.places import read_organisation
from phongmay_rules.setting import Settings, in_force_for
from phongmay_rules.settings import RulesSettings
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import CurrentVerdict, State, Verdict
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.register.timetable import LOCAL
from phongmay_store.series import open_reader

_log = logging.getLogger("phongmay.rules")


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser(
        "rules", help="rule packs: list, show, check, test, run, adopt-annex, explain, whatif, quality"
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    default = RulesSettings().packs

    listing = verbs.add_parser("list", help="all rules of a pack")
    show = verbs.add_parser("show", help="one rule with its clauses and parameters")
    show.add_argument("rule", help="id of the rule, e.g. TB-01")
    show.add_argument("--unit", metavar="UNIT", help="values in force for this unit, id or issuer:value (default: top)")
    check = verbs.add_parser("check", help="read a pack and say what is wrong with it")
    test = verbs.add_parser("test", help="run every case of a pack")
    for verb, function in ((listing, _list), (show, _show), (check, _check), (test, _test)):
        verb.add_argument(
            "packs", nargs="*", default=default, metavar="pack",
            help=f"shipped packs or directories (default: {' '.join(default)})",
        )  # fmt: skip
        verb.set_defaults(run=function)

    run = verbs.add_parser("run", help="evaluate every interval until stopped")
    run.add_argument("--once", action="store_true", help="evaluate once and print a table of the schools")
    run.set_defaults(run=_run)

    add_adopting(verbs)
    verb = verbs.add_parser("explain", help="one verdict in words, with its evidence")
    verb.add_argument("subject", help="id of a device, room or unit; a device's code; a unit's issuer:value")
    verb.add_argument("rule", help="id of the rule")
    verb.add_argument("--lang", choices=("vi", "en"), default="vi", help="language (default: %(default)s)")
    verb.set_defaults(run=_explain)

    whatif.add(verbs)
    quality.add(verbs)


def _list(args: argparse.Namespace) -> int:
    pack = load_packs(args.packs)
    for rule in sorted(pack.rules.values(), key=lambda rule: rule.id):
        state = "" if rule.id in pack.active else " (không bật)"
        print(f"{rule.id:<7}{pack.owners[rule.id]:<14}{rule.severity:<10}{rule.group:<12}{rule.number_from:<18}"
              f"{rule.title.vi}{state}")  # fmt: skip
    return 0


def _show(args: argparse.Namespace) -> int:
    pack = load_packs(args.packs)
    rule = _rule(pack, args.rule)
    for line in _rule_lines(pack, rule, _in_force(args, pack)):
        print(line)
    return 0


def _in_force(args: argparse.Namespace, pack: Pack) -> Settings:
    """Give the values in force for a unit; without --unit and without a register the packs speak for themselves."""
    if args.unit is None and not args.config.exists():
        return {}
    try:
        register = open_register(load(args.config).store.register_url)
        require_current(register)
        with Session(register) as session:
            unit = adopting_unit(session, args.unit)
            return in_force_for(session, pack, read_organisation(session, utc_now(), only=()).ancestry(unit))
    except OperatorError as error:
        if args.unit is not None:
            raise
        print(f"values in force are not shown: {error}", file=sys.stderr)
        return {}


def _rule(pack: Pack, rule_id: str) -> Rule:
    if rule_id not in pack.rules:
        raise OperatorError(f"pack {pack.id} has no rule {rule_id!r}; it has {', '.join(sorted(pack.rules))}")
    return pack.rules[rule_id]


def _rule_lines(pack: Pack, rule: Rule, settings: Settings) -> Iterator[str]:
    yield f"{rule.id}  {rule.title.vi}"
    yield f"       {rule.title.en}"
    yield f"severity     {rule.severity}"
    yield f"who must act {actors(rule, 'vi')} / {actors(rule, 'en')}"
    yield f"remediation  {rule.remediation.vi.strip()}"
    yield f"             {rule.remediation.en.strip()}"
    yield f"in force     {rule.valid_from} to {rule.valid_to or 'open'}"
    document = pack.standard.documents.get(rule.duty)
    yield f"duty         {document.number + ', ' + document.title.vi if document else 'no document demands it'}"
    yield f"number from  {rule.number_from} ({origin_name(rule.number_from, 'vi')})"
    if pack.inherited[rule.id]:
        yield f"inherits     {', '.join(pack.inherited[rule.id])}"
    for check in rule.check:
        pairs = ((name, value) for name, value in check.model_dump(mode="json").items() if value not in (None, "", []))
        yield "check        " + ", ".join(f"{name} = {value}" for name, value in pairs)
        for value in check.model_dump(mode="json").values():
            for name in value.values() if isinstance(value, dict) else (value,):
                parameter = pack.standard.parameters.get(name) if isinstance(name, str) else None
                if parameter is not None:
                    yield (f"  {name} = {parameter.value} {parameter.unit} [{parameter.low} .. {parameter.high}], "
                           f"{parameter.number_from}: {parameter.about.vi}")  # fmt: skip
                    held = settings.get(name) if isinstance(name, str) else None
                    if held is not None and held.row is not None and not held.is_default:
                        shown = format_value(held.value, parameter.unit, "vi")
                        yield (f"    in force: {shown}, set for {held.row.unit_id} by {held.row.set_by} "
                               f"{held.row.recorded_at.astimezone(LOCAL):%Y-%m-%d}: {held.row.reason}")  # fmt: skip
    for clause in (pack.clauses[clause] for clause in rule.clauses):
        yield f"clause       {clause.id} ({clause.locator.vi}; {clause.assessment}, {clause.wording}): {clause.text.vi}"
    stamp = pack.stamp(rule.id)
    yield f"pack         {stamp.id} {stamp.version}{'' if rule.id in pack.active else ' (this rule is switched off)'}"
    yield f"hash         {pack.rule_hashes[rule.id]}"


def _check(args: argparse.Namespace) -> int:
    for warning in tables.warnings(datetime.now(LOCAL).date()):
        print(f"warning: {warning}", file=sys.stderr)
    pack = load_packs(args.packs)
    cases = sum(len(cases) for cases in pack.cases.values())
    for stamp in pack.stamps.values():
        rules = sum(owner == stamp.id for owner in pack.owners.values())
        print(f"{stamp.id} {stamp.version}: {rules} rules, hash {stamp.hash}")
    print(f"{pack.id}: {len(pack.rules)} rules, {len(pack.clauses)} clauses, {cases} cases")
    print(f"hash {pack.hash}")
    return 0


def _test(args: argparse.Namespace) -> int:
    pack = load_packs(args.packs, proven=False)
    results = list(run_cases(pack))
    wrong = [result for result in results if result.problem]
    for result in wrong:
        print(f"{result.rule_id} case '{result.case.name}': {result.problem}")
    print(f"{pack.id}: {len(results) - len(wrong)} of {len(results)} cases are as expected")
    if not wrong:
        load_packs(args.packs)  # refused when a sort of case is missing
    return 1 if wrong else 0


def _run(args: argparse.Namespace) -> int:
    settings = load(args.config)
    pack = packs_in_force(settings.rules)
    register = open_register(settings.store.register_url)
    require_current(register)
    sessions = sessionmaker(register)
    if args.once:
        with closing(open_reader(settings.store)) as series:
            result = evaluate(sessions, series, pack, interval_s=settings.rules.interval_s)
        for line in _table(result, pack):
            print(line)
        return 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    EvaluationLoop(settings, sessions, pack, stop).run()
    return 0


def _table(result: Evaluation, pack: Pack) -> Iterator[str]:
    """Give one table: a row a unit and group of rules, a column a state."""
    heads = [state.value.replace("not_applicable", "n/a") for state in State]
    yield _pad("Unit / group of rules", 46) + "".join(f"{head:>9}" for head in heads)
    for unit in result.units:
        yield unit.name
        for group, states in unit.counts.items():
            title = pack.standard.groups[group].title.en
            yield _pad(f"  {title}", 46) + "".join(f"{states.get(state, 0):>9}" for state in State)
    yield f"{result.facts} facts and {result.changed} verdicts written"


def _pad(text: str, width: int) -> str:
    """Pad to columns: composed letters first, so that one Vietnamese letter is one column."""
    return unicodedata.normalize("NFC", text).ljust(width)


def _explain(args: argparse.Namespace) -> int:
    settings = load(args.config)
    pack = packs_in_force(settings.rules)
    rule = _rule(pack, args.rule)
    register = open_register(settings.store.register_url)
    require_current(register)
    with Session(register) as session:
        found = session.scalar(
            select(Verdict)
            .join(CurrentVerdict, CurrentVerdict.verdict_id == Verdict.id)
            .where(
                CurrentVerdict.subject_id.in_(subjects_named(session, args.subject)),
                CurrentVerdict.rule_id == args.rule,
            )
        )
        if found is None:
            raise OperatorError(
                f"there is no verdict of {args.rule} on {args.subject!r}; see 'phongmay rules list' and the register"
            )
        shown = present(session, found, utc_now())
        since = held_since(session, [found]).get(found.id) if shown.state == found.state else None
        for part in explain(shown, rule.id, pack, found.evidence, since, args.lang).sentences():
            print(part)
        for line in (*evidence_lines(found.evidence, args.lang), *stamp_lines(found, args.lang, is_current=True)):
            print(line)
    return 0
