"""What `phongmay simulate` is asked for: numbers that would never end, or be divided by, are refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phongmay.main import main

FLEET = ("--fleet", "fleet.json")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("day", *FLEET, "--interval", "0"), "--interval: 0 is not from 1 to 86400"),
        (("day", *FLEET, "--interval", "nan"), "--interval: nan is not from 1 to 86400"),
        (("day", *FLEET, "--seconds", "0"), "--seconds: 0 is not from 0.1 to inf"),
        (("day", *FLEET, "--twice", "7"), "--twice: 7 is not from 0 to 1"),
        (("day", *FLEET, "--late", "-1"), "--late: -1 is not from 0 to 1"),
        (("load", *FLEET, "--rate", "nan"), "--rate: nan is not from 0.01 to 100000"),
        (("load", *FLEET, "--rate", "fast"), "--rate: invalid number value: 'fast'"),
        (("load", *FLEET, "--seconds", "-1"), "--seconds: -1 is not from 0.1 to inf"),
        (("load", *FLEET, "--connections", "0"), "--connections: 0 is not from 1 to 20000"),
        (("provision", *FLEET, "--schools", "1.5"), "--schools: invalid whole number value: '1.5'"),
        (("history", *FLEET, "--days", "0"), "--days: 0 is not from 1 to 3660"),
        (("run", "--server", "x", "--tokens", "t", "--interval", "0"), "--interval: 0 is not from 1 to 86400"),
    ],
)
def test_a_number_out_of_bounds_is_refused(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interval of nothing played one instant for ever, until all memory was taken; a share is at most all."""
    with pytest.raises(SystemExit) as ended:
        main(["simulate", *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("secrets", "asked"), [({}, ()), ({"sim-1": "ab" * 32}, ("--connections", "5"))])
def test_more_connections_than_devices_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], secrets: dict[str, str], asked: tuple[str, ...]
) -> None:
    """A load that is quieter than it says would measure nothing."""
    fleet = tmp_path / "fleet.json"
    content = {"seed": 1, "schools": 1, "pcs": 1, "faults": False, "gateways": False, "broker": ["127.0.0.1", 9]}
    fleet.write_text(json.dumps({**content, "secrets": secrets}), "utf-8")
    assert main(["simulate", "load", "--fleet", str(fleet), *asked]) == 2
    assert (
        f"--connections {asked[1] if asked else 'all'}: {fleet} has {len(secrets)} devices" in capsys.readouterr().err
    )
