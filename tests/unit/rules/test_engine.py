"""The engine on a real register and a real series store: what it judges, what it writes, and what it leaves alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from phongmay_rules.facts.records import read_current
from phongmay_rules.history import as_of
from phongmay_rules.judging import Subject, judge
from phongmay_rules.parameters import defaults
from phongmay_rules.summary import summarise
from phongmay_simulate.district import Role
from phongmay_store.errors import StoreError
from phongmay_store.register.compliance import (
    CurrentFact,
    CurrentRun,
    CurrentVerdict,
    EvaluationRun,
    Fact,
    SubjectKind,
    Verdict,
)
from phongmay_store.register.device import Device, IdentityConflict
from phongmay_store.register.place import Room

DEVICE_RULES = ("TB-01", "TB-02", "TB-03", "TB-05", "TB-07", "TB-08", "TB-09")
MONDAY_10 = datetime.fromisoformat("2026-11-23T10:00:00+07:00")


def test_healthy_district(house: Any) -> None:
    """Where everything is fine every rule passes, bottom-up to the district's target, and a kindergarten counts out."""
    house.evaluate()
    for device in ("th-0", "cs-2"):
        assert {rule: house.state(device, rule) for rule in DEVICE_RULES} == dict.fromkeys(
            DEVICE_RULES, ("pass", "met")
        )
    for rule, subject in (
        ("PH-01", "th-room"),
        ("PH-02", "cs-room"),
        ("TR-01", "cs"),
        ("TR-15", "th"),
        ("QU-01", "quan"),
    ):
        assert house.state(subject, rule) == ("pass", "met"), rule
    assert house.state("mn", "TR-01") == ("not_applicable", "not_this_level")
    assert house.verdict("quan", "QU-01").measured["total"] == 2


@pytest.mark.parametrize(
    ("role", "rule", "expected"),
    [
        (Role.SHARED_GRAPHICS, "TB-01", ("pass", "met")),
        (Role.LOW_MEMORY, "TB-01", ("fail", "below")),
        (Role.OLD_PROCESSOR, "TB-02", ("fail", "not_listed")),
        (Role.SMALL_DISK, "TB-03", ("fail", "below")),
        (Role.OLD_SYSTEM, "TB-05", ("fail", "below")),
        (Role.SLOW_LINK, "TB-07", ("fail", "below")),
        (Role.UNKNOWN_LINK, "TB-07", ("unknown", "speed_not_told")),
        (Role.NO_INTERNET, "TB-08", ("fail", "below")),
    ],
)
def test_one_fault_one_verdict(house: Any, role: Role, rule: str, expected: tuple[str, str]) -> None:
    """A machine that differs in one thing differs in the one verdict about it."""
    house.device("odd", "cs", "cs-room")
    house.speak("odd", role)
    house.evaluate()
    states = {name: house.state("odd", name) for name in DEVICE_RULES}
    assert states == dict.fromkeys(DEVICE_RULES, ("pass", "met")) | {rule: expected}


def test_evidence_leads_to_the_envelope(house: Any) -> None:
    """A verdict names the fact row, and the fact row the envelope that it came in."""
    house.evaluate()
    verdict = house.verdict("th-0", "TB-01")
    item = verdict.evidence[0]
    assert item["sources"] == [f"th-0/{'ab' * 8}/0"]
    assert verdict.required["number_from"] == "district_setting"
    with house.sessions() as session:
        fact = session.get(Fact, item["fact_id"])
        assert (fact.name, fact.number, fact.sources) == ("ram_marketed_bytes", item["value"], item["sources"])


def test_nothing_changed_writes_nothing(house: Any) -> None:
    """The same state evaluated again writes a run row a unit, but no fact and no verdict."""
    first = house.evaluate()
    assert first.changed > 0
    second = house.evaluate(MONDAY_10 + timedelta(seconds=60))
    assert (second.facts, second.changed) == (0, 0)
    with house.sessions() as session:
        runs = session.scalar(select(func.count()).select_from(EvaluationRun))
        newest = session.scalar(select(func.max(EvaluationRun.id)).where(EvaluationRun.unit_id == "cs"))
        current = session.get_one(CurrentRun, "cs")
    assert runs == 2 * len(second.units)
    assert (current.run_id, current.confirmed_at) == (newest, MONDAY_10 + timedelta(seconds=60))


def test_silence(house: Any) -> None:
    """A PC that falls silent in class fails after 15 minutes of class, and the room with it."""
    house.evaluate()
    house.speak("cs-0", at=MONDAY_10 + timedelta(minutes=16), minutes=1)
    house.evaluate(MONDAY_10 + timedelta(minutes=16))
    assert house.state("cs-0", "TB-09") == ("pass", "met")
    assert house.state("cs-1", "TB-09") == ("fail", "silent")
    assert house.state("cs-room", "PH-01") == ("fail", "below")
    assert house.state("quan", "QU-01") == ("fail", "below")


def test_switched_off_after_class(house: Any) -> None:
    """Heard until the end of class and off since: four hours later and all weekend it is not silent."""
    end = MONDAY_10.replace(hour=16, minute=30)
    house.speak("th-0", at=end, minutes=200)
    for later in (timedelta(hours=4), timedelta(hours=14)):
        house.evaluate(end + later)
        assert house.state("th-0", "TB-09") == ("pass", "met")
        assert house.state("th-0", "TB-08") == ("pass", "met")


def test_never_heard(house: Any) -> None:
    """A registered agent that was never heard is unknown at first and fails when its time is over."""
    house.device("new", "cs", "cs-room", agent_since=MONDAY_10)
    house.evaluate(MONDAY_10 + timedelta(minutes=10))
    assert house.state("new", "TB-09") == ("unknown", "not_heard_yet")
    house.evaluate(MONDAY_10 + timedelta(minutes=16))
    assert house.state("new", "TB-09") == ("fail", "never_heard")
    assert [house.state("new", rule)[0] for rule in DEVICE_RULES[:-1]] == ["unknown"] * 6


def test_identity_conflict(house: Any) -> None:
    """While two machines use one identity nothing is known of the device, and rooms that it could tip are unknown."""
    with house.sessions() as session:
        session.add(IdentityConflict(device_id="cs-0", detail="two runs", opened_at=MONDAY_10))
        session.commit()
    house.evaluate()
    assert {house.state("cs-0", rule) for rule in DEVICE_RULES} == {("unknown", "identity_conflict")}
    assert house.state("cs-room", "PH-02") == ("unknown", "undecided")
    assert house.state("cs", "TR-15") == ("unknown", "undecided")
    assert house.state("quan", "QU-01") == ("unknown", "undecided")


def test_no_agent_is_declared_only(house: Any) -> None:
    """A PC without an agent is never counted as working, and never as broken."""
    house.unit("moi", "school", "quan", "thcs")
    house.room("moi-room", "moi")
    for number in range(2):
        house.device(f"moi-{number}", "moi", "moi-room", agent_since=None)
    house.evaluate()
    assert house.state("moi-0", "TB-09") == ("not_applicable", "no_agent")
    assert house.state("moi-0", "TB-01") == ("unknown", "no_agent")
    assert house.state("moi-room", "PH-01") == ("unknown", "undecided")
    assert house.verdict("moi-room", "PH-01").measured["declared_only"] == 2


def test_in_repair(house: Any) -> None:
    """A PC in repair is not silent and not offline, but it does not work either."""
    house.revise(Device, "cs-0", MONDAY_10 - timedelta(hours=1), state="in_repair")
    house.revise(Room, "cs-room", MONDAY_10 - timedelta(hours=1), class_size=6)
    house.evaluate()
    assert house.state("cs-0", "TB-09") == ("not_applicable", "in_repair")
    assert house.state("cs-0", "TB-08") == ("not_applicable", "in_repair")
    assert house.state("cs-room", "PH-01") == ("fail", "below")
    assert house.verdict("cs-room", "PH-01").measured["in_repair"] == 1
    assert house.state("cs-room", "PH-02") == ("pass", "met")


def test_gone(house: Any) -> None:
    """A retired device has no verdict any more, and a look at the time after shows none either."""
    house.evaluate()
    later = MONDAY_10 + timedelta(minutes=1)
    house.revise(Device, "cs-0", later, state="retired")
    result = house.evaluate(later)
    assert result.changed >= len(DEVICE_RULES)
    with house.sessions() as session:
        pointers = select(func.count()).select_from(CurrentVerdict).where(CurrentVerdict.subject_id == "cs-0")
        assert session.scalar(pointers) == 0
        assert not [past for past in as_of(session, "cs", later).verdicts if past.row.subject_id == "cs-0"]
        assert [past for past in as_of(session, "cs", MONDAY_10).verdicts if past.row.subject_id == "cs-0"]
    assert house.verdict("cs-room", "PH-02").measured["total"] == 2


def test_moved(house: Any) -> None:
    """A device that moves to another school is judged there, and there only."""
    house.evaluate()
    later = MONDAY_10 + timedelta(minutes=1)
    house.revise(Device, "cs-0", later, school_id="th", room_id="th-room")
    house.evaluate(later)
    with house.sessions() as session:
        for table in (CurrentVerdict, CurrentFact):
            assert set(session.scalars(select(table.unit_id).where(table.subject_id == "cs-0"))) == {"th"}
        assert not [past for past in as_of(session, "cs", later).verdicts if past.row.subject_id == "cs-0"]
    assert house.verdict("th-room", "PH-02").measured["total"] == 4


def test_district_setting(house: Any) -> None:
    """What the nearest unit set last is in force; a value out of bounds judges nothing."""

    house.set_parameter("quan", "ram_min", 16 * 1024**3)
    house.set_parameter("phuong", "ram_min", 2 * 1024**3)
    house.evaluate()
    assert house.state("cs-0", "TB-01") == ("fail", "below")
    assert house.verdict("cs-0", "TB-01").required["set_by"] == "quan"
    assert house.state("th-0", "TB-01") == ("pass", "met")
    house.set_parameter("quan", "ram_min", 1)
    house.evaluate(MONDAY_10 + timedelta(minutes=1))
    assert house.state("cs-0", "TB-01") == ("error", "bad_parameter")
    assert house.state("cs-room", "PH-02")[0] == "unknown"


def test_as_of(house: Any) -> None:
    """The past answers with the verdict that stood then; where no run vouches for it, with unknown."""
    house.evaluate()
    later = MONDAY_10 + timedelta(minutes=30)
    house.speak("cs-0", Role.LOW_MEMORY, at=later, minutes=1)
    house.evaluate(later)
    assert house.state("cs-0", "TB-01")[0] == "fail"

    def shown(at: datetime, known_at: datetime | None = None) -> tuple[str, str]:
        with house.sessions() as session:
            return next(
                (past.state, past.reason)
                for past in as_of(session, "cs", at, known_at).verdicts
                if past.row.subject_id == "cs-0" and past.row.rule_id == "TB-01"
            )

    assert shown(MONDAY_10 + timedelta(minutes=2)) == ("pass", "met")
    assert shown(MONDAY_10 + timedelta(minutes=4)) == ("unknown", "engine_stopped")
    assert shown(later) == ("fail", "below")
    assert shown(later, known_at=later - timedelta(minutes=1)) == ("unknown", "engine_stopped"), "no run was known yet"
    soon = MONDAY_10 + timedelta(minutes=2)
    assert shown(soon, known_at=later) == shown(soon, known_at=soon) == ("pass", "met")


def test_summary_counts_every_state(house: Any) -> None:
    """A district's shares hold all its schools' verdicts; when the engine stops they are unknown."""
    house.device("odd", "cs", "cs-room")
    house.speak("odd", Role.UNKNOWN_LINK)
    house.evaluate()
    with house.sessions() as session:
        units = ["quan", "th", "cs", "mn", "phuong"]
        now = summarise(session, units, at=MONDAY_10 + timedelta(minutes=1))
        stopped = summarise(session, units, at=MONDAY_10 + timedelta(minutes=4))
        rows = session.scalar(select(func.count()).select_from(CurrentVerdict))
    assert sum(shares.total for shares in now["quan"].groups.values()) == rows
    assert now["quan"].rules["TB-07"].counts["unknown"] == 1
    assert now["phuong"].groups == now["th"].groups
    assert now["mn"].rules["TR-01"].counts["not_applicable"] == 1
    assert not now["quan"].is_stale
    assert now["quan"].last_run == MONDAY_10
    assert stopped["quan"].is_stale
    assert all(shares.counts["pass"] == shares.counts["fail"] == 0 for shares in stopped["quan"].groups.values())
    assert sum(shares.total for shares in stopped["quan"].groups.values()) == rows


def test_replay_from_fact_rows(house: Any) -> None:
    """The verdicts of devices follow from the stored fact rows alone: replayed, they are identical."""
    house.device("odd", "cs", "cs-room")
    house.speak("odd", Role.OLD_PROCESSOR)
    house.evaluate()
    with house.sessions() as session:
        facts = read_current(session, ["cs"])
        rows = session.scalars(
            select(Verdict).where(Verdict.subject_kind == SubjectKind.DEVICE, Verdict.unit_id == "cs")
        )
        checked = 0
        for row in rows:
            subject = Subject(SubjectKind.DEVICE, row.subject_id, "cs", "pc", "thcs")
            own = facts[SubjectKind.DEVICE, row.subject_id]
            again = judge(
                house.pack.rules[row.rule_id], subject, own, [], defaults(house.pack), row.evaluated_at.timestamp()
            )
            assert (again.state, again.reason, again.measured, again.required, again.evidence) == (
                row.state, row.reason, row.measured, row.required, row.evidence,
            )  # fmt: skip
            checked += 1
    assert checked == 4 * len(DEVICE_RULES) + 4 * len(("TB-10", "TB-11"))


def test_one_unit_only(house: Any) -> None:
    """An evaluation of one school leaves the others alone."""
    result = house.evaluate(unit="th")
    assert [unit.unit_id for unit in result.units] == ["th"]
    with house.sessions() as session:
        assert set(session.scalars(select(Verdict.unit_id))) == {"th"}


def test_stale_hardware(house: Any) -> None:
    """A hardware record that nobody renewed for 30 days is no knowledge any more."""
    house.evaluate()
    house.evaluate(MONDAY_10 + timedelta(days=31))
    assert house.state("cs-0", "TB-01") == ("unknown", "stale")
    assert house.state("cs-room", "PH-02") == ("unknown", "undecided")


def test_bad_timetable(house: Any) -> None:
    """A timetable that cannot be read makes unknown what depends on it, and nothing else."""
    house.revise(Room, "cs-room", MONDAY_10 - timedelta(hours=1), timetable="Mon 7-11")
    house.evaluate()
    assert house.state("cs-0", "TB-09") == ("unknown", "bad_timetable")
    assert house.state("cs-0", "TB-08") == ("unknown", "bad_timetable")
    assert house.state("cs-0", "TB-01") == ("pass", "met")
    assert house.state("cs", "TR-15") == ("pass", "met")


def test_register_that_is_gone(house: Any) -> None:
    """A register without its tables is told as StoreError, not as a traceback of the database."""
    with house.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE evaluation_run")
    with pytest.raises(StoreError, match="evaluation stopped"):
        house.evaluate()
