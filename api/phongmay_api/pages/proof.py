"""What the verdict page shows: one verdict with all its facts and members, the rule, its clauses, and its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phongmay_api.access.scope import Scope
from phongmay_api.pages.district import crumbs
from phongmay_api.pages.judged import PLACE_MARK, Item, item
from phongmay_api.pages.texts import Texts
from phongmay_api.rules import queries as rules
from phongmay_api.rules.schemas import RuleDetail
from phongmay_api.verdicts import presenting, queries
from phongmay_api.verdicts.presenting import FactShown
from phongmay_api.verdicts.queries import Judged
from phongmay_rules.history import held_since
from phongmay_rules.model import Pack
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.device import Device
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Room, Seat

_HISTORY = 20


@dataclass(frozen=True, slots=True)
class MemberLine:
    """A member of an aggregate: its name, a link to it, and the rules to blame."""

    state: str
    name: str
    link: str
    about: str


@dataclass(frozen=True, slots=True)
class VerdictView:
    """The page of a verdict.

    Attributes:
        current_id: id of the verdict that replaced this one; None when it is current itself.
        stale: it is current, but the engine has stopped confirming it.
    """

    name: str
    place: str
    unit: Unit
    crumbs: Sequence[Unit]
    item: Item
    stale: bool
    current_id: int | None
    facts: Sequence[FactShown]
    members: Sequence[MemberLine]
    rule: RuleDetail | None
    history: Sequence[Item]
    sample: bool


def verdict_view(scope: Scope, pack: Pack, judged: Judged, words: Texts) -> VerdictView:
    """Gather the page of a verdict of the scope."""
    verdict = judged.verdict
    unit = scope.one(Unit, "organisation unit", Unit.id == verdict.unit_id)
    names = subject_names(scope, unit)
    name = names.get((verdict.subject_kind, verdict.subject_id), verdict.subject_id)
    rule = pack.rules.get(verdict.rule_id)
    since = held_since(scope.session, [verdict])
    former = queries.history(scope, verdict.subject_kind, verdict.subject_id, verdict.rule_id, None, _HISTORY)
    now = queries.current(
        scope, subject_kind=verdict.subject_kind, subject_id=verdict.subject_id, rule=verdict.rule_id, limit=1
    )
    replaced = bool(now) and now[0].verdict.id != verdict.id
    return VerdictView(
        name=name,
        place=unit.name if verdict.subject_id != unit.id else "",
        unit=unit,
        crumbs=[*crumbs(scope, unit), unit],
        item=item(pack, judged, words, names, since),
        stale=judged.stale,
        current_id=now[0].verdict.id if replaced else None,
        facts=presenting.facts(verdict, words.language),
        members=_members(judged, names),
        rule=rules.detail(pack, rule) if rule else None,
        history=[item(pack, Judged(found, None), words, names) for found in former],
        sample=unit.is_sample,
    )


def subject_names(scope: Scope, unit: Unit) -> dict[tuple[str, str], str]:
    """Name everything that verdicts of a unit speak of: its devices by room and seat, its rooms, units below it."""
    out = {(SubjectKind.DISTRICT.value, unit.id): unit.name}
    for below in scope.below(unit.id):
        out[SubjectKind.SCHOOL.value, below.id] = below.name
    rooms = {room.id: room.name for room in scope.session.scalars(scope.select(Room, [unit.id]))}
    out |= {(SubjectKind.ROOM.value, room_id): name for room_id, name in rooms.items()}
    seats = {seat.id: seat.label for seat in scope.session.scalars(Seat.at().where(Seat.room_id.in_(list(rooms))))}
    for device in scope.session.scalars(scope.select(Device, [unit.id])):
        seat = seats.get(device.seat_id or "")
        place = [rooms.get(device.room_id or "", ""), seat or ""]
        out[SubjectKind.DEVICE.value, device.id] = PLACE_MARK.join(filter(None, place)) if seat else device.code
    return out


def _members(judged: Judged, names: dict[tuple[str, str], str]) -> list[MemberLine]:
    unit = judged.verdict.unit_id
    lines = []
    for member in presenting.members(judged.verdict):
        name = names.get((member.kind, member.id))
        link = ""
        if name is not None:
            link = (
                f"/schools/{member.id}"
                if member.kind == SubjectKind.SCHOOL
                else f"/schools/{unit}?subject={member.kind}:{member.id}#evidence"
            )
        lines.append(MemberLine(member.state, name or member.id, link, ", ".join(member.rules)))
    return lines
