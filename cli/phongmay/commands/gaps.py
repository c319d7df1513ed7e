"""`phongmay gaps`: what it costs to turn each failing verdict green, and which schools come first within a budget."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.orm import Session

from phongmay.commands import Commands
from phongmay.settings import load
from phongmay_contract.errors import OperatorError
from phongmay_rules.gaps.listing import GapList, make_gap_list
from phongmay_rules.gaps.prices import SAMPLE, read_prices
from phongmay_rules.gaps.sheets import workbook
from phongmay_rules.gaps.solving import LIMIT_S
from phongmay_rules.gaps.words import (
    NOT_PROVEN,
    as_of,
    first_of,
    left_above,
    left_of,
    note_text,
    place,
    school_name,
    subject_name,
    vnd,
)
from phongmay_rules.loader import packs_in_force
from phongmay_rules.standing import read_standing
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.register.timetable import LOCAL

_MOST_SECONDS = 86400.0


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("gaps", help="the priced list of what is missing")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="the cheapest set of measures, or the best within a budget")
    listing.add_argument("--unit", help="only this unit and what is below it: id or issuer:value")
    listing.add_argument("--rule", action="append", default=[], metavar="ID",
                         help="only these rules matter, one each time (default: all but recommendations)")  # fmt: skip
    listing.add_argument("--prices", type=Path, metavar="FILE", help="price file (default: the shipped sample prices)")
    listing.add_argument("--budget", type=int, metavar="VND",
                         help="spend at most so much: first the most schools, then the most verdicts")  # fmt: skip
    listing.add_argument("--seconds", type=float, default=LIMIT_S, metavar="N",
                         help="the solver may take so long in all (default: %(default)g)")  # fmt: skip
    listing.add_argument("--xlsx", type=Path, metavar="FILE", help="also write a workbook for the finance office")
    listing.add_argument("--lang", choices=("vi", "en"), default="vi", help="language (default: %(default)s)")
    listing.set_defaults(run=_list)
    sample = verbs.add_parser("sample-prices", help="print the sample price file, to be filled with quotations")
    sample.set_defaults(run=_sample)


def _sample(args: argparse.Namespace) -> int:
    print(SAMPLE.read_text("utf-8"), end="")
    return 0


def _list(args: argparse.Namespace) -> int:
    if args.budget is not None and args.budget < 0:
        raise OperatorError(f"--budget is {args.budget}; expected whole VND, 0 or more")
    if not 0 < args.seconds <= _MOST_SECONDS:
        raise OperatorError(f"--seconds is {args.seconds:g}; expected more than 0 and at most {_MOST_SECONDS:g}")
    settings = load(args.config)
    pack = packs_in_force(settings.rules)
    for rule in args.rule:
        if rule not in pack.rules:
            raise OperatorError(f"pack {pack.id} has no rule {rule!r}; it has {', '.join(sorted(pack.rules))}")
    prices = read_prices(args.prices or SAMPLE)
    register = open_register(settings.store.register_url)
    require_current(register)
    with Session(register) as session:
        standing = read_standing(session, pack, args.unit)
    found = make_gap_list(standing, prices, budget=args.budget, only=frozenset(args.rule), limit_s=args.seconds)
    stale = prices.staleness(standing.at.astimezone(LOCAL).date())
    if stale:
        print(f"warning: {stale}", file=sys.stderr)
    for line in _lines(found, args.lang):
        print(line)
    if args.xlsx:
        try:
            args.xlsx.write_bytes(workbook(found))
        except OSError as error:
            raise OperatorError(f"{args.xlsx}: cannot be written ({error.strerror}); name another file") from error
    return 1 if found.broken else 0


def _lines(found: GapList, language: str) -> Iterator[str]:
    vi = language == "vi"
    source = found.prices.source.in_(language)
    yield (f"Số liệu tính đến {as_of(found)}; giá ngày {found.prices.dated:%d/%m/%Y} ({source})" if vi
           else f"As of {as_of(found)}; prices of {found.prices.dated:%d/%m/%Y} ({source})")  # fmt: skip
    for school in found.schools:
        name = school_name(found, school.school_id)
        yield (f"\n{name}: {school.red} không đạt, {school.green} sẽ đạt, {len(school.unknown)} chưa rõ; "
               f"{vnd(school.cost)}" if vi
               else f"\n{name}: {school.red} fail, {school.green} mended, {len(school.unknown)} unknown; "
               f"{vnd(school.cost)}")  # fmt: skip
        for line in found.lines:
            if line.school_id == school.school_id:
                note = note_text(line, language)
                yield (f"  {place(found, line) or name}: {line.count} × {line.line.item.name.in_(language)} = "
                       f"{vnd(line.cost)} [{', '.join(line.mends)}]{' (' + note + ')' if note else ''}")  # fmt: skip
        for left in left_of(found, school, language):
            word = "còn không đạt" if vi else "stays red"
            yield f"  {word}: {len(left.subjects)} × {left.rule} {left.title}: {left.why}"
        for first in first_of(found, school, language):
            word = "cần đo, khai báo trước" if vi else "measure or declare first"
            yield f"  {word}: {first.count} × {first.rule} {first.title} ({first.why}); {first.who}"
        for target in school.errors:
            word = "tham số ngoài giới hạn" if vi else "parameter out of bounds"
            yield f"  {word}: {subject_name(found, target)} {target[2]}"
    for left in left_above(found, language):
        word = "còn không đạt" if vi else "stays red"
        yield f"\n{', '.join(left.subjects)}: {word}: {left.rule} {left.title}: {left.why}"
    for unit in sorted(found.standing.never_judged):
        word = "chưa đánh giá lần nào" if vi else "never evaluated; run 'phongmay rules run'"
        yield f"\n{school_name(found, unit)}: {word}"
    complete = sum(school.is_complete for school in found.schools)
    green, red = sum(school.green for school in found.schools), sum(school.red for school in found.schools)
    budget = "" if found.budget is None else (" / " + vnd(found.budget))
    yield (f"\nTổng cộng {vnd(found.cost)}{budget}; {complete}/{len(found.schools)} trường xử lý hết phần phải chi "
           f"tiền, {green}/{red} tiêu chí sẽ đạt" if vi
           else f"\nTotal {vnd(found.cost)}{budget}; {complete} of {len(found.schools)} schools with nothing left "
           f"that money mends, {green} of {red} failing verdicts mended")  # fmt: skip
    if not found.is_proven:
        yield NOT_PROVEN[not vi]
    yield (f"Xét lại bằng chính các tiêu chí: {green} đạt, {len(found.undecided)} còn chưa rõ, {len(found.broken)} sai"
           if vi else f"Judged again by the very rules: {green} pass, {len(found.undecided)} still unknown, "
           f"{len(found.broken)} wrong")  # fmt: skip
    for target in found.broken:
        yield f"  ! {subject_name(found, target)} {target[2]}"
