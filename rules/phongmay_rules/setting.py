"""Values of parameters in force for a unit: the packs and the register go in, each with its default, bounds and signer.

What a person types in marketed units is turned into base units here and checked against the bounds; what cannot be set
raises SettingError with a code from which pages make a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_contract.errors import OperatorError
from phongmay_contract.units import GB, GIB, MBIT_PER_SECOND, Unit
from phongmay_rules.explain import format_value
from phongmay_rules.model import Pack, Parameter
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import Parameter as SetParameter
from phongmay_store.register.timetable import day_start

_YES_NO = {"có": 1.0, "yes": 1.0, "không": 0.0, "no": 0.0}
CODES = frozenset({"unknown", "fixed", "number", "bounds"})
"""Every code of a SettingError."""


class SettingError(OperatorError):
    """A value that cannot be set, and why.

    Attributes:
        code: "unknown", "fixed", "number" or "bounds".
    """

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class InForce:
    """A parameter as it holds for a unit.

    Attributes:
        declared: default, bounds, meaning and origin, as the pack has them.
        row: what the nearest unit set last, of what holds already; None = the default holds.
        pending: what the nearest unit set that holds only from a later time on; None = nothing.
    """

    name: str
    pack_id: str
    declared: Parameter
    row: SetParameter | None
    pending: SetParameter | None = None

    @property
    def value(self) -> float:
        """The value in force, in the base unit."""
        return self.declared.value if self.row is None else self.row.value

    @property
    def is_default(self) -> bool:
        """Tell whether the pack's own value is in force."""
        return self.value == self.declared.value

    @property
    def is_fixed(self) -> bool:
        """Tell whether nobody may set it: a figure of a law."""
        return self.declared.low == self.declared.high

    @property
    def in_bounds(self) -> bool:
        """Tell whether it can be judged by."""
        return self.declared.low <= self.value <= self.declared.high


def in_force_for(session: Session, pack: Pack, ancestry: Iterable[str]) -> dict[str, InForce]:
    """Give every parameter of the packs as it holds for a unit, by name.

    Args:
        session: the register.
        pack: the packs in force.
        ancestry: the unit and those above it, nearest first.
    """
    lineage, now = list(ancestry), utc_now()
    newest: dict[tuple[str, str], SetParameter] = {}
    later: dict[tuple[str, str], SetParameter] = {}
    for row in session.scalars(
        select(SetParameter).where(SetParameter.unit_id.in_(lineage)).order_by(SetParameter.number)
    ):
        if row.pack_id == pack.parameter_owners.get(row.name):
            (newest if row.begins_at <= now else later)[row.unit_id, row.name] = row
    out = {}
    for name, declared in sorted(pack.standard.parameters.items()):
        held = next((newest[unit, name] for unit in lineage if (unit, name) in newest), None)
        pending = next((later[unit, name] for unit in lineage if (unit, name) in later), None)
        out[name] = InForce(name, pack.parameter_owners[name], declared, held, pending)
    return out


def past_values(session: Session, pack: Pack, name: str, units: Iterable[str]) -> list[SetParameter]:
    """Give every value that some units ever set for a parameter, the newest first."""
    owner = pack.parameter_owners.get(name)
    wanted = (SetParameter.name == name, SetParameter.pack_id == owner, SetParameter.unit_id.in_(sorted(units)))
    return list(session.scalars(select(SetParameter).where(*wanted).order_by(SetParameter.number.desc())))


def beginning(day: date | None) -> datetime | None:
    """Give the local midnight from which a value of that day holds; None = from when it is recorded."""
    return None if day is None else datetime.fromtimestamp(day_start(day), UTC)


def require_settable(pack: Pack, name: str, value: float) -> None:
    """Make sure that a value may be set.

    Raises:
        SettingError: no such parameter, a figure of a law, or out of bounds.
    """
    declared = pack.standard.parameters.get(name)
    if declared is None:
        raise SettingError(f"no pack in force has the parameter {name!r}", "unknown")
    if declared.low == declared.high:
        raise SettingError(f"'{name}' is a figure of a {declared.number_from} and fixed", "fixed")
    if declared.unit is Unit.NONE and value not in (0, 1):
        raise SettingError(f"'{name}' = {value:g}; expected 1 (yes) or 0 (no)", "bounds")
    if not declared.low <= value <= declared.high:
        sentence = f"'{name}' = {value:g} is out of bounds; expected {declared.low:g} to {declared.high:g}"
        raise SettingError(f"{sentence} {declared.unit}".rstrip(), "bounds")


def shown_in(declared: Parameter, language: str) -> tuple[float, str]:
    """Give the factor from what people type to the base unit, and its sign; memory is sold in binary gigabytes."""
    vi = language == "vi"
    match declared.unit:
        case Unit.BYTE:
            return (GB if declared.value % GB == 0 else GIB), "GB"
        case Unit.BIT_PER_SECOND:
            return MBIT_PER_SECOND, "Mbit/s"
        case Unit.RATIO:
            return 0.01, "%"
        case Unit.SECOND if declared.high < 1 or declared.value < 1:
            return 0.001, "ms"
        case Unit.SECOND if declared.value % 60 == 0:
            return 60, "phút" if vi else "min"
        case Unit.SECOND:
            return 1, "giây" if vi else "s"
        case Unit.DAY:
            return 1, "ngày" if vi else "days"
        case Unit.SQUARE_METRE:
            return 1, "m²"
        case Unit.BIT:
            return 1, "bit"
    return 1, ""


def typed(declared: Parameter, value: float, language: str) -> str:
    """Write a value as it would be typed into a field, without its sign."""
    if declared.unit is Unit.NONE:
        return format_value(value, declared.unit, language)
    factor, _ = shown_in(declared, language)
    text = f"{round(value / factor, 6):.6f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if language == "vi" else text


def read_typed(declared: Parameter, text: str, language: str) -> float:
    """Read what was typed into a field; a decimal comma and a decimal point are both understood.

    Raises:
        SettingError: it is no number.
    """
    if declared.unit is Unit.NONE and text.strip().casefold() in _YES_NO:
        return _YES_NO[text.strip().casefold()]
    factor, sign = shown_in(declared, language)
    bare = text.strip().removesuffix(sign).strip().replace(",", ".")
    try:
        number = Decimal(bare)
    except InvalidOperation as error:
        raise SettingError(f"{text!r} is not a number", "number") from error
    if not number.is_finite():
        raise SettingError(f"{text!r} is not a number", "number")
    return float(number * Decimal(str(factor)))


Settings = Mapping[str, InForce]
"""Parameters as they hold for a unit, by name."""
