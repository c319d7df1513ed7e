"""What the page of declared facts shows: one subject's items with both sides, and where in the school they differ.

In: scope, school, chosen subject, what was just submitted. Out: values for the template. `filled_in` reads a form: it
gives wishes for the register, or the faults that stand beside the fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from phongmay_api.access.permissions import Permission
from phongmay_api.access.scope import Scope
from phongmay_api.attachments import queries as attachments
from phongmay_api.declared import queries
from phongmay_api.declared.queries import BothSides
from phongmay_api.pages.district import crumbs
from phongmay_api.pages.texts import Texts
from phongmay_api.problems import not_found
from phongmay_rules.facts.declared import MEASURED_AS
from phongmay_store.register.attachment import Attachment
from phongmay_store.register.base import Versioned
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.declared import Declarable, Declared
from phongmay_store.register.declaring import CLEAR, LINE, Wish, history, longest_text, understood, written
from phongmay_store.register.device import Device, DeviceKind, DeviceState
from phongmay_store.register.importing_declared import WHOLE, read_day
from phongmay_store.register.organisation import Unit, UnitKind
from phongmay_store.register.place import Line, Room

_PCS = (DeviceKind.PC, DeviceKind.TEACHER_PC)


@dataclass(frozen=True, slots=True)
class Choice:
    """A subject that one may declare for: its address, name, how much is declared, how much differs."""

    key: str
    name: str
    count: int
    total: int
    differing: int


@dataclass(frozen=True, slots=True)
class Former:
    """One version of a declaration."""

    row: Declared
    value: str


@dataclass(frozen=True, slots=True)
class Field:
    """An item as the form shows it.

    Attributes:
        shown: what was declared when the form was made, as it stands in the field ("" = nothing).
        entered: what stands in the field.
        hash_only: hash of evidence that the school did not hand in here.
        error: sentence beside the field, "" = none.
        longest: characters that it takes.
    """

    sides: BothSides
    label: str
    unit: str
    shown: str
    present: str
    measured: str
    can_be_measured: bool
    entered: str
    ticked: bool
    link: str
    hash_only: str
    former: Sequence[Former]
    error: str
    longest: int


@dataclass(frozen=True, slots=True)
class DeclaredView:
    """The page.

    Attributes:
        path: address of the unit's own page.
        is_school: otherwise it is a unit above schools, which declares about itself only.
    """

    unit: Unit
    path: str
    is_school: bool
    crumbs: Sequence[Unit]
    key: str
    name: str
    groups: Sequence[tuple[str, Sequence[Choice]]]
    differing: Sequence[tuple[Choice, str, str, str]]
    fields: Sequence[Field]
    may_declare: bool
    sample: bool
    form: Mapping[str, str]
    errors: Mapping[str, str]


@dataclass(slots=True)
class Filled:
    """A form that was read: wishes, faults by field, and items that evidence alone goes to."""

    wishes: list[Wish] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)


def path_of(unit: Unit) -> str:
    """Give the address of a unit's own page."""
    return f"/{'schools' if unit.kind == UnitKind.SCHOOL else 'units'}/{unit.id}"


def in_words(kind: Declarable, value: float | str, words: Texts) -> str:
    """Write a value in its marketed unit, with the decimal sign of the language, a day as people write it."""
    text = written(kind, value)
    if kind.unit == "date" and words.language == "vi" and (day := read_day(text)):
        return f"{day:%d/%m/%Y}"
    if kind.unit == "yes/no":
        return words("declared_yes") if text == "yes" else words("declared_no")
    return text if isinstance(value, str) or words.language == "en" else text.replace(".", ",")


def unit_sign(kind: Declarable) -> str:
    """Give the unit behind a value; yes/no and words have none."""
    return {"m2": "m²", "yes/no": "", "text": "", "date": "", "IP": ""}.get(kind.unit, kind.unit)


def filled_in(form: Mapping[str, str], sides: Sequence[BothSides], words: Texts, *, with_file: bool) -> Filled:
    """Read a form.

    Args:
        form: the fields by name.
        sides: the items as they are now.
        words: the language of the sentences.
        with_file: a file was sent with it.
    """
    out = Filled()
    by = " ".join(form.get("declared_by", "").split())
    since = queries.since_when(form.get("since", ""))
    for line in sides:
        name = line.kind.name
        text, shown = (" ".join(form.get(f"{part}-{name}", "").split()) for part in ("v", "was"))
        ticked = with_file and f"attach-{name}" in form
        if f"v-{name}" not in form or (text == shown and not ticked):
            continue
        now = None if line.said is None else line.said.value
        before = understood(line.kind, shown)[0] if shown else None
        if before != now:
            value = words("declared_nothing") if now is None else in_words(line.kind, now, words)
            out.errors[name] = words("declared_moved", value=value)
        elif text and understood(line.kind, text)[1] and text != shown:
            out.errors[name] = expectation(line.kind, words)
        elif not text and ticked:
            out.errors[name] = words("declared_wants_value")
        elif since is not None:
            wanted = None if text == shown else text or CLEAR
            out.wishes.append(Wish(line.kind, wanted, by, since))
    if with_file and not out.wishes and not out.errors:
        out.errors["file"] = words("declared_wants_item")
    if (out.wishes or out.errors or since is None) and form:
        if not 0 < len(by) <= queries.MAX_BY:
            out.errors["declared_by"] = words("declared_wants_by")
        if since is None:
            out.errors["since"] = words("declared_wants_day")
    return out


def expectation(kind: Declarable, words: Texts) -> str:
    """Say what an item takes."""
    if kind.unit == "date":
        return words("declared_wants_past_date" if kind.is_past else "declared_wants_date")
    if kind.unit == "IP":
        return words("declared_wants_addresses")
    if kind.is_text:
        return words("declared_wants_text")
    if kind.unit == "yes/no":
        return words("declared_wants_yes_no")
    low, high = f"{kind.low:g}", f"{kind.high:.0f}"
    if words.language == "vi":
        low = low.replace(".", ",")
    if kind.name in WHOLE:
        return words("declared_wants_whole", low=low, high=high)
    return words("declared_wants_number", low=low, high=high, unit=unit_sign(kind)).rstrip()


def declared_view(
    scope: Scope,
    unit: Unit,
    kind: str,
    row: Versioned,
    words: Texts,
    form: Mapping[str, str],
    errors: Mapping[str, str],
) -> DeclaredView:
    """Gather the page.

    Args:
        scope: who asks.
        unit: the school, or a unit above schools.
        kind: kind of the chosen subject.
        row: the chosen subject.
        words: the language.
        form: what was submitted and could not be stored, {} = nothing.
        errors: sentences by field.
    """
    groups, both = _choices(scope, unit, words)
    key = f"{kind}:{row.id}"
    if key not in both:
        raise not_found("subject of this school")
    past: dict[str, list[Former]] = {}
    for old in history(scope.session, kind, row.id):
        item = next((line.kind for line in both[key] if line.kind.name == old.name), None)
        if item is not None:
            past.setdefault(old.name, []).append(Former(old, in_words(item, old.value, words)))
    files = {found.sha256 for found in scope.session.scalars(scope.select(Attachment, [unit.id]))}
    found = [(choice, line) for _, choices in groups for choice in choices for line in both[choice.key]]
    return DeclaredView(
        unit=unit,
        path=path_of(unit),
        is_school=unit.kind == UnitKind.SCHOOL,
        crumbs=[*crumbs(scope, unit), unit],
        key=key,
        name=next(choice.name for _, choices in groups for choice in choices if choice.key == key),
        groups=groups,
        differing=[
            (choice, words.word("item", line.kind.name), _amount(line, words, declared=True), _amount(line, words))
            for choice, line in found
            if line.disagrees
        ],
        fields=[_field(line, unit, words, past, files, form, errors) for line in both[key]],
        may_declare=scope.may(Permission.DECLARE, unit.id),
        sample=unit.is_sample,
        form=form,
        errors=errors,
    )


def _choices(
    scope: Scope, unit: Unit, words: Texts
) -> tuple[list[tuple[str, Sequence[Choice]]], dict[str, list[BothSides]]]:
    """Give every subject of a school in groups, and its items."""
    both: dict[str, list[BothSides]] = {}

    def choices(kind: str, rows: Sequence[tuple[Versioned, str]]) -> list[Choice]:
        found = queries.sheets(scope, unit.id, kind, [row for row, _ in rows])
        out = []
        for row, name in rows:
            lines = both[f"{kind}:{row.id}"] = found[row.id]
            count = sum(line.said is not None for line in lines)
            out.append(Choice(f"{kind}:{row.id}", name, count, len(lines), sum(bool(x.disagrees) for x in lines)))
        return out

    if unit.kind != UnitKind.SCHOOL:
        itself = words("declared_unit_itself")
        return [(itself, choices(SubjectKind.DISTRICT, [(unit, itself)]))], both
    rooms = scope.session.scalars(scope.select(Room, [unit.id]).order_by(Room.kind, Room.name)).all()
    lines = scope.session.scalars(scope.select(Line, [unit.id]).order_by(Line.name)).all()
    stock = scope.session.scalars(
        scope.select(Device, [unit.id])
        .where(Device.state != DeviceState.RETIRED, Device.kind.in_(_PCS))
        .order_by(Device.code)
    ).all()
    devices = {choice.key: choice for choice in choices(SubjectKind.DEVICE, [(row, row.code) for row in stock])}
    groups: list[tuple[str, Sequence[Choice]]] = [
        (words("declared_school_itself"), choices(SubjectKind.SCHOOL, [(unit, words("declared_school_itself"))])),
        (words("declared_lines"), choices(LINE, [(row, row.name) for row in lines])),
        (words("declared_rooms"), choices(SubjectKind.ROOM, [(row, row.name) for row in rooms])),
    ]
    known = {room.id: room.name for room in rooms}
    for room_id, name in [*known.items(), (None, words("declared_loose"))]:
        inside = [row for row in stock if (row.room_id if row.room_id in known else None) == room_id]
        groups.append((name, [devices[f"{SubjectKind.DEVICE}:{row.id}"] for row in inside]))
    return [group for group in groups if group[1]], both


def _amount(line: BothSides, words: Texts, *, declared: bool = False) -> str:
    side = line.said if declared else line.measured
    return "" if side is None else f"{in_words(line.kind, side.value, words)} {unit_sign(line.kind)}".rstrip()


def _field(
    line: BothSides,
    unit: Unit,
    words: Texts,
    past: Mapping[str, Sequence[Former]],
    files: set[str],
    form: Mapping[str, str],
    errors: Mapping[str, str],
) -> Field:
    name = line.kind.name
    shown = "" if line.said is None else in_words(line.kind, line.said.value, words)
    evidence = line.said.attachment_sha256 if line.said else ""
    return Field(
        sides=line,
        label=words.word("item", name),
        unit=unit_sign(line.kind),
        shown=shown,
        present=_amount(line, words, declared=True),
        measured=_amount(line, words),
        can_be_measured=name in MEASURED_AS,
        entered=form.get(f"v-{name}", shown),
        ticked=f"attach-{name}" in form,
        link=attachments.link(unit.id, evidence) if evidence in files else "",
        hash_only=evidence if evidence not in files else "",
        former=past.get(name, []),
        error=errors.get(name, ""),
        longest=longest_text(line.kind),
    )
