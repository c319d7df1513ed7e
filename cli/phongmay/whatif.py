"""`phongmay rules whatif`: which verdicts another value of a parameter would change; nothing is written."""

from __future__ import annotations

import argparse
from collections import Counter

from sqlalchemy.orm import Session

from phongmay.adopting import kept_lines
from phongmay.commands import Commands
from phongmay.settings import load
from phongmay_rules.explain import sentence, state_name
from phongmay_rules.loader import packs_in_force
from phongmay_rules.standing import read_standing
from phongmay_rules.whatif import kept, read_values, what_if
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.engine import open_register, require_current


def add(verbs: Commands) -> None:
    """Declare the verb below `phongmay rules`."""
    parser = verbs.add_parser("whatif", help="which verdicts other parameters would change; writes nothing")
    parser.add_argument("--set", action="append", required=True, dest="values", metavar="NAME=VALUE",
                        help="e.g. ram_min=8GiB, reach_share_min=98%%; may be given several times")  # fmt: skip
    parser.add_argument("--unit", help="as this unit would set them, for it and what is below it: id or issuer:value")
    parser.add_argument("--all", action="store_true", help="one line for each verdict instead of a summary")
    parser.add_argument("--lang", choices=("vi", "en"), default="vi", help="language (default: %(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the changes."""
    settings = load(args.config)
    pack = packs_in_force(settings.rules)
    values = read_values(pack, args.values)
    register = open_register(settings.store.register_url)
    require_current(register)
    with Session(register) as session:
        standing = read_standing(session, pack, args.unit)
    changes = what_if(standing, values)
    names = {place.id: place.name for place in standing.organisation.units.values()}
    names |= {school.id: school.name for school in standing.schools.values()}
    for line in kept_lines(pack, kept(standing, values), names, args.lang):
        print(line)
    if args.all:
        for change in changes:
            kind, subject, rule = change.target
            name = standing.names.device(subject) if kind == SubjectKind.DEVICE else standing.names.room(subject)
            print(f"{names[change.unit_id]}  {names.get(subject, name)}  {rule}  "
                  f"{state_name(change.before.state, args.lang)} -> "
                  f"{sentence(change.after, pack.rules[rule], args.lang)}")  # fmt: skip
    counted = Counter((change.unit_id, change.target[2], change.before.state, change.after.state) for change in changes)
    for (unit, rule, before, after), count in sorted(counted.items()):
        if not args.all:
            print(f"{names[unit]}  {rule}  {state_name(before, args.lang)} -> {state_name(after, args.lang)}: {count}")
    many = "verdict" if len(changes) == 1 else "verdicts"
    word = "kết luận sẽ thay đổi; không ghi gì" if args.lang == "vi" else f"{many} would change; nothing was written"
    print(f"{len(changes)} {word}")
    return 0
