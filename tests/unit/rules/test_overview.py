"""How things stand now: what cannot be told is unknown, off is not silent, nothing counts twice."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from phongmay_contract.envelope import Envelope, Group, Instant
from phongmay_contract.errors import OperatorError
from phongmay_contract.topics import Kind
from phongmay_rules.overview import Condition, DeviceOverview, Lessons, Overview, in_order, overview
from phongmay_store.register.device import Device, DeviceKind, DeviceState, IdentityConflict
from phongmay_store.register.engine import open_register
from phongmay_store.register.organisation import Unit, UnitKind
from phongmay_store.register.place import Room
from phongmay_store.series import open_writer
from phongmay_store.series.interface import Arrival, Presence, SeriesWriter, TimeBasis
from phongmay_store.settings import StoreSettings

pytestmark = pytest.mark.one_register
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
"""A Monday, 10:00 in Ho Chi Minh City: in the middle of the lessons."""
EVENING = NOW + timedelta(hours=10)
LONG_AGO = NOW - timedelta(days=60)
TIMETABLE = "Mon-Fri 07:00-11:30 13:00-16:30"


class Place:
    """A district with a school, a room, and what a test puts there."""

    def __init__(self, engine: Engine, series: SeriesWriter) -> None:
        self.engine, self.series = engine, series
        with Session(engine) as session:
            session.add(Unit(id="d", kind=UnitKind.DISTRICT, name="Quận", valid_from=LONG_AGO))
            for school in ("a", "b"):
                session.add(Unit(id=school, parent_id="d", kind=UnitKind.SCHOOL, name=f"Trường {school}",
                                 level="thcs", valid_from=LONG_AGO))  # fmt: skip
            session.add(Room(id="r", school_id="a", name="P. Tin 1", kind="computer_room", timetable=TIMETABLE,
                             valid_from=LONG_AGO))  # fmt: skip
            session.commit()

    def add(
        self, device: str, *, agent: bool = True, state: DeviceState = DeviceState.IN_SERVICE, room: str = "r"
    ) -> None:
        """Put a PC into the room."""
        with Session(self.engine) as session:
            session.add(Device(id=device, school_id="a", room_id=room or None, code=f"ma-{device}", kind=DeviceKind.PC,
                               state=state, agent_since=LONG_AGO if agent else None, valid_from=LONG_AGO))  # fmt: skip
            session.commit()

    def hear(
        self,
        device: str,
        at: datetime,
        state: str = "online",
        basis: TimeBasis = TimeBasis.LIVE,
        interval: float = 60.0,
    ) -> None:
        """Let a round of a device arrive, and its presence."""
        when = at.timestamp()
        body = (Group("agent", {"interval_s": interval, "spool_envelopes": 3}),
                Group("usage", {"system_volume_bytes": 1000, "system_volume_free_bytes": 250}))  # fmt: skip
        envelope = Envelope(Kind.ROUND, device, "ab" * 8, int(when), Instant(when, 1.0), "t", body)
        presence = Presence(device, state, "cd" * 8, "ab" * 8, when, when, "t")
        self.series.write([Arrival(envelope, when, basis, when)], presence=[presence])

    def listen(self, start: datetime, end: datetime) -> None:
        """Let a collector hear in all minutes of a time."""
        count = int((end - start).total_seconds() // 60)
        self.series.listened(start.timestamp() + 60 * minute for minute in range(count))

    def look(self, at: datetime = NOW, unit: str | None = None) -> Overview:
        """Look at everything."""
        with Session(self.engine) as session:
            return overview(session, self.series, unit, at=at)

    def one(self, at: datetime = NOW) -> DeviceOverview:
        """Look at the only device."""
        (found,) = in_order(self.look(at))
        return found


@pytest.fixture
def place(register_url: str, tmp_path: Path) -> Iterator[Place]:
    """An empty school in which a collector has been hearing all day."""
    engine = open_register(register_url)
    with closing(open_writer(StoreSettings(series_path=tmp_path / "series.db"))) as series:
        made = Place(engine, series)
        made.listen(NOW - timedelta(hours=6), EVENING + timedelta(minutes=1))
        yield made
    engine.dispose()


def test_who_spoke_just_now_is_online(place: Place) -> None:
    """Connected and heard: online, with its newest values."""
    place.add("pc")
    place.hear("pc", NOW - timedelta(seconds=30))
    found = place.one()
    assert (found.condition, found.silent_s, found.label) == (Condition.ONLINE, 0.0, "ma-pc")
    assert (found.disk_free_ratio, found.spool_envelopes, found.clock_doubtful) == (0.25, 3, False)


@pytest.mark.parametrize("state", ["goodbye", "lost", "online"])
def test_who_is_missing_in_a_lesson_is_silent(place: Place, state: str) -> None:
    """Three missed rounds in time in use, however the session ended; a session that says nothing is no presence."""
    place.add("pc")
    place.hear("pc", NOW - timedelta(minutes=20), state)
    assert place.one().condition is Condition.SILENT
    assert place.one().silent_s == 20 * 60


def test_who_was_switched_off_after_class_is_off(place: Place) -> None:
    """The evening after a good day is no fault; four hours of missed lessons still are."""
    place.add("pc")
    place.hear("pc", NOW + timedelta(hours=6, minutes=20), "goodbye")
    assert place.one(EVENING).condition is Condition.OFF
    place.add("other")
    place.hear("other", NOW - timedelta(hours=1), "lost")
    found = {device.id: device for device in in_order(place.look(EVENING))}
    assert found["other"].condition is Condition.SILENT
    assert found["other"].silent_s == (2.5 + 3.5) * 3600


def test_when_no_collector_hears_nobody_is_known(place: Place) -> None:
    """A dead collector makes all unknown: neither the last online nor a silence is believed."""
    place.add("pc")
    place.add("quiet")
    later = EVENING + timedelta(hours=13)
    place.hear("pc", later - timedelta(seconds=20))
    found = place.look(later)
    assert {device.condition for device in in_order(found)} == {Condition.UNKNOWN}
    assert found.heard_minutes == 0


def test_what_is_registered_decides_before_what_is_heard(place: Place) -> None:
    """In repair, without an agent, never heard, and with two holders of one identity: each has its word."""
    place.add("repaired", state=DeviceState.IN_REPAIR)
    place.add("declared", agent=False)
    place.add("never")
    place.add("cloned")
    place.add("gone", state=DeviceState.RETIRED)
    place.hear("cloned", NOW - timedelta(seconds=5))
    with Session(place.engine) as session:
        session.add(IdentityConflict(device_id="cloned", opened_at=NOW, detail="x"))
        session.commit()
    found = {device.id: device.condition for device in in_order(place.look())}
    assert found == {
        "repaired": Condition.IN_REPAIR, "declared": Condition.NO_AGENT, "never": Condition.NEVER,
        "cloned": Condition.UNKNOWN,
    }  # fmt: skip


def test_a_time_that_is_not_known_is_doubtful(place: Place) -> None:
    """A round that was timed by the device's own clock marks it; without a round nothing is said."""
    place.add("pc")
    assert place.one().clock_doubtful is None
    place.hear("pc", NOW - timedelta(seconds=30), basis=TimeBasis.WALL)
    assert place.one().clock_doubtful is True


def test_minutes_count_only_in_lessons_and_where_a_collector_heard(place: Place) -> None:
    """Expected since 07:00, up to two minutes ago; known where heard; seen from a round until the next is due."""
    place.add("pc")
    for ago in (10, 9, 8, 7, 250):  # the last one lies before the first lesson
        place.hear("pc", NOW - timedelta(minutes=ago))
    assert place.one().today == Lessons(178, 178, 5)
    assert place.look().schools[0].sums.today == Lessons(178, 178, 5)


def test_a_machine_with_rounds_far_apart_is_there_in_between(place: Place) -> None:
    """One round every five minutes since 07:00 is a machine that was there all the time, not a fifth of it."""
    place.add("pc")
    for ago in range(5, 181, 5):
        place.hear("pc", NOW - timedelta(minutes=ago), interval=300.0)
    assert place.one().today == Lessons(178, 178, 178)


def test_schools_with_the_same_hours_are_one_question(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A district's boards are fed each minute: minutes are not asked for school by school, and each keeps its own."""
    with Session(place.engine) as session:
        session.add(Room(id="r2", school_id="b", name="P. Tin", kind="computer_room", timetable=TIMETABLE,
                         valid_from=LONG_AGO))  # fmt: skip
        session.add(Device(id="far", school_id="b", room_id="r2", code="ma-far", kind=DeviceKind.PC,
                           state=DeviceState.IN_SERVICE, agent_since=LONG_AGO, valid_from=LONG_AGO))  # fmt: skip
        session.commit()
    place.add("pc")
    place.hear("pc", NOW - timedelta(minutes=9))
    for ago in (9, 8):
        place.hear("far", NOW - timedelta(minutes=ago))
    asked: list[int] = []
    seen = place.series.seen

    def counted(start: float, end: float, devices: Collection[str]) -> Mapping[str, int]:
        asked.append(len(devices))
        return seen(start, end, devices)

    monkeypatch.setattr(place.series, "seen", counted)
    assert [school.sums.today for school in place.look().schools] == [Lessons(178, 178, 2), Lessons(178, 178, 3)]
    assert asked == [2]


def test_sums_hold_every_device_once(place: Place) -> None:
    """Conditions add up to the devices, of rooms to the school's; another unit's are not in it."""
    for number in range(4):
        place.add(f"pc{number}", room="r" if number else "")
    place.hear("pc1", NOW - timedelta(seconds=30))
    school, other = place.look().schools
    assert sum(school.sums.conditions.values()) == school.sums.devices == 4
    assert sum(room.sums.devices for room in school.rooms) == 4
    assert {room.id: room.sums.devices for room in school.rooms} == {"r": 3, "": 1}
    assert school.sums.waiting == 3
    assert other.sums.devices == 0
    assert [one.id for one in place.look(unit="b").schools] == ["b"]
    with pytest.raises(OperatorError, match="no unit"):
        place.look(unit="nowhere")
