"""`phongmay deadletters`: messages that the collector refused, with the reason and the payload."""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from datetime import datetime

from phongmay.commands import Commands
from phongmay.settings import load
from phongmay_contract.errors import OperatorError
from phongmay_store.register.timetable import LOCAL
from phongmay_store.series import open_reader
from phongmay_store.series.interface import DeadLetter


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("deadletters", help="messages that were refused")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="one line a message, oldest first")
    listing.add_argument("--after", type=int, default=0, metavar="ID", help="only those behind this id")
    listing.add_argument("--limit", type=int, default=100, help="at most so many (default: %(default)s)")
    listing.set_defaults(run=_list)
    showing = verbs.add_parser("show", help="one message whole")
    showing.add_argument("id", type=int, metavar="ID", help="number in the list")
    showing.set_defaults(run=_show)


def _list(args: argparse.Namespace) -> int:
    with closing(open_reader(load(args.config).store)) as series:
        letters = series.dead_letters(limit=max(args.limit, 0), after=args.after)
    for letter in letters:
        print(f"{letter.id:>6}  {_when(letter)}  {letter.reason:<16} {_plain(letter.topic)}  {_plain(letter.detail)}")
    if not letters:
        print("no dead letters")
    return 0


def _show(args: argparse.Namespace) -> int:
    with closing(open_reader(load(args.config).store)) as series:
        letters = [letter for letter in series.dead_letters(limit=1, after=args.id - 1) if letter.id == args.id]
    if not letters:
        raise OperatorError(f"there is no dead letter {args.id}; 'phongmay deadletters list' shows those that are kept")
    (letter,) = letters
    print(f"id       {letter.id}\nreceived {_when(letter)}\ntopic    {_plain(letter.topic)}")
    print(f"reason   {letter.reason}: {_plain(letter.detail)}\nbytes    {len(letter.payload)}\n")
    print(_payload(letter.payload))
    return 0


def _when(letter: DeadLetter) -> str:
    return datetime.fromtimestamp(letter.received, LOCAL).isoformat(" ", "seconds")


def _payload(payload: bytes) -> str:
    """Give JSON indented, anything else as text in which no byte can drive the terminal."""
    try:
        return json.dumps(json.loads(payload), ensure_ascii=True, indent=1)
    except (ValueError, RecursionError):
        return _plain(payload.decode("utf-8", "backslashreplace"))


def _plain(text: str) -> str:
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
