"""The verb `phongmay rules adopt-annex`: what official figures would change, and with --publish their adoption.

In: the settings file, the register, a TOML file of figures. Out: a table of changed verdicts on stdout. Without
--publish nothing is written.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay.commands import Commands
from phongmay.settings import load
from phongmay_contract.errors import OperatorError
from phongmay_rules import adopting
from phongmay_rules.adopting import Annex, Effect
from phongmay_rules.loader import packs_in_force
from phongmay_rules.model import Pack
from phongmay_store.register.device import Device
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.register.organisation import Unit, find_external
from phongmay_store.register.place import Room


def add_adopting(verbs: Commands) -> None:
    """Declare the verb."""
    verb = verbs.add_parser("adopt-annex", help="show what official figures would change, and publish them")
    verb.add_argument("file", type=Path, metavar="FILE", help="TOML file with the figures and where they stand")
    verb.add_argument("--unit", metavar="UNIT", help="unit that adopts them, id or issuer:value (default: the top)")
    verb.add_argument("--publish", action="store_true", help="record them; without it nothing is written")
    verb.add_argument("--by", metavar="LOGIN", help="account of the officer who publishes")
    verb.add_argument("--reason", metavar="TEXT", help="why they are published")
    verb.set_defaults(run=_adopt)


def _adopt(args: argparse.Namespace) -> int:
    if args.publish and not (args.by and args.reason):
        raise OperatorError(
            "--publish needs --by LOGIN and --reason TEXT: a figure without who and why is worth little"
        )
    settings = load(args.config)
    pack = packs_in_force(settings.rules)
    annex = adopting.read_annex(args.file, pack)
    register = open_register(settings.store.register_url)
    require_current(register)
    with Session(register) as session:
        unit = _unit(session, args.unit)
        found = adopting.effect(session, pack, annex, unit)
        for line in _lines(session, pack, annex, found):
            print(line)
        if not args.publish:
            print("nothing was written; to adopt these figures add --publish --by LOGIN --reason TEXT")
            return 0
        count = adopting.publish(session, pack, annex, found, unit_id=unit, signed_by=args.by, reason=args.reason)
        session.commit()
    print(f"{count} parameter(s) recorded for unit {unit}; the next evaluation judges by them, old verdicts stand")
    return 0


def _unit(session: Session, name: str | None) -> str:
    if name is None:
        tops = list(session.scalars(select(Unit.id).where(Unit.holds(), Unit.parent_id.is_(None))))
        if len(tops) != 1:
            raise OperatorError(f"the register has {len(tops)} units without one above; name one with --unit")
        return tops[0]
    issuer, _, value = name.partition(":")
    found = find_external(session, issuer, value) if value else name
    if found is None or session.scalar(Unit.at().where(Unit.id == found)) is None:
        raise OperatorError(f"there is no organisation unit {name!r}")
    return found


def _lines(session: Session, pack: Pack, annex: Annex, found: Effect) -> Iterator[str]:
    yield f"{annex.number} of {annex.issued}: {annex.title}"
    for figure in annex.figure:
        unit = pack.standard.parameters[figure.parameter].unit
        if figure.parameter in found.values:
            old, new = found.values[figure.parameter]
            yield f"  {figure.parameter}: {old:g} -> {new:g} {unit}  ({figure.source})"
        else:
            yield f"  {figure.parameter}: {figure.value:g} {unit} is in force already  ({figure.source})"
    names = _names(session)
    for change in found.changes:
        kind, subject, rule = change.key
        yield (f"{rule:<7}{kind:<9}{names.get(subject, subject)}: {change.before.state} ({change.before.reason}) -> "
               f"{change.after.state} ({change.after.reason})")  # fmt: skip
    moves = Counter((change.key[2], change.before.state, change.after.state) for change in found.changes)
    for (rule, before, after), count in sorted(moves.items()):
        yield f"  {rule}: {count} {before} -> {after}"
    yield f"{len(found.changes)} of {found.judged} verdicts change"


def _names(session: Session) -> Mapping[str, str]:
    rows = [
        *session.execute(select(Device.id, Device.code).where(Device.holds())),
        *session.execute(select(Room.id, Room.name).where(Room.holds())),
        *session.execute(select(Unit.id, Unit.name).where(Unit.holds())),
    ]
    return {row[0]: row[1] for row in rows}
