"""Public holidays of Viet Nam: the shipped table goes in, periods that close days for everybody come out.

The table is the data file public_holidays.toml beside this module; a broken one raises CalendarError with file and key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from phongmay_store.register.calendar import CalendarError, CalendarKind, DayHours
from phongmay_store.register.calendar_hours import Period
from phongmay_store.shipped import ShippedTable

TABLE = Path(__file__).with_name("public_holidays.toml")
NAME = "public holidays"


class PublicHoliday(BaseModel):
    """Days off, first and last included.

    Attributes:
        basis: how sure it is: announced, unverified (announced, not looked up again), statute (worked out from the
            law), policy (the law that follows was not read).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: date
    last: date
    vi: str = Field(min_length=1)
    en: str = Field(min_length=1)
    basis: Literal["announced", "unverified", "statute", "policy"]
    source: str

    @model_validator(mode="after")
    def _runs_forward(self) -> PublicHoliday:
        if self.last < self.first:
            raise ValueError(f"the holiday from {self.first} to {self.last} ends before it begins")
        return self


class PublicHolidays(BaseModel):
    """The table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    checked: date
    valid_until: date
    sources: Mapping[str, str]
    lunar_new_year: Mapping[str, date]
    holiday: tuple[PublicHoliday, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_consistent(self) -> PublicHolidays:
        for holiday in self.holiday:
            if holiday.source not in self.sources:
                raise ValueError(f"the holiday of {holiday.first} names the unknown source '{holiday.source}'")
        return self

    @property
    def table(self) -> ShippedTable:
        """What there is to say about its age."""
        return ShippedTable(
            NAME, TABLE.name, self.checked, self.valid_until,
            "silence and availability are unknown; install a newer version of the program",
        )  # fmt: skip

    def periods(self, distance: int, first: date, last: date) -> list[Period]:
        """Give the holidays that touch [first, last], as if a unit so far above had entered them."""
        return [
            Period(
                CalendarKind.HOLIDAY, h.first, h.last, DayHours(), h.vi, distance, f"table:public_holidays/{h.first}"
            )
            for h in self.holiday
            if h.first <= last and h.last >= first
        ]


def read_holidays(path: Path = TABLE) -> PublicHolidays:
    """Read a table of public holidays.

    Raises:
        CalendarError: the file is missing, no TOML, or an entry is wrong.
    """
    try:
        return PublicHolidays.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CalendarError(f"{path}: cannot be read ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(piece) for piece in first["loc"]) or "(file)"
        raise CalendarError(f"{path}: key '{key}': {first['msg'].removeprefix('Value error, ')}") from error


@lru_cache(maxsize=1)
def shipped_holidays() -> PublicHolidays:
    """Give the table that came with the program."""
    return read_holidays()
