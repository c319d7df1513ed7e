"""Numbers as people and programs write them: text in, Decimal out, and back.

A number whose digits are grouped by three is refused (GroupedError): 1.512 is 1512 to whoever groups digits, and one
and a half to others. What is no number gives ValueError.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

_GROUPED = re.compile(r"-?[1-9]\d{0,2}([.,]\d{3})+")


class GroupedError(ValueError):
    """A number that may mean two: 1.512 is 1512 to whoever groups digits by three, and one and a half to others."""


def decimal(text: str) -> Decimal:
    """Read a number as a person writes it, with a comma or a point before the decimals.

    Raises:
        GroupedError: its digits are grouped by three, so that it may mean a thousand times what it says.
        ValueError: it is no number.
    """
    if _GROUPED.fullmatch(text):
        whole = text.replace(".", "").replace(",", "")
        raise GroupedError(f"without a separator of thousands: {whole} for {text}")
    try:
        return Decimal(text.replace(",", "."))
    except InvalidOperation:
        raise ValueError(text) from None


def exact(number: str) -> str:
    """Write a number of a program so that `decimal` reads it back: three decimals get a fourth."""
    return f"{number}0" if _GROUPED.fullmatch(number) else number
