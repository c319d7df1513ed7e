"""What an import did, or would do: a line for each row, counts, faults, and the ids that the caller may need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from phongmay_store.register.importing_files import RowError


class Action(StrEnum):
    """What an import does to a thing."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one row.

    Attributes:
        kind: sheet it stands in.
        key: how a person calls the thing, e.g. "moet:79010101/Phòng máy 1".
        action: created, changed or unchanged.
        differences: for a changed thing (before, after) by property, for a person.
        line: line of the file or row of the sheet; `origin`: the file.
        after: the properties as they will be.
    """

    kind: str
    key: str
    action: Action
    differences: Mapping[str, tuple[str, str]]
    origin: str = ""
    line: int = 0
    after: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class ImportResult:
    """What an import did, or would do.

    Attributes:
        changes: one for each row that could be understood.
        errors: everything that is wrong; when there is any, nothing was written.
        kept: things of the same schools that the register has and the files do not name, by sheet; they stay.
        unit_ids: register id by external id "issuer:value", of every unit known.
        room_ids: register id by (school's external id, room name), of the rooms in the files.
        device_ids: register id by (school's external id, inventory code), of the devices in the files.
    """

    changes: list[Change] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)
    unit_ids: dict[str, str] = field(default_factory=dict)
    room_ids: dict[tuple[str, str], str] = field(default_factory=dict)
    device_ids: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def created(self) -> Mapping[str, int]:
        """Count new things by sheet."""
        return self._count(Action.CREATED)

    @property
    def changed(self) -> Mapping[str, int]:
        """Count revised things by sheet."""
        return self._count(Action.CHANGED)

    @property
    def unchanged(self) -> Mapping[str, int]:
        """Count things that are as the files say, by sheet."""
        return self._count(Action.UNCHANGED)

    def _count(self, action: Action) -> Mapping[str, int]:
        return Counter(change.kind for change in self.changes if change.action is action)
