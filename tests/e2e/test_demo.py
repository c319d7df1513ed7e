"""The demo as a user meets it: it comes up, says where to look, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.e2e
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/")
PATIENCE_S = 60.0


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """A demo that has said its address; ended for sure after the test."""
    folder = tmp_path / "data"
    process = subprocess.Popen(
        [sys.executable, "-m", "phongmay", "demo", "--data", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"},
    )
    assert process.stdout is not None
    said = ""
    end = time.monotonic() + PATIENCE_S
    while "Ctrl-C" not in said and time.monotonic() < end:
        line = process.stdout.readline()
        assert line, said
        said += line
    found = ADDRESS.search(said)
    assert found, said
    yield process, found[0], folder
    for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
        child.kill()
    process.kill()
    process.wait()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda s: signal.Signals(s).name)
def test_one_signal_stops_all_of_it(demo: tuple[subprocess.Popen[str], str, Path], sent: signal.Signals) -> None:
    """Ctrl-C, a service manager or a closed terminal: every process ends, cleanly, and the files stay where asked."""
    process, address, folder = demo
    with urllib.request.urlopen(f"{address}health", timeout=10) as answer:
        assert answer.status == 200
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 6
    process.send_signal(sent)
    assert process.wait(PATIENCE_S) == 0
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
    assert "Traceback" not in "".join(path.read_text("utf-8") for path in folder.glob("*.log"))


def test_a_directory_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    """A demo must not write over what somebody keeps."""
    (tmp_path / "letter.txt").write_text("keep me", "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "phongmay", "demo", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "letter.txt"]
