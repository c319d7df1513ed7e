"""What every engine must do alike: on SQLite, and on a real InfluxDB 1.6 with its state in SQLite and in PostgreSQL.

Long because it is a list.

Times of points count by the millisecond: an engine may move a row within it, to tell apart rows of one instant.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from phongmay_contract.catalogue import MEASUREMENTS, Measurement, Type, Value
from phongmay_contract.envelope import ONLINE, Group
from phongmay_contract.topics import Kind
from phongmay_store.errors import StoreError
from phongmay_store.series import open_writer, state
from phongmay_store.series.arrivals import Arrivals
from phongmay_store.series.interface import (
    Arrival,
    DeadLetter,
    Hourly,
    Presence,
    RunOffset,
    SeriesWriter,
    TimeBasis,
)


def test_the_engine_keeps_to_the_interface(series: SeriesWriter, make: SimpleNamespace) -> None:
    """Whoever asks for a SeriesWriter may be given this engine."""
    writer: SeriesWriter = series
    assert writer.envelope_count() == 0


@pytest.mark.parametrize("measurement", MEASUREMENTS.values(), ids=lambda m: m.name)
def test_every_quantity_comes_back_with_its_type(
    series: SeriesWriter, make: SimpleNamespace, measurement: Measurement
) -> None:
    """What was measured is what is read: no quantity changes value or type on its way through the file."""
    example: dict[Type, Value] = {Type.INT: 2**40, Type.FLOAT: 0.125, Type.BOOL: True, Type.TEXT: "Bộ xử lý ½"}
    values = {quantity.name: example[quantity.type] for quantity in measurement.quantities}
    part = "x" if measurement.part_kind.value else ""
    series.write([make.arrival(1, make.HOUR, Group(measurement.name, values, part=part), kind=Kind.EVENT)])
    (row,) = series.latest(measurement.name)
    assert row.values == values
    assert {name: type(value) for name, value in row.values.items()} == {n: type(v) for n, v in values.items()}
    assert (row.device, row.part, str(row.source)) == (make.DEVICE, part, f"{make.DEVICE}/{make.RUN}/1")
    assert make.HOUR <= row.at < make.HOUR + 0.001


def test_the_same_envelope_again_changes_nothing(series: SeriesWriter, make: SimpleNamespace) -> None:
    """Identity is (sender, run, seq): seen again, nothing happens, even with other values, times and names."""
    series.write(
        [
            make.arrival(1, make.HOUR, make.usage(5), unknown=("usage.new",)),
            make.arrival(1, make.HOUR + 60, make.usage(6)),
        ]
    )
    series.write([make.arrival(1, make.HOUR + 120, make.usage(7), make.reach(True), unknown=("usage.new",))])
    assert series.envelope_count() == series.envelope_count(make.DEVICE) == 1
    assert [row.values["memory_used_bytes"] for row in series.range(make.DEVICE, "usage", 0, 2e9)] == [5]
    assert [minutes.seen for minutes in series.minutes(make.HOUR, make.HOUR + 3600)] == [1]
    assert series.unknown_names() == {"usage.new": 1}
    assert series.known([make.arrival(1, 0).id, make.arrival(2, 0).id]) == {make.arrival(1, 0).id}


def prepared(series: SeriesWriter, *arrivals: Arrival) -> Arrivals:
    """Give arrivals as the collector's reading thread does: in two lots, each prepared by the engine."""
    full = [Arrivals.of(arrivals[:2]), Arrivals.of(arrivals[2:])]
    return Arrivals.joined([series.prepare(one, partial(Arrivals.of, one)) for one in full if len(one)])


def test_what_was_prepared_is_written_as_what_was_not(
    series: SeriesWriter, empty_like: SeriesWriter, make: SimpleNamespace
) -> None:
    """Lines that were made early say the same, whatever is stored already and however often they come."""
    one, two = make.arrival(1, make.HOUR, make.usage(1), make.reach(True)), make.arrival(2, make.HOUR + 60)
    old = make.arrival(3, 1.0, make.usage(3), received=make.HOUR)
    event = make.arrival(4, make.HOUR + 7, make.usage(4), make.reach(False), kind=Kind.EVENT)
    three = make.arrival(5, make.HOUR + 120, make.reach(False), make.usage(9, subject="pc-two"))
    guessed = make.arrival(2, make.HOUR + 90, basis=TimeBasis.GUESS)
    for write in ([guessed], [one, two, old, event, three], [three, one], [two, make.arrival(6, make.HOUR + 180)]):
        empty_like.write(write)
        live = all(arrival.basis is TimeBasis.LIVE for arrival in write)
        series.write(prepared(series, *write) if live else write)
    for ask in (
        lambda of: [list(of.latest(name)) for name in ("usage", "reach")],
        lambda of: [of.range(device, "usage", 0, 2e10) for device in (make.DEVICE, "pc-two")],
        lambda of: list(of.minutes(0, 2e10)),
        lambda of: of.envelope_count(),
    ):
        assert ask(series) == ask(empty_like)
    assert series.envelope_count() == 6


def test_two_envelopes_of_one_instant_are_both_kept(series: SeriesWriter, make: SimpleNamespace) -> None:
    """A receipt promises a row: equal times (two events, two holders of one identity) must not swallow one."""
    series.write(
        [
            make.arrival(1, make.HOUR, make.usage(1)),
            make.arrival(2, make.HOUR, make.usage(2), make.usage(3)),
            make.arrival(1, make.HOUR, run="bb" * 8),
        ]
    )
    rows = series.range(make.DEVICE, "usage", make.HOUR, make.HOUR + 1)
    assert len(rows) == 4
    assert all(row.at - make.HOUR < 0.001 for row in rows)


def test_latest_is_the_newest_by_true_time_not_by_arrival(series: SeriesWriter, make: SimpleNamespace) -> None:
    """A day's backlog that arrives late never hides the living value."""
    series.write([make.arrival(9, make.HOUR + 600, make.usage(9))])
    series.write(
        [make.arrival(1, make.HOUR, make.usage(1)), make.arrival(2, make.HOUR + 60, make.usage(2), kind=Kind.INVENTORY)]
    )
    assert [row.values["memory_used_bytes"] for row in series.latest("usage")] == [9]


def test_a_guessed_time_hides_nothing_that_is_known(series: SeriesWriter, make: SimpleNamespace) -> None:
    """A row whose time is only guessed gives way to any row whose time is known, and marks no minute as seen."""
    guess = TimeBasis.GUESS
    series.write([make.arrival(1, make.HOUR + 5, make.usage(1), basis=guess)])
    assert [row.basis for row in series.latest("usage")] == [guess]
    series.write(
        [make.arrival(2, make.HOUR, make.usage(2)), make.arrival(3, make.HOUR + 9, make.usage(3), basis=guess)]
    )
    series.write([make.arrival(4, make.HOUR + 99, make.usage(4), basis=guess)])
    assert [row.values["memory_used_bytes"] for row in series.latest("usage")] == [2]
    assert [minutes.seen for minutes in series.minutes(make.HOUR, make.HOUR + 3600)] == [1]


def test_a_gateway_s_values_belong_to_the_subject(series: SeriesWriter, make: SimpleNamespace) -> None:
    """What a gateway saw of a router is the router's row, with the gateway's envelope as its source."""
    router = Group("router", {"is_up": True}, "router-1", "wan")
    series.write([make.arrival(1, make.HOUR, router, make.usage(), sender="gw-1")])
    (row,) = series.latest("router")
    assert (row.device, row.part, row.source.sender) == ("router-1", "wan", "gw-1")
    assert [minutes.device for minutes in series.minutes(make.HOUR, make.HOUR + 1)] == ["gw-1"]


def test_minute_masks_gather_over_writes(series: SeriesWriter, make: SimpleNamespace) -> None:
    """Availability counts minutes, so each minute's bit is set once, whatever the order and number of writes."""
    series.write([make.arrival(1, make.HOUR + 59 * 60 + 59, make.reach(False))])
    series.write(
        [
            make.arrival(2, make.HOUR, make.reach(True)),
            make.arrival(3, make.HOUR + 30, make.reach(False)),
            make.arrival(4, make.HOUR + 61, make.usage()),
        ]
    )
    series.write(
        [
            make.arrival(5, make.HOUR + 3600, make.reach(True, "gateway")),
            make.arrival(6, make.HOUR + 120, kind=Kind.INVENTORY),
        ]
    )
    first, second = series.minutes(make.HOUR, make.HOUR + 7200)
    assert (first.seen, first.reachable, first.unreachable) == (1 << 59 | 0b11, 0b1, 1 << 59 | 0b1)
    assert (second.hour, second.seen, second.reachable, second.unreachable) == (make.HOUR + 3600, 1, 0, 0)


def test_minutes_gives_every_hour_that_touches_the_interval(series: SeriesWriter, make: SimpleNamespace) -> None:
    """A lesson from 07:15 to 11:30 needs the hours at both ends, and not the hours beside them."""
    series.write([make.arrival(hour, make.HOUR + hour * 3600) for hour in range(5)])
    hours = [(m.hour - make.HOUR) // 3600 for m in series.minutes(make.HOUR + 3600 + 900, make.HOUR + 3 * 3600 + 1)]
    assert hours == [1, 2, 3]
    assert [(m.hour - make.HOUR) // 3600 for m in series.minutes(make.HOUR + 3600, make.HOUR + 2 * 3600)] == [1]


def test_range_pages_through_parts_without_gap_or_repeat(series: SeriesWriter, make: SimpleNamespace) -> None:
    """Pages joined give the whole; parts of one instant are not torn away at a page's edge."""
    parts = ("dns", "gateway", "internet")
    for second in range(7):
        series.write([make.arrival(second, make.HOUR + second, *(make.reach(True, part) for part in parts))])
    pages, after = [], None
    while rows := series.range(make.DEVICE, "reach", make.HOUR, make.HOUR + 6, limit=4, after=after):
        pages += [(int(row.at - make.HOUR), row.part) for row in rows]
        after = (rows[-1].at, rows[-1].part)
    assert pages == [(second, part) for second in range(6) for part in parts]
    assert [row.part for row in series.range(make.DEVICE, "reach", make.HOUR, make.HOUR + 2, part="dns")] == [
        "dns",
        "dns",
    ]


def test_intervals_without_end_are_answered(series: SeriesWriter, make: SimpleNamespace) -> None:
    """Whoever wants all gives a beginning before and an end behind everything; no engine may choke on such times."""
    series.write([make.arrival(1, make.HOUR, make.usage(7)), make.arrival(2, make.HOUR + 60, make.usage(8))])
    series.listened([make.HOUR + 30])
    for _ in range(2):
        for start, end in ((0.0, 1e11), (-1e11, 1e11), (-1e12, 1e12), (-1e15, 1e15)):
            rows = series.range(make.DEVICE, "usage", start, end)
            assert [row.values["memory_used_bytes"] for row in rows] == [7, 8]
            assert [minutes.seen for minutes in series.minutes(start, end)] == [0b11]
            assert list(series.hourly("usage", "memory_used_bytes", start, end)) == [Hourly(make.HOUR, 2, 7, 8, 7.5)]
            assert series.listening(start, end) == {make.HOUR: 1}
            assert series.newer("usage", start) == {make.DEVICE}
            assert list(series.range(make.DEVICE, "usage", end, 2 * end)) == []
            assert list(series.minutes(end, 2 * end)) == []
            assert list(series.hourly("usage", "memory_used_bytes", end, 2 * end)) == []
            assert series.newer("usage", end) == set()
        drain(series, time.time() + 300)


def test_only_the_asked_devices_are_given(series: SeriesWriter, make: SimpleNamespace) -> None:
    """The API asks for the devices of a scope; it must get these and no others, also for none."""
    series.write([make.arrival(1, make.HOUR, sender=f"pc-{number}") for number in range(4)])
    assert [row.device for row in series.latest("usage", ["pc-1", "pc-3", 'x"y'])] == ["pc-1", "pc-3"]
    assert list(series.latest("usage", [])) == []
    assert [m.device for m in series.minutes(make.HOUR, make.HOUR + 1, {"pc-2"})] == ["pc-2"]


def test_offset_of_a_run_is_never_changed(series: SeriesWriter, make: SimpleNamespace) -> None:
    """Learnt once: otherwise a repeat would land on another instant."""
    assert series.offset(make.DEVICE, make.RUN) is None
    series.settle([RunOffset(make.DEVICE, make.RUN, 1.5, TimeBasis.LIVE)])
    series.settle([RunOffset(make.DEVICE, make.RUN, 9.9, TimeBasis.WALL)])
    assert series.offset(make.DEVICE, make.RUN) == RunOffset(make.DEVICE, make.RUN, 1.5, TimeBasis.LIVE)


def test_presence_is_replaced_a_device(series: SeriesWriter, make: SimpleNamespace) -> None:
    """Each device has one presence: the newest one that the collector wrote."""
    first = Presence(make.DEVICE, ONLINE, "s1" * 8, make.RUN, make.HOUR, make.HOUR + 1, "0.1")
    series.write([], presence=[first])
    series.write([], presence=[first._replace(state="lost"), first._replace(device="pc-two")])
    assert list(series.presence()) == [first._replace(state="lost"), first._replace(device="pc-two")]
    assert [presence.device for presence in series.presence(["pc-two"])] == ["pc-two"]


def test_dead_letters_are_bounded_and_the_newest_stay(
    series: SeriesWriter, make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken device may not fill the disk; ids go on counting, so the loss of old letters shows."""
    monkeypatch.setattr(state, "KEPT_DEAD_LETTERS", 3)
    for number in range(5):
        series.write([], dead=[DeadLetter(0, f"t/{number}", "not_json", "why", b"\x00\xff{", make.HOUR)])
    letters = series.dead_letters()
    assert [(letter.id, letter.topic) for letter in letters] == [(3, "t/2"), (4, "t/3"), (5, "t/4")]
    assert letters[0].payload == b"\x00\xff{"
    assert [letter.id for letter in series.dead_letters(limit=1, after=3)] == [4]


def test_odd_names_are_counted_but_bounded(
    series: SeriesWriter, make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that invents names without end must not fill the file; what does not fit is still counted."""
    monkeypatch.setattr(state, "MAX_ODD_NAMES", 2)
    series.write([make.arrival(1, make.HOUR, unknown=("a", "b", "b", "c" * 5000, "d"))])
    series.write([make.arrival(2, make.HOUR + 1, unknown=("a", "e"))])
    assert series.unknown_names() == {"a": 2, "b": 2, "others": 3}


def test_an_unknown_measurement_is_refused_by_name(series: SeriesWriter, make: SimpleNamespace) -> None:
    """A misspelt measurement must not look like one without data."""
    with pytest.raises(StoreError, match="usgae"):
        series.range(make.DEVICE, "usgae", 0, 1)


def test_listening_is_kept_by_the_minute(series: SeriesWriter, make: SimpleNamespace) -> None:
    """Marks of several collectors add up, none is lost by being written twice, and they are no device's minutes."""
    series.listened([make.HOUR + 30, make.HOUR + 59.9, make.HOUR + 3600 + 3599])
    series.listened([make.HOUR + 60, make.HOUR + 30])
    assert series.listening(make.HOUR, make.HOUR + 7200) == {make.HOUR: 0b11, make.HOUR + 3600: 1 << 59}
    assert series.listening(make.HOUR + 10, make.HOUR + 20) == {make.HOUR: 0b11}
    assert series.listening(make.HOUR + 3600, make.HOUR + 3600) == {}
    assert series.listening(make.HOUR - 3600, make.HOUR) == {}
    assert list(series.minutes(make.HOUR, make.HOUR + 7200)) == []
    series.listened([])


def test_a_reader_sees_what_is_written_at_once(engine: Any, make: SimpleNamespace) -> None:
    """Rules and API read while the collector writes, and see what has a receipt."""
    with closing(engine.reader()) as reader:
        engine.writer.write([make.arrival(1, make.HOUR)])
        assert reader.envelope_count() == 1
        assert [row.device for row in reader.latest("usage")] == [make.DEVICE]


def test_an_offset_is_settled_before_the_rows_and_the_first_one_holds(
    series: SeriesWriter, make: SimpleNamespace
) -> None:
    """Two collectors may learn an offset of one run at once: both must time by the same one."""
    first, other = (
        RunOffset(make.DEVICE, make.RUN, 1.5, TimeBasis.LIVE),
        RunOffset("pc-two", make.RUN, 4.0, TimeBasis.LIVE),
    )
    assert series.settle([first]) == [first]
    assert series.settle([replace(first, offset=9.0), other]) == [first, other]
    assert series.settle([]) == []
    assert series.offset("pc-two", make.RUN) == other


def crash_before_commit(series: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next write die between its rows and what follows from them, as kill -9 would."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(state.State, "keep", die)


@pytest.mark.parametrize("basis", TimeBasis)
def test_a_crash_between_rows_and_receipt_doubles_nothing(
    engine: Any, make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, basis: TimeBasis
) -> None:
    """The agent sends again what has no receipt: at another time of receipt, and the rows must be the same ones."""
    writer, hour = engine.writer, make.HOUR
    groups = (make.usage(1), make.usage(2), make.reach(True))
    with monkeypatch.context() as patch:
        crash_before_commit(writer, patch)
        with pytest.raises(KeyboardInterrupt):
            writer.write([make.arrival(1, hour, *groups, basis=basis), make.arrival(2, hour, basis=basis)])
    assert writer.envelope_count() == 0
    later = hour if basis is TimeBasis.LIVE else hour + 300
    writer.write([make.arrival(2, later, basis=basis), make.arrival(1, later, *groups, basis=basis)])
    rows = writer.range(make.DEVICE, "usage", hour - 10, hour + 3600)
    assert sorted((row.source.seq, row.values["memory_used_bytes"]) for row in rows) == [(1, 1), (1, 2), (2, 5)]
    assert len(writer.range(make.DEVICE, "reach", hour - 10, hour + 3600)) == 1
    assert writer.envelope_count() == 2
    assert all(row.at < hour + 1 for row in rows)


def test_an_envelope_that_becomes_live_keeps_its_first_time(
    engine: Any, make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time was decided before the crash; an offset learnt meanwhile must not make a second row of it."""
    with monkeypatch.context() as patch:
        crash_before_commit(engine.writer, patch)
        with pytest.raises(KeyboardInterrupt):
            engine.writer.write([make.arrival(1, make.HOUR, basis=TimeBasis.WALL)])
    engine.writer.write([make.arrival(1, make.HOUR + 50)])
    (row,) = engine.writer.range(make.DEVICE, "usage", make.HOUR - 10, make.HOUR + 3600)
    assert (row.basis, row.at < make.HOUR + 1) == (TimeBasis.WALL, True)


def test_rounds_beyond_their_time_of_keeping_leave_their_minutes_only(
    series: SeriesWriter, make: SimpleNamespace
) -> None:
    """What comes after weeks is receipted and counts as availability, but no engine keeps rounds of that day."""
    now = time.time()
    old = int(now // 3600 - 24 * 20) * 3600
    series.write([make.arrival(1, old, make.usage(), Group("event", {"code": "x"}), received=now)])
    assert series.envelope_count() == 1
    assert list(series.range(make.DEVICE, "usage", old - 1, old + 1)) == []
    assert [row.values for row in series.range(make.DEVICE, "event", old - 1, old + 1)] == [{"code": "x"}]
    assert [minutes.seen for minutes in series.minutes(old, old + 1)] == [1]


def drain(series: SeriesWriter, now: float) -> int:
    """Do all housekeeping that is due; gives the number of pieces."""
    pieces = 0
    while series.maintain(now):
        pieces += 1
        assert pieces < 5000
    return pieces


def hours(series: SeriesWriter, make: SimpleNamespace, *devices: str, quantity: str = "cpu_busy_ratio") -> list[Hourly]:
    """Ask for three hours of a gauge."""
    return list(series.hourly("usage", quantity, make.HOUR, make.HOUR + 3 * 3600, devices or None))


def test_hours_are_the_same_before_and_after_the_roll_up(series: SeriesWriter, make: SimpleNamespace) -> None:
    """Whoever looks at an hour sees count, least, greatest and mean of its values, rolled up or not."""
    for number, cpu in enumerate((0.0, 0.5, 1.0)):
        series.write([make.arrival(number, make.HOUR + 60 * number, make.usage(7 + number, cpu=cpu))])
    series.write([make.arrival(1, make.HOUR + 7199, make.usage(cpu=0.125), sender="pc-two")])
    series.write([make.arrival(2, make.HOUR + 5, make.usage(cpu=0.25), sender="pc-two")])
    series.write([make.arrival(9, make.HOUR + 5, make.usage(cpu=0.9), basis=TimeBasis.GUESS)])
    expected = [Hourly(make.HOUR, 4, 0.0, 1.0, 0.4375), Hourly(make.HOUR + 3600, 1, 0.125, 0.125, 0.125)]
    assert hours(series, make) == expected
    assert drain(series, time.time() + 300) > 2
    assert hours(series, make) == expected
    assert hours(series, make, make.DEVICE) == [Hourly(make.HOUR, 3, 0.0, 1.0, 0.5)]
    assert hours(series, make, "pc-none") == []
    assert hours(series, make, quantity="memory_used_bytes")[0] == Hourly(make.HOUR, 4, 5.0, 9.0, 7.25)
    assert list(series.hourly("usage", "cpu_busy_ratio", make.HOUR, make.HOUR + 1, [])) == []


def test_a_late_round_changes_its_hour(series: SeriesWriter, make: SimpleNamespace) -> None:
    """A backlog comes after its hour was rolled up: the hour is counted again, at once and in the next roll-up."""
    series.write([make.arrival(1, make.HOUR, make.usage(cpu=0.5))])
    drain(series, time.time() + 300)
    series.write([make.arrival(2, make.HOUR + 60, make.usage(cpu=1.0))])
    assert hours(series, make) == [Hourly(make.HOUR, 2, 0.5, 1.0, 0.75)]
    drain(series, time.time() + 600)
    assert hours(series, make) == [Hourly(make.HOUR, 2, 0.5, 1.0, 0.75)]
    assert [minutes.seen for minutes in series.minutes(make.HOUR, make.HOUR + 1)] == [0b11]


def test_a_part_of_any_text_is_rolled_up_and_read_back(series: SeriesWriter, make: SimpleNamespace) -> None:
    """Names of disks and interfaces are the machine's own; no sign in them may be lost or end a line."""
    parts = ("Ổ đĩa C: = 1, 2", "a\\", "100%", '"; DROP', "x'y", "new\nline", "tab\t", "%5C", "\\,=\\ ")
    groups = [Group("reach", {"ok": True, "took_s": 0.5}, part=part) for part in parts]
    series.write([make.arrival(1, make.HOUR, *groups)])
    drain(series, time.time() + 300)
    assert sorted(row.part for row in series.latest("reach")) == sorted(parts)
    for part in parts:
        assert [row.part for row in series.range(make.DEVICE, "reach", make.HOUR, make.HOUR + 1, part=part)] == [part]
    assert list(series.hourly("reach", "took_s", make.HOUR, make.HOUR + 1)) == [
        Hourly(make.HOUR, len(parts), 0.5, 0.5, 0.5)
    ]


def test_masks_of_old_hours_stay_when_late_rounds_come(series: SeriesWriter, make: SimpleNamespace) -> None:
    """Masks may be moved to another place after days; nothing of them is lost or hidden, whenever a round comes."""
    old = make.HOUR - 4 * 86400
    series.write([make.arrival(1, old, make.reach(True))])
    drain(series, time.time() + 300)
    series.write([make.arrival(2, old + 60, make.reach(False))])
    (found,) = series.minutes(old, old + 1)
    assert (found.seen, found.reachable, found.unreachable) == (0b11, 0b1, 0b10)
    drain(series, time.time() + 700)
    assert list(series.minutes(old, old + 1)) == [found]
    assert list(series.minutes(old, old + 1, [make.DEVICE])) == [found]


def test_a_gauge_that_is_none_is_refused_by_name(series: SeriesWriter, make: SimpleNamespace) -> None:
    """A misspelt quantity, or a text, must not look like one without values."""
    for measurement, quantity in (("usage", "cpu"), ("hardware", "cpu_model"), ("traffic", "received_bytes")):
        with pytest.raises(StoreError, match=quantity):
            series.hourly(measurement, quantity, 0, 1)


def test_newer_gives_devices_by_true_time(series: SeriesWriter, make: SimpleNamespace) -> None:
    """New inventories are judged at once: those about a time after the given one, and no others."""
    hardware = Group("hardware", {"os_id": "debian"})
    series.write([make.arrival(1, make.HOUR, hardware, kind=Kind.INVENTORY, sender="pc-old")])
    series.write([make.arrival(1, make.HOUR + 60, hardware, kind=Kind.INVENTORY, sender="pc-new")])
    assert series.newer("hardware", make.HOUR + 1) == {"pc-new"}
    assert series.newer("hardware", make.HOUR + 61) == set()


def test_minutes_within_lessons_are_counted_from_all_weeks(series: SeriesWriter, make: SimpleNamespace) -> None:
    """Availability counts minutes in lessons: the same before and after masks were packed, and each minute once."""
    start = make.HOUR - 12 * 86400
    rounds = [(start + 3600 * hour + 60 * minute) for hour in range(0, 290, 7) for minute in (0, 3, 59)]
    batch = [
        make.arrival(seq, at, make.reach(seq % 3 != 0), sender=sender, received=make.HOUR)
        for sender in ("pc-one", "pc-two")
        for seq, at in enumerate(rounds)
    ]
    series.write(batch)
    wanted = {start + 3600 * hour: 0b1001 for hour in range(0, 290, 2)}
    seen = sum(wanted.get(at // 3600 * 3600, 0) >> at % 3600 // 60 & 1 for at in rounds)
    reached = sum(
        wanted.get(at // 3600 * 3600, 0) >> at % 3600 // 60 & 1 for seq, at in enumerate(rounds) if seq % 3 != 0
    )
    expected = dict.fromkeys(("pc-one", "pc-two"), (seen, reached, seen - reached))
    masks = list(series.minutes(start, make.HOUR))
    for later in (0, 300, 600):
        if later == 600:  # a late round of a minute that is known
            series.write([make.arrival(900, start + 1, make.reach(False), received=make.HOUR)])
        drain(series, time.time() + later + 300)
        assert series.minutes_within(wanted) == expected
        assert list(series.minutes(start, make.HOUR)) == masks
        strips = series.seen(start, start + 290 * 3600)
        hours = [(row.device, row.hour - start, row.seen) for row in masks]
        assert strips == {
            name: sum(seen << 64 * after // 3600 for device, after, seen in hours if device == name)
            for name in expected
        }
        assert series.seen(start + 7200, start + 9 * 3600, ["pc-two", "pc-none"]) == {
            "pc-two": strips["pc-two"] >> 128 & (1 << 64 * 7) - 1
        }
        three = series.strips(start, start + 290 * 3600, list(expected))
        assert {name: one.seen for name, one in three.items()} == strips
        for part, of in ((1, lambda row: row.reachable), (2, lambda row: row.unreachable)):
            assert {name: one[part] for name, one in three.items()} == {
                name: sum(of(row) << 64 * (row.hour - start) // 3600 for row in masks if row.device == name)
                for name in expected
            }
    assert series.minutes_within(wanted, ["pc-two"]) == {"pc-two": expected["pc-two"]}
    assert series.minutes_within({}) == {}


def test_what_somebody_else_has_stored_meanwhile_is_known(engine: Any, make: SimpleNamespace) -> None:
    """A writer remembers what it stored; `deadletters replay`, or another collector, may have stored more since."""
    with closing(open_writer(engine.settings)) as other:
        engine.writer.write([make.arrival(1, make.HOUR)])
        engine.writer.write([make.arrival(2, make.HOUR + 60)])
        other.write([make.arrival(3, make.HOUR + 120)])
        engine.writer.write([make.arrival(3, make.HOUR + 180), make.arrival(4, make.HOUR + 240)])
    rows = engine.writer.range(make.DEVICE, "usage", make.HOUR, make.HOUR + 3600)
    assert [(row.source.seq, round(row.at - make.HOUR)) for row in rows] == [(1, 0), (2, 60), (3, 120), (4, 240)]
    assert engine.writer.envelope_count() == 4


def test_after_a_write_that_failed_nothing_is_taken_for_stored(
    engine: Any, make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was remembered for a transaction that never stood must not turn away the envelope that comes again."""
    engine.writer.write([make.arrival(1, make.HOUR)])
    with monkeypatch.context() as broken:

        def fails(*_: object) -> None:
            raise StoreError("the disk is full")

        broken.setattr(engine.writer._state, "keep", fails)
        with pytest.raises(StoreError):
            engine.writer.write([make.arrival(2, make.HOUR + 60)])
    engine.writer.write([make.arrival(2, make.HOUR + 60)])
    engine.writer.write([make.arrival(2, make.HOUR + 99)])
    rows = engine.writer.range(make.DEVICE, "usage", make.HOUR, make.HOUR + 3600)
    assert [(row.source.seq, round(row.at - make.HOUR)) for row in rows] == [(1, 0), (2, 60)]
    assert engine.writer.envelope_count() == 2
