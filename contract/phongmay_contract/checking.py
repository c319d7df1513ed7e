"""Holds an envelope against the catalogue: what is stored, what is unknown, what cannot be true.

A missing required quantity or a wrong type refuses the envelope (ContractError). An unknown measurement or quantity
is left out and named; a value outside its physical range is left out and named. So a newer agent stays readable and
one broken sensor hides nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from phongmay_contract.catalogue import (
    MAX_PARTS,
    MAX_TEXT,
    MEASUREMENTS,
    Measurement,
    PartKind,
    Quantity,
    Type,
    Value,
)
from phongmay_contract.envelope import Envelope, Group
from phongmay_contract.errors import ContractError, Reason

_ACCEPTED: dict[Type, tuple[type, ...]] = {
    Type.INT: (int,),
    Type.FLOAT: (float, int),
    Type.BOOL: (bool,),
    Type.TEXT: (str,),
}


@dataclass(frozen=True, slots=True)
class Checked:
    """An envelope that may be stored.

    Attributes:
        envelope: with known quantities in range only, typed as the catalogue says.
        unknown: names ("measurement" or "measurement.quantity") that the catalogue does not have.
        out_of_range: names of values that were left out because they are physically impossible.
    """

    envelope: Envelope
    unknown: tuple[str, ...]
    out_of_range: tuple[str, ...]


def check(envelope: Envelope) -> Checked:
    """Check every group of an envelope.

    Raises:
        ContractError: wrong_type, missing_key or too_many_parts, naming measurement and quantity.
    """
    unknown: list[str] = []
    impossible: list[str] = []
    groups: list[Group] = []
    parts: dict[tuple[str, str], set[str]] = {}
    for group in envelope.body:
        measurement = MEASUREMENTS.get(group.measurement)
        if measurement is None:
            unknown.append(group.measurement)
            continue
        _check_part(measurement, group)
        seen = parts.setdefault((group.subject, group.measurement), set())
        seen.add(group.part)
        if len(seen) > MAX_PARTS:
            raise ContractError(Reason.TOO_MANY_PARTS, f"{group.measurement} has more than {MAX_PARTS} parts")
        groups.append(group._replace(values=_check_values(measurement, group.values, unknown, impossible)))
    return Checked(envelope._replace(body=tuple(groups)), tuple(unknown), tuple(impossible))


def _check_part(measurement: Measurement, group: Group) -> None:
    if (measurement.part_kind is PartKind.NONE) != (group.part == ""):
        expected = measurement.part_kind.value or "no part"
        raise ContractError(Reason.BAD_VALUE, f"{measurement.name} has part {group.part!r}; expected: {expected}")


def _check_values(
    measurement: Measurement, values: Mapping[str, Value], unknown: list[str], impossible: list[str]
) -> dict[str, Value]:
    kept: dict[str, Value] = {}
    for name, value in values.items():
        quantity = measurement.by_name.get(name)
        if quantity is None:
            unknown.append(f"{measurement.name}.{name}")
        elif not isinstance(value, _ACCEPTED[quantity.type]) or (
            isinstance(value, bool) and quantity.type is not Type.BOOL
        ):
            raise ContractError(
                Reason.WRONG_TYPE,
                f"{measurement.name}.{name} is {type(value).__name__}, not {quantity.type.value}",
            )
        elif not _possible(quantity, value):
            impossible.append(f"{measurement.name}.{name}")
        else:
            kept[name] = float(value) if quantity.type is Type.FLOAT else value
    for quantity in measurement.quantities:
        if quantity.required and quantity.name not in values:
            raise ContractError(Reason.MISSING_KEY, f"{measurement.name}.{quantity.name}")
    return kept


def _possible(quantity: Quantity, value: Value) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_TEXT and "\0" not in value  # which PostgreSQL cannot keep
    if isinstance(value, bool):
        return True
    low, high = quantity.low, quantity.high
    return (low is None or value >= low) and (high is None or value <= high)
