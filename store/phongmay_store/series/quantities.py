"""Which quantities are rolled up by the hour, and which measurements are kept for days only; from the catalogue.

In: names. Out: what the catalogue says of them, or a StoreError that names what is known.
"""

from __future__ import annotations

from phongmay_contract.catalogue import MEASUREMENTS, Cadence, Meaning, Measurement, Quantity, Type
from phongmay_store.errors import StoreError


def measurement_of(name: str) -> Measurement:
    """Give a measurement by name.

    Raises:
        StoreError: there is none of that name.
    """
    found = MEASUREMENTS.get(name)
    if found is None:
        raise StoreError(f"series store: no measurement {name!r}; known: {', '.join(MEASUREMENTS)}")
    return found


def quantity_of(measurement: str, name: str) -> Quantity:
    """Give a gauge that is rolled up by the hour.

    Raises:
        StoreError: there is none of that name, or it is none that has a mean.
    """
    for quantity in gauges(measurement_of(measurement)):
        if quantity.name == name:
            return quantity
    known = ", ".join(quantity.name for quantity in gauges(measurement_of(measurement))) or "none"
    raise StoreError(f"series store: {measurement} has no gauge {name!r} by the hour; it has: {known}")


def is_raw(measurement: Measurement) -> bool:
    """Tell whether a measurement is taken each round: kept for store.raw_days, then by the hour only."""
    return measurement.cadence is Cadence.ROUND


def gauges(measurement: Measurement) -> list[Quantity]:
    """Give the quantities of which the hours are kept: gauges that are numbers, of what is taken each round."""
    if not is_raw(measurement):
        return []
    return [q for q in measurement.quantities if q.meaning is Meaning.GAUGE and q.type in (Type.INT, Type.FLOAT)]
