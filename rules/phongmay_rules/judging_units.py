"""Judges a whole school, or a unit above schools: places, facts, settings and waivers go in, judgements come out.

The engine calls it with facts that were just stored, `replay` with facts of the past; both get the same judgements from
the same rows, because there is nothing else to judge by. Only `sit` reads the register, and nothing here writes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from phongmay_rules.checks.outcome import Context, Member, Setting
from phongmay_rules.facts.records import Facts, FactValue
from phongmay_rules.judging import Judgement, Subject, judge, judge_in, judges
from phongmay_rules.model import Pack, Rule, Share
from phongmay_rules.parameters import Overrides, in_force, read_overrides
from phongmay_rules.places import DevicePlace, Organisation, SchoolPlace, UnitPlace, read_organisation
from phongmay_rules.waiving import Waivers, excuse, read_waivers
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.timetable import LOCAL

Key = tuple[str, str, str]
"""(kind of subject, id of subject, rule)."""
States = Mapping[str, Sequence[str]]
"""rule -> states of its verdicts in a school."""


Kept = Mapping[Key, str]
"""Verdicts that stand without being judged again, by their state."""
NOTHING_KEPT: Kept = {}
PER_PC_MIN = "per_pc_min"
"""Parameter with the rate that each PC must get when all are in use."""


class Judge:
    """Judges by one pack at one instant.

    Attributes:
        rules: those switched on and in force on that day, in reading order.
        waivers: those in force at the instant.
        member_facts: names of the facts that some rule reads of the members that it counts.
    """

    def __init__(self, pack: Pack, at: datetime, waivers: Waivers) -> None:
        self._pack, self._at, self.waivers = pack, at.timestamp(), waivers
        day = at.astimezone(LOCAL).date()
        self.rules = tuple(pack.judged_on(day))
        checks = [check for rule in self.rules for check in rule.check]
        self.member_facts = frozenset(check.fact for check in checks if isinstance(check, Share) and check.fact)
        self._counting = frozenset(rule.id for rule in self.rules if rule.counts())
        above = [rule for rule in self.rules if rule.subject.kind == SubjectKind.DISTRICT]
        judged = {rule.id for rule in self.rules}
        self._read_above = tuple(sorted({read for rule in above for read in rule.reads_rules()} & judged))

    def school(
        self,
        school: SchoolPlace,
        facts: Facts,
        settings: Mapping[str, Setting],
        ancestry: Sequence[str],
        kept: Kept = NOTHING_KEPT,
    ) -> dict[Key, Judgement]:
        """Judge a school's devices, rooms and itself.

        Args:
            school: what stands in it.
            facts: facts by subject; others than the school's are not looked at.
            settings: parameters in force for the school.
            ancestry: the school and the units above it, nearest first.
            kept: verdicts that stand as they are; they are not judged again.
        """
        rooms = {device.id: device.room_id for device in school.devices}
        ageings = school.ageings()
        judged: dict[Key, Judgement] = {}
        subjects = {
            kind: [(one, ageings[one.kind, one.id], facts.get((one.kind, one.id), {})) for one in found]
            for kind, found in subjects_of(school).items()
        }
        for rule in self.rules:
            name, aggregates, inherited = rule.id, rule.id in self._counting, self._pack.inherited[rule.id]
            context = Context({}, (), settings, rule.number_from, school.level, self._at)
            for subject, ageing, own in subjects.get(rule.subject.kind, ()):
                key = (subject.kind, subject.id, name)
                if (kept and key in kept) or not judges(rule, subject):
                    continue
                context.facts, context.ageing = own, ageing
                if aggregates:
                    context.members = list(members_of(school, subject, facts, judged, rule, kept))
                found = judge_in(context, rule, subject, inherited)
                if self.waivers:
                    room = rooms.get(subject.id) if subject.kind == SubjectKind.DEVICE else None
                    found = excuse(found, name, (subject.id, *([room] if room else ()), *ancestry), self.waivers)
                judged[key] = found
        return judged

    def unit(
        self,
        place: UnitPlace,
        facts: Facts,
        schools: Mapping[str, States],
        settings: Mapping[str, Setting],
        ancestry: Sequence[str],
    ) -> dict[Key, Judgement]:
        """Judge the own targets of a unit above schools, from its facts and the states in its schools."""
        subject = self._of_unit(place)
        own = facts.get((subject.kind, subject.id), {})
        members = [Member(SubjectKind.SCHOOL, school, states=schools[school]) for school in place.schools]
        return {
            (subject.kind, subject.id, rule.id): self._judge(rule, subject, own, members, settings, ancestry)
            for rule in self.rules
            if judges(rule, subject)
        }

    def has_targets(self, place: UnitPlace) -> bool:
        """Tell whether any rule judges the unit itself."""
        return any(judges(rule, self._of_unit(place)) for rule in self.rules)

    def states(self, judged: Mapping[Key, Judgement], kept: Kept = NOTHING_KEPT) -> dict[str, list[str]]:
        """Give the states in a school of every rule that a unit above reads; one that had nothing to judge has none."""
        states: dict[str, list[str]] = {rule: [] for rule in self._read_above}
        for (_, _, rule), judgement in judged.items():
            if rule in states:
                states[rule].append(judgement.state.value)
        for (_, _, rule), state in kept.items():
            if rule in states:
                states[rule].append(state)
        return {rule: sorted(found) for rule, found in states.items()}

    def _of_unit(self, place: UnitPlace) -> Subject:
        return Subject(SubjectKind.DISTRICT, place.id, place.id, place.kind)

    def _judge(
        self,
        rule: Rule,
        subject: Subject,
        facts: Mapping[str, FactValue],
        members: Sequence[Member],
        settings: Mapping[str, Setting],
        lineage: Sequence[str],
    ) -> Judgement:
        inherited = self._pack.inherited[rule.id]
        judgement = judge(rule, subject, facts, members, settings, self._at, inherited)
        return excuse(judgement, rule.id, lineage, self.waivers)


@dataclass(frozen=True)
class Sitting:
    """Everything of the register that one evaluation judges by, read once and as known at one time.

    Attributes:
        known_at: rows recorded later were not seen.
    """

    pack: Pack
    judge: Judge
    organisation: Organisation
    overrides: Overrides
    known_at: datetime

    @property
    def basis(self) -> tuple[object, ...]:
        """What is the same for all schools; while it is equal, a school's verdicts depend on the school alone."""
        rules = tuple(rule.id for rule in self.judge.rules)
        return rules, self.judge.waivers, self.overrides, self.organisation.parents

    def floor_bps(self, school_id: str) -> float:
        """Give the rate that each PC of a school must get when all are in use; 0 = no pack names one."""
        return floor_bps(self.pack, self.overrides, self.organisation.ancestry(school_id))

    def school(self, school: SchoolPlace, facts: Facts, kept: Kept = NOTHING_KEPT) -> dict[Key, Judgement]:
        """Judge a school by the settings in force for it."""
        ancestry = list(self.organisation.ancestry(school.id))
        return self.judge.school(school, facts, in_force(self.pack, self.overrides, ancestry), ancestry, kept)

    def unit(self, place: UnitPlace, facts: Facts, schools: Mapping[str, States]) -> dict[Key, Judgement]:
        """Judge the own targets of a unit above schools."""
        if not self.judge.has_targets(place):
            return {}
        ancestry = list(self.organisation.ancestry(place.id))
        return self.judge.unit(place, facts, schools, in_force(self.pack, self.overrides, ancestry), ancestry)


def floor_bps(pack: Pack, overrides: Overrides, ancestry: Iterable[str]) -> float:
    """Give the rate that each PC of a unit must get when all are in use; 0 = no pack names one."""
    floor = in_force(pack, overrides, list(ancestry)).get(PER_PC_MIN)
    return floor.value if floor is not None else 0.0


def sit(
    session: Session, pack: Pack, at: datetime, known_at: datetime, schools: Collection[str] | None = None,
    *, settled_at: datetime | None = None,
) -> Sitting:  # fmt: skip
    """Read from the register what holds at an instant, as known at another; of some schools only what stands there.

    Args:
        session: the register.
        pack: the packs to judge by.
        at: the instant.
        known_at: rows recorded later are not seen.
        schools: ids of schools; None = all.
        settled_at: instant of which values of parameters are those in force (default: `known_at`, as a run that judges
            the present takes them; `replay` gives what its run knew).
    """
    return Sitting(
        pack,
        Judge(pack, at, read_waivers(session, at, known_at)),
        read_organisation(session, at, known_at, schools),
        read_overrides(session, pack, known_at, settled_at),
        known_at,
    )


def subjects_of(school: SchoolPlace) -> dict[SubjectKind, list[Subject]]:
    """Give everything in a school that rules may judge."""
    return {
        SubjectKind.DEVICE: [_device_subject(device, school) for device in school.devices],
        SubjectKind.ROOM: [
            Subject(SubjectKind.ROOM, room.id, school.id, room.kind, school.level) for room in school.rooms
        ],
        SubjectKind.SCHOOL: [Subject(SubjectKind.SCHOOL, school.id, school.id, "", school.level)],
    }


def _device_subject(device: DevicePlace, school: SchoolPlace) -> Subject:
    return Subject(
        SubjectKind.DEVICE, device.id, school.id, device.kind, school.level, device.state,
        device.agent_since is not None,
    )  # fmt: skip


def members_of(
    school: SchoolPlace,
    subject: Subject,
    facts: Facts,
    judged: Mapping[Key, Judgement],
    rule: Rule,
    kept: Kept = NOTHING_KEPT,
) -> Iterator[Member]:
    """Give devices and rooms as members, with the states of the rules that the aggregate reads."""
    wanted, reads = rule.counts(), rule.reads_rules()

    def states(kind: SubjectKind, name: str) -> dict[str, list[str]]:
        out: dict[str, list[str]] = {}
        for read in reads:
            key = (kind, name, read)
            if key in judged:
                out[read] = [judged[key].state]
            elif key in kept:
                out[read] = [kept[key]]
        return out

    if "devices" in wanted:
        for device in school.devices:
            if subject.kind == SubjectKind.SCHOOL or device.room_id == subject.id:
                yield Member(
                    SubjectKind.DEVICE, device.id, device.kind, device.state, device.agent_since is not None,
                    states(SubjectKind.DEVICE, device.id), facts.get((SubjectKind.DEVICE, device.id), {}),
                )  # fmt: skip
    if "rooms" in wanted:
        for room in school.rooms:
            yield Member(SubjectKind.ROOM, room.id, room.kind, states=states(SubjectKind.ROOM, room.id))
