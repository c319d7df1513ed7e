"""Three simulated months, and then what may happen to a past: each by itself and all of it, replayed day by day.

The months are lived once; every test works on a copy of their files. Each test replays every unit on every day: verdict
by verdict nothing may differ. What does differ are recomputed facts, and the command says which and why.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import phongmay_rules
from phongmay.main import main
from phongmay_rules.chain.verifying import units_with_chain, verify
from phongmay_rules.loader import load_packs
from phongmay_rules.recomputing import Why, recompute
from phongmay_rules.replaying import replay
from phongmay_rules.settings import RulesSettings
from phongmay_simulate.district import Role
from phongmay_store.register.calendar import CalendarKind, NewEntry, put, remove
from phongmay_store.register.device import Device
from phongmay_store.register.place import Room
from phongmay_store.series import open_writer
from phongmay_store.settings import StoreSettings

NOW = datetime.fromisoformat("2026-11-23T10:00:00+07:00")
UNITS = ("cs", "th", "mn", "phuong", "quan")
PCS = [f"{school}-{number}" for school in ("cs", "th") for number in range(3)]
DAYS = 92
LATE_DAYS, CORRECTED_DAYS = range(3, DAYS, 7), (10, 44, 45, 80)
LOOKED_AT = (10, 45, 80)
"""On which days facts are recomputed."""


@dataclass
class Past:
    """A copy of the three months.

    Attributes:
        days: instants of the evaluations.
        holiday: an entry of the calendar that was there from the first day.
    """

    house: Any
    folder: Path
    days: list[datetime]
    holiday: str

    def evaluate(self) -> None:
        """Let one more day pass."""
        at = self.days[-1] + timedelta(days=1)
        self.house.listen(at - timedelta(days=1), at)
        self.house.evaluate(at)
        self.days.append(at)

    @property
    def config(self) -> Path:
        """Settings that name its stores."""
        path = self.folder / "phongmay.toml"
        path.write_text(
            f'[store]\nregister_url = "{self.house.engine.url}"\nseries_path = "{self.folder / "series.db"}"\n', "utf-8"
        )
        return path


@pytest.fixture(scope="session")
def lived(house_in: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[datetime], str]:
    """Every day of 92 with faults, repairs, moves, timetables, class sizes and settings; everything in time."""
    folder = tmp_path_factory.mktemp("three-months")
    house = house_in(folder, fresh=True)
    chance = random.Random(4)
    holiday, days = enter_holiday(house, (NOW + timedelta(days=21)).date()), list[datetime]()
    for day in range(DAYS):
        at = NOW + timedelta(days=day, seconds=chance.random())
        for name in chance.sample(PCS, 4):
            role = chance.choice((Role.STANDARD, Role.STANDARD, Role.LOW_MEMORY, Role.SMALL_DISK, Role.NO_INTERNET))
            house.speak(name, role, at=at, minutes=1)
        house.listen(at - timedelta(days=1), at)
        name = chance.choice(PCS)
        match chance.randrange(6):
            case 0:
                house.revise(Device, name, at, state=chance.choice(("in_service", "in_repair", "retired")))
            case 1:
                school = chance.choice(("cs", "th"))
                house.revise(Device, name, at, school_id=school, room_id=f"{school}-room")
            case 2:
                house.revise(Room, "cs-room", at, timetable=chance.choice(("always", "never", "Mon-Sat 07:00-11:30")))
            case 3:
                house.revise(Room, "th-room", at, class_size=chance.randint(2, 9))
            case 4:
                house.set_parameter("quan", "stale_after", chance.choice((60.0, 900.0, 1800.0)))
        house.evaluate(at)
        days.append(at)
    house.close()
    return folder, days, holiday


@pytest.fixture
def past(house_in: Callable[..., Any], lived: tuple[Path, list[datetime], str], tmp_path: Path) -> Iterator[Past]:
    """A copy that one may do something to."""
    folder, days, holiday = lived
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    found = Past(house_in(tmp_path), tmp_path, list(days), holiday)
    yield found
    found.house.close()


def enter_holiday(house: Any, day: date) -> str:
    """Record that the whole district had a day off; give the entry's id."""
    with house.sessions() as session:
        row, _ = put(session, "quan", NewEntry(CalendarKind.HOLIDAY, day, day, "nghỉ bão"))
        session.commit()
        return row.id


def changed_pack(folder: Path) -> list[str | Path]:
    """Give the packs with a stricter TB-01, under a new version."""
    shutil.copytree(Path(phongmay_rules.__file__).parent / "packs" / "tanbinh-2023", folder / "pack")
    standard, cases = folder / "pack" / "standard.toml", folder / "pack" / "cases" / "TB-01.toml"
    text = standard.read_text("utf-8")
    version = next(line for line in text.splitlines() if line.startswith("version = "))
    text = text.replace(version, 'version = "2099-1"', 1)
    assert "value = 4_294_967_296" in text
    standard.write_text(text.replace("value = 4_294_967_296", "value = 17_179_869_184", 1), "utf-8")
    stated = cases.read_text("utf-8").replace("4_294_967_296", "17_179_869_184")
    cases.write_text(stated.replace("8_589_934_592", "34_359_738_368"), "utf-8")
    return [folder / "pack", *(name for name in RulesSettings().packs if name != "tanbinh-2023")]


# -- what may happen to a past ---------------------------------------------------------------------------------------


def late_data(past: Past) -> None:
    """Spools of frozen or unplugged PCs arrive: what they measured in weeks long judged, and other hardware with it."""
    for day in LATE_DAYS:
        for name in PCS:
            past.house.speak(name, Role.LOW_MEMORY, at=past.days[day] - timedelta(minutes=2), minutes=30, late=True)


def corrected_calendar(past: Past) -> None:
    """Holidays are entered months afterwards, and one that had been known is taken back."""
    for day in CORRECTED_DAYS:
        enter_holiday(past.house, past.days[day].date())
        enter_holiday(past.house, (past.days[day] - timedelta(days=3)).date())
    with past.house.sessions() as session:
        remove(session, past.holiday)
        session.commit()


def new_pack(past: Past) -> None:
    """The rules change under a new version; old runs name the old one."""
    past.house.pack = load_packs(changed_pack(past.folder))


def dropped_raw(past: Past) -> None:
    """Every table of raw measurements is emptied; the rest of the series stays until `dropped_files`."""
    for file in [path for path in past.folder.rglob("*.db") if path.name != "register.db"]:
        with sqlite3.connect(file) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in [name for name in tables if name.startswith("m_")]:
                connection.execute(f"DELETE FROM {table}")
        connection.close()


def dropped_files(past: Past) -> None:
    """The files of the series are gone, roll-ups and all; the store begins anew."""
    past.house.series.close()
    for path in past.folder.glob("series*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    past.house.series = open_writer(StoreSettings(series_path=past.folder / "series.db"))


def assert_identical(past: Past, units: Sequence[str] = UNITS) -> None:
    """Every verdict of every unit on every day comes out as it stands, and every chain is sound."""
    judged = 0
    with past.house.sessions() as session:
        for at in past.days:
            for unit in units:
                result = replay(session, unit, at)
                assert [found.sentence() for found in result.differences] == [], at
                judged += len(result.judged)
        assert [found for unit in units_with_chain(session) for found in verify(session, unit).breaks] == []
    assert judged > DAYS * 30


def told(past: Past, capsys: pytest.CaptureFixture[str]) -> dict[Why, int]:
    """Ask the command what differs of three days: how many facts for which reason, each printed with its reason."""
    found: dict[Why, int] = {}
    for day in LOOKED_AT:
        with past.house.sessions() as session:
            expected = recompute(session, past.house.series, "quan", past.days[day])
        when = past.days[day].isoformat()
        arguments = ["--config", str(past.config), "verdicts", "recompute", "--unit", "quan", "--at", when]
        assert main(arguments) == bool(expected)
        lines = capsys.readouterr().out.splitlines()
        assert lines == [*(one.sentence() for one in expected), f"{len(expected)} facts differ; nothing was written"]
        for one in expected:
            found[one.why] = found.get(one.why, 0) + 1
    return found


def test_nothing_happened(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    """The facts of three months in which all data came in time come out as they are stored."""
    assert told(past, capsys) == {}


@pytest.mark.parametrize(
    ("happening", "reasons"),
    [
        (late_data, {Why.LATE}),
        (corrected_calendar, {Why.CALENDAR}),
        (new_pack, set()),
        (dropped_raw, {Why.DROPPED}),
    ],
)
def test_one_thing_happened(
    past: Past, capsys: pytest.CaptureFixture[str], happening: Callable[[Past], None], reasons: set[Why]
) -> None:
    """After each of them alone, and one more evaluation, every day replays identically, and recomputing says what
    differs: for this reason and no other."""
    happening(past)
    past.evaluate()
    assert set(told(past, capsys)) == reasons
    if happening is dropped_raw:
        dropped_files(past)
        past.evaluate()
        assert set(told(past, capsys)) == reasons
    assert_identical(past, units=("cs", "th", "quan"))  # the others have no devices of their own


@pytest.mark.timeout(300)  # a quarter of a minute of work, which five people on two cores stretch
def test_everything_happened(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other, with an evaluation after each, and a place and a state corrected for the past besides."""
    late_data(past)
    past.evaluate()
    corrected_calendar(past)
    for name in PCS[:3]:
        past.house.revise(Device, name, past.days[30], school_id="th", room_id="th-room")
    past.house.revise(Room, "th-room", past.days[10], timetable="always")
    past.evaluate()
    new_pack(past)
    past.evaluate()
    assert {Why.LATE, Why.CALENDAR, Why.OTHER} <= set(told(past, capsys))
    dropped_raw(past)
    past.evaluate()
    dropped_files(past)
    past.evaluate()
    assert_identical(past)
    assert Why.DROPPED in told(past, capsys)
