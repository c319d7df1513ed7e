"""Tables of texts become rows of typed values; what each column means is declared in importing_columns.

In: tables. Out: `Row`s, a kind of thing each. Every cell that cannot be read becomes a `RowError` naming file, line,
column, value and what is expected. An empty cell says nothing (a new thing gets the default, an existing one keeps
what it has); a single '-' empties what may be empty.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phongmay_store.register.importing_columns import SHEETS, Column, SheetKind, normalise
from phongmay_store.register.importing_files import GUIDE_SHEET, RowError, Table
from phongmay_store.register.importing_numbers import GroupedError
from phongmay_store.register.timetable import TimetableError

CLEAR = "-"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a sheet.

    Attributes:
        kind: which sheet.
        origin: file (and sheet) it stands in.
        line: line or sheet row.
        values: the cells that could be read and say something (None = emptied by '-'), by column name. A required one
            may be lacking: that error is reported already.
        cells: (header, text) of every cell as it stands in the file, by column name.
    """

    kind: SheetKind
    origin: str
    line: int
    values: Mapping[str, Any]
    cells: Mapping[str, tuple[str, str]]

    def error(self, column: str, expected: str) -> RowError:
        """Make the error that points at a cell of this row ('' = the whole row)."""
        header, text = self.cells.get(column, (column, ""))
        return RowError(self.origin, self.line, header, text, expected)


def recognise(table: Table) -> tuple[SheetKind | None, list[RowError]]:
    """Tell by its header what a table holds.

    Returns:
        The kind and no errors, or None and what is wrong with the header, held against the likeliest kind.
    """

    def score(kind: SheetKind) -> tuple[int, int]:
        known = sum(kind.column(header) is not None for header in table.header)
        missing = sum(all(kind.column(h) is not c for h in table.header) for c in kind.columns if c.required)
        return known - missing, -len(kind.columns)

    kind = max(SHEETS, key=score)
    if not any(kind.column(header) for header in table.header):
        sheets = ", ".join(one.name for one in SHEETS)
        told = (
            f"no column is known, so it is none of the sheets {sheets}; take the headers of the template, "
            f"or delete the sheet or name it {GUIDE_SHEET!r}"
        )
        return None, [_at_header(table, table.header[0], told)]
    errors: list[RowError] = []
    seen: dict[str, str] = {}
    for header in table.header:
        column = kind.column(header)
        if column is None:
            close = difflib.get_close_matches(normalise(header), [c.name for c in kind.columns], n=1)
            hint = f"did you mean {close[0]!r}?" if close else "known: " + ", ".join(map(_named, kind.columns))
            errors.append(_at_header(table, header, f"no column of the sheet '{kind.name}'; {hint}"))
        elif column.name in seen:
            errors.append(_at_header(table, header, f"the same column as {seen[column.name]!r}"))
        else:
            seen[column.name] = header
    for column in kind.columns:
        if column.required and column.name not in seen:
            errors.append(_at_header(table, "", f"column {column.name!r} ({column.alias}) of '{kind.name}' is missing"))
    return (None, errors) if errors else (kind, [])


def _named(column: Column) -> str:
    """Give a column's header in both languages: "school (mã trường)"."""
    return f"{column.name} ({column.alias.split('/')[0].strip()})"


def _at_header(table: Table, header: str, expected: str) -> RowError:
    return RowError(table.origin, table.header_line, header, "", expected)


def read_rows(tables: Sequence[Table]) -> tuple[list[Row], list[RowError]]:
    """Read every table; rows come in the order of `SHEETS`.

    Returns:
        The rows with what could be read of them, and every fault.
    """
    rows: dict[str, list[Row]] = {kind.name: [] for kind in SHEETS}
    errors: list[RowError] = []
    for table in tables:
        kind, faults = recognise(table)
        errors += faults
        if kind is None:
            continue
        columns = [kind.column(header) for header in table.header]
        for line, cells in table.rows:
            values: dict[str, Any] = {}
            found: dict[str, tuple[str, str]] = {}
            for header, column, cell in zip(table.header, columns, cells, strict=True):
                if column is None:
                    continue
                found[column.name] = header, cell
                if not cell:
                    if column.required:
                        errors.append(RowError(table.origin, line, header, "", f"is empty; expected {column.expected}"))
                    continue
                if cell == CLEAR and column.clearable:
                    values[column.name] = None
                    continue
                try:
                    values[column.name] = column.read(cell)
                except TimetableError as error:
                    errors.append(RowError(table.origin, line, header, cell, str(error)))
                except GroupedError as error:
                    errors.append(RowError(table.origin, line, header, cell, f"expected {column.expected}, {error}"))
                except (ValueError, KeyError):
                    errors.append(RowError(table.origin, line, header, cell, f"expected {column.expected}"))
            rows[kind.name].append(Row(kind, table.origin, line, values, found))
    return [row for kind in SHEETS for row in rows[kind.name]], errors
