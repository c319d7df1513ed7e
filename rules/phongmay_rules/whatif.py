"""What would change if a parameter had another value: a standing and values go in, changed verdicts come out.

Nothing is written. A name that the pack does not have, a value out of bounds or in a wrong unit raises OperatorError.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from phongmay_contract.errors import OperatorError
from phongmay_contract.units import GB, GIB, MBIT_PER_SECOND, MIB, Unit
from phongmay_rules.explain import format_value
from phongmay_rules.gaps.options import Target
from phongmay_rules.judging import Judgement
from phongmay_rules.model import Pack
from phongmay_rules.parameters import Kept, Override, adopted, in_force, kept_below
from phongmay_rules.standing import Standing

_VALUE = re.compile(r"^(-?[0-9]+(?:\.[0-9]+)?) ?([A-Za-z%/]*)$")
_SUFFIXES: Mapping[str, Mapping[str, int | Decimal]] = {
    Unit.BYTE: {"B": 1, "MiB": MIB, "GiB": GIB, "MB": 10**6, "GB": GB, "TB": 10**12},
    Unit.BIT_PER_SECOND: {"bit/s": 1, "Mbit/s": MBIT_PER_SECOND, "Gbit/s": 1000 * MBIT_PER_SECOND},
    Unit.SECOND: {"s": 1, "min": 60, "h": 3600, "d": 86400},
    Unit.RATIO: {"%": Decimal("0.01")},
    Unit.DAY: {"d": 1},
    Unit.BIT: {"bit": 1},
}


@dataclass(frozen=True)
class Change:
    """A verdict that would be another.

    Attributes:
        unit_id: school (or unit above) that it belongs to.
    """

    unit_id: str
    target: Target
    before: Judgement
    after: Judgement


def read_values(pack: Pack, texts: Iterable[str]) -> dict[str, float]:
    """Read wishes such as "ram_min=8GiB", "reach_share_min=98%", "stale_after=30min", "students_per_pc=1".

    Raises:
        OperatorError: names the wish and what was expected.
    """
    out: dict[str, float] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        parameter = pack.standard.parameters.get(name)
        if not equals:
            raise OperatorError(f"--set {text}: write NAME=VALUE, e.g. ram_min=8GiB")
        if parameter is None:
            names = sorted(pack.standard.parameters)
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"expected one of: {', '.join(names)}"
            raise OperatorError(f"--set {text}: unknown parameter {name!r}; {hint}")
        number = _number(text, value, parameter.unit)
        halved = parameter.unit is Unit.NONE and number not in (0, 1)
        if halved or not parameter.low <= number <= parameter.high:
            low, high = (format_value(bound, parameter.unit, "en") for bound in (parameter.low, parameter.high))
            span = "0 (no) or 1 (yes)" if parameter.unit is Unit.NONE else f"from {low} to {high}"
            raise OperatorError(f"--set {text}: '{name}' may be {span} ({parameter.number_from})")
        out[name] = number
    return out


def _number(text: str, value: str, unit: Unit) -> float:
    match = _VALUE.match(value.strip())
    factors = {"": 1, **_SUFFIXES.get(unit, {})}
    if match is None or match[2] not in factors:
        known = ", ".join(suffix for suffix in factors if suffix) or "none"
        raise OperatorError(f"--set {text}: expected a number with one of these units: {known}")
    return float(Decimal(match[1]) * factors[match[2]])  # as decimals: 57 % is 0.57, not a binary digit more


def what_if(standing: Standing, values: Mapping[str, float]) -> list[Change]:
    """Judge twice, and give what differs in state.

    Args:
        standing: how everything stands.
        values: parameters as the units that were asked for would set them; a unit below that has set its own keeps it
            (`kept`), as it would if they were published.
    """
    before = standing.judge()
    wished = {name: Override(value) for name, value in values.items()}
    overrides, ancestry = adopted(standing.overrides, standing.root, wished), standing.organisation.ancestry
    settings = {unit: in_force(standing.pack, overrides, ancestry(unit)) for unit in standing.settings}
    after = replace(standing, settings=settings).judge()
    return [
        Change(unit, key, found, after[unit][key])
        for unit, judged in before.items()
        for key, found in sorted(judged.items())
        if found.state is not after[unit][key].state
    ]


def kept(standing: Standing, values: Mapping[str, float]) -> tuple[Kept, ...]:
    """Give the values of their own that units would keep."""
    return kept_below(standing.pack, standing.overrides, standing.organisation, standing.root, values)
