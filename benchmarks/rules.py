"""`scripts/bench rules [--quick]`: what it costs to judge a district and a city, stores on disk, commit included.

Five thousand PCs in 200 schools and 125,000 in 2,500, all packs in force, one core. Reference: a bare SELECT of the
present facts through the same library in the same process. `--quick` takes a tenth of the city.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from benchmarks._district import Size, change_one, device_ids, lay_out, next_minute
from phongmay_simulate.district import Role

DISTRICT = Size(200, 25)
CITY = Size(2500, 50)
QUICK_CITY = Size(250, 50)
SCHOOL_DAYS = 22
"""Of minute masks behind the district's first evaluation: what 30 days hold. The city has the last day only."""
SINGLE_CHANGES = 20
MINUTE = 60.0


class Ask(Protocol):
    """Tells the engine what to do and gives its answer."""

    def __call__(self, *words: object) -> dict[str, Any]:
        """Send one line."""
        ...


def run(arguments: list[str]) -> None:
    """Measure and print."""
    city = QUICK_CITY if "--quick" in arguments else CITY
    figures: dict[str, tuple[float, str]] = {}
    with tempfile.TemporaryDirectory(prefix="phongmay-bench-") as name:
        folder = Path(name)
        start = lay_out(folder, DISTRICT, SCHOOL_DAYS).timestamp()
        with _engine(folder) as ask:
            first, bare = ask("evaluate", start), ask("select")
            figures["first_5000_s"] = (first["seconds"], f"{_written(first)}; {_against(first, bare)}")
            times = _single_changes(folder, ask, start + MINUTE)
            figures["incremental_ms"] = (
                1e3 * statistics.median(times), f"median of {len(times)} inventories; slowest {1e3 * max(times):.0f}",
            )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="phongmay-bench-") as name:
        folder = Path(name)
        start = lay_out(folder, city).timestamp()
        with _engine(folder) as ask:
            first = ask("evaluate", start)
            next_minute(folder, city, start + MINUTE, 2, range(0, city.devices, 100))
            steady = ask("evaluate", start + MINUTE)
            next_minute(folder, city, start + 2 * MINUTE, 4)
            quiet = ask("evaluate", start + 2 * MINUTE)
            times = _single_changes(folder, ask, start + 3 * MINUTE)
        with _engine(folder) as ask:
            bare = ask("select")
        select_s = bare["seconds"]
        note = f"of {city.devices} PCs in {city.schools} schools"
        figures |= {
            "first_125000_s": (first["seconds"], f"{note}, {_written(first)}; {_against(first, bare)}"),
            "steady_125000_1pct_s": (steady["seconds"], f"{_written(steady)}; {_against(steady, bare)}"),
            "steady_125000_0pct_s": (quiet["seconds"], f"nothing changed but the time; {_against(quiet, bare)}"),
            "incremental_125000_ms": (1e3 * statistics.median(times), f"slowest {1e3 * max(times):.0f}"),
            "peak_mib": (quiet["peak"], "resident memory of the engine's process; after the first evaluation "
                         f"{first['peak']:.0f}"),
            "select_125000_s": (select_s, f"bare SELECT of {bare['facts']} facts"),
        }  # fmt: skip
    print(f"{'figure':<24}{'value':>12}   reference of the same run")
    for key, (value, reference) in figures.items():
        print(f"{key:<24}{value:>12.3f}   {reference}")
    print(json.dumps({key: round(value, 3) for key, (value, _) in figures.items()}))


def _written(answer: Mapping[str, Any]) -> str:
    return f"{answer['facts']} facts, {answer['changed']} verdicts written"


def _against(answer: Mapping[str, Any], bare: Mapping[str, Any]) -> str:
    """Give the processor's own time, which other work on the machine stretches less, and the ratio to the SELECT."""
    ratio = answer["cpu_s"] / bare["cpu_s"]
    return f"CPU {answer['cpu_s']:.2f} s = {ratio:.2f} x SELECT's {bare['cpu_s']:.2f}"


def _single_changes(folder: Path, ask: Ask, at: float) -> list[float]:
    """Change one PC's memory again and again, and look at it each time."""
    device = device_ids(DISTRICT)[7]
    times = []
    for number in range(SINGLE_CHANGES):
        role = Role.LOW_MEMORY if number % 2 == 0 else Role.STANDARD
        change_one(folder, 7, device, at + number, 10 + number, role)
        answer = ask("follow", at + number, device)
        if answer["changed"] == 0:
            raise RuntimeError("a changed device changed no verdict: the benchmark measures nothing")
        times.append(answer["seconds"])
    return times


@contextmanager
def _engine(folder: Path) -> Iterator[Ask]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks._rules_engine", str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip

        def ask(*words: object) -> dict[str, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            print(*words, file=process.stdin, flush=True)
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the engine's process ended at {words}")
            answer: dict[str, Any] = json.loads(line)
            return answer

        try:
            yield ask
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait(60)
