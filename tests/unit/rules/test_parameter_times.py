"""Since when a value of a parameter holds, and since when that is known: two times, and the past keeps its figures."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from phongmay.main import main
from phongmay_contract.units import GIB
from phongmay_rules.adopting import OrderError, effect, publish
from phongmay_rules.chain.verifying import verify
from phongmay_rules.parameters import read_overrides
from phongmay_rules.replaying import replay
from phongmay_rules.setting import beginning, in_force_for
from phongmay_store.register.access import Account, Grant
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import Parameter

MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7))
HOUR = timedelta(hours=1)


def _officer(house: Any) -> None:
    with house.sessions() as session:
        session.add(Account(id="quan1", login="quan1", password_hash="-"))
        session.add(Grant(account_id="quan1", unit_id="quan", role="officer"))
        session.commit()


def _publish(house: Any, value: float, valid_from: datetime | None, unit: str = "quan") -> int:
    with house.sessions() as session:
        found = effect(session, house.pack, {"ram_min": value}, unit, valid_from=valid_from)
        count = publish(session, house.pack, found, unit_id=unit, signed_by="quan1", reason="r", valid_from=valid_from)
        session.commit()
    return count


def _differ(house: Any, known_at: datetime | None = None) -> set[str]:
    """Rules whose verdicts come out differently when the school's last run is judged again."""
    with house.sessions() as session:
        return {one.key[2] for one in replay(session, "cs", utc_now(), known_at).differences}


def _ram(session: Session, house: Any, known_at: datetime, valid_at: datetime) -> float | None:
    own = read_overrides(session, house.pack, known_at, valid_at).get("quan", {}).get("ram_min")
    return own.value / GIB if own else None


def test_the_value_in_force_at_one_time_as_known_at_another(house: Any) -> None:
    """Recorded in May for June, recorded in July without a day: each instant has the value that then held and that was
    known; a row of before there were days holds since it was recorded."""
    with house.sessions() as session:
        owner = house.pack.parameter_owners["ram_min"]
        for value, recorded_at, valid_from in ((8, MAY, JUNE), (16, JULY, None)):
            session.add(Parameter(unit_id="quan", pack_id=owner, name="ram_min", value=value * GIB, set_by="q",
                                  reason="r", recorded_at=recorded_at, valid_from=valid_from))  # fmt: skip
        session.flush()
        for known_at, valid_at, expected in (
            (MAY - HOUR, JUNE, None), (MAY, MAY, None), (MAY, JUNE - HOUR, None), (MAY, JUNE, 8),
            (JULY - HOUR, JULY, 8), (JULY, JULY - HOUR, 8), (JULY, JULY, 16), (JULY, JUNE - HOUR, None),
        ):  # fmt: skip
            assert _ram(session, house, known_at, valid_at) == expected, (known_at, valid_at)
        assert read_overrides(session, house.pack)["quan"]["ram_min"].value == 16 * GIB


def test_what_is_set_afterwards_does_not_judge_the_past(house: Any) -> None:
    """A threshold of today is no later knowledge about yesterday: replay leaves it out, also with a later known_at."""
    _officer(house)
    house.evaluate()
    assert _publish(house, 16 * GIB, None) == 1
    assert _differ(house) == set()
    assert _differ(house, utc_now()) == set()


def test_what_held_then_and_was_recorded_later_is_later_knowledge(house: Any) -> None:
    """A value that holds since before the run changes no verdict that stands; replay with a later known_at tells what
    it would have changed."""
    _officer(house)
    house.evaluate()
    assert _publish(house, 16 * GIB, MAY) == 1
    assert house.state("cs-0", "TB-01") == ("pass", "met")
    assert _differ(house) == set(), "by what the run knew it is identical"
    assert _differ(house, utc_now()) == {"TB-01", "PH-02"}
    house.evaluate()
    assert house.state("cs-0", "TB-01") == ("fail", "below")
    assert _differ(house) == set()


def test_a_value_of_a_later_day_waits_for_it(house: Any) -> None:
    """It is recorded and shown as pending, and nothing is judged by it before its day."""
    _officer(house)
    later = utc_now() + timedelta(days=3)
    assert _publish(house, 16 * GIB, later) == 1
    house.evaluate()
    assert house.state("cs-0", "TB-01") == ("pass", "met")
    with house.sessions() as session:
        found = in_force_for(session, house.pack, ["cs", "quan"])["ram_min"]
        assert found.is_default
        assert found.pending is not None
        assert (found.pending.value, found.pending.begins_at) == (16 * GIB, later)
        now = utc_now()
        assert _ram(session, house, now, later - HOUR) is None
        assert _ram(session, house, now, later) == 16
        assert verify(session, "quan").breaks == ()


def test_no_value_begins_before_the_newest_one(house: Any) -> None:
    """Otherwise a day's value would depend on the order of entry; from the same day on, the later word corrects."""
    _officer(house)
    assert _publish(house, 8 * GIB, JUNE) == 1
    with pytest.raises(OrderError, match=r"'ram_min': the newest value of the unit holds from 2026-06-01 07:00"):
        _publish(house, 16 * GIB, JUNE - HOUR)
    assert _publish(house, 16 * GIB, JUNE) == 1
    assert _publish(house, 2 * GIB, MAY, "cs") == 1, "another unit's are its own"
    with house.sessions() as session:
        now = utc_now()
        assert _ram(session, house, now, JUNE) == 16
    later = utc_now() + timedelta(days=3)
    assert _publish(house, 4 * GIB, later) == 1
    with pytest.raises(OrderError):
        _publish(house, 32 * GIB, None)
    assert _publish(house, 16 * GIB, later) == 1, "taken back: from that day on what holds today"


def test_a_day_begins_at_local_midnight() -> None:
    """1 December in Ho Chi Minh City begins while it is 30 November in UTC."""
    assert beginning(date(2026, 12, 1)) == datetime(2026, 11, 30, 17, tzinfo=UTC)
    assert beginning(None) is None


def test_an_evaluation_asks_for_parameters_once(house: Any) -> None:
    """Validity costs no further question: one a run, however many units there are."""
    asked: list[str] = []
    event.listen(house.engine, "before_cursor_execute", lambda *words: asked.append(words[2]))
    house.evaluate()
    assert sum("FROM parameter" in " ".join(text.split()) for text in asked) == 1


@pytest.mark.one_register
def test_the_command_takes_a_day(house: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--from: shown at once, recorded with its day, listed as pending; a word that is no day, or a day before the
    newest value's, is refused with one sentence."""
    _officer(house)
    house.evaluate()
    config = tmp_path / "phongmay.toml"
    url = house.engine.url.render_as_string(hide_password=False)
    config.write_text(f'[store]\nregister_url = "{url}"\nseries_path = "{tmp_path / "series.db"}"\n', "utf-8")

    def run(*words: str) -> tuple[int, str]:
        code = main(["--config", str(config), "rules", *words])
        told = capsys.readouterr()
        return code, told.out + told.err

    signed = ("--publish", "--by", "quan1", "--reason", "từ năm học mới")
    code, text = run("set", "ram_min=16GiB", "--from", "2099-12-01", *signed)
    assert (code, "1 parameter(s) recorded for unit quan from 2099-12-01 on" in text) == (0, True), text
    with house.sessions() as session:
        assert session.scalars(select(Parameter.valid_from)).all() == [datetime(2099, 11, 30, 17, tzinfo=UTC)]
    assert "16 GB         from 2099-12-01  quan, quan1: từ năm học mới" in run("parameters")[1]
    assert "ram_min = 16 GB from 2099-12-01  quan1" in run("parameters", "--history")[1]
    code, text = run("set", "ram_min=8GiB", "--from", "2099-11-30", *signed)
    assert (code, "another one cannot begin before it" in text, text.count("\n") <= 40) == (2, True, True)
    with pytest.raises(SystemExit, match="2"):
        main(["--config", str(config), "rules", "set", "ram_min=8GiB", "--from", "mai"])
    assert "'mai' is no day such as 2026-12-01" in capsys.readouterr().err
