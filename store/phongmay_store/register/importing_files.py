"""CSV, XLSX and JSON files become tables of texts; nothing here knows what the columns mean.

In: paths of files or directories. Out: `Table`s, each with its header and its rows as texts. A file that cannot be
read, is not UTF-8, or is absurdly large gives a `RowError` instead of a table; the other files are read all the same,
so that one run shows everything that is wrong.
"""

from __future__ import annotations

import csv
import io
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from phongmay_store.register.importing_columns import MAX_TEXT, longest_cell
from phongmay_store.register.importing_json import NotThisForm, json_rows
from phongmay_store.register.importing_numbers import exact

MAX_FILE_BYTES = 32 * 1024**2
MAX_UNPACKED_BYTES = 512 * 1024**2
"""An XLSX is a ZIP file; this bounds what it may unfold to."""
_TAG_BYTES = 1024**2
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How files begin that Excel encrypted, and those of its old format."""
_BROKEN = (zipfile.BadZipFile, zlib.error, InvalidFileException, ParseError, KeyError, ValueError, EOFError)
"""What openpyxl lets out where a file is not what it says."""
MAX_ROWS = 200_000
"""Rows of one table; the largest city of the country has about 125,000 school PCs."""
MAX_COLUMNS = 60
GUIDE_SHEET = "guide"
"""Sheet of the XLSX template that explains the columns; the import passes over it."""


@dataclass(frozen=True, slots=True)
class RowError:
    """Something in a file that a person must mend before anything is written.

    Attributes:
        file: file name, with the sheet for an XLSX ("district.xlsx/rooms").
        line: line of the file or row of the sheet; 0 = the file as a whole.
        column: header of the column as it stands in the file; "" = the whole row.
        value: what was found.
        expected: what should stand there.
    """

    file: str
    line: int
    column: str
    value: str
    expected: str

    def __str__(self) -> str:
        where = (
            self.file + (f" line {self.line}" if self.line else "") + (f", column {self.column}" if self.column else "")
        )
        return f"{where}: {self.value!r}: {self.expected}" if self.value else f"{where}: {self.expected}"


@dataclass(frozen=True, slots=True)
class Table:
    """A header and the rows below it, all as stripped texts in Unicode form NFC.

    Attributes:
        origin: file name, with the sheet for an XLSX.
        header_line: line on which the header stands.
        header: column names as they stand in the file.
        rows: (line, cells); as many cells as the header has columns.
    """

    origin: str
    header_line: int
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


class _Unreadable(Exception):
    """Carries the RowError of a file or sheet out of the depths."""

    def __init__(self, error: RowError) -> None:
        super().__init__(str(error))
        self.error = error


def read_tables(paths: Sequence[Path]) -> tuple[list[Table], list[RowError]]:
    """Read files, and every CSV and XLSX of directories (a JSON file is read only if it is named itself).

    Returns:
        The tables that could be read, and what is wrong with the others.
    """
    tables: list[Table] = []
    errors: list[RowError] = []
    for path in paths:
        files = [path]
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix.lower() in (".csv", ".xlsx"))
            if not files:
                errors.append(RowError(str(path), 0, "", "", "the directory holds no .csv and no .xlsx file"))
        for file in files:
            try:
                size = file.stat().st_size
                payload = b"" if size > MAX_FILE_BYTES else file.read_bytes()
            except OSError as error:
                errors.append(RowError(str(file), 0, "", "", f"cannot be read ({error.strerror or error})"))
                continue
            if size > MAX_FILE_BYTES:
                expected = f"has {size} bytes; at most {MAX_FILE_BYTES} are read, so split it"
                errors.append(RowError(file.name, 0, "", "", expected))
                continue
            found, faults = read_payload(file.name, payload)
            tables += found
            errors += faults
    return tables, errors


def read_payload(name: str, payload: bytes, max_unpacked: int | None = None) -> tuple[list[Table], list[RowError]]:
    """Read the bytes of one CSV, XLSX or JSON file; its name says which of them it is."""
    tables: list[Table] = []
    errors: list[RowError] = []
    for source in _sources(name, payload, max_unpacked or MAX_UNPACKED_BYTES, errors):
        try:
            table = _table(*source)
        except _Unreadable as refused:
            errors.append(refused.error)
        except csv.Error as error:
            errors.append(RowError(source[0], 0, "", "", f"cannot be read as CSV ({error})"))
        except _BROKEN as error:  # rows of a sheet are read one by one: it may break in the middle
            errors.append(RowError(source[0], 0, "", "", f"is not a readable XLSX file ({error})"))
        else:
            if table is not None:
                tables.append(table)
    return tables, errors


_Rows = Iterable[tuple[int, Sequence[str]]]


def _sources(name: str, payload: bytes, max_unpacked: int, errors: list[RowError]) -> Iterator[tuple[str, _Rows]]:
    """Give (origin, rows) of a CSV, of the list of a JSON file, or of each sheet of an XLSX."""
    ending = Path(name).suffix.lower()
    try:
        if ending == ".xlsx":
            yield from _sheets(name, payload, max_unpacked)
        elif ending == ".csv":
            yield name, _csv_rows(name, payload)
        elif ending == ".json":
            yield name, json_rows(payload)
        else:
            raise _refuse(name, "is neither .csv nor .xlsx nor .json; save it as one of these")
    except NotThisForm as error:
        errors.append(RowError(name, error.entry, error.key, "", str(error)))
    except _Unreadable as refused:
        errors.append(refused.error)


def _refuse(origin: str, expected: str, line: int = 0, column: str = "", value: str = "") -> _Unreadable:
    return _Unreadable(RowError(origin, line, column, value, expected))


def _csv_rows(name: str, payload: bytes) -> Iterator[tuple[int, Sequence[str]]]:
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = payload[: error.start].count(b"\n") + 1
        raise _refuse(name, "is not UTF-8; in Excel save it as 'CSV UTF-8 (Comma delimited)'", line) from error
    if text.startswith("sep="):  # Excel's own line that names the delimiter
        text = "#" + text
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    delimiter = max(",;\t", key=first.count)  # Excel in Vietnam writes ';'
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    before = 0
    for row in reader:
        yield before + 1, row
        before = reader.line_num  # a quoted cell may run over several lines


def _sheets(name: str, payload: bytes, max_unpacked: int) -> Iterator[tuple[str, _Rows]]:
    if payload.startswith(_OLE):
        raise _refuse(name, "is a workbook under a password, or an old .xls; save it as .xlsx without a password")
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > max_unpacked:
                raise _refuse(name, f"unfolds to {unpacked} bytes; at most {max_unpacked} are read, so split it")
            for entry in archive.infolist():
                if entry.filename.endswith((".xml", ".rels")) and _endless(archive, entry):
                    raise _refuse(name, f"is not a readable XLSX file ({entry.filename} holds a tag without end)")
        # Twice: once for what the cells show, once to tell an empty cell from a formula that was never calculated.
        values = load_workbook(io.BytesIO(payload), read_only=True, data_only=True)
        formulas = load_workbook(io.BytesIO(payload), read_only=True, data_only=False)
        for sheet, raw in zip(values.worksheets, formulas.worksheets, strict=True):
            if sheet.title.casefold() != GUIDE_SHEET:
                origin = f"{name}/{sheet.title}"
                shown = sheet.iter_rows(values_only=True, max_col=MAX_COLUMNS)
                written = raw.iter_rows(values_only=True, max_col=MAX_COLUMNS)
                yield origin, _sheet_rows(origin, shown, written)
    except _BROKEN as error:
        raise _refuse(name, f"is not a readable XLSX file ({error})") from error


def _endless(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """Tell whether a part holds a tag of more than `_TAG_BYTES`: the parser begins a tag anew with every chunk."""
    opened = 0  # bytes since a tag was opened and not closed
    with archive.open(entry) as part:
        while chunk := part.read(_TAG_BYTES):
            first, last = chunk.find(b">"), chunk.rfind(b"<")
            if opened and first < 0:
                opened += len(chunk)
            else:
                opened = len(chunk) - last if last > chunk.rfind(b">") else 0
            if opened > _TAG_BYTES:
                return True
    return False


def _sheet_rows(origin: str, shown: Iterable[Any], written: Iterable[Any]) -> Iterator[tuple[int, Sequence[str]]]:
    for line, (cells, originals) in enumerate(zip(shown, written, strict=True), start=1):
        for value, original in zip(cells, originals, strict=True):
            if value is None and original is not None:
                raise _refuse(
                    origin, "a formula without a stored value; open the file in Excel, save it, and try again",
                    line, value=str(original)[:MAX_TEXT],
                )  # fmt: skip
        yield line, [_cell_text(value) for value in cells]


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # Excel keeps every number as a float
    if isinstance(value, float):
        return exact(str(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _table(origin: str, rows: _Rows) -> Table | None:
    """Find the header and hold every row against it; None when there is nothing but comments.

    A row of one cell above a row of several is a title: every sheet has more than one required column.
    """
    title: tuple[int, tuple[str, ...]] | None = None
    header: tuple[str, ...] = ()
    header_line = 0
    longest: list[int] = []
    kept: list[tuple[int, tuple[str, ...]]] = []
    for line, raw in rows:
        cells = tuple(unicodedata.normalize("NFC", cell).strip() for cell in raw)
        while cells and not cells[-1]:
            cells = cells[:-1]
        if not cells or cells[0].startswith("#"):
            continue
        for cell in cells:
            if any(unicodedata.category(character) == "Cc" for character in cell):
                raise _refuse(origin, "no line breaks or control characters inside a cell", line, value=cell[:40])
        if not header and sum(map(bool, cells)) == 1:
            _bound(origin, line, cells, [MAX_TEXT] * len(cells))
            title = title or (line, cells)
            continue
        if not header:
            if len(cells) > MAX_COLUMNS:
                raise _refuse(origin, f"has {len(cells)} columns; at most {MAX_COLUMNS} are read", line)
            header, header_line = cells, line
            _bound(origin, line, cells, [MAX_TEXT] * len(cells))
            longest = [longest_cell(name) for name in header]
            continue
        if len(cells) > len(header):
            raise _refuse(
                origin, f"has {len(cells)} cells, the header has {len(header)} columns; put texts with the delimiter in"
                ' quotes (")', line,
            )  # fmt: skip
        if len(kept) == MAX_ROWS:
            raise _refuse(origin, f"has more than {MAX_ROWS} rows; split it", line)
        _bound(origin, line, cells, longest)
        kept.append((line, cells + ("",) * (len(header) - len(cells))))
    if not header and title is not None:
        header_line, header = title
    return Table(origin, header_line, header, tuple(kept)) if header else None


def _bound(origin: str, line: int, cells: Sequence[str], longest: Sequence[int]) -> None:
    """Refuse a cell with more characters than its column takes; nothing is ever cut."""
    for cell, most in zip(cells, longest, strict=False):
        if len(cell) > most:
            raise _refuse(origin, f"at most {most} characters in one cell", line, value=cell[:40] + "…")
