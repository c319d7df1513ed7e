"""An engine that remembers comes to what an engine without memory comes to, whatever happened in between."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Text, cast, func, select, text, update
from sqlalchemy.orm import sessionmaker

from phongmay_rules import engine as engine_module
from phongmay_rules.chain.links import append_row
from phongmay_rules.chain.verifying import verify
from phongmay_rules.engine import Engine, evaluate
from phongmay_rules.facts.catalogue import Found
from phongmay_rules.facts.records import FactValue
from phongmay_rules.history import as_of
from phongmay_rules.memory import mark
from phongmay_rules.replaying import replay
from phongmay_simulate.district import Role
from phongmay_store.errors import StoreError
from phongmay_store.register.calendar import CalendarKind, NewEntry, put
from phongmay_store.register.chain import LinkKind
from phongmay_store.register.compliance import CurrentRun, CurrentVerdict, EvaluationRun, Verdict
from phongmay_store.register.decisions import Waiver
from phongmay_store.register.device import Device, IdentityConflict
from phongmay_store.register.engine import open_register
from phongmay_store.register.place import Room

pytestmark = pytest.mark.one_register

MONDAY_10 = datetime.fromisoformat("2026-11-23T10:00:00+07:00")


def fresh_changes(house: Any, at: datetime) -> tuple[int, int]:
    """Evaluate a copy of the register without any memory; give what that would have written."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        source, target = sqlite3.connect(house.engine.url.database), sqlite3.connect(copy)
        source.backup(target)
        source.close()
        target.close()
        register = open_register(f"sqlite:///{copy}")
        found = evaluate(sessionmaker(register), house.series, house.pack, at=at)
        register.dispose()
    return found.facts, found.changed


def _speak(house: Any, at: datetime, role: Role) -> None:
    house.speak("cs-1", role, at=at, minutes=5)


def _repair(house: Any, at: datetime, state: str) -> None:
    house.revise(Device, "th-0", at, state=state)


def _move(house: Any, at: datetime, _: object) -> None:
    house.revise(Device, "th-1", at, school_id="cs", room_id="cs-room")


def _class_size(house: Any, at: datetime, size: int) -> None:
    house.revise(Room, "cs-room", at, class_size=size)


def _set(house: Any, at: datetime, value: float) -> None:
    house.set_parameter("quan", "ram_min", value)


def _waive(house: Any, at: datetime, minutes: int) -> None:
    waiver = Waiver(unit_id="cs", subject_id="cs", rule_id="TB-01", reason="r", signed_by="q", valid_from=at,
                    valid_to=at + timedelta(minutes=minutes), replaces=None)  # fmt: skip
    with house.sessions() as session:
        append_row(session, LinkKind.WAIVER, "cs", waiver)
        session.commit()


def _conflict(house: Any, at: datetime, _: object) -> None:
    _store(house, IdentityConflict(device_id="th-2", opened_at=at, detail="{}"))


def _holiday(house: Any, at: datetime, _: object) -> None:
    with house.sessions() as session:
        put(session, "cs", NewEntry(CalendarKind.HOLIDAY, at.date(), at.date(), name="Nghỉ"))
        session.commit()


def _store(house: Any, row: object) -> None:
    with house.sessions() as session:
        session.add(row)
        session.commit()


def _nothing(house: Any, at: datetime, _: object) -> None:
    """Only time goes by."""


ACTIONS: dict[Callable[[Any, datetime, Any], None], st.SearchStrategy[Any]] = {
    _nothing: st.none(),
    _speak: st.sampled_from([Role.STANDARD, Role.LOW_MEMORY, Role.SLOW_LINK, Role.NO_INTERNET]),
    _repair: st.sampled_from(["in_repair", "in_service", "retired"]),
    _move: st.none(),
    _class_size: st.integers(1, 60),
    _set: st.sampled_from([float(1 << 30), float(1 << 40), 1.0]),
    _waive: st.integers(1, 90),
    _conflict: st.none(),
    _holiday: st.none(),
}
steps = st.lists(
    st.sampled_from(list(ACTIONS)).flatmap(
        lambda action: st.tuples(
            st.just(action), ACTIONS[action], st.sampled_from([1, 3, 20, 300, 1500, 6 * 1440, 40 * 1440])
        )
    ),
    min_size=2, max_size=6,
)  # fmt: skip


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_memory_changes_nothing(make_house: Callable[[], Any], happened: list[Any]) -> None:
    """After anything that may happen, an evaluation without memory finds nothing left to write, and all replays."""
    house, at = make_house(), MONDAY_10
    engine = Engine(house.sessions, house.pack, run_row_s=600)
    engine.evaluate(house.series, at=at)
    looked = [at]
    for action, argument, minutes in happened:
        at += timedelta(minutes=minutes)
        action(house, at, argument)
        engine.follow(house.series, ["cs-1"], at=at)
        engine.evaluate(house.series, at=at)
        assert fresh_changes(house, at) == (0, 0), action.__name__
        looked.append(at)
    with house.sessions() as session:
        for unit in ("quan", "cs"):
            assert verify(session, unit).breaks == ()
            assert [found.sentence() for at in looked for found in replay(session, unit, at).differences] == []


def test_what_does_not_change_is_not_judged_again(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quiet minute judges nothing; a changed PC is judged alone, with its room, its school and the units above."""
    engine = Engine(house.sessions, house.pack, run_row_s=600)
    engine.evaluate(house.series, at=MONDAY_10)
    judged: list[set[tuple[str, str]]] = []
    real = engine_module.verdicts.record

    def record(session: Any, pack: Any, rulings: Any, moment: Any) -> Any:
        judged.append({key[:2] for ruling in rulings.values() for key in ruling.judged})
        return real(session, pack, rulings, moment)

    monkeypatch.setattr(engine_module.verdicts, "record", record)
    quiet = engine.evaluate(house.series, at=MONDAY_10 + timedelta(seconds=60))
    assert (quiet.facts, quiet.changed) == (0, 0)
    assert set().union(*judged) == set()
    house.speak("cs-1", Role.LOW_MEMORY, at=MONDAY_10 + timedelta(seconds=70), minutes=1)
    engine.follow(house.series, ["cs-1"], at=MONDAY_10 + timedelta(seconds=75))
    assert house.state("cs-1", "TB-01") == ("fail", "below")
    subjects = set().union(*judged)
    assert {("device", "cs-1"), ("room", "cs-room"), ("school", "cs")} <= subjects
    assert not subjects & {("device", "cs-0"), ("device", "th-0"), ("school", "th")}


def test_a_quiet_unit_is_confirmed_and_seldom_gets_a_row(house: Any) -> None:
    """Each evaluation says that it looked; a run row is written every run_row_s, and the past stays vouched for."""
    engine = Engine(house.sessions, house.pack, interval_s=60, run_row_s=600)
    for minute in range(12):
        engine.evaluate(house.series, at=MONDAY_10 + timedelta(minutes=minute))
    with house.sessions() as session:
        rows = session.scalar(select(func.count()).select_from(EvaluationRun).where(EvaluationRun.unit_id == "mn"))
        current = session.get_one(CurrentRun, "mn")
        assert (rows, current.confirmed_at) == (2, MONDAY_10 + timedelta(minutes=11))
        assert {found.run_id is None for found in as_of(session, "mn", MONDAY_10 + timedelta(minutes=9)).verdicts} == {
            False
        }
        later = MONDAY_10 + timedelta(minutes=10, seconds=600 + 3 * 60 + 1)
        assert {found.reason for found in as_of(session, "mn", later).verdicts} == {"engine_stopped"}


def test_another_engine_is_noticed(house: Any) -> None:
    """When somebody else evaluated a unit, what is remembered of it is not believed."""
    engine = Engine(house.sessions, house.pack, run_row_s=600)
    engine.evaluate(house.series, at=MONDAY_10)
    house.speak("cs-1", Role.LOW_MEMORY, at=MONDAY_10 + timedelta(minutes=1), minutes=1)
    house.evaluate(MONDAY_10 + timedelta(minutes=1))
    house.speak("cs-1", Role.STANDARD, at=MONDAY_10 + timedelta(minutes=2), minutes=1)
    engine.evaluate(house.series, at=MONDAY_10 + timedelta(minutes=2))
    assert house.state("cs-1", "TB-01") == ("pass", "met")
    assert fresh_changes(house, MONDAY_10 + timedelta(minutes=2)) == (0, 0)


def test_a_failure_half_way_forgets(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was rolled back is written by the next evaluation, not taken for written."""
    engine = Engine(house.sessions, house.pack, run_row_s=600)
    engine.evaluate(house.series, at=MONDAY_10)
    house.speak("cs-1", Role.LOW_MEMORY, at=MONDAY_10 + timedelta(minutes=1), minutes=1)
    with monkeypatch.context() as patch:
        patch.setattr(engine_module.verdicts, "record", lambda *_: (_ for _ in ()).throw(StoreError("disk full")))
        with pytest.raises(StoreError):
            engine.evaluate(house.series, at=MONDAY_10 + timedelta(minutes=1))
    engine.evaluate(house.series, at=MONDAY_10 + timedelta(minutes=2))
    assert house.state("cs-1", "TB-01") == ("fail", "below")


def test_kept_states_are_those_of_the_register(house: Any) -> None:
    """What is remembered of the devices is what stands in the register, of all but those that changed."""
    house.speak("cs-1", Role.LOW_MEMORY, at=MONDAY_10, minutes=1)
    engine = Engine(house.sessions, house.pack, run_row_s=600)
    engine.evaluate(house.series, at=MONDAY_10)
    house.speak("cs-1", Role.STANDARD, at=MONDAY_10 + timedelta(seconds=70), minutes=1)
    engine.follow(house.series, ["cs-1"], at=MONDAY_10 + timedelta(seconds=75))
    with house.sessions() as session:
        rows = session.execute(
            select(Verdict.subject_kind, Verdict.subject_id, Verdict.rule_id, Verdict.state)
            .join(CurrentVerdict, CurrentVerdict.verdict_id == Verdict.id)
            .where(CurrentVerdict.unit_id == "cs", CurrentVerdict.subject_kind == "device")
        )
        stored = {(kind, subject, rule): state for kind, subject, rule, state in rows}
    known = engine._memory.units["cs"]
    assert stored["device", "cs-1", "TB-01"] == "pass"
    assert known.kept(()) == stored
    others = {key: state for key, state in stored.items() if key[1] != "cs-1"}
    assert others != stored
    assert known.kept({("device", "cs-1"), ("room", "cs-room")}) == others


def test_equal_results_are_remembered_once() -> None:
    """Devices that came to the same share what is remembered of it, in the order of the rules."""
    found = [Found("heard", 1, 0.0)]
    rows = {"heard": FactValue(1, "heard", 1, "", 0.0)}
    one, two = (mark(found, rows, iter([("TB-01", "pass"), ("TB-02", word)])) for word in ("fail", "fa" + "il"))
    assert one == two
    assert one.verdicts == (("TB-01", "pass"), ("TB-02", "fail"))
    assert one.verdicts is two.verdicts
    assert mark(found, rows).verdicts == ()
    assert mark(found, rows, [("TB-01", "fail")]).verdicts == (("TB-01", "fail"),)


def test_json_that_says_the_same_is_the_same(house: Any) -> None:
    """Rows of older programs have their keys in another order; that alone is no other verdict, another value is."""
    house.evaluate(MONDAY_10)
    with house.sessions() as session:
        rows = session.execute(select(Verdict.id, *(cast(getattr(Verdict, name), Text) for name in _PARTS))).all()
        backwards = {row: [json.dumps(_turned(json.loads(text)), indent=1) for text in texts] for row, *texts in rows}
        assert any(texts != turned for (_, *texts), turned in zip(rows, backwards.values(), strict=True))
        for row, texts in backwards.items():
            session.execute(
                text(
                    "UPDATE verdict SET measured = :measured, required = :required, evidence = :evidence WHERE id = :id"
                ),
                {"id": row} | dict(zip(_PARTS, texts, strict=True)),
            )
        session.commit()
    assert house.evaluate(MONDAY_10).changed == 0
    with house.sessions() as session:
        other = session.scalar(
            select(CurrentVerdict.verdict_id).where(
                CurrentVerdict.subject_id == "cs-1", CurrentVerdict.rule_id == "TB-01"
            )
        )
        for name in _PARTS:
            session.execute(update(Verdict).where(Verdict.id == other).values({name: [{"a": 1}]}))
            session.commit()
            assert house.evaluate(MONDAY_10).changed == 1, name
            other = session.scalar(
                select(CurrentVerdict.verdict_id).where(
                    CurrentVerdict.subject_id == "cs-1", CurrentVerdict.rule_id == "TB-01"
                )
            )


_PARTS = ("measured", "required", "evidence")


def _turned(value: Any) -> Any:
    """Give the same JSON with the keys of every object in the other order."""
    if isinstance(value, dict):
        return {key: _turned(of) for key, of in reversed(value.items())}
    return [_turned(of) for of in value] if isinstance(value, list) else value
