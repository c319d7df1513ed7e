"""Puts values into a text as `str.format` does, and knows one from many: "{count} {count:room|rooms}"."""

from __future__ import annotations

from string import Formatter
from typing import Any


class _Counting(Formatter):
    """A value with the specification "one|many" chooses a word instead of being shown."""

    def format_field(self, value: Any, format_spec: str) -> str:
        one, bar, many = format_spec.partition("|")
        if not bar:
            return str(super().format_field(value, format_spec))
        return one if str(value) == "1" else many


COUNTING = _Counting()
