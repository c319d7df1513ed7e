"""Declared values: who, when, in which unit, beside which thing; a wrong row is told and nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from phongmay_contract.units import GB, GIB, MBIT_PER_SECOND
from phongmay_store.register.declared import Declared
from phongmay_store.register.importing import ImportResult, import_files

PLACES = {
    "units": "external_id,name,level\nmoet:1,Trường A,tieu_hoc\n",
    "rooms": "school,name,kind\nmoet:1,Phòng máy 1,computer_room\n",
    "devices": "school,code,room\nmoet:1,PC-1,Phòng máy 1\n",
}
HEAD = "school,room,code,name,value,unit,declared_by,attachment_sha256\n"


def run(engine: Engine, folder: Path, texts: Mapping[str, str], since: datetime | None = None) -> ImportResult:
    """Write CSV files and import them in a transaction of its own."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    with Session(engine) as session, session.begin():
        return import_files(session, [folder], since=since)


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
