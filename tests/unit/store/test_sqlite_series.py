"""The embedded series store: written once, read by others, nothing lost, nothing twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phongmay_contract.catalogue import MEASUREMENTS, Measurement, Type, Value
from phongmay_contract.envelope import ONLINE, Envelope, Group, Instant
from phongmay_contract.topics import Kind
from phongmay_store.errors import StoreError
from phongmay_store.series import sqlite, sqlite_schema
from phongmay_store.series.interface import Arrival, DeadLetter, Presence, RunOffset, SeriesWriter, TimeBasis
from phongmay_store.series.sqlite import SqliteSeries

HOUR = 1_795_000_000 // 3600 * 3600
DEVICE, RUN = "pc-one", "aa" * 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "series.db"


@pytest.fixture
def series(path: Path) -> Iterator[SqliteSeries]:
    with closing(SqliteSeries.open(path)) as opened:
        yield opened


def arrival(
    seq: int,
    at: float,
    *groups: Group,
    kind: Kind = Kind.ROUND,
    basis: TimeBasis = TimeBasis.LIVE,
    run: str = RUN,
    sender: str = DEVICE,
    unknown: tuple[str, ...] = (),
) -> Arrival:
    body = groups or (usage(),)
    envelope = Envelope(kind, sender, run, seq, Instant(at, at - HOUR), "test", body)
    return Arrival(envelope, at, basis, at, unknown)


def usage(memory: int = 5, subject: str = "") -> Group:
    return Group("usage", {"cpu_busy_ratio": 0.25, "memory_used_bytes": memory}, subject)


def reach(ok: bool, part: str = "internet") -> Group:
    return Group("reach", {"ok": ok}, part=part)


def test_the_engine_keeps_to_the_interface(series: SqliteSeries) -> None:
    """Whoever asks for a SeriesWriter may be given this engine."""
    writer: SeriesWriter = series
    assert writer.envelope_count() == 0


@pytest.mark.parametrize("measurement", MEASUREMENTS.values(), ids=lambda m: m.name)
def test_every_quantity_comes_back_with_its_type(series: SqliteSeries, measurement: Measurement) -> None:
    """What was measured is what is read: no quantity changes value or type on its way through the file."""
    example: dict[Type, Value] = {Type.INT: 2**40, Type.FLOAT: 0.125, Type.BOOL: True, Type.TEXT: "Bộ xử lý ½"}
    values = {quantity.name: example[quantity.type] for quantity in measurement.quantities}
    part = "x" if measurement.part_kind.value else ""
    series.write([arrival(1, HOUR, Group(measurement.name, values, part=part), kind=Kind.EVENT)])
    (row,) = series.latest(measurement.name)
    assert row.values == values
    assert {name: type(value) for name, value in row.values.items()} == {n: type(v) for n, v in values.items()}
    assert (row.device, row.part, row.at, str(row.source)) == (DEVICE, part, HOUR, f"{DEVICE}/{RUN}/1")


def test_the_same_envelope_again_changes_nothing(series: SqliteSeries) -> None:
    """Identity is (sender, run, seq): seen again, nothing happens, even with other values, times and names."""
    series.write([arrival(1, HOUR, usage(5), unknown=("usage.new",)), arrival(1, HOUR + 60, usage(6))])
    series.write([arrival(1, HOUR + 120, usage(7), reach(True), unknown=("usage.new",))])
    assert series.envelope_count() == series.envelope_count(DEVICE) == 1
    assert [row.values["memory_used_bytes"] for row in series.range(DEVICE, "usage", 0, 2e9)] == [5]
    assert [minutes.seen for minutes in series.minutes(HOUR, HOUR + 3600)] == [1]
    assert series.unknown_names() == {"usage.new": 1}
    assert series.known([arrival(1, 0).id, arrival(2, 0).id]) == {arrival(1, 0).id}


def test_two_envelopes_of_one_instant_are_both_kept(series: SqliteSeries) -> None:
    """A receipt promises a row: equal times (two events, two holders of one identity) must not swallow one."""
    series.write([arrival(1, HOUR, usage(1)), arrival(2, HOUR, usage(2), usage(3)), arrival(1, HOUR, run="bb" * 8)])
    rows = series.range(DEVICE, "usage", HOUR, HOUR + 1)
    assert len(rows) == 4
    assert all(row.at - HOUR < 0.001 for row in rows)


def test_latest_is_the_newest_by_true_time_not_by_arrival(series: SqliteSeries) -> None:
    """A day's backlog that arrives late never hides the living value."""
    series.write([arrival(9, HOUR + 600, usage(9))])
    series.write([arrival(1, HOUR, usage(1)), arrival(2, HOUR + 60, usage(2), kind=Kind.INVENTORY)])
    assert [row.values["memory_used_bytes"] for row in series.latest("usage")] == [9]


def test_a_guessed_time_hides_nothing_that_is_known(series: SqliteSeries) -> None:
    """A row whose time is only guessed gives way to any row whose time is known, and marks no minute as seen."""
    guess = TimeBasis.GUESS
    series.write([arrival(1, HOUR + 5, usage(1), basis=guess)])
    assert [row.basis for row in series.latest("usage")] == [guess]
    series.write([arrival(2, HOUR, usage(2)), arrival(3, HOUR + 9, usage(3), basis=guess)])
    series.write([arrival(4, HOUR + 99, usage(4), basis=guess)])
    assert [row.values["memory_used_bytes"] for row in series.latest("usage")] == [2]
    assert [minutes.seen for minutes in series.minutes(HOUR, HOUR + 3600)] == [1]


def test_a_gateway_s_values_belong_to_the_subject(series: SqliteSeries) -> None:
    """What a gateway saw of a router is the router's row, with the gateway's envelope as its source."""
    router = Group("router", {"is_up": True}, "router-1", "wan")
    series.write([arrival(1, HOUR, router, usage(), sender="gw-1")])
    (row,) = series.latest("router")
    assert (row.device, row.part, row.source.sender) == ("router-1", "wan", "gw-1")
    assert [minutes.device for minutes in series.minutes(HOUR, HOUR + 1)] == ["gw-1"]


def test_minute_masks_gather_over_writes(series: SqliteSeries) -> None:
    """Availability counts minutes, so each minute's bit is set once, whatever the order and number of writes."""
    series.write([arrival(1, HOUR + 59 * 60 + 59, reach(False))])
    series.write([arrival(2, HOUR, reach(True)), arrival(3, HOUR + 30, reach(False)), arrival(4, HOUR + 61, usage())])
    series.write([arrival(5, HOUR + 3600, reach(True, "gateway")), arrival(6, HOUR + 120, kind=Kind.INVENTORY)])
    first, second = series.minutes(HOUR, HOUR + 7200)
    assert (first.seen, first.reachable, first.unreachable) == (1 << 59 | 0b11, 0b1, 1 << 59 | 0b1)
    assert (second.hour, second.seen, second.reachable, second.unreachable) == (HOUR + 3600, 1, 0, 0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 7199), min_size=1, max_size=40), st.data())
def test_masks_do_not_depend_on_order_or_repeats(seconds: list[int], data: st.DataObject) -> None:
    """However the rounds come - shuffled, repeated, in any batches - the masks are those of the set of minutes."""
    with closing(SqliteSeries.open(Path(":memory:"))) as series:
        rounds = [arrival(number, HOUR + second) for number, second in enumerate(seconds)]
        order = data.draw(st.permutations(rounds + rounds[:5]))
        cut = data.draw(st.integers(0, len(order)))
        series.write(order[:cut])
        series.write(order[cut:])
        found = {(m.hour, bit) for m in series.minutes(HOUR, HOUR + 7200) for bit in range(60) if m.seen >> bit & 1}
    assert found == {(HOUR + second // 3600 * 3600, second % 3600 // 60) for second in seconds}


def test_minutes_gives_every_hour_that_touches_the_interval(series: SqliteSeries) -> None:
    """A lesson from 07:15 to 11:30 needs the hours at both ends, and not the hours beside them."""
    series.write([arrival(hour, HOUR + hour * 3600) for hour in range(5)])
    hours = [(m.hour - HOUR) // 3600 for m in series.minutes(HOUR + 3600 + 900, HOUR + 3 * 3600 + 1)]
    assert hours == [1, 2, 3]
    assert [(m.hour - HOUR) // 3600 for m in series.minutes(HOUR + 3600, HOUR + 2 * 3600)] == [1]


def test_range_pages_through_parts_without_gap_or_repeat(series: SqliteSeries) -> None:
    """Pages joined give the whole; parts of one instant are not torn away at a page's edge."""
    parts = ("dns", "gateway", "internet")
    for second in range(7):
        series.write([arrival(second, HOUR + second, *(reach(True, part) for part in parts))])
    pages, after = [], None
    while rows := series.range(DEVICE, "reach", HOUR, HOUR + 6, limit=4, after=after):
        pages += [(row.at - HOUR, row.part) for row in rows]
        after = (rows[-1].at, rows[-1].part)
    assert pages == [(float(second), part) for second in range(6) for part in parts]
    assert [row.part for row in series.range(DEVICE, "reach", HOUR, HOUR + 2, part="dns")] == ["dns", "dns"]


def test_only_the_asked_devices_are_given(series: SqliteSeries) -> None:
    """The API asks for the devices of a scope; it must get these and no others, also for none."""
    series.write([arrival(1, HOUR, sender=f"pc-{number}") for number in range(4)])
    assert [row.device for row in series.latest("usage", ["pc-1", "pc-3", 'x"y'])] == ["pc-1", "pc-3"]
    assert list(series.latest("usage", [])) == []
    assert [m.device for m in series.minutes(HOUR, HOUR + 1, {"pc-2"})] == ["pc-2"]


def test_offset_of_a_run_is_never_changed(series: SqliteSeries) -> None:
    """Learnt once: otherwise a repeat would land on another instant."""
    assert series.offset(DEVICE, RUN) is None
    series.write([], [RunOffset(DEVICE, RUN, 1.5, TimeBasis.LIVE)])
    series.write([], [RunOffset(DEVICE, RUN, 9.9, TimeBasis.WALL)])
    assert series.offset(DEVICE, RUN) == RunOffset(DEVICE, RUN, 1.5, TimeBasis.LIVE)


def test_presence_is_replaced_a_device(series: SqliteSeries) -> None:
    """Each device has one presence: the newest one that the collector wrote."""
    first = Presence(DEVICE, ONLINE, "s1" * 8, RUN, HOUR, HOUR + 1, "0.1")
    series.write([], presence=[first])
    series.write([], presence=[first._replace(state="lost"), first._replace(device="pc-two")])
    assert list(series.presence()) == [first._replace(state="lost"), first._replace(device="pc-two")]
    assert [presence.device for presence in series.presence(["pc-two"])] == ["pc-two"]


def test_dead_letters_are_bounded_and_the_newest_stay(series: SqliteSeries, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken device may not fill the disk; ids go on counting, so the loss of old letters shows."""
    monkeypatch.setattr(sqlite, "KEPT_DEAD_LETTERS", 3)
    for number in range(5):
        series.write([], dead=[DeadLetter(0, f"t/{number}", "not_json", "why", b"\x00\xff{", HOUR)])
    letters = series.dead_letters()
    assert [(letter.id, letter.topic) for letter in letters] == [(3, "t/2"), (4, "t/3"), (5, "t/4")]
    assert letters[0].payload == b"\x00\xff{"
    assert [letter.id for letter in series.dead_letters(limit=1, after=3)] == [4]


def test_odd_names_are_counted_but_bounded(series: SqliteSeries, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that invents names without end must not fill the file; what does not fit is still counted."""
    monkeypatch.setattr(sqlite, "MAX_ODD_NAMES", 2)
    series.write([arrival(1, HOUR, unknown=("a", "b", "b", "c" * 5000, "d"))])
    series.write([arrival(2, HOUR + 1, unknown=("a", "e"))])
    assert series.unknown_names() == {"a": 2, "b": 2, "others": 3}


def test_one_write_is_all_or_nothing(series: SqliteSeries, path: Path) -> None:
    """A batch that the file refuses half-way leaves no trace: what is not committed gets no receipt."""
    bad = arrival(2, HOUR, Group("hardware", {"cpu_model": "\ud800", "os_id": "x"}))
    with pytest.raises(UnicodeEncodeError):
        series.write([arrival(1, HOUR), bad], [RunOffset(DEVICE, RUN, 1.0, TimeBasis.LIVE)])
    assert series.envelope_count() == 0
    assert series.offset(DEVICE, RUN) is None
    series.write([arrival(1, HOUR)])
    assert series.envelope_count() == 1


def test_a_locked_file_is_a_store_error_and_writing_goes_on_afterwards(series: SqliteSeries, path: Path) -> None:
    """The collector retries on StoreError; the store must be usable again without being opened anew."""
    series._connection.execute("PRAGMA busy_timeout=0")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"series\.db"):
            series.write([arrival(1, HOUR)])
        other.execute("ROLLBACK")
    series.write([arrival(1, HOUR)])
    assert series.envelope_count() == 1


def test_a_reader_sees_commits_at_once_and_cannot_write(series: SqliteSeries, path: Path) -> None:
    """Rules and API read while the collector writes; they can change nothing."""
    with closing(SqliteSeries.open_reader(path)) as reader:
        series.write([arrival(1, HOUR)])
        assert reader.envelope_count() == 1
        assert [row.device for row in reader.latest("usage")] == [DEVICE]
        with pytest.raises(StoreError):
            reader.write([arrival(2, HOUR)])


def test_reading_an_absent_or_foreign_file_says_what_to_do(tmp_path: Path) -> None:
    """A person learns the file and the command that makes it; the reader makes no file itself."""
    with pytest.raises(StoreError, match=r"no\.db.*phongmay collector run"):
        SqliteSeries.open_reader(tmp_path / "no.db")
    assert not (tmp_path / "no.db").exists()
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, match="no series store yet"):
        SqliteSeries.open_reader(tmp_path / "empty.db")
    (tmp_path / "text.db").write_text("this is not a database, it is a text of some length")
    with pytest.raises(StoreError, match="cannot be read"):
        SqliteSeries.open_reader(tmp_path / "text.db")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """One sentence with file and key, no traceback of sqlite3."""
    with pytest.raises(StoreError, match=r"store\.series_path /proc/phongmay/series\.db"):
        SqliteSeries.open(Path("/proc/phongmay/series.db"))


def test_an_older_file_gets_the_new_columns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later catalogue adds quantities; the rows of before stay and simply lack them, for writer and reader."""
    whole = MEASUREMENTS["usage"]
    older = replace(whole, quantities=tuple(q for q in whole.quantities if q.name != "cpu_busy_ratio"))
    monkeypatch.setitem(MEASUREMENTS, "usage", older)
    with closing(SqliteSeries.open(path)) as series:
        series.write([arrival(1, HOUR, usage(1))])
    monkeypatch.setitem(MEASUREMENTS, "usage", whole)
    with closing(SqliteSeries.open_reader(path)) as reader:
        assert [row.values for row in reader.latest("usage")] == [{"memory_used_bytes": 1}]
    with closing(SqliteSeries.open(path)) as series:
        series.write([arrival(2, HOUR + 1, usage(2))])
        rows = series.range(DEVICE, "usage", HOUR, HOUR + 9)
    assert [row.values for row in rows] == [
        {"memory_used_bytes": 1},
        {"memory_used_bytes": 2, "cpu_busy_ratio": 0.25},
    ]


def test_a_quantity_never_changes_its_type(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed type would mix two meanings in one column: refused when the file is opened."""
    SqliteSeries.open(path).close()
    whole = MEASUREMENTS["usage"]
    changed = tuple(replace(q, type=Type.TEXT) if q.name == "cpu_busy_ratio" else q for q in whole.quantities)
    monkeypatch.setitem(MEASUREMENTS, "usage", replace(whole, quantities=changed))
    with pytest.raises(StoreError, match=r"usage\.cpu_busy_ratio is REAL"):
        SqliteSeries.open(path)


def test_no_quantity_is_called_like_a_key_column() -> None:
    """The bookkeeping of a row and its quantities live in one table; a clash would overwrite one with the other."""
    for measurement in MEASUREMENTS.values():
        assert not {quantity.name for quantity in measurement.quantities} & set(sqlite_schema.KEY_COLUMNS)


def test_an_unknown_measurement_is_refused_by_name(series: SqliteSeries) -> None:
    """A misspelt measurement must not look like one without data."""
    with pytest.raises(StoreError, match="usgae"):
        series.range(DEVICE, "usgae", 0, 1)


def test_listening_is_kept_by_the_minute(series: SqliteSeries) -> None:
    """Marks of several collectors add up, none is lost by being written twice, and they are no device's minutes."""
    series.listened([HOUR + 30, HOUR + 59.9, HOUR + 3600 + 3599])
    series.listened([HOUR + 60, HOUR + 30])
    assert series.listening(HOUR, HOUR + 7200) == {HOUR: 0b11, HOUR + 3600: 1 << 59}
    assert series.listening(HOUR + 10, HOUR + 20) == {HOUR: 0b11}
    assert series.listening(HOUR + 3600, HOUR + 3600) == {}
    assert series.listening(HOUR - 3600, HOUR) == {}
    assert list(series.minutes(HOUR, HOUR + 7200)) == []
    series.listened([])
