"""The demo's children end together, and nothing of them stays."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from phongmay.demo import processes
from phongmay.demo.processes import Children

PATIENT = """
import pathlib, signal, sys, time
folder, name, others = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
def told(*_):
    (folder / f"{name}.told").touch()
    while not all((folder / f"{other}.told").exists() for other in others):
        time.sleep(0.01)
    sys.exit(0)
signal.signal(signal.SIGTERM, told)
(folder / f"{name}.ready").touch()
while True:
    time.sleep(0.1)
"""
STUBBORN = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) > 2:
    subprocess.Popen([sys.executable, "-m", "stubborn", sys.argv[1]], start_new_session=True)
(pathlib.Path(sys.argv[1]) / f"{len(sys.argv)}.ready").touch()
if len(sys.argv) == 4:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the children's programs."""
    (tmp_path / "patient.py").write_text(PATIENT, "utf-8")
    (tmp_path / "stubborn.py").write_text(STUBBORN, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_all_are_told_before_any_is_waited_for(folder: Path, wait_until: Callable[..., object]) -> None:
    """Each of these ends only when all the others have been told: one by one, none would ever end by itself."""
    children, names = Children(folder), ["a", "b", "c"]
    made = [children.start(name, ["patient", str(folder), name, *names]) for name in names]
    wait_until(lambda: all((folder / f"{name}.ready").exists() for name in names), "all are there")
    children.stop_all()
    assert [child.process.returncode for child in made] == [0, 0, 0]


@pytest.mark.parametrize("more", [["with-child"], ["with-child", "polite"]], ids=["stubborn", "orphaned"])
def test_what_does_not_listen_is_killed_with_what_it_started(
    folder: Path, wait_until: Callable[..., object], monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    """Also what a child has started in a session of its own, whether or not the child ends by itself."""
    monkeypatch.setattr(processes, "STOP_S", 0.5)
    children = Children(folder)
    child = children.start("stubborn", ["stubborn", str(folder), *more])
    both = [folder / "2.ready", folder / f"{2 + len(more)}.ready"]
    wait_until(lambda: all(path.exists() for path in both), "both are there")
    (orphan,) = psutil.Process(child.process.pid).children()
    start = time.monotonic()
    children.stop_all()
    assert time.monotonic() - start < 10
    assert child.process.returncode in (-9, -15)
    assert psutil.wait_procs([orphan], 5)[1] == []
