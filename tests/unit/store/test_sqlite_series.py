"""What only the embedded series store does: files of days, readers of files, full disks, files of older programs."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phongmay_contract.catalogue import MEASUREMENTS, Type
from phongmay_contract.envelope import Envelope, Group, Instant
from phongmay_contract.topics import Kind
from phongmay_store.errors import StoreError
from phongmay_store.series import sqlite_schema
from phongmay_store.series.interface import Arrival, EnvelopeId, Hourly, RunOffset, TimeBasis
from phongmay_store.series.sqlite import SqliteSeries
from phongmay_store.series.sqlite_days import day_of

HOUR = int(time.time() // 3600 - 30) * 3600
DEVICE, RUN = "pc-one", "aa" * 8
OLD = Path(__file__).with_name("series-of-one-file.sql")
"""A store of one file as the program of November 2026 made it."""


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


def usage(memory: int = 5, subject: str = "", cpu: float = 0.25) -> Group:
    return Group("usage", {"cpu_busy_ratio": cpu, "memory_used_bytes": memory}, subject)


def reach(ok: bool, part: str = "internet") -> Group:
    return Group("reach", {"ok": ok}, part=part)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 7199), min_size=1, max_size=40), st.data())
def test_masks_do_not_depend_on_order_or_repeats(
    tmp_path_factory: pytest.TempPathFactory, seconds: list[int], data: st.DataObject
) -> None:
    """However the rounds come - shuffled, repeated, in any batches - the masks are those of the set of minutes."""
    with closing(SqliteSeries.open(tmp_path_factory.mktemp("masks") / "series.db")) as series:
        rounds = [arrival(number, HOUR + second) for number, second in enumerate(seconds)]
        order = data.draw(st.permutations(rounds + rounds[:5]))
        cut = data.draw(st.integers(0, len(order)))
        series.write(order[:cut])
        series.write(order[cut:])
        found = {(m.hour, bit) for m in series.minutes(HOUR, HOUR + 7200) for bit in range(60) if m.seen >> bit & 1}
    assert found == {(HOUR + second // 3600 * 3600, second % 3600 // 60) for second in seconds}


def test_one_write_is_all_or_nothing(series: SqliteSeries) -> None:
    """A batch that a file refuses half-way counts for nothing: what is not committed gets no receipt."""
    bad = arrival(2, HOUR, Group("hardware", {"cpu_model": "\ud800", "os_id": "x"}))
    with pytest.raises(UnicodeEncodeError):
        series.write([arrival(1, HOUR), bad])
    assert series.envelope_count() == 0
    assert list(series.latest("usage")) == list(series.minutes(HOUR, HOUR + 1)) == []
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


# ---- files of days ---------------------------------------------------------------------------------------------------


def days_of(path: Path) -> list[str]:
    return sorted(file.name for file in path.with_name(path.name + ".days").glob("*.db"))


def test_a_round_lies_in_the_file_of_its_day_and_an_inventory_in_the_main_file(
    series: SqliteSeries, path: Path
) -> None:
    """Days are dropped whole; what is kept for years must not lie in them."""
    midnight = day_of(HOUR) * 86400
    hardware = Group("hardware", {"os_id": "debian"})
    series.write([arrival(1, midnight - 1), arrival(2, midnight, usage(), hardware)])
    assert days_of(path) == [time.strftime("%Y-%m-%d.db", time.gmtime(at)) for at in (midnight - 1, midnight)]
    rows = series.range(DEVICE, "usage", midnight - 10, midnight + 10)
    assert [row.source.seq for row in rows] == [1, 2]
    assert [row.source.seq for row in series.range(DEVICE, "usage", midnight - 10, midnight + 10, limit=1)] == [1]
    tables = {
        row[0] for row in series._connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'm!_%' ESCAPE '!'")
    }
    assert tables == {"m_hardware", "m_disk", "m_campaign", "m_campaign_bins", "m_event"}


def test_a_day_is_dropped_whole_and_its_hours_and_newest_rows_stay(series: SqliteSeries, path: Path) -> None:
    """After store.raw_days the rounds of a day are gone; what was rolled up from them, and the newest row, remain."""
    series.write([arrival(1, HOUR, usage(5)), arrival(2, HOUR + 60, usage(7))])
    now = HOUR + 86400 * 15 + 3600 * 24
    series.write([arrival(3, now - 86400, usage(9), sender="pc-two")])
    while series.maintain(now):
        pass
    assert days_of(path) == [time.strftime("%Y-%m-%d.db", time.gmtime(now - 86400))]
    assert list(series.range(DEVICE, "usage", HOUR, HOUR + 3600)) == []
    assert [row.values["memory_used_bytes"] for row in series.latest("usage", [DEVICE])] == [7]
    assert [m.seen for m in series.minutes(HOUR, HOUR + 1)] == [0b11]
    with closing(SqliteSeries.open_reader(path)) as reader:
        assert list(reader.range(DEVICE, "usage", HOUR, HOUR + 3600)) == []


def test_hours_are_rolled_up_before_their_day_goes(series: SqliteSeries, path: Path) -> None:
    """A collector that was away for weeks first rolls up what it can, then drops; hours of kept days are all there."""
    now = HOUR + 86400 * 13
    series.write([arrival(1, HOUR, usage(cpu=0.5)), arrival(2, now, usage(cpu=1.0))])
    while series.maintain(now + 10000):
        pass
    while series.maintain(now + 86400 * 3):
        pass
    assert day_of(HOUR) not in series._days.days()
    assert list(series.hourly("usage", "cpu_busy_ratio", HOUR, HOUR + 1)) == [Hourly(HOUR, 1, 0.5, 0.5, 0.5)]


def test_a_reader_follows_new_and_dropped_days(series: SqliteSeries, path: Path) -> None:
    """A reader that stays open (the API's, the rules') sees a new day at once, and no day that was dropped."""
    with closing(SqliteSeries.open_reader(path)) as reader:
        assert list(reader.range(DEVICE, "usage", 0, 1e10)) == []
        series.write([arrival(1, HOUR - 86400), arrival(2, HOUR)])
        assert [row.source.seq for row in reader.range(DEVICE, "usage", 0, 1e10)] == [1, 2]
        series._days.drop(day_of(HOUR - 86400))
        assert [row.source.seq for row in reader.range(DEVICE, "usage", 0, 1e10)] == [2]


def test_many_devices_are_rolled_up_in_pieces(series: SqliteSeries, monkeypatch: pytest.MonkeyPatch) -> None:
    """No step holds up the collector for long, and no device is left out or counted twice at the edge of a piece."""
    monkeypatch.setattr("phongmay_store.series.sqlite_hours._KEYS_A_PIECE", 3)
    series.write([arrival(n, HOUR + n, usage(cpu=n / 8), sender=f"pc-{n}") for n in range(8)])
    steps = 0
    while series.maintain(HOUR + 86400):
        steps += 1
    assert steps >= 3
    assert list(series.hourly("usage", "cpu_busy_ratio", HOUR, HOUR + 1)) == [Hourly(HOUR, 8, 0.0, 7 / 8, 3.5 / 8)]


def test_the_weeks_of_few_machines_are_found_by_their_key(series: SqliteSeries) -> None:
    """What a school's month costs must not grow with the machines of the city: no week is read through for a few."""
    series.write([arrival(n, HOUR - 86400 * n, sender=f"pc-{n % 8}") for n in range(40)])
    while series.maintain(HOUR + 86400):
        pass
    asked: list[str] = []
    series._connection.set_trace_callback(asked.append)
    assert series.seen(HOUR - 40 * 86400, HOUR, ["pc-2", "pc-3"]).keys() == {"pc-2", "pc-3"}
    assert [found.device for found in series.minutes(HOUR - 3 * 86400, HOUR, ["pc-2"])] == ["pc-2"]
    series._connection.set_trace_callback(None)
    plans = [series._connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall() for sql in asked if "device IN" in sql]
    weeks = [step for plan in plans for *_, step in plan if "minutes_week" in step]
    assert len(weeks) == 2
    assert all("(week=? AND device=?)" in step for step in weeks), weeks


# ---- a store of one file ---------------------------------------------------------------------------------------------


MIDNIGHT = 1_795_651_200
"""UTC midnight around which the old file's rows lie."""


def old_file(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD.read_text("utf-8"))


def assert_all_there(series: SqliteSeries) -> None:
    """Everything that the old file held."""
    rows = series.range(DEVICE, "usage", MIDNIGHT - 60, MIDNIGHT + 86400)
    assert [(row.source.seq, row.at - MIDNIGHT, row.basis) for row in rows] == [
        (0, -30.0, "live"), (64, 5.0, "guess"), (1, 30.0, "live"), (2, 90.0, "live"), (63, 18000.0, "live"),
    ]  # fmt: skip
    assert [row.values["ok"] for row in series.range(DEVICE, "reach", MIDNIGHT - 60, MIDNIGHT + 60)] == [True, False]
    assert [(row.device, row.source.seq) for row in series.latest("usage")] == [(DEVICE, 63), ("pc-two", 2)]
    assert [row.values for row in series.latest("hardware")] == [{"os_id": "debian", "cpu_cores": 4}]
    assert len(series.range(DEVICE, "hardware", 0, 1e10)) == 1
    assert (series.envelope_count(), series.envelope_count(DEVICE)) == (7, 6)
    assert series.known([EnvelopeId(DEVICE, RUN, seq) for seq in range(70)]) == {
        EnvelopeId(DEVICE, RUN, seq) for seq in (0, 1, 2, 3, 63, 64)
    }
    assert series.offset(DEVICE, RUN) == RunOffset(DEVICE, RUN, 1.5, TimeBasis.LIVE)
    masks = [(m.hour - MIDNIGHT, m.seen, m.reachable, m.unreachable) for m in series.minutes(0, 1e10, [DEVICE])]
    assert masks == [(-3600, 1 << 59, 1 << 59, 0), (0, 0b11, 0, 1), (18000, 1, 0, 0)]
    assert series.listening(MIDNIGHT, MIDNIGHT + 60) == {MIDNIGHT: 0b11}
    assert [p.state for p in series.presence()] == ["online"]
    assert [(letter.id, letter.payload) for letter in series.dead_letters()] == [(1, b"\x00\xff{")]
    assert series.unknown_names() == {"usage.new": 1}
    assert series.out_of_range_names() == {"usage.cpu_busy_ratio": 1}
    assert set(series.out_of_range_devices()) == {DEVICE}
    hours = series.hourly("usage", "cpu_busy_ratio", MIDNIGHT - 3600, MIDNIGHT + 3600, [DEVICE])
    assert list(hours) == [Hourly(MIDNIGHT - 3600, 1, 0.0, 0.0, 0.0), Hourly(MIDNIGHT, 2, 0.5, 1.0, 0.75)]


def test_a_store_of_one_file_is_moved_without_loss(path: Path) -> None:
    """Who upgrades keeps every row, identity, mask and letter; nobody reads half a store meanwhile."""
    old_file(path)
    with pytest.raises(StoreError, match="phongmay collector run"):
        SqliteSeries.open_reader(path)
    with closing(SqliteSeries.open(path)) as series:
        assert_all_there(series)
        tables = {row[0] for row in series._connection.execute("SELECT name FROM sqlite_master")}
        assert not tables & {"envelope", "latest", "minutes", "presence", "run_offset", "m_usage"}
    with closing(SqliteSeries.open(path)) as series:
        assert_all_there(series)
    with closing(SqliteSeries.open_reader(path)) as reader:
        assert_all_there(reader)
    assert days_of(path) == ["2026-11-25.db", "2026-11-26.db"]


@pytest.mark.parametrize("step", ["_move_rounds", "_keep_newest", "_roll_up"])
def test_a_move_that_is_broken_off_is_done_again(path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """A power cut at any point of the move leaves a store that the next start moves whole."""
    from phongmay_store.series import sqlite_moving

    old_file(path)
    honest, calls = getattr(sqlite_moving, step), []

    def broken(*arguments: object) -> None:
        honest(*arguments)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_moving, step, broken)
        with pytest.raises(KeyboardInterrupt):
            SqliteSeries.open(path)
    with closing(SqliteSeries.open(path)) as series:
        assert_all_there(series)


# ---- a full disk, and kill -9 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("main", [True, False])
def test_a_full_disk_is_a_store_error_and_nothing_counts_as_stored(series: SqliteSeries, main: bool) -> None:
    """Whichever file is full: the batch is refused whole, and stored once when there is room again."""
    series.write([arrival(0, HOUR)])
    full = series._connection if main else series._days.file(day_of(HOUR))
    ((pages,),) = full.execute("PRAGMA page_count").fetchall()
    full.execute(f"PRAGMA max_page_count={pages}")
    batch = [arrival(seq, HOUR + seq, usage(seq), sender=f"pc-{seq}", run=f"{seq:016x}") for seq in range(1, 3000)]
    for _ in range(2):
        with pytest.raises(StoreError, match=r"written.*full.*disk has room"):
            series.write(batch)
        assert series.envelope_count() == 1
    full.execute("PRAGMA max_page_count=4294967294")
    series.write(batch)
    series.write(batch)
    assert series.envelope_count() == 3000
    assert sum(len(series.range(f"pc-{seq}", "usage", HOUR, HOUR + 3600)) for seq in (1, 1500, 2999)) == 3


def test_a_writer_that_is_killed_leaves_every_promised_row_once(path: Path, tmp_path: Path) -> None:
    """kill -9 at any moment: what was promised is there, and writing everything again doubles nothing."""
    script = tmp_path / "writer.py"
    script.write_text(
        f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_sqlite_series import *
series = SqliteSeries.open(Path({str(path)!r}))
for start in range(0, 4000, 50):
    series.write([arrival(seq, HOUR + seq, usage(seq), basis=TimeBasis(b)) for seq, b in
                  ((n, "guess" if n % 7 == 0 else "live") for n in range(start, start + 50))])
    print(start + 50, flush=True)
""",
        "utf-8",
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    promised = 0
    for line in process.stdout:
        promised = int(line)
        if promised >= 1000:
            process.send_signal(signal.SIGKILL)
            break
    promised = max([promised, *(int(line) for line in process.stdout)])
    process.wait()
    with closing(SqliteSeries.open(path)) as series:
        assert series.envelope_count() >= promised
        assert len(series.range(DEVICE, "usage", HOUR, HOUR + 9000, limit=9000)) >= promised
        for start in range(0, 4000, 500):
            series.write([arrival(seq, HOUR + seq, usage(seq)) for seq in range(start, start + 500)])
        rows = series.range(DEVICE, "usage", HOUR, HOUR + 9000, limit=9000)
        assert sorted(row.values["memory_used_bytes"] for row in rows) == list(range(4000))
        assert series.envelope_count() == 4000
