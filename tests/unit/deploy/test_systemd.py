"""The unit files: systemd accepts them, they take rights away, and they run commands that exist."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from phongmay.main import build_parser as server_parser
from phongmay_agent.main import build_parser as agent_parser
from tests.conftest import missing

UNITS = sorted((Path(__file__).parents[3] / "deploy" / "systemd").glob("*.service"))
EXPOSURE = 25
"""Of 100, by systemd's own scale; an ordinary unit has 96."""


def command(unit: Path) -> list[str]:
    """Give the command line of a unit; instance 1 of a template."""
    line = re.search(r"^ExecStart=(.+)$", unit.read_text("utf-8"), re.MULTILINE)
    assert line
    return shlex.split(line[1].replace("%i", "1"))


@pytest.fixture
def analyze(tmp_path: Path) -> list[str]:
    """systemd-analyze, and the units in a folder where the program is this one."""
    tool = shutil.which("systemd-analyze") or missing("systemd-analyze is not installed: apt install systemd")
    for unit in UNITS:
        text = unit.read_text("utf-8").replace("/opt/phongmay/bin/", f"{Path(sys.executable).parent}/")
        (tmp_path / unit.name.replace("@.", "@1.")).write_text(text, "utf-8")
        (tmp_path / unit.name).write_text(text, "utf-8")
    return [tool]


def test_there_is_a_unit_for_every_process() -> None:
    """Whatever runs for ever has its unit."""
    verbs = {" ".join(command(unit)[3:5]) for unit in UNITS}
    assert verbs == {
        "broker run", "collector run", "rules run", "api run", "campaigns run", "bandwidth-server run",
        "dashboards feed", "run",
    }  # fmt: skip


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_its_command_line_is_one_that_the_program_takes(unit: Path) -> None:
    """A unit does not start what does not exist."""
    program, *arguments = command(unit)
    parser = agent_parser() if program.endswith("phongmay-agent") else server_parser()
    parser.parse_args(arguments)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_it(unit: Path, analyze: list[str], tmp_path: Path) -> None:
    """No unknown key, no wrong value, no program that is missing."""
    path = tmp_path / unit.name.replace("@.", "@1.")
    done = subprocess.run(
        [*analyze, "verify", "--man=no", "--recursive-errors=no", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "phongmay" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_it_runs_with_few_rights(unit: Path, analyze: list[str], tmp_path: Path) -> None:
    """An own user, no capability, and by systemd's own scale well protected."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign] # systemd's keys have capitals
    parser.read_string(unit.read_text("utf-8"))
    service = dict(parser["Service"])
    assert service["User"] not in ("", "root")
    assert service["CapabilityBoundingSet"] == ""
    assert service["NoNewPrivileges"] == "yes"
    assert service["Restart"] == "on-failure"
    path = tmp_path / unit.name.replace("@.", "@1.")
    done = subprocess.run(
        [*analyze, "security", "--no-pager", "--offline=true", f"--threshold={EXPOSURE}", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-300:]


def test_the_collector_sees_the_brokers_process() -> None:
    """It tells Mosquitto to read its files again: neither unit may hide the other's process."""
    for name in ("phongmay-broker.service", "phongmay-collector@.service"):
        text = next(unit for unit in UNITS if unit.name == name).read_text("utf-8")
        assert "ProcSubset" not in text
        assert "User=phongmay\n" in text
