"""Lines of the status series: what is not known is left out, and no name can break a line."""

from __future__ import annotations

from dataclasses import replace

from phongmay_contract.catalogue import Type
from phongmay_dashboards.status_series import FAULTS, STATUS, lines
from phongmay_rules.overview import (
    Condition,
    DeviceOverview,
    Lessons,
    Overview,
    RoomOverview,
    SchoolOverview,
    sums_of,
)
from phongmay_store.register.compliance import State

PC = DeviceOverview(
    "pc-1", "u-1", None, "Máy 1, A=1", "pc", Condition.NEVER, None, None, False, None, None, None, None, Lessons()
)
VERDICTS = {"u-1": dict.fromkeys((state.value for state in State), 0)}


def points(
    *devices: DeviceOverview, name: str = "Trường A", faults: dict[str, dict[str, int]] | None = None
) -> list[str]:
    """Write one school."""
    sums = sums_of(devices)
    school = SchoolOverview("u-1", name, sums, (RoomOverview("", "", sums),), devices, None)
    return [line.decode() for line in lines(Overview(1_700_000_000.9, 0, (school,)), VERDICTS, faults or {})]


def test_what_is_unknown_is_left_out() -> None:
    """A PC that was never heard has no time, no silence, no memory and no ratio: none of them becomes 0."""
    device = next(line for line in points(PC) if line.startswith("device_status"))
    for name in ("last_seen_s", "silent_s", "memory_bytes", "disk_free_ratio", "clock_doubtful=", "lesson_seen_ratio"):
        assert name not in device
    assert "lesson_expected_minutes=0i" in device
    assert device.endswith(" 1700000000000000000")


def test_faults_of_devices_that_were_never_heard_are_unknown_and_not_none() -> None:
    """A school without a word from any device has no count of faults, which would be a green 0 on the boards."""
    names = ("clock_doubtful=", "identity_conflicts=", "waiting=", "shared_fingerprint=", "out_of_range=")
    for line in points(PC)[1:3]:
        assert not [name for name in names if name in line]
    heard = replace(PC, last_seen=1_700_000_000.0, clock_doubtful=False)
    school = points(heard, faults={"u-1": dict.fromkeys(FAULTS, 0)})[1]
    assert not [name for name in names if f"{name}0i" not in school]


def test_nothing_known_of_the_lessons_is_no_ratio() -> None:
    """0 of 0 minutes is unknown; 0 of 5 is 0."""
    none = next(line for line in points(PC) if line.startswith("school_status"))
    some = replace(PC, today=Lessons(10, 5, 0))
    absent = next(line for line in points(some) if line.startswith("school_status"))
    assert "lesson_seen_ratio" not in none
    assert "lesson_seen_ratio=0.0" in absent


def test_names_cannot_break_a_line() -> None:
    """Quotes, commas, blanks, line ends and | in names stay inside their tag or text."""
    found = points(PC, name='Trường "A", số=1|\n2')
    assert not [line for line in found if "\n" in line]
    assert [line.split(",")[0].split(" ")[0] for line in found] == [
        "service_status", "school_status", "room_status", "device_status",
    ]  # fmt: skip
    school = found[1]
    assert r"name=Trường\ \"A\"" not in school  # a tag keeps its quotes as they are
    assert r'choice="Trường \"A\", số=1/ 2|u-1"' in school
    assert r"label=Máy\ 1\,\ A\=1" in found[3]
    assert ",room=-," in found[3]


def test_every_field_is_declared_with_its_unit_and_meaning() -> None:
    """Fields have one type for ever, and a sentence for docs/dashboards.md."""
    for kind in STATUS.values():
        assert len(kind.types) == len(kind.fields)
        for field in kind.fields:
            assert field.about.endswith(".")
            assert field.type in (Type.TEXT, Type.INT, Type.FLOAT)
            assert field.name not in kind.tags, "InfluxDB 3 forbids a tag and a field of one name"
