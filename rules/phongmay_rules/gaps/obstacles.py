"""Why a red verdict stays red: a problem, its verdict and what the solver can mend go in, obstacles come out.

Every failing verdict that no purchase turns green gets at least one obstacle: a limit that nothing in the price file
reaches, data that must be there first, an act that nobody can buy, a budget that does not reach. Nothing is guessed:
what an item would reach is read from the price file, what a rule demands from the judgement itself. Words for people
are in `obstacle_words`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from phongmay_rules.facts.records import FactValue
from phongmay_rules.gaps.options import (
    DOWNLOAD,
    FACT,
    MEMORY,
    REPAIRED,
    SHARES_OF_DOWNLOAD,
    UPLOAD,
    Target,
    faster_rates,
    memories,
    new_pc,
)
from phongmay_rules.gaps.prices import Item, ItemKind, Prices
from phongmay_rules.gaps.problem import (
    PUPILS_PER_PC,
    Problem,
    bench_of,
    is_paperwork,
    room_size,
    rules_of_smart_rooms,
    school_subject,
)
from phongmay_rules.gaps.smart_rooms import lacking
from phongmay_rules.judging import Judgement, Subject
from phongmay_rules.judging_units import subjects_of
from phongmay_rules.model import Check, Count, PerHead, Presence, Rule, Share
from phongmay_rules.reasons import Reason
from phongmay_rules.standing import Judged, Standing
from phongmay_store.register.compliance import State, SubjectKind

ROOMS = "computer_rooms"
RATES = frozenset({DOWNLOAD, UPLOAD, *SHARES_OF_DOWNLOAD})
ACTS = frozenset(
    {
        "report_days_before_20", "report_days_before_25", "download_contract_ratio", "upload_contract_ratio",
        "availability_30d_ratio", "room_availability_30d_ratio", "line_availability_month_ratio", "line_busy_p95_ratio",
        "concurrent_pass_ratio", "concurrent_p10_bps", "download_per_pc_bps", "rtt_mean_s", "loss_ratio", "area_m2",
        "area_per_student_m2", "class_size",
    }
)  # fmt: skip
"""Facts that somebody's doing changes; where a price file sells something for one all the same, that is looked at."""
_DEVICE_ITEMS = (ItemKind.PC, ItemKind.MEMORY, ItemKind.PART, ItemKind.WORK, ItemKind.SWITCH)
_ITEMS: Mapping[str, tuple[ItemKind, ...]] = {
    SubjectKind.DEVICE: _DEVICE_ITEMS,
    SubjectKind.ROOM: (ItemKind.ROOM_PART,),
    SubjectKind.SCHOOL: (ItemKind.SCHOOL_PART,),
}


class Why(StrEnum):
    """Kinds of obstacle."""

    BUDGET = "budget"
    ENTRY = "entry"
    DATA = "data"
    ACT = "act"
    NO_ITEM = "no_item"
    NONE_FITS = "none_fits"
    EXCLUDED = "excluded"
    ROOM_SIZE = "room_size"
    NO_ROOM = "no_room"
    MEMBERS = "members"
    UNDECIDED = "undecided"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason why a verdict stays red.

    Attributes:
        fact: what fails, or what is missing; "" = no single fact.
        item: kind of item that is looked for; "" = any.
        reason: code why data are missing.
        rule: rule whose demand nothing meets.
        operator: "at_least", "above" or "at_most", with
        limit: what the rule demands (base unit `unit`), and
        best: the best that the price file reaches; None = it cannot be told as one number.
        parameter: name of the limit, where it is one.
        count: members that keep an aggregate red, of
        members: this kind, for
        cause: this reason; None = the members themselves say why.
    """

    why: Why
    fact: str = ""
    item: str = ""
    reason: str = ""
    rule: str = ""
    operator: str = ""
    limit: float | None = None
    best: float | None = None
    unit: str = ""
    parameter: str = ""
    count: int = 0
    members: str = ""
    cause: Obstacle | None = None


Obstacles = Mapping[Target, tuple[Obstacle, ...]]


def obstacles_of(
    standing: Standing,
    problem: Problem,
    judged: Judged,
    prices: Prices,
    *,
    wanted: frozenset[str],
    green: Collection[Target],
    mendable: Collection[Target],
    is_proven: bool = True,
) -> dict[Target, tuple[Obstacle, ...]]:
    """Give for each verdict of a school that stays red why it does.

    Args:
        standing: where the problem is from.
        problem: the school.
        judged: its judgements before.
        prices: what there is to buy.
        wanted: rules that are to be turned green.
        green: verdicts that the list turns green.
        mendable: verdicts that a list without a budget turns green.
        is_proven: both lists are the best there are; else what money could mend was perhaps just not found.
    """
    search = _Search(standing, problem, judged, prices, frozenset(mendable), wanted)
    found: dict[Target, tuple[Obstacle, ...]] = {
        target: (Obstacle(Why.ENTRY, fact=search.first_fact(target)),) for target in problem.paperwork
    }
    for target in problem.targets:
        if target in green:
            continue
        if not is_proven and search.is_offered(target):
            found[target] = (Obstacle(Why.TIME),)
        else:
            found[target] = (Obstacle(Why.BUDGET),) if target in mendable else search.of(target)
    return found


def obstacles_above(
    before: Judged, after: Judged, rules: Iterable[Rule], wanted: frozenset[str]
) -> dict[Target, tuple[Obstacle, ...]]:
    """Give for each red verdict on a unit above schools why it does not turn green with the list."""
    found: dict[Target, tuple[Obstacle, ...]] = {}
    by_id = {rule.id: rule for rule in rules}
    for key, was in sorted(before.items()):
        if key[2] in wanted and was.state is State.FAIL and after[key].state is not State.PASS:
            found[key] = _above(by_id[key[2]], after[key])
    return found


def _above(rule: Rule, after: Judgement) -> tuple[Obstacle, ...]:
    if after.state is not State.FAIL:
        return (Obstacle(Why.UNDECIDED),)
    if "met" in after.measured:
        left = after.measured["total"] - after.measured["met"] - after.measured["perhaps"]
        return (Obstacle(Why.MEMBERS, count=left, members=SubjectKind.SCHOOL),)
    return tuple(Obstacle(Why.ACT if fact in ACTS else Why.NO_ITEM, fact=fact) for fact in sorted(rule.facts()))


class _Search:
    """Looks for the obstacles of one school."""

    def __init__(
        self, standing: Standing, problem: Problem, judged: Judged, prices: Prices, mendable: frozenset[Target],
        wanted: frozenset[str],
    ) -> None:  # fmt: skip
        self._standing, self._problem, self._judged, self._prices = standing, problem, judged, prices
        self._bench, self._mendable, self._wanted = bench_of(standing, problem.school), mendable, wanted
        places = subjects_of(problem.school)
        self._subjects = {(s.kind, s.id): s for kind in places for s in places[kind]}
        self._school = school_subject(problem.school)
        self._offered = frozenset().union(*(option.fixes for option in problem.options))
        self._pc = new_pc(self._bench, prices, self._school)

    def first_fact(self, target: Target) -> str:
        """Give the fact that a rule is about."""
        return min(self._bench.rules[target[2]].facts(), default="")

    def is_offered(self, target: Target) -> bool:
        """Tell whether something would mend it, alone or with its members."""
        return target in self._offered or target in self._mendable

    def of(self, target: Target) -> tuple[Obstacle, ...]:
        """Give the obstacles of one verdict, each once; never none."""
        if target in self._offered:
            return (Obstacle(Why.EXCLUDED),)
        if target[2] == REPAIRED:
            return tuple(dict.fromkeys(self._repair(target)))
        if target[2].startswith(FACT):
            return tuple(dict.fromkeys(self._thing(target, target[2].removeprefix(FACT), None)))
        rule = self._bench.rules[target[2]]
        found = [each for check in rule.check for each in self._check(target, rule, check)]
        found += self._missing(target)
        return tuple(dict.fromkeys(found)) or (Obstacle(Why.NO_ITEM, fact=self.first_fact(target)),)

    def _check(self, target: Target, rule: Rule, check: Check) -> Iterator[Obstacle]:
        if isinstance(check, Share | Count | PerHead):
            yield from self._aggregate(target, check)
            return
        subject = self._subjects[target[:2]]
        alone = self._bench.judge_alone(rule, check, subject, self._facts(target))
        if alone.state is State.FAIL:
            fact = check.silent if isinstance(check, Presence) else check.fact
            yield from self._thing(target, fact, alone)

    def _thing(self, target: Target, fact: str, alone: Judgement | None) -> Iterator[Obstacle]:
        """Give why nothing that one buys puts one fact of one subject right."""
        if fact == PUPILS_PER_PC:
            yield from self._more_pcs()
        elif fact == ROOMS:
            yield from self._more_rooms()
        elif fact in RATES:
            yield from self._faster_line(target, fact, alone)
        else:
            offers = [item for item in self._items(target[0]) if fact in self._effects(item)]
            more = list(memories(self._prices, self._facts(target).get(fact))) if fact == MEMORY else []
            if not offers and not more:
                yield Obstacle(Why.ACT if fact in ACTS else Why.NO_ITEM, fact=fact)
                return
            values = [self._effects(item)[fact] for item in offers] + [value for _, value in more]
            if alone is None or not self._reaches(alone, values):
                kind = ItemKind.PC if any(item.kind is ItemKind.PC for item in offers) else offers[0].kind
                yield _none_fits(fact, kind, target[2], alone, values)
                return
            for item in offers:
                yield from self._unmet(target, item)

    def _unmet(self, target: Target, item: Item) -> Iterator[Obstacle]:
        """Give what must be known before an item that would do may be bought."""
        facts = self._facts(target)
        asked = item.needs if target[0] == SubjectKind.DEVICE else item.sets
        for name in sorted(asked):
            fact = facts.get(name)
            if fact is None or fact.missing:
                yield Obstacle(Why.DATA, fact=name, reason=fact.missing if fact else Reason.NO_DATA)

    def _faster_line(self, target: Target, fact: str, alone: Judgement | None) -> Iterator[Obstacle]:
        facts = self._facts(target)
        rate, lines = facts.get(DOWNLOAD), self._prices.of(ItemKind.LINE)
        if rate is None or rate.missing:
            yield Obstacle(Why.DATA, fact=DOWNLOAD, reason=rate.missing if rate else Reason.NO_DATA)
        elif not lines:
            yield Obstacle(Why.NO_ITEM, fact=fact, item=ItemKind.LINE)
        else:
            values = [sets[fact] for item in lines if fact in (sets := faster_rates(facts, item.rate_bps or 0))]
            if alone is None or not self._reaches(alone, values):
                yield _none_fits(fact, ItemKind.LINE, target[2], alone, values)

    def _more_rooms(self) -> Iterator[Obstacle]:
        size = room_size(self._bench, self._problem.school, self._wanted)
        if not self._prices.of(ItemKind.ROOM):
            yield Obstacle(Why.NO_ITEM, fact=ROOMS, item=ItemKind.ROOM)
        elif size is None:
            yield Obstacle(Why.ROOM_SIZE, fact=ROOMS)
        elif size and self._pc is None:
            yield self._no_pc()

    def _more_pcs(self) -> Iterator[Obstacle]:
        if self._pc is None:
            yield self._no_pc()
        elif not self._problem.school.rooms:
            yield Obstacle(Why.NO_ROOM, fact=PUPILS_PER_PC)

    def _repair(self, target: Target) -> Iterator[Obstacle]:
        if not self._prices.of(ItemKind.REPAIR):
            yield Obstacle(Why.NO_ITEM, item=ItemKind.REPAIR)
        for key, was in self._judged.items():
            if key[:2] == target[:2] and was.state is State.FAIL and not is_paperwork(self._bench.rules[key[2]]):
                yield from () if key in self._offered else self.of(key)

    def _aggregate(self, target: Target, check: Share | Count | PerHead) -> Iterator[Obstacle]:
        """Give why too few members come right: each reason with how many it keeps back."""
        causes: Counter[Obstacle] = Counter()
        alone = Counter[str]()
        kind = SubjectKind.ROOM if not isinstance(check, PerHead) and check.members == "rooms" else SubjectKind.DEVICE
        for count in (count for count in self._problem.counts if count.target == target):
            for member in count.members:
                left = [below for below in member if below not in self._mendable and below not in self._offered]
                why = list(dict.fromkeys(each for below in left for each in self.of(below)))
                causes.update(why)
                alone[kind] += bool(left)
            if count.rooms and not alone[kind]:
                yield from self._nothing_added(target, kind, count.missing)
            elif not alone[kind]:
                yield Obstacle(Why.MEMBERS, count=max(1, math.ceil(count.missing)), members=kind)
        for cause, number in causes.items():
            yield Obstacle(Why.MEMBERS, count=number, members=kind, cause=cause)
        if causes and isinstance(check, PerHead) and self._pc is None:
            yield self._no_pc()

    def _nothing_added(self, target: Target, kind: str, missing: float) -> Iterator[Obstacle]:
        """Give why an aggregate that more of the same would mend gets no more of them."""
        if kind == SubjectKind.ROOM:
            yield from self._no_smart_room(target)
        elif self._pc is None:
            yield self._no_pc()
        else:
            yield Obstacle(Why.MEMBERS, count=max(1, math.ceil(missing)), members=kind)

    def _no_smart_room(self, target: Target) -> Iterator[Obstacle]:
        """Give the components for which the price file has nothing; or that it fits out no smart classroom at all."""
        rules, facts = rules_of_smart_rooms(self._bench, [target]), list[str]()
        if self._prices.of(ItemKind.SMART_ROOM):
            facts = lacking(self._bench, self._prices, self._school, rules)
        for fact in facts:
            yield Obstacle(Why.NO_ITEM, fact=fact, item=ItemKind.ROOM_PART)
        if not facts:
            yield Obstacle(Why.NO_ITEM, item=ItemKind.SMART_ROOM)

    def _no_pc(self) -> Obstacle:
        """Say which demand no PC of the price file meets: of the PC that misses fewest, the first one."""
        subject = Subject(SubjectKind.DEVICE, "new", self._school.unit_id, "pc", self._school.level)
        best: list[tuple[str, Judgement]] | None = None
        for item in self._prices.of(ItemKind.PC):
            facts = self._bench.after({}, self._effects(item))
            bad = [
                (rule.id, found)
                for rule in self._bench.rules.values()
                if rule.subject.kind is SubjectKind.DEVICE and (not rule.subject.of or "pc" in rule.subject.of)
                and (found := self._bench.judge(rule.id, subject, facts)).state is State.FAIL
            ]  # fmt: skip
            best = bad if best is None or 0 < len(bad) < len(best) else best
        if not best:
            return Obstacle(Why.NO_ITEM, item=ItemKind.PC)
        rule, judgement = best[0]
        fact = str(judgement.measured.get("fact", ""))
        values = [effects[fact] for item in self._prices.of(ItemKind.PC) if fact in (effects := self._effects(item))]
        return _none_fits(fact, ItemKind.PC, rule, judgement, values)

    def _missing(self, target: Target) -> Iterator[Obstacle]:
        """Give what the verdict itself lacks: it fails by the rest, and cannot be mended before all is known."""
        for item in self._judged[target].evidence if target in self._judged else ():
            if item.get("missing") and "name" in item:
                yield Obstacle(Why.DATA, fact=item["name"], reason=str(item["missing"]))

    def _items(self, kind: str) -> Iterable[Item]:
        return [item for sort in _ITEMS.get(kind, ()) for item in self._prices.of(sort)]

    def _effects(self, item: Item) -> dict[str, int | float]:
        return item.effects(self._bench.today)

    def _facts(self, target: Target) -> Mapping[str, FactValue]:
        return self._standing.facts.get((SubjectKind(target[0]), target[1]), {})

    def _reaches(self, alone: Judgement, values: Iterable[float]) -> bool:
        required = alone.required
        if required.get("operator") == "one_of":
            return any(value in required["values"] for value in values)
        if required.get("operator") == "at_most":
            return any(value <= required["value"] for value in values)
        if required.get("operator") == "above":
            return any(value > required["value"] for value in values)
        return any(value >= required.get("value", math.inf) for value in values)


def _none_fits(fact: str, kind: str, rule: str, alone: Judgement | None, values: Iterable[float]) -> Obstacle:
    required: Mapping[str, Any] = alone.required if alone else {}
    operator = str(required.get("operator", ""))
    best = (min if operator == "at_most" else max)(values, default=None)
    limit = required.get("value")
    return Obstacle(
        Why.NONE_FITS, fact=fact, item=kind, rule=rule, operator=operator, limit=limit,
        best=None if operator == "one_of" else best, unit=str(required.get("unit", "")),
        parameter=str(required.get("parameter", "")),
    )  # fmt: skip
