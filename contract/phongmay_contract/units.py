"""Base units in which every value travels and is stored; marketed units (GB, Mbit/s) exist only at the edge."""

from __future__ import annotations

from enum import StrEnum

KIB = 1024
MIB = 1024**2
GIB = 1024**3
GB = 10**9
MBIT_PER_SECOND = 10**6


class Unit(StrEnum):
    """A base unit; the value is the symbol that is printed and stored."""

    NONE = ""
    """Text and yes/no values."""
    COUNT = "1"
    RATIO = "ratio"
    """Between 0 and 1."""
    BYTE = "B"
    BIT = "bit"
    BIT_PER_SECOND = "bit/s"
    SECOND = "s"
    DAY = "d"
    SQUARE_METRE = "m2"
