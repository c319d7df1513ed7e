"""What the columns of an import mean: the one declaration that reading, the templates and the docs take.

In: the text of a cell. Out: a typed value in base units, or ValueError. English names, Vietnamese aliases.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any

from phongmay_contract.units import MBIT_PER_SECOND
from phongmay_store.register import timetable
from phongmay_store.register.addresses import EXPECTED, LONGEST_TEXT, read_addresses, write_addresses
from phongmay_store.register.declared import DECLARABLE
from phongmay_store.register.device import DeviceKind, DeviceState
from phongmay_store.register.importing_numbers import decimal
from phongmay_store.register.organisation import SchoolLevel, UnitKind
from phongmay_store.register.place import RoomKind

MAX_TEXT = 200
"""Characters of one cell, where its column does not take more."""
_EXTERNAL = re.compile(r"[a-z0-9][a-z0-9-]*:[^\s|:][^\s|]*")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sheet.

    Attributes:
        name: English header.
        alias: Vietnamese headers, as a person writes them, with / between; case, accents and spaces do not matter.
        about: one sentence for docs and template.
        expected: what a readable value looks like, for the error.
        read: text -> value; raises ValueError.
        example: a value that reads well.
        required: every row must have it.
        clearable: '-' empties it.
        longest: characters of a cell at most.
    """

    name: str
    alias: str
    about: str
    expected: str
    read: Callable[[str], Any]
    example: str
    required: bool = False
    clearable: bool = False
    longest: int = MAX_TEXT


@dataclass(frozen=True, slots=True)
class SheetKind:
    """A sheet: which things its rows are, and its columns."""

    name: str
    columns: tuple[Column, ...]

    def column(self, header: str) -> Column | None:
        """Find a column by its English or Vietnamese header."""
        plain = normalise(header)
        return next((c for c in self.columns if plain in (c.name, *map(normalise, c.alias.split("/")))), None)


def normalise(text: str) -> str:
    """Bring a header or word to plain form: "Mã trường" -> "ma_truong"."""
    decomposed = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "_", letters).strip("_")


def _text(text: str) -> str:
    return " ".join(text.split())


def _word(kind: type[StrEnum], vietnamese: Mapping[str, StrEnum]) -> Callable[[str], str]:
    words = {member.value: member.value for member in kind}
    words |= {normalise(word): member.value for word, member in vietnamese.items()}

    def read(text: str) -> str:
        return words[normalise(text)]  # KeyError counts as unreadable

    return read


def _choice(
    name: str, alias: str, about: str, kind: type[StrEnum], vietnamese: Mapping[str, StrEnum], **more: Any
) -> Column:
    expected = "one of " + ", ".join([*(member.value for member in kind), *(f"{word!r}" for word in vietnamese)])
    return Column(name, alias, about, expected, _word(kind, vietnamese), more.pop("example"), **more)


def _external(text: str) -> str:
    if not _EXTERNAL.fullmatch(text):
        raise ValueError(text)
    return text


def _externals(text: str) -> tuple[str, ...]:
    return tuple(_external(piece.strip()) for piece in text.split("|"))


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if not low <= number <= high:
            raise ValueError(text)
        return number

    return read


def _mbps(text: str) -> int:
    rate = decimal(text)
    if not rate.is_finite() or not 0 < rate <= 1_000_000:
        raise ValueError(text)
    return int(rate * MBIT_PER_SECOND)


def _addresses(text: str) -> str:
    return write_addresses(read_addresses(text))


def moment(text: str) -> datetime:
    """Read a date (midnight in Asia/Ho_Chi_Minh) or an RFC 3339 time with zone; gives aware UTC.

    Raises:
        ValueError: it is neither, or has no zone.
    """
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return datetime.combine(date.fromisoformat(text), time(), timetable.LOCAL).astimezone(UTC)
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return at.astimezone(UTC)


def _timetable(text: str) -> str:
    timetable.parse(text)  # TimetableError is a ValueError whose text names the piece
    return text


def _declarable(text: str) -> str:
    name = normalise(text)
    if name not in DECLARABLE:
        raise ValueError(text)
    return name


BASELINE_ITEMS: Mapping[str, tuple[str, str, str, str]] = {
    "ram_gb": ("ram", "RAM GB", "Memory in GB.", "8"),
    "cpu_threads": ("cpu_threads", "số luồng", "Logical processors.", "4"),
    "cpu_bits": ("cpu_bits", "số bit", "32 or 64.", "64"),
    "disk_gb": ("system_disk", "ổ đĩa GB", "System disk in GB.", "240"),
    "link_mbps": ("link_speed", "cổng mạng Mbit/s", "Speed of the wired port in Mbit/s.", "1000"),
    "os": ("os", "hệ điều hành", "Product line and release.", "windows 11-24H2"),
    "screen_width": ("screen_width", "điểm ảnh ngang", "Screen width in pixels.", "1920"),
    "screen_height": ("screen_height", "điểm ảnh dọc", "Screen height in pixels.", "1080"),
    "serial_number": ("serial_number", "số máy", "Serial number of the device.", "SN-001"),
    "purchase_year": ("purchase_year", "năm mua", "Year of purchase.", "2021"),
}
"""Columns of a hardware list of PCs without agents: item of `DECLARABLE`, Vietnamese header, sentence, example."""


class Medium(StrEnum):
    """How a line reaches the school."""

    FIBRE = "fibre"
    COPPER = "copper"
    RADIO = "radio"
    MOBILE = "mobile"
    OTHER = "other"


def _school() -> Column:
    return Column(
        "school", "mã trường / trường", "External id of the school, issuer:value.",
        "issuer:value of a school, e.g. moet:79010101", _external, "moet:79010101", required=True,
    )  # fmt: skip


def _label(name: str, alias: str, about: str, example: str, **more: Any) -> Column:
    return Column(name, alias, about, "a short text", _text, example, **more)


UNITS = SheetKind(
    "units",
    (
        Column(
            "external_id", "mã đơn vị / mã trường", "Id in another system, issuer:value; several with | between.",
            "issuer:value, the issuer in a-z, 0-9 and -, e.g. moet:79010101", _externals, "moet:79010101",
            required=True,
        ),
        _choice(
            "kind", "loại đơn vị", "What the unit is; without it a school.", UnitKind,
            {"thành phố": UnitKind.CITY, "quận": UnitKind.DISTRICT, "cụm": UnitKind.CLUSTER, "phường": UnitKind.WARD,
             "trường": UnitKind.SCHOOL}, example="school",
        ),
        _label("name", "tên / tên đơn vị / tên trường", "Name of the unit.", "Trường Tiểu học A", required=True),
        _choice(
            "level", "cấp học", "Level of a school; every school has one.", SchoolLevel,
            {"mầm non": SchoolLevel.MAM_NON, "tiểu học": SchoolLevel.TIEU_HOC, "trung học cơ sở": SchoolLevel.THCS,
             "trung học phổ thông": SchoolLevel.THPT, "giáo dục thường xuyên": SchoolLevel.GDTX}, example="tieu_hoc",
        ),
        Column(
            "parent", "đơn vị cấp trên", "External id of the unit above; the top has none.",
            "issuer:value of a unit, e.g. district:tb", _external, "district:tb", clearable=True,
        ),
    ),
)  # fmt: skip
ROOMS = SheetKind(
    "rooms",
    (
        _school(),
        _label("name", "tên phòng", "Name of the room, unique in the school.", "Phòng máy 1", required=True),
        _choice(
            "kind", "loại phòng", "What the room is for.", RoomKind,
            {"phòng máy": RoomKind.COMPUTER, "phòng máy tính": RoomKind.COMPUTER, "phòng tin học": RoomKind.COMPUTER,
             "phòng học tương tác thông minh": RoomKind.SMART, "phòng chức năng": RoomKind.FUNCTION,
             "phòng làm việc": RoomKind.OFFICE}, example="computer_room", required=True,
        ),
        Column(
            "class_size", "sĩ số", "Pupils of the largest class taught here; without it the cap of the school's level.",
            "a whole number from 1 to 200", _whole(1, 200), "35", clearable=True,
        ),
        Column(
            "timetable", "thời khóa biểu", "When the room is in use, in Asia/Ho_Chi_Minh; without it the default.",
            "always, never, or days and hours such as 'Mon-Fri 07:00-11:30 13:00-16:30; Sat 07:00-11:30'", _timetable,
            "Mon-Fri 07:00-11:30 13:00-16:30", clearable=True, longest=300,
        ),
    ),
)  # fmt: skip
SEATS = SheetKind(
    "seats",
    (
        _school(),
        _label("room", "phòng", "Name of the room.", "Phòng máy 1", required=True),
        _label("label", "ký hiệu chỗ", "What stands on the seat, unique in the room.", "A1", required=True),
        Column("row", "hàng", "Row, 1 = nearest to the board.", "a whole number from 1 to 99", _whole(1, 99), "1",
               required=True),
        Column("column", "cột", "Column, 1 = leftmost as one looks at the board.", "a whole number from 1 to 99",
               _whole(1, 99), "1", required=True),
    ),
)  # fmt: skip
LINES = SheetKind(
    "lines",
    (
        _school(),
        _label("name", "tên đường truyền", "Name of the line, unique in the school.", "Đường truyền chính",
               required=True),
        _label("isp", "nhà mạng", "Internet provider.", "VNPT", clearable=True),
        _choice(
            "medium", "loại đường truyền", "How the line reaches the school.", Medium,
            {"cáp quang": Medium.FIBRE, "cáp đồng": Medium.COPPER, "vô tuyến": Medium.RADIO, "di động": Medium.MOBILE,
             "khác": Medium.OTHER}, example="fibre", clearable=True,
        ),
        Column("contracted_down_mbps", "tải xuống theo hợp đồng", "Contracted download rate in Mbit/s.",
               "a number of Mbit/s above 0", _mbps, "300", clearable=True),
        Column("contracted_up_mbps", "tải lên theo hợp đồng", "Contracted upload rate in Mbit/s.",
               "a number of Mbit/s above 0", _mbps, "300", clearable=True),
        Column("source_addresses", "địa chỉ IP công cộng / địa chỉ nguồn",
               "Public addresses or networks of the line; they tell several lines of a school apart.",
               EXPECTED, _addresses, "203.0.113.7", clearable=True, longest=LONGEST_TEXT),
    ),
)  # fmt: skip
DEVICES = SheetKind(
    "devices",
    (
        _school(),
        _label("code", "mã tài sản / mã thiết bị", "The school's inventory code, unique in the school.", "TH-A-001",
               required=True),
        _choice(
            "kind", "loại thiết bị", "What the device is; without it a pc.", DeviceKind,
            {"máy tính": DeviceKind.PC, "máy tính giáo viên": DeviceKind.TEACHER_PC, "máy cổng": DeviceKind.GATEWAY,
             "bộ định tuyến": DeviceKind.ROUTER, "màn hình tương tác": DeviceKind.DISPLAY}, example="pc",
        ),
        _label("room", "phòng", "Name of the room it stands in.", "Phòng máy 1", clearable=True),
        _label("seat", "chỗ", "Label of the seat in that room.", "A1", clearable=True),
        _choice(
            "state", "tình trạng", "Whether it counts as working stock; without it in_service.", DeviceState,
            {"đang sử dụng": DeviceState.IN_SERVICE, "đang sửa chữa": DeviceState.IN_REPAIR,
             "đã thanh lý": DeviceState.RETIRED},
            example="in_service",
        ),
        Column(
            "agent_since", "có tác tử từ", "Since when an agent is expected to report; without it none is.",
            "a date (2026-09-05) or a time with zone (2026-09-05T07:00:00+07:00)", moment, "2026-09-05", clearable=True,
        ),
    ),
)  # fmt: skip


def _plain(text: str) -> str:
    if len(text) > 60:
        raise ValueError(text)
    return _text(text)


_COMPUTERS = _word(DeviceKind, {"máy tính": DeviceKind.PC, "máy tính giáo viên": DeviceKind.TEACHER_PC})


def _computer(text: str) -> str:
    kind = _COMPUTERS(text)
    if kind not in (DeviceKind.PC, DeviceKind.TEACHER_PC):
        raise ValueError(text)
    return kind


def _sha256(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text.casefold()):
        raise ValueError(text)
    return text.casefold()


def _origin() -> tuple[Column, Column]:
    return (
        Column("declared_by", "người khai / đơn vị khai / người khai báo / đơn vị khai báo",
               "Function or office that declares it, not a person's name.",
               "a function or office, e.g. 'Ban kiểm kê'", _plain, "Ban kiểm kê", required=True),
        Column("attachment_sha256", "mã băm tệp đính kèm", "SHA-256 of the paper or photograph that shows it.",
               "64 hexadecimal digits", _sha256, "9f" * 32),
    )  # fmt: skip


DECLARED = SheetKind(
    "declared",
    (
        _school(),
        _label("room", "phòng", "Name of the room it is about.", "Phòng máy 1"),
        _label("code", "mã tài sản / mã thiết bị",
               "Inventory code of the device it is about, without a room; neither of both: the school.", "TH-A-001"),
        Column("name", "mục khai báo", "What is declared; docs/declared-facts.md lists all.",
               "one of " + ", ".join(DECLARABLE), _declarable, "area", required=True),
        Column("value", "giá trị", "The value in the unit of the item; yes or no for components.",
               "a number, yes/no, or a short text", _text, "50", required=True),
        _label("unit", "đơn vị tính / đơn vị / đơn vị đo", "The unit, to be sure; it must be the item's own.", "m2"),
        *_origin(),
    ),
)  # fmt: skip
BASELINE = SheetKind(
    "baseline",
    (
        _school(),
        _label("code", "mã tài sản / mã thiết bị", "Inventory code of the device.", "TH-A-001", required=True),
        _label(
            "room",
            "phòng",
            "Name of the room it stands in: with it a PC that is not there yet is registered.",
            "Phòng máy 1",
        ),
        Column(
            "kind",
            "loại thiết bị",
            "What a PC is that the row registers; without it a pc.",
            "one of pc, teacher_pc, 'máy tính', 'máy tính giáo viên'",
            _computer,
            "pc",
        ),
        *(
            Column(column, alias, about, "as in docs/declared-facts.md", _text, example)
            for column, (_, alias, about, example) in BASELINE_ITEMS.items()
        ),
        *_origin(),
    ),
)
SHEETS = (UNITS, ROOMS, SEATS, LINES, DEVICES, DECLARED, BASELINE)
"""In the order in which one may refer to the other."""


def longest_cell(header: str) -> int:
    """Give how many characters a cell under a header may have, whatever sheet it is."""
    columns = (kind.column(header) for kind in SHEETS)
    return max((column.longest for column in columns if column is not None), default=MAX_TEXT)
