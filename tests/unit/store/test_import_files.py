"""Reading import files: what Excel writes is read, what is broken or absurd is refused in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook

from phongmay_store.errors import StoreError
from phongmay_store.register import importing_files
from phongmay_store.register.importing_columns import SHEETS
from phongmay_store.register.importing_files import read_tables
from phongmay_store.register.importing_rows import read_rows
from phongmay_store.register.importing_template import write_csv_templates, write_xlsx_template


def workbook(path: Path, sheets: dict[str, Sequence[Sequence[object]]]) -> Path:
    """Write an XLSX."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def test_xlsx_numbers_and_dates_read_as_a_person_sees_them(tmp_path: Path) -> None:
    """Excel keeps 35 as 35.0 and dates as times: both come as the plain text that a CSV would hold."""
    day = datetime(2026, 9, 5)  # noqa: DTZ001 Excel's dates have no zone
    path = workbook(tmp_path / "a.xlsx", {"Máy": [["school", "code", "agent_since"], ["moet:1", 35.0, day]]})
    tables, errors = read_tables([path])
    assert errors == []
    assert tables[0].rows == ((2, ("moet:1", "35", "2026-09-05")),)
    assert tables[0].origin == "a.xlsx/Máy"


def test_a_formula_is_its_stored_value_or_a_fault(tmp_path: Path) -> None:
    """=HYPERLINK with a stored value reads as that value; one that was never calculated must not read as empty."""
    path = workbook(tmp_path / "a.xlsx", {"x": [["school", "name"], ["moet:1", '=HYPERLINK("http://x","Chính")']]})
    _, errors = read_tables([path])
    assert [(error.line, "formula without a stored value" in error.expected) for error in errors] == [(2, True)]
    stored = tmp_path / "b.xlsx"
    with ZipFile(path) as source, ZipFile(stored, "w", ZIP_DEFLATED) as target:
        for entry in source.namelist():
            content = source.read(entry)
            if entry == "xl/worksheets/sheet1.xml":
                assert b"<v></v>" in content or b"<v />" in content or b"<v/>" in content
                for empty in (b"<v></v>", b"<v />", b"<v/>"):
                    content = content.replace(empty, "<v>Chính</v>".encode())
                content = content.replace(b'<c r="B2">', b'<c r="B2" t="str">')
            target.writestr(entry, content)
    tables, errors = read_tables([stored])
    assert errors == []
    assert tables[0].rows == ((2, ("moet:1", "Chính")),)


@pytest.mark.parametrize(
    ("name", "payload", "told"),
    [
        ("a.csv", "school,name\nmoet:1,Trường\n".encode("utf-16"), "is not UTF-8"),
        ("a.csv", b"school,name\nmoet:1,Tr\xff\n", "a.csv line 2: is not UTF-8"),
        ("a.csv", b'school,name\nmoet:1,"open\n', "cannot be read as CSV"),
        ("a.csv", b"school,name\nmoet:1,a\x00b\n", "control characters"),
        ("a.csv", b'school,name\nmoet:1,"a\nb"\n', "no line breaks"),
        ("a.csv", b"school,name\nmoet:1," + b"x" * 300 + b"\n", "at most 200 characters"),
        ("a.xlsx", b"PK not a workbook", "is not a readable XLSX file"),
        ("a.ods", b"", "is neither .csv nor .xlsx"),
    ],
)
def test_a_broken_file_is_a_fault_not_a_traceback(tmp_path: Path, name: str, payload: bytes, told: str) -> None:
    """Whatever stands in a file, reading it ends with a sentence that names it."""
    (tmp_path / name).write_bytes(payload)
    tables, errors = read_tables([tmp_path / name])
    assert tables == []
    assert len(errors) == 1
    assert told in str(errors[0])


def test_missing_files_and_empty_directories_are_told(tmp_path: Path) -> None:
    """A wrong path is a fault like any other."""
    (tmp_path / "empty").mkdir()
    _, errors = read_tables([tmp_path / "empty", tmp_path / "no.csv"])
    assert len(errors) == 2
    assert "holds no .csv" in str(errors[0])
    assert "no.csv" in str(errors[1])


def test_absurd_sizes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many bytes, rows or unfolded bytes end in a fault before they fill the memory."""
    (tmp_path / "a.csv").write_text("school,name\n" + "moet:1,x\n" * 11)
    monkeypatch.setattr(importing_files, "MAX_ROWS", 10)
    assert "more than 10 rows" in str(read_tables([tmp_path / "a.csv"])[1][0])
    monkeypatch.setattr(importing_files, "MAX_FILE_BYTES", 50)
    assert "at most 50 are read" in str(read_tables([tmp_path / "a.csv"])[1][0])
    monkeypatch.undo()
    with ZipFile(tmp_path / "bomb.xlsx", "w", ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * 5_000_000)
    monkeypatch.setattr(importing_files, "MAX_UNPACKED_BYTES", 1_000_000)
    assert "unfolds to 5000000 bytes" in str(read_tables([tmp_path / "bomb.xlsx"])[1][0])


def test_the_templates_are_recognised_and_their_examples_read(tmp_path: Path) -> None:
    """Each template's header is its sheet's, its comments are passed over, and its example is a good row."""
    paths = write_csv_templates(tmp_path)
    tables, errors = read_tables(paths)
    assert errors == []
    assert [len(table.rows) for table in tables] == [0] * len(SHEETS)
    for path in paths:
        path.write_text(path.read_text("utf-8-sig").replace("# example: ", ""), "utf-8")
    rows, faults = read_rows(read_tables(paths)[0])
    assert faults == []
    assert [row.kind for row in rows] == list(SHEETS)
    assert all(set(row.values) == {column.name for column in row.kind.columns} for row in rows)


def test_the_workbook_template_is_recognised(tmp_path: Path) -> None:
    """The XLSX template reads as all sheets without a row; the guide is passed over."""
    tables, errors = read_tables(write_xlsx_template(tmp_path))
    assert errors == []
    assert [table.origin for table in tables] == [f"phongmay.xlsx/{kind.name}" for kind in SHEETS]
    assert read_rows(tables) == ([], [])


def test_a_template_never_overwrites(tmp_path: Path) -> None:
    """Somebody's filled-in file survives a second `template`."""
    write_csv_templates(tmp_path)
    with pytest.raises(StoreError, match=r"units\.csv exists already"):
        write_csv_templates(tmp_path)
    with pytest.raises(StoreError, match="cannot be written"):
        write_xlsx_template(tmp_path / "missing")


def damaged(path: Path, sheet: bytes) -> Path:
    """Write an XLSX whose one sheet is put in place of a good one."""
    good = workbook(path.with_name("good.xlsx"), {"x": [["school", "name"], ["moet:1", "A"]]})
    with ZipFile(good) as source, ZipFile(path, "w", ZIP_DEFLATED) as target:
        for entry in source.namelist():
            target.writestr(entry, sheet if entry == "xl/worksheets/sheet1.xml" else source.read(entry))
    return path


def test_a_sheet_that_is_cut_off_is_a_fault(tmp_path: Path) -> None:
    """A transfer that broke inside a sheet is told in one sentence, with the sheet's name; no traceback."""
    good = workbook(tmp_path / "good.xlsx", {"x": [["school", "name"], ["moet:1", "A"]]})
    with ZipFile(good) as source:
        head = source.read("xl/worksheets/sheet1.xml")[:-20]
    tables, errors = read_tables([damaged(tmp_path / "a.xlsx", head)])
    assert tables == []
    assert [(error.file, error.expected.startswith("is not a readable XLSX file")) for error in errors] == [
        ("a.xlsx/x", True)
    ]


def test_a_piece_of_xml_without_end_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    """One tag of 30 MB keeps an XML parser busy for a minute, since it begins anew with each chunk: refused unread."""
    endless = b"<worksheet><sheetData><row" + b" " * 5_000_000
    tables, errors = read_tables([damaged(tmp_path / "a.xlsx", endless)])
    assert tables == []
    assert [error.expected for error in errors] == [
        "is not a readable XLSX file (xl/worksheets/sheet1.xml holds a tag without end)"
    ]


def test_an_encrypted_workbook_is_called_that(tmp_path: Path) -> None:
    """A workbook under a password is no ZIP file; whoever sent it is told to take the password off."""
    (tmp_path / "a.xlsx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    _, errors = read_tables([tmp_path / "a.xlsx"])
    assert "under a password, or an old .xls" in errors[0].expected


def test_a_title_above_the_header_is_passed_over(tmp_path: Path) -> None:
    """Office people write a title over a table, merged across it: the header is the first row of several cells."""
    rows = [["BẢNG KHAI BÁO NĂM HỌC 2026-2027"], [], [None, "Trường A"], ["school", "name"], ["moet:1", "Chính"]]
    tables, errors = read_tables([workbook(tmp_path / "a.xlsx", {"x": rows})])
    assert errors == []
    assert (tables[0].header, tables[0].header_line, tables[0].rows) == (
        ("school", "name"), 4, ((5, ("moet:1", "Chính")),)
    )  # fmt: skip
    only = workbook(tmp_path / "b.xlsx", {"x": [["Ghi chú"], ["Gọi lại sau"]]})
    tables, errors = read_tables([only])
    assert (errors, tables[0].header) == ([], ("Ghi chú",)), "a sheet of notes is not passed over in silence"


def test_a_sheet_that_is_none_of_ours_is_told_so(tmp_path: Path) -> None:
    """A sheet of notes is no list of units with its columns missing: one sentence says what may be done with it."""
    path = workbook(tmp_path / "a.xlsx", {"Ghi chú": [["Việc", "Ai làm"], ["Gọi VNPT", "Văn thư"]]})
    rows, faults = read_rows(read_tables([path])[0])
    assert rows == []
    assert [fault.file for fault in faults] == ["a.xlsx/Ghi chú"]
    assert "delete the sheet or name it 'guide'" in faults[0].expected


def test_vietnamese_headers_of_other_programs_are_known(tmp_path: Path) -> None:
    """Headers as a district writes them: with accents, capitals and the words of an office."""
    header = "Mã trường;Phòng;Mã tài sản;Mục khai báo;Giá trị;Đơn vị;Người khai báo"
    (tmp_path / "a.csv").write_text(f"\ufeff{header}\r\nmoet:1;;;students;512;;Ban kiểm kê\r\n", "utf-8")
    rows, faults = read_rows(read_tables([tmp_path / "a.csv"])[0])
    assert faults == []
    assert (rows[0].kind.name, rows[0].values["declared_by"]) == ("declared", "Ban kiểm kê")
    (tmp_path / "a.csv").write_text("Mã trường;Mục khai báo;Giá trị;Người lập\r\nmoet:1;students;512;x\r\n", "utf-8")
    _, faults = read_rows(read_tables([tmp_path / "a.csv"])[0])
    assert "declared_by (người khai)" in faults[0].expected
