"""`phongmay calendar`: enter, list, show, import and export the school calendar of an organisation unit.

In: the settings file (for the register's URL), a unit by id or issuer:value, local days, iCalendar files. Out: what was
recorded, or the expected hours of each day. Whatever cannot be taken is told in one sentence, and nothing is written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from phongmay.commands import Commands
from phongmay.settings import load
from phongmay_contract.errors import OperatorError
from phongmay_store.errors import StoreError
from phongmay_store.register.calendar import (
    CalendarEntry,
    CalendarError,
    CalendarKind,
    NewEntry,
    entries_of,
    put,
    remove,
)
from phongmay_store.register.calendar_hours import Calendar, DayPlan, Purpose
from phongmay_store.register.calendar_reading import read_calendar
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.register.failures import sentence
from phongmay_store.register.ics.importing import import_ics
from phongmay_store.register.ics.reading import Window, read_ics
from phongmay_store.register.ics.writing import write_ics
from phongmay_store.register.organisation import Unit, find_external
from phongmay_store.register.place import Room
from phongmay_store.register.timetable import DEFAULT, LOCAL, Hours, TimetableError, day_start, parse

COMMAND = "phongmay calendar"
"""Who enters something, if it is not said."""
LARGEST_FILE = 5_000_000
MOST_DAYS = 400
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SIGNS = {"created": "+", "changed": "~", "removed": "-"}


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as 2027-02-05") from None


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-11-23T10:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=LOCAL)


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("calendar", help="terms, days off, exams, shifts and made-up lessons of units")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    verb = verbs.add_parser("add", help="enter a term, day off, exam, shift or made-up lessons")
    _add_unit(verb)
    verb.add_argument("--kind", required=True, choices=[kind.value for kind in CalendarKind], help="what it is")
    verb.add_argument("--from", dest="first", required=True, type=_day, metavar="DAY", help="first day")
    verb.add_argument("--to", dest="last", type=_day, metavar="DAY",
                      help="last day, included (default: the first; a shift stays until another begins)")  # fmt: skip
    verb.add_argument("--name", default="", metavar="TEXT", help="what people call it")
    verb.add_argument("--hours", default="", metavar="HOURS",
                      help="shift: morning, afternoon, both or hours; exception: 'like Fri' or hours")  # fmt: skip
    _add_by(verb)
    verb.set_defaults(run=_add)

    verb = verbs.add_parser("remove", help="take an entry back, also for the past")
    verb.add_argument("entry", metavar="ENTRY", help="id of the entry, as 'list' prints it")
    _add_by(verb)
    verb.set_defaults(run=_remove)

    verb = verbs.add_parser("list", help="a unit's own entries, with their ids")
    _add_unit(verb)
    _add_known(verb)
    verb.set_defaults(run=_list)

    verb = verbs.add_parser("show", help="expected hours of each day, and what decided")
    _add_unit(verb)
    verb.add_argument("--from", dest="first", required=True, type=_day, metavar="DAY", help="first day")
    verb.add_argument("--to", dest="last", required=True, type=_day, metavar="DAY", help="last day, included")
    verb.add_argument("--timetable", metavar="TEXT", help="for this timetable instead of those of the unit's rooms")
    verb.add_argument("--bandwidth", action="store_true", help="hours in which a bandwidth test may run: no exams")
    _add_known(verb)
    verb.set_defaults(run=_show)

    verb = verbs.add_parser("import", help="take the events of an iCalendar file; again: only what differs")
    verb.add_argument("file", type=Path, metavar="FILE.ics", help="iCalendar file")
    _add_unit(verb)
    verb.add_argument("--kind", choices=[kind.value for kind in CalendarKind if kind is not CalendarKind.SHIFT],
                      help="what its events are; files written by 'export' say so themselves")  # fmt: skip
    verb.add_argument("--dry-run", action="store_true", help="only show what would be recorded")
    _add_by(verb)
    verb.set_defaults(run=_import)

    verb = verbs.add_parser("export", help="write a unit's own entries as an iCalendar file")
    _add_unit(verb)
    verb.add_argument("--out", type=Path, metavar="FILE.ics", help="file to write (default: standard output)")
    verb.set_defaults(run=_export)


def _add_unit(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--unit", required=True, metavar="UNIT", help="id of a unit, or its issuer:value")


def _add_by(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--by", default=COMMAND, metavar="WHO", help="login or office of who says so (default: %(default)s)"
    )


def _add_known(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--known-at", type=_instant, metavar="TIME", help="as the register knew it then (default: now)")


@contextmanager
def _register(args: argparse.Namespace) -> Iterator[Session]:
    """Open the register; what the database refuses is told in a sentence."""
    engine = open_register(load(args.config).store.register_url)
    require_current(engine)
    try:
        with Session(engine) as session:
            yield session
    except SQLAlchemyError as error:
        raise StoreError(f"register: the database refused: {sentence(error)}") from error
    finally:
        engine.dispose()


def _unit(session: Session, name: str) -> Unit:
    issuer, _, value = name.partition(":")
    found = session.scalar(select(Unit).where(Unit.id == (find_external(session, issuer, value) or name), Unit.holds()))
    if found is None:
        raise OperatorError(f"the register has no organisation unit {name!r}; give its id or its issuer:value")
    return found


def _add(args: argparse.Namespace) -> int:
    kind = CalendarKind(args.kind)
    last = args.last or (None if kind is CalendarKind.SHIFT else args.first)
    entry = NewEntry(kind, args.first, last, args.name or kind.value, args.hours)
    with _register(args) as session:
        row, _ = put(session, _unit(session, args.unit).id, entry, args.by)
        session.commit()
        print(f"+ {_line(row)}")
    return 0


def _remove(args: argparse.Namespace) -> int:
    with _register(args) as session:
        row = remove(session, args.entry, args.by)
        session.commit()
        print(f"- {_line(row)}")
    return 0


def _list(args: argparse.Namespace) -> int:
    with _register(args) as session:
        for row in entries_of(session, _unit(session, args.unit).id, args.known_at):
            print(_line(row))
    return 0


def _line(row: CalendarEntry) -> str:
    hours = f"  [{row.hours}]" if row.hours else ""
    by = f"  ({row.entered_by or 'not known by whom'}, {row.recorded_at.astimezone(LOCAL):%Y-%m-%d %H:%M})"
    return f"{row.id}  {row.kind:<9}  {row.first} .. {row.last or 'open'!s:<10}  {row.name}{hours}{by}"


def _show(args: argparse.Namespace) -> int:
    if not 0 <= (args.last - args.first).days < MOST_DAYS:
        raise OperatorError(f"from {args.first} to {args.last}: give a period of 1 to {MOST_DAYS} days")
    purpose = Purpose.BANDWIDTH_TEST if args.bandwidth else Purpose.IN_USE
    with _register(args) as session:
        unit = _unit(session, args.unit)
        calendar = read_calendar(session, unit.id, args.first, args.last, args.known_at)
        texts = [args.timetable] if args.timetable is not None else _timetables(session, unit.id, args.known_at)
        for text in texts:
            try:
                hours = calendar.cut(parse(text), purpose)
            except TimetableError as error:
                raise OperatorError(f"timetable {text!r}: {error}") from error
            print(f"{unit.name}: {text or DEFAULT}")
            for number in range((args.last - args.first).days + 1):
                print(_day_line(args.first + timedelta(days=number), calendar, hours))
        if expired := calendar.expired(args.last):
            print(f"the calendar has run out before {args.last}: {expired}", file=sys.stderr)
    return 0


def _timetables(session: Session, unit_id: str, known_at: datetime | None) -> list[str]:
    """Give the distinct timetables of a school's rooms; the default for a unit without rooms."""
    rooms = select(Room.timetable).where(Room.school_id == unit_id, Room.holds(None, known_at)).distinct()
    return sorted(session.scalars(rooms)) or [""]


def _day_line(day: date, calendar: Calendar, hours: Hours) -> str:
    begin = day_start(day)
    expected = hours.expected_seconds(begin, begin + 86400) / 3600
    spans = " ".join(f"{_clock(first)}-{_clock(after)}" for first, after in hours.on(day))
    return f"  {_DAYS[day.weekday()]} {day}  {expected:5.2f} h  {spans:<24} {_why(calendar.plan(day))}".rstrip()


def _why(plan: DayPlan) -> str:
    reasons = [f"{period.kind}: {period.name}" for period in plan.why]
    return "; ".join([*reasons, "outside of the terms"] if plan.out_of_term else reasons)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _import(args: argparse.Namespace) -> int:
    text = _read(args.file)
    kind = CalendarKind(args.kind) if args.kind else None
    content = read_ics(text, kind, args.file.name, Window.around(datetime.now(LOCAL).date()))
    counts: dict[str, int] = {}
    with _register(args) as session:
        for done in import_ics(session, _unit(session, args.unit).id, content, args.by):
            counts[done.change.value] = counts.get(done.change.value, 0) + 1
            if done.change.value in _SIGNS:
                print(f"{_SIGNS[done.change.value]} {_line(done.entry)}")
        if not args.dry_run:
            session.commit()
    print(", ".join(f"{count} {change}" for change, count in sorted(counts.items())) or "the file has no events")
    if args.dry_run:
        print("dry run: nothing was written")
    return 0


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise CalendarError(f"{path}: more than {LARGEST_FILE:,} bytes; a school calendar has a few thousand")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise CalendarError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise CalendarError(f"{path.name}: line {line}: this is not UTF-8; save the file as UTF-8") from error


def _export(args: argparse.Namespace) -> int:
    with _register(args) as session:
        unit = _unit(session, args.unit)
        content = write_ics(entries_of(session, unit.id), unit.name)
    if args.out is None:
        sys.stdout.write(content.decode())
        return 0
    try:
        args.out.write_bytes(content)
    except OSError as error:
        raise OperatorError(f"{args.out}: cannot be written ({error.strerror})") from error
    print(args.out)
    return 0
