"""Prints measurements for a person: groups go in, lines of text come out. Nothing is sent and nothing can go wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from phongmay_agent.probes.base import Probe
from phongmay_contract.catalogue import MEASUREMENTS, Quantity, Type, Value
from phongmay_contract.envelope import Group
from phongmay_contract.units import Unit

_ENVELOPE = (
    "Every envelope also carries: device id, kind, a random number of this run, a sequence number,",
    "the time by both clocks, and the agent's version. Nothing else leaves this PC:",
    "no user names, window titles, addresses, host names or serial numbers.",
)


def groups_text(groups: Sequence[Group]) -> Iterator[str]:
    """Print groups one below the other: `measurement [part]`, then a line a quantity."""
    for group in groups:
        yield group.measurement + (f" [{group.part}]" if group.part else "")
        by_name = MEASUREMENTS[group.measurement].by_name
        for name, value in group.values.items():
            yield f"    {name:<24} {value_text(by_name[name], value)}"


def value_text(quantity: Quantity, value: Value) -> str:
    """Print a value with its base unit."""
    if quantity.type is Type.BOOL:
        return "yes" if value else "no"
    unit = "" if quantity.unit in (Unit.NONE, Unit.COUNT) else f" {quantity.unit.value}"
    return f"{value}{unit}"


def sent_text(probes: Sequence[Probe], groups: Sequence[Group]) -> Iterator[str]:
    """Print all that is ever sent: every measurement and quantity with unit, sentence and present values.

    Args:
        probes: the probes that run.
        groups: what they gave just now.
    """
    yield from _ENVELOPE
    by_probe = {name: probe.name for probe in probes for name in probe.gives} | {"probe": "every probe"}
    for name in (*by_probe, "event"):
        measurement = MEASUREMENTS[name]
        yield ""
        yield f"{name}: {measurement.about} ({measurement.cadence.value}; {by_probe.get(name, 'the agent')})"
        present = [group for group in groups if group.measurement == name]
        for quantity in measurement.quantities:
            kind = quantity.unit.value or quantity.type.value
            yield f"    {quantity.name} [{kind}]: {quantity.about}"
            for group in present:
                if quantity.name in group.values:
                    part = f"{group.part}: " if group.part else ""
                    yield f"        now {part}{value_text(quantity, group.values[quantity.name])}"
