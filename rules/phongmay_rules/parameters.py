"""Which value of each parameter is in force for a unit: the pack's default, or what the nearest unit above set last.

Two times belong to what a unit set: from when on it holds (`Parameter.began`) and since when that is known. A what-if
and the adoption of a document are one and the same here: some units take over values, what a unit below them has set
for itself stays, as it does when the next evaluation judges (`adopted`, `kept_below`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from phongmay_rules.checks.outcome import Setting
from phongmay_rules.model import NumberFrom, Pack
from phongmay_rules.places import Organisation
from phongmay_store.register.asking import Question, ask
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import Parameter


class Override(NamedTuple):
    """A value that a unit set.

    Attributes:
        source: document and place that it was taken from; "" = the unit's own figure.
    """

    value: float
    source: str = ""


Overrides = Mapping[str, Mapping[str, Override]]
"""unit -> parameter -> what the unit set last."""


class Kept(NamedTuple):
    """A unit's own value, which stays although a unit above adopts another.

    Attributes:
        in_bounds: false = the pack's bounds exclude it: whatever reads it is an error until the unit sets another.
    """

    unit_id: str
    name: str
    value: float
    in_bounds: bool


def read_overrides(
    session: Session, pack: Pack, known_at: datetime | None = None, valid_at: datetime | None = None
) -> Overrides:
    """Give what every unit set for parameters of these packs and what holds at an instant, as known at another.

    Args:
        session: the register.
        pack: the packs in force.
        known_at: rows recorded later are not seen (default: all are).
        valid_at: values that hold only from a later time on are left out (default: `known_at`, or now). Of the others
            the one recorded last wins: none is recorded that begins before an earlier one (`adopting.publish`).
    """
    out: dict[str, dict[str, Override]] = {}
    at = valid_at or known_at or utc_now()
    rows = ask(session, _set(known_at is not None), packs=list(pack.stamps), known_at=known_at, valid_at=at)
    for unit, owner, name, value, source in rows:
        if pack.parameter_owners.get(name) == owner:
            out.setdefault(unit, {})[name] = Override(value, source or "")
    return out


@lru_cache
def _set(known: bool) -> Question:
    columns = (Parameter.unit_id, Parameter.pack_id, Parameter.name, Parameter.value, Parameter.source)
    statement = select(*columns).where(
        Parameter.pack_id.in_(bindparam("packs", expanding=True)), Parameter.began() <= bindparam("valid_at")
    )
    if known:
        statement = statement.where(Parameter.recorded_at <= bindparam("known_at"))
    return statement.order_by(Parameter.number)


def in_force(pack: Pack, overrides: Overrides, ancestry: Iterable[str]) -> dict[str, Setting]:
    """Give the settings for a unit.

    Args:
        pack: declares the parameters; names that it does not have are left alone.
        overrides: what units set.
        ancestry: the unit and those above it, nearest first.
    """
    settings = defaults(pack)
    for unit in reversed(list(ancestry)):
        settings |= _overridden(pack, overrides.get(unit, {}), unit)
    return settings


def adopted(overrides: Overrides, units: Iterable[str], values: Mapping[str, Override]) -> Overrides:
    """Give what units would have set if some of them took values over; what units below them have set stays."""
    return {**overrides, **{unit: {**overrides.get(unit, {}), **values} for unit in units}}


def kept_below(
    pack: Pack, overrides: Overrides, organisation: Organisation, units: Iterable[str], values: Mapping[str, float]
) -> tuple[Kept, ...]:
    """Give the other values that units below some units have set for themselves, in order of unit and name."""
    adopting, found = frozenset(units), []
    for unit, own in sorted(overrides.items()):
        if unit in organisation.parents and unit not in adopting and adopting.intersection(organisation.ancestry(unit)):
            for name in sorted(own.keys() & values.keys()):
                value, declared = own[name].value, pack.standard.parameters[name]
                if value != values[name]:
                    found.append(Kept(unit, name, value, declared.low <= value <= declared.high))
    return tuple(found)


def with_overrides(pack: Pack, values: Mapping[str, float], set_by: str) -> dict[str, Setting]:
    """Give the settings when one party sets some values."""
    return defaults(pack) | _overridden(pack, {name: Override(value) for name, value in values.items()}, set_by)


def defaults(pack: Pack) -> dict[str, Setting]:
    """Give the pack's own values."""
    return {
        name: Setting(parameter.value, parameter.unit, parameter.number_from)
        for name, parameter in pack.standard.parameters.items()
    }


def _overridden(pack: Pack, values: Mapping[str, Override], set_by: str) -> dict[str, Setting]:
    out = {}
    for name, (value, source) in values.items():
        parameter = pack.standard.parameters.get(name)
        if parameter is None:
            continue
        if value == parameter.value and parameter.number_from is not NumberFrom.DISTRICT_SETTING:
            # What was adopted before the pack had the figure is the document's own since the pack has it.
            out[name] = Setting(value, parameter.unit, parameter.number_from)
        else:
            inside = parameter.low <= value <= parameter.high
            out[name] = Setting(value, parameter.unit, NumberFrom.DISTRICT_SETTING, set_by, inside, source)
    return out
