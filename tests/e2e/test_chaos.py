"""Everything goes wrong at once, and nothing is lost or doubled: `scripts/bench chaos`, bounded, on all engines.

Three minutes of it in all: each combination of engines for 45 s, all four at the same time, since what goes wrong is
mostly waiting. The judge itself is tested in tests/unit/simulate/test_ledger.py: it names what is missing and what is
there twice; that a program which ends is judged, below.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks._chaos_program import ChaosError, Program
from benchmarks._postgres import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
SECONDS = 45
SEEDS = {("sqlite", "sqlite"): 4, ("sqlite", "postgresql"): 11, ("influx", "sqlite"): 8, ("influx", "postgresql"): 12}


def chaos(series: str, register: str) -> subprocess.CompletedProcess[str]:
    """Run one chaos."""
    command = [sys.executable, "-m", "benchmarks", "chaos", "--minutes", str(SECONDS / 60), "--pcs", "10"]
    seed = str(SEEDS[series, register])
    return subprocess.run(
        [*command, "--series", series, "--register", register, "--seed", seed],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def test_chaos_loses_and_doubles_nothing(mosquitto: str, influxd_program: str, postgres: Cluster) -> None:
    """Broker, collector, stores and agents die and stand still, disks fill, PCs restart and freeze."""
    with ThreadPoolExecutor(len(SEEDS)) as pool:
        runs = dict(zip(SEEDS, pool.map(lambda engines: chaos(*engines), SEEDS), strict=True))
    for engines, done in runs.items():
        said = f"{engines}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        assert done.returncode == 0, said
        figures = json.loads(done.stdout.splitlines()[-1])
        assert (figures["series"], figures["register"]) == engines
        assert (figures["lost"], figures["doubled"], figures["refused"]) == (0, 0, 0), said
        assert figures["faults"] >= 10, said
        assert figures["receipted"] >= 200, said
        assert figures["stored"] >= figures["receipted"], said


@pytest.mark.parametrize(
    ("words", "full", "is_finding"),
    [
        ("import sys; print('the disk is full', file=sys.stderr); sys.exit(2)", True, False),
        ("import sys; print('the disk is full', file=sys.stderr); sys.exit(2)", False, True),
        ("import sys; sys.exit(2)", True, True),
        ("import sys; print('bye'); sys.exit(1)", True, True),
        ("raise OSError('disk full')", True, True),
        ("import os; os.abort()", True, True),
    ],
    ids=["clear", "no-reason", "silent", "other-code", "traceback", "aborted"],
)
def test_a_program_may_give_up_by_a_clear_sentence_only(
    tmp_path: Path, words: str, full: bool, is_finding: bool
) -> None:
    """Exit code 2 with a sentence while something is away, or else it is a finding; a full disk hides no last words."""
    program = Program("one", [sys.executable, "-c", words], tmp_path / "one.log")
    program.fill_disk(full)
    program.start()
    assert program.process is not None
    program.process.wait(20)
    if is_finding:
        with pytest.raises(ChaosError, match="ended by itself"):
            program.check()
        return
    program.check()
    assert (program.gave_up, "the disk is full" in program.words()) == (1, True)
    first = program.process
    end = time.monotonic() + 20
    while program.process is first and time.monotonic() < end:
        time.sleep(0.05)
        program.check()
    assert program.process is not first, "a service manager would have started it again"
    program.process.wait(20)
