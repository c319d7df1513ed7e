"""`phongmay tables`: the tables that came with the program and rot, and how long they may be used.

Out: a line a table. Exit code 1 when one has run out or soon will, so that a timer can tell somebody.
"""

from __future__ import annotations

import argparse
from datetime import date, datetime

from phongmay.commands import Commands
from phongmay_contract.errors import OperatorError
from phongmay_rules.tables import shipped_tables, warnings
from phongmay_store.register.timetable import LOCAL
from phongmay_store.shipped import WARN_DAYS


def add(commands: Commands) -> None:
    """Declare the verb."""
    verb = commands.add_parser(
        "tables", help="tables that run out (support dates, public holidays, prices), with their ends"
    )
    verb.add_argument("--days", type=int, default=WARN_DAYS, metavar="N",
                      help="warn so many days before the end (default: %(default)s)")  # fmt: skip
    verb.add_argument("--on", metavar="DAY", help="as of this day (default: today)")
    verb.set_defaults(run=_tables)


def _tables(args: argparse.Namespace) -> int:
    today = _day(args.on)
    for table in shipped_tables():
        print(f"{table.name:<28}{table.validity(today, args.days):<11}valid until {table.valid_until}, "
              f"checked {table.checked}, {table.file}")  # fmt: skip
    told = warnings(today, args.days)
    for sentence in told:
        print(sentence)
    return 1 if told else 0


def _day(text: str | None) -> date:
    try:
        return date.fromisoformat(text) if text else datetime.now(LOCAL).date()
    except ValueError:
        raise OperatorError(f"--on {text!r} is not a day such as 2027-02-05") from None
