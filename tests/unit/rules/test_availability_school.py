"""Availability of a school: which machines are counted, who speaks for a room, and how long counts hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from phongmay_contract.envelope import Envelope, Instant
from phongmay_contract.topics import Kind
from phongmay_rules.facts import availability
from phongmay_rules.facts.availability import Book, Tally, month
from phongmay_rules.places import DevicePlace, RoomPlace, SchoolPlace
from phongmay_store.register.calendar_hours import Calendar
from phongmay_store.register.timetable import ALWAYS, parse
from phongmay_store.series import open_writer
from phongmay_store.series.interface import Arrival, TimeBasis
from phongmay_store.settings import StoreSettings

NOW = datetime.fromisoformat("2026-11-26T10:00:00+07:00")
"""A Thursday; the window has four Mondays."""
LESSONS = "Mon 07:00-09:00"
WINDOW = availability.window(NOW.timestamp())
HEARD = {int(WINDOW[0]) + 3600 * n: (1 << 60) - 1 for n in range(720)}


def lesson(weeks_ago: int) -> datetime:
    """Give when a lesson began."""
    return NOW.replace(hour=7) - timedelta(days=3 + 7 * weeks_ago)


PC = DevicePlace("a", "th", "r", "pc", "in_service", lesson(2).timestamp(), False, LESSONS, "device:1")
ROOM = RoomPlace("r", "th", "computer_room", 40, LESSONS, "room:1")


def test_devices_and_their_room_are_counted(tmp_path: Path) -> None:
    """A machine from when its own agent came, by its own interval; a room from the first agent, by any machine."""
    series = open_writer(StoreSettings(series_path=tmp_path / "series.db"))
    begin = lesson(0).timestamp()
    rounds = [("a", begin + 60 * n) for n in range(10, 40)] + [("b", begin + 3600 + 60 * n) for n in range(0, 60, 5)]
    envelopes = [
        Envelope(Kind.ROUND, name, "ab" * 8, number, Instant(at, at), "1", ())
        for number, (name, at) in enumerate(rounds)
    ]
    series.write([Arrival(one, one.measured.wall, TimeBasis.LIVE, one.measured.wall) for one in envelopes])
    devices = [
        PC,
        replace(PC, id="b", agent_since=lesson(1).timestamp()),
        replace(PC, id="dumb", agent_since=None),
        replace(PC, id="twice", in_conflict=True),
        replace(PC, id="unreadable", timetable="Monday"),
    ]
    rooms = [ROOM, replace(ROOM, id="unreadable", timetable="Monday"), replace(ROOM, id="empty")]
    whole = month(Calendar().cut(parse(LESSONS)), HEARD, NOW.timestamp())
    counts = availability.count(
        devices, rooms, lambda ids: series.seen(*WINDOW, ids), {LESSONS: whole}.get,
        {"a": 60.0, "b": 300.0}.__getitem__, NOW.timestamp(),
    )  # fmt: skip
    series.close()
    first, second = lesson(2).timestamp(), lesson(1).timestamp()
    assert counts == {
        ("device", "a"): Tally(first, WINDOW[1], 360, 360, 31),
        ("device", "b"): Tally(second, WINDOW[1], 240, 240, 60),
        ("room", "r"): Tally(first, WINDOW[1], 360, 360, 91),
    }


def test_a_machine_that_was_never_there_was_not_there_at_midnight_either(tmp_path: Path) -> None:
    """Of a machine without a single round no minute is up, the first one of the window included; nor of its room."""
    series = open_writer(StoreSettings(series_path=tmp_path / "series.db"))
    always = replace(PC, timetable="always", agent_since=WINDOW[0])
    whole = month(ALWAYS, HEARD, NOW.timestamp())
    room = replace(ROOM, timetable="always")
    counts = availability.count(
        [always], [room], lambda ids: series.seen(*WINDOW, ids), lambda _: whole, lambda _: 60.0, NOW.timestamp()
    )
    series.close()
    assert whole.known & 1, "the first minute is in use, and somebody could hear"
    assert {subject: (found.up, found.known) for subject, found in counts.items()} == {
        ("device", "a"): (0, 30 * 1440), ("room", "r"): (0, 30 * 1440),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "leads"),
    [
        ({}, True),
        ({"kind": "teacher_pc"}, True),
        ({"kind": "display"}, False),
        ({"room_id": "other"}, False),
        ({"room_id": None}, False),
        ({"state": "in_repair"}, False),
        ({"agent_since": None}, False),
        ({"in_conflict": True}, False),
    ],
)
def test_who_speaks_for_a_room(change: dict[str, Any], leads: bool) -> None:
    """Only a PC in service that stands there and can be heard; where the teacher's is such a one, no other."""
    one = replace(PC, **change)
    assert availability.leading(ROOM, [one]) == ([one] if leads else [])
    teacher = replace(one, kind="teacher_pc" if one.kind == "pc" else one.kind)
    assert availability.leading(ROOM, [PC, teacher]) == ([teacher] if leads else [PC])


def test_counts_hold_for_half_of_the_time_to_all_of_it() -> None:
    """Schools are counted anew at different moments, none later than said, and none for an instant before."""
    book, at = Book(3600.0), NOW.timestamp()
    counts = {("device", "a"): Tally(0.0, 1.0, 1, 1, 1)}
    holds = []
    for school in (SchoolPlace(f"s{number}", "Trường", "") for number in range(60)):
        assert book.read(school, at) is None
        book.write(school, at, counts)
        assert book.read(school, at) == counts
        assert book.read(school, at - 0.5) is None
        holds.append(max(after for after in range(0, 4000, 20) if book.read(school, at + after) is not None))
    assert 1780 <= min(holds) <= 1900
    assert 3500 <= max(holds) < 3600
