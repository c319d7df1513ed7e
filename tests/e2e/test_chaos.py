"""Everything goes wrong at once, and nothing is lost or doubled: `scripts/bench chaos`, bounded, on both engines.

The judge itself is tested in tests/unit/simulate/test_ledger.py: it names what is missing and what is there twice.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
SECONDS = 20


def chaos(series: str, seed: int) -> dict[str, int]:
    """Run one chaos and give its figures."""
    command = [sys.executable, "-m", "benchmarks", "chaos", "--minutes", str(SECONDS / 60), "--seed", str(seed)]
    done = subprocess.run(
        [*command, "--series", series, "--pcs", "15"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    figures: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return figures


def judged(figures: dict[str, int]) -> None:
    """Assert the law, and that there was something to judge."""
    assert (figures["lost"], figures["doubled"], figures["refused"]) == (0, 0, 0)
    assert figures["faults"] >= 5
    assert figures["receipted"] >= 200
    assert figures["stored"] >= figures["receipted"]


def test_chaos_on_sqlite_loses_and_doubles_nothing(mosquitto: str) -> None:
    """Broker, collector and agents die and stand still, the disk fills, the store is locked, PCs restart and freeze."""
    judged(chaos("sqlite", 4))


def test_chaos_on_influxdb_loses_and_doubles_nothing(mosquitto: str, influxd_program: str) -> None:
    """The same with a real influxd that is killed and stopped: what it took twice it holds once."""
    judged(chaos("influx", 8))
