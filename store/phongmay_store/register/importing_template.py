"""Writes empty import files: a header, and what every column means, as comments that the import passes over.

In: an existing directory. Out: a CSV file a sheet (UTF-8 with byte order mark, so that Excel shows Vietnamese) or one
XLSX workbook with as many sheets and a guide. A file that exists already is never overwritten: StoreError.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from openpyxl import Workbook
from openpyxl.styles import Font

from phongmay_store.errors import StoreError
from phongmay_store.register.importing_columns import SHEETS, SheetKind
from phongmay_store.register.importing_files import GUIDE_SHEET

WORKBOOK = "phongmay.xlsx"


def write_csv_templates(folder: Path) -> list[Path]:
    """Write a CSV file for each sheet: units.csv, rooms.csv and so on.

    Raises:
        StoreError: the directory is missing or not writable, or a file is there already.
    """

    def write(kind: SheetKind) -> Callable[[Path], None]:
        def to(path: Path) -> None:
            with path.open("x", encoding="utf-8-sig", newline="") as file:
                writer = csv.writer(file)
                writer.writerow([column.name for column in kind.columns])
                for column in kind.columns:
                    need = "required" if column.required else "may be empty"
                    writer.writerow([f"# {column.name} ({column.alias}; {need}): {column.about}"])
                writer.writerow(["# example: " + kind.columns[0].example, *(c.example for c in kind.columns[1:])])

        return to

    return [_write(folder / f"{kind.name}.csv", write(kind)) for kind in SHEETS]


def write_xlsx_template(folder: Path) -> list[Path]:
    """Write phongmay.xlsx with all sheets and a guide.

    Raises:
        StoreError: the directory is missing or not writable, or the file is there already.
    """
    book = workbook(SHEETS)

    def to(path: Path) -> None:
        with path.open("xb") as file:
            book.save(file)

    return [_write(folder / WORKBOOK, to)]


def workbook(kinds: Sequence[SheetKind], examples: Mapping[str, str] = MappingProxyType({})) -> Workbook:
    """Make an empty workbook with a guide.

    Args:
        kinds: its sheets.
        examples: examples by column, in the place of the general ones.
    """
    book = Workbook()
    guide = book.worksheets[0]
    guide.title = GUIDE_SHEET
    guide.append(["sheet", "column", "cột", "required / bắt buộc", "meaning", "expected", "example / ví dụ"])
    for kind in kinds:
        sheet = book.create_sheet(kind.name)
        sheet.append([column.name for column in kind.columns])
        sheet.freeze_panes = "A2"
        for number, column in enumerate(kind.columns, start=1):
            sheet.cell(row=1, column=number).font = Font(bold=column.required)
            guide.append(
                [kind.name, column.name, column.alias, "x" if column.required else "", column.about, column.expected,
                 examples.get(column.name, column.example)]
            )  # fmt: skip
    return book


def _write(path: Path, to: Callable[[Path], None]) -> Path:
    try:
        to(path)
    except FileExistsError:
        raise StoreError(f"{path} exists already; move it away or give another directory") from None
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written ({error.strerror}); give an existing, writable directory"
        ) from error
    return path
