"""The sample district: three invented schools with about 90 PCs, each PC with a role that says what is wrong with it.

A seed and the present moment go in, a model comes out; `write_files` turns it into the CSV files that `phongmay
register import` reads. All names are invented and marked as samples. The moment matters for one room only: its class
must have ended two hours ago, so that its PCs are rightly switched off whenever the demo runs.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
ISSUER = "mau"
"""Issuer of the sample's external ids ("mau" = sample)."""
DISTRICT = f"{ISSUER}:quan-mau"
REAL_SCHOOL = f"{ISSUER}:truong-0"
REAL_CODE = "T0-MAY-THAT"
"""Inventory code under which the demo enrols the very machine it runs on."""


class Role(StrEnum):
    """What a simulated PC is like; every role differs from `standard` in one thing only."""

    STANDARD = "standard"
    SHARED_GRAPHICS = "shared_graphics"
    """Sold as 4 GB, reports 3.6 GiB because the graphics take the rest: meets the minimum."""
    CLOCK_2009 = "clock_2009"
    """Its battery is dead: the wall clock says 2009. Meets everything."""
    LOW_MEMORY = "low_memory"
    OLD_PROCESSOR = "old_processor"
    """32-bit processor."""
    SMALL_DISK = "small_disk"
    OLD_SYSTEM = "old_system"
    """Windows 7."""
    SLOW_LINK = "slow_link"
    """The port negotiated 10 Mbit/s."""
    UNKNOWN_LINK = "unknown_link"
    """The driver does not tell the speed."""
    NO_INTERNET = "no_internet"
    SILENT = "silent"
    """Registered with an agent that never reports."""
    WENT_SILENT = "went_silent"
    """Reports, then is cut off without a goodbye in the middle of class."""
    CLONED = "cloned"
    """Its disk image, identity included, runs on a second machine too."""
    SWITCHED_OFF = "switched_off"
    """Said a clean goodbye after class."""
    OFTEN_OFF = "often_off"
    """So did this one, and it was not even switched on in the lessons before the last two."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A PC at its place."""

    code: str
    label: str
    row: int
    column: int
    role: Role


@dataclass(frozen=True, slots=True)
class Room:
    """A computer room.

    Attributes:
        history_end: when the newest class ended whose minutes its PCs send as backfill (true time).
        lessons: how many classes they send, a week apart.
    """

    name: str
    class_size: int
    timetable: str
    seats: tuple[Seat, ...]
    history_end: float
    agent_since: datetime
    lessons: int = 1


@dataclass(frozen=True, slots=True)
class School:
    """A school of the sample."""

    external_id: str
    name: str
    level: str
    rooms: tuple[Room, ...]

    def seats(self) -> Iterator[tuple[Room, Seat]]:
        """Give every PC with its room."""
        for room in self.rooms:
            for seat in room.seats:
                yield room, seat


@dataclass(frozen=True, slots=True)
class District:
    """The whole sample."""

    name: str
    schools: tuple[School, ...]
    made_at: datetime


LESSONS = 5
"""Lessons, a week apart, of the room whose agents are old enough for rules about 30 days; the newest may be today's."""


def build(seed: int, now: datetime) -> District:
    """Make the sample district.

    Args:
        seed: decides which seats get which role; how many of each is fixed.
        now: the present (aware).
    """
    chance = random.Random(seed)  # noqa: S311 a reproducible sample, nothing secret
    recent = now - timedelta(hours=1)
    class_end = _whole_minutes(now - timedelta(hours=2))

    def room(number: int, name: str, width: int, roles: Sequence[Role], size: int) -> Room:
        mixed = list(roles)
        chance.shuffle(mixed)
        return Room(name, size, "always", _seats(number, 1, width, mixed), now.timestamp() - 120, recent)

    shift = Room(
        "Phòng máy 2 (ca vừa tan)",
        45,
        _class_hours(class_end - timedelta(hours=1), class_end),
        _seats(2, 2, 4, [Role.SWITCHED_OFF] * 3 + [Role.OFTEN_OFF]),
        class_end.timestamp(),
        now - timedelta(days=7 * (LESSONS - 1), hours=26),
        LESSONS,
    )
    return District(
        "Quận Mẫu (dữ liệu mẫu)",
        (
            School(
                f"{ISSUER}:truong-1",
                "Trường Tiểu học Mẫu Số 1",
                "tieu_hoc",
                (room(1, "Phòng máy 1", 7, _roles(35, {Role.SHARED_GRAPHICS: 4, Role.CLOCK_2009: 2}), 35),),
            ),
            School(
                f"{ISSUER}:truong-2",
                "Trường THCS Mẫu Số 2",
                "thcs",
                (
                    room(
                        2,
                        "Phòng máy 1",
                        6,
                        _roles(
                            30,
                            {
                                Role.LOW_MEMORY: 4,
                                Role.OLD_PROCESSOR: 1,
                                Role.SMALL_DISK: 2,
                                Role.OLD_SYSTEM: 3,
                                Role.SLOW_LINK: 2,
                                Role.UNKNOWN_LINK: 2,
                                Role.NO_INTERNET: 2,
                                Role.CLOCK_2009: 1,
                            },
                        ),
                        45,
                    ),
                    shift,
                ),
            ),
            School(
                f"{ISSUER}:truong-3",
                "Trường THCS Mẫu Số 3",
                "thcs",
                (
                    room(
                        3,
                        "Phòng máy 1",
                        6,
                        _roles(21, {Role.SILENT: 3, Role.WENT_SILENT: 2, Role.CLONED: 2, Role.CLOCK_2009: 1}),
                        45,
                    ),
                ),
            ),
        ),
        now,
    )


def _roles(total: int, special: dict[Role, int]) -> list[Role]:
    roles = [role for role, count in special.items() for _ in range(count)]
    return roles + [Role.STANDARD] * (total - len(roles))


def _seats(school: int, room: int, width: int, roles: Sequence[Role]) -> tuple[Seat, ...]:
    return tuple(
        Seat(
            f"T{school}-P{room}-{index + 1:02d}",
            f"{chr(65 + index // width)}{index % width + 1}",
            index // width + 1,
            index % width + 1,
            role,
        )
        for index, role in enumerate(roles)
    )


def _whole_minutes(at: datetime) -> datetime:
    return at.astimezone(LOCAL).replace(second=0, microsecond=0)


def _class_hours(start: datetime, end: datetime) -> str:
    """Write a weekly timetable that holds exactly this one class (it may cross midnight)."""
    first, second = _DAYS[start.weekday()], _DAYS[end.weekday()]  # strftime's %a would follow the locale
    if start.date() == end.date():
        return f"{first} {start:%H:%M}-{end:%H:%M}"
    late = f"{first} {start:%H:%M}-24:00"
    return late if f"{end:%H:%M}" == "00:00" else f"{late}; {second} 00:00-{end:%H:%M}"


def write_files(district: District, folder: Path, *, with_real_pc: bool) -> list[Path]:
    """Write units.csv, rooms.csv, seats.csv, lines.csv, devices.csv and declared.csv and give their paths.

    Args:
        district: the sample.
        folder: existing directory.
        with_real_pc: add a fourth school with one room and one seat for the machine of the demo itself.
    """
    schools = list(district.schools)
    if with_real_pc:
        seat = Seat(REAL_CODE, "A1", 1, 1, Role.STANDARD)
        now = district.made_at
        room = Room("Phòng máy thử nghiệm", 2, "always", (seat,), now.timestamp(), now)
        schools.insert(0, School(REAL_SCHOOL, "Trường Tiểu học Mẫu Số 0 (máy thật)", "tieu_hoc", (room,)))
    units = [(DISTRICT, "district", district.name, "", "")]
    units += [(school.external_id, "school", school.name, school.level, DISTRICT) for school in schools]
    places = [(school, room) for school in schools for room in school.rooms]
    seats = [(school, room, seat) for school in schools for room, seat in school.seats()]
    return [
        _write(folder / "units.csv", "external_id kind name level parent", units),
        _write(
            folder / "rooms.csv",
            "school name kind class_size timetable",
            [(s.external_id, r.name, "computer_room", r.class_size, r.timetable) for s, r in places],
        ),
        _write(
            folder / "seats.csv",
            "school room label row column",
            [(s.external_id, r.name, p.label, p.row, p.column) for s, r, p in seats],
        ),
        _write(
            folder / "lines.csv",
            "school name isp medium contracted_down_mbps contracted_up_mbps",
            [(s.external_id, "Đường truyền chính", "Nhà mạng Mẫu", "fibre", 300, 300) for s in schools],
        ),
        _write(
            folder / "devices.csv",
            "school code kind room seat state agent_since",
            [
                (
                    s.external_id,
                    p.code,
                    "pc",
                    r.name,
                    p.label,
                    "in_service",
                    r.agent_since.isoformat(timespec="seconds"),
                )
                for s, r, p in seats
            ],
        ),
        _write(folder / "declared.csv", "school room code name value declared_by", _declared(district)),
    ]


STUDENTS = {f"{ISSUER}:truong-1": 700, f"{ISSUER}:truong-2": 900}
"""Pupils that sample schools declared; the third declared nothing."""
LABS = {f"{ISSUER}:truong-1": 1, f"{ISSUER}:truong-2": 0}
RECORDED = f"{ISSUER}:truong-1"
"""The school whose devices have a complete digital record and whose room has its area declared."""
AREA_M2 = 60


def _declared(district: District) -> list[tuple[object, ...]]:
    by = "Ban kiểm kê (mẫu)"
    rows: list[tuple[object, ...]] = []
    rows += [(school, "", "", "students", count, by) for school, count in STUDENTS.items()]
    rows += [(school, "", "", "modern_labs", count, by) for school, count in LABS.items()]
    for school in district.schools:
        if school.external_id == RECORDED:
            rows += [(RECORDED, room.name, "", "area", AREA_M2, by) for room in school.rooms]
            for _, seat in school.seats():
                rows.append((RECORDED, "", seat.code, "serial_number", f"SN-{seat.code}", by))
                rows.append((RECORDED, "", seat.code, "purchase_year", 2020, by))
    return rows


def _write(path: Path, header: str, rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header.split())
        writer.writerows(rows)
    return path
