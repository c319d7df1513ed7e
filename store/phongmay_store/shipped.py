"""Tables that come with the program and rot: the end of their validity and a day go in, whether to warn comes out.

Support dates, public holidays and prices are true for a time only. Each such table says `checked` and `valid_until`;
after that day nothing may be concluded from it any more, and before it somebody must be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

WARN_DAYS = 90
"""Warn so long before a table runs out: a district needs that long to get a new version out to its servers."""


class Validity(StrEnum):
    """How a table stands on a day."""

    CURRENT = "current"
    ENDS_SOON = "ends_soon"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class ShippedTable:
    """A table with an end.

    Attributes:
        name: what it is called in messages and evidence.
        file: file name, or where else it is kept.
        checked: when its content was last looked up.
        valid_until: last day on which it may be used.
        without: what happens when it has run out, as a sentence.
    """

    name: str
    file: str
    checked: date
    valid_until: date
    without: str

    def validity(self, today: date, warn_days: int = WARN_DAYS) -> Validity:
        """Tell how it stands: its last day is still valid, and is among the days of warning."""
        if today > self.valid_until:
            return Validity.EXPIRED
        return Validity.ENDS_SOON if today > self.valid_until - timedelta(days=warn_days) else Validity.CURRENT

    def warning(self, today: date, warn_days: int = WARN_DAYS) -> str:
        """Say in a sentence what is to be done; "" when nothing is."""
        match self.validity(today, warn_days):
            case Validity.EXPIRED:
                return f"{self.name} ({self.file}) ran out on {self.valid_until}: {self.without}"
            case Validity.ENDS_SOON:
                left = (self.valid_until - today).days
                days = "1 day" if left == 1 else f"{left} days"
                return f"{self.name} ({self.file}) runs out on {self.valid_until}, in {days}: then {self.without}"
        return ""
