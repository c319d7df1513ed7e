"""What is red in a school and what may be done about it: a standing goes in, one problem for the solver comes out.

Device rules are turned green by options alone. Aggregates of a room or school (enough PCs, share of good PCs) follow
from their members, so they become counts. What is unknown counts for an aggregate as it does when judging: it may turn
out well, so money is only asked for what is missing in any case.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from phongmay_rules import model
from phongmay_rules.checks import counting
from phongmay_rules.checks.outcome import Member, Setting
from phongmay_rules.facts.records import FactValue
from phongmay_rules.gaps.options import (
    FACT,
    REPAIRED,
    Bench,
    Line,
    Option,
    Target,
    device_options,
    line_options,
    new_pc,
    part_options,
    repair_options,
    switch_options,
)
from phongmay_rules.gaps.prices import ItemKind, Prices
from phongmay_rules.gaps.smart_rooms import fitting_out
from phongmay_rules.judging import Judgement, Subject, judge, judges
from phongmay_rules.judging_units import members_of, subjects_of
from phongmay_rules.model import PerHead, Rule, Share
from phongmay_rules.places import SchoolPlace
from phongmay_rules.standing import Judged, Standing
from phongmay_store.register.compliance import State, SubjectKind
from phongmay_store.register.device import DeviceState
from phongmay_store.register.place import RoomKind
from phongmay_store.register.timetable import LOCAL

_BELOW = (SubjectKind.ROOM, SubjectKind.SCHOOL)
NEW_PC_KIND = "pc"
PAPERWORK = frozenset({"record_fields_missing"})
"""Facts that somebody enters and nobody buys: what fails by them alone is declared, not priced."""
PUPILS_PER_PC = "students_per_pc"


@dataclass(frozen=True)
class Count:
    """An aggregate as an inequality: mended members and new PCs make up what is missing.

    Attributes:
        target: the failing verdict.
        missing: members that must be mended, when no PC is added.
        members: for each failing member that can count the verdicts on it that must all turn green.
        rooms: rooms whose new PCs count.
        each_new: how much one new PC adds (less than 1 for a share, whose total grows too).
    """

    target: Target
    missing: float
    members: tuple[tuple[Target, ...], ...]
    rooms: frozenset[str]
    each_new: float


@dataclass(frozen=True)
class Problem:
    """One school.

    Attributes:
        targets: every failing verdict of devices, rooms and the school.
        paperwork: failing verdicts that only a declaration mends; not among the targets.
        unknown: verdicts that must be measured first, with the judgement.
        errors: verdicts that a parameter out of bounds prevents.
        options: what can be done; of the options of one device at most one is chosen.
        counts: aggregates among the targets.
    """

    school: SchoolPlace
    targets: tuple[Target, ...]
    unknown: Mapping[Target, Judgement]
    errors: tuple[Target, ...]
    options: tuple[Option, ...]
    counts: tuple[Count, ...]
    paperwork: tuple[Target, ...] = ()


def problem_of(
    standing: Standing, school: SchoolPlace, judged: Judged, prices: Prices, wanted: frozenset[str]
) -> Problem:
    """Make the problem of one school.

    Args:
        standing: where it is from.
        school: the school.
        judged: its judgements.
        prices: what there is to buy.
        wanted: rules that are to be turned green.
    """
    bench = bench_of(standing, school)
    rules = bench.rules
    asked = {key: found for key, found in judged.items() if key[2] in wanted}
    red = sorted(key for key, found in asked.items() if found.state is State.FAIL)
    targets = tuple(key for key in red if not is_paperwork(rules[key[2]]))
    counts = tuple(_all_counts(standing, school, judged, targets))
    needed = {target for count in counts for member in count.members for target in member} | set(targets)
    return Problem(
        school,
        targets,
        {key: found for key, found in asked.items() if found.state is State.UNKNOWN},
        tuple(sorted(key for key, found in asked.items() if found.state is State.ERROR)),
        tuple(_options(standing, school, judged, prices, bench, needed, targets, counts, wanted)),
        counts,
        tuple(key for key in red if is_paperwork(rules[key[2]])),
    )


def bench_of(standing: Standing, school: SchoolPlace) -> Bench:
    """Give what judges the subjects of a school."""
    rules = {rule.id: rule for rule in standing.rules}
    today = standing.at.astimezone(LOCAL).date()
    return Bench(standing.pack, rules, standing.settings[school.id], standing.at.timestamp(), today, school.ageings())


def is_paperwork(rule: Rule) -> bool:
    """Tell whether entries alone decide a rule."""
    return bool(rule.facts()) and rule.facts() <= PAPERWORK


def _options(
    standing: Standing, school: SchoolPlace, judged: Judged, prices: Prices, bench: Bench, needed: set[Target],
    targets: Sequence[Target], counts: Sequence[Count], wanted: frozenset[str],
) -> list[Option]:  # fmt: skip
    by_device: dict[str, list[Target]] = {}
    for target in sorted(needed):
        by_device.setdefault(target[1], []).append(target)
    subjects = subjects_of(school)
    devices = {subject.id: subject for subject in subjects[SubjectKind.DEVICE]}
    found: list[Option] = []
    for device in [device for device in by_device if device in devices]:
        mine = [target for target in by_device[device] if target[2] != REPAIRED]
        options = device_options(bench, prices, devices[device], _facts(standing, device), mine) if mine else []
        found += options
        if len(mine) < len(by_device[device]):
            failing = frozenset(
                key for key, was in judged.items()
                if key[:2] == (SubjectKind.DEVICE, device) and was.state is State.FAIL
                and not is_paperwork(bench.rules[key[2]])
            )  # fmt: skip
            found += repair_options(bench, prices, devices[device], failing, options)
    for kind, sort in ((SubjectKind.ROOM, ItemKind.ROOM_PART), (SubjectKind.SCHOOL, ItemKind.SCHOOL_PART)):
        for subject in subjects[kind]:
            own = standing.facts.get((kind, subject.id), {})
            found += part_options(bench, prices.of(sort), subject, own, by_device.get(subject.id, ()))
            if kind is SubjectKind.SCHOOL:
                found += line_options(bench, prices, subject, own, by_device.get(subject.id, ()))
    found += _smart_rooms(school, prices, bench, counts)
    pc = new_pc(bench, prices, school_subject(school))
    for room in school.rooms:
        inside = [(devices[d.id], _facts(standing, d.id)) for d in school.devices if d.room_id == room.id]
        found += switch_options(bench, prices, room.id, inside, by_device)
        most = sum(-(-count.missing // count.each_new) for count in counts if room.id in count.rooms)
        if pc is not None and most:
            line = (Line(pc, 1),)
            found.append(Option((SubjectKind.ROOM, room.id), line, at_most=int(most), adds_to=room.id))
    return found + _new_room(school, prices, bench, targets, wanted)


def _facts(standing: Standing, device: str) -> Mapping[str, FactValue]:
    return standing.facts.get((SubjectKind.DEVICE, device), {})


def _smart_rooms(school: SchoolPlace, prices: Prices, bench: Bench, counts: Sequence[Count]) -> list[Option]:
    """Give the fitting-out of smart classrooms, as many as a failing count of them lacks, if one of them would pass."""
    place = _smart_room(school.id)
    mine = [count for count in counts if place in count.rooms]
    most = sum(-(-count.missing // count.each_new) for count in mine)
    rules = rules_of_smart_rooms(bench, (count.target for count in mine))
    lines = fitting_out(bench, prices, school_subject(school), rules) if most > 0 else ()
    if not lines:
        return []
    return [Option((SubjectKind.SCHOOL, school.id), lines, at_most=int(most), adds_to=place, builds=RoomKind.SMART)]


def school_subject(school: SchoolPlace) -> Subject:
    """Give a school as what is judged."""
    return Subject(SubjectKind.SCHOOL, school.id, school.id, "", school.level)


def rules_of_smart_rooms(bench: Bench, targets: Iterable[Target]) -> set[str]:
    """Give the rules that a smart classroom must pass to count for some verdicts."""
    checks = [check for target in targets for check in bench.rules[target[2]].check if isinstance(check, model.Count)]
    return {rule for check in checks if RoomKind.SMART in check.of for rule in check.rules}


def _smart_room(school_id: str) -> str:
    return f"{school_id}+smart"


def _new_room(
    school: SchoolPlace, prices: Prices, bench: Bench, targets: Sequence[Target], wanted: frozenset[str]
) -> list[Option]:
    """Give the fitting-out of one more computer room, where that turns a verdict on the school green."""
    own = [target for target in targets if target[:2] == (SubjectKind.SCHOOL, school.id)]
    subject = school_subject(school)
    rooms = sum(room.kind == RoomKind.COMPUTER for room in school.rooms)
    after = bench.after({}, {"computer_rooms": rooms + 1})
    fixes = {target for target in own if bench.judge(target[2], subject, after).state is State.PASS}
    pc, size = new_pc(bench, prices, subject), room_size(bench, school, wanted)
    if not fixes or size is None or (size and pc is None):
        return []
    lines = (Line(pc, size),) if pc is not None and size else ()
    return [
        Option((SubjectKind.SCHOOL, school.id), (Line(item, 1), *lines), frozenset(fixes), fits_out=size)
        for item in prices.of(ItemKind.ROOM)[:1]
    ]


def room_size(bench: Bench, school: SchoolPlace, wanted: frozenset[str]) -> int | None:
    """Give how many PCs the wanted rules demand of a new computer room of undeclared class size; None = not known."""
    subject = Subject(SubjectKind.ROOM, "new", school.id, RoomKind.COMPUTER, school.level)
    sizes = [0]
    for rule in (rule for rule in bench.rules.values() if rule.id in wanted):
        for check in rule.check:
            if isinstance(check, PerHead) and judges(rule, subject):
                alone = rule.model_copy(update={"check": (check,)})
                found = judge(alone, subject, {}, (), bench.settings, bench.at)
                if found.state is State.UNKNOWN:
                    return None
                sizes.append(int(found.required.get("value") or 0))
    return max(sizes)


def _all_counts(standing: Standing, school: SchoolPlace, judged: Judged, targets: Sequence[Target]) -> Iterator[Count]:
    """Give the counts of all failing aggregates, and of those that they count in their turn."""
    rules = {rule.id: rule for rule in standing.rules}
    queue = [target for target in targets if target[0] != SubjectKind.DEVICE]
    seen: set[Target] = set()
    while queue:
        target = queue.pop(0)
        if target not in seen:
            seen.add(target)
            for count in _counts(standing, school, judged, rules[target[2]], target):
                yield count
                queue += [below for member in count.members for below in member if below[0] == SubjectKind.ROOM]


def _counts(standing: Standing, school: SchoolPlace, judged: Judged, rule: Rule, target: Target) -> list[Count]:
    """Give the counts of an aggregate's failing checks; none for a rule that no count can mend."""
    subject = next(s for kind in _BELOW for s in subjects_of(school)[kind] if (s.kind, s.id) == target[:2])
    facts = standing.facts.get((subject.kind, subject.id), {})
    members = list(members_of(school, subject, standing.facts, judged, rule))
    settings, at = standing.settings[school.id], standing.at.timestamp()
    found: list[Count] = []
    for check in rule.check:
        if isinstance(check, model.Threshold) and check.fact == PUPILS_PER_PC and check.at_most is not None:
            found += _pupils(rule, school, subject, facts, settings, at, target)
            continue
        alone = judge(rule.model_copy(update={"check": (check,)}), subject, facts, members, settings, at)
        if alone.state is not State.FAIL:
            continue
        rooms = frozenset([subject.id] if subject.kind == SubjectKind.ROOM else (room.id for room in school.rooms))
        if isinstance(check, PerHead):
            mendable = [
                _blame(m, check.rules) for m in counting.selected(members, "devices", check.of) if _is_in_use(m)
            ]
            mendable += [
                ((m.kind, m.id, REPAIRED),)
                for m in counting.selected(members, "devices", check.of)
                if m.state == DeviceState.IN_REPAIR and m.has_agent
            ]
            missing = alone.required["value"] - alone.measured["value"] - alone.measured["perhaps"]
            each, counts_new = 1.0, NEW_PC_KIND in check.of
        elif isinstance(check, model.Count):
            mendable = [_blame(m, check.rules) for m in counting.selected(members, check.members, check.of)]
            missing = alone.required["value"] - alone.measured["met"] - alone.measured["perhaps"]
            each, counts_new = 1.0, check.members == "devices" and NEW_PC_KIND in check.of
            if check.members == "rooms" and RoomKind.SMART in check.of:
                rooms, counts_new = frozenset([_smart_room(school.id)]), True
        elif isinstance(check, Share):
            chosen = [m for m in counting.selected(members, check.members, check.of, check.states)
                      if m.has_agent or not check.with_agent]  # fmt: skip
            mendable = [_blame(m, check.rules, check.fact) for m in chosen]
            total, share = alone.measured["total"], alone.required["value"]
            missing = share * total - alone.measured["met"] - alone.measured["perhaps"]
            each = 1.0 - share
            counts_new = check.members == "devices" and (not check.of or NEW_PC_KIND in check.of)
        else:
            return []
        useful = tuple(blame for blame in mendable if blame)
        found.append(Count(target, missing, useful, rooms if counts_new and each > 0 else frozenset(), each))
    return found


def _pupils(
    rule: Rule, school: SchoolPlace, subject: Subject, facts: Mapping[str, FactValue],
    settings: Mapping[str, Setting], at: float, target: Target,
) -> list[Count]:  # fmt: skip
    """Give how many PCs a school lacks for its pupils; none where that cannot be told."""
    fact = facts.get(PUPILS_PER_PC)
    detail = (fact.detail or {}) if fact else {}
    found = judge(rule, subject, facts, (), settings, at)
    limit = found.required.get("value")
    if found.state is not State.FAIL or not limit or "students" not in detail or "pcs" not in detail:
        return []
    missing = math.ceil(detail["students"] / limit) - detail["pcs"]
    return [Count(target, float(missing), (), frozenset(room.id for room in school.rooms), 1.0)]


def _is_in_use(member: Member) -> bool:
    return member.state != DeviceState.IN_REPAIR and member.has_agent


def _blame(member: Member, rules: Sequence[str], fact: str = "") -> tuple[Target, ...]:
    """Give the failing verdicts that keep a member from counting; none when it counts or is not known to fail.

    A waived one is among them: a waiver excuses, it does not equip a room.
    """
    if fact:
        failing = counting.by_fact(member.facts.get(fact)) is State.FAIL
        return ((member.kind, member.id, FACT + fact),) if failing else ()
    return tuple(
        (member.kind, member.id, rule)
        for rule in rules
        if counting.worst(counting.of_rule(member, rule)) in (State.FAIL, State.WAIVED)
    )
