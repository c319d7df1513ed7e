"""`phongmay verdicts`: show the past, verify the hash chains, sign their heads, judge the past again, record decisions.

Exit code 1 when something is broken or comes out differently; a sentence for each. Times without a zone are those of
Ho Chi Minh City.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay.commands import Commands
from phongmay.deciding import add_decisions, instant
from phongmay.naming import unit_named
from phongmay.past import add_show
from phongmay.settings import ServerSettings, load
from phongmay_rules.chain.archive import changed_files
from phongmay_rules.chain.heads import (
    SignedHead,
    add_lines,
    make_key,
    read_key,
    read_lines,
    read_public_key,
    sign_all,
)
from phongmay_rules.chain.verifying import units_with_chain, verify
from phongmay_rules.errors import PackError
from phongmay_rules.loader import packs_in_force
from phongmay_rules.recomputing import recompute
from phongmay_rules.replaying import replay
from phongmay_store.register.base import utc_now
from phongmay_store.register.engine import open_register, reading_one_state, require_current
from phongmay_store.register.organisation import Unit
from phongmay_store.series import open_reader


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("verdicts", help="verdicts: show, verify, replay, waive, attest, dispute")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    add_show(verbs)

    verb = verbs.add_parser("verify", help="look for verdicts, runs, decisions or packs that were tampered with")
    verb.add_argument("--unit", metavar="UNIT", help="one unit only: its id or issuer:value (default: all)")
    verb.add_argument("--heads", metavar="FILE", type=Path, help="signed heads to hold against (default: setting)")
    verb.add_argument("--public-key", metavar="FILE", type=Path, help="key they were signed by (default: setting)")
    verb.set_defaults(run=_verify)

    verb = verbs.add_parser("heads", help="sign the heads of all chains, print them and add them to the heads file")
    verb.add_argument("--out", metavar="FILE", type=Path, help="add them to this file instead (default: setting)")
    verb.set_defaults(run=_heads)

    verb = verbs.add_parser("key", help="make the key that signs heads")
    verb.set_defaults(run=_key)

    verb = verbs.add_parser("replay", help="judge a past run again from stored rows; there must be no difference")
    _add_past(verb)
    verb.add_argument(
        "--known-at", metavar="TIME", type=instant, help="judge by what was known then (default: what the run knew)"
    )
    verb.set_defaults(run=_replay)

    verb = verbs.add_parser("recompute", help="make the facts of a past run anew from the series; writes nothing")
    _add_past(verb)
    verb.set_defaults(run=_recompute)

    add_decisions(verbs)


def _add_past(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--unit", metavar="UNIT", required=True, help="organisation unit: its id or issuer:value")
    verb.add_argument("--at", metavar="TIME", type=instant, help="last run at or before this time (default: now)")


@contextmanager
def _register(settings: ServerSettings) -> Iterator[Session]:
    engine = open_register(settings.store.register_url)
    require_current(engine)
    with reading_one_state(engine) as session:
        yield session
    engine.dispose()


def _verify(args: argparse.Namespace) -> int:
    settings = load(args.config)
    try:
        pack, refused = packs_in_force(settings.rules), ""
    except PackError as error:  # the chains are verified all the same: who broke a pack file may have touched them too
        pack, refused = None, str(error)
    file: Path = args.heads or settings.rules.heads_file
    signed = list(read_lines(file)) if args.heads or file.exists() else []
    public: Path = args.public_key or settings.rules.key_file.with_name(settings.rules.key_file.name + ".pub")
    forged = _forged(signed, public) if signed else []
    wrong = 1 if refused else 0
    by_unit: dict[str, list[SignedHead]] = {}
    for head in signed:
        if head not in forged:
            by_unit.setdefault(head.head.unit_id, []).append(head)
    with _register(settings) as session:
        if refused:
            print(f"the packs in force are refused: {refused}")
            for name in changed_files(session, settings.rules.packs):
                print(f"pack file {name} is not what it was when it judged last")
        known = sorted({*units_with_chain(session), *by_unit})
        units = known
        if args.unit:  # what has a chain is verified also when its unit was taken out of the register
            units = [args.unit if args.unit in known else unit_named(session, args.unit).id]
        for head in forged:
            if not args.unit or head.head.unit_id in units:
                when = f"{head.at:%Y-%m-%d %H:%MZ}"
                print(
                    f"unit {head.head.unit_id}: the signature of its head of {when} in {file} does not hold by {public}"
                )
                wrong += 1
        if not units:
            print("no unit has a chain yet; nothing was verified")
            wrong += 1
        for unit in units:
            report = verify(session, unit, (head.head for head in by_unit.get(unit, ())), pack)
            for found in report.breaks[:20]:
                print(found.sentence)
            wrong += len(report.breaks)
            if unit not in known and report.is_sound:
                print(f"{_titled(session, unit)}: has no chain; nothing was verified")
                wrong += 1
            elif report.is_sound:
                heads = len(by_unit.get(unit, ()))
                print(f"{_titled(session, unit)}: sound, {report.links} links, {report.facts} quoted facts, "
                      f"{heads} signed heads agree")  # fmt: skip
    if not signed:
        print(f"no signed heads in {file}: a cut tail or a chain rewritten as a whole cannot be seen without them")
    return 1 if wrong else 0


def _titled(session: Session, unit: str) -> str:
    name = session.scalar(select(Unit.name).where(Unit.id == unit, Unit.known()).order_by(Unit.valid_from.desc()))
    return f"{name}, unit {unit}" if name else f"unit {unit}"


def _forged(signed: Sequence[SignedHead], public: Path) -> list[SignedHead]:
    key = read_public_key(public)
    return [head for head in signed if not head.holds(key)]


def _heads(args: argparse.Namespace) -> int:
    settings = load(args.config)
    key = read_key(settings.rules.key_file)
    with _register(settings) as session:
        signed = sign_all(session, key)
    add_lines(args.out or settings.rules.heads_file, signed)
    for head in signed:
        print(head.line())
    return 0


def _key(args: argparse.Namespace) -> int:
    path = load(args.config).rules.key_file
    public = make_key(path)
    print(f"key {path} is made; give {public} and copies of the heads file to whoever verifies")
    return 0


def _replay(args: argparse.Namespace) -> int:
    with _register(load(args.config)) as session:
        result = replay(session, unit_named(session, args.unit).id, args.at or utc_now(), args.known_at)
        for found in result.differences:
            print(found.sentence())
        run = f"run {result.run.id} of {result.run.evaluated_at:%Y-%m-%d %H:%M:%SZ}"
        pack = f"pack {result.pack.id} {result.pack.standard.version}"
        print(f"{run}, {pack}: {len(result.judged)} verdicts, {len(result.differences)} differ")
    return 1 if result.differences else 0


def _recompute(args: argparse.Namespace) -> int:
    settings = load(args.config)
    with _register(settings) as session, closing(open_reader(settings.store)) as series:
        found = recompute(session, series, unit_named(session, args.unit).id, args.at or utc_now())
    for item in found:
        print(item.sentence())
    print(f"{len(found)} facts differ; nothing was written")
    return 1 if found else 0
