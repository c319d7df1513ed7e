"""The price file: TOML goes in, checked items come out; a wrong entry raises PricesError with file, key and remedy.

Amounts are whole VND. A file that is out of date is still read: `staleness` says so, and every list repeats it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from phongmay_contract.errors import OperatorError
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.facts.hardware import support_days
from phongmay_rules.model import Text
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.shipped import ShippedTable

SAMPLE = Path(__file__).with_name("prices.toml")
WARN_DAYS = 30
"""Warn so long before the prices run out."""
SUPPORT_FACT = "os_support_days_left"


class PricesError(OperatorError):
    """The price file cannot be used."""


class ItemKind(StrEnum):
    """What one buys."""

    MEMORY = "memory"
    PART = "part"
    WORK = "work"
    PC = "pc"
    SWITCH = "switch"
    ROOM = "room"
    REPAIR = "repair"
    ROOM_PART = "room_part"
    SMART_ROOM = "smart_room"
    SCHOOL_PART = "school_part"
    LINE = "line"


_OPTIONAL = ("size_bytes", "ports", "rate_bps", "isp", "sets", "needs", "supported_until")
_NEEDED: Mapping[ItemKind, frozenset[str]] = {
    ItemKind.MEMORY: frozenset({"size_bytes"}),
    ItemKind.SWITCH: frozenset({"ports", "sets"}),
    ItemKind.PC: frozenset({"sets"}),
    ItemKind.REPAIR: frozenset({"sets"}),
    ItemKind.ROOM_PART: frozenset({"sets"}),
    ItemKind.SMART_ROOM: frozenset({"sets"}),
    ItemKind.SCHOOL_PART: frozenset({"sets"}),
    ItemKind.LINE: frozenset({"rate_bps"}),
}
_ALLOWED: Mapping[ItemKind, frozenset[str]] = {
    ItemKind.MEMORY: frozenset({"size_bytes"}),
    ItemKind.PART: frozenset({"sets", "needs", "supported_until"}),
    ItemKind.WORK: frozenset({"sets", "needs", "supported_until"}),
    ItemKind.PC: frozenset({"sets", "supported_until"}),
    ItemKind.SWITCH: frozenset({"ports", "sets"}),
    ItemKind.ROOM: frozenset(),
    ItemKind.REPAIR: frozenset({"sets"}),
    ItemKind.ROOM_PART: frozenset({"sets"}),
    ItemKind.SMART_ROOM: frozenset({"sets"}),
    ItemKind.SCHOOL_PART: frozenset({"sets"}),
    ItemKind.LINE: frozenset({"rate_bps", "isp"}),
}
_ABOUT: Mapping[ItemKind, SubjectKind] = {
    ItemKind.ROOM_PART: SubjectKind.ROOM,
    ItemKind.SMART_ROOM: SubjectKind.ROOM,
    ItemKind.SCHOOL_PART: SubjectKind.SCHOOL,
}
"""Whose facts an item sets, where not a device's."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Item(_Strict):
    """One thing that can be bought or done.

    Attributes:
        price_vnd: for one, whole VND.
        size_bytes: of a memory module.
        ports: devices that one switch serves.
        rate_bps: rate, down and up, that a line is expected to give the school in its hours.
        isp: provider of a line; "" = any.
        sets: facts of a device (or of the room or school that it is for) afterwards.
        needs: facts that must be known to be at least so much.
        supported_until: last day of the operating system's support.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    kind: Annotated[ItemKind, Field(strict=False)]
    price_vnd: int = Field(gt=0, le=10**12)
    name: Text
    size_bytes: int | None = Field(default=None, gt=0)
    ports: int | None = Field(default=None, gt=0)
    rate_bps: int | None = Field(default=None, gt=0)
    isp: str = Field(default="", max_length=80)
    sets: Mapping[str, int | float] = {}
    needs: Mapping[str, int | float] = {}
    supported_until: date | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Item:
        given = {key for key in _OPTIONAL if getattr(self, key)}
        for key in sorted(_NEEDED.get(self.kind, frozenset()) - given):
            raise ValueError(f"an item of kind '{self.kind}' needs '{key}'")
        for key in sorted(given - _ALLOWED[self.kind]):
            raise ValueError(f"an item of kind '{self.kind}' has no '{key}'")
        if self.kind in (ItemKind.PART, ItemKind.WORK) and not (self.sets or self.supported_until):
            raise ValueError("an item that sets no fact mends nothing; give 'sets' or 'supported_until'")
        about = _ABOUT.get(self.kind, SubjectKind.DEVICE)
        for name in (*self.sets, *self.needs):
            if name not in FACTS or FACTS[name].subject is not about:
                raise ValueError(f"'{name}' is no fact of a {about}")
        return self

    def effects(self, today: date) -> dict[str, int | float]:
        """Give the facts after this, on a day."""
        found = dict(self.sets)
        if self.supported_until is not None:
            found[SUPPORT_FACT] = support_days(self.supported_until, today)
        return found


class Prices(_Strict):
    """A whole price file.

    Attributes:
        dated: day of the quotations.
        valid_until: last day on which they may be used without a warning.
        placeholder: nobody quoted these prices.
    """

    schema_version: Literal[1]
    dated: date
    valid_until: date
    placeholder: bool
    source: Text
    item: tuple[Item, ...] = Field(min_length=1, strict=False)

    @model_validator(mode="after")
    def _is_consistent(self) -> Prices:
        ids = [item.id for item in self.item]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"item '{twice[0]}' stands there twice")
        if self.valid_until < self.dated:
            raise ValueError(f"'valid_until' is {self.valid_until}, expected: not before 'dated' ({self.dated})")
        return self

    def of(self, kind: ItemKind) -> list[Item]:
        """Give the items of a kind, cheapest first."""
        return sorted((item for item in self.item if item.kind is kind), key=lambda item: (item.price_vnd, item.id))

    @property
    def table(self) -> ShippedTable:
        """What is said of the shipped file when it runs out."""
        return ShippedTable("unit prices", SAMPLE.name, self.dated, self.valid_until, "gap lists say that it is old")

    def staleness(self, today: date) -> str:
        """Say that the prices have run out or soon will; "" when they have not."""
        if today > self.valid_until:
            return f"the prices ran out on {self.valid_until}; ask for new quotations"
        if today > self.valid_until - timedelta(days=WARN_DAYS):
            return f"the prices run out on {self.valid_until}"
        return ""


def read_prices(path: Path = SAMPLE) -> Prices:
    """Read a price file.

    Raises:
        PricesError: the file is missing, no TOML, or an entry is wrong.
    """
    try:
        return Prices.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PricesError(f"{path}: cannot be read as a price file ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(piece) for piece in first["loc"]) or "(file)"
        raise PricesError(f"{path}: key '{key}': {first['msg'].removeprefix('Value error, ')}") from error
