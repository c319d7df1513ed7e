"""`scripts/bench rules [--quick] [--postgresql] [--district | --city]`: what judging costs, commit included.

Stores lie on disk. Five thousand PCs in 200 schools and 125,000 in 2,500, all packs in force, one core. Reference: a
bare SELECT of the present facts through the same library in the same process. `--quick` takes a tenth of the city;
`--postgresql` does the same once more with the register in a private PostgreSQL that waits for the disk, and prints
ratios to SQLite; `--district` or `--city` takes one part only.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from benchmarks._arguments import Arguments
from benchmarks._district import Size, change_one, device_ids, lay_out, next_minute, register_url
from benchmarks._postgres import Cluster, running
from phongmay_simulate.district import Role

DISTRICT = Size(200, 25)
CITY = Size(2500, 50)
QUICK_CITY = Size(250, 50)
SCHOOL_DAYS = 22
"""Of minute masks behind the district's first evaluation: what 30 days hold. The city has the last day only."""
SINGLE_CHANGES = 20
MINUTE = 60.0
SQLITE, POSTGRESQL = "sqlite", "postgresql"
Figures = dict[str, tuple[float, str]]


class Ask(Protocol):
    """Tells the engine what to do and gives its answer."""

    def __call__(self, *words: object) -> dict[str, Any]:
        """Send one line."""
        ...


def run(arguments: list[str]) -> None:
    """Measure and print."""
    parser = Arguments("rules", __doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the city")
    parser.add_argument("--postgresql", action="store_true", help="once more with the register in PostgreSQL")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--district", action="store_true", help="5,000 PCs only")
    one.add_argument("--city", action="store_true", help="125,000 PCs only")
    args = parser.parse_args(arguments)
    city = QUICK_CITY if args.quick else CITY
    with ExitStack() as stack:
        cluster = stack.enter_context(running(durable=True)) if args.postgresql else None
        found: dict[str, Figures] = {}
        parts = [] if args.city else [_district(cluster)]
        parts += [] if args.district else [_city(cluster, city)]
        for part in parts:
            for engine, figures in part.items():
                found.setdefault(engine, {}).update(figures)
    print(f"{'figure':<36}{'value':>12}   reference of the same run")
    for engine, figures in found.items():
        for key, (value, reference) in figures.items():
            against = f"; {value / found[SQLITE][key][0]:.2f} x {SQLITE}" if engine != SQLITE else ""
            print(f"{_key(engine, key):<36}{value:>12.3f}   {reference}{against}")
    print(json.dumps({_key(e, key): round(value, 3) for e, of in found.items() for key, (value, _) in of.items()}))


def _key(engine: str, figure: str) -> str:
    return figure if engine == SQLITE else f"{engine}_{figure}"


def _registers(folder: Path, cluster: Cluster | None) -> dict[str, str]:
    """Give the URL of an empty register on each engine."""
    urls = {SQLITE: register_url(folder)}
    return urls if cluster is None else urls | {POSTGRESQL: cluster.url(cluster.create())}


def _district(cluster: Cluster | None) -> dict[str, Figures]:
    out: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory(prefix="phongmay-bench-") as name:
        folder = Path(name)
        urls = _registers(folder, cluster)
        start = lay_out(folder, urls.values(), DISTRICT, SCHOOL_DAYS).timestamp()
        for number, (engine, url) in enumerate(urls.items()):
            with _engine(folder, url) as ask:
                first, bare = ask("evaluate", start), ask("select")
                times = _single_changes(folder, ask, start + MINUTE, 10 + number * SINGLE_CHANGES)
            note = f"median of {len(times)} inventories; slowest {1e3 * max(times):.0f}"
            out[engine] = {
                "first_5000_s": (first["seconds"], f"{_written(first)}; {_against(first, bare)}"),
                "incremental_ms": (1e3 * statistics.median(times), note),
            }
    return out


def _city(cluster: Cluster | None, city: Size) -> dict[str, Figures]:
    """Measure the same minutes on each engine, one engine after the other at each step."""
    out: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory(prefix="phongmay-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        urls = _registers(folder, cluster)
        start = lay_out(folder, urls.values(), city).timestamp()
        asks = {engine: stack.enter_context(_engine(folder, url)) for engine, url in urls.items()}
        first = {engine: ask("evaluate", start) for engine, ask in asks.items()}
        next_minute(folder, city, start + MINUTE, 2, range(0, city.devices, 100))
        steady = {engine: ask("evaluate", start + MINUTE) for engine, ask in asks.items()}
        next_minute(folder, city, start + 2 * MINUTE, 4)
        quiet = {engine: ask("evaluate", start + 2 * MINUTE) for engine, ask in asks.items()}
        times = {
            engine: _single_changes(folder, ask, start + 3 * MINUTE, 10 + number * SINGLE_CHANGES)
            for number, (engine, ask) in enumerate(asks.items())
        }
        note = f"of {city.devices} PCs in {city.schools} schools"
        for engine, url in urls.items():
            with _engine(folder, url) as ask:
                bare = ask("select")
            out[engine] = {
                "first_125000_s": (
                    first[engine]["seconds"], f"{note}, {_written(first[engine])}; {_against(first[engine], bare)}",
                ),
                "steady_125000_1pct_s": (
                    steady[engine]["seconds"], f"{_written(steady[engine])}; {_against(steady[engine], bare)}",
                ),
                "steady_125000_0pct_s": (
                    quiet[engine]["seconds"], f"nothing changed but the time; {_against(quiet[engine], bare)}",
                ),
                "incremental_125000_ms": (
                    1e3 * statistics.median(times[engine]), f"slowest {1e3 * max(times[engine]):.0f}",
                ),
                "peak_mib": (
                    quiet[engine]["peak"],
                    f"resident memory of the engine's process; after the first evaluation {first[engine]['peak']:.0f}",
                ),
                "peak_anonymous_mib": (
                    quiet[engine]["anonymous"],
                    "of that without pages of mapped files, which the system takes back; after the first evaluation "
                    f"{first[engine]['anonymous']:.0f}",
                ),
                "select_125000_s": (bare["seconds"], f"bare SELECT of {bare['facts']} facts"),
            }  # fmt: skip
    return out


def _written(answer: Mapping[str, Any]) -> str:
    return f"{answer['facts']} facts, {answer['changed']} verdicts written"


def _against(answer: Mapping[str, Any], bare: Mapping[str, Any]) -> str:
    """Give the processor's own time, which other work on the machine stretches less, and the ratio to the SELECT."""
    ratio = answer["cpu_s"] / bare["cpu_s"]
    return f"CPU {answer['cpu_s']:.2f} s = {ratio:.2f} x SELECT's {bare['cpu_s']:.2f}"


def _single_changes(folder: Path, ask: Ask, at: float, seq: int) -> list[float]:
    """Change one PC's memory again and again, and look at it each time."""
    device = device_ids(DISTRICT)[7]
    times = []
    for number in range(SINGLE_CHANGES):
        role = Role.LOW_MEMORY if number % 2 == 0 else Role.STANDARD
        change_one(folder, 7, device, at + seq + number, seq + number, role)
        answer = ask("follow", at + seq + number, device)
        if answer["changed"] == 0:
            raise RuntimeError("a changed device changed no verdict: the benchmark measures nothing")
        times.append(answer["seconds"])
    return times


@contextmanager
def _engine(folder: Path, url: str) -> Iterator[Ask]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks._rules_engine", str(folder), url],
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
