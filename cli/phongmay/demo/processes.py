"""Child processes of the demo: each is started with its log in a file, watched, and stopped with everything it started.

All are told to end at once and waited for together, for a bounded time; what is left then is killed. A child that ends
by itself raises OperatorError with the last lines of its log.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from phongmay_contract.errors import OperatorError

STOP_S = 10.0


@dataclass(frozen=True, slots=True)
class Child:
    """A running child."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Children:
    """All children, stopped together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []

    def start(self, name: str, arguments: Sequence[str]) -> Child:
        """Start `python -m <arguments>` in a session of its own, so that Ctrl-C reaches only the demo itself."""
        log = self._folder / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 our own interpreter and modules
                [sys.executable, "-m", *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        child = Child(name, process, log)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Make sure that all children still run.

        Raises:
            OperatorError: one has ended; the text holds the end of its log.
        """
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                raise OperatorError(
                    f"{child.name} ended with code {code}; its last words in {child.log}:\n{tail(child)}"
                )

    def stop(self, child: Child) -> int:
        """Ask a child to end, wait, and kill it only if it does not."""
        if child in self._children:
            self._children.remove(child)
        _stop([child])
        return child.process.returncode

    def stop_all(self) -> None:
        """Ask every child to end, wait for all of them, and kill what does not."""
        children, self._children = self._children, []
        _stop(children[::-1])  # who sends is told first


def _stop(children: Sequence[Child]) -> None:
    """Let nothing of some children be left, within `STOP_S` and the time that the system takes to kill."""
    family: list[psutil.Process] = []  # found before, for an orphan has no parent to be found by
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            family += psutil.Process(child.process.pid).children(recursive=True)
    for child in children:
        if child.process.poll() is None:
            child.process.send_signal(signal.SIGTERM)
    end = time.monotonic() + STOP_S
    for child in children:
        try:
            child.process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.process.pid, signal.SIGKILL)  # its own session: nobody else is in the group
    for child in children:
        child.process.wait()
    for orphan in psutil.wait_procs(family, max(0.0, end - time.monotonic()))[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            orphan.kill()


def tail(child: Child, lines: int = 8) -> str:
    """Give the end of a child's log."""
    return "\n".join("  " + line for line in child.log.read_text("utf-8", "replace").splitlines()[-lines:])


def free_port(preferred: int = 0) -> int:
    """Give a loopback port that nobody listens on: the preferred one if it is free."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OperatorError("no free port on 127.0.0.1")


def wait_for_port(port: int, children: Children, patience_s: float = 20.0) -> None:
    """Wait until something listens on a loopback port."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        children.check()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise OperatorError(f"nothing listens on 127.0.0.1:{port} after {patience_s:.0f} s")


def wait_for_url(url: str, children: Children, patience_s: float = 30.0) -> None:
    """Wait until a URL answers 200."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        children.check()
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 our own http URL
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise OperatorError(f"{url} does not answer after {patience_s:.0f} s")
