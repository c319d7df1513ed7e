"""Import of a district's units, rooms, seats, lines, devices and declared values from CSV or XLSX files.

In: files whose kind is told by their header (columns: importing_columns). Out: new rows and revisions in the register,
in the caller's transaction, and an `ImportResult`. If anything at all is wrong, every fault is in `errors` and nothing
is written. Running the same files again changes nothing. What the register has and the files do not name stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import false, text, update
from sqlalchemy.orm import Session

from phongmay_store.register.base import utc_now
from phongmay_store.register.importing_files import RowError, read_tables
from phongmay_store.register.importing_plan import Plan
from phongmay_store.register.importing_result import Action, Change, ImportResult
from phongmay_store.register.importing_rows import read_rows
from phongmay_store.register.organisation import ExternalId

__all__ = ["Action", "Change", "ImportResult", "RowError", "import_files"]


def import_files(
    session: Session,
    paths: Sequence[Path],
    *,
    since: datetime | None = None,
    sample: bool = False,
    dry_run: bool = False,
    by: str | None = None,
) -> ImportResult:
    """Import CSV and XLSX files, or directories of them.

    Args:
        session: the caller commits; nothing was written if the result has errors.
        paths: files or directories.
        since: since when the content holds in the world (aware, not in the future); None = now.
        sample: mark the units as invented, so that they are shown as sample data.
        dry_run: write nothing, only tell what would be done.
        by: account or office that hands the files in; stands with the timetables that they set. None = not known.
    """
    now = utc_now()
    if since is not None and since > now:
        raise ValueError("since lies in the future")
    tables, errors = read_tables(paths)
    rows, faults = read_rows(tables)
    one_at_a_time(session)
    plan = Plan(session, sample=sample)
    plan.take(rows)
    result = plan.result
    result.errors = [*errors, *faults, *result.errors]
    if not rows and not result.errors:
        result.errors.append(RowError(", ".join(map(str, paths)), 0, "", "", "holds no row"))
    if not result.errors and not dry_run:
        plan.write(since or now, since, by)
    return result


def one_at_a_time(session: Session) -> None:
    """Let a second writer wait for the first, so that two cannot both create the same room."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE external_id IN SHARE ROW EXCLUSIVE MODE"))
    else:
        session.execute(
            update(ExternalId).where(false()).values(value="")
        )  # takes SQLite's write lock, changes nothing
