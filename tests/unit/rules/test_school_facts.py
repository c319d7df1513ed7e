"""All facts of schools at once: which functions give what for a device, whose data they see, and what hours are cut to.

The series store is a shelf in memory, so that each test says exactly which rows there are. Long
because the facts of every domain meet here on one shelf.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from phongmay_rules.facts import availability, campaigns, hardware, line, network, presence, reports
from phongmay_rules.facts.availability import Tally
from phongmay_rules.facts.catalogue import BY_AGENT, FACTS, Found, missing
from phongmay_rules.facts.declared import origin, stated
from phongmay_rules.facts.rooms import room_facts, school_facts
from phongmay_rules.facts.schools import FactMaker, unit_facts
from phongmay_rules.facts.support import shipped_table
from phongmay_rules.places import Declaration, DevicePlace, RoomPlace, SchoolPlace, UnitPlace
from phongmay_rules.reasons import Reason
from phongmay_store.register.calendar import CalendarKind, DayHours
from phongmay_store.register.calendar_hours import Calendar, Period
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.register.timetable import parse
from phongmay_store.series.interface import EnvelopeId, Minutes, Presence, Row, Strips, TimeBasis
from phongmay_store.series.strips import strip
from tests.unit.rules.campaign_runs import FLOOR, LINES, PCS, ROOM, capacity, run
from tests.unit.rules.reached import reach_of

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC).timestamp()
"""A Monday, 10:00 in Ho Chi Minh City."""
TIMETABLE = "Mon-Fri 07:00-11:30"
DAY = 86400.0


def row(device: str, part: str = "", **values: Any) -> Row:
    """Make a row of the series."""
    return Row(device, part, AT - 60, TimeBasis.LIVE, values, EnvelopeId(device, "r", 1))


@dataclass
class Shelf:
    """A series store in memory."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    heard: dict[str, Presence] = field(default_factory=dict)
    hours: list[Minutes] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    asked_months: list[list[str]] = field(default_factory=list)

    def latest(self, measurement: str, devices: Collection[str]) -> Iterator[Row]:
        """Give the rows of a measurement."""
        return (found for found in self.rows.get(measurement, []) if found.device in devices)

    def minutes(self, start: float, end: float, devices: Collection[str]) -> Iterator[Minutes]:
        """Give the hours, and note what was asked."""
        self.asked.append((start, end, sorted(devices)))
        return (found for found in self.hours if found.device in devices)

    def seen(self, start: float, end: float, devices: Collection[str]) -> dict[str, int]:
        """Give the minutes with a round, and note what was asked."""
        self.asked_months.append(sorted(devices))
        hours = {name: {m.hour: m.seen for m in self.hours if m.device == name} for name in devices}
        return {name: strip(masks, start, end) for name, masks in hours.items()}

    def strips(self, start: float, end: float, devices: Collection[str]) -> dict[str, Strips]:
        """Give the minutes with a round or a try."""
        return {
            name: Strips(seen, *(
                strip({m.hour: m[part] for m in self.hours if m.device == name}, start, end) for part in (3, 4)
            ))
            for name, seen in self.seen(start, end, devices).items()
        }  # fmt: skip

    def listening(self, start: float, end: float) -> dict[int, int]:
        """A collector could hear all the time."""
        return dict.fromkeys(range(int(start), int(end), 3600), 2**60 - 1)

    def presence(self, devices: Collection[str]) -> Iterator[Presence]:
        """Give who was heard."""
        return (found for name, found in self.heard.items() if name in devices)


def pc(name: str, **changes: Any) -> DevicePlace:
    """Make a PC whose agent is expected since a month."""
    place = DevicePlace(name, "th", "r1", "pc", "in_service", AT - 30 * DAY, False, TIMETABLE, f"dv:{name}")
    return replace(place, **changes)


def full(*names: str) -> Shelf:
    """Make a shelf on which machines have told everything."""
    start = int(AT) - 3 * 3600
    return Shelf(
        {
            "hardware": [
                row(name, memory_bytes=8 * 2**30, cpu_threads=4, cpu_bits=64, os_id="debian", os_version="12")
                for name in names
            ],
            "disk": [row(name, "sda", size_bytes=240 * 10**9, is_system=True) for name in names],
            "usage": [row(name, system_volume_bytes=2 * 10**11, system_volume_free_bytes=10**11) for name in names],
            "link": [
                row(name, "eth0", speed_bps=10**9, is_up=True, is_default_route=True, medium="wired") for name in names
            ],
            "agent": [row(name, interval_s=30.0) for name in names],
        },
        {name: Presence(name, "online", "s", "r", AT - DAY, AT - 3600, "1") for name in names},
        [Minutes(name, start + 3600 * hour, 2**60 - 1, 2**60 - 1, 0) for name in names for hour in range(3)],
    )


def make(shelf: Shelf, *devices: DevicePlace, **content: Any) -> dict[tuple[str, str], list[Found]]:
    """Make the facts of one school."""
    series: Any = shelf
    return FactMaker(AT).make([SchoolPlace("th", "Trường", "tieu_hoc", devices=list(devices), **content)], series)


def by_name(facts: list[Found]) -> dict[str, Found]:
    """Give facts by name; none stands there twice."""
    assert len({found.name for found in facts}) == len(facts)
    return {found.name: found for found in facts}


EVERY = {name for name, kind in FACTS.items() if kind.subject is SubjectKind.DEVICE}


def test_a_device_has_every_fact_from_its_own_data() -> None:
    """Each function sees the rows of this device, the timetable of its room and the interval of its agent."""
    shelf, place = full("a", "b"), pc("a")
    facts = by_name(make(shelf, place)["device", "a"])
    assert set(facts) == EVERY
    hours = parse(TIMETABLE)
    wanted = [
        *hardware.hardware_facts(shelf.rows["hardware"][0], AT, shipped_table()),
        *hardware.disk_facts([shelf.rows["disk"][0]], AT),
        *hardware.free_space_facts(shelf.rows["usage"][0], AT),
        *network.link_facts([shelf.rows["link"][0]], AT),
        *network.reach_facts(reach_of(shelf.hours[:3]), network.last_day(hours, AT), AT - 30 * DAY, AT),
        *presence.presence_facts(shelf.heard["a"], hours, AT - 30 * DAY, 30.0, AT),
    ]
    for found in wanted:
        assert facts[found.name] == found
        assert found.value is not None
    assert facts["silent_expected_s"].value == 3584  # an hour, rounded down
    assert facts["internet_reach_ratio"].value == 1
    count = Tally(facts["availability_30d_ratio"].detail["from"], availability.window(AT)[1], 20 * 270, 20 * 270, 0)
    for found in availability.found(availability.DEVICE, count, (), AT):
        assert facts[found.name] == found
    assert facts["works_7d"] == Found("works_7d", 1, AT, None, ("dv:a",))
    assert shelf.asked == [(AT - 3 * DAY, AT, ["a"])]


def test_a_device_of_which_nothing_was_heard() -> None:
    """All facts are there, without values; only its silence and its record are known."""
    facts = by_name(make(Shelf(), pc("a"))["device", "a"])
    assert set(facts) == EVERY
    assert {found.at for found in facts.values()} == {AT}
    known = {name for name, found in facts.items() if found.value is not None}
    assert known >= {"heard", "silent_expected_s", "reported_7d", "works_7d", "record_fields_missing"}
    assert (facts["heard"].value, facts["works_7d"].value, facts["reported_7d"].value) == (0, 0, 0)
    assert facts["silent_expected_s"].detail == {"expected_since": AT - 30 * DAY}


def test_silence_is_counted_in_rounds_of_the_devices_own_agent() -> None:
    """100 seconds are three rounds of 30 s, and fewer than two of the 60 s that stand in for an agent unknown."""
    shelf = full("a")
    shelf.heard["a"] = shelf.heard["a"]._replace(last_seen=AT - 100)
    assert by_name(make(shelf, pc("a"))["device", "a"])["silent_expected_s"].value == 90
    shelf.rows["agent"] = []
    assert by_name(make(shelf, pc("a"))["device", "a"])["silent_expected_s"].value == 0


@pytest.mark.parametrize(
    ("state", "last_seen", "works"),
    [("in_service", AT - DAY, 1), ("in_repair", AT - DAY, 0), ("in_service", AT - 8 * DAY, 0)],
)
def test_what_works(state: str, last_seen: float, works: int) -> None:
    """In service and heard within a week."""
    shelf = full("a")
    shelf.heard["a"] = shelf.heard["a"]._replace(last_seen=last_seen)
    assert by_name(make(shelf, pc("a", state=state))["device", "a"])["works_7d"].value == works


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"agent_since": None}, Reason.NO_AGENT),
        ({"in_conflict": True}, Reason.IDENTITY_CONFLICT),
        ({"agent_since": None, "in_conflict": True}, Reason.NO_AGENT),
    ],
)
def test_nothing_is_measured_without_an_agent_or_under_a_shared_identity(change: Any, reason: Reason) -> None:
    """Whatever lies in the store: every measured fact is missing for this reason, and nobody asks for its rows."""
    shelf = full("a")
    facts = by_name(make(shelf, pc("a", **change))["device", "a"])
    assert set(facts) == EVERY
    for name in BY_AGENT:
        assert facts[name] == missing(name, reason, AT, sources=("dv:a",))
    assert set(availability.DEVICE) <= set(BY_AGENT)
    assert shelf.asked == shelf.asked_months == []


def test_a_timetable_that_cannot_be_read_leaves_silence_and_reach_unknown() -> None:
    """The hardware is known all the same, and that it reported; one broken room does not hurt another."""
    shelf = full("a", "b")
    made = make(shelf, pc("a", timetable="whenever"), pc("b"))
    facts = by_name(made["device", "a"])
    assert set(facts) == EVERY
    hours = ("internet_reach_ratio", "internet_known_s", "internet_coverage_ratio", "heard", "silent_expected_s")
    for name in (*hours, *availability.DEVICE):
        assert facts[name] == missing(name, Reason.BAD_TIMETABLE, AT, sources=("dv:a",))
    assert facts["reported_7d"] == Found("reported_7d", 1, AT)
    assert facts["works_7d"] == Found("works_7d", 1, AT, None, ("dv:a",))
    assert facts["cpu_threads"].value == 4
    assert by_name(made["device", "b"])["internet_reach_ratio"].value == 1
    silent = by_name(make(Shelf(), pc("a", timetable="whenever"))["device", "a"])
    assert (silent["reported_7d"].value, silent["works_7d"].value) == (0, 0)
    shelf.heard["a"] = shelf.heard["a"]._replace(last_seen=AT - 8 * DAY)
    assert by_name(make(shelf, pc("a", timetable="whenever"))["device", "a"])["reported_7d"].value == 0


class Expired:
    """A calendar that has run out."""

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        return self is other

    def cut(self, hours: Any) -> Any:
        """Give hours that say so."""
        return type("Over", (), {
            "expired": lambda _, at: "terms until 2026-05-31",
            "intervals": lambda _, start, end: [],
        })()  # fmt: skip


def test_a_calendar_that_ran_out_leaves_silence_and_reach_unknown() -> None:
    """The reason is another one than that of a bad timetable, and says what has run out."""
    facts = by_name(make(full("a"), pc("a"), calendar=Expired())["device", "a"])
    assert facts["heard"] == missing(
        "heard", Reason.CALENDAR_EXPIRED, AT, sources=("dv:a",), expired="terms until 2026-05-31"
    )
    assert facts["availability_30d_ratio"].missing is Reason.CALENDAR_EXPIRED
    assert facts["reported_7d"].value == 1


def test_a_room_without_certain_hours_says_why() -> None:
    """A calendar that ran out, a timetable that cannot be read and a room without an agent are three reasons."""
    room = RoomPlace("r1", "th", "computer_room", 40, TIMETABLE, "room:r1")
    cases: list[tuple[dict[str, Any], Reason, dict[str, str]]] = [
        ({"calendar": Expired(), "rooms": [room]}, Reason.CALENDAR_EXPIRED, {"expired": "terms until 2026-05-31"}),
        ({"rooms": [replace(room, timetable="whenever")]}, Reason.BAD_TIMETABLE, {}),
        ({"rooms": [replace(room, id="r2")]}, Reason.NO_AGENT, {}),
    ]
    for content, reason, detail in cases:
        made = make(full("a"), pc("a"), **content)["room", content["rooms"][0].id]
        found = [fact for fact in made if fact.name in availability.ROOM]
        assert found == [missing(name, reason, AT, sources=("room:r1",), **detail) for name in availability.ROOM]


def test_each_machine_is_there_by_its_own_interval() -> None:
    """A round vouches until the machine's own next one is due, not until that of another machine."""
    shelf = full("a", "b")
    shelf.rows["agent"] = [row("a", interval_s=300.0), row("b", interval_s=60.0)]
    friday = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp())
    shelf.hours = [Minutes(name, friday, sum(1 << n for n in range(0, 60, 5)), 0, 0) for name in ("a", "b")]
    made = make(shelf, pc("a"), pc("b"))
    up = [by_name(made["device", name])["availability_30d_ratio"].detail["minutes_up"] for name in ("a", "b")]
    assert up == [61, 24]


def test_availability_names_the_entries_of_its_own_days() -> None:
    """Entries of the first and the last of the 30 days are named as sources, none of the days around them."""
    first = date(2026, 10, 24)
    days = [first + timedelta(days=n) for n in (-1, 0, 29, 30)]
    calendar = Calendar(Period(CalendarKind.HOLIDAY, day, day, DayHours(), "nghỉ", 0, f"entry/{day}") for day in days)
    room = RoomPlace("r1", "th", "computer_room", 40, TIMETABLE, "room:r1")
    made = make(full("a"), pc("a", agent_since=AT - 60 * DAY), calendar=calendar, rooms=[room])
    for subject, name in ((("device", "a"), availability.DEVICE[0]), (("room", "r1"), availability.ROOM[0])):
        assert by_name(made[subject])[name].sources[1:] == ("entry/2026-10-24", "entry/2026-11-22")


def test_the_period_that_is_read_spans_all_rooms() -> None:
    """From the earliest beginning to the latest end of any room's last day, and for devices with agents only."""
    shelf = full("a", "b", "c")
    make(shelf, pc("a"), pc("b", timetable="Mon-Fri 07:00-09:00"), pc("c", agent_since=None))
    assert shelf.asked == [(AT - 3600 - 3 * DAY, AT, ["a", "b"])]
    nobody = full("a")
    make(nobody, pc("a", timetable="whenever"))
    assert nobody.asked == nobody.asked_months == []


def test_rooms_and_the_school_get_their_own_devices_and_declarations() -> None:
    """A room sees what stands in it and its own paper; so does the school; a device's paper is its own."""

    def paper(value: float, name: str) -> Declaration:
        return Declaration(value, AT - DAY, "Ban kiểm kê", "", f"dc:{name}")

    rooms = [RoomPlace(name, "th", "computer_room", 40, TIMETABLE, f"room:{name}") for name in ("r1", "r2", "r3")]
    declared = {
        ("school", "th"): {"students": paper(90, "s")},
        ("room", "r2"): {"area": paper(50, "a"), "internet": paper(0, "i")},
        ("device", "b"): {"cpu_threads": paper(2, "c"), "screen_width": paper(1280, "w")},
    }
    shelf = full("a", "b")
    devices = (pc("a"), pc("b", agent_since=None, room_id="r2"), pc("c", room_id=None), pc("t", kind="teacher_pc"))
    made = make(shelf, *devices, rooms=rooms, declared=declared)
    assert set(made) == {
        ("school", "th"), *(("room", room.id) for room in rooms), *(("device", place.id) for place in devices),
    }  # fmt: skip
    school = SchoolPlace("th", "Trường", "tieu_hoc", rooms=rooms, devices=list(devices))
    of_school = [found for found in made["school", "th"] if found.name not in (*campaigns.SCHOOL, *line.NAMES)]
    assert of_school == [
        *school_facts(school, declared["school", "th"], AT), reports.of_school(declared["school", "th"], AT),
    ]  # fmt: skip
    reach = {"a": by_name(made["device", "a"])["internet_reach_ratio"]}
    assert reach["a"].value == 1

    def declared_of(room: str) -> list[Found]:
        return [found for found in made["room", room] if found.name not in (*availability.ROOM, *campaigns.ROOM)]

    assert declared_of("r1") == room_facts(rooms[0], [devices[0], devices[3]], reach, {}, AT)
    assert by_name(made["room", "r1"])["room_availability_30d_coverage_ratio"].value == 1, "its teacher's PC"
    assert by_name(made["room", "r2"])["room_availability_30d_ratio"] == missing(
        "room_availability_30d_ratio", Reason.NO_AGENT, AT, sources=("room:r2",)
    )
    assert by_name(made["room", "r1"])["has_internet"].value == 1
    assert declared_of("r2") == room_facts(rooms[1], [devices[1]], {}, declared["room", "r2"], AT)
    assert by_name(made["room", "r2"])["has_internet"].value == 0
    assert declared_of("r3") == room_facts(rooms[2], [], {}, {}, AT)
    told = by_name(made["device", "b"])
    assert told["cpu_threads"] == stated("cpu_threads", declared["device", "b"]["cpu_threads"], AT)
    assert told["screen_width_px"].value == 1280
    assert by_name(made["device", "a"])["screen_width_px"].value is None
    assert origin(declared["device", "b"]["cpu_threads"]).items() <= told["cpu_threads"].detail.items()


def test_some_devices_get_the_very_facts_that_all_of_them_get() -> None:
    """Looking at what changed gives what looking at everything gives, about these devices only, and reads no others."""
    declared = {("device", "b"): {"screen_width": Declaration(1280, AT, "x", "", "dc:w")}}
    devices = [pc("a"), pc("b"), pc("c", agent_since=None), pc("d", timetable="Mon-Fri 07:00-09:00")]
    school = SchoolPlace("th", "Trường", "tieu_hoc", devices=devices, declared=declared)
    shelf = full("a", "b", "c", "d")
    series: Any = shelf
    everything = FactMaker(AT).make([school], series)
    some = FactMaker(AT).devices(school, {"b", "c", "elsewhere"}, series)
    assert some == {key: everything[key] for key in (("device", "b"), ("device", "c"))}
    assert by_name(some["device", "b"])["screen_width_px"].value == 1280
    assert shelf.asked[1] == (AT - 3 * DAY, AT, ["b"])
    assert shelf.asked_months == [["a", "b", "d"], ["b"]]
    assert FactMaker(AT).devices(school, set(), series) == {}


def test_the_table_that_is_given_is_the_one_that_is_used() -> None:
    """An evaluation may bring its own table of support dates; without one the shipped one serves."""
    gone = replace(shipped_table(), valid_until=date(2020, 1, 1))
    school = SchoolPlace("th", "Trường", "tieu_hoc", devices=[pc("a"), pc("b", agent_since=None)])
    school.declared = {("device", "b"): {"os": Declaration("windows 7", AT, "x", "", "dc:1")}}
    series: Any = full("a")
    made = FactMaker(AT, gone).make([school], series)
    some = FactMaker(AT, gone).devices(school, {"a", "b"}, series)
    for name in ("a", "b"):
        for facts in (made, some):
            assert by_name(facts["device", name])["os_support_days_left"].missing is Reason.TABLE_EXPIRED


def test_facts_of_a_unit() -> None:
    """A unit above schools has its own report, as it declared it."""
    quan = UnitPlace("quan", "Quận", "district", ())
    assert unit_facts(quan, AT) == [reports.of_unit({}, AT)]
    paper = {"quarterly_report_q3": Declaration("2026-09-20", AT, "Văn thư", "", "dc:1")}
    (found,) = unit_facts(replace(quan, declared=paper), AT)
    assert (found.name, found.value, found.sources) == ("report_days_before_25", 5, ("dc:1",))


def test_each_school_is_tested_against_its_own_floor() -> None:
    """A run at 1 Mbit/s shows nothing of the 2 that the school's rules demand; of a school without runs nobody asks."""
    asked = []

    def floor_of(school: str) -> float:
        asked.append(school)
        return {"th": 2 * FLOOR}[school]

    runs = (run(2), capacity(1, 90e6, 40e6))
    paper = {("school", "th"): {"students": Declaration(500, AT - DAY, "Ban kiểm kê", "", "dc:s")}}
    tested = SchoolPlace("th", "Trường", "tieu_hoc", rooms=[ROOM], devices=PCS, lines=LINES, runs=runs, declared=paper)
    series: Any = Shelf()
    made = FactMaker(AT, floor_of=floor_of).make([tested, SchoolPlace("cs", "Trường", "thcs", rooms=[])], series)
    assert asked == ["th"]
    of_school, of_room = by_name(made["school", "th"]), by_name(made["room", ROOM.id])
    assert of_school["download_per_pc_bps"].missing is Reason.FLOOR_RAISED
    assert of_room["concurrent_pass_ratio"].missing is Reason.FLOOR_RAISED
    assert of_room["concurrent_p10_bps"].missing is Reason.FLOOR_RAISED
    assert of_school["download_per_student_bps"].value == 90e6 / 500
    assert by_name(made["school", "cs"])["download_per_pc_bps"].missing is Reason.NO_RUN_YET


@pytest.mark.parametrize("over", [False, True], ids=["calendar in force", "calendar run out"])
def test_a_machine_that_was_heard_before_the_holidays_works(over: bool) -> None:
    """Silent for a fortnight of which the school was open for a day: it reported within a week of use and works."""
    closed = Period(CalendarKind.HOLIDAY, date(2026, 11, 9), date(2026, 11, 20), DayHours(), "Tết", 0, "entry/1")
    calendar = Calendar([closed], ("public holidays", date(2026, 11, 20) if over else date(2026, 12, 31)))
    shelf = full("a")
    shelf.heard["a"] = shelf.heard["a"]._replace(last_seen=AT - 17 * DAY)
    facts = by_name(make(shelf, pc("a"), calendar=calendar)["device", "a"])
    assert facts["silent_expected_s"].missing is (Reason.CALENDAR_EXPIRED if over else None)
    assert (facts["reported_7d"].value, facts["works_7d"].value) == (1, 1)
    shelf.heard["a"] = shelf.heard["a"]._replace(last_seen=AT - 30 * DAY)
    facts = by_name(make(shelf, pc("a"), calendar=calendar)["device", "a"])
    assert (facts["reported_7d"].value, facts["works_7d"].value) == (0, 0)
