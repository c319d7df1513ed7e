"""The past judged again: from rows alone it is identical, whatever came after; recomputed facts say why they differ."""

from __future__ import annotations

import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

import phongmay_rules
from phongmay_rules.chain.verifying import units_with_chain, verify
from phongmay_rules.loader import load_pack, restore_pack
from phongmay_rules.model import Pack
from phongmay_rules.recomputing import Why, recompute
from phongmay_rules.replaying import ReplayError, replay
from phongmay_simulate.district import Role
from phongmay_store.register.base import utc_now
from phongmay_store.register.calendar import CalendarKind, NewEntry, put
from phongmay_store.register.compliance import CurrentFact, CurrentVerdict, EvaluationRun, Fact
from phongmay_store.register.device import Device
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Room

NOW = datetime.fromisoformat("2026-11-23T10:00:00+07:00")
UNITS = ("cs", "th", "mn", "phuong", "quan")


def minutes(number: float) -> datetime:
    """Give an instant so many minutes after the first evaluation."""
    return NOW + timedelta(minutes=number)


def differences(house: Any, *times: datetime) -> list[str]:
    """Replay every unit at some times."""
    with house.sessions() as session:
        return [
            found.sentence() for at in times for unit in UNITS for found in replay(session, unit, at).differences
        ]  # fmt: skip


def changed_pack(folder: Path) -> Pack:
    """Give the pack with a stricter TB-01, under a new version."""
    shutil.copytree(Path(phongmay_rules.__file__).parent / "packs" / "tanbinh-2023", folder / "pack")
    path = folder / "pack" / "standard.toml"
    pack = load_pack("tanbinh-2023")
    old, new = f"value = {pack.standard.parameters['ram_min'].value:_}", "value = 17179869184"
    version = pack.stamps["tanbinh-2023"].version
    text = path.read_text("utf-8").replace(f'version = "{version}"', 'version = "2099-1"', 1)
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    cases = folder / "pack" / "cases" / "TB-01.toml"  # a pack whose cases show another limit is refused
    stated = cases.read_text("utf-8").replace("4_294_967_296", "17_179_869_184")
    cases.write_text(stated.replace("8_589_934_592", "34_359_738_368"), "utf-8")
    return load_pack(folder / "pack")


def test_an_archived_pack_is_the_same_pack() -> None:
    """Out of its archived text a pack comes back equal in every part, with the same hashes."""
    pack = load_pack("tanbinh-2023")
    assert restore_pack(pack.content) == pack


def test_the_past_is_identical_whatever_came_after(house: Any, tmp_path: Path) -> None:
    """Late data, corrections of the past, parameters, a new pack, moved and retired PCs, dropped raw: no difference."""
    house.device("odd", "cs", "cs-room")
    house.speak("odd", Role.LOW_MEMORY)
    house.evaluate(NOW)
    assert differences(house, NOW) == []
    house.speak("cs-1", Role.SMALL_DISK, at=minutes(5), minutes=3)
    house.evaluate(minutes(5))
    house.set_parameter("quan", "ram_min", 2 * 2**30)
    house.evaluate(minutes(10))
    assert house.state("odd", "TB-01") == ("pass", "met")
    house.revise(Device, "cs-0", minutes(11), school_id="th", room_id="th-room")
    house.revise(Device, "th-1", minutes(11), state="retired")
    house.revise(Room, "cs-room", minutes(-600), class_size=40, timetable="always")
    house.revise(Unit, "th", minutes(-600), parent_id="quan")
    house.speak("th-0", Role.OLD_PROCESSOR, at=minutes(4), minutes=1)
    house.evaluate(minutes(15))
    house.pack = changed_pack(tmp_path)
    house.evaluate(minutes(20))
    shipped = load_pack("tanbinh-2023")
    assert house.verdict("th-0", "TB-01").pack_hash == house.pack.stamp("TB-01").hash != shipped.stamp("TB-01").hash
    house.revise(Device, "cs-0", minutes(21), school_id="cs", room_id="cs-room")
    house.evaluate(minutes(25))
    times = [NOW, *(minutes(number) for number in (5, 7, 10, 15, 20, 25))]
    assert differences(house, *times) == []
    house.series._connection.execute("DELETE FROM m_hardware")  # raw data were dropped
    with house.sessions() as session:
        assert len(replay(session, "cs", minutes(25)).judged) > 20
        session.execute(delete(CurrentFact))
        session.execute(delete(CurrentVerdict))
        session.commit()
    assert differences(house, *times) == []


def test_a_fact_changed_by_hand_shows_in_replay(house: Any) -> None:
    """Also where no verdict quotes it (verify holds those that are quoted), a changed fact gives a difference."""
    house.evaluate(NOW)
    with house.sessions() as session:
        session.execute(
            update(Fact).where(Fact.subject_id == "cs-0", Fact.name == "ram_marketed_bytes").values(number=1.0)
        )
        session.commit()
    (first, *_) = differences(house, NOW)
    assert "device cs-0 TB-01: stored pass (met), replayed fail (below)" in first


def test_later_knowledge_is_told_apart(house: Any) -> None:
    """Asked what is known today about that instant, replay names what a correction changes; nothing is written."""
    house.evaluate(NOW)
    house.revise(Room, "cs-room", minutes(-600), class_size=40)
    house.evaluate(minutes(1))
    with house.sessions() as session:
        before = session.scalars(select(EvaluationRun.id)).all()
        run = replay(session, "cs", NOW).run
        assert replay(session, "cs", NOW).differences == ()
        assert replay(session, "cs", NOW, run.known_at).differences == ()
        later = replay(session, "cs", NOW, utc_now())
        assert ("room", "cs-room", "PH-01") not in {
            found.key for found in later.differences
        }  # facts are what they were
        session.rollback()
        assert session.scalars(select(EvaluationRun.id)).all() == before
    house.revise(Device, "cs-0", minutes(-600), state="retired")
    with house.sessions() as session:
        later = replay(session, "cs", NOW, utc_now())
        assert {found.key[2] for found in later.differences if found.key[1] == "cs-0" and found.replayed is None}
        assert replay(session, "cs", NOW).differences == ()


def test_nothing_to_replay_is_told(house: Any) -> None:
    """No run at that time, and a run from before the chain, are one sentence."""
    with house.sessions() as session, pytest.raises(ReplayError, match="no run at or before"):
        replay(session, "cs", NOW)
    house.evaluate(NOW)
    with house.sessions() as session:
        session.execute(update(EvaluationRun).values(known_at=None))
        with pytest.raises(ReplayError, match="--known-at"):
            replay(session, "cs", NOW)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.sampled_from(["speak", "weak", "repair", "back", "move", "class", "limit", "retire", "nothing"]),
        min_size=1,
        max_size=5,
    )
)
def test_any_history_replays(house: Any, steps: list[str]) -> None:
    """Whatever happens between evaluations, every one of them replays identically, and every chain is sound."""
    clock = getattr(house, "clock", 0)
    times = []
    for step in steps:
        clock += 7
        at = minutes(clock)
        if step == "speak":
            house.speak("cs-0", at=at, minutes=2)
        elif step == "weak":
            house.speak("cs-0", Role.LOW_MEMORY, at=at, minutes=2)
        elif step in ("repair", "back", "retire"):
            states = {"repair": "in_repair", "back": "in_service", "retire": "retired"}
            house.revise(Device, "cs-0", at, state=states[step])
        elif step == "move":
            house.revise(Device, "cs-1", at, school_id="th", room_id="th-room")
        elif step == "class":
            house.revise(Room, "cs-room", minutes(clock - 30), class_size=clock)
        elif step == "limit":
            house.set_parameter("cs", "stale_after", 60.0 + clock)
        house.evaluate(at)
        times.append(at)
    house.clock = clock
    assert differences(house, *times) == []
    with house.sessions() as session:
        assert [found for unit in units_with_chain(session) for found in verify(session, unit).breaks] == []


def enter_holiday(house: Any, day: date) -> str:
    """Record that the whole district had a day off; give the entry's id."""
    with house.sessions() as session:
        row, _ = put(session, "quan", NewEntry(CalendarKind.HOLIDAY, day, day, "nghỉ bão"))
        session.commit()
        return row.id


# -- facts from the series -------------------------------------------------------------------------------------------


def test_recomputed_facts_are_the_stored_ones(house: Any) -> None:
    """While the series is whole, the past's facts come out as they were stored, also after more data came."""
    house.evaluate(NOW)
    house.speak("cs-0", Role.LOW_MEMORY, at=minutes(30), minutes=20)
    house.evaluate(minutes(30))
    with house.sessions() as session:
        assert [found.sentence() for found in recompute(session, house.series, "quan", NOW)] == []
        assert [found.sentence() for found in recompute(session, house.series, "quan", minutes(30))] == []


def test_recompute_says_why(house: Any) -> None:
    """Dropped raw, data that arrived late and a corrected timetable are told apart; no fact row is written."""
    house.evaluate(NOW)
    with house.sessions() as session:
        rows = len(session.scalars(select(Fact.id)).all())
    for table in ("m_disk", "l_disk"):
        house.series._connection.execute(f"DELETE FROM {table} WHERE device = 'cs-0'")
    house.speak("cs-1", Role.LOW_MEMORY, at=minutes(-1), minutes=0)
    house.speak("cs-1", at=minutes(40), minutes=0)
    house.device("silent", "th", "th-room")
    house.evaluate(minutes(1))
    house.speak("silent", at=minutes(0.5), minutes=30)
    with house.sessions() as session:
        found = {(item.subject[1], item.name): item.why for item in recompute(session, house.series, "cs", NOW)}
        assert found["cs-0", "system_disk_marketed_bytes"] is Why.DROPPED
        late = {item.name: item.why for item in recompute(session, house.series, "th", minutes(1))}
        assert late["ram_marketed_bytes"] is Why.LATE
        assert late["internet_known_s"] is Why.LATE
        assert late["heard"] is Why.LATE
    enter_holiday(house, (NOW - timedelta(days=3)).date())
    enter_holiday(house, NOW.date())
    with house.sessions() as session:
        found = {(item.subject[1], item.name): item for item in recompute(session, house.series, "cs", NOW)}
        assert found["cs-2", "internet_reach_ratio"].why is Why.CALENDAR
        assert found["cs-2", "internet_reach_ratio"].sentence().endswith("calendar was corrected after the run")
        assert found["cs-0", "system_disk_marketed_bytes"].why is Why.DROPPED, "the calendar has no say in that"
        assert recompute(session, house.series, "cs", minutes(1)) != []
    house.evaluate(minutes(2))
    with house.sessions() as session:
        assert recompute(session, house.series, "cs", minutes(2)) == [], "by now the run knew the calendar"
    house.revise(Room, "cs-room", minutes(-6000), timetable="never")
    with house.sessions() as session:
        found = {(item.subject[1], item.name): item.why for item in recompute(session, house.series, "cs", NOW)}
        assert ("cs-2", "internet_reach_ratio") in found
        assert len(session.scalars(select(Fact.id)).all()) >= rows
