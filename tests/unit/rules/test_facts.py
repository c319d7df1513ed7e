"""Facts from rows: what counts as known, what does not, and why."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from phongmay_contract.catalogue import Value
from phongmay_contract.units import GB, GIB, MBIT_PER_SECOND
from phongmay_rules.errors import PackError
from phongmay_rules.facts.hardware import disk_facts, hardware_facts, support_days
from phongmay_rules.facts.network import last_day, link_facts, reach_facts
from phongmay_rules.facts.presence import presence_facts
from phongmay_rules.facts.sizes import marketed_disk, marketed_memory
from phongmay_rules.facts.support import read_table, shipped_table
from phongmay_rules.reasons import TEXTS, Reason
from phongmay_store.register.timetable import ALWAYS, NEVER, parse
from phongmay_store.series.interface import EnvelopeId, Minutes, Presence, Row, TimeBasis
from tests.unit.rules.reached import reach_of

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC).timestamp()
SOURCE = EnvelopeId("pc-1", "ab" * 8, 7)


def _row(values: dict[str, Value], *, part: str = "", at: float = AT) -> Row:
    return Row("pc-1", part, at, TimeBasis.LIVE, values, SOURCE)


@pytest.mark.parametrize(
    ("reported", "sold"),
    [(3.4, 4), (3.6, 4), (3.9, 4), (4, 4), (3, 3), (2.9, 3), (1.93, 2), (7.87, 8), (15.5, 16), (31.2, 32), (0.98, 1)],
)
def test_memory_as_sold(reported: float, sold: float) -> None:
    """A "4 GB" PC with shared graphics reports 3.4 to 3.9 GiB and has 4; 3 GiB stays 3."""
    assert marketed_memory(int(reported * GIB)) == int(sold * GIB)


def test_memory_that_no_step_explains_stays_as_it_is() -> None:
    """A report too far below the next step is not rounded up to it."""
    assert marketed_memory(int(3.2 * GIB)) == int(3.2 * GIB)


@pytest.mark.parametrize(
    ("size", "sold"),
    [(58_000_000_000, 64), (62_537_072_640, 64), (64_023_257_088, 64), (31_268_536_320, 32), (240_057_409_536, 240),
     (250_059_350_016, 250), (256_060_514_304, 256), (500_107_862_016, 500), (512_110_190_592, 512),
     (1_000_204_886_016, 1000), (120_034_123_776, 120), (128_035_676_160, 128)],
)  # fmt: skip
def test_disk_as_sold(size: int, sold: int) -> None:
    """A disk with a little more or less than its name is that name."""
    assert marketed_disk(size) == sold * GB


def _hardware(**values: Value) -> dict[str, tuple[float | str | None, Reason | None]]:
    row = _row({"os_id": "windows", "os_version": "11-25H2"} | values)
    return {fact.name: (fact.value, fact.missing) for fact in hardware_facts(row, AT, shipped_table())}


def test_memory_of_the_modules_goes_before_what_the_system_can_use() -> None:
    """What firmware tells of the modules is exact; firmware that tells too little is not believed."""
    both = {"memory_bytes": int(3.6 * GIB), "memory_installed_bytes": 4 * GIB}
    assert _hardware(**both)["ram_marketed_bytes"] == (4 * GIB, None)
    wrong = {"memory_bytes": int(7.8 * GIB), "memory_installed_bytes": 4 * GIB}
    assert _hardware(**wrong)["ram_marketed_bytes"] == (8 * GIB, None)
    assert _hardware()["ram_marketed_bytes"] == (None, Reason.SIZE_NOT_TOLD)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"cpu_bits": 64, "cpu_arch": "x86"}, (64, None)),
        ({"cpu_bits": 32, "cpu_arch": "AMD64"}, (32, None)),
        ({"cpu_arch": "AMD64"}, (64, None)),
        ({"cpu_arch": "aarch64"}, (64, None)),
        ({"cpu_arch": "i686"}, (None, Reason.WIDTH_NOT_TOLD)),
        ({}, (None, Reason.WIDTH_NOT_TOLD)),
    ],
)
def test_width_of_the_processor(values: dict[str, Value], expected: tuple[float | None, Reason | None]) -> None:
    """A 32-bit system does not prove a 32-bit processor."""
    assert _hardware(**values)["cpu_bits"] == expected


@pytest.mark.parametrize(
    ("os_id", "version", "name", "ends"),
    [
        ("windows", "11-24H2", "Microsoft Windows 11 Pro", date(2026, 10, 13)),
        ("windows", "11-24H2", "Microsoft Windows 11 Education", date(2027, 10, 12)),
        ("windows", "11-24H2", "Microsoft Windows 11 Pro Education", date(2026, 10, 13)),
        ("windows", "10-22H2", "Microsoft Windows 10 Pro", date(2025, 10, 14)),
        ("windows", "7", "Microsoft Windows 7 Professional", date(2020, 1, 14)),
        ("debian", "12", "Debian GNU/Linux 12 (bookworm)", date(2028, 6, 30)),
        ("ubuntu", "24.04", "Ubuntu 24.04.1 LTS", date(2029, 5, 31)),
    ],
)
def test_support_dates(os_id: str, version: str, name: str, ends: date) -> None:
    """Release and edition decide the date."""
    release = shipped_table().find(os_id, version, name)
    assert release is not None
    assert release.ends == ends


@pytest.mark.parametrize(
    ("os_id", "version", "name"), [("arch", "", "Arch"), ("windows", "11-24H2", "Windows 11 LTSC")]
)
def test_a_system_that_the_table_does_not_have_is_unknown(os_id: str, version: str, name: str) -> None:
    """Nothing is guessed about a system that is not in the table."""
    assert _hardware(os_id=os_id, os_version=version, os_name=name)["os_support_days_left"] == (
        None, Reason.NOT_IN_TABLE,
    )  # fmt: skip


def test_an_old_table_knows_nothing() -> None:
    """After its own end of validity the table answers unknown instead of what it once knew."""
    late = datetime(2028, 1, 2, tzinfo=UTC).timestamp()
    row = _row({"os_id": "debian", "os_version": "13"})
    found = {fact.name: fact.missing for fact in hardware_facts(row, late, shipped_table())}
    assert found["os_support_days_left"] is Reason.TABLE_EXPIRED


def test_days_of_support() -> None:
    """Near the end each day counts; far from it a machine writes a fact a month only. The last day is still support."""
    ends = date(2026, 11, 23)
    assert support_days(ends, date(2026, 11, 23)) == 0
    assert support_days(ends, date(2026, 11, 24)) == -1
    assert support_days(ends, date(2026, 9, 1)) == 83
    assert support_days(ends, date(2025, 11, 1)) == support_days(ends, date(2025, 11, 20)) == 360


def test_broken_table_names_the_entry(tmp_path: Path) -> None:
    """A misspelt key in the table of support dates is refused with file and key."""
    path = tmp_path / "os_support.toml"
    path.write_text('checked = 2026-01-01\nvalid_until = 2027-01-01\n[sources]\n[[release]]\nos_idd = "x"\n', "utf-8")
    with pytest.raises(PackError, match=r"os_support\.toml: key 'release\.0\."):
        read_table(path)


def test_system_disk() -> None:
    """Only disks of the newest inventory count, never removable ones, and of a mirror the smaller."""
    old = _row({"size_bytes": 1000 * GB, "is_system": True}, part="0", at=AT - 86400)
    stick = _row({"size_bytes": 2000 * GB, "is_system": True, "is_removable": True}, part="9")
    mirror = [_row({"size_bytes": size * GB, "is_system": True}, part=str(size)) for size in (240, 120)]
    assert disk_facts([old, stick, *mirror], AT)[0].value == 120 * GB
    data = _row({"size_bytes": 1000 * GB}, part="1")
    assert disk_facts([old, data], AT)[0].missing is Reason.NO_SYSTEM_DISK
    assert disk_facts([], AT)[0].missing is Reason.NO_DATA


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, (1000 * MBIT_PER_SECOND, None)),
        ({"medium": "wireless"}, (None, Reason.WIRELESS)),
        ({"medium": "unknown"}, (None, Reason.MEDIUM_NOT_TOLD)),
        ({"speed_bps": None}, (None, Reason.SPEED_NOT_TOLD)),
        ({"is_up": False}, (None, Reason.LINK_DOWN)),
        ({"is_default_route": False}, (None, Reason.NO_DEFAULT_ROUTE)),
    ],
)
def test_link(change: dict[str, Value | None], expected: tuple[float | None, Reason | None]) -> None:
    """Only the wired interface that leads to the Internet has a speed that counts; everything else says why not."""
    values: dict[str, Value | None] = {
        "is_up": True, "medium": "wired", "is_default_route": True, "speed_bps": 1000 * MBIT_PER_SECOND,
    }  # fmt: skip
    known = {name: value for name, value in (values | change).items() if value is not None}
    other = _row({"is_up": True, "medium": "wired", "speed_bps": 10 * MBIT_PER_SECOND}, part="eth1")
    fact = link_facts([other, _row(known, part="eth0")], AT)[0]
    assert (fact.value, fact.missing) == expected


def test_last_day_reaches_over_the_weekend() -> None:
    """On Sunday the last day is Friday's; on Monday at 10:00 it begins on Friday at 10:00."""
    timetable = parse("Mon-Fri 07:00-17:00")
    friday = datetime.fromisoformat("2026-11-20T17:00:00+07:00").timestamp()
    sunday = last_day(timetable, friday + 2 * 86400)
    assert sunday is not None
    assert (sunday.start, sunday.end) == (friday - 86400, friday)
    monday = last_day(timetable, AT)
    assert monday is not None
    assert (monday.start, monday.end) == (AT - 3 * 86400, AT)
    assert sum(mask.bit_count() for mask in monday.masks.values()) == 600
    assert last_day(NEVER, AT) is None


def test_reach_counts_expected_minutes_only() -> None:
    """Minutes outside the timetable, before the agent was due, or without a try are no part of the share."""
    hour = int(AT) - 3600  # 09:00 to 10:00 local
    day = last_day(parse("Mon-Fri 09:00-10:00"), AT)
    first_half, second_half = (1 << 30) - 1, ((1 << 30) - 1) << 30
    seen = Minutes("d", hour, first_half | second_half, second_half, 1 << 59)
    before = Minutes("d", hour - 3600, first_half, 0, first_half)
    share, known, coverage = reach_facts(reach_of([seen, before]), day, AT - 86400, AT)
    assert (share.value, known.value, coverage.value) == (0.96, 1800.0, 0.5)  # 29 of 30 known minutes of 60
    assert share.detail["minutes_reached"] == 29
    share, known, coverage = reach_facts(reach_of([seen]), day, AT - 900, AT)
    assert coverage.value == 1.0
    assert known.detail["minutes_expected"] == 15
    assert reach_facts(reach_of([seen]), day, AT + 1, AT)[0].missing is Reason.NO_EXPECTED_TIME


def test_presence() -> None:
    """Silence counts from the last sign of life, or from when the first was due, in time in use only."""
    heard = Presence("pc-1", "online", "cd" * 8, "ab" * 8, AT - 9000, AT - 3600, "1")

    def facts(presence: Presence | None, timetable: str, since: float) -> dict[str, float | str | None]:
        return {fact.name: fact.value for fact in presence_facts(presence, parse(timetable), since, 60.0, AT)}

    assert facts(heard, "always", 0) == {"heard": 1, "silent_expected_s": 3584.0, "reported_7d": 1}
    assert facts(heard, "never", 0)["silent_expected_s"] == 0
    assert facts(None, "always", AT - 7200) == {"heard": 0, "silent_expected_s": 7168.0, "reported_7d": 0}
    assert facts(heard, "always", AT - 100)["silent_expected_s"] == 0
    long_ago = Presence("pc-1", "lost", "cd" * 8, "ab" * 8, AT - 9e6, AT - 8 * 86400, "1")
    assert facts(long_ago, "never", 0) == {"heard": 1, "silent_expected_s": 0, "reported_7d": 0}
    assert presence_facts(heard, ALWAYS, 0, 60.0, AT)[1].sources == (f"series:presence/pc-1/{'cd' * 8}",)


def test_every_reason_has_its_sentence_in_both_languages() -> None:
    """A verdict without a sentence cannot be explained."""
    assert set(TEXTS) == set(Reason)
    assert all(vi and en for vi, en in TEXTS.values())
