"""A JSON list of PCs without agents becomes the rows of a `baseline` sheet; docs/declared-facts.md tells the form.

In: the bytes of a file: {"school": "moet:1", "declared_by": "Kiểm kê", "computers": [{"code": "PC-1", "ram_gb": 8}]}.
Out: a header and rows of texts, as a CSV file would give them; what stands beside "computers" holds for every entry
that does not say otherwise. Numbers of entries stand for line numbers. A file of another form is `NotThisForm`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from phongmay_store.register.importing_numbers import exact

LIST = "computers"


class NotThisForm(Exception):
    """The file is no JSON list of PCs; the text says what was expected.

    Attributes:
        entry: number of the entry, from 1; 0 = the file as a whole. Where it is no JSON at all: the line of the file.
        key: key of the entry; "" = the whole entry.
    """

    def __init__(self, expected: str, entry: int = 0, key: str = "") -> None:
        super().__init__(expected)
        self.entry = entry
        self.key = key


def json_rows(payload: bytes) -> list[tuple[int, Sequence[str]]]:
    """Give the header as row 0 and each entry as a row."""
    try:
        found = json.loads(
            payload.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_once
        )
    except UnicodeDecodeError as error:
        raise NotThisForm("is not UTF-8; save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise NotThisForm(f"is not JSON ({error.msg})", error.lineno) from error
    except RecursionError as error:
        raise NotThisForm("is not a list of PCs: it is nested too deeply") from error
    if not isinstance(found, dict) or not isinstance(found.get(LIST), list):
        raise NotThisForm(f'expected an object with a list "{LIST}", an object for each PC')
    if not found[LIST]:
        raise NotThisForm("holds no row")
    common = {key: _cell(value, 0, key) for key, value in found.items() if key != LIST}
    entries = []
    for number, entry in enumerate(found[LIST], start=1):
        if not isinstance(entry, dict):
            raise NotThisForm("expected an object, one for each PC", number)
        entries.append({**common, **{key: _cell(value, number, key) for key, value in entry.items()}})
    header = list(dict.fromkeys([*common, *(key for entry in entries for key in entry)]))
    rows = [[entry.get(key, "") for key in header] for entry in entries]
    return list(enumerate([header, *rows]))


def _cell(value: Any, entry: int, key: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, Decimal):
        return exact(f"{value.normalize():f}") if abs(value.adjusted()) < 40 else str(value)
    raise NotThisForm("expected a text, a number, true, false or null, not a list or an object", entry, key)


def _no_number(text: str) -> Any:
    raise NotThisForm(f"{text} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotThisForm(f"the same key stands twice: {', '.join(key for key, _ in pairs)}"[:200])
    return found
