"""What all boards share: words and colours of conditions, sums over devices, lists of schools, rooms and devices."""
# ruff: noqa: S608 - the pieces of queries are constants of this package

from __future__ import annotations

from collections.abc import Iterable

from phongmay_dashboards.specification import (
    BLUE,
    GOOD_ZERO,
    GREEN,
    GREY,
    ORANGE,
    PLAIN,
    RED,
    Column,
    Link,
    Steps,
    Variable,
)
from phongmay_dashboards.wording import Words
from phongmay_rules.overview import Condition

CONDITIONS: dict[str, tuple[Words, str]] = {
    Condition.ONLINE: (Words("✓ Đang kết nối", "✓ Online"), GREEN),
    Condition.SILENT: (Words("✕ Im lặng", "✕ Silent"), RED),
    Condition.OFF: (Words("– Đang tắt", "– Off"), BLUE),
    Condition.UNKNOWN: (Words("? Chưa rõ", "? Unknown"), GREY),
    Condition.NEVER: (Words("? Chưa từng gửi dữ liệu", "? Never heard"), ORANGE),
    Condition.NO_AGENT: (Words("– Chưa cài tác tử", "– No agent"), GREY),
    Condition.IN_REPAIR: (Words("⊘ Đang sửa chữa", "⊘ In repair"), GREY),
}
"""Every condition of a device, with a sign beside the colour."""
_STEPS: dict[str, Steps] = {
    Condition.ONLINE: PLAIN,
    Condition.SILENT: GOOD_ZERO,
    Condition.NEVER: ((0, GREEN), (1, ORANGE)),
}
SEEN_RATIO: Steps = ((0, RED), (0.8, ORANGE), (0.95, GREEN))
"""Share of the lessons in which the machines were there; the limits are ours, for looking, and no rule's."""
YES_NO: dict[str, tuple[Words, str]] = {
    "0": (Words("✓ Không", "✓ No"), GREEN),
    "1": (Words("✕ Có", "✕ Yes"), RED),
}
SCHOOL = Words("Trường", "School")
ROOM = Words("Phòng", "Room")
LAST_SEEN = Words("Thấy lần cuối", "Last seen")
TO_SCHOOL = Link(Words("Bảng của trường", "Board of the school"),
                 "/d/phongmay-school-{lang}?var-school=${{__data.fields.school}}&${{__url_time_range}}")  # fmt: skip
TO_PAGE = Link(Words("Kết quả đối chiếu và bằng chứng", "Verdicts and evidence"),
               "{pages}/schools/${{__data.fields.school}}?lang={lang}")  # fmt: skip
TO_DEVICE = Link(
    Words("Bảng của máy", "Board of the device"),
    "/d/phongmay-device-{lang}?var-school=${{__data.fields.school}}&var-device=${{__data.fields.device}}"
    "&${{__url_time_range}}",
)
TO_DEVICE_PAGE = Link(
    Words("Giải thích kết quả đối chiếu của máy", "Verdicts on the device, explained"),
    "{pages}/schools/${{__data.fields.school}}?subject=device:${{__data.fields.device}}&lang={lang}",
)
CHOICE = r"/^(?<text>.*)\|(?<value>[^|]+)$/"
"""Takes the lists of the status series apart."""
TIMES = ("last_seen_s", "line_tested_s")
"""Fields that are instants."""
_LATELY = "time > now() - 1h"


def newest(fields: Iterable[str]) -> str:
    """Give the newest value of each field under its own name; times in milliseconds, as Grafana counts, without _s."""
    return ", ".join(
        f'last("{name}") * 1000 AS "{name[:-2]}"' if name in TIMES else f'last("{name}") AS "{name}"' for name in fields
    )


def condition_columns() -> list[Column]:
    """Give a column for the number of devices in each condition."""
    return [
        Column(name, words, steps=_STEPS.get(name, ((0, GREY),)), width=110) for name, (words, _) in CONDITIONS.items()
    ]


def school_variable(*, several: bool) -> Variable:
    """Give the choice of schools."""
    query = f'SELECT DISTINCT("choice") FROM "school_status" WHERE {_LATELY}'
    return Variable("school", SCHOOL, query, CHOICE, several)


def room_variable() -> Variable:
    """Give the choice of rooms of the chosen school."""
    query = f'SELECT DISTINCT("choice") FROM "room_status" WHERE "school" = \'$school\' AND {_LATELY}'
    return Variable("room", ROOM, query, CHOICE, several=True)


def device_variable(*, several: bool) -> Variable:
    """Give the choice of devices: of one board, or (hidden) all of the chosen rooms."""
    rooms = ' AND "room" =~ /^$room$/' if several else ""
    query = f'SELECT DISTINCT("choice") FROM "device_status" WHERE "school" = \'$school\'{rooms} AND {_LATELY}'
    return Variable("device", Words("Máy", "Device"), query, CHOICE, several, hidden=several)
