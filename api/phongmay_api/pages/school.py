"""What the school page shows: causes to mend first, shares, rooms as grids of seats, evidence of one subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from phongmay_api.access.scope import Scope
from phongmay_api.compliance.queries import Group, UnitShares, shares_of
from phongmay_api.context import SeriesOpener
from phongmay_api.pages.decisions import disputes_about
from phongmay_api.pages.district import crumbs, used_groups
from phongmay_api.pages.judged import Cause, Item, causes, item, worst_first, worst_state
from phongmay_api.pages.panel import Panel, subject_panel
from phongmay_api.pages.proof import subject_names
from phongmay_api.pages.texts import Texts
from phongmay_api.verdicts import queries as verdicts
from phongmay_rules.explain import state_name
from phongmay_rules.history import held_since
from phongmay_rules.model import Pack
from phongmay_store.register.compliance import State, SubjectKind
from phongmay_store.register.device import Device, DeviceState
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Room, Seat

_WIDEST = 30
"""Seats further apart than this are drawn side by side: a mistyped row number must not stretch the plan."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A device (or, with an empty id, an empty seat) in a room's plan."""

    id: str
    label: str
    code: str
    state: str
    summary: str


@dataclass(frozen=True, slots=True)
class RoomView:
    """A room: its verdicts, its seats as rows of cells (None = no seat there), and devices without a seat."""

    id: str
    name: str
    kind: str
    class_size: int | None
    device_count: int
    judged: Sequence[Item]
    grid: Sequence[Sequence[Tile | None]]
    loose: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class SchoolView:
    """The page of a school."""

    unit: Unit
    crumbs: Sequence[Unit]
    groups: Sequence[Group]
    own: UnitShares
    judged: Sequence[Item]
    broken: Sequence[Cause]
    unclear: Sequence[Cause]
    unclear_count: int
    rooms: Sequence[RoomView]
    others: Sequence[Tile]
    panel: Panel | None
    sample: bool


def school_view(
    scope: Scope, pack: Pack, series: SeriesOpener, unit: Unit, words: Texts, subject: tuple[str, str] | None
) -> SchoolView:
    """Gather the page of a school.

    Args:
        scope: who asks.
        pack: for the texts of rules.
        series: for the presence of the chosen device.
        unit: the school.
        words: the language.
        subject: kind and id of what the evidence panel is about; one that is not of this school shows nothing.
    """
    rooms = scope.session.scalars(scope.select(Room, [unit.id]).order_by(Room.kind, Room.name)).all()
    seats = scope.session.scalars(
        Seat.at().where(Seat.room_id.in_([room.id for room in rooms])).order_by(Seat.row, Seat.column)
    ).all()
    stock = scope.session.scalars(
        scope.select(Device, [unit.id]).where(Device.state != DeviceState.RETIRED).order_by(Device.code)
    ).all()
    names = subject_names(scope, unit)
    current = verdicts.current(scope, within=[unit.id])
    asked = [found.verdict for found in current if (found.verdict.subject_kind, found.verdict.subject_id) == subject]
    since = held_since(scope.session, asked)
    items = [item(pack, judged, words, names, since) for judged in current]
    of: dict[tuple[str, str], list[Item]] = {}
    for entry in items:
        of.setdefault((entry.subject_kind, entry.subject_id), []).append(entry)
    tiles = {device.id: _tile(device, seats, of.get((SubjectKind.DEVICE, device.id), []), words) for device in stock}
    room_ids = {room.id for room in rooms}
    own = shares_of(scope, pack, [unit])[0]
    unclear = causes(items, {State.UNKNOWN})
    panel = None
    disputed = {}
    if subject is not None and subject in names:
        about = disputes_about(scope, pack, words, unit.id, subject)
        disputed = {rule: cases[0].steps[-1].title for rule, cases in about.items() if cases[0].is_open}
        panel = subject_panel(scope, series, subject, names[subject], of.get(subject, []), words, disputed)
    return SchoolView(
        unit=unit,
        crumbs=crumbs(scope, unit),
        groups=used_groups(pack, [own], words),
        own=own,
        judged=worst_first(of.get((SubjectKind.SCHOOL, unit.id), [])),
        broken=causes(items, {State.FAIL, State.ERROR}),
        unclear=unclear,
        unclear_count=sum(cause.count for cause in unclear),
        rooms=[_room(room, seats, stock, tiles, of.get((SubjectKind.ROOM, room.id), [])) for room in rooms],
        others=[tiles[device.id] for device in stock if device.room_id not in room_ids],
        panel=panel,
        sample=unit.is_sample,
    )


def _tile(device: Device, seats: Sequence[Seat], judged: list[Item], words: Texts) -> Tile:
    label = next((seat.label for seat in seats if seat.id == device.seat_id), device.code)
    # A missing serial number must not turn a room of sound PCs red: a tile speaks of the machine itself.
    measured = [entry for entry in judged if entry.on_machine]
    state = worst_state(measured)
    count = sum(1 for entry in measured if entry.state == state)
    summary = f"{state_name(state, words.language)} ({count})" if judged else words("no_verdicts")
    return Tile(device.id, label, device.code, state, summary)


def _room(
    room: Room, seats: Sequence[Seat], stock: Sequence[Device], tiles: Mapping[str, Tile], judged: list[Item]
) -> RoomView:
    here = [seat for seat in seats if seat.room_id == room.id]
    inside = [device for device in stock if device.room_id == room.id]
    by_seat: dict[str, Tile] = {}
    loose = []
    for device in inside:
        if device.seat_id in {seat.id for seat in here} and device.seat_id not in by_seat:
            by_seat[device.seat_id] = tiles[device.id]
        else:
            loose.append(tiles[device.id])
    cells = {
        (seat.row, seat.column): by_seat.get(seat.id) or Tile("", seat.label, "", State.UNKNOWN, "") for seat in here
    }
    return RoomView(
        id=room.id,
        name=room.name,
        kind=room.kind,
        class_size=room.class_size,
        device_count=len(inside),
        judged=worst_first(judged),
        grid=[[cells.get((row, column)) for column in _axis(here, 1)] for row in _axis(here, 0)],
        loose=loose,
    )


def _axis(seats: Sequence[Seat], which: int) -> list[int]:
    """Give the rows (0) or columns (1) to draw: without gaps lost, unless they are absurdly wide."""
    found = sorted({(seat.row, seat.column)[which] for seat in seats})
    if found and found[-1] - found[0] < _WIDEST:
        return list(range(found[0], found[-1] + 1))
    return found
