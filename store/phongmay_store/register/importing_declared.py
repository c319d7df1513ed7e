"""What a row of declarations says: a row of the sheets `declared` or `baseline` goes in, typed values come out.

A value in the wrong unit, out of all belief, or about the wrong kind of thing gives a sentence on what was expected.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from phongmay_store.register.addresses import EXPECTED, read_addresses, write_addresses
from phongmay_store.register.base import utc_now
from phongmay_store.register.declared import DECLARABLE, IN_INVENTORY, Declarable
from phongmay_store.register.importing_columns import BASELINE_ITEMS, normalise
from phongmay_store.register.importing_numbers import GroupedError, decimal
from phongmay_store.register.importing_rows import Row
from phongmay_store.register.timetable import LOCAL

WHOLE = frozenset({"class_size", "cpu_threads", "cpu_bits", "screen_width", "screen_height", "purchase_year",
                   "students", "modern_labs", "classrooms", "classrooms_equipped"})  # fmt: skip
"""Items that are counted: half a pupil is a slip of the pen."""
_YES = {"1", "yes", "co", "x", "true"}
EARLIEST = date(2000, 1, 1)
"""Before it nobody handed anything in that is judged here."""
_NO = {"0", "no", "khong", "false"}


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a row: the column it stands in, what it is about, and the value in base units.

    Attributes:
        problem: "" = it can be used, else what was expected instead.
    """

    column: str
    kind: Declarable
    number: float | None
    text: str
    problem: str = ""


def items(row: Row) -> Iterator[Item]:
    """Give the values of a row; an empty cell of a baseline says nothing, a room says that the PC is there."""
    if row.kind.name == "declared":
        name, value = row.values.get("name"), row.values.get("value")
        if name is not None and value is not None:
            kind = DECLARABLE[name]
            unit = row.values.get("unit")
            if unit is not None and unit.casefold() != kind.unit.casefold():
                needed = (
                    f"expected {kind.unit!r}, the unit of {name!r}"
                    if kind.unit
                    else f"leave it empty: {name!r} has no unit"
                )
                yield Item("unit", kind, None, "", needed)
            else:
                yield read_value("value", kind, value)
        return
    for column, (name, *_) in BASELINE_ITEMS.items():
        if column in row.values:
            yield read_value(column, DECLARABLE[name], row.values[column])
    if "room" in row.values:
        yield Item("room", DECLARABLE[IN_INVENTORY], 1.0, "")


def read_day(text: str) -> date | None:
    """Read a day as people in Viet Nam write it (12/10/2027) or as ISO 8601 does."""
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        with contextlib.suppress(ValueError):
            return datetime.strptime(text.strip(), form).replace(tzinfo=UTC).date()
    return None


def read_value(column: str, kind: Declarable, text: str) -> Item:
    """Read one value as a person writes it, in the unit of its item."""
    if kind.unit == "date":
        day = read_day(text)
        if day is not None and kind.is_past and not EARLIEST <= day <= utc_now().astimezone(LOCAL).date():
            return Item(column, kind, None, "", f"expected a day from {EARLIEST.year} to today")
        return Item(column, kind, None, day.isoformat() if day else "", "" if day else "expected a day: 2027-10-12")
    if kind.unit == "IP":
        try:
            return Item(column, kind, None, write_addresses(read_addresses(text)))
        except ValueError:
            return Item(column, kind, None, "", f"expected {EXPECTED}")
    if kind.is_text:
        return Item(column, kind, None, text)
    if kind.unit == "yes/no":
        word = normalise(text)
        if word not in _YES | _NO:
            return Item(column, kind, None, "", "expected yes or no (có, không)")
        return Item(column, kind, float(word in _YES), "")
    whole = "whole number" if kind.name in WHOLE else "number"
    expected = f"expected a {whole} from {kind.low:g} to {kind.high:g} {kind.unit}".rstrip()
    try:
        number = decimal(text)
    except GroupedError as error:
        return Item(column, kind, None, "", f"{expected}, {error}")
    except ValueError:
        return Item(column, kind, None, "", expected)
    if kind.name in WHOLE and number.is_finite() and number != number.to_integral_value():
        return Item(column, kind, None, "", expected)
    if not number.is_finite() or not kind.low <= number <= kind.high:
        return Item(column, kind, None, "", expected)
    return Item(column, kind, float(number * kind.factor), "")
