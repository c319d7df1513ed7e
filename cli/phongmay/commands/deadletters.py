"""`phongmay deadletters`: messages that the collector refused, with the reason and the payload."""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from datetime import datetime

from phongmay.commands import Commands
from phongmay.replaying import replay
from phongmay.settings import load
from phongmay_contract.errors import OperatorError
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.register.timetable import LOCAL
from phongmay_store.series import open_reader, open_writer
from phongmay_store.series.interface import DeadLetter

_MOST = 100_000


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
    again = verbs.add_parser(
        "replay", help="send messages through the intake again: after an upgrade or a registration"
    )
    again.add_argument("ids", type=int, nargs="*", metavar="ID", help="numbers in the list")
    again.add_argument("--reason", default="", help="all that were refused for this reason, e.g. unknown_device")
    again.add_argument("--all", action="store_true", help="all that are kept")
    again.set_defaults(run=_replay)


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


def _replay(args: argparse.Namespace) -> int:
    if not (args.ids or args.reason or args.all):
        raise OperatorError("which dead letters? give numbers of 'phongmay deadletters list', --reason or --all")
    settings = load(args.config)
    engine = open_register(settings.store.register_url)
    require_current(engine)
    with closing(open_writer(settings.store)) as series:
        letters = [
            one
            for one in series.dead_letters(limit=_MOST)
            if args.all or one.id in args.ids or (args.reason and one.reason == args.reason)
        ]
        missing = set(args.ids) - {one.id for one in letters}
        if missing:
            raise OperatorError(
                f"there is no dead letter {min(missing)}; 'phongmay deadletters list' shows those that are kept"
            )
        stored = refused = 0
        for found in replay(letters, series, engine):
            stored, refused = stored + found.stored, refused + bool(found.refused)
            said = f"stored {found.stored}, known already {found.known}"
            print(f"{found.letter.id:>6}  {said}" + (f", refused {_plain(found.refused)}" if found.refused else ""))
    print(f"{len(letters)} sent again: {stored} envelopes stored, {refused} letters still refused")
    return 1 if refused else 0


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
