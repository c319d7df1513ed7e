"""What may be declared of a thing, what is declared now and was before, and how a person's word becomes a declaration.

In: texts as a person writes them, in the unit of the item. Out: `Declared` rows, revised and never overwritten. Class
sizes, contracted rates and source addresses live in rooms and lines; here they are declared like the rest: the column
is revised, and a `Declared` row beside it says who said so, since when and on what evidence. The caller commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_contract.units import MBIT_PER_SECOND
from phongmay_store.register.addresses import LONGEST_TEXT
from phongmay_store.register.base import Versioned, new_id, utc_now
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.declared import DECLARABLE, Declarable, Declared
from phongmay_store.register.importing import one_at_a_time
from phongmay_store.register.importing_declared import read_value
from phongmay_store.register.importing_numbers import exact
from phongmay_store.register.place import Line, Room

LINE = "line"
"""Kind of the one subject that has declarations but no verdicts."""
CLEAR = "-"
"""Takes a declaration back, as in import files."""
MAX_TEXT = 200
_COLUMNS: Mapping[str, tuple[type[Room] | type[Line], str]] = {
    "class_size": (Room, "class_size"),
    "contracted_down": (Line, "contracted_down_bps"),
    "contracted_up": (Line, "contracted_up_bps"),
    "source_addresses": (Line, "source_addresses"),
}
"""Items whose value is a column of the thing itself."""
ITEMS: Mapping[str, Sequence[Declarable]] = {
    SubjectKind.SCHOOL: [kind for kind in DECLARABLE.values() if kind.subject == SubjectKind.SCHOOL],
    LINE: [
        Declarable("contracted_down", LINE, "Mbit/s", MBIT_PER_SECOND, 0.1, 1_000_000),
        Declarable("contracted_up", LINE, "Mbit/s", MBIT_PER_SECOND, 0.1, 1_000_000),
        Declarable("source_addresses", LINE, "IP"),
    ],
    SubjectKind.ROOM: [
        Declarable("class_size", SubjectKind.ROOM, "", 1, 1, 200),
        *(kind for kind in DECLARABLE.values() if kind.subject == SubjectKind.ROOM),
    ],
    SubjectKind.DEVICE: [kind for kind in DECLARABLE.values() if kind.subject == SubjectKind.DEVICE],
    SubjectKind.DISTRICT: [kind for kind in DECLARABLE.values() if kind.subject == SubjectKind.DISTRICT],
}
"""What may be declared, by kind of subject."""


@dataclass(frozen=True, slots=True)
class Said:
    """What is declared of an item.

    Attributes:
        value: in base units.
        by: function or office, "" = only the register's own files say so.
        row_id: of the `Declared` row; None = there is only the column.
    """

    value: float | str
    since: datetime
    recorded_at: datetime
    by: str
    attachment_sha256: str
    row_id: int | None


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to declare of one item.

    Attributes:
        text: value as a person writes it; `CLEAR` takes the declaration back; None = only evidence is added.
        by: function or office.
        since: since when it is so.
        attachment_sha256: "" = as before if the value stays, else none.
    """

    kind: Declarable
    text: str | None
    by: str
    since: datetime
    attachment_sha256: str = ""


def longest_text(kind: Declarable) -> int:
    """Give how many characters a value may have as a person writes it."""
    return LONGEST_TEXT if kind.unit == "IP" else MAX_TEXT


def understood(kind: Declarable, text: str) -> tuple[float | str | None, str]:
    """Read a value as a person writes it.

    Returns:
        The value in base units and "", or None and what was expected instead.
    """
    text = " ".join(text.split())
    if kind.is_text and len(text) > (longest := longest_text(kind)):
        return None, f"expected at most {longest} characters"
    if not text:
        return None, "is empty"
    item = read_value("value", kind, text)
    return (None, item.problem) if item.problem else (item.text if item.number is None else item.number, "")


def written(kind: Declarable, value: float | str) -> str:
    """Write a value in the unit in which a person declares it: 8, 52.5, yes."""
    if isinstance(value, str):
        return value
    if kind.unit == "yes/no":
        return "yes" if value else "no"
    number = Decimal(str(value)) / kind.factor
    return exact(f"{number.normalize():f}")


def declared_now(session: Session, things: Iterable[Versioned], kind: str) -> dict[str, dict[str, Said]]:
    """Give what is declared now of things of one kind, by id and item.

    Args:
        session: the register.
        things: present rows of devices, rooms, lines or units, all of one kind.
        kind: that kind.
    """
    rows = {thing.id: thing for thing in things}
    out: dict[str, dict[str, Said]] = {name: {} for name in rows}
    statement = Declared.at().where(Declared.subject_kind == str(kind), Declared.subject_id.in_(rows))
    for row in session.scalars(statement.order_by(Declared.row_id)):
        out[row.subject_id][row.name] = said(row)
    for item in ITEMS[kind]:
        if item.name not in _COLUMNS:
            continue
        for name, thing in rows.items():
            value = getattr(thing, _COLUMNS[item.name][1])
            beside = out[name].pop(item.name, None)
            if value in (None, ""):
                continue
            known = beside is not None and beside.value == value  # an import may have changed the column since
            out[name][item.name] = (
                beside if known and beside else Said(value, thing.valid_from, thing.recorded_at, "", "", None)
            )
    return out


def said(row: Declared) -> Said:
    """Give a row as what was said."""
    return Said(row.value, row.valid_from, row.recorded_at, row.declared_by, row.attachment_sha256, row.row_id)


def history(session: Session, kind: str, subject_id: str) -> Sequence[Declared]:
    """Give every version of every declaration of a thing, newest knowledge first."""
    statement = select(Declared).where(Declared.subject_kind == str(kind), Declared.subject_id == subject_id)
    return session.scalars(statement.order_by(Declared.recorded_at.desc(), Declared.row_id.desc())).all()


def declare(session: Session, school_id: str, thing: Versioned, wishes: Sequence[Wish]) -> int:
    """Write declarations of one thing; texts must have been `understood` before.

    Args:
        session: the caller commits.
        school_id: school that the thing belongs to.
        thing: present row of the device, room, line or unit.
        wishes: what to declare.

    Returns:
        How many items are different now.
    """
    one_at_a_time(session)
    return sum(_declare(session, school_id, thing, wish) for wish in wishes)


def _declare(session: Session, school_id: str, thing: Versioned, wish: Wish) -> bool:
    name = wish.kind.name
    present = declared_now(session, [thing], wish.kind.subject)[thing.id].get(name)
    value: float | str | None = None
    if wish.text is None:
        if present is None:
            return False
        value = present.value
    elif wish.text.strip() != CLEAR:
        value, problem = understood(wish.kind, wish.text)
        if value is None:
            raise ValueError(f"{name}: {problem}")
    changed = False
    if name in _COLUMNS:
        column = _COLUMNS[name][1]
        nothing = "" if wish.kind.is_text else None
        whole = nothing if value is None else value if isinstance(value, str) else int(value)
        changed = thing.revise(session, {column: whole}, since=wish.since) is not None
    last = session.scalars(
        select(Declared)
        .where(Declared.subject_kind == str(wish.kind.subject), Declared.subject_id == thing.id,
               Declared.name == name, Declared.superseded_at.is_(None))
        .order_by(Declared.valid_from.desc())
    ).first()  # fmt: skip
    if value is None:
        return (last is not None and _take_back(session, last, wish.since)) or changed
    same = present is not None and present.value == value
    kept = present.attachment_sha256 if same and present is not None else ""
    content: dict[str, Any] = {
        "number": None if isinstance(value, str) else float(value), "text": value if isinstance(value, str) else "",
        "declared_by": wish.by, "attachment_sha256": wish.attachment_sha256 or kept,
    }  # fmt: skip
    fixed: dict[str, Any] = {
        "school_id": school_id, "subject_kind": str(wish.kind.subject), "subject_id": thing.id, "name": name,
    }  # fmt: skip
    if last is None:
        session.add(Declared(id=new_id("dc"), valid_from=wish.since, **fixed, **content))
        return True
    if last.valid_to is None:
        return last.revise(session, content, since=wish.since) is not None or changed
    if wish.since < last.valid_to:  # it was taken back; now it is known to have held before that too
        last.revise(session, content, since=wish.since)
    session.add(Declared(id=last.id, valid_from=max(wish.since, last.valid_to), **fixed, **content))
    return True


def _take_back(session: Session, last: Declared, since: datetime) -> bool:
    """End a declaration: what was known of the time before `since` stays, nothing is declared after it."""
    now = utc_now()
    found = False
    statement = select(Declared).where(Declared.id == last.id, Declared.superseded_at.is_(None))
    for row in session.scalars(statement).all():
        if row.valid_to is not None and row.valid_to <= since:
            continue
        found, row.superseded_at = True, now
        if row.valid_from < since:
            session.add(
                Declared(id=row.id, valid_from=row.valid_from, valid_to=since, recorded_at=now, **row.properties())
            )
    return found
