"""The import: idempotent, revising, never half done, and clear about every fault."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from phongmay_store.register.device import Device
from phongmay_store.register.importing import ImportResult, import_files
from phongmay_store.register.organisation import Unit, find_external
from phongmay_store.register.place import Line, Room, Seat

UNITS = (
    "external_id,kind,name,level,parent\ndistrict:tb,district,Quận Mẫu,,\nmoet:1,school,Trường A,tieu_hoc,district:tb\n"
)
ROOMS = "school,name,kind,class_size,timetable\nmoet:1,Phòng máy 1,computer_room,35,Mon-Fri 07:00-11:30\n"
SEATS = "school,room,label,row,column\nmoet:1,Phòng máy 1,A1,1,1\nmoet:1,Phòng máy 1,A2,1,2\n"
LINES = (
    "school,name,isp,medium,contracted_down_mbps,contracted_up_mbps,source_addresses\n"
    'moet:1,Chính,VNPT,fibre,300,"150,5","203.0.113.7, 203.0.113.8/29"\n'
)
DEVICES = (
    "school,code,kind,room,seat,state,agent_since\n"
    "moet:1,PC-1,pc,Phòng máy 1,A1,in_service,2026-09-05\nmoet:1,PC-2,pc,Phòng máy 1,A2,in_service,\n"
)
ALL = {"units": UNITS, "rooms": ROOMS, "seats": SEATS, "lines": LINES, "devices": DEVICES}


def write(folder: Path, texts: Mapping[str, str]) -> Path:
    """Write CSV files and give their directory."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    return folder


def run(engine: Engine, *paths: Path, since: datetime | None = None, sample: bool = False) -> ImportResult:
    """Import in a transaction of its own."""
    with Session(engine) as session, session.begin():
        return import_files(session, paths, since=since, sample=sample)


def faults(engine: Engine, folder: Path, **changed: str) -> list[str]:
    """Import the good files with some replaced and give the faults."""
    return [str(error) for error in run(engine, write(folder, {**ALL, **changed})).errors]


def rows(engine: Engine) -> int:
    """Count all versions of all things."""
    with Session(engine) as session:
        return sum(
            session.scalar(select(func.count()).select_from(kind)) or 0 for kind in (Unit, Room, Seat, Line, Device)
        )


def test_everything_arrives_with_its_references(register_engine: Engine, tmp_path: Path) -> None:
    """Every column of every sheet lands in the register, in base units, tied to the right school, room and seat."""
    result = run(register_engine, write(tmp_path / "in", ALL))
    assert result.errors == []
    assert dict(result.created) == {"units": 2, "rooms": 1, "seats": 2, "lines": 1, "devices": 2}
    with Session(register_engine) as session:
        school_id = find_external(session, "moet", "1")
        school = session.scalars(Unit.at().where(Unit.id == school_id)).one()
        assert (school.name, school.level, school.parent_id) == ("Trường A", "tieu_hoc", result.unit_ids["district:tb"])
        room = session.scalars(Room.at()).one()
        assert (room.id, room.school_id, room.class_size) == (result.room_ids["moet:1", "Phòng máy 1"], school_id, 35)
        line = session.scalars(Line.at()).one()
        assert (line.contracted_down_bps, line.contracted_up_bps) == (300_000_000, 150_500_000)
        assert line.source_addresses == "203.0.113.7, 203.0.113.8/29"
        device = session.scalars(Device.at().where(Device.code == "PC-1")).one()
        seat = session.scalars(Seat.at().where(Seat.label == "A1")).one()
        assert device.id == result.device_ids["moet:1", "PC-1"]
        assert (device.room_id, device.seat_id, seat.room_id) == (room.id, seat.id, room.id)
        assert device.agent_since == datetime(2026, 9, 4, 17, tzinfo=UTC)  # midnight in Asia/Ho_Chi_Minh


def test_running_it_again_changes_nothing(register_engine: Engine, tmp_path: Path) -> None:
    """The same files twice: not one row more, everything counted as unchanged, the same ids."""
    folder = write(tmp_path / "in", ALL)
    first, before = run(register_engine, folder), rows(register_engine)
    again = run(register_engine, folder)
    assert (dict(again.created), dict(again.changed)) == ({}, {})
    assert again.unchanged == first.created
    assert rows(register_engine) == before
    assert again.device_ids == first.device_ids


def test_a_change_is_a_revision(register_engine: Engine, tmp_path: Path) -> None:
    """A changed cell makes a new version with the same id; how it was before stays answerable."""
    start = datetime(2026, 9, 1, tzinfo=UTC)
    since = datetime(2026, 10, 1, tzinfo=UTC)
    first = run(register_engine, write(tmp_path / "in", ALL), since=start)
    result = run(register_engine, write(tmp_path / "in", {"rooms": ROOMS.replace(",35,", ",42,")}), since=since)
    assert dict(result.changed) == {"rooms": 1}
    change = next(change for change in result.changes if change.kind == "rooms")
    assert change.differences == {"class_size": ("35", "42")}
    with Session(register_engine) as session:
        assert [room.class_size for room in session.scalars(Room.at(since - timedelta(days=1)))] == [35]
        now = session.scalars(Room.at()).one()
        assert (now.class_size, now.id) == (42, first.room_ids["moet:1", "Phòng máy 1"])


def test_any_fault_writes_nothing_and_all_are_told(register_engine: Engine, tmp_path: Path) -> None:
    """One bad cell in one file keeps all files out, and every fault is told with file, line, column and value."""
    told = faults(
        register_engine,
        tmp_path / "in",
        rooms=ROOMS.replace("35", "many").replace("07:00", "7am"),
        seats=SEATS.replace("A2,1,2", "A2,0,2"),
        devices=DEVICES.replace("in_service,2026", "lost,2026").replace("Phòng máy 1,A2", "Phòng máy 9,A2"),
    )
    assert len(told) == 5, told
    assert "rooms.csv line 2, column class_size: 'many': expected a whole number from 1 to 200" in told
    assert any(line.startswith("rooms.csv line 2, column timetable") and "'7am-11:30'" in line for line in told)
    assert "seats.csv line 3, column row: '0': expected a whole number from 1 to 99" in told
    assert any(line.startswith("devices.csv line 2, column state: 'lost': expected one of in_service") for line in told)
    assert any(line.startswith("devices.csv line 3, column room: 'Phòng máy 9'") for line in told)
    assert rows(register_engine) == 0


@pytest.mark.parametrize(
    ("sheet", "text", "told"),
    [
        ("units", UNITS + "moet:1,school,Trường B,thcs,\n", "line 4: moet:1 stands in units.csv line 3 already"),
        ("units", UNITS + "moet:2,school,Trường B,,\n", "column level: a school needs its level"),
        ("units", UNITS + "moet:2,school,Trường B,thcs,moet:1\n", "column parent: 'moet:1': this unit is a school"),
        ("units", UNITS.replace("Mẫu,,", "Mẫu,,district:tb"), "go in a circle"),
        ("units", UNITS.replace("A,tieu_hoc,district:tb", "A,tieu_hoc,district:no"), "no unit has this external id"),
        ("units", UNITS.replace("moet:1", "moet 1"), "issuer:value"),
        ("rooms", ROOMS.replace("moet:1", "moet:7"), "no school has this external id"),
        ("rooms", ROOMS.replace("moet:1", "district:tb"), "this unit is a district, not a school"),
        ("rooms", ROOMS.replace("class_size", "clas_size"), "column clas_size: no column of the sheet 'rooms'; did"),
        ("rooms", ROOMS + "moet:1,phòng MÁY 1,office,,\n", "moet:1/phòng MÁY 1 stands in rooms.csv line 2 already"),
        ("rooms", ROOMS.replace(",35,", ",,35,"), "line 2: has 6 cells, the header has 5 columns"),
        ("seats", SEATS.replace("A2,1,2", "A2,1,1"), "column row: '1': seat A1 stands at the same row and column"),
        ("lines", LINES.replace("203.0.113.7", "main"), "'main, 203.0.113.8/29': expected IP addresses or networks"),
        ("lines", LINES.replace("300", "-3"), "column contracted_down_mbps: '-3': expected a number of Mbit/s above 0"),
        ("devices", DEVICES.replace("A2,", "A1,"), "line 3, column seat: 'A1': device PC-1 sits there"),
        ("devices", DEVICES.replace(",Phòng máy 1,A2", ",,A2"), "a seat needs its room"),
        ("devices", DEVICES.replace("2026-09-05", "05/09/2026"), "expected a date (2026-09-05) or a time"),
        ("devices", DEVICES.replace("2026-09-05", "2026-09-05T07:00"), "expected a date (2026-09-05) or a time"),
        ("devices", DEVICES.replace("PC-2", ""), "line 3, column code: is empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(register_engine: Engine, tmp_path: Path, sheet: str, text: str, told: str) -> None:
    """Each contradiction or unreadable value is told once, in one sentence, and nothing is written."""
    found = faults(register_engine, tmp_path / "in", **{sheet: text})
    assert sum(told in line for line in found) == 1, found
    assert rows(register_engine) == 0


def test_one_mistake_is_told_once(register_engine: Engine, tmp_path: Path) -> None:
    """A kind or level that cannot be read gives one line, not also what would follow from it."""
    told = faults(register_engine, tmp_path / "in", units="external_id,kind,name,level\nmau:1,castle,Lâu đài,\n")
    assert sum(line.startswith("units.csv") for line in told) == 1
    told = faults(register_engine, tmp_path / "in", units=UNITS.replace("tieu_hoc", "university"))
    assert len(told) == 1


def test_nothing_is_ever_removed(register_engine: Engine, tmp_path: Path) -> None:
    """A device that the file no longer names stays as it is, and the result says how many stayed."""
    run(register_engine, write(tmp_path / "in", ALL))
    result = run(register_engine, write(tmp_path / "in", {"devices": "\n".join(DEVICES.splitlines()[:2]) + "\n"}))
    assert result.errors == []
    assert result.kept == {"devices": 1}
    with Session(register_engine) as session:
        assert set(session.scalars(select(Device.code).where(Device.holds()))) == {"PC-1", "PC-2"}


def test_an_empty_cell_says_nothing_and_a_dash_empties(register_engine: Engine, tmp_path: Path) -> None:
    """An enrolled PC keeps its agent when the next import leaves the cell empty; '-' takes the value away."""
    run(register_engine, write(tmp_path / "in", ALL))
    empty = run(register_engine, write(tmp_path / "in", {"devices": DEVICES.replace("2026-09-05", "")}))
    assert dict(empty.changed) == {}
    dash = run(register_engine, write(tmp_path / "in", {"devices": DEVICES.replace("2026-09-05", "-")}))
    assert dict(dash.changed) == {"devices": 1}
    with Session(register_engine) as session:
        assert set(session.scalars(select(Device.agent_since).where(Device.holds()))) == {None}


def test_two_pcs_may_change_places(register_engine: Engine, tmp_path: Path) -> None:
    """What counts is where everything stands after the import, not the order of the rows."""
    run(register_engine, write(tmp_path / "in", ALL))
    swapped = DEVICES.replace("A1", "X").replace("A2", "A1").replace("X", "A2")
    result = run(register_engine, write(tmp_path / "in", {"devices": swapped}))
    assert result.errors == []
    assert {change.differences["seat_id"] for change in result.changes if change.differences} == {
        ("A1", "A2"),
        ("A2", "A1"),
    }


def test_another_room_lets_the_old_seat_go(register_engine: Engine, tmp_path: Path) -> None:
    """A PC that moves to a room without a seat given no longer sits in the old room."""
    run(register_engine, write(tmp_path / "in", ALL))
    rooms = ROOMS + "moet:1,Kho,office,,\n"
    devices = DEVICES.replace("Phòng máy 1,A1", "Kho,")
    run(register_engine, write(tmp_path / "in", {"rooms": rooms, "devices": devices}))
    with Session(register_engine) as session:
        device = session.scalars(Device.at().where(Device.code == "PC-1")).one()
        assert device.seat_id is None


def test_vietnamese_excel_export_reads_the_same(register_engine: Engine, tmp_path: Path) -> None:
    """Byte order mark, semicolons, Vietnamese headers and words, decomposed accents: the same register comes out."""
    run(register_engine, write(tmp_path / "in", ALL))
    folder = tmp_path / "vi"
    folder.mkdir()
    (folder / "a.csv").write_text(
        "MÃ TRƯỜNG;Loại đơn vị;Tên;Cấp học\nmoet:1;Trường;Tru\u031bo\u031b\u0300ng A;Tiểu học\n", "utf-8-sig"
    )
    rooms = "ma_truong;Tên phòng;Loại phòng;Sĩ số\nmoet:1;Phòng máy 1;Phòng máy;35\n"
    (folder / "b.csv").write_text(rooms, "utf-8-sig")
    result = run(register_engine, folder)
    assert result.errors == []
    assert (dict(result.created), dict(result.changed)) == ({}, {})


def test_the_order_of_files_and_rows_does_not_matter(register_engine: Engine, tmp_path: Path) -> None:
    """Parents below their children and devices before their rooms: everything is found, and nothing differs after."""
    backwards = {
        name: "\n".join([text.splitlines()[0], *text.splitlines()[:0:-1]]) + "\n" for name, text in ALL.items()
    }
    folder = write(tmp_path / "back", backwards)
    first = run(register_engine, *sorted(folder.iterdir()))
    assert first.errors == []
    again = run(register_engine, write(tmp_path / "in", ALL))
    assert again.unchanged == first.created


def test_a_unit_may_have_several_external_ids(register_engine: Engine, tmp_path: Path) -> None:
    """A second issuer's id is added to the known unit; ids of two different units in one row are refused."""
    first = run(register_engine, write(tmp_path / "in", ALL))
    run(register_engine, write(tmp_path / "in", {"units": UNITS.replace("moet:1", "moet:1 | dti:ABC")}))
    with Session(register_engine) as session:
        assert find_external(session, "dti", "ABC") == first.unit_ids["moet:1"]
    told = faults(register_engine, tmp_path / "in", units=UNITS.replace("moet:1", "moet:1|district:tb"))
    assert any("belong to different units" in line for line in told)


def test_sample_data_never_marks_a_real_school(register_engine: Engine, tmp_path: Path) -> None:
    """--sample marks new units as invented, and refuses to do so with a registered real one."""
    folder = write(tmp_path / "in", ALL)
    run(register_engine, folder)
    assert all("--sample must not mark" in str(error) for error in run(register_engine, folder, sample=True).errors)
    other = write(tmp_path / "other", {"units": UNITS.replace("moet:1", "x:9").replace("district:tb", "x:d")})
    result = run(register_engine, other, sample=True)
    with Session(register_engine) as session:
        marked = set(session.scalars(select(Unit.id).where(Unit.holds(), Unit.is_sample)))
    assert marked == {result.unit_ids["x:9"], result.unit_ids["x:d"]}


def test_dry_run_writes_nothing(register: Session, tmp_path: Path) -> None:
    """A preview counts what would be created and leaves the session without anything to write."""
    result = import_files(register, [write(tmp_path / "in", ALL)], dry_run=True)
    assert sum(result.created.values()) == 8
    assert not register.new
    assert not register.dirty


def test_a_timetable_names_who_handed_it_in(register_engine: Engine, tmp_path: Path) -> None:
    """A file that sets a timetable leaves its bearer's name with it, until another one changes the timetable."""

    def set_by(folder: str, by: str, timetable: str, size: int) -> tuple[str, str | None, bool]:
        rooms = f"school,name,kind,class_size,timetable\nmoet:1,Phòng máy 1,computer_room,{size},{timetable}\n"
        with Session(register_engine) as session, session.begin():
            assert not import_files(session, [write(tmp_path / folder, {**ALL, "rooms": rooms})], by=by).errors
        with Session(register_engine) as session:
            room = session.scalars(Room.at()).one()
            return room.timetable, room.timetable_by, room.timetable_at is not None

    assert set_by("none", "phongmay", "", 35) == ("", None, False)
    assert set_by("first", "phòng giáo dục", "always", 35) == ("always", "phòng giáo dục", True)
    assert set_by("same", "ban kiểm kê", "always", 36) == ("always", "phòng giáo dục", True)
    assert set_by("other", "ban kiểm kê", "never", 36) == ("never", "ban kiểm kê", True)
