"""The fact functions to the last field: value, reason, time, sources and the detail that lets a person follow it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from phongmay_contract.catalogue import Value
from phongmay_contract.units import GB, GIB
from phongmay_rules.errors import PackError
from phongmay_rules.facts.catalogue import Found
from phongmay_rules.facts.hardware import disk_facts, free_space_facts, hardware_facts, support_days
from phongmay_rules.facts.network import Expected, last_day, link_facts, reach_facts
from phongmay_rules.facts.presence import interval_of, presence_facts, quantised
from phongmay_rules.facts.rooms import room_facts, school_facts
from phongmay_rules.facts.sizes import marketed_disk, marketed_memory
from phongmay_rules.facts.support import read_table
from phongmay_rules.places import RoomPlace, SchoolPlace
from phongmay_rules.reasons import Reason
from phongmay_store.register.timetable import ALWAYS, parse
from phongmay_store.series.interface import EnvelopeId, Minutes, Presence, Row, TimeBasis
from tests.unit.rules.reached import reach_of

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC).timestamp()
SOURCE = EnvelopeId("pc-1", "ab" * 8, 7)
FROM = (f"pc-1/{'ab' * 8}/7",)
TABLE = """
checked = 2026-01-01
valid_until = 2026-11-23
[sources]
maker = "the maker"
[[release]]
os_id = "Debian"
os_version = "12A"
ends = 2026-12-01
source = "maker"
[[release]]
os_id = "debian"
os_version = "12a"
editions = ["Blue"]
ends = 2026-12-31
source = "maker"
"""


def row(part: str = "", at: float = AT - 5, **values: Value) -> Row:
    """Make a row of the series."""
    return Row("pc-1", part, at, TimeBasis.LIVE, values, SOURCE)


def found(name: str, value: float | None, reason: Reason | None = None, **detail: Any) -> Found:
    """Make what a fact function gives for such a row."""
    return Found(name, value, AT - 5, reason, FROM, detail)


@pytest.fixture
def table(tmp_path: Path) -> Any:
    """A small table of support dates."""
    path = tmp_path / "t.toml"
    path.write_text(TABLE, "utf-8")
    return read_table(path)


def test_hardware(table: Any) -> None:
    """Each fact of a whole record; slots are told when they make sense."""
    record = row(memory_bytes=3 * GIB, memory_installed_bytes=4 * GIB, memory_slots=2, memory_slots_used=1, cpu_bits=64,
                 cpu_arch="x86", cpu_threads=4, cpu_model="M", os_id="debian", os_version="12A",
                 os_name="the blue one")  # fmt: skip
    assert hardware_facts(record, AT, table) == [
        found("ram_marketed_bytes", 4 * GIB, installed_bytes=4 * GIB, slots=2, slots_used=1),
        found("cpu_bits", 64, arch="x86"),
        found("cpu_threads", 4, model="M"),
        found("os_support_days_left", 38, os_id="debian", os_version="12A", os_name="the blue one", ends="2026-12-31",
              table="the maker"),
    ]  # fmt: skip


def test_poor_hardware(table: Any) -> None:
    """What a record does not tell is missing, with the record as its source."""
    blank = {"os_id": "", "os_version": "", "os_name": ""}
    assert hardware_facts(row(), AT, table) == [
        found("ram_marketed_bytes", None, Reason.SIZE_NOT_TOLD),
        found("cpu_bits", None, Reason.WIDTH_NOT_TOLD, arch=""),
        found("cpu_threads", None, Reason.SIZE_NOT_TOLD),
        found("os_support_days_left", None, Reason.NOT_IN_TABLE, **blank),
    ]
    names = ["ram_marketed_bytes", "cpu_bits", "cpu_threads", "os_support_days_left"]
    assert hardware_facts(None, AT, table) == [Found(name, None, AT, Reason.NO_DATA) for name in names]


def test_memory_without_modules(table: Any) -> None:
    """What the system can use, as sold; equal figures are no contradiction; senseless slots are left out."""

    def memory(**values: Value) -> Found:
        return hardware_facts(row(**values), AT, table)[0]

    assert memory(memory_bytes=int(3.6 * GIB)) == found("ram_marketed_bytes", 4 * GIB, usable_bytes=int(3.6 * GIB))
    assert memory(memory_bytes=4 * GIB, memory_installed_bytes=4 * GIB).detail == {"installed_bytes": 4 * GIB}
    assert memory(memory_installed_bytes=2 * GIB) == found("ram_marketed_bytes", 2 * GIB, installed_bytes=2 * GIB)
    for slots, used in ((2, 3), (2, 0), (2, None), (None, 1)):
        told = {"memory_slots": slots, "memory_slots_used": used}
        values = {name: value for name, value in told.items() if value is not None}
        assert memory(memory_bytes=4 * GIB, **values).detail == {"usable_bytes": 4 * GIB}
    assert memory(memory_bytes=4 * GIB, memory_slots=2, memory_slots_used=2).detail["slots_used"] == 2
    one = {"memory_slots": 1, "memory_slots_used": 1}
    assert memory(memory_bytes=4 * GIB, **one).detail == {"usable_bytes": 4 * GIB, "slots": 1, "slots_used": 1}


def test_width(table: Any) -> None:
    """A 64-bit system proves the processor, in whatever letters its name is written."""
    for arch in ("x86_64", "AMD64", "x64", "AArch64", "arm64", "ppc64le", "riscv64", "loongarch64"):
        assert hardware_facts(row(cpu_arch=arch), AT, table)[1] == found("cpu_bits", 64, arch=arch)
    assert hardware_facts(row(cpu_threads=2), AT, table)[2] == found("cpu_threads", 2, model="")


def test_support(table: Any) -> None:
    """The last day of the table still counts (in local time), the entry without editions is the rest."""
    record = row(os_id="DEBIAN", os_version="12a", os_name="red")
    detail = {"os_id": "DEBIAN", "os_version": "12a", "os_name": "red"}
    assert hardware_facts(record, AT, table)[3] == found(
        "os_support_days_left", 8, **detail, ends="2026-12-01", table="the maker"
    )
    midnight = datetime(2026, 11, 23, 17, 0, tzinfo=UTC).timestamp()  # 24 November in Ho Chi Minh City
    assert hardware_facts(record, midnight - 1, table)[3].value == 8
    assert hardware_facts(record, midnight, table)[3] == found(
        "os_support_days_left", None, Reason.TABLE_EXPIRED, **detail
    )


def test_days() -> None:
    """90 days are told exactly, 91 in steps of 30, on both sides."""
    today = date(2026, 11, 23)
    for days, told in ((90, 90), (91, 90), (119, 90), (120, 120), (-90, -90), (-91, -120), (-120, -120), (-121, -150)):
        assert support_days(date.fromordinal(today.toordinal() + days), today) == told


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (TABLE.replace('source = "maker"', 'source = "nobody"', 1), "Debian 12A: unknown source 'nobody'"),
        (TABLE.replace('os_id = "Debian"\n', "", 1), "key 'release.0.os_id': "),
        ("[", "cannot be read ("),
    ],
)
def test_a_wrong_table(tmp_path: Path, text: str, named: str) -> None:
    """File and entry are named."""
    path = tmp_path / "t.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(PackError) as error:
        read_table(path)
    assert str(error.value).startswith(f"{path}: {named}")
    with pytest.raises(PackError, match=r"absent\.toml: cannot be read"):
        read_table(tmp_path / "absent.toml")


def test_editions(tmp_path: Path) -> None:
    """Any word is enough to want or to exclude, in any letters; entries with editions go first."""
    path = tmp_path / "t.toml"
    path.write_text(
        'checked = 2026-01-01\nvalid_until = 2027-01-01\n[sources]\nm = "m"\n'
        + "".join(
            f'[[release]]\nos_id = "w"\nos_version = "1"\nends = 2026-0{month}-01\nsource = "m"\n{more}\n'
            for month, more in (
                (1, 'not_editions = ["LTSC"]'),
                (2, 'editions = ["Edu", "Ent"]\nnot_editions = ["Pro"]'),
            )
        ),
        "utf-8",
    )
    table = read_table(path)
    assert (table.checked, table.valid_until) == (date(2026, 1, 1), date(2027, 1, 1))
    months = {name: release.ends.month if (release := table.find("W", "1", name)) else 0
              for name in ("x edu", "X ENT", "plain", "pro edu", "ent ltsc", "ltsc")}  # fmt: skip
    assert months == {"x edu": 2, "X ENT": 2, "plain": 1, "pro edu": 1, "ent ltsc": 2, "ltsc": 0}


def test_free_space() -> None:
    """Rounded down to hundredths and whole GB; without both figures, or of a volume of nothing, not known."""
    ratio, free = "system_volume_free_ratio", "system_volume_free_bytes"
    known = row(system_volume_bytes=300 * GB, system_volume_free_bytes=101 * GB - 1)
    assert free_space_facts(known, AT) == [found(ratio, 0.33), found(free, 100 * GB)]
    full = row(system_volume_bytes=1, system_volume_free_bytes=1)
    assert [fact.value for fact in free_space_facts(full, AT)] == [1.0, 0]
    nothing = [Found(name, None, AT, Reason.NO_DATA) for name in (ratio, free)]
    assert free_space_facts(None, AT) == nothing
    for values in ({"system_volume_bytes": GB}, {"system_volume_free_bytes": GB},
                   {"system_volume_bytes": 0, "system_volume_free_bytes": 0}):  # fmt: skip
        assert free_space_facts(row(**values), AT) == nothing


def test_disks() -> None:
    """Size as sold, the real size, the part and the kind of disk."""
    name = "system_disk_marketed_bytes"
    system = row("a", size_bytes=250_059_350_016, is_system=True, disk_kind="ssd")
    assert disk_facts([system], AT) == [found(name, 250 * GB, size_bytes=250_059_350_016, part="a", disk_kind="ssd")]
    plain = row("b", size_bytes=120 * GB, is_system=True, is_removable=False)
    assert disk_facts([system, plain], AT)[0].detail == {"size_bytes": 120 * GB, "part": "b", "disk_kind": "unknown"}
    data = [row("c", size_bytes=GB), row("d", size_bytes=GB, is_system=False), row("e", is_system=True)]
    assert disk_facts(data, AT) == [found(name, None, Reason.NO_SYSTEM_DISK, disks=3)]
    assert disk_facts([], AT) == [Found(name, None, AT, Reason.NO_DATA)]
    assert disk_facts([row("z", at=AT - 9, size_bytes=GB, is_system=True), data[0]], AT)[0].detail == {"disks": 1}


def test_sticks_and_mirrors() -> None:
    """A stick that the system started from never counts, however small; of equal disks the first stands for both."""
    disks = [row(part, size_bytes=240 * GB, is_system=True) for part in ("a", "b")]
    stick = row("s", size_bytes=16 * GB, is_system=True, is_removable=True)
    (fact,) = disk_facts([*disks, stick], AT)
    assert (fact.value, fact.detail["part"]) == (240 * GB, "a")


def test_days_are_those_of_the_district() -> None:
    """Lessons after midnight or until midnight belong to the local weekday, wherever the server stands."""
    early = last_day(parse("Mon 00:30-01:30; Tue 00:30-01:30; Thu 00:30-01:30"), AT + 86400)
    assert early is not None
    assert early.end - early.start == 86400  # Tuesday back to Monday
    late = last_day(parse("Fri 22:00-24:00; Sun 22:00-24:00"), AT)
    assert late is not None
    assert late.end - late.start == 2 * 86400  # Sunday's midnight back to Friday's


def test_a_speed_of_nothing_is_not_told() -> None:
    """0 is what a driver says that does not know; words are no speeds."""
    for speed, reason in ((0, Reason.SPEED_NOT_TOLD), ("fast", Reason.SPEED_NOT_TOLD), (1, None)):
        values: dict[str, Value] = {"is_default_route": True, "is_up": True, "medium": "wired", "speed_bps": speed}
        assert link_facts([row("e", **values)], AT)[0].missing is reason


def test_links() -> None:
    """Every reason with interface and medium; of several routes the newest, then the fastest."""
    name = "link_speed_bps"
    good: dict[str, Value] = {"is_default_route": True, "is_up": True, "medium": "wired", "speed_bps": 10**9}
    assert link_facts([row("e", **good)], AT) == [found(name, 10**9, interface="e", medium="wired")]
    for change, reason in (
        ({"is_up": False}, Reason.LINK_DOWN),
        ({"medium": "wireless"}, Reason.WIRELESS),
        ({"medium": "unknown"}, Reason.MEDIUM_NOT_TOLD),
    ):
        values = good | change
        assert link_facts([row("e", **values)], AT) == [
            found(name, None, reason, interface="e", medium=str(values["medium"]))
        ]
    mute = {key: value for key, value in good.items() if key not in ("speed_bps", "medium")}
    assert link_facts([row("e", **mute)], AT)[0].detail == {"interface": "e", "medium": "unknown"}
    assert link_facts([row("e", **mute, medium="wired")], AT) == [
        found(name, None, Reason.SPEED_NOT_TOLD, interface="e", medium="wired")
    ]
    assert link_facts([row("e", at=AT - 9), row("f")], AT) == [found(name, None, Reason.NO_DEFAULT_ROUTE)]
    assert link_facts([], AT) == [Found(name, None, AT, Reason.NO_DATA)]
    slow = good | {"speed_bps": 10**7}
    assert link_facts([row("a", **good), row("b", **slow)], AT)[0].value == 10**9
    assert link_facts([row("a", at=AT - 9, **good), row("b", **slow)], AT)[0].value == 10**7
    assert link_facts([row("a", **mute, medium="wired"), row("b", **slow)], AT)[0].value == 10**7
    assert link_facts([row("a", **good), row("b", **good)], AT)[0].detail["interface"] == "b"


HOUR = int(AT) - 3600
ALL = (1 << 60) - 1


def test_reach() -> None:
    """Shares are rounded down, and the window, the counts and the source stand with them."""
    expected = Expected(HOUR, HOUR + 3600.0, {HOUR: ALL})
    hours = [Minutes("d", HOUR, ALL, (1 << 59) - 1, 1)]
    detail = {"minutes_expected": 60, "minutes_known": 59, "minutes_reached": 58, "from": HOUR, "to": HOUR + 3600.0}
    sources = (f"series:minutes/{HOUR}-{HOUR + 3600}",)
    names = ("internet_reach_ratio", "internet_known_s", "internet_coverage_ratio")
    assert reach_facts(reach_of(hours), expected, HOUR - 9.0, AT) == [
        Found(names[0], 0.98, AT, None, sources, detail),
        Found(names[1], 2700, AT, None, sources, detail),
        Found(names[2], 0.9, AT, None, sources, detail),
    ]
    nothing = detail | {"minutes_known": 0, "minutes_reached": 0}
    assert reach_facts(None, expected, 0, AT) == [
        Found(names[0], None, AT, Reason.NO_DATA, sources, nothing),
        Found(names[1], 0, AT, None, sources, nothing),
        Found(names[2], 0.0, AT, None, sources, nothing),
    ]
    none = [Found(name, None, AT, Reason.NO_EXPECTED_TIME) for name in names]
    assert reach_facts(reach_of(hours), None, 0, AT) == none
    assert reach_facts(reach_of(hours), expected, HOUR + 3600, AT) == none
    assert reach_facts(reach_of(hours), expected, HOUR + 3599, AT) == none  # no whole minute is left
    late = reach_facts(reach_of(hours), expected, HOUR + 1800, AT)[1]
    assert (late.sources, late.detail["from"]) == ((f"series:minutes/{HOUR + 1800}-{HOUR + 3600}",), HOUR + 1800)
    assert (late.detail["minutes_expected"], late.detail["minutes_known"]) == (30, 29)


def test_known_time_steps() -> None:
    """Known time is rounded down to its step, and a step itself stands."""
    for minutes, told in ((9, 0), (10, 600), (19, 600), (20, 1200), (59, 2700), (60, 3600)):
        mask = (1 << minutes) - 1
        expected = Expected(HOUR, HOUR + 3600.0, {HOUR: ALL})
        assert reach_facts(reach_of([Minutes("d", HOUR, mask, mask, 0)]), expected, 0, AT)[1].value == told


def test_known_time_over_hours() -> None:
    """89 minutes are not 90."""
    expected = Expected(HOUR, HOUR + 7200.0, {HOUR: ALL, HOUR + 3600: ALL})
    for minutes, told in ((89, 3600), (90, 5400)):
        rest = (1 << (minutes - 60)) - 1
        hours = [Minutes("d", HOUR, ALL, ALL, 0), Minutes("d", HOUR + 3600, rest, rest, 0)]
        assert reach_facts(reach_of(hours), expected, 0, AT)[1].value == told


def test_expected_minutes() -> None:
    """Partly used hours keep their minutes only; an agent that came in between is due from the next whole minute."""
    day = last_day(parse("Mon-Fri 07:15-08:05"), AT)
    assert day is not None
    assert {hour % 86400 // 3600: mask.bit_count() for hour, mask in day.masks.items()} == {0: 45, 1: 5}
    assert (day.end - day.start) == 3 * 86400
    first = min(day.masks)
    assert first == int(day.end) // 3600 * 3600 - 3600
    later = day.since(first + 30 * 60 + 1)
    assert [mask.bit_count() for mask in later.values()] == [29, 5]
    assert day.since(first) == day.masks
    assert day.since(first + 3600)[first] == 0


def test_last_day_within_a_lesson() -> None:
    """In the middle of a lesson the day ends with the last whole minute; one day a week reaches back a week."""
    now = last_day(ALWAYS, AT + 61.5)
    assert now is not None
    assert (now.start, now.end) == (AT + 60 - 86400, AT + 60)
    assert sum(mask.bit_count() for mask in now.masks.values()) == 1440
    weekly = last_day(parse("Mon 09:00-09:30"), AT)
    assert weekly is not None
    assert weekly.end - weekly.start == 7 * 86400
    assert sum(mask.bit_count() for mask in weekly.masks.values()) == 30


def test_presence() -> None:
    """Value, source and detail of each presence fact; the limits of 7 and 60 days."""
    heard = Presence("pc-1", "online", "cd" * 8, "r", AT - 9000, AT - 3600, "1")
    sources, detail = (f"series:presence/pc-1/{'cd' * 8}",), {"last_seen": AT - 3600, "state": "online"}
    assert presence_facts(heard, ALWAYS, 0.0, 60.0, AT) == [
        Found("heard", 1, AT, None, sources, detail),
        Found("silent_expected_s", 3584.0, AT, None, sources, detail),
        Found("reported_7d", 1, AT, None, sources, detail),
    ]
    due = {"expected_since": AT - 600}
    assert presence_facts(None, ALWAYS, AT - 600, 60.0, AT) == [
        Found("heard", 0, AT, None, (), due),
        Found("silent_expected_s", 576.0, AT, None, (), due),
        Found("reported_7d", 0, AT, None, (), due),
    ]

    def old(seconds: float) -> Presence:
        return Presence("pc-1", "lost", "x", "r", 0.0, AT - seconds, "1")

    assert presence_facts(old(7 * 86400), ALWAYS, 0, 60, AT)[2].value == 1
    assert presence_facts(old(7 * 86400 + 1), ALWAYS, 0, 60, AT)[2].value == 0
    longest = presence_facts(old(61 * 86400), ALWAYS, 0, 60, AT)[1].value
    assert longest == presence_facts(old(99 * 86400), ALWAYS, 0, 60, AT)[1].value == quantised(60 * 86400, 60)
    assert presence_facts(old(120), ALWAYS, 0, 60, AT)[1].value == 120
    assert presence_facts(old(119), ALWAYS, 0, 60, AT)[1].value == 0


def test_intervals() -> None:
    """The agent's own interval where it makes sense, else a minute; silence is rounded down in its steps."""
    assert interval_of(None) == interval_of(row()) == interval_of(row(interval_s=0.0)) == 60.0
    assert interval_of(row(interval_s=0.5)) == 0.5
    assert interval_of(row(interval_s="x")) == 60.0
    for seconds, interval, told in ((119, 60, 0), (120, 60, 120), (179, 60, 120), (600, 60, 576), (1023, 60, 960),
                                    (1024, 60, 1024), (1200, 60, 1152), (2, 1, 2), (1.9, 1, 0)):  # fmt: skip
        assert quantised(seconds, interval) == told, seconds


def test_rooms() -> None:
    """Declared class size or the reason; computer rooms only are counted, each a source."""

    def room(name: str, kind: str, size: int | None) -> RoomPlace:
        return RoomPlace(name, "s", kind, size, "", f"register:room/{name}")

    computer, office = room("1", "computer_room", 40), room("2", "office", None)
    assert room_facts(computer, [], {}, {}, AT)[0] == Found("class_size", 40, AT, None, ("register:room/1",))
    assert room_facts(office, [], {}, {}, AT)[0] == Found(
        "class_size", None, AT, Reason.NOT_DECLARED, ("register:room/2",)
    )
    school = SchoolPlace("s", "S", "thcs", [computer, office])
    assert school_facts(school, {}, AT)[0] == Found("computer_rooms", 1, AT, None, ("register:room/1",))


def test_sizes() -> None:
    """The edges of tolerance: 16 % below for memory and none above, 10 % below and 1 % above for disks."""
    assert marketed_memory(4 * GIB) == marketed_memory(int(0.84 * 4 * GIB) + 1) == 4 * GIB
    assert marketed_memory(4 * GIB + 1) == 4 * GIB + 1
    assert marketed_disk(int(1.01 * 500 * GB)) == marketed_disk(500 * GB) == 500 * GB
    assert marketed_disk(30_000 * GB) == 30_000 * GB
    assert marketed_memory(2048 * GIB) == 2048 * GIB
    assert marketed_disk(int(0.9 * 8 * GB)) == 8 * GB
    assert marketed_disk(int(0.9 * 8 * GB) - GB // 100) == int(0.9 * 8 * GB) - GB // 100
