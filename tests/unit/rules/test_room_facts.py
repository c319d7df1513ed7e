"""Facts of rooms, schools and declarations to the last field: values, reasons, sources and what stands beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from phongmay_rules.facts import availability, campaigns, line
from phongmay_rules.facts.catalogue import FACTS, Found, Source, missing
from phongmay_rules.facts.declared import origin, side_by_side, stated, with_declared
from phongmay_rules.facts.rooms import room_facts, school_facts
from phongmay_rules.facts.snapshot import Snapshot, take
from phongmay_rules.facts.support import shipped_table
from phongmay_rules.places import Declaration, DevicePlace, LinePlace, RoomPlace, SchoolPlace
from phongmay_rules.reasons import Reason
from phongmay_store.register.compliance import SubjectKind
from phongmay_store.series.interface import EnvelopeId, Minutes, Presence, Reach, Row, TimeBasis
from phongmay_store.series.strips import PLACES

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC).timestamp()
SINCE = datetime(2026, 9, 1, 0, 0, 0, 123456, tzinfo=UTC).timestamp()
ORIGIN = {"declared_by": "Ban kiểm kê", "declared_since": "2026-09-01T00:00:00+00:00"}
ROOM = RoomPlace("r1", "th", "computer_room", 40, "", "room:r1:1")


def declared(value: float | str, row: str = "dc:1", attachment: str = "") -> Declaration:
    """Make a declaration."""
    return Declaration(value, SINCE, "Ban kiểm kê", attachment, row)


def device(name: str, kind: str = "pc", state: str = "in_service", room: str | None = "r1") -> DevicePlace:
    """Make a device."""
    return DevicePlace(name, "th", room, kind, state, AT, False, "", f"dv:{name}")


def by_name(facts: list[Found]) -> dict[str, Found]:
    """Give facts by name; none stands there twice."""
    assert len({found.name for found in facts}) == len(facts)
    return {found.name: found for found in facts}


def test_who_declared_it_since_when_and_on_what() -> None:
    """The origin names the office, the second and, only where there is one, the attachment."""
    assert origin(declared(1)) == ORIGIN
    assert origin(declared(1, attachment="ab")) == ORIGIN | {"attachment_sha256": "ab"}
    assert stated("area_m2", None, AT) == missing("area_m2", Reason.NOT_DECLARED, AT)
    assert stated("area_m2", declared(50, "dc:9"), AT) == Found(
        "area_m2", 50, AT, None, ("dc:9",), ORIGIN, Source.DECLARED
    )


def test_measured_and_declared_lie_side_by_side() -> None:
    """The measurement is the value; a declaration takes its place only where no agent can measure."""
    measured = Found("cpu_threads", 4, AT - 5, None, ("d/r/1",), {"cpu": "x"})
    assert side_by_side(measured, None, AT) is measured
    assert side_by_side(measured, declared(4), AT) == replace(
        measured, detail={"cpu": "x", "declared": 4, **ORIGIN, "disagrees": False}
    )
    assert side_by_side(measured, declared(2), AT).detail["disagrees"] is True
    silent = missing("cpu_threads", Reason.NO_DATA, AT - 5)
    beside = side_by_side(silent, declared(2), AT)
    assert (beside.value, beside.missing, beside.detail) == (None, Reason.NO_DATA, {"declared": 2, **ORIGIN})
    paper = missing("cpu_threads", Reason.NO_AGENT, AT - 5)
    assert side_by_side(paper, declared(2), AT) == stated("cpu_threads", declared(2), AT)
    assert side_by_side(paper, None, AT) is paper


TWINS = {
    "ram_marketed_bytes": ("ram", 8.0), "cpu_threads": ("cpu_threads", 4.0), "cpu_bits": ("cpu_bits", 64.0),
    "system_disk_marketed_bytes": ("system_disk", 2.4e11), "link_speed_bps": ("link_speed", 1e9),
}  # fmt: skip


def test_what_a_device_without_an_agent_declares() -> None:
    """Every measured fact has its declared twin and takes no other's; the rest stays as it is."""
    measured = [missing(name, Reason.NO_AGENT, AT) for name in (*TWINS, "internet_reach_ratio")]
    papers = {twin: declared(value, f"dc:{twin}") for twin, value in TWINS.values()}
    facts = by_name(with_declared(device("a"), measured, papers, shipped_table(), AT))
    for name, (twin, value) in TWINS.items():
        assert facts[name] == stated(name, declared(value, f"dc:{twin}"), AT)
    assert facts["internet_reach_ratio"].missing is Reason.NO_AGENT
    assert facts["screen_width_px"] == missing("screen_width_px", Reason.NOT_DECLARED, AT)
    screens = {"screen_width": declared(1280.0), "screen_height": declared(720.0)}
    facts = by_name(with_declared(device("a"), [], screens, shipped_table(), AT))
    assert (facts["screen_width_px"].value, facts["screen_height_px"].value) == (1280.0, 720.0)


@pytest.mark.parametrize(
    ("room", "papers", "absent"),
    [
        ("r1", (), ["serial_number", "purchase_year"]),
        ("r1", ("purchase_year",), ["serial_number"]),
        (None, ("serial_number",), ["room", "purchase_year"]),
        (None, ("serial_number", "purchase_year"), ["room"]),
        ("r1", ("serial_number", "purchase_year"), []),
    ],
)
def test_the_record_names_what_is_missing(room: str | None, papers: tuple[str, ...], absent: list[str]) -> None:
    """Room, serial number and year; the sources are the register's row and the declarations that are there."""
    place = device("a", room=room)
    declarations = {name: declared("x", f"dc:{name}") for name in papers}
    found = by_name(with_declared(place, [], declarations, shipped_table(), AT))["record_fields_missing"]
    order = [name for name in ("serial_number", "purchase_year") if name in papers]
    sources = ("dv:a", *(f"dc:{name}" for name in order))
    assert found == Found("record_fields_missing", len(absent), AT, None, sources, {"missing": absent})


def test_a_declared_system_is_looked_up_and_compared_by_name() -> None:
    """Without an agent the declared system has its own days of support; else the names are compared, letters aside."""
    name = "os_support_days_left"
    paper = by_name(
        with_declared(
            device("a"), [missing(name, Reason.NO_AGENT, AT)], {"os": declared("windows 7", "dc:os")}, shipped_table(),
            AT,
        )
    )[name]  # fmt: skip
    assert paper.value is not None
    assert float(paper.value) < -1000
    assert (paper.source, paper.sources, paper.at) == (Source.DECLARED, ("dc:os",), AT)
    assert paper.detail.items() >= ORIGIN.items()
    assert paper.detail["os_id"] == "windows"
    assert paper.detail["os_version"] == "7"
    assert paper.detail["os_name"] == "windows 7", "editions are told apart by the whole of what was declared"
    gap = missing(name, Reason.NO_AGENT, AT)
    long = by_name(with_declared(device("a"), [gap], {"os": declared("debian 12 bookworm")}, shipped_table(), AT))[name]
    assert (long.detail["os_id"], long.detail["os_version"]) == ("debian", "12 bookworm")
    seen = Found(name, 300, AT, None, ("d/r/1",), {"os_id": "Windows", "os_version": "11-24H2"})
    for said, disagrees in (("windows 11-24h2", False), ("windows 10-22H2", True)):
        found = by_name(with_declared(device("a"), [seen], {"os": declared(said)}, shipped_table(), AT))[name]
        assert found.detail == {**seen.detail, "declared": said, **ORIGIN, "disagrees": disagrees}
        assert (found.value, found.sources) == (300, ("d/r/1",))
    half = replace(seen, detail={"os_id": "debian"})
    found = by_name(with_declared(device("a"), [half], {"os": declared("debian ")}, shipped_table(), AT))[name]
    assert found.detail["disagrees"] is False
    silent = missing(name, Reason.NO_DATA, AT)
    found = by_name(with_declared(device("a"), [silent], {"os": declared("windows 7")}, shipped_table(), AT))[name]
    assert (found.missing, found.detail) == (Reason.NO_DATA, {"declared": "windows 7", **ORIGIN})
    assert by_name(with_declared(device("a"), [seen], {}, shipped_table(), AT))[name] == seen


def test_an_empty_room() -> None:
    """Nothing declared, nothing registered: everything is missing for that reason, what nobody measures too."""
    facts = by_name(room_facts(replace(ROOM, class_size=None), [], {}, {}, AT))
    every = {name for name, kind in FACTS.items() if kind.subject is SubjectKind.ROOM}
    assert set(facts) == every - {*availability.ROOM, *campaigns.ROOM}, "those come from minutes and runs"
    for name, found in facts.items():
        reason = Reason.NOT_DECLARED if FACTS[name].measurable else Reason.NOT_MEASURED_YET
        assert (found.value, found.missing, found.at) == (None, reason, AT)
        assert found.sources == (("room:r1:1",) if name in ("class_size", "area_per_student_m2") else ())


def test_a_declared_room() -> None:
    """Every component from its own declaration; the area for each pupil rests on both rows."""
    names = {"area": 60.0, "display": 1, "teacher_computer": 0, "internet": 1, "audio": 0, "camera": 1,
             "signal_equipment": 1}  # fmt: skip
    papers = {name: declared(value, f"dc:{name}") for name, value in names.items()}
    facts = by_name(room_facts(ROOM, [], {}, papers, AT))
    assert facts["class_size"] == Found("class_size", 40, AT, None, ("room:r1:1",))
    assert facts["area_per_student_m2"] == Found(
        "area_per_student_m2", 1.5, AT, None, ("dc:area", "room:r1:1"), {"area_m2": 60.0, "class_size": 40}
    )
    twins = {
        "area_m2": "area", "has_display": "display", "has_teacher_pc": "teacher_computer", "has_internet": "internet",
        "has_audio": "audio", "has_camera": "camera", "has_signal_equipment": "signal_equipment",
    }  # fmt: skip
    for name, twin in twins.items():
        assert facts[name] == stated(name, papers[twin], AT)
    for half in (room_facts(replace(ROOM, class_size=0), [], {}, papers, AT), room_facts(ROOM, [], {}, {}, AT)):
        found = by_name(half)["area_per_student_m2"]
        assert found == missing("area_per_student_m2", Reason.NOT_DECLARED, AT, sources=("room:r1:1",))


@pytest.mark.parametrize("share", ["1.5", "1.85"])
def test_exactly_the_area_that_a_class_needs_is_enough(share: str) -> None:
    """People declare decimals: 66.6 m2 for 36 pupils are 1.85 m2 for each, in no binary digit less."""
    for pupils in range(1, 61):
        papers = {"area": declared(float(Decimal(share) * pupils))}
        facts = by_name(room_facts(replace(ROOM, class_size=pupils), [], {}, papers, AT))
        assert facts["area_per_student_m2"].value == float(share), pupils
        papers = {"area": declared(float(Decimal(share) * pupils - Decimal("0.01")))}
        short = by_name(room_facts(replace(ROOM, class_size=pupils), [], {}, papers, AT))["area_per_student_m2"].value
        assert isinstance(short, float)
        assert short < float(share), pupils


def test_what_is_registered_goes_before_what_is_declared() -> None:
    """A display and a teacher's PC in service are there, whatever was declared; one in repair is not."""
    there = [device("d", "display"), device("t", "teacher_pc"), device("p")]
    papers = {"display": declared(0), "teacher_computer": declared(1)}
    facts = by_name(room_facts(ROOM, there, {}, papers, AT))
    assert (facts["has_display"].value, facts["has_display"].sources) == (1, ("dv:d",))
    assert facts["has_display"].detail["disagrees"] is True
    assert (facts["has_teacher_pc"].value, facts["has_teacher_pc"].sources) == (1, ("dv:t",))
    assert facts["has_teacher_pc"].detail["disagrees"] is False
    assert (facts["has_display"].at, facts["has_display"].missing) == (AT, None)
    assert (facts["has_teacher_pc"].at, facts["has_teacher_pc"].missing) == (AT, None)
    broken = [replace(place, state="in_repair") for place in there]
    facts = by_name(room_facts(ROOM, broken, {}, {}, AT))
    assert facts["has_display"].missing is facts["has_teacher_pc"].missing is Reason.NOT_DECLARED


def test_the_internet_of_a_room_is_measured_by_any_machine() -> None:
    """One machine that reached it is enough; three are named; machines of other rooms and zeros are no proof."""
    pcs = [device(f"p{number}") for number in range(5)]
    reach = {
        f"p{number}": Found("internet_reach_ratio", ratio, AT, None, (f"p{number}/a", f"p{number}/b"))
        for number, ratio in enumerate((0.0, 0.5, 1.0, 0.9, 0.8))
    }
    found = by_name(room_facts(ROOM, pcs, reach, {"internet": declared(0)}, AT))["has_internet"]
    assert (found.value, found.at, found.missing) == (1, AT, None)
    assert found.sources == ("p1/a", "p1/b", "p2/a", "p2/b", "p3/a", "p3/b")
    assert found.detail == {"declared": 0, **ORIGIN, "disagrees": True}
    assert found.source is Source.MEASURED, "nobody declared this value"
    none = by_name(room_facts(ROOM, [device("q")], reach, {"internet": declared(1, "dc:i")}, AT))
    assert none["has_internet"] == stated("has_internet", declared(1, "dc:i"), AT)


@pytest.mark.parametrize(("said", "disagrees"), [(1, True), (0, False)])
def test_a_declared_internet_that_no_machine_reached_is_said_so(said: int, disagrees: bool) -> None:
    """A line that was away for a day takes no component from a room, but declared and measured stand side by side."""
    reach = {name: Found("internet_reach_ratio", 0.0, AT, None, (f"{name}/a",)) for name in ("p0", "p1", "x")}
    reach["q"] = missing("internet_reach_ratio", Reason.NO_DATA, AT)
    broken = replace(device("x"), state="in_repair")
    papers = {"internet": declared(said, "dc:i")}
    found = by_name(room_facts(ROOM, [device("p0"), device("p1"), device("q"), broken], reach, papers, AT))
    plain = stated("has_internet", papers["internet"], AT)
    assert found["has_internet"] == replace(
        plain,
        sources=("dc:i", "p0/a", "p1/a"),
        detail={**plain.detail, "declared": said, "disagrees": disagrees, "reached": 0, "tried": 2},
    )
    alone = by_name(room_facts(ROOM, [broken, device("q")], reach, papers, AT))["has_internet"]
    assert alone == plain, "nothing in service was measured"
    silent = by_name(room_facts(ROOM, [device("p0")], reach, {}, AT))["has_internet"]
    assert silent.missing is Reason.NOT_DECLARED


def school(**content: Any) -> SchoolPlace:
    """Make a school."""
    return SchoolPlace("th", "Trường", "tieu_hoc", **content)


def test_an_empty_school() -> None:
    """No room is a number, no line is not: lines that nobody declared may be there."""
    facts = by_name(school_facts(school(), {}, AT))
    assert set(facts) == {name for name, kind in FACTS.items() if kind.subject is SubjectKind.SCHOOL} - {
        *campaigns.SCHOOL, *line.NAMES, "report_days_before_20",
    }  # fmt: skip
    assert facts.pop("computer_rooms") == Found("computer_rooms", 0, AT, None, ())
    for name, found in facts.items():
        reason = Reason.NOT_DECLARED if FACTS[name].measurable else Reason.NOT_MEASURED_YET
        assert (found.value, found.missing, found.at, found.sources) == (None, reason, AT, ())


def test_rooms_and_pupils_of_a_school() -> None:
    """Computer rooms only; pupils for each pupils' PC, and none without a PC."""
    rooms = [ROOM, replace(ROOM, id="r2", row="room:r2:1"), replace(ROOM, id="r3", kind="smart_classroom")]
    pcs = [device("a"), device("b"), device("t", "teacher_pc")]
    papers = {"students": declared(50.0, "dc:s"), "modern_labs": declared(2, "dc:m")}
    facts = by_name(school_facts(school(rooms=rooms, devices=pcs), papers, AT))
    assert facts["computer_rooms"] == Found("computer_rooms", 2, AT, None, ("room:r1:1", "room:r2:1"))
    assert facts["students"] == stated("students", papers["students"], AT)
    assert facts["modern_labs"] == stated("modern_labs", papers["modern_labs"], AT)
    assert facts["students_per_pc"] == Found("students_per_pc", 25.0, AT, None, ("dc:s",), {"students": 50.0, "pcs": 2})
    few = by_name(school_facts(school(devices=pcs[2:]), papers, AT))["students_per_pc"]
    assert few == missing("students_per_pc", Reason.NO_MEMBERS, AT, sources=("dc:s",))


@pytest.mark.parametrize(
    ("rooms", "equipped", "share"),
    [(20.0, 5.0, 0.25), (1, 1, 1.0), (0, 0, None), (None, 1, None), (1, None, None), ("x", 1, None)],
)
def test_equipped_classrooms(rooms: Any, equipped: Any, share: float | None) -> None:
    """A share of those that are there; of none or of words there is no share."""
    names = {"classrooms": rooms, "classrooms_equipped": equipped}
    papers = {name: declared(value, f"dc:{name}") for name, value in names.items() if value is not None}
    found = by_name(school_facts(school(), papers, AT))["equipped_classrooms_ratio"]
    if share is None:
        assert found == missing("equipped_classrooms_ratio", Reason.NOT_DECLARED, AT)
    else:
        sources = ("dc:classrooms", "dc:classrooms_equipped")
        assert found == Found("equipped_classrooms_ratio", share, AT, None, sources)


def test_more_equipped_classrooms_than_classrooms_prove_nothing() -> None:
    """Declarations that contradict each other give no value, let alone a pass."""
    papers = {"classrooms": declared(4, "dc:1"), "classrooms_equipped": declared(5, "dc:2")}
    found = by_name(school_facts(school(), papers, AT))["equipped_classrooms_ratio"]
    assert found == missing(
        "equipped_classrooms_ratio", Reason.CONTRADICTORY, AT, sources=("dc:1", "dc:2"), classrooms=4, equipped=5
    )


@pytest.mark.parametrize(
    ("lines", "fibre", "isps"),
    [
        ([("A", "fibre")], 1, 1),
        ([("A", "fibre"), ("a", "fibre")], 2, 1),
        ([("A", "fibre"), ("B", "")], 1, 2),
        ([("A", "copper")], 0, 1),
        ([("A", "copper"), ("B", "")], None, 2),
        ([("", "fibre")], 1, None),
        ([("A", "fibre"), ("", "copper")], 1, None),
        ([], None, None),
    ],
)
def test_lines(lines: list[tuple[str, str]], fibre: int | None, isps: int | None) -> None:
    """What is known for certain counts; where an untold line could change the number it is not known."""
    places = [LinePlace(isp, medium, f"line:{number}") for number, (isp, medium) in enumerate(lines)]
    facts = by_name(school_facts(school(lines=places), {}, AT))
    rows = tuple(line.row for line in places)
    for name, count in (("fibre_lines", fibre), ("distinct_isps", isps)):
        if count is None:
            assert facts[name] == missing(name, Reason.NOT_DECLARED, AT, sources=rows)
        else:
            assert facts[name] == Found(name, count, AT, None, rows)


class Shelf:
    """A series store that notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    def latest(self, measurement: str, devices: Collection[str]) -> Iterator[Row]:
        """Give two rows of the first device and one of the second."""
        self.asked.append((measurement, tuple(devices)))
        for name, number in (("a", 1), ("b", 2), ("a", 3)):
            yield Row(name, measurement, AT, TimeBasis.LIVE, {"number": number}, EnvelopeId(name, "r", number))

    def minutes(self, start: float, end: float, devices: Collection[str]) -> Iterator[Minutes]:
        """Give two hours of one device and one of another."""
        self.asked.append((start, end, tuple(devices)))
        for name, hour in (("a", 0), ("b", 0), ("a", 3600)):
            yield Minutes(name, hour, 1, 1, 0)

    def presence(self, devices: Collection[str]) -> Iterator[Presence]:
        """Give the presence of each."""
        self.asked.append(("presence", tuple(devices)))
        return (Presence(name, "online", "s", "r", 0.0, 1.0, "1") for name in devices)


def numbers(rows: Mapping[str, Any]) -> dict[str, Any]:
    """Give the numbers that rows of the shelf carry."""
    return {
        name: [row.values["number"] for row in row] if isinstance(row, list) else row.values["number"]
        for name, row in rows.items()
    }


def test_a_snapshot_reads_everything_once() -> None:
    """Several disks and links of a device stand together, of all else the last row stands; nothing is asked twice."""
    shelf: Any = Shelf()
    taken = take(shelf, ["a", "b"], 10.0, 20.0)
    for rows, kind in ((taken.disks, "disk"), (taken.links, "link")):
        assert numbers(rows) == {"a": [1, 3], "b": [2]}
        assert {row.part for found in rows.values() for row in found} == {kind}
    for one, kind in ((taken.hardware, "hardware"), (taken.agents, "agent"), (taken.usage, "usage")):
        assert numbers(one) == {"a": 3, "b": 2}
        assert {row.part for row in one.values()} == {kind}
    assert taken.reach == {"a": Reach(0, 1 << PLACES | 1, 0), "b": Reach(0, 1, 0)}
    assert {name: found.device for name, found in taken.presence.items()} == {"a": "a", "b": "b"}
    assert len(shelf.asked) == len(set(shelf.asked)) == 7
    assert (10.0, 20.0, ("a", "b")) in shelf.asked
    assert all(asked[-1] == ("a", "b") for asked in shelf.asked)


def test_a_snapshot_of_nothing_asks_nothing() -> None:
    """Without devices no store is read, without a period no minutes."""
    shelf: Any = Shelf()
    assert take(shelf, [], 10.0, 20.0) == Snapshot({}, {}, {}, {}, {}, {}, {})
    assert shelf.asked == []
    assert take(shelf, ["a"], 20.0, 20.0).reach == {}
    assert len(shelf.asked) == 6
