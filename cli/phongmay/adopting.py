"""The verbs `phongmay rules set` and `adopt-annex`: what other figures would change, and with --publish their adoption.

In: the settings file, the register, figures as NAME=VALUE or in a TOML file with the place where they stand. Out: a
table of changed verdicts on stdout. Without --publish nothing is written. `phongmay rules parameters` lists what is in
force: whose, since when, why.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay.commands import Commands
from phongmay.settings import ServerSettings, load
from phongmay_contract.errors import OperatorError
from phongmay_rules import adopting
from phongmay_rules.adopting import Effect
from phongmay_rules.explain import format_value
from phongmay_rules.loader import packs_in_force
from phongmay_rules.model import Pack
from phongmay_rules.parameters import Kept
from phongmay_rules.places import read_organisation
from phongmay_rules.setting import beginning, in_force_for
from phongmay_rules.whatif import read_values
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import Parameter
from phongmay_store.register.device import Device
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.register.organisation import Unit, find_external
from phongmay_store.register.place import Room
from phongmay_store.register.timetable import LOCAL

_KEEPS = {
    "vi": (
        "{unit} giữ mức riêng của mình: {name} = {value}",
        " (ngoài giới hạn: không kết luận được cho đến khi đơn vị đặt lại)",
    ),
    "en": ("{unit} keeps its own value: {name} = {value}", " (out of bounds: an error until the unit sets another)"),
}


def add_adopting(verbs: Commands) -> None:
    """Declare the verbs."""
    annex = verbs.add_parser("adopt-annex", help="show what official figures would change, and publish them")
    annex.add_argument("file", type=Path, metavar="FILE", help="TOML file with the figures and where they stand")
    annex.set_defaults(run=_adopt)
    setting = verbs.add_parser("set", help="show what another value of a parameter would change, and publish it")
    setting.add_argument("values", nargs="+", metavar="NAME=VALUE", help="e.g. ram_min=8GiB reach_share_min=98%%")
    setting.set_defaults(run=_set)
    for verb in (annex, setting):
        verb.add_argument("--unit", metavar="UNIT", help="unit that adopts them, id or issuer:value (default: the top)")
        verb.add_argument("--publish", action="store_true", help="record them; without it nothing is written")
        verb.add_argument("--by", metavar="LOGIN", help="account of the officer who publishes")
        verb.add_argument("--reason", metavar="TEXT", help="why they are published")
        verb.add_argument("--from", dest="day", type=day, metavar="DATE",
                          help="local day from which they hold, e.g. 2026-12-01 (default: from now on)")  # fmt: skip
    listing = verbs.add_parser("parameters", help="values in force: whose, since when, why, and their bounds")
    listing.add_argument("--unit", metavar="UNIT", help="in force for this unit, id or issuer:value (default: the top)")
    listing.add_argument("--history", action="store_true", help="every value that any unit ever set, oldest first")
    listing.set_defaults(run=_parameters)


def _adopt(args: argparse.Namespace) -> int:
    settings = load(args.config)
    pack = packs_in_force(settings.rules)
    annex = adopting.read_annex(args.file, pack)
    print(f"{annex.number} of {annex.issued}: {annex.title}")
    return _publish(args, settings, pack, annex.values, annex.sources)


def _set(args: argparse.Namespace) -> int:
    settings = load(args.config)
    pack = packs_in_force(settings.rules)
    return _publish(args, settings, pack, read_values(pack, args.values), {})


def _publish(
    args: argparse.Namespace, settings: ServerSettings, pack: Pack, wanted: Mapping[str, float],
    sources: Mapping[str, str],
) -> int:  # fmt: skip
    if args.publish and not (args.by and args.reason):
        raise OperatorError(
            "--publish needs --by LOGIN and --reason TEXT: a figure without who and why is worth little"
        )
    register = open_register(settings.store.register_url)
    require_current(register)
    with Session(register) as session:
        unit = adopting_unit(session, args.unit)
        begins = beginning(args.day)
        found = adopting.effect(session, pack, wanted, unit, valid_from=begins)
        for line in _lines(session, pack, wanted, sources, found):
            print(line)
        if not args.publish:
            print("nothing was written; to adopt these figures add --publish --by LOGIN --reason TEXT")
            return 0
        count = adopting.publish(
            session, pack, found, unit_id=unit, signed_by=args.by, reason=args.reason, sources=sources,
            valid_from=begins,
        )  # fmt: skip
        session.commit()
    since = "" if args.day is None else f" from {args.day} on"
    print(f"{count} parameter(s) recorded for unit {unit}{since}; the next evaluation judges by what holds then, "
          "old verdicts stand")  # fmt: skip
    return 0


def _parameters(args: argparse.Namespace) -> int:
    settings = load(args.config)
    pack = packs_in_force(settings.rules)
    register = open_register(settings.store.register_url)
    require_current(register)
    with Session(register) as session:
        unit = adopting_unit(session, args.unit)
        names = {row.id: row.name for row in session.scalars(Unit.at())}
        rows = session.scalars(select(Parameter).order_by(Parameter.number)).all()
        found = in_force_for(session, pack, read_organisation(session, utc_now(), only=()).ancestry(unit))
    known = pack.standard.parameters
    if args.history:
        for row in rows:
            value = format_value(row.value, known[row.name].unit, "en") if row.name in known else f"{row.value:g}"
            since = "" if row.valid_from is None else f" from {row.valid_from.astimezone(LOCAL):%Y-%m-%d}"
            print(f"{row.recorded_at:%Y-%m-%d %H:%MZ}  {names.get(row.unit_id, row.unit_id)}  {row.name} = {value}"
                  f"{since}  {row.set_by}: {row.reason}")  # fmt: skip
        return 0
    for name, parameter in found.items():
        declared, by = parameter.declared, parameter.row
        low, high = (format_value(bound, declared.unit, "en") for bound in (declared.low, declared.high))
        shown = format_value(parameter.value, declared.unit, "en")
        whose = f"default ({declared.number_from})"
        if by is not None:
            since = f"{by.begins_at.astimezone(LOCAL):%Y-%m-%d}"
            whose = f"{names.get(by.unit_id, by.unit_id)}, {by.set_by} {since}: {by.reason}"
        print(f"{name:<28}{shown:<14}[{low} .. {high}]  {whose}")
        later = parameter.pending
        if later is not None:
            print(f"{'':<28}{format_value(later.value, declared.unit, 'en'):<14}from "
                  f"{later.begins_at.astimezone(LOCAL):%Y-%m-%d}  {names.get(later.unit_id, later.unit_id)}, "
                  f"{later.set_by}: {later.reason}")  # fmt: skip
    return 0


def adopting_unit(session: Session, name: str | None) -> str:
    """Give the id of a unit that holds now, or of the only one without one above.

    Raises:
        OperatorError: there is none, or the top is not one.
    """
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


def _lines(
    session: Session, pack: Pack, wanted: Mapping[str, float], sources: Mapping[str, str], found: Effect
) -> Iterator[str]:
    for name, value in wanted.items():
        unit = pack.standard.parameters[name].unit
        place = f"  ({sources[name]})" if name in sources else ""
        if name in found.values:
            old, new = (format_value(number, unit, "en") for number in found.values[name])
            yield f"  {name}: {old} -> {new}{place}"
        else:
            yield f"  {name}: {format_value(value, unit, 'en')} is in force already{place}"
    names = _names(session)
    yield from kept_lines(pack, found.kept, names)
    for change in found.changes:
        kind, subject, rule = change.key
        yield (f"{rule:<7}{kind:<9}{names.get(subject, subject)}: {change.before.state} ({change.before.reason}) -> "
               f"{change.after.state} ({change.after.reason})")  # fmt: skip
    moves = Counter((change.key[2], change.before.state, change.after.state) for change in found.changes)
    for (rule, before, after), count in sorted(moves.items()):
        yield f"  {rule}: {count} {before} -> {after}"
    yield f"{len(found.changes)} of {found.judged} verdicts change"


def kept_lines(pack: Pack, kept: tuple[Kept, ...], names: Mapping[str, str], language: str = "en") -> Iterator[str]:
    """Say which units keep a value of their own, and which of these the bounds exclude."""
    keeps, out = _KEEPS[language]
    for unit, name, value, in_bounds in kept:
        shown = format_value(value, pack.standard.parameters[name].unit, language)
        yield "  " + keeps.format(unit=names.get(unit, unit), name=name, value=shown) + ("" if in_bounds else out)


def day(text: str) -> date:
    """Read a local day; argparse says what is wrong."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-12-01") from error


def _names(session: Session) -> Mapping[str, str]:
    rows = [
        *session.execute(select(Device.id, Device.code).where(Device.holds())),
        *session.execute(select(Room.id, Room.name).where(Room.holds())),
        *session.execute(select(Unit.id, Unit.name).where(Unit.holds())),
    ]
    return {row[0]: row[1] for row in rows}
