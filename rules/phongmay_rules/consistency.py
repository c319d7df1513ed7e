"""What one file of a pack alone cannot know: do references lead somewhere, do units agree, is nobody quoted wrongly.

Parsed models go in; PackError with file, key and what was expected comes out, or nothing.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from phongmay_contract.units import Unit
from phongmay_rules.errors import PackError
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.model import (
    KINDS_OF,
    Assessment,
    Bound,
    Check,
    Count,
    NumberFrom,
    OneOf,
    PerHead,
    Presence,
    Rule,
    Share,
    Standard,
    Threshold,
    Window,
)
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.organisation import SchoolLevel

_STRENGTH = tuple(NumberFrom)
_COUNTS: Mapping[str, tuple[SubjectKind, ...]] = {
    "devices": (SubjectKind.ROOM, SubjectKind.SCHOOL),
    "rooms": (SubjectKind.SCHOOL,),
    "schools": (SubjectKind.DISTRICT,),
}
"""Subjects whose rules may count members of a kind."""
_POSSIBLE: Mapping[Unit, tuple[float, float]] = {
    Unit.RATIO: (0.0, 1.0),
    Unit.NONE: (0.0, 1.0),
    Unit.DAY: (-sys.float_info.max, sys.float_info.max),
}
"""What a limit of a unit may be; every other unit counts or measures something and is 0 or more."""


def check_standard(standard: Standard, visible: Standard, file: Path) -> None:
    """Check the clauses and parameters of a pack; `visible` is the pack and what it requires."""
    seen: set[str] = set()
    for clause in standard.clause:
        where = f"clause '{clause.id}'"
        if clause.id in seen:
            raise PackError(f"{file}: {where} stands there twice; expected: each id once")
        seen.add(clause.id)
        document = visible.documents.get(clause.document)
        if document is None:
            raise unknown_name(file, f"{where}: document", clause.document, visible.documents)
        if clause.wording == "verbatim" and not document.body_read:
            raise PackError(
                f"{file}: {where}: wording is 'verbatim', but nobody has read '{clause.document}' (body_read = false); "
                "expected 'reported'"
            )
    seen |= {clause.id for clause in visible.clause}
    for name, parameter in standard.parameters.items():
        where = f"parameters.{name}"
        for key, number in (("low", parameter.low), ("high", parameter.high), ("value", parameter.value)):
            _check_possible(number, parameter.unit, file, f"{where}.{key}")
            if parameter.unit is Unit.NONE and number not in (0, 1):
                raise PackError(f"{file}: key '{where}.{key}' is {number}, expected: 1 (yes) or 0 (no)")
        if not parameter.low <= parameter.value <= parameter.high:
            raise PackError(f"{file}: key '{where}.value' is {parameter.value}, expected: between low and high")
        if parameter.clause and parameter.clause not in seen:
            raise unknown_name(file, f"{where}.clause", parameter.clause, seen)
        if parameter.number_from in (NumberFrom.LAW, NumberFrom.PLAN) and not parameter.clause:
            raise PackError(f"{file}: key '{where}.clause' is missing: a figure of a {parameter.number_from} cites it")


def check_rules(
    own: Standard, rules: Mapping[str, Rule], standard: Standard, visible: Mapping[str, Rule], folder: Path
) -> None:
    """Check every rule of a pack against what it may refer to: catalogue of facts, clauses, parameters, other rules.

    Args:
        own: the pack's standard.
        rules: the pack's rules.
        standard: of the pack and what it requires.
        visible: rules of the pack and of what it requires.
        folder: of the pack, for the error's sentence.
    """
    clauses = {clause.id: clause for clause in standard.clause}
    if not rules:
        raise PackError(f"{folder / 'rules'}: no rules; expected at least one <id>.toml")
    for name, rule in rules.items():
        file = folder / "rules" / f"{name}.toml"
        if rule.id != name:
            raise PackError(f"{file}: key 'id' is '{rule.id}', the file's name says '{name}'")
        if rule.group not in standard.groups:
            raise unknown_name(file, "group", rule.group, standard.groups)
        for clause in rule.clauses:
            if clause not in clauses:
                raise unknown_name(file, "clauses", clause, clauses)
        _check_once(rule, file)
        if rule.duty and rule.duty not in standard.documents:
            raise unknown_name(file, "duty", rule.duty, standard.documents)
        if rule.duty and all(clauses[clause].document != rule.duty for clause in rule.clauses):
            raise PackError(f"{file}: key 'duty' is '{rule.duty}', but no clause of that document stands in 'clauses'")
        if rule.valid_to is not None and rule.valid_to < rule.valid_from:
            raise PackError(f"{file}: key 'valid_to' is {rule.valid_to}, expected: not before {rule.valid_from}")
        _check_subject(rule, file)
        for index, check in enumerate(rule.check):
            _Checker(rule, check, f"check.{index}", standard, visible, file).run()
        _check_origin(rule, standard, file)
    used = {bound for rule in rules.values() for check in rule.check for bound in _parameters(check)}
    for parameter in own.parameters:
        if parameter not in used:
            raise PackError(f"{folder / 'standard.toml'}: key 'parameters.{parameter}' is used by no rule; remove it")
    _check_assessments(own, {clause for rule in rules.values() for clause in rule.clauses}, folder)


def _check_once(rule: Rule, file: Path) -> None:
    """What stands twice in a list was meant to be something else the second time."""
    lists: dict[str, Sequence[object]] = {
        "clauses": rule.clauses, "who_must_act": rule.who_must_act, "subject.of": rule.subject.of,
        "subject.levels": rule.subject.levels, "subject.states": rule.subject.states,
    }  # fmt: skip
    for index, check in enumerate(rule.check):
        for key in ("rules", "of", "states", "values"):
            lists[f"check.{index}.{key}"] = getattr(check, key, ())
    for key, items in lists.items():
        twice = next((item for number, item in enumerate(items) if item in items[:number]), None)
        if twice is not None:
            raise PackError(f"{file}: key '{key}': '{twice}' stands there twice; expected: each once")


def _check_assessments(standard: Standard, cited: set[str], folder: Path) -> None:
    """What a machine judges at least in part has a rule, and what it does not has none."""
    for clause in standard.clause:
        if (clause.assessment is Assessment.MANUAL) == (clause.id in cited):
            expected = "no rule" if clause.assessment is Assessment.MANUAL else "at least one rule"
            raise PackError(
                f"{folder / 'standard.toml'}: clause '{clause.id}' is assessed '{clause.assessment}'; expected: cited "
                f"by {expected}"
            )


def _check_subject(rule: Rule, file: Path) -> None:
    subject = rule.subject
    for kind in subject.of:
        if kind not in KINDS_OF[subject.kind]:
            raise unknown_name(file, "subject.of", kind, KINDS_OF[subject.kind])
    if subject.kind is not SubjectKind.DEVICE and (subject.states or subject.needs_agent):
        raise PackError(f"{file}: keys 'subject.states' and 'subject.needs_agent' are for devices only")
    if subject.kind is SubjectKind.DISTRICT and subject.levels:
        raise PackError(f"{file}: key 'subject.levels' is not for districts; the schools' own rules know the levels")


class _Checker:
    """Checks one check of one rule."""

    def __init__(
        self, rule: Rule, check: Check, key: str, standard: Standard, rules: Mapping[str, Rule], file: Path
    ) -> None:
        self._rule, self._check, self._key = rule, check, key
        self._standard, self._rules, self._file = standard, rules, file

    def run(self) -> None:
        """Check facts, units, parameters and rules that the check names."""
        check = self._check
        if isinstance(check, Threshold):
            if sum(one is not None for one in (check.at_least, check.above, check.at_most)) != 1:
                raise PackError(
                    f"{self._file}: key '{self._key}' needs exactly one of 'at_least', 'above' and 'at_most'"
                )
            unit = self._fact("fact", check.fact, check.unit)
            if isinstance(check.bound, Mapping):
                self._levels(check.operator, check.bound, unit)
            else:
                self._bound(check.operator, check.bound, unit)
            if check.demanded_by:
                self._bound("demanded_by", check.demanded_by, Unit.NONE)
        elif isinstance(check, OneOf):
            self._fact("fact", check.fact, check.unit)
        elif isinstance(check, Presence):
            self._fact("heard", check.heard, Unit.NONE)
            self._bound("at_most", check.at_most, self._fact("silent", check.silent, check.unit))
        elif isinstance(check, Window):
            self._bound("at_least", check.at_least, self._fact("fact", check.fact, check.unit))
            self._bound("known_min", check.known_min, self._fact("known", check.known, Unit.SECOND))
            self._bound("coverage_min", check.coverage_min, self._fact("coverage", check.coverage, Unit.RATIO))
            self._believable(check)
        elif isinstance(check, PerHead):
            self._members(_COUNTS["devices"], "devices", check.of, check.rules)
            self._bound("heads_per_device", check.heads_per_device, Unit.COUNT)
            unit = self._fact("heads", check.heads, Unit.COUNT)
            for level, parameter in check.heads_by_level.items():
                self._bound(f"heads_by_level.{level}", parameter, unit)
        elif isinstance(check, Count):
            self._members(_COUNTS[check.members], check.members, check.of, check.rules)
            self._bound("at_least", check.at_least, Unit.COUNT)
        else:
            self._share(check)

    def _believable(self, check: Window) -> None:
        """A rule, or an organisation that sets its parameter, may ask for more behind a share than the fact has."""
        coverage, bound = FACTS[check.fact].coverage, check.coverage_min
        low = self._standard.parameters[bound].low if isinstance(bound, str) else bound
        if coverage is not None and low < coverage.least:
            raise PackError(
                f"{self._file}: key '{self._key}.coverage_min' may be {low:g}, expected at least {coverage.least:g}: "
                f"below that fact '{check.fact}' has no value"
            )

    def _levels(self, key: str, bounds: Mapping[SchoolLevel, Bound], unit: Unit) -> None:
        """Every level that the rule is for has its bound, and no other one."""
        levels = self._rule.subject.levels
        if set(bounds) != set(levels):
            raise PackError(
                f"{self._file}: key '{self._key}.{key}' names the levels {', '.join(sorted(bounds))}; expected "
                f"those of subject.levels: {', '.join(sorted(levels)) or '(none)'}"
            )
        for level, bound in bounds.items():
            self._bound(f"{key}.{level}", bound, unit)

    def _share(self, check: Share) -> None:
        if bool(check.rules) == bool(check.fact):
            raise PackError(f"{self._file}: key '{self._key}' needs exactly one of 'rules' and 'fact'")
        self._members(_COUNTS[check.members], check.members, check.of, check.rules)
        if check.members == "schools" and check.of:
            raise PackError(f"{self._file}: '{self._key}': of is for devices and rooms only")
        if check.members != "devices" and (check.states or check.with_agent or check.fact):
            raise PackError(f"{self._file}: '{self._key}': states, with_agent and fact are for devices only")
        if check.fact:
            kind = FACTS.get(check.fact)
            if kind is None or kind.subject is not SubjectKind.DEVICE or kind.unit is not Unit.NONE:
                yes_no = [name for name, fact in FACTS.items() if fact.unit is Unit.NONE]
                raise unknown_name(self._file, f"{self._key}.fact", check.fact, yes_no)
        self._bound("at_least", check.at_least, Unit.RATIO)

    def _members(self, kinds: tuple[SubjectKind, ...], members: str, of: Iterable[str], rules: Iterable[str]) -> None:
        known = KINDS_OF[SubjectKind.ROOM if members == "rooms" else SubjectKind.DEVICE]
        if self._rule.subject.kind not in kinds:
            raise PackError(
                f"{self._file}: key '{self._key}' counts members; expected subject.kind: {' or '.join(kinds)}"
            )
        for kind in of:
            if kind not in known:
                raise unknown_name(self._file, f"{self._key}.of", kind, known)
        for rule in rules:
            if rule not in self._rules:
                raise unknown_name(self._file, f"{self._key}.rules", rule, self._rules)
            if rule == self._rule.id:
                raise PackError(
                    f"{self._file}: key '{self._key}.rules': rules read each other in a ring: {rule} > {rule}; "
                    "expected: other rules"
                )

    def _fact(self, key: str, name: str, unit: Unit) -> Unit:
        kind = FACTS.get(name)
        if kind is None:
            raise unknown_name(self._file, f"{self._key}.{key}", name, FACTS)
        if kind.subject is not self._rule.subject.kind:
            own = [fact.name for fact in FACTS.values() if fact.subject is self._rule.subject.kind]
            raise PackError(
                f"{self._file}: key '{self._key}.{key}': fact '{name}' is about a {kind.subject}, the rule judges a "
                f"{self._rule.subject.kind}; expected one of: {', '.join(sorted(own)) or '(it has no facts)'}"
            )
        if kind.unit is not unit:
            raise PackError(
                f"{self._file}: key '{self._key}.unit' is '{unit}', expected '{kind.unit}': the unit of fact '{name}'"
            )
        return kind.unit

    def _bound(self, key: str, bound: Bound, unit: Unit) -> None:
        if not isinstance(bound, str):
            _check_possible(bound, unit, self._file, f"{self._key}.{key}")
            if key == "heads_per_device" and bound <= 0:
                raise PackError(f"{self._file}: key '{self._key}.{key}' is {bound}, expected: more than 0")
            return
        parameter = self._standard.parameters.get(bound)
        if parameter is None:
            raise unknown_name(self._file, f"{self._key}.{key}", bound, self._standard.parameters)
        if parameter.unit is not unit:
            raise PackError(
                f"{self._file}: key '{self._key}.{key}': parameter '{bound}' has unit '{parameter.unit}', "
                f"expected '{unit}'"
            )


def possible(unit: Unit) -> tuple[float, float]:
    """Give the least and the greatest number that a fact of a unit can be."""
    return _POSSIBLE.get(unit, (0.0, sys.float_info.max))


def _check_possible(number: float, unit: Unit, file: Path, key: str) -> None:
    """Refuse what no fact can ever be: infinite, not a number, a share beyond 1, fewer than none."""
    low, high = possible(unit)
    if not low <= number <= high:
        expected = (
            f"between {low:g} and {high:g}" if high <= 1 else "a finite number" + (", 0 or more" if low == 0 else "")
        )
        raise PackError(f"{file}: key '{key}' is {number}, expected: {expected} (unit '{unit}')")


def _bounds(check: Check) -> Iterator[Bound]:
    if isinstance(check, Threshold):
        yield from check.bound.values() if isinstance(check.bound, Mapping) else (check.bound,)
        if check.demanded_by:
            yield check.demanded_by
    elif isinstance(check, Presence):
        yield check.at_most
    elif isinstance(check, Share | Count):
        yield check.at_least
    elif isinstance(check, PerHead):
        yield check.heads_per_device
        yield from check.heads_by_level.values()
    elif isinstance(check, Window):
        yield from (check.at_least, check.known_min, check.coverage_min)


def _parameters(check: Check) -> Iterator[str]:
    return (bound for bound in _bounds(check) if isinstance(bound, str))


def _check_origin(rule: Rule, standard: Standard, file: Path) -> None:
    """A rule may not claim a stronger origin than its weakest parameter has."""
    names = [name for check in rule.check for name in _parameters(check)]
    origins = [standard.parameters[name].number_from for name in names]
    weakest = max(origins, key=_STRENGTH.index, default=None)
    if weakest is not None and _STRENGTH.index(rule.number_from) < _STRENGTH.index(weakest):
        raise PackError(
            f"{file}: key 'number_from' is '{rule.number_from}', expected '{weakest}': the weakest of its parameters "
            f"({', '.join(names)})"
        )


def in_reading_order(rules: Mapping[str, Rule], folder: Path) -> dict[str, Rule]:
    """Give the rules so that each comes after those it reads.

    Raises:
        PackError: they read each other in a ring.
    """
    ordered: dict[str, Rule] = {}

    def add(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise PackError(f"{folder / 'rules'}: rules read each other in a ring: {' > '.join((*path, name))}; "
                            "expected: none of them reads one that reads it")  # fmt: skip
        if name not in ordered:
            for read in rules[name].reads_rules():
                add(read, (*path, name))
            ordered[name] = rules[name]

    for name in sorted(rules):
        add(name, ())
    return ordered


def inherited_origins(name: str, rules: Mapping[str, Rule], standard: Standard) -> tuple[NumberFrom, ...]:
    """Give the origins of all figures that a rule takes over from the rules it aggregates, strongest first."""
    found: set[NumberFrom] = set()
    queue = list(rules[name].reads_rules())
    while queue:
        rule = rules[queue.pop()]
        found.add(rule.number_from)
        found |= {standard.parameters[p].number_from for check in rule.check for p in _parameters(check)}
        queue += rule.reads_rules()
    return tuple(sorted(found, key=_STRENGTH.index))


def unknown_name(file: Path, key: str, value: str, known: Iterable[str]) -> PackError:
    """Say that a name leads nowhere, with the nearest that would."""
    names = sorted(known)
    close = difflib.get_close_matches(value, names, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"expected one of: {', '.join(names) or '(nothing)'}"
    return PackError(f"{file}: key '{key}': unknown '{value}'; {hint}")
