"""What every check works with and gives back. Pure values: nothing here reads a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from phongmay_contract.units import Unit
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.facts.records import FactValue
from phongmay_rules.model import Bound, BoundByLevel, NumberFrom
from phongmay_rules.reasons import Reason
from phongmay_store.register.ageing import BY_THE_CLOCK, Ageing
from phongmay_store.register.compliance import State
from phongmay_store.register.organisation import SchoolLevel

Found = Mapping[str, FactValue]
_Check = TypeVar("_Check")
_Ready = TypeVar("_Ready")


@dataclass(frozen=True, slots=True)
class Setting:
    """The value of a parameter that is in force for a subject.

    Attributes:
        set_by: unit that set it; "" = the pack's default.
        in_bounds: the value lies within the pack's bounds; otherwise nothing is judged by it.
        source: document and place from which the unit took it ("" = its own figure, or the pack's).
    """

    value: float
    unit: Unit
    number_from: NumberFrom
    set_by: str = ""
    in_bounds: bool = True
    source: str = ""


@dataclass(slots=True)
class Member:
    """A device, room or school that an aggregate counts. Not frozen, as `Found` is not.

    Attributes:
        sort: kind of device or room ("" for a school).
        states: for each rule the states of its verdicts on the member and on what lies below it.
        state: of the device: in_service or in_repair ("" for a school).
        has_agent: an agent is expected to report.
    """

    kind: str
    id: str
    sort: str = ""
    state: str = ""
    has_agent: bool = True
    states: Mapping[str, Sequence[str]] = field(default_factory=dict)
    facts: Found = field(default_factory=dict)


@dataclass(slots=True)
class Context:
    """Everything that a check may look at. Not frozen, as `Found` is not.

    Attributes:
        ageing: how values grow old in the hours of the subject's room: closed time adds nothing.
        ready: what checks made of themselves, the parameters and the level (`once`), for all who are judged by these.
    """

    facts: Found
    members: Sequence[Member]
    parameters: Mapping[str, Setting]
    own_number: NumberFrom
    level: str
    at: float
    ageing: Ageing = BY_THE_CLOCK
    ready: dict[int, Any] = field(default_factory=dict)

    def once(self, check: _Check, make: Callable[[_Check, Context], _Ready]) -> _Ready:
        """Give what a check makes of itself, the parameters and the level; it is made once and nobody changes it."""
        made: _Ready | None = self.ready.get(id(check))
        if made is None:
            made = self.ready[id(check)] = make(check, self)
        return made

    def is_stale(self, fact_at: float, freshness_s: float) -> bool:
        """Tell whether a value is older than it may be, by the hours in which its subject is in use."""
        return self.ageing.is_older(fact_at, self.at, freshness_s)


class Measured:
    """What is said of a fact's value: machines with the same value share it.

    Args:
        fact: name.
        unit: of the value.
    """

    __slots__ = ("_fact", "_made", "_unit")

    def __init__(self, fact: str, unit: str) -> None:
        self._fact, self._unit = fact, unit
        self._made: dict[tuple[type, object], dict[str, Any]] = {}

    def of(self, value: float | str | None) -> dict[str, Any]:
        """Give it for one value; nobody changes it."""
        key = (type(value), value)  # 1 and 1.0 are written in other words
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = {"fact": self._fact, "value": value, "unit": self._unit}
        return made


class Outcome(NamedTuple):
    """What one check found."""

    state: State
    reason: Reason
    measured: dict[str, Any]
    required: dict[str, Any]
    evidence: tuple[dict[str, Any], ...]


class Limit(NamedTuple):
    """A threshold with its origin."""

    value: float
    number_from: NumberFrom
    parameter: str = ""
    set_by: str = ""
    source: str = ""

    def required(self, operator: str, unit: str, **more: Any) -> dict[str, Any]:
        """Give the demand as it is stored with the verdict."""
        out: dict[str, Any] = {
            "operator": operator, "value": self.value, "unit": unit, "number_from": self.number_from, **more,
        }  # fmt: skip
        if self.parameter:
            out["parameter"] = self.parameter
        if self.set_by:
            out["set_by"] = self.set_by
        if self.source:
            out["source"] = self.source
        return out


class BadParameterError(Exception):
    """A parameter that an organisation set lies outside the pack's bounds."""

    def __init__(self, name: str, setting: Setting) -> None:
        super().__init__(name)
        self.name = name
        self.setting = setting


def limit(bound: Bound | BoundByLevel, context: Context) -> Limit:
    """Resolve a bound: a number stands for itself, a name for the parameter in force, a mapping for the level's own.

    Raises:
        BadParameterError: the value in force is out of bounds.
    """
    if isinstance(bound, Mapping):
        return limit(bound[SchoolLevel(context.level)], context)
    if not isinstance(bound, str):
        return Limit(bound, context.own_number)
    setting = context.parameters[bound]
    if not setting.in_bounds:
        raise BadParameterError(bound, setting)
    return Limit(setting.value, setting.number_from, bound, setting.set_by, setting.source)


def read(name: str, context: Context) -> tuple[float | str | None, Reason | None, dict[str, Any]]:
    """Give a fact's value, or why it cannot be used, and the evidence item for it.

    A value that is older than the fact's freshness is no value; closed time does not age it.
    """
    kind = FACTS[name]
    fact = context.facts.get(name)
    if fact is None:
        return None, Reason.NO_DATA, {"name": name, "value": None, "unit": kind.unit, "missing": "no_data"}
    row, _, value, why, at, source, sources, detail = fact
    item: dict[str, Any] = {
        "fact_id": row, "name": name, "value": value, "unit": kind.unit, "at": at, "source": source,
        "sources": list(sources), "detail": detail or {},
    }  # fmt: skip
    if why or value is None:
        reason = Reason(why) if why else Reason.NO_DATA
        return None, reason, item | {"missing": reason}
    if kind.freshness_s is not None and context.ageing.is_older(at, context.at, kind.freshness_s):
        return None, Reason.STALE, item | {"missing": Reason.STALE}
    return value, None, item


def number(name: str, context: Context) -> tuple[float | None, Reason | None, dict[str, Any]]:
    """Give a fact that is a number; a word in its place is no value."""
    value, reason, item = read(name, context)
    if isinstance(value, str):
        return None, Reason.NO_DATA, item | {"missing": Reason.NO_DATA}
    return value, reason, item
