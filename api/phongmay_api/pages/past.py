"""What the pages of the past show: a unit's verdicts as they stood at an instant, or one of them with its evidence.

Names are those that things had then; words are those of the packs that judged then. Where no run vouches for the
instant every state is unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from phongmay_api.access.scope import Scope
from phongmay_api.pages.district import crumbs
from phongmay_api.pages.judged import PLACE_MARK, Item, item
from phongmay_api.pages.proof import MemberLine
from phongmay_api.pages.rendering import ORDER
from phongmay_api.pages.texts import Texts
from phongmay_api.past.presenting import explanation
from phongmay_api.rules import queries as rules
from phongmay_api.rules.schemas import RuleDetail
from phongmay_api.verdicts import presenting
from phongmay_api.verdicts.presenting import FactShown
from phongmay_api.verdicts.queries import Judged
from phongmay_rules.history import (
    NOTHING,
    PastVerdict,
    as_of,
    counts_as_of,
    held_since,
    one_as_of,
    pack_of,
    past_sentence,
)
from phongmay_rules.model import Pack
from phongmay_store.register.compliance import EvaluationRun, SubjectKind, Verdict
from phongmay_store.register.device import Device
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Room, Seat
from phongmay_store.register.timetable import LOCAL

_KINDS = (SubjectKind.DISTRICT, SubjectKind.SCHOOL, SubjectKind.ROOM, SubjectKind.DEVICE)
_RANK = {state.value: rank for rank, state in enumerate(ORDER)}
Names = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked for.

    Attributes:
        at: the instant; None = none yet.
        known_at: leave out what was recorded later.
        state: only results in this state ("" = all), and so for rule and subject.
    """

    at: datetime | None = None
    known_at: datetime | None = None
    state: str = ""
    rule: str = ""
    subject: str = ""

    def times(self, **more: str) -> str:
        """Give the two instants as the query of a link, as exactly as they were asked."""
        pairs = {"at": self.at, "known_at": self.known_at}
        return urlencode({key: at.astimezone(LOCAL).isoformat() for key, at in pairs.items() if at} | more)

    @property
    def is_filtered(self) -> bool:
        """Tell whether only some results are asked for."""
        return bool(self.state or self.rule or self.subject)


@dataclass(frozen=True, slots=True)
class PastLine:
    """A verdict as it stood."""

    id: int
    rule_id: str
    title: str
    state: str
    sentence: str


@dataclass(frozen=True, slots=True)
class PastSubject:
    """A subject with its verdicts, the worst first."""

    kind: str
    id: str
    name: str
    counts: Mapping[str, int]
    lines: Sequence[PastLine]

    @property
    def worst(self) -> str:
        """Worst state among its verdicts."""
        return self.lines[0].state


@dataclass(frozen=True, slots=True)
class PastView:
    """The page of a unit.

    Attributes:
        counts: how many of its own verdicts were in which state.
        below: units below with the same counts.
    """

    unit: Unit
    crumbs: Sequence[Unit]
    asked: Asked
    run: EvaluationRun | None
    is_vouched: bool
    is_archived: bool
    counts: Mapping[str, int]
    rules: Sequence[tuple[str, str]]
    subject_name: str
    subjects: Sequence[PastSubject]
    below: Sequence[tuple[Unit, Mapping[str, int]]]
    sample: bool


@dataclass(frozen=True, slots=True)
class PastVerdictView:
    """The page of one verdict."""

    unit: Unit
    crumbs: Sequence[Unit]
    asked: Asked
    name: str
    place: str
    kind: str
    run: EvaluationRun | None
    is_vouched: bool
    is_archived: bool
    item: Item | None
    recorded_at: datetime | None
    facts: Sequence[FactShown]
    members: Sequence[MemberLine]
    rule: RuleDetail | None
    sample: bool


def past_view(scope: Scope, in_force: Pack, unit: Unit, asked: Asked, words: Texts) -> PastView:
    """Gather the page of a unit of the scope."""
    found = as_of(scope.session, unit.id, asked.at, asked.known_at) if asked.at else NOTHING
    pack, is_archived = pack_of(scope.session, found.run, in_force)
    names = _names(scope, unit, asked)
    kind, _, subject_id = asked.subject.partition(":")
    chosen = [one for one in found.verdicts if _is_asked(one, asked)]
    below = []
    if asked.at is not None:
        units = [other for other in scope.below(unit.id) if other.id != unit.id]
        counted = counts_as_of(scope.session, [other.id for other in units], asked.at, asked.known_at)
        below = [(other, _ordered(counted[other.id])) for other in units if other.id in counted]
    judged = sorted({one.row.rule_id for one in found.verdicts})
    return PastView(
        unit=unit,
        crumbs=[*crumbs(scope, unit), unit],
        asked=asked,
        run=found.run,
        is_vouched=found.is_vouched,
        is_archived=is_archived,
        counts=_ordered(Counter(one.state for one in found.verdicts)),
        rules=[(rule, _title(pack, rule, words)) for rule in judged],
        subject_name=names.get((kind, subject_id), subject_id),
        subjects=_subjects(chosen, pack, names, words),
        below=below,
        sample=unit.is_sample,
    )


def past_verdict_view(scope: Scope, in_force: Pack, verdict: Verdict, asked: Asked, words: Texts) -> PastVerdictView:
    """Gather the page of what stood in the place of a verdict of the scope."""
    unit = scope.one(Unit, "organisation unit", Unit.id == verdict.unit_id)
    names = _names(scope, unit, asked)
    found = one_as_of(scope.session, verdict, asked.at, asked.known_at) if asked.at else NOTHING
    pack, is_archived = pack_of(scope.session, found.run, in_force)
    one = found.verdicts[0] if found.verdicts else None
    rule = pack.rules.get(verdict.rule_id)
    key = verdict.subject_kind, verdict.subject_id
    return PastVerdictView(
        unit=unit,
        crumbs=[*crumbs(scope, unit), unit],
        asked=asked,
        name=names.get(key, verdict.subject_id),
        place=unit.name if verdict.subject_id != unit.id else "",
        kind=verdict.subject_kind,
        run=found.run,
        is_vouched=found.is_vouched,
        is_archived=is_archived,
        item=_item(scope, pack, one, names, words) if one else None,
        recorded_at=one.row.recorded_at if one else None,
        facts=presenting.facts(one.row, words.language) if one else (),
        members=_members(one, names, asked) if one else (),
        rule=rules.detail(pack, rule) if rule else None,
        sample=unit.is_sample,
    )


def _is_asked(one: PastVerdict, asked: Asked) -> bool:
    subject = f"{one.row.subject_kind}:{one.row.subject_id}"
    pairs = ((asked.state, one.state), (asked.rule, one.row.rule_id), (asked.subject, subject))
    return all(wanted in ("", value) for wanted, value in pairs)


def _item(scope: Scope, pack: Pack, one: PastVerdict, names: Names, words: Texts) -> Item:
    since = held_since(scope.session, [one.row]) if one.run_id is not None else {}
    shown = item(pack, Judged(one.row, None), words, dict(names), since)
    return replace(
        shown,
        state=one.state,
        sentence=past_sentence(one, pack, words.language),
        explanation=explanation(pack, one, None, words.language),
    )


def _subjects(chosen: Sequence[PastVerdict], pack: Pack, names: Names, words: Texts) -> list[PastSubject]:
    of: dict[tuple[str, str], list[PastLine]] = {}
    for one in chosen:
        row = one.row
        title = _title(pack, row.rule_id, words)
        line = PastLine(row.id, row.rule_id, title, one.state, past_sentence(one, pack, words.language))
        of.setdefault((row.subject_kind, row.subject_id), []).append(line)
    out = []
    for (kind, subject), lines in of.items():
        lines.sort(key=lambda line: (_RANK[line.state], line.rule_id))
        counts = _ordered(Counter(line.state for line in lines))
        out.append(PastSubject(kind, subject, names.get((kind, subject), subject), counts, lines))
    order = {kind.value: number for number, kind in enumerate(_KINDS)}
    return sorted(out, key=lambda found: (order[found.kind], found.name, found.id))


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    return {state.value: counts.get(state.value, 0) for state in ORDER}


def _title(pack: Pack, rule_id: str, words: Texts) -> str:
    rule = pack.rules.get(rule_id)
    return rule.title.in_(words.language) if rule else rule_id


def _names(scope: Scope, unit: Unit, asked: Asked) -> dict[tuple[str, str], str]:
    """Name what verdicts of a unit speak of as it was called then: devices by room and seat, rooms, units below."""
    session, when = scope.session, (asked.at, asked.known_at)
    out = {(SubjectKind.DISTRICT.value, unit.id): unit.name}
    out |= {(SubjectKind.SCHOOL.value, below.id): below.name for below in scope.below(unit.id)}
    rooms = {room.id: room.name for room in session.scalars(Room.at(*when).where(Room.school_id == unit.id))}
    out |= {(SubjectKind.ROOM.value, room_id): name for room_id, name in rooms.items()}
    seats = {seat.id: seat.label for seat in session.scalars(Seat.at(*when).where(Seat.room_id.in_(list(rooms))))}
    for device in session.scalars(Device.at(*when).where(Device.school_id == unit.id)):
        seat = seats.get(device.seat_id or "")
        place = [rooms.get(device.room_id or "", ""), seat or ""]
        out[SubjectKind.DEVICE.value, device.id] = PLACE_MARK.join(filter(None, place)) if seat else device.code
    return out


def _members(one: PastVerdict, names: Names, asked: Asked) -> list[MemberLine]:
    lines = []
    for member in presenting.members(one.row):
        name = names.get((member.kind, member.id))
        link = ""
        if name is not None:
            inside = member.kind != SubjectKind.SCHOOL
            unit = one.row.unit_id if inside else member.id
            more = {"subject": f"{member.kind}:{member.id}"} if inside else {}
            link = f"/units/{unit}/at?{asked.times(**more)}"
        lines.append(MemberLine(member.state, name or member.id, link, ", ".join(member.rules)))
    return lines
