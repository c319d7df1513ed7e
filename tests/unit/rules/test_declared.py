"""Declarations stand beside measurements, stand in only where nothing can measure, and never hide a silent machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from phongmay_contract.units import GB, GIB
from phongmay_rules.explain import sentence
from phongmay_store.register.base import new_id
from phongmay_store.register.compliance import CurrentFact, Fact
from phongmay_store.register.declared import Declared
from phongmay_store.register.device import Device
from phongmay_store.register.place import Line, Room

LONG_AGO = datetime(2026, 9, 1, tzinfo=UTC)
MONDAY_10 = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def declare(house: Any, subject: str, kind: str, name: str, value: float | str, school: str = "cs") -> None:
    """Declare something as an import would."""
    text = value if isinstance(value, str) else ""
    with house.sessions() as session:
        session.add(
            Declared(
                id=new_id("dc"), school_id=school, subject_kind=kind, subject_id=subject, name=name,
                number=None if text else value, text=text, declared_by="Ban kiểm kê", attachment_sha256="ab" * 32,
                valid_from=LONG_AGO, recorded_at=LONG_AGO,
            )
        )  # fmt: skip
        session.commit()


def fact(house: Any, subject: str, name: str) -> Fact:
    """Give the current fact row."""
    with house.sessions() as session:
        row = session.scalar(
            select(Fact)
            .join(CurrentFact, CurrentFact.fact_id == Fact.id)
            .where(CurrentFact.subject_id == subject, CurrentFact.name == name)
        )
        assert row is not None
        return row


def test_a_baseline_is_judged_and_says_that_it_is_declared(house: Any) -> None:
    """A PC without an agent meets or misses the same rules, the verdict says that nobody measured it."""
    house.device("paper", "cs", "cs-room", agent_since=None)
    for name, value in (("ram", 2 * GIB), ("cpu_bits", 64), ("cpu_threads", 4), ("system_disk", 240 * GB)):
        declare(house, "paper", "device", name, value)
    declare(house, "paper", "device", "os", "windows 7")
    house.evaluate()
    states = {rule: house.state("paper", rule)[0] for rule in ("TB-01", "TB-02", "TB-03", "TB-05", "TB-07", "TB-08")}
    assert states == {
        "TB-01": "fail", "TB-02": "pass", "TB-03": "pass", "TB-05": "fail", "TB-07": "unknown", "TB-08": "unknown",
    }  # fmt: skip
    row = fact(house, "paper", "ram_marketed_bytes")
    assert (row.source, row.number, row.detail["declared_by"]) == ("declared", 2 * GIB, "Ban kiểm kê")
    verdict = house.verdict("paper", "TB-03")
    rule = house.pack.rules["TB-03"]
    assert "(theo khai báo, không đo)" in sentence(verdict, rule, "vi")
    assert "(declared, not measured)" in sentence(verdict, rule, "en")


def test_a_declared_pc_never_works_by_declaration(house: Any) -> None:
    """The number of working PCs rests on measurements: paper does not equip a room."""
    house.device("paper", "cs", "cs-room", agent_since=None)
    house.revise(Room, "cs-room", LONG_AGO, class_size=8)
    for name, value in (("ram", 8 * GIB), ("cpu_bits", 64), ("cpu_threads", 4), ("system_disk", 240 * GB)):
        declare(house, "paper", "device", name, value)
    house.evaluate()
    assert house.state("cs-room", "PH-01") == ("unknown", "undecided")
    assert house.state("cs-room", "PH-02")[0] == "pass"


@pytest.mark.parametrize(("declared", "disagrees"), [(8, False), (16, True)])
def test_measured_wins_and_disagreement_is_recorded(house: Any, declared: int, disagrees: bool) -> None:
    """Where both are known the measurement is judged, and the row tells whether the paper agrees."""
    house.evaluate()
    assert "declared" not in fact(house, "cs-0", "ram_marketed_bytes").detail
    declare(house, "cs-0", "device", "ram", declared * GIB)
    house.evaluate(at=MONDAY_10 + timedelta(minutes=1))
    row = fact(house, "cs-0", "ram_marketed_bytes")
    assert (row.number, row.source) == (8 * GIB, "measured")
    assert (row.detail["declared"], row.detail["disagrees"]) == (declared * GIB, disagrees)


def test_a_declaration_does_not_hide_a_machine_that_never_spoke(house: Any) -> None:
    """An agent that is expected and silent leaves the fact missing: the paper is shown, not judged."""
    house.device("mute", "cs", "cs-room")
    declare(house, "mute", "device", "ram", 8 * GIB)
    house.evaluate()
    assert house.state("mute", "TB-01") == ("unknown", "no_data")
    assert fact(house, "mute", "ram_marketed_bytes").detail["declared"] == 8 * GIB


def test_the_record_of_a_device_counts_what_is_missing(house: Any) -> None:
    """A digital record is complete when room, serial number and year are there, whoever measured what."""
    declare(house, "cs-0", "device", "serial_number", "SN-1")
    house.evaluate()
    assert fact(house, "cs-0", "record_fields_missing").detail == {"missing": ["purchase_year"]}
    declare(house, "cs-0", "device", "purchase_year", 2021)
    house.evaluate(at=MONDAY_10 + timedelta(minutes=1))
    assert house.state("cs-0", "TB-11") == ("pass", "met")
    assert house.state("cs-1", "TB-11") == ("fail", "above")
    assert house.state("quan", "QU-04")[0] == "fail"


def test_area_is_judged_per_pupil_and_by_the_circular_of_the_day(house: Any) -> None:
    """TT 14/2020 asks 1.5 m2 a pupil until 1 September 2025; its successor takes over the next day."""
    house.revise(Room, "th-room", LONG_AGO, class_size=40)
    declare(house, "th-room", "room", "area", 55, "th")
    house.evaluate()
    assert house.state("th-room", "PH-06b") == ("fail", "below")
    assert house.state("cs-room", "PH-06b") == ("not_applicable", "not_this_level")
    with pytest.raises(AssertionError, match="no verdict of PH-06 "):
        house.verdict("th-room", "PH-06")


def test_pupils_lines_and_laboratories(house: Any) -> None:
    """School facts from declarations and lines; what was not declared is unknown, an untold line may be fibre."""
    declare(house, "cs", "school", "students", 48)
    declare(house, "cs", "school", "modern_labs", 0)
    for school, medium in (("cs", ""), ("th", "fibre")):
        with house.sessions() as session:
            session.add(
                Line(
                    id=new_id("line"), school_id=school, name="1", isp="A", medium=medium, contracted_down_bps=None,
                    contracted_up_bps=None, valid_from=LONG_AGO, recorded_at=LONG_AGO,
                )
            )  # fmt: skip
            session.commit()
    house.evaluate()
    assert house.state("cs", "TR-02") == ("pass", "met")
    assert house.state("th", "TR-02") == ("unknown", "not_declared")
    assert house.state("cs", "TR-04")[0] == "fail"
    assert house.state("cs", "TR-05") == ("unknown", "not_declared")
    assert house.state("th", "TR-05")[0] == "pass"
    assert house.state("th", "TR-14")[0] == "fail"
    assert house.state("mn", "TR-05") == ("unknown", "not_declared")


def test_a_smart_classroom_makes_the_school_pass(house: Any) -> None:
    """Components are declared, or seen in the register; one complete room is enough."""
    house.device("tv", "cs", None, kind="display", agent_since=None)
    with house.sessions() as session:
        session.add(
            Room(
                id="smart", school_id="cs", name="Phòng thông minh", kind="smart_classroom", class_size=40,
                timetable="", valid_from=LONG_AGO, recorded_at=LONG_AGO,
            )
        )  # fmt: skip
        session.commit()
    house.evaluate()
    assert house.state("smart", "PH-08") == ("unknown", "not_declared")
    assert house.state("cs", "TR-03") == ("unknown", "undecided")
    house.revise(Device, "tv", LONG_AGO, room_id="smart")
    for name in ("teacher_computer", "internet", "audio"):
        declare(house, "smart", "room", name, 1)
    house.evaluate(at=MONDAY_10 + timedelta(minutes=1))
    assert house.state("smart", "PH-08") == ("pass", "met")
    assert house.state("cs", "TR-03") == ("pass", "met")
    assert house.state("th", "TR-03") == ("fail", "below")


def test_what_nothing_measures_is_unknown_and_never_passes(house: Any) -> None:
    """Without concurrent tests and declared reports their rules are unknown, and so are the targets above."""
    house.evaluate()
    untold = {
        ("cs-room", "PH-03"): "no_run_yet",
        ("cs", "TR-06"): "no_capacity_run",
        ("quan", "QU-05"): "not_entered",
    }
    for (subject, rule), reason in untold.items():
        assert house.state(subject, rule) == ("unknown", reason)
    assert house.state("quan", "QU-02") == ("unknown", "undecided")
