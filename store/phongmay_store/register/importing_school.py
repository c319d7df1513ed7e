"""A school's own file: what it would declare is shown first, and written only if it is still the same then.

In: the bytes of one CSV, XLSX or JSON file, and the school. Out: a `Preview` with every change and every fault, and a
mark of it; `apply_school_file` takes the same bytes with that mark. Nothing is stored at the preview. Only
declarations, class sizes and contracted rates may be in the file, and only of that school.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from phongmay_store.register.importing import one_at_a_time
from phongmay_store.register.importing_columns import BASELINE, DECLARED, LINES, ROOMS, SheetKind
from phongmay_store.register.importing_files import RowError, read_payload
from phongmay_store.register.importing_plan import Plan
from phongmay_store.register.importing_result import Action, Change
from phongmay_store.register.importing_rows import Row, read_rows

MAX_BYTES = 2 * 1024**2
"""A school has some hundreds of PCs; a district's files go through the command line."""
MAX_UNPACKED_BYTES = 32 * 1024**2
"""What an XLSX may unfold to: the API serves everybody from one process."""
SCHOOL_SHEETS: Sequence[SheetKind] = (DECLARED, BASELINE, ROOMS, LINES)
_MAY_DIFFER = {
    "rooms": frozenset({"class_size"}),
    "lines": frozenset({"contracted_down_bps", "contracted_up_bps", "source_addresses"}),
}


class PreviewMoved(Exception):
    """What the file would do now is not what the preview showed; `preview` is the present one."""

    def __init__(self, preview: Preview) -> None:
        super().__init__("the register has changed since the preview; look at the new preview and confirm again")
        self.preview = preview


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file would do.

    Attributes:
        changes: one for each value that could be understood.
        errors: all faults; with any of them nothing can be applied.
        mark: stands for file, date and changes together.
    """

    changes: Sequence[Change]
    errors: Sequence[RowError]
    mark: str

    def count(self, action: Action) -> int:
        """Count changes of a kind."""
        return sum(change.action is action for change in self.changes)

    @property
    def changes_nothing(self) -> bool:
        """Everything in the file is in the register already."""
        return not self.errors and self.count(Action.UNCHANGED) == len(self.changes)


def preview_school_file(session: Session, school_id: str, name: str, payload: bytes, since: datetime) -> Preview:
    """Tell what a file would do; writes nothing.

    Args:
        session: the register.
        school_id: the one school that the file may be about.
        name: file name; its ending says what the file is.
        payload: the file.
        since: since when the content holds.
    """
    return _plan(session, school_id, name, payload, since)[0]


def apply_school_file(
    session: Session, school_id: str, name: str, payload: bytes, since: datetime, mark: str
) -> Preview:
    """Write what the preview with this mark showed; the caller commits. A second time it changes nothing.

    Raises:
        PreviewMoved: file or register are not those of the preview, or the file has faults.
    """
    one_at_a_time(session)
    preview, plan = _plan(session, school_id, name, payload, since)
    if preview.errors or (preview.mark != mark and not preview.changes_nothing):
        raise PreviewMoved(preview)
    plan.write(since, since)
    return preview


def _plan(session: Session, school_id: str, name: str, payload: bytes, since: datetime) -> tuple[Preview, Plan]:
    plan = Plan(session, sample=False, school=school_id)
    errors: list[RowError] = []
    if len(payload) > MAX_BYTES:
        errors.append(RowError(name, 0, "", "", f"has {len(payload)} bytes; at most {MAX_BYTES} are read here"))
    else:
        tables, errors = read_payload(name, payload, MAX_UNPACKED_BYTES)
        rows, faults = read_rows(tables)
        errors += faults
        if not rows and not errors:
            errors.append(RowError(name, 0, "", "", "holds no row"))
        plan.take(_allowed(rows, errors))
        errors += plan.result.errors
        errors += [error for change in plan.result.changes if (error := _beyond(change)) is not None]
    changes = plan.result.changes
    told = [
        hashlib.sha256(payload).hexdigest(), since.isoformat(), school_id,
        [
            [c.kind, c.key, c.action, sorted(c.differences.items()),
             sorted(str(pair) for pair in c.after.items() if pair[0] != "subject_id")]  # the key says what it is about
            for c in changes
        ],
    ]  # fmt: skip
    mark = hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()
    order = sorted(dict.fromkeys(errors), key=lambda error: (error.file, error.line))
    return Preview(changes, order, mark), plan


def _allowed(rows: Sequence[Row], errors: list[RowError]) -> list[Row]:
    names = {kind.name for kind in SCHOOL_SHEETS}
    refused = [row for row in rows if row.kind.name not in names]
    seen: set[str] = set()
    for row in refused:
        if row.origin not in seen:
            seen.add(row.origin)
            errors.append(
                RowError(row.origin, 0, "", "", f"is a sheet '{row.kind.name}'; here only {', '.join(sorted(names))}")
            )
    return [row for row in rows if row.kind.name in names]


def _beyond(change: Change) -> RowError | None:
    """Say that a school's file may not make or change rooms and lines otherwise."""
    may = _MAY_DIFFER.get(change.kind)
    if may is None:
        return None
    if change.action is Action.CREATED:
        return RowError(change.origin, change.line, "", change.key, "is not registered; the district registers it")
    other = sorted(change.differences.keys() - may)
    if other:
        allowed = ", ".join(sorted(may))
        return RowError(
            change.origin, change.line, "", change.key, f"{', '.join(other)} differ; only {allowed} may differ here"
        )
    return None
