"""Cursor paging: a page of items and an opaque cursor that names the last item's key.

Because the next page begins behind a key and not at a number, nothing is skipped or given twice when rows are added
meanwhile. A cursor that was not made here gives a 422.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from phongmay_api.problems import bad_value

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
Item = TypeVar("Item")
Row = TypeVar("Row")

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Most items on a page.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")]


class Page(BaseModel, Generic[Item]):
    """Some items and where to go on."""

    items: list[Item]
    next_cursor: str | None = Field(description="Pass as `cursor` for the next page; null = this is the last one.")


def write_cursor(key: Sequence[str | int | float]) -> str:
    """Make the cursor of a key."""
    return base64.urlsafe_b64encode(json.dumps(list(key), separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, *types: type) -> tuple[Any, ...] | None:
    """Give the key of a cursor, None without one.

    Raises:
        Problem: 422, the cursor was not made for this list.
    """
    if not cursor:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        key = None
    if not isinstance(key, list) or len(key) != len(types) or any(map(_differs, key, types)):
        raise bad_value("query/cursor", "this cursor was not made for this list; begin without one")
    return tuple(key)


def _differs(value: object, kind: type) -> bool:
    if isinstance(value, bool):
        return True
    return not isinstance(value, (int, float) if kind is float else kind)


def split(
    rows: Sequence[Row], limit: int, key: Callable[[Row], Sequence[str | int | float]]
) -> tuple[list[Row], str | None]:
    """Cut a result of up to limit + 1 rows into a page and its next cursor."""
    page = list(rows[:limit])
    return page, write_cursor(key(page[-1])) if len(rows) > limit else None
