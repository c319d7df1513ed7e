"""The commands around the collector: dead letters on the console, and sentences instead of tracebacks."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from phongmay_store.series import open_writer
from phongmay_store.series.interface import DeadLetter

pytestmark = pytest.mark.integration


def run(house: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ours as a user would."""
    command = [sys.executable, "-m", "phongmay", "--config", str(house.config), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_dead_letters_are_listed_and_shown_without_driving_the_terminal(house: Any) -> None:
    """Payloads come from outside: what is printed is text, with every control character escaped."""
    with closing(open_writer(house.settings.store)) as series:
        letters = [
            DeadLetter(0, "phongmay/v1/pc-one/round", "wrong_type", "usage.x is str", b'{"v":1}', 1.795e9),
            DeadLetter(0, "phongmay/v1/pc-one/round", "not_json", "\x1b[2J", b"\x1b[2J\xff{", 1.795e9),
        ]
        series.write([], dead=letters)
    listing = run(house, "deadletters", "list")
    assert listing.returncode == 0
    assert [line.split()[0] for line in listing.stdout.splitlines()] == ["1", "2"]
    assert "+07:00  wrong_type" in listing.stdout, "local time, as a person reads it"
    assert '"v": 1' in run(house, "deadletters", "show", "1").stdout
    shown = run(house, "deadletters", "show", "2").stdout
    assert "\\x1b[2J" in shown
    assert "\x1b" not in listing.stdout + shown


def test_what_is_not_there_is_said_in_a_sentence(house: Any) -> None:
    """No store yet, no such letter, no password of the collector: exit code 2 and what to do."""
    for arguments, words in (
        (("deadletters", "list"), "phongmay collector run"),
        (("collector", "check-config"), "phongmay broker files"),
        (("collector", "run"), "phongmay broker files"),
        (("deadletters", "show", "7"), "no dead letter 7"),  # the run before has made the store
    ):
        done = run(house, *arguments)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_check_config_says_good_once_the_files_are_there(house: Any) -> None:
    """It touches nothing: not even the store is made."""
    assert run(house, "broker", "files").returncode == 0
    done = run(house, "collector", "check-config")
    assert (done.returncode, done.stderr) == (0, "")
    assert "good" in done.stdout
    assert not house.settings.store.series_path.exists()


def elsewhere(house: Any, tmp_path: Path) -> Path:
    """Point a house's settings to an empty folder, which is given back."""
    folder = tmp_path / "new"
    folder.mkdir()
    house.config.write_text(house.config.read_text("utf-8").replace(str(tmp_path), str(folder)), "utf-8")
    return folder


def test_asking_makes_no_register(house: Any, tmp_path: Path) -> None:
    """An empty file of whoever only asked (root) would shut the service's user out; the remedy is named."""
    folder = elsewhere(house, tmp_path)
    for arguments in (("collector", "check-config"), ("broker", "files"), ("rules", "run")):
        done = run(house, *arguments)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
        assert "phongmay register migrate" in done.stderr
        assert not list(folder.iterdir())


def test_a_register_is_its_owners_only(house: Any, tmp_path: Path) -> None:
    """It holds hashes of passwords and sealed keys: mode 600, whatever the umask says."""
    folder = elsewhere(house, tmp_path)
    assert run(house, "register", "migrate").returncode == 0
    (file,) = folder.glob("register*.db")
    assert file.stat().st_mode & 0o777 == 0o600


def test_check_config_names_the_store_that_is_used(house: Any) -> None:
    """With the series in InfluxDB its address is told, not the file that nobody opens."""
    assert run(house, "broker", "files").returncode == 0
    text = house.config.read_text("utf-8")
    house.config.write_text(text.replace("[store]", '[store]\nseries = "influx"', 1), "utf-8")
    said = run(house, "collector", "check-config").stdout
    assert "series http://127.0.0.1:8086 (phongmay)" in said
