"""A school day played in seconds over real connections: the rows lie where they were measured, and none is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from phongmay_simulate import fleet_file, ledger, population, school_day
from phongmay_simulate.district import LOCAL, Role
from phongmay_simulate.enrolling import Identity

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def phongmay(config: Path, *words: str) -> tuple[int, str]:
    """Run the command; gives exit code and output."""
    command = [sys.executable, "-m", "phongmay", "--config", str(config), "simulate", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=150)
    return done.returncode, done.stdout + done.stderr


def test_a_day_in_seconds_keeps_its_own_times_and_loses_nothing(house: Any, mosquitto: str) -> None:
    """Provision, play, compare: 0 lost, 0 doubled, and every row at its own time of the played day.

    A run whose birth did not get through in time is timed by its wall clock, which is right but for dead batteries.
    """
    yesterday = datetime.now(LOCAL).date() - timedelta(days=1)
    if yesterday.weekday() == 6:  # on Sunday nobody is there
        yesterday -= timedelta(days=1)
    fleet, book = house.folder / "fleet.json", house.folder / "ledger.json"
    house.start_broker()
    size = ("--schools", "1", "--pcs", "20", "--seed", "4")
    code, said = phongmay(house.config, "provision", *size, "--fleet", str(fleet))
    assert code == 0, said
    assert fleet.stat().st_mode & 0o077 == 0, "secrets are for their user only"
    house.start_collector()
    code, said = phongmay(
        house.config, "day", "--fleet", str(fleet), "--date", str(yesterday), "--seconds", "12", "--interval", "300",
        "--twice", "0.1", "--late", "0.1", "--ledger", str(book),
    )  # fmt: skip
    assert code == 0, said
    code, said = phongmay(house.config, "compare", "--ledger", str(book))
    assert code == 0, said
    found = json.loads(said)
    assert (found["lost"], found["doubled"], found["refused"]) == (0, 0, 0)
    assert found["stored"] > 500
    people, _ = fleet_file.read(fleet)
    hours = school_day.window(yesterday)
    bases: Counter[str] = Counter()
    slack = 30.0  # an offset that was learnt on a busy machine holds the delay of that message
    with house.series() as series:
        for member in people.speakers():
            rows = series.range(member.id, "usage", hours.start - 3600, hours.end + 3600, limit=5000)
            if member.role is not Role.CLONED:  # two machines under one name: their births contradict each other
                stays = school_day.stays(member, people.seed, yesterday)
                bases.update(row.basis for row in rows)
                for row in rows:
                    assert any(stay.start - slack <= row.at <= stay.end + slack for stay in stays), (member, row.at)
        wrong = [member.id for member in people.speakers() if member.role is Role.CLOCK_2009]
        letters = series.dead_letters()
    assert letters == []
    assert bases["guess"] == 0
    assert bases["live"] > bases["wall"]
    made = Counter({entry["device"]: entry["made"] for entry in ledger.read(book)})
    assert all(made[device] for device in wrong)
    code, said = phongmay(house.config, "provision", "--schools", "1", "--fleet", str(house.folder / "again.json"))
    assert code == 2
    assert "holds simulated schools already" in said


def test_a_day_that_is_not_over_cannot_be_played(house: Any, tmp_path: Path) -> None:
    """The future must not get into a store."""
    people = population.build(1, 1, 2)
    file = tmp_path / "fleet.json"
    fleet_file.write(file, people, {m.id: Identity(m.id, "0" * 64, "127.0.0.1", 1) for m in people.speakers()})
    code, said = phongmay(house.config, "day", "--fleet", str(file), "--date", "2090-01-02")
    assert code == 2
    assert "--live" in said
    assert "Traceback" not in said
    code, said = phongmay(house.config, "day", "--fleet", str(tmp_path / "none.json"))
    assert code == 2
    assert "phongmay simulate provision" in said
