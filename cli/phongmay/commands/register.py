"""`phongmay register`: tables to the present revision, import of a district's files, and empty files to fill in.

In: the settings file (for the register's URL) and files. Out: a preview or a report on stdout. Faults of import files
are listed, all of them, on stderr; nothing is written then and the exit code is 2.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from phongmay.commands import Commands
from phongmay.settings import load
from phongmay_contract.errors import OperatorError
from phongmay_store.errors import StoreError
from phongmay_store.register.base import utc_now
from phongmay_store.register.engine import migrate, open_register, require_current
from phongmay_store.register.failures import sentence
from phongmay_store.register.importing import Action, ImportResult, import_files
from phongmay_store.register.importing_columns import SHEETS, moment
from phongmay_store.register.importing_template import write_csv_templates, write_xlsx_template

_SIGNS = {Action.CREATED: "+", Action.CHANGED: "~"}
_COMMAND = "phongmay register import"


def add(commands: Commands) -> None:
    """Declare the verb."""
    verb = commands.add_parser("register", help="the register of organisations, rooms, seats and devices")
    actions = verb.add_subparsers(required=True, metavar="ACTION")

    action = actions.add_parser("migrate", help="bring the tables to the present revision")
    action.set_defaults(run=_migrate)

    action = actions.add_parser(
        "import", help="import units, rooms, seats, lines, devices and declared values from CSV, XLSX or JSON"
    )
    action.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="CSV or XLSX file, a directory of them, or a JSON list of PCs",
    )
    action.add_argument("--dry-run", action="store_true", help="only show what would be created and changed")
    action.add_argument(
        "--since", metavar="DATE", help="since when the content holds in the world, e.g. 2026-09-05 (default: now)"
    )
    action.add_argument(
        "--by", default=_COMMAND, metavar="WHO", help="login or office that hands the files in (default: %(default)s)"
    )
    action.add_argument("--sample", action="store_true", help="mark the units as invented sample data")
    action.set_defaults(run=_import)

    action = actions.add_parser("template", help="write empty import files with their columns explained")
    action.add_argument("folder", type=Path, metavar="DIR", help="existing directory")
    action.add_argument("--xlsx", action="store_true", help="one XLSX workbook instead of CSV files")
    action.set_defaults(run=_template)


def _migrate(args: argparse.Namespace) -> int:
    engine = open_register(load(args.config).store.register_url)
    migrate(engine)
    print(f"register {engine.url.render_as_string(hide_password=True)} is at the present revision")
    return 0


def _import(args: argparse.Namespace) -> int:
    since = None if args.since is None else _since(args.since)
    engine = open_register(load(args.config).store.register_url)
    require_current(engine)
    try:
        with Session(engine) as session:
            result = import_files(
                session, args.paths, since=since, sample=args.sample, dry_run=args.dry_run, by=args.by
            )
            if not args.dry_run and not result.errors:
                session.commit()
    except SQLAlchemyError as error:
        raise StoreError(f"register: nothing was imported, the database refused: {sentence(error)}") from error
    if result.errors:
        for fault in result.errors:
            print(fault, file=sys.stderr)
        raise OperatorError(
            f"nothing was imported: {len(result.errors)} fault(s), listed above; mend them and try again"
        )
    _report(result, dry_run=args.dry_run)
    return 0


def _since(text: str) -> datetime:
    try:
        since = moment(text)
    except ValueError:
        raise OperatorError(
            f"--since {text!r} is not a date such as 2026-09-05 or a time such as 2026-09-05T07:00:00+07:00"
        ) from None
    if since > utc_now():
        raise OperatorError(f"--since {text} lies in the future; import the files when that day has come")
    return since


def _report(result: ImportResult, *, dry_run: bool) -> None:
    for change in result.changes:
        if change.action is not Action.UNCHANGED:
            details = "; ".join(f"{name}: {old} -> {new}" for name, (old, new) in change.differences.items())
            print(f"{_SIGNS[change.action]} {change.kind} {change.key}" + (f"  ({details})" if details else ""))
    print(f"{'':10}{'created':>10}{'changed':>10}{'unchanged':>10}{'kept':>10}")
    for kind in SHEETS:
        counts = [n.get(kind.name, 0) for n in (result.created, result.changed, result.unchanged, result.kept)]
        if any(counts):
            print(f"{kind.name:10}" + "".join(f"{count:>10}" for count in counts))
    if result.kept:
        print("kept = the register has them and the files do not name them; an import never removes anything")
    if dry_run:
        print("dry run: nothing was written")


def _template(args: argparse.Namespace) -> int:
    write = write_xlsx_template if args.xlsx else write_csv_templates
    for path in write(args.folder):
        print(path)
    return 0
