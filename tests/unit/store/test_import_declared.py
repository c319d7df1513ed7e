"""Declared values: who, when, in which unit, beside which thing; a wrong row is told and nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from phongmay_api.pages.import_words import in_language
from phongmay_contract.units import GB, GIB, MBIT_PER_SECOND
from phongmay_store.register.declared import Declared
from phongmay_store.register.device import Device
from phongmay_store.register.importing import ImportResult, import_files

PLACES = {
    "units": "external_id,name,level\nmoet:1,Trường A,tieu_hoc\n",
    "rooms": "school,name,kind\nmoet:1,Phòng máy 1,computer_room\n",
    "devices": "school,code,room\nmoet:1,PC-1,Phòng máy 1\n",
}
HEAD = "school,room,code,name,value,unit,declared_by,attachment_sha256\n"


def run(
    engine: Engine, folder: Path, texts: Mapping[str, str], since: datetime | None = None, *, dry_run: bool = False
) -> ImportResult:
    """Write CSV files and import them in a transaction of its own."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    with Session(engine) as session, session.begin():
        return import_files(session, [folder], since=since, dry_run=dry_run)


def values(engine: Engine, at: datetime | None = None) -> dict[str, float | str]:
    """Give all declared values that hold, by name."""
    with Session(engine) as session:
        return {row.name: row.value for row in session.scalars(select(Declared).where(Declared.holds(at)))}


def test_declared_values_arrive_in_base_units(register_engine: Engine, tmp_path: Path) -> None:
    """A person writes GB, m2 and có; the register keeps bytes, numbers and yes, with who declared it on what."""
    digest = "ab" * 32
    text = HEAD + (
        f'moet:1,Phòng máy 1,,area,"52,5",m2,Ban kiểm kê,{digest}\n'
        "moet:1,Phòng máy 1,,audio,có,,Ban kiểm kê,\n"
        "moet:1,,PC-1,ram,8,GB,Ban kiểm kê,\n"
        "moet:1,,PC-1,serial_number,SN 7,,Ban kiểm kê,\n"
        "moet:1,,,students,700,,Ban kiểm kê,\n"
    )
    result = run(register_engine, tmp_path / "in", {**PLACES, "declared": text})
    assert result.errors == []
    assert result.created["declared"] == 5
    assert values(register_engine) == {
        "area": 52.5, "audio": 1.0, "ram": 8 * GIB, "serial_number": "SN 7", "students": 700.0,
    }  # fmt: skip
    with Session(register_engine) as session:
        area = session.scalars(select(Declared).where(Declared.name == "area")).one()
        assert (area.subject_kind, area.declared_by, area.attachment_sha256) == ("room", "Ban kiểm kê", digest)
    assert run(register_engine, tmp_path / "in", {}).changed == {}


def test_a_baseline_row_is_ten_declarations(register_engine: Engine, tmp_path: Path) -> None:
    """A hardware list of PCs without agents says the same as single declarations; an empty cell says nothing."""
    text = (
        "school,code,ram_gb,cpu_threads,cpu_bits,disk_gb,link_mbps,os,purchase_year,declared_by\n"
        "moet:1,PC-1,4,2,64,240,1000,windows 10-22H2,,Ban kiểm kê\n"
    )
    assert run(register_engine, tmp_path / "in", {**PLACES, "baseline": text}).errors == []
    assert values(register_engine) == {
        "ram": 4 * GIB, "cpu_threads": 2, "cpu_bits": 64, "system_disk": 240 * GB,
        "link_speed": 1000 * MBIT_PER_SECOND, "os": "windows 10-22H2",
    }  # fmt: skip


def test_a_new_declaration_revises_and_the_old_one_stays_known(register_engine: Engine, tmp_path: Path) -> None:
    """What was believed before a correction can still be asked for."""
    row = "moet:1,,,students,{},,Ban kiểm kê,\n"
    first, second = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    run(register_engine, tmp_path / "in", {**PLACES, "declared": HEAD + row.format(700)}, since=first)
    run(register_engine, tmp_path / "in", {"declared": HEAD + row.format(750)}, since=second)
    assert values(register_engine) == {"students": 750}
    assert values(register_engine, datetime(2026, 3, 1, tzinfo=UTC)) == {"students": 700}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("moet:1,Phòng máy 1,,aria,50,m2,x,", "one of ram, cpu_threads"),
        ("moet:1,Phòng máy 1,,area,50,ha,x,", "expected 'm2', the unit of 'area'"),
        ("moet:1,Phòng máy 1,,area,0,m2,x,", "expected a number from 1 to 10000 m2"),
        ("moet:1,Phòng máy 1,,area,lớn,m2,x,", "expected a number from 1 to 10000 m2"),
        ("moet:1,Phòng máy 1,,audio,maybe,,x,", "expected yes or no"),
        ("moet:1,,PC-1,area,50,m2,x,", "'area' is declared of a room"),
        ("moet:1,Phòng máy 1,,ram,8,GB,x,", "'ram' is declared of a device"),
        ("moet:1,Phòng 9,,area,50,m2,x,", "no room of this name"),
        ("moet:1,,PC-9,ram,8,GB,x,", "no device of this code"),
        ("moet:1,,,students,700,,,", "is empty; expected a function or office"),
        ("moet:1,,,students,700,,x,abc", "expected 64 hexadecimal digits"),
        ("moet:1,,,students,700,,x,\nmoet:1,,,students,800,,x,", "stands in declared.csv line 2 already"),
    ],
)
def test_a_wrong_row_is_told_and_nothing_is_written(
    register_engine: Engine, tmp_path: Path, row: str, said: str
) -> None:
    """Every fault names its column and what was expected, and one fault keeps the whole file out."""
    good = "moet:1,,PC-1,purchase_year,2021,,x,\n"
    result = run(register_engine, tmp_path / "in", {**PLACES, "declared": HEAD + good + row + "\n"})
    said = said.replace("line 2", "line 3")
    assert any(said in str(error) for error in result.errors), result.errors
    assert values(register_engine) == {}


def test_an_empty_cell_leaves_the_evidence_of_the_same_value(register_engine: Engine, tmp_path: Path) -> None:
    """A paper that shows a value stays with it when the value is imported again without it; a new value has none."""
    first, again, other = (
        f"moet:1,,,students,{text},,x,{hash_}\n" for text, hash_ in ((7, "ab" * 32), (7, ""), (8, ""))
    )
    run(register_engine, tmp_path / "in", {**PLACES, "declared": HEAD + first})
    assert run(register_engine, tmp_path / "in", {"declared": HEAD + again}).changed == {}
    assert run(register_engine, tmp_path / "in", {"declared": HEAD + other}).changed == {"declared": 1}
    with Session(register_engine) as session:
        assert session.scalars(Declared.at()).one().attachment_sha256 == ""


HEAD_PC = "school,code,room,kind,ram_gb,cpu_threads,purchase_year,declared_by\n"


def test_a_list_registers_the_pcs_that_are_not_there(register_engine: Engine, tmp_path: Path) -> None:
    """One file is enough: the PC is created in its room, without an agent, as declared; again: nothing."""
    text = HEAD_PC + (
        "moet:1,PC-7,phòng máy 1,,8,4,2021,Ban kiểm kê\n"
        "moet:1,GV-1,Phòng máy 1,máy tính giáo viên,,,,Ban kiểm kê\n"
        "moet:1,PC-1,Phòng máy 1,pc,4,,,Ban kiểm kê\n"
    )
    run(register_engine, tmp_path / "in", PLACES)
    shown = run(register_engine, tmp_path / "list", {"baseline": text}, dry_run=True)
    assert [(c.kind, c.line) for c in shown.changes if c.kind == "devices"] == [("devices", 2), ("devices", 3)]
    result = run(register_engine, tmp_path / "list", {})
    assert (result.errors, dict(result.created), dict(result.changed)) == ([], {"devices": 2, "baseline": 7}, {})
    with Session(register_engine) as session:
        rows = {row.code: row for row in session.scalars(Device.at())}
        assert set(rows) == {"PC-1", "PC-7", "GV-1"}
        new = rows["PC-7"]
        assert (new.kind, new.state, new.agent_since, new.room_id) == ("pc", "in_service", None, rows["PC-1"].room_id)
        assert rows["GV-1"].kind == "teacher_pc"
        marks = session.scalars(select(Declared).where(Declared.holds(None), Declared.name == "in_inventory")).all()
        assert {(row.subject_id, row.number, row.declared_by) for row in marks} == {
            (row.id, 1.0, "Ban kiểm kê") for row in rows.values()
        }
        count = session.scalars(select(func.count()).select_from(Device)).one()
    again = run(register_engine, tmp_path / "list", {})
    assert (again.errors, dict(again.created), dict(again.changed)) == ([], {}, {})
    with Session(register_engine) as session:
        assert session.scalars(select(func.count()).select_from(Device)).one() == count


@pytest.mark.parametrize(
    ("row", "faults"),
    [
        ("moet:1,PC-9,,,8,4,2021,x", [("code", "with its room in the column room")]),
        ("moet:1,PC-9,Phòng 9,pc,8,4,2021,x", [("room", "no room of this name")]),
        ("moet:1,PC-9,Phòng máy 1,tủ lạnh,8,4,2021,x", [("kind", "one of pc, teacher_pc")]),
        ("moet:1,PC-9,Phòng máy 1,router,8,4,2021,x", [("kind", "one of pc, teacher_pc")]),
        ("moet:1,,Phòng máy 1,pc,8,4,2021,x", [("code", "is empty")]),
        ("moet:9,PC-9,Phòng máy 1,pc,8,4,2021,x", [("school", "no school has this external id")]),
        ("moet:1,PC-9,Phòng máy 1,pc,8,4,2021,", [("declared_by", "is empty")]),
        ("moet:1,PC-1,Phòng máy 1,teacher_pc,8,4,2021,x", [("kind", "the register has it as 'pc'")]),
        ("moet:1,PC-1,Kho,pc,8,4,2021,x", [("room", "the register has it in 'Phòng máy 1'")]),
        ("moet:1,PC-9,Phòng máy 1,pc,nhiều,4,1800,x", [("ram_gb", "a number"), ("purchase_year", "whole number")]),
        ("moet:1,PC-9,Phòng 9,pc,nhiều,4,2021,x", [("room", "no room of this name"), ("ram_gb", "a number from")]),
        ("moet:1,PC-1,Phòng máy 1,,8,4,2021,x\nmoet:1,PC-1,Phòng máy 1,,4,4,2021,x", [("code", "line 2 already")]),
    ],
)  # fmt: skip
def test_a_wrong_cell_of_a_list_is_told_once(
    register_engine: Engine, tmp_path: Path, row: str, faults: list[tuple[str, str]]
) -> None:
    """One fault a cell, with line, column and what was expected; no fault follows from another, nothing is written."""
    run(register_engine, tmp_path / "in", {**PLACES, "rooms": PLACES["rooms"] + "moet:1,Kho,function_room\n"})
    result = run(register_engine, tmp_path / "list", {"baseline": HEAD_PC + row + "\n"})
    assert [(error.column, error.line) for error in result.errors] == [
        (column, 1 + len(row.splitlines())) for column, _ in faults
    ]
    for error, (_, said) in zip(result.errors, faults, strict=True):
        assert said in error.expected
    with Session(register_engine) as session:
        assert [device.code for device in session.scalars(Device.at())] == ["PC-1"]
    assert values(register_engine) == {}


def test_a_list_that_names_a_retired_pc_is_told(register_engine: Engine, tmp_path: Path) -> None:
    """A list counts what is there: a PC that the register has retired is a fault with row, code and remedy, and nothing
    is written; taken into service again by the sheet of devices beside it, the same row is good."""
    gone = "school,code,room,state\nmoet:1,PC-1,Phòng máy 1,retired\n"
    run(register_engine, tmp_path / "in", {**PLACES, "devices": gone})
    row = HEAD_PC + "moet:1,PC-7,Phòng máy 1,,8,4,2021,x\nmoet:1,PC-1,Phòng máy 1,,8,4,2021,x\n"
    result = run(register_engine, tmp_path / "list", {"baseline": row})
    assert [(error.line, error.column, error.value) for error in result.errors] == [(3, "code", "PC-1")]
    assert "the register has retired it" in result.errors[0].expected
    assert "take the row out, or enter the change in the sheet 'devices'" in result.errors[0].expected
    assert "sổ đăng ký ghi máy đã thanh lý" in in_language(result.errors[0].expected, "vi")
    assert values(register_engine) == {}
    back = "school,code,state\nmoet:1,PC-1,in_service\n"
    assert run(register_engine, tmp_path / "both", {"baseline": row, "devices": back}).errors == []
    with Session(register_engine) as session:
        assert {device.code: device.state for device in session.scalars(Device.at())} == {
            "PC-1": "in_service", "PC-7": "in_service",
        }  # fmt: skip


REPORTS = {
    "units": "external_id,name,kind,parent,level\nsgd:quan,Quận,district,,\nmoet:1,Trường A,school,sgd:quan,tieu_hoc\n",
}


def test_days_of_reports_are_declared_of_schools_and_of_the_unit_above(register_engine: Engine, tmp_path: Path) -> None:
    """One sheet for a quarter: a row a school and one for the district, each day as people write it."""
    text = HEAD + (
        "moet:1,,,self_report_q2,18/06/2024,,Văn thư Phòng GD&ĐT,\n"
        "sgd:quan,,,quarterly_report_q2,2024-06-24,,Văn thư Phòng GD&ĐT,\n"
    )
    result = run(register_engine, tmp_path / "in", {**REPORTS, "declared": text})
    assert result.errors == []
    with Session(register_engine) as session:
        rows = {row.name: row for row in session.scalars(Declared.at())}
    assert {name: (row.subject_kind, row.text, row.school_id == row.subject_id) for name, row in rows.items()} == {
        "self_report_q2": ("school", "2024-06-18", True), "quarterly_report_q2": ("district", "2024-06-24", True),
    }  # fmt: skip
    again = run(register_engine, tmp_path / "in", {})
    assert (again.created, again.changed) == ({}, {})


@pytest.mark.parametrize(
    ("row", "column", "words", "vi"),
    [
        ("moet:1,,,self_report_q2,2999-06-18,,x,", "value", "expected a day from 2000 to today", "cần một ngày từ năm"),
        ("moet:1,,,self_report_q2,0026-06-18,,x,", "value", "expected a day from 2000 to today", "cần một ngày từ năm"),
        ("moet:1,,,self_report_q2,soon,,x,", "value", "expected a day: 2027-10-12", "cần một ngày, ví dụ"),
        ("moet:1,,,quarterly_report_q2,2024-06-24,,x,", "name",
         "'quarterly_report_q2' is declared of a unit above schools", "khai báo cho đơn vị quản lý"),
        ("sgd:quan,,,self_report_q2,2024-06-18,,x,", "school", "this unit is a district, not a school", ""),
        ("sgd:quan,,,students,700,,x,", "school", "this unit is a district, not a school", ""),
    ],
)  # fmt: skip
def test_a_wrong_day_or_unit_is_told(
    register_engine: Engine, tmp_path: Path, row: str, column: str, words: str, vi: str
) -> None:
    """A day to come, one of another age, a report of somebody else: told with the column, and nothing is written."""
    result = run(register_engine, tmp_path / "in", {**REPORTS, "declared": f"{HEAD}{row}\n"})
    assert [(error.column, error.expected) for error in result.errors] == [(column, words)]
    assert vi in in_language(result.errors[0].expected, "vi")
    assert values(register_engine) == {}


@pytest.mark.parametrize("written", ["1.512", "1,512", "1.000", "20.5"])
def test_a_thousands_separator_never_makes_a_small_number(
    register_engine: Engine, tmp_path: Path, written: str
) -> None:
    """1.512 pupils is how a clerk writes 1512; read as one and a half, every count of PCs for pupils would pass."""
    text = HEAD + f'moet:1,,,students,"{written}",,Ban kiểm kê,\n'
    result = run(register_engine, tmp_path / "in", {**PLACES, "declared": text})
    assert [(error.column, error.value) for error in result.errors] == [("value", written)]
    assert "số nguyên" in in_language(result.errors[0].expected, "vi")
    assert values(register_engine) == {}


def test_a_rate_with_a_thousands_separator_is_refused(register_engine: Engine, tmp_path: Path) -> None:
    """A contract of 1.000 Mbit/s read as 1 would be kept by any line."""
    lines = 'school,name,contracted_down_mbps\nmoet:1,Chính,"1.000"\n'
    result = run(register_engine, tmp_path / "in", {**PLACES, "lines": lines})
    assert [error.column for error in result.errors] == ["contracted_down_mbps"]
    assert "1000 for 1.000" in result.errors[0].expected


def test_a_unit_where_there_is_none_is_told_to_go(register_engine: Engine, tmp_path: Path) -> None:
    """Pupils have no unit: the sentence says that the cell stays empty, not that it is to be ''."""
    result = run(
        register_engine, tmp_path / "in", {**PLACES, "declared": HEAD + "moet:1,,,students,9,kg,Ban kiểm kê,\n"}
    )
    assert result.errors[0].expected == "leave it empty: 'students' has no unit"
    assert in_language(result.errors[0].expected, "vi") == "để trống ô này: mục students không có đơn vị"
