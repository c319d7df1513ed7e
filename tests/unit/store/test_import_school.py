"""A school's own file: shown first, written only if it is still the same; and a JSON list of PCs without agents."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from phongmay_contract.units import GB, GIB
from phongmay_store.register.declared import Declared
from phongmay_store.register.device import Device
from phongmay_store.register.importing import import_files
from phongmay_store.register.importing_result import Action
from phongmay_store.register.importing_school import (
    MAX_BYTES,
    MAX_UNPACKED_BYTES,
    PreviewMoved,
    apply_school_file,
    preview_school_file,
)
from phongmay_store.register.organisation import find_external
from phongmay_store.register.place import Line, Room

pytestmark = pytest.mark.one_register

START, SINCE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
FILES = {
    "units": "external_id,name,level\nmoet:1,Trường A,tieu_hoc\nmoet:2,Trường B,thcs\n",
    "rooms": "school,name,kind\nmoet:1,Phòng máy 1,computer_room\nmoet:2,Phòng máy 1,computer_room\n",
    "devices": "school,code,room\nmoet:1,PC-1,Phòng máy 1\nmoet:1,PC-2,Phòng máy 1\nmoet:2,PC-1,Phòng máy 1\n",
    "lines": "school,name,contracted_down_mbps\nmoet:1,Chính,100\n",
}
HEAD = "school,room,code,name,value,unit,declared_by\n"
GOOD = HEAD + "moet:1,Phòng máy 1,,area,50,m2,Ban kiểm kê\nmoet:1,,PC-1,ram,8,GB,Ban kiểm kê\n"


@pytest.fixture
def register(register_engine: Engine, tmp_path: Path) -> Session:
    """A register with two schools."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    session = Session(register_engine)
    assert import_files(session, [folder], since=START).errors == []
    session.commit()
    return session


def school(register: Session) -> str:
    """Give the id of the school whose file it is."""
    found = find_external(register, "moet", "1")
    assert found
    return found


def look(register: Session, text: str, name: str = "khai-bao.csv") -> Any:
    """Preview a file."""
    return preview_school_file(register, school(register), name, text.encode(), SINCE)


def test_preview_stores_nothing_and_apply_stores_it_once(register: Session) -> None:
    """What is shown is what is written; the second confirmation of the same preview changes nothing and is no error."""
    preview = look(register, GOOD)
    assert preview.errors == []
    assert [(change.line, change.action) for change in preview.changes] == [(2, "created"), (3, "created")]
    assert preview.changes[1].after["number"] == 8 * GIB
    assert register.scalars(select(func.count()).select_from(Declared)).one() == 0
    for _ in range(2):
        apply_school_file(register, school(register), "khai-bao.csv", GOOD.encode(), SINCE, preview.mark)
        register.commit()
    assert {row.name: row.value for row in register.scalars(Declared.at(SINCE))} == {"area": 50.0, "ram": 8 * GIB}
    assert register.scalars(select(func.count()).select_from(Declared)).one() == 2
    assert look(register, GOOD).count(Action.UNCHANGED) == 2


def test_a_preview_that_no_longer_holds_is_not_applied(register: Session) -> None:
    """Somebody declared another value in between: the file is refused with the new preview, and nothing is written."""
    preview = look(register, GOOD)
    other = GOOD.replace("area,50", "area,60")
    apply_school_file(register, school(register), "a.csv", other.encode(), SINCE, look(register, other, "a.csv").mark)
    register.commit()
    with pytest.raises(PreviewMoved) as moved:
        apply_school_file(register, school(register), "khai-bao.csv", GOOD.encode(), SINCE, preview.mark)
    assert moved.value.preview.count(Action.CHANGED) == 1
    register.rollback()
    assert register.scalars(Declared.at().where(Declared.name == "area")).one().value == 60.0
    fresh = moved.value.preview.mark
    apply_school_file(register, school(register), "khai-bao.csv", GOOD.encode(), SINCE, fresh)


def test_another_file_or_day_is_not_what_was_shown(register: Session) -> None:
    """The mark binds file, day and school: none of them can be exchanged between the steps."""
    mark = look(register, GOOD).mark
    with pytest.raises(PreviewMoved):
        apply_school_file(register, school(register), "x.csv", GOOD.replace("50", "51").encode(), SINCE, mark)
    with pytest.raises(PreviewMoved):
        apply_school_file(register, school(register), "khai-bao.csv", GOOD.encode(), START, mark)
    other = find_external(register, "moet", "2")
    assert other
    with pytest.raises(PreviewMoved):
        apply_school_file(register, other, "khai-bao.csv", GOOD.encode(), SINCE, mark)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "moet:2,Phòng máy 1,,area,50,m2,x\n", "expected the id of the school it is read for"),
        (HEAD + "moet:9,Phòng máy 1,,area,50,m2,x\n", "expected the id of the school it is read for"),
        ("school,name,kind,class_size\nmoet:1,Phòng mới,computer_room,30\n", "the district registers it"),
        ("school,name,kind,class_size\nmoet:1,Phòng máy 1,office,30\n", "only class_size may differ here"),
        (
            "school,name,isp\nmoet:1,Chính,VNPT\n",
            "isp differ; only contracted_down_bps, contracted_up_bps, source_addresses",
        ),
        ("school,code,state\nmoet:1,PC-1,retired\n", "is a sheet 'devices'; here only baseline, declared"),
        ("external_id,name,level\nmoet:1,Trường khác,thcs\n", "is a sheet 'units'"),
        (HEAD, "holds no row"),
        ("#" * (MAX_BYTES + 1), "at most"),
    ],
)
def test_a_school_reaches_only_what_it_may_declare(register: Session, text: str, said: str) -> None:
    """Other schools do not exist for it (absent and foreign sound alike); places are the district's to register."""
    preview = look(register, text)
    assert any(said in str(error) for error in preview.errors), preview.errors
    with pytest.raises(PreviewMoved):
        apply_school_file(register, school(register), "khai-bao.csv", text.encode(), SINCE, preview.mark)


def test_class_sizes_and_contracts_come_by_file_too(register: Session) -> None:
    """The sheets rooms and lines may change these, and these only."""
    rooms = "school,name,kind,class_size\nmoet:1,Phòng máy 1,computer_room,42\n"
    lines = "school,name,contracted_down_mbps,source_addresses\nmoet:1,Chính,300,203.0.113.7\n"
    for text in (rooms, lines):
        preview = look(register, text)
        assert preview.errors == []
        apply_school_file(register, school(register), "khai-bao.csv", text.encode(), SINCE, preview.mark)
    register.commit()
    assert register.scalars(Room.at().where(Room.school_id == school(register))).one().class_size == 42
    line = register.scalars(Line.at()).one()
    assert (line.contracted_down_bps, line.source_addresses) == (300_000_000, "203.0.113.7")


def test_sixteen_addresses_of_ipv6_fit_in_a_cell(register: Session) -> None:
    """A cell takes as many addresses as a line may have, in full; other cells keep their bound, and nothing is cut."""
    full = ", ".join(f"2001:0db8:aaaa:bbbb:cccc:dddd:eeee:{number:04x}" for number in range(0x1000, 0x1010))
    text = f'school,name,source_addresses\nmoet:1,Chính,"{full}"\n'
    preview = look(register, text)
    assert preview.errors == []
    apply_school_file(register, school(register), "khai-bao.csv", text.encode(), SINCE, preview.mark)
    register.commit()
    assert register.scalars(Line.at()).one().source_addresses.count(",") == 15
    (long,) = look(register, text.replace("Chính", "x" * 201)).errors
    assert "at most 200 characters" in str(long)
    (longer,) = look(register, text.replace('"\n', f', {full}"\n')).errors
    assert "characters in one cell" in str(longer)


def as_json(**more: Any) -> dict[str, Any]:
    """Give a good JSON list of PCs."""
    computers = [
        {"code": "PC-1", "ram_gb": 4, "disk_gb": 240.0, "os": "windows 10-22H2"},
        {"code": "PC-2", "ram_gb": 8},
    ]
    return {"school": "moet:1", "declared_by": "Ban kiểm kê", "computers": computers} | more


def test_a_json_list_is_a_baseline(register: Session, tmp_path: Path) -> None:
    """The same values as from a CSV file, by the command's own door; what stands above holds for every entry."""
    path = tmp_path / "may-tinh.json"
    path.write_text(json.dumps(as_json()), "utf-8")
    assert import_files(register, [path], since=SINCE).errors == []
    register.commit()
    found = {(row.name, row.value) for row in register.scalars(Declared.at())}
    assert found == {("ram", 4 * GIB), ("ram", 8 * GIB), ("system_disk", 240 * GB), ("os", "windows 10-22H2")}
    assert {row.declared_by for row in register.scalars(Declared.at())} == {"Ban kiểm kê"}
    assert import_files(register, [path], since=SINCE).changed == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", 'expected an object with a list "computers"'),
        ('{"computers": {}}', 'expected an object with a list "computers"'),
        ('{"computers": [1]}', "line 1: expected an object"),
        ('{"computers": [{"code": ["a"]}]}', "line 1, column code: expected a text, a number"),
        ('{"computers": [{"code": "a", "code": "b"}]}', "stands twice"),
        ('{"computers": [{"ram_gb": NaN}]}', "NaN is no number"),
        (
            json.dumps(as_json(computers=[{"code": "PC-1", "ram_gb": "lots"}])),
            "line 1, column ram_gb: 'lots': expected",
        ),
        (json.dumps(as_json(computers=[{"code": "PC-1"}, {"ram_gb": 8}])), "line 2, column code: is empty"),
        (json.dumps(as_json(computers=[{"code": "PC-9", "ram_gb": 8}])), "no device of this code"),
        (json.dumps(as_json(computers=[{"code": "PC-1", "ram_bg": 8}])), "did you mean 'ram_gb'"),
        (json.dumps(as_json(computers=[])), "holds no row"),
    ],
)
def test_a_wrong_json_list_is_told_and_nothing_is_written(
    register: Session, tmp_path: Path, text: str, said: str
) -> None:
    """The same faults as in a sheet, with the number of the entry; a file of another form is one sentence."""
    path = tmp_path / "may-tinh.json"
    path.write_text(text, "utf-8")
    errors = import_files(register, [path], since=SINCE).errors
    assert any(said in str(error) for error in errors), errors
    assert register.scalars(select(Declared)).all() == []


def test_a_workbook_that_unfolds_without_end_is_refused(register: Session) -> None:
    """A small file that would fill the server's memory is told by its directory, before anything is unpacked."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(MAX_UNPACKED_BYTES + 1))
    assert len(out.getvalue()) < MAX_BYTES
    preview = preview_school_file(register, school(register), "a.xlsx", out.getvalue(), SINCE)
    assert "unfolds to" in preview.errors[0].expected


def test_a_json_list_registers_the_schools_own_pcs(register: Session) -> None:
    """A school's own list is shown first with each new PC, then written once; the second time it changes nothing."""
    text = json.dumps(
        {"school": "moet:1", "declared_by": "Ban kiểm kê", "room": "Phòng máy 1",
         "computers": [{"code": "PC-8", "ram_gb": 8}, {"code": "PC-9"}]}
    )  # fmt: skip
    preview = look(register, text, "may.json")
    assert preview.errors == []
    assert [(c.kind, c.line, c.action) for c in preview.changes if c.kind == "devices"] == [
        ("devices", 1, "created"), ("devices", 2, "created"),
    ]  # fmt: skip
    apply_school_file(register, school(register), "may.json", text.encode(), SINCE, preview.mark)
    register.commit()
    codes = register.scalars(select(Device.code).where(Device.holds(SINCE), Device.school_id == school(register))).all()
    assert set(codes) == {"PC-1", "PC-2", "PC-8", "PC-9"}
    assert look(register, text, "may.json").changes_nothing
