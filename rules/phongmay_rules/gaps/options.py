"""What can be done: failing verdicts and prices go in, priced options come out, each with the verdicts it turns green.

Nothing here guesses an effect: an option's expected facts are put in place of the measured ones and the rules are asked
again. A rule that is unknown is never a reason to buy anything.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from phongmay_rules.checks.outcome import Setting
from phongmay_rules.facts.records import FactValue
from phongmay_rules.gaps.prices import Item, ItemKind, Prices
from phongmay_rules.judging import Judgement, Subject, judge
from phongmay_rules.model import Check, Pack, Rule
from phongmay_store.register.ageing import BY_THE_CLOCK, Ageing
from phongmay_store.register.compliance import State, SubjectKind

Target = tuple[str, str, str]
"""(kind of subject, id, rule), or "fact:NAME" in place of a rule where an aggregate reads a yes/no fact of a device."""
FACT = "fact:"
MEMORY = "ram_marketed_bytes"
REPAIRED = "repaired"
"""In place of a rule: a device in repair is in service again."""
DOWNLOAD, UPLOAD = "download_p50_bps", "upload_p50_bps"
SHARES_OF_DOWNLOAD = ("download_per_student_bps", "download_per_pc_bps")
MAX_MODULES = 4
MAX_PARTS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """So many of one item for one subject.

    Attributes:
        note: "" or a code of what is not known: "slots_unknown".
    """

    item: Item
    count: int
    note: str = ""

    @property
    def cost(self) -> int:
        """Price in whole VND."""
        return self.count * self.item.price_vnd


@dataclass(frozen=True)
class Option:
    """Something that can be decided.

    Attributes:
        subject: device, room or school that it is done to.
        lines: what is bought.
        fixes: failing verdicts that pass afterwards.
        sets: facts afterwards, by device (or by the room or school itself).
        at_most: how many times it may be chosen.
        adds_to: room in which each one puts one more working PC.
        repairs: the device is in service again afterwards.
        builds: kind of room that each one adds to the school ("" = none).
        fits_out: number of PCs of the room that it makes; None = it makes none.
    """

    subject: tuple[str, str]
    lines: tuple[Line, ...]
    fixes: frozenset[Target] = frozenset()
    sets: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    at_most: int = 1
    adds_to: str = ""
    repairs: bool = False
    builds: str = ""
    fits_out: int | None = None

    @property
    def cost(self) -> int:
        """Price of one in whole VND."""
        return sum(line.cost for line in self.lines)


@dataclass(frozen=True)
class Bench:
    """What one needs to try an effect on the subjects of one school."""

    pack: Pack
    rules: Mapping[str, Rule]
    settings: Mapping[str, Setting]
    at: float
    today: date
    ageings: Mapping[tuple[str, str], Ageing] = field(default_factory=dict)

    def judge(self, rule: str, subject: Subject, facts: Mapping[str, FactValue]) -> Judgement:
        """Judge a subject that has no members."""
        inherited = self.pack.inherited[rule]
        return judge(self.rules[rule], subject, facts, (), self.settings, self.at, inherited, self._ageing(subject))

    def judge_alone(self, rule: Rule, check: Check, subject: Subject, facts: Mapping[str, FactValue]) -> Judgement:
        """Judge a subject that has no members by one check of a rule."""
        one = rule.model_copy(update={"check": (check,)})
        return judge(one, subject, facts, (), self.settings, self.at, ageing=self._ageing(subject))

    def _ageing(self, subject: Subject) -> Ageing:
        return self.ageings.get((subject.kind, subject.id), BY_THE_CLOCK)

    def after(self, facts: Mapping[str, FactValue], sets: Mapping[str, float]) -> dict[str, FactValue]:
        """Give facts with the expected ones in place of the measured ones."""
        return {**facts, **{name: FactValue(0, name, value, "", self.at, "expected") for name, value in sets.items()}}

    def fixed(
        self, targets: Iterable[Target], subject: Subject, facts: Mapping[str, FactValue], sets: Mapping[str, float]
    ) -> frozenset[Target]:
        """Give those targets on a device that pass with the expected facts."""
        after = self.after(facts, sets)
        return frozenset(target for target in targets if self._passes(target[2], subject, after))

    def _passes(self, rule: str, subject: Subject, facts: Mapping[str, FactValue]) -> bool:
        if rule == REPAIRED:
            return False
        if rule.startswith(FACT):
            found = facts.get(rule.removeprefix(FACT))
            return found is not None and not found.missing and bool(found.value)
        return self.judge(rule, subject, facts).state is State.PASS


def device_options(
    bench: Bench, prices: Prices, subject: Subject, facts: Mapping[str, FactValue], targets: Sequence[Target]
) -> list[Option]:
    """Give the sensible packages of measures for one device: none costs more than another that fixes the same.

    Args:
        bench: what judges.
        prices: what there is to buy.
        subject: the device.
        facts: its facts.
        targets: its failing verdicts.
    """
    found: list[Option] = []
    for lines, sets in _packages(bench, prices, facts, targets):
        fixes = bench.fixed(targets, subject, facts, sets)
        if fixes:
            found.append(Option((subject.kind, subject.id), lines, fixes, {subject.id: sets}))
    return undominated(found)


def repair_options(
    bench: Bench, prices: Prices, subject: Subject, failing: frozenset[Target], options: Sequence[Option]
) -> list[Option]:
    """Give the repair of a device alone, and together with each package that mends all that fails on it.

    A device that would come back with something failing is not offered: it would mend the count of its room and break
    the share of good devices.

    Args:
        bench: what judges.
        prices: what there is to buy.
        subject: the device, in repair.
        failing: its failing verdicts.
        options: its packages.
    """
    back: Target = (subject.kind, subject.id, REPAIRED)
    found = []
    for item in prices.of(ItemKind.REPAIR)[:1]:
        sets = dict(item.effects(bench.today))
        line = Line(item, 1)
        if not failing:
            found.append(
                Option((subject.kind, subject.id), (line,), frozenset({back}), {subject.id: sets}, repairs=True)
            )
        for option in options:
            if failing <= option.fixes:
                both = {subject.id: {**sets, **option.sets.get(subject.id, {})}}
                lines = (line, *option.lines)
                found.append(Option(option.subject, lines, option.fixes | {back}, both, repairs=True))
    return found


def part_options(
    bench: Bench, items: Sequence[Item], subject: Subject, facts: Mapping[str, FactValue], targets: Sequence[Target]
) -> list[Option]:
    """Give the sensible sets of parts for a room or school: none costs more than another that fixes the same.

    A part is never bought in place of what nobody has declared: it may be there.

    Args:
        bench: what judges.
        items: parts that set facts of such a subject.
        subject: the room or school.
        facts: its facts.
        targets: its failing verdicts.
    """
    relevant = _facts_read(bench, targets)
    known = {name for name, fact in facts.items() if not fact.missing}
    useful = [item for item in items if relevant & item.sets.keys() and item.sets.keys() <= known]
    found = []
    for size in range(1, min(len(useful), MAX_PARTS) + 1):
        for chosen in itertools.combinations(useful, size):
            sets: dict[str, float] = {}
            if _apply(bench, facts, chosen, sets):
                fixes = bench.fixed(targets, subject, facts, sets)
                if fixes:
                    lines = tuple(Line(item, 1) for item in chosen)
                    found.append(Option((subject.kind, subject.id), lines, fixes, {subject.id: sets}))
    return undominated(found)


def line_options(
    bench: Bench, prices: Prices, subject: Subject, facts: Mapping[str, FactValue], targets: Sequence[Target]
) -> list[Option]:
    """Give the faster lines that mend failing rates of a school: none costs more than another that fixes the same.

    A rate for each pupil or PC grows as the school's rate does, so the pupils need not be known. Where the school's
    rate was not measured nothing is offered, and a line below its contract is the provider's to mend, not the buyer's.

    Args:
        bench: what judges.
        prices: what there is to buy.
        subject: the school.
        facts: its facts.
        targets: its failing verdicts.
    """
    found = []
    for item in prices.of(ItemKind.LINE):
        sets = faster_rates(facts, item.rate_bps or 0)
        fixes = bench.fixed(targets, subject, facts, sets) if sets else frozenset()
        if fixes:
            found.append(Option((subject.kind, subject.id), (Line(item, 1),), fixes, {subject.id: sets}))
    return undominated(found)


def faster_rates(facts: Mapping[str, FactValue], rate: float) -> dict[str, float]:
    """Give the rates with a line of this rate; nothing where it is no faster than what is there."""
    known = {
        name: float(fact.value)
        for name in (DOWNLOAD, UPLOAD, *SHARES_OF_DOWNLOAD)
        if (fact := facts.get(name)) is not None and not fact.missing and isinstance(fact.value, int | float)
    }
    download = known.get(DOWNLOAD, 0.0)
    if not 0 < download < rate:
        return {}
    sets = {name: known[name] * rate / download for name in SHARES_OF_DOWNLOAD if name in known}
    if UPLOAD in known:
        sets[UPLOAD] = max(rate, known[UPLOAD])
    return sets | {DOWNLOAD: rate}


def undominated(options: Iterable[Option]) -> list[Option]:
    """Leave out what another option does as well for no more money (the first of equals stays)."""
    kept: list[Option] = []
    for option in sorted(options, key=lambda option: (option.cost, -len(option.fixes), len(option.lines))):
        if not any(option.fixes <= other.fixes for other in kept):
            kept.append(option)
    return kept


def _packages(
    bench: Bench, prices: Prices, facts: Mapping[str, FactValue], targets: Sequence[Target]
) -> Iterator[tuple[tuple[Line, ...], dict[str, float]]]:
    relevant = _facts_read(bench, targets)
    works = [item for kind in (ItemKind.PART, ItemKind.WORK) for item in prices.of(kind)]
    useful = [item for item in works if relevant & item.effects(bench.today).keys()]
    relevant |= {name for item in useful for name in item.needs}
    useful = [item for item in works if relevant & item.effects(bench.today).keys()]
    sizes: list[tuple[Line, float] | None] = [None]
    if MEMORY in relevant:
        sizes += _worthwhile(memories(prices, facts.get(MEMORY)))
    for memory in sizes:
        for size in range(len(useful) + 1):
            for chosen in itertools.combinations(useful, size):
                sets: dict[str, float] = {} if memory is None else {MEMORY: memory[1]}
                if _apply(bench, facts, chosen, sets):
                    yield ((memory[0],) if memory else ()) + tuple(Line(item, 1) for item in chosen), sets
    for item in prices.of(ItemKind.PC):
        yield (Line(item, 1),), dict(item.effects(bench.today))


def _apply(bench: Bench, facts: Mapping[str, FactValue], chosen: Sequence[Item], sets: dict[str, float]) -> bool:
    """Add the effects of some items; False when two set the same fact or a need is not known to be met."""
    for item in chosen:
        effects = item.effects(bench.today)
        if effects.keys() & sets.keys():
            return False
        sets |= effects
    after = bench.after(facts, sets)
    for item in chosen:
        for name, least in item.needs.items():
            fact = after.get(name)
            if fact is None or fact.missing or not isinstance(fact.value, int | float) or fact.value < least:
                return False
    return bool(sets) or not chosen


def memories(prices: Prices, fact: FactValue | None) -> Iterator[tuple[Line, float]]:
    """Give ways to more memory: modules in free slots, or all modules replaced.

    Where the slots are not known (or soldered) one larger module in place of all is priced, and the line says so.
    """
    if fact is None or fact.missing or not isinstance(fact.value, int | float):
        return
    detail = fact.detail or {}
    slots, used = detail.get("slots"), detail.get("slots_used")
    for item in prices.of(ItemKind.MEMORY):
        size = item.size_bytes or 0
        if isinstance(slots, int) and isinstance(used, int):
            for count in range(1, min(slots - used, MAX_MODULES) + 1):
                yield Line(item, count), fact.value + count * size
            for count in range(1, min(slots, MAX_MODULES) + 1):
                if count * size > fact.value:
                    yield Line(item, count, "replaces"), float(count * size)
        elif size > fact.value:
            yield Line(item, 1, "slots_unknown"), float(size)


def _worthwhile(memories: Iterable[tuple[Line, float]]) -> list[tuple[Line, float]]:
    """Keep what gives more memory than everything that is no dearer."""
    kept: list[tuple[Line, float]] = []
    for memory in sorted(memories, key=lambda memory: (memory[0].cost, -memory[1], memory[0].count)):
        if not kept or memory[1] > kept[-1][1]:
            kept.append(memory)
    return kept


def _facts_read(bench: Bench, targets: Iterable[Target]) -> set[str]:
    """Give the facts that failing rules read."""
    found: set[str] = set()
    for _, _, rule in targets:
        if rule == REPAIRED:
            continue
        if rule.startswith(FACT):
            found.add(rule.removeprefix(FACT))
        else:
            for check in bench.rules[rule].check:
                found |= {value for value in check.model_dump().values() if isinstance(value, str)}
    return found


def switch_options(
    bench: Bench,
    prices: Prices,
    room: str,
    devices: Sequence[tuple[Subject, Mapping[str, FactValue]]],
    targets: Mapping[str, Sequence[Target]],
) -> list[Option]:
    """Give switches for a room; enough of them for all its devices.

    Args:
        bench: what judges.
        prices: what there is to buy.
        room: id of the room.
        devices: every device of the room with its facts.
        targets: failing verdicts by device.
    """
    found = []
    for item in prices.of(ItemKind.SWITCH):
        sets = item.effects(bench.today)
        fixes: set[Target] = set()
        touched = {}
        for subject, facts in devices:
            fixed = bench.fixed(targets.get(subject.id, ()), subject, facts, sets)
            if fixed:
                fixes |= fixed
                touched[subject.id] = sets
        count = -(-len(devices) // (item.ports or 1))
        if fixes:
            found.append(Option((SubjectKind.ROOM, room), (Line(item, count),), frozenset(fixes), touched))
    return undominated(found)


def new_pc(bench: Bench, prices: Prices, school: Subject) -> Item | None:
    """Give the cheapest PC that fails no rule for a PC of the school; None when each does.

    A rule about something that the price file does not tell stays unknown until the PC is there.
    """
    subject = Subject(SubjectKind.DEVICE, "new", school.unit_id, "pc", school.level)
    rules = [
        rule.id
        for rule in bench.rules.values()
        if rule.subject.kind is SubjectKind.DEVICE and (not rule.subject.of or "pc" in rule.subject.of)
    ]
    for item in prices.of(ItemKind.PC):
        facts = bench.after({}, item.effects(bench.today))
        if all(bench.judge(rule, subject, facts).state not in (State.FAIL, State.ERROR) for rule in rules):
            return item
    return None
