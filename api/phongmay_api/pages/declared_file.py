"""What the page of a school's file shows: each row's effect in marketed units, each fault in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phongmay_api.access.scope import Scope
from phongmay_api.organisation.queries import external_ids
from phongmay_api.pages.declared import in_words, unit_sign
from phongmay_api.pages.district import crumbs
from phongmay_api.pages.import_words import in_language
from phongmay_api.pages.texts import Texts
from phongmay_contract.units import MBIT_PER_SECOND
from phongmay_store.register.declared import DECLARABLE
from phongmay_store.register.importing_result import Action, Change
from phongmay_store.register.importing_school import Preview
from phongmay_store.register.organisation import Unit

_RATES = ("contracted_down_bps", "contracted_up_bps")


@dataclass(frozen=True, slots=True)
class Effect:
    """What a row does: where it stands, what it is about, its action, before and after."""

    line: int
    what: str
    action: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, in the reader's language."""

    where: str
    line: int
    column: str
    value: str
    wanted: str


@dataclass(frozen=True, slots=True)
class FileView:
    """The page."""

    unit: Unit
    crumbs: Sequence[Unit]
    ids: Sequence[str]
    name: str
    mark: str
    effects: Sequence[Effect]
    faults: Sequence[Fault]
    counts: Sequence[tuple[str, int]]
    nothing_new: bool


def file_view(scope: Scope, unit: Unit, name: str, preview: Preview | None, words: Texts) -> FileView:
    """Gather the page; without a preview only the form."""
    ids = [f"{row.issuer}:{row.value}" for row in external_ids(scope, unit)]
    changes = preview.changes if preview else []
    pressing = sorted(changes, key=lambda change: change.action is Action.UNCHANGED)  # what is new or changed first
    return FileView(
        unit=unit,
        crumbs=[*crumbs(scope, unit), unit],
        ids=ids,
        name=name,
        mark=preview.mark if preview else "",
        effects=[effect for change in pressing for effect in _effects(change, words)],
        faults=[
            Fault(fault.file, fault.line, fault.column, fault.value, in_language(fault.expected, words.language))
            for fault in (preview.errors if preview else [])
        ],
        counts=[(action.value, preview.count(action)) for action in Action] if preview else [],
        nothing_new=preview.changes_nothing if preview else False,
    )


def _effects(change: Change, words: Texts) -> list[Effect]:
    """Give a line for each thing that a row says; a room's or line's row has one for each property that differs."""
    place = change.key.partition("/")[2]
    item = DECLARABLE.get(str(change.after.get("name", "")))
    if change.kind in ("declared", "baseline") and item is not None:
        where = place.rpartition("/")[0]
        what = f"{where} · {words.word('item', item.name)}" if where else words.word("item", item.name)
        value = change.after["text"] if change.after["number"] is None else change.after["number"]
        after = f"{in_words(item, value, words)} {unit_sign(item)}".rstrip()
        before = ""
        if "number" in change.differences and change.differences["number"][0] != "-":
            old = in_words(item, float(change.differences["number"][0]), words)
            before = f"{old} {unit_sign(item)}".rstrip()
        elif "text" in change.differences:
            before = in_words(item, change.differences["text"][0], words)
        elif change.action is Action.CHANGED:  # the same value, said by somebody else or on other evidence
            before, after = (f"{side} ({pair})" for side, pair in zip((after, after), _origin(change), strict=True))
        return [Effect(change.line, what, change.action.value, before, after)]
    if change.kind == "devices":
        return [Effect(change.line, words("file_new_pc", code=place), change.action.value, "", "")]
    if change.action is not Action.CHANGED:
        return [Effect(change.line, place, change.action.value, "", "")]
    return [
        Effect(
            change.line,
            f"{place} · {words.word('item', name.removesuffix('_bps'))}",
            change.action.value,
            _plain(name, old),
            _plain(name, new),
        )
        for name, (old, new) in change.differences.items()
    ]


def _origin(change: Change) -> tuple[str, str]:
    if "declared_by" in change.differences:
        return change.differences["declared_by"]
    before, after = change.differences.get("attachment_sha256", ("-", "-"))
    return before[:12], after[:12]


def _plain(name: str, text: str) -> str:
    return f"{int(text) / MBIT_PER_SECOND:g} Mbit/s" if name in _RATES and text.isdigit() else text
