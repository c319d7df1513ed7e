"""What every check works with and gives back. Pure values: nothing here reads a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from phongmay_contract.units import Unit
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.facts.records import FactValue
from phongmay_rules.model import Bound, BoundByLevel, NumberFrom
from phongmay_rules.reasons import Reason
from phongmay_store.register.ageing import BY_THE_CLOCK, Ageing
from phongmay_store.register.compliance import State
from phongmay_store.register.organisation import SchoolLevel

Found = Mapping[str, FactValue]


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
    """

    facts: Found
    members: Sequence[Member]
    parameters: Mapping[str, Setting]
    own_number: NumberFrom
    level: str
    at: float
    ageing: Ageing = BY_THE_CLOCK

    def is_stale(self, fact_at: float, freshness_s: float) -> bool:
        """Tell whether a value is older than it may be, by the hours in which its subject is in use."""
        return self.ageing.is_older(fact_at, self.at, freshness_s)


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
    item: dict[str, Any] = {
        "fact_id": fact.id, "name": name, "value": fact.value, "unit": kind.unit, "at": fact.at,
        "source": fact.source, "sources": list(fact.sources), "detail": fact.detail or {},
    }  # fmt: skip
    if fact.missing or fact.value is None:
        reason = Reason(fact.missing) if fact.missing else Reason.NO_DATA
        return None, reason, item | {"missing": reason}
    if kind.freshness_s is not None and context.is_stale(fact.at, kind.freshness_s):
        return None, Reason.STALE, item | {"missing": Reason.STALE}
    return fact.value, None, item


def number(name: str, context: Context) -> tuple[float | None, Reason | None, dict[str, Any]]:
    """Give a fact that is a number; a word in its place is no value."""
    value, reason, item = read(name, context)
    if isinstance(value, str):
        return None, Reason.NO_DATA, item | {"missing": Reason.NO_DATA}
    return value, reason, item
