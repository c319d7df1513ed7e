"""Runs mutmut for scripts/mutate: names of mutants go in, a table of those that live comes out.

A run stands in build/mutate with copies of what is mutated and of its tests; it is begun anew when one of these files,
or a package that the tests use, has changed. Mutants that ran out of time, crashed or were interrupted are tried again
one at a time before they count, since mutmut's time limits hold for an idle machine. What times out twice counts as
killed (a loop without end), and is named.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

MOST_ALIVE = 0.05
ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "mutate"
COPIED = (
    ("rules/phongmay_rules", "phongmay_rules"),
    ("pyproject.toml", "pyproject.toml"),
    ("tests/conftest.py", "tests/conftest.py"),
    ("tests/rules", "tests/rules"),
    ("tests/unit/rules", "tests/unit/rules"),
    ("benchmarks/__init__.py", "benchmarks/__init__.py"),
    ("benchmarks/_postgres.py", "benchmarks/_postgres.py"),
)
USED = ("contract", "bandwidth", "store", "requirements/dev.txt", "scripts/mutate.py")
UNSURE = ("timeout", "suspicious", "segfault", "check was interrupted by user")
ALIVE = ("survived", "no tests", "suspicious", "segfault")


def main(patterns: list[str]) -> int:
    """Try mutants and report; give the exit code."""
    is_begun = _prepare()
    names = [name for name, status in _statuses().items() if status == "not checked" and _matches(name, patterns)]
    if not is_begun:
        _mutmut(os.environ.get("MUTATE_CHILDREN", "2"), patterns)
    elif names:
        print(f"goes on: {len(names)} mutants are left", flush=True)
        _mutmut(os.environ.get("MUTATE_CHILDREN", "2"), names if patterns else [])
    again = [name for name, status in _statuses().items() if status in UNSURE and _matches(name, patterns)]
    if again:
        print(f"{len(again)} mutants timed out or crashed: once more, one at a time", flush=True)
        _mutmut("1", again)
    return _report({name: status for name, status in _statuses().items() if _matches(name, patterns)})


def _prepare() -> bool:
    """Copy what is mutated and its tests; give whether a run of exactly these files was begun before."""
    stamp, state = PLACE / "files.sha256", _state()
    if stamp.exists() and stamp.read_text() == state:
        _mend()
        return (PLACE / "mutants" / "mutmut-stats.json").exists()
    shutil.rmtree(PLACE, ignore_errors=True)
    for source, target in COPIED:
        (PLACE / target).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, PLACE / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, PLACE / target)
    stamp.write_text(state)
    return False


def _mend() -> None:
    """Forget results that mutmut was writing when it was killed: those of one file; it is mutated anew."""
    for results in (PLACE / "mutants").rglob("*.meta"):
        try:
            json.loads(results.read_text())
        except json.JSONDecodeError:
            results.unlink()
            results.with_suffix("").unlink(missing_ok=True)


def _state() -> str:
    digest = hashlib.sha256()
    for name in (*(source for source, _ in COPIED), *USED):
        top = ROOT / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _mutmut(children: str, names: list[str]) -> None:
    """Run mutmut; its progress, a line for each mutant, goes to the terminal only, else into the folder's log."""
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", children, *names]
    with (PLACE / "log").open("ab") as log:
        to = None if sys.stdout.isatty() else log
        code = subprocess.run(  # noqa: S603 # our own interpreter; names are the caller's
            command, cwd=PLACE, env=_environment(), check=False, stdout=to, stderr=to
        ).returncode
    if code:
        print(f"mutate: mutmut ended with code {code}; its last words stand in {PLACE / 'log'}", file=sys.stderr)
        raise SystemExit(2)


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "PHONGMAY_TEST_REGISTERS": "sqlite",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(PLACE / ".hypothesis"),
    }


def _ask(*arguments: str) -> str:
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(  # noqa: S603 # our own interpreter, fixed words
        command, cwd=PLACE, env=_environment(), check=True, capture_output=True, text=True
    ).stdout


def _statuses() -> dict[str, str]:
    """Give the status of every mutant by its name."""
    if not (PLACE / "mutants").is_dir():
        return {}
    lines = (line.strip().rsplit(": ", 1) for line in _ask("results", "--all", "true").splitlines())
    return {line[0]: line[1] for line in lines if len(line) == 2}


def _matches(name: str, patterns: list[str]) -> bool:
    return not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _report(statuses: dict[str, str]) -> int:
    by_status: dict[str, list[str]] = defaultdict(list)
    for name, status in statuses.items():
        by_status[status].append(name)
    alive = sorted(name for status in ALIVE for name in by_status[status])
    (PLACE / "survivors.txt").write_text("".join(f"{name}: {statuses[name]}\n" for name in alive))
    functions: dict[str, list[str]] = defaultdict(list)
    for name in alive:
        function, number = name.rsplit("__mutmut_", 1)
        functions[function].append(number + ("" if statuses[name] == "survived" else f" ({statuses[name]})"))
    tried = sum(map(len, by_status.values())) - len(by_status["not checked"])
    print("| function | mutants that live |\n|---|---|")
    for function, numbers in sorted(functions.items()):
        print(f"| `{_readable(function)}` | {', '.join(sorted(numbers, key=lambda n: int(n.split()[0])))} |")
    for name in sorted(by_status["timeout"]):
        print(f"timed out twice, counted as killed: {name}")
    print(
        f"{tried} mutants, {len(by_status['killed'])} killed, {len(by_status['timeout'])} timed out, "
        f"{len(by_status['survived'])} survived, {len(by_status['no tests'])} met by no test, "
        f"{len(by_status['suspicious']) + len(by_status['segfault'])} crashed: "
        f"{100 * len(alive) / max(tried, 1):.1f} % alive"
    )
    if by_status["not checked"]:
        print(f"mutate: {len(by_status['not checked'])} mutants were not tried; say it again", file=sys.stderr)
        return 2
    return int(len(alive) > MOST_ALIVE * tried)


def _readable(function: str) -> str:
    """Turn mutmut's name of a function (x_ before it, xǁClassǁ around its class) back into the source's."""
    module, _, name = function.rpartition(".")
    parts = name.removeprefix("xǁ").split("ǁ") if name.startswith("xǁ") else [name.removeprefix("x_")]
    return ".".join([module.removeprefix("phongmay_rules."), *parts])


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("mutate: interrupted; the same command goes on where it was", file=sys.stderr)
        raise SystemExit(130) from None
