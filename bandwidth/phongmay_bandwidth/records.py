"""JSON objects in and out of frozen dataclasses whose fields declare their bounds with `setting`.

`read_record` takes a parsed object from another machine: unknown keys are left out, anything wrong is a RecordError
naming the key. NaN and infinity are no JSON here.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from phongmay_contract.settings import SettingsError, from_table

T = TypeVar("T")


class RecordError(ValueError):
    """A record from another machine that cannot be used; the text names the key."""


def read_record(kind: type[T], table: Mapping[str, Any], what: str) -> T:
    """Read a flat record.

    Raises:
        RecordError: a key is missing, wrongly typed or out of bounds.
    """
    for name, value in table.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise RecordError(f"{what}: '{name}' is not a number")
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type] # T is a dataclass
    try:
        return from_table(kind, {name: value for name, value in table.items() if name in names}, what)
    except SettingsError as error:
        raise RecordError(str(error)) from None


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        RecordError: it is none.
    """
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not JSON: {str(error)[:100]}") from None
    if not isinstance(found, dict):
        raise RecordError(f"{type(found).__name__} is not an object")
    return found


def compact(value: Any) -> str:
    """Write JSON without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number that JSON allows")
