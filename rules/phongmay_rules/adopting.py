"""What official figures would change: a file of figures and the current fact rows go in, changed verdicts come out.

Nothing is written until `publish`; then the figures stand in the register as parameters, with who, when, why and whose.
A figure that no pack in force has as a parameter, or that lies outside of its bounds, raises AdoptionError.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_contract.errors import OperatorError
from phongmay_rules.deciding import MAX_TEXT, link, require_officer
from phongmay_rules.facts.records import read_current
from phongmay_rules.judging import Judgement
from phongmay_rules.judging_units import Key, Sitting, sit
from phongmay_rules.model import Pack
from phongmay_rules.parameters import Kept, Override, adopted, kept_below
from phongmay_store.register.base import utc_now
from phongmay_store.register.chain import LinkKind
from phongmay_store.register.compliance import Parameter
from phongmay_store.register.timetable import LOCAL


class AdoptionError(OperatorError):
    """A file of figures that cannot be adopted, and why."""


class OrderError(AdoptionError):
    """A value that would begin before one that was set already.

    Attributes:
        begins_at: since when the newest value holds, or will.
    """

    def __init__(self, name: str, begins_at: datetime) -> None:
        local = begins_at.astimezone(LOCAL)
        super().__init__(
            f"'{name}': the newest value of the unit holds from {local:%Y-%m-%d %H:%M}; another one cannot begin "
            "before it (give that day or a later one)"
        )
        self.begins_at = begins_at


class Figure(BaseModel):
    """One figure of an annex.

    Attributes:
        parameter: name of the parameter that it replaces.
        value: in the base unit of the parameter.
        source: where in the document it stands.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    parameter: str
    value: int | float
    source: str = Field(min_length=3)


class Annex(BaseModel):
    """A document with figures: number and date as on its front page."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    number: str = Field(min_length=3)
    title: str = Field(min_length=3)
    issued: date
    figure: tuple[Figure, ...] = Field(min_length=1, strict=False)

    @property
    def values(self) -> dict[str, float]:
        """Parameter -> figure."""
        return {figure.parameter: float(figure.value) for figure in self.figure}

    @property
    def sources(self) -> dict[str, str]:
        """Parameter -> document and place."""
        return {figure.parameter: f"{self.number}, {self.issued:%d/%m/%Y}, {figure.source}" for figure in self.figure}


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict that comes out differently."""

    key: Key
    before: Judgement
    after: Judgement


@dataclass(frozen=True)
class Effect:
    """What other figures would do.

    Attributes:
        values: parameter -> (value now in force for the unit, new value); only those that are to be recorded: all that
            differ, or all that begin on a day of their own.
        changes: verdicts with another state, by key.
        judged: how many verdicts were compared.
        kept: other values that units below have set for themselves; they stay.
    """

    values: Mapping[str, tuple[float, float]]
    changes: tuple[Change, ...]
    judged: int
    kept: tuple[Kept, ...] = ()


def read_annex(path: Path, pack: Pack) -> Annex:
    """Read a file of figures and hold it against the packs in force.

    Raises:
        AdoptionError: names file, key and what was expected.
    """
    try:
        annex = Annex.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AdoptionError(f"{path}: cannot be read ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(piece) for piece in first["loc"])
        raise AdoptionError(f"{path}: key '{where}': {first['msg'][0].lower()}{first['msg'][1:]}") from error
    seen: set[str] = set()
    for figure in annex.figure:
        parameter = pack.standard.parameters.get(figure.parameter)
        if parameter is None:
            known = ", ".join(sorted(pack.standard.parameters))
            raise AdoptionError(f"{path}: no pack in force has the parameter '{figure.parameter}'; they have: {known}")
        if figure.parameter in seen:
            raise AdoptionError(f"{path}: parameter '{figure.parameter}' stands there twice; expected: once")
        if parameter.low == parameter.high:
            raise AdoptionError(f"{path}: '{figure.parameter}' is a figure of a {parameter.number_from} and fixed; "
                                "a new law needs a new version of its pack (docs/writing-a-rule.md)")  # fmt: skip
        if not parameter.low <= figure.value <= parameter.high:
            raise AdoptionError(f"{path}: '{figure.parameter}' = {figure.value:g} is out of bounds; expected "
                                f"{parameter.low:g} to {parameter.high:g} {parameter.unit}")  # fmt: skip
        seen.add(figure.parameter)
    return annex


def effect(
    session: Session,
    pack: Pack,
    wanted: Mapping[str, float],
    unit_id: str,
    at: datetime | None = None,
    *,
    within: str | None = None,
    sources: Mapping[str, str] | None = None,
    valid_from: datetime | None = None,
) -> Effect:
    """Judge everything twice from the current fact rows, without and with the figures; nothing is written.

    Args:
        session: the register.
        pack: the packs in force.
        wanted: parameter -> figure.
        unit_id: the unit that would adopt them; they hold for it and what is below it, except where a unit below has
            set its own.
        at: instant of judging (default: now).
        within: judge only this unit and what is below it (default: everything, units above too).
        sources: parameter -> document and place that the figure is taken from.
        valid_from: since when they are to hold; what they change is shown as if they held now.
    """
    now = at or utc_now()
    before = sit(session, pack, now, utc_now())
    new = {name: Override(value, (sources or {}).get(name, "")) for name, value in wanted.items()}
    after = dataclasses.replace(before, overrides=adopted(before.overrides, (unit_id,), new))
    present = {name: _in_force(before, unit_id, name) for name in wanted}
    old, now_so = _judge_all(session, before, within), _judge_all(session, after, within)
    return Effect(
        {name: (present[name], value) for name, value in wanted.items() if valid_from or present[name] != value},
        tuple(Change(key, old[key], now_so[key]) for key in sorted(old) if old[key].state is not now_so[key].state),
        len(old),
        kept_below(pack, before.overrides, before.organisation, (unit_id,), wanted),
    )


def publish(
    session: Session,
    pack: Pack,
    found: Effect,
    *,
    unit_id: str,
    signed_by: str,
    reason: str,
    sources: Mapping[str, str] | None = None,
    valid_from: datetime | None = None,
) -> int:
    """Record figures for a unit as links of its chain; the caller commits.

    The next evaluation at or after their beginning judges by them. A beginning in the past changes no verdict that
    stands; `replay` with a later `known_at` tells what it would have changed.

    Args:
        session: the register.
        pack: the packs in force.
        found: what `effect` gave: values that are in force already are not recorded again.
        unit_id: the unit that adopts them.
        signed_by: login of an officer or administrator of the unit or above.
        reason: why, printed with the parameter's history.
        sources: parameter -> document and place that the figure is taken from; verdicts name it.
        valid_from: since when they hold (default: from now on); not before a value that the unit has set already.

    Returns:
        How many parameters were recorded.

    Raises:
        AdoptionError: no reason, or a value would begin before the unit's newest one (OrderError).
        DecisionError: the login may not sign this, or the engine wrote at the same moment.
    """
    require_officer(session, signed_by, unit_id)
    if not reason.strip():
        raise AdoptionError("the reason is empty; say why, so that an inspector can follow it")
    if len(reason) > MAX_TEXT:
        raise AdoptionError(f"the reason has {len(reason)} characters; at most {MAX_TEXT} are recorded")
    for name, (_, value) in found.values.items():
        owner = pack.parameter_owners[name]
        _require_order(session, unit_id, owner, name, valid_from or utc_now())
        row = Parameter(
            unit_id=unit_id, pack_id=owner, name=name, value=value, set_by=signed_by, reason=reason.strip(),
            source=(sources or {}).get(name), valid_from=valid_from,
        )  # fmt: skip
        link(session, LinkKind.PARAMETER, unit_id, row)
    return len(found.values)


def _require_order(session: Session, unit_id: str, owner: str, name: str, begins_at: datetime) -> None:
    newest = session.scalar(
        select(Parameter)
        .where(Parameter.unit_id == unit_id, Parameter.pack_id == owner, Parameter.name == name)
        .order_by(Parameter.number.desc())
        .limit(1)
    )
    if newest is not None and begins_at < newest.begins_at:
        raise OrderError(name, newest.begins_at)


def _in_force(sitting: Sitting, unit_id: str, name: str) -> float:
    for unit in sitting.organisation.ancestry(unit_id):
        if name in sitting.overrides.get(unit, {}):
            return sitting.overrides[unit][name].value
    return sitting.pack.standard.parameters[name].value


def _judge_all(session: Session, sitting: Sitting, within: str | None) -> dict[Key, Judgement]:
    out: dict[Key, Judgement] = {}
    states = {}
    organisation = sitting.organisation
    for school in organisation.schools.values():
        if within is None or within in organisation.ancestry(school.id):
            judged = sitting.school(school, read_current(session, [school.id]))
            states[school.id] = sitting.judge.states(judged)
            out |= judged
    for place in organisation.units.values():
        if within is None or within in organisation.ancestry(place.id):
            out |= sitting.unit(place, read_current(session, [place.id]), states)
    return out
