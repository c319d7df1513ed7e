"""A thing of the register while an import is planned: what it was, what the files say, what it will be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from phongmay_store.register.base import Versioned
from phongmay_store.register.importing_rows import Row


@dataclass(slots=True)
class Thing:
    """A unit, room, seat, line or device as it will be; `before`: its row in the register, `row`: in the files."""

    id: str
    model: type[Versioned]
    values: dict[str, Any]
    before: Versioned | None = None
    row: Row | None = None
    differing: dict[str, Any] = field(default_factory=dict)
