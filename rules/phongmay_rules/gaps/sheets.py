"""The gap list as a workbook for the finance office: a `GapList` goes in, XLSX bytes come out, headings in Vietnamese.

Amounts are whole numbers in VND, sums are values (every reader shows them). No text of the register can become a
formula: each is written as a string, marked as text where a spreadsheet would take it for one.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from phongmay_rules.gaps.listing import GapList
from phongmay_rules.gaps.words import (
    NOT_PROVEN,
    REMARKS,
    as_of,
    first_of,
    left_above,
    left_of,
    note_text,
    school_name,
    vnd,
)
from phongmay_store.register.timetable import LOCAL

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MONEY = "#,##0"
_WIDEST = 60
MONEY_HEADS = ("Đơn giá (đ)", "Thành tiền (đ)")


def workbook(found: GapList) -> bytes:
    """Write the workbook."""
    book = Workbook()
    book.remove(book.worksheets[0])
    _sheet(book, "Tổng hợp", ("Mục", "Nội dung"), _summary(found))
    _sheet(book, "Theo hạng mục", ("Hạng mục", "Số lượng", *MONEY_HEADS), _items(found), total=True)
    _sheet(
        book,
        "Theo trường",
        (
            "Trường",
            "Tiêu chí không đạt",
            "Sẽ đạt",
            "Còn không đạt hoặc chưa rõ",
            "Chưa rõ",
            "Thành tiền (đ)",
            "Sau khi thực hiện",
        ),
        _schools(found),
        total=True,
    )
    _sheet(book, "Theo phòng", ("Trường", "Phòng", "Số hạng mục", "Thành tiền (đ)"), _rooms(found), total=True)
    _sheet(
        book,
        "Theo máy",
        ("Trường", "Phòng", "Máy", "Hạng mục", "Số lượng", *MONEY_HEADS, "Tiêu chí sẽ đạt", "Ghi chú"),
        _details(found),
        total=True,
    )
    _sheet(
        book,
        "Cần đo, khai báo trước",
        ("Trường", "Tiêu chí", "Tên tiêu chí", "Số đối tượng", "Lý do", "Nơi cung cấp", "Việc cần làm"),
        _unknown(found),
    )
    heads = ("Đơn vị", "Đối tượng", "Tiêu chí", "Tên tiêu chí", "Lý do còn lại", "Reason")
    _sheet(book, "Chưa xử lý", heads, _left(found))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _summary(found: GapList) -> list[tuple[object, ...]]:
    prices = found.prices
    complete = sum(school.is_complete for school in found.schools)
    rows: list[tuple[object, ...]] = [
        ("Số liệu tính đến", as_of(found)),
        ("Bộ tiêu chí", f"{found.standing.pack.id} {found.standing.pack.standard.version}"),
        ("Nguồn giá", prices.source.vi),
        ("Ngày báo giá", f"{prices.dated:%d/%m/%Y}"),
        ("Giá có hiệu lực đến", f"{prices.valid_until:%d/%m/%Y}"),
        ("Ngân sách", "không giới hạn" if found.budget is None else vnd(found.budget)),
        ("Tổng cộng", vnd(found.cost)),
        ("Phương án tốt nhất", "đã chứng minh" if found.is_proven else "chưa chứng minh được (hết thời gian tính)"),
        ("Trường xử lý hết phần phải chi tiền", f"{complete}/{len(found.schools)}"),
        ("Tiêu chí sẽ đạt", f"{sum(s.green for s in found.schools)}/{sum(s.red for s in found.schools)}"),
        ("Tiêu chí không đạt sẽ thành chưa rõ (cần đo, khai báo thêm)", str(len(found.undecided))),
        ("Tiêu chí chưa rõ", str(sum(len(school.unknown) for school in found.schools))),
    ]
    if not found.is_proven:
        rows.insert(0, ("CẢNH BÁO", NOT_PROVEN[0]))
    if prices.placeholder:
        rows.insert(0, ("CẢNH BÁO", "Giá trong danh sách là mức giá mẫu, chưa có báo giá."))
    if prices.staleness(found.standing.at.astimezone(LOCAL).date()):
        rows.insert(0, ("CẢNH BÁO", f"Giá chỉ có hiệu lực đến {prices.valid_until:%d/%m/%Y}: cần báo giá mới."))
    return [*rows, *(("Ghi chú", vi) for vi, _ in REMARKS)]


def _items(found: GapList) -> list[tuple[object, ...]]:
    counts: dict[str, int] = {}
    for line in found.lines:
        counts[line.line.item.id] = counts.get(line.line.item.id, 0) + line.count
    items = {item.id: item for item in found.prices.item}
    return [
        (items[item].name.vi, count, items[item].price_vnd, count * items[item].price_vnd)
        for item, count in sorted(counts.items())
    ]


def _schools(found: GapList) -> list[tuple[object, ...]]:
    return [
        (
            school_name(found, school.school_id),
            school.red,
            school.green,
            school.red - school.green,
            len(school.unknown),
            school.cost,
            "Xử lý hết phần phải chi tiền" if school.is_complete else "Còn phần chưa xử lý",
        )
        for school in sorted(found.schools, key=lambda school: school_name(found, school.school_id))
    ]


def _rooms(found: GapList) -> list[tuple[object, ...]]:
    sums: dict[tuple[str, str], list[int]] = {}
    for line in found.lines:
        entry = sums.setdefault((line.school_id, line.room_id), [0, 0])
        entry[0] += 1
        entry[1] += line.cost
    names = found.standing.names
    rows = [(school_name(found, s), names.room(room) or "(toàn trường)", *entry) for (s, room), entry in sums.items()]
    return sorted(rows, key=lambda row: row[:2])


def _details(found: GapList) -> list[tuple[object, ...]]:
    names = found.standing.names
    rows = [
        (
            school_name(found, line.school_id),
            names.room(line.room_id),
            names.device(line.device_id) if line.device_id else "",
            line.line.item.name.vi,
            line.count,
            line.line.item.price_vnd,
            line.cost,
            ", ".join(line.mends),
            note_text(line, "vi"),
        )
        for line in found.lines
    ]
    return sorted(rows, key=lambda row: row[:4])


def _unknown(found: GapList) -> list[tuple[object, ...]]:
    return [
        (school_name(found, school.school_id), line.rule, line.title, line.count, line.why, line.who, line.text)
        for school in found.schools
        for line in first_of(found, school, "vi")
    ]


def _left(found: GapList) -> list[tuple[object, ...]]:
    parts = [
        (school_name(found, school.school_id), left_of(found, school, "vi"), left_of(found, school, "en"))
        for school in found.schools
    ]
    parts.append(("(toàn đơn vị)", left_above(found, "vi"), left_above(found, "en")))
    return [
        (name, subject, one.rule, one.title, one.why, english[target])
        for name, vi, en in parts
        for english in [{target: one.why for one in en for target in one.targets}]
        for one in vi
        for target, subject in zip(one.targets, one.subjects, strict=True)
    ]


def _sheet(
    book: Workbook, title: str, heads: Sequence[str], rows: Iterable[Sequence[Any]], *, total: bool = False
) -> None:
    sheet = book.create_sheet(title)
    money = [index for index, head in enumerate(heads) if head in MONEY_HEADS]
    table = [tuple(heads), *rows]
    if total:
        sums: list[object] = [""] * len(heads)
        sums[0], last = "Cộng", money[-1]
        sums[last] = sum(row[last] for row in table[1:])
        table.append(tuple(sums))
    widths = [0] * len(heads)
    for number, row in enumerate(table, start=1):
        for index, value in enumerate(row):
            cell = sheet.cell(number, index + 1)
            if isinstance(value, str):
                text = ILLEGAL_CHARACTERS_RE.sub("", value)
                cell.value = text
                cell.data_type = "s"  # never a formula, whatever a school calls its room
                cell.quotePrefix = text.startswith(_FORMULA)
            else:
                cell.value = value
                if index in money:
                    cell.number_format = _MONEY
            if number == 1 or (total and number == len(table)):
                cell.font = Font(bold=True)
            widths[index] = min(_WIDEST, max(widths[index], len(str(value)) + 2))
    for index, width in enumerate(widths, start=1):
        sheet.column_dimensions[get_column_letter(index)].width = width
    sheet.freeze_panes = "A2"
