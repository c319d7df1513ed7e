"""A school's verdicts come from one snapshot: what others write while it is judged belongs to the next evaluation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from phongmay_rules.chain.verifying import units_with_chain, verify
from phongmay_rules.facts import records
from phongmay_rules.facts.schools import FactMaker
from phongmay_rules.replaying import FIELDS, replay
from phongmay_simulate.district import Role
from phongmay_store.register.compliance import CurrentFact, CurrentVerdict, Fact, Verdict
from phongmay_store.register.device import Device
from phongmay_store.register.place import Room

NOW = datetime.fromisoformat("2026-11-23T10:00:00+07:00")
Content = dict[tuple[str, str, str], dict[str, Any]]


def judged(house: Any) -> Content:
    """Give what the current verdicts say, but for the numbers of the rows that they quote."""
    with house.sessions() as session:
        rows = session.scalars(select(Verdict).join(CurrentVerdict, CurrentVerdict.verdict_id == Verdict.id)).all()
        out = {}
        for row in rows:
            content = {name: getattr(row, name) for name in FIELDS}
            content["evidence"] = [{k: v for k, v in item.items() if k != "fact_id"} for item in row.evidence]
            out[row.subject_kind, row.subject_id, row.rule_id] = content
        return out


def disturb(house: Any, unit: str) -> None:
    """Let a collector and an officer write, as other connections do, everything that could change a verdict."""
    for name in ("cs-0", "th-0"):
        house.speak(name, Role.LOW_MEMORY, at=NOW, minutes=2)
    house.revise(Device, "cs-1", NOW - timedelta(hours=1), state="in_repair")
    house.revise(Device, "th-1", NOW - timedelta(hours=1), school_id="cs", room_id="cs-room")
    house.revise(Room, "th-room", NOW - timedelta(hours=1), class_size=40, timetable="never")
    house.set_parameter(unit, "ram_min", 64 * 2**30)


@pytest.mark.parametrize("call", [1, 2], ids=["schools", "units above"])
@pytest.mark.parametrize("name", ["read_current", "write"])
def test_nothing_of_a_run_comes_from_what_was_written_meanwhile(
    make_house: Callable[[], Any], name: str, call: int
) -> None:
    """Whenever the others write after facts were made, the run's verdicts are those of a run that nobody disturbed; it
    replays identically, its chain is sound, and the next run sees what was written."""
    quiet, busy = make_house(), make_house()
    elsewhere = {1: "quan", 2: "cs"}[call]  # a chain has one writer at a time: in the same one the second is refused
    quiet.evaluate(NOW)
    real, calls = getattr(records, name), [0]

    def disturbed(session: Any, *arguments: Any, **named: Any) -> Any:
        """Before the evaluation writes; from then on SQLite lets nobody else write until it has committed."""
        calls[0] += 1
        if calls[0] == call:
            writer = threading.Thread(target=disturb, args=(busy, elsewhere))
            writer.start()
            writer.join()
            wrote.append(True)
        return real(session, *arguments, **named)

    wrote: list[bool] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, name, disturbed)
        busy.evaluate(NOW)
    assert wrote
    assert judged(busy) == judged(quiet)
    with busy.sessions() as session:
        for unit in ("cs", "th", "mn", "phuong", "quan"):
            assert replay(session, unit, NOW).differences == ()
        assert [found for unit in units_with_chain(session) for found in verify(session, unit).breaks] == []
    busy.evaluate(NOW + timedelta(minutes=1))
    assert busy.state("cs-0", "TB-01") == ("fail", "below")
    assert busy.state("cs-2", "TB-01") == ("fail", "below")


def found(house: Any) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """Give the current facts, but for the numbers and times of their rows."""
    with house.sessions() as session:
        rows = session.scalars(select(Fact).join(CurrentFact, CurrentFact.fact_id == Fact.id)).all()
        return {
            (row.subject_kind, row.subject_id, row.name): (row.number, row.text, row.missing, row.sources, row.detail)
            for row in rows
        }


@pytest.mark.parametrize("moment", ["_device", "_room_availability"])
def test_what_is_written_while_facts_are_made_belongs_to_the_next_run(
    make_house: Callable[[], Any], moment: str
) -> None:
    """While the facts of a school are being made a collector writes other hardware, and minutes of a day of which none
    were known, of this school and of the next; an officer moves PCs. Facts and verdicts are those of an undisturbed
    run; the next run sees all of it."""
    quiet, busy = make_house(), make_house()
    friday = NOW - timedelta(days=3)
    for house in (quiet, busy):
        for device in ("cs-0", "th-0"):
            house.revise(Device, device, NOW - timedelta(days=50), agent_since=NOW - timedelta(days=50))
        house.listen(NOW - timedelta(days=20), friday + timedelta(hours=8))
    quiet.evaluate(NOW)
    real, wrote = getattr(FactMaker, moment), list[bool]()

    def disturbed(maker: FactMaker, *arguments: Any) -> Any:
        """Before the first fact of its kind is made."""
        if not wrote:
            wrote.append(True)
            for device in ("cs-0", "th-0"):
                busy.seen(device, friday, 480)
            disturb(busy, "quan")
        return real(maker, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FactMaker, moment, disturbed)
        busy.evaluate(NOW)
    assert wrote
    assert found(busy) == found(quiet)
    assert judged(busy) == judged(quiet)
    before = found(busy)
    busy.evaluate(NOW + timedelta(minutes=1))
    after = found(busy)
    for device in ("cs-0", "th-0"):
        for name in ("availability_30d_ratio", "ram_marketed_bytes"):
            key = ("device", device, name)
            assert after[key][0] != before[key][0], key
    assert busy.state("th-0", "TB-01") == ("fail", "below")
