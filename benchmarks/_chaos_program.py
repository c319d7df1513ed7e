"""One program that chaos plays with: started again and again, killed, stopped, its disk filled; judged when it ends.

Words to run it by go in, what it says goes to one file, through a pipe, so that a full disk of the program does not
hide its last words. A program that ends by itself raises ChaosError, unless something that it needs was away: then it
may give up, with exit code 2 and one clear sentence, and is started again as a service manager does.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from phongmay_contract.errors import OperatorError

GAVE_UP = 2
TRACEBACK = "Traceback (most recent call last)"
_AGAIN_S = 0.5
"""Until a program that gave up is started again."""
_PATIENCE_S = 30.0
"""Until a program has ended that was asked to; what it waits for may stand still for some seconds."""
_AFTERWARDS_S = 15.0
"""What was away so recently may still be the reason: a connection is tried for seconds before somebody gives up."""


class ChaosError(OperatorError):
    """Something ended or did not come back, though chaos had not touched it."""


class Program:
    """A process that is started again and again with the same words.

    Args:
        name: for messages.
        arguments: program and its words.
        log: file of what all its lives have said.
        needs: tells whether something that it needs is away just now; then it may give up.

    Attributes:
        process: its present life, or its last one.
        gave_up: how often it gave up by a clear sentence.
    """

    def __init__(self, name: str, arguments: Sequence[str], log: Path, needs: Callable[[], bool] | None = None) -> None:
        self.name = name
        self.arguments = list(arguments)
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.gave_up = 0
        self._needs = needs
        self._wanted = False
        self._full = False
        self._excused_until = 0.0
        self._again_at = 0.0
        self._asked: signal.Signals | None = None
        self._asked_at = 0.0
        self._then_start = False
        self._from = 0
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Start it, in a session of its own, on a disk that is as full as was said last.

        One that was asked to end and still does is started when it has ended.
        """
        if self._asked is not None:
            self._then_start = True
            return
        self._from = self.log.stat().st_size if self.log.exists() else 0
        self.process = subprocess.Popen(
            self.arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if self._full:
            self._limit()
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=_copy, args=(self.process.stdout, self.log), daemon=True)
        self._reader.start()
        self._wanted = True

    @property
    def runs(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def ask_to_end(self, how: signal.Signals) -> None:
        """Send it a signal that ends it, and wait for nothing; `check` judges how it ends."""
        self.check()
        self._wanted = self._then_start = False
        self._again_at = 0.0
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(how)
            self._asked, self._asked_at = how, time.monotonic()

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it, by kill -9 if nothing else is said, and wait for it.

        Raises:
            ChaosError: it does not end, had ended before by itself, or does not end cleanly on a polite signal.
        """
        self.ask_to_end(how)
        while self._asked is not None:
            self._check_end()
            time.sleep(0.01)

    def _check_end(self) -> None:
        """Judge the end that was asked for, once it has come."""
        if self._asked is None or self.process is None:
            return
        how, code = self._asked, self.process.poll()
        if code is None:
            if time.monotonic() > self._asked_at + _PATIENCE_S:
                self.process.kill()
                self.process.wait()
                self._asked = None
                raise ChaosError(f"{self.name} does not end on {how.name}:\n{self.tail()}")
            return
        self._asked = None
        clear = code in (0, -how) or (code == GAVE_UP and self._is_excused())
        if not clear or TRACEBACK in self.words():
            raise ChaosError(f"{self.name} ends on {how.name} with code {code}:\n{self.tail()}")
        if self._then_start:
            self._then_start = False
            self.start()

    def tell(self, what: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(what)

    def fill_disk(self, full: bool) -> None:
        """Let none of its files grow, which is as good as a full disk, also when it starts anew; or let them grow."""
        self._full = full
        self._limit()

    def _limit(self) -> None:
        if self.process is not None and self.process.poll() is None:
            size = 0 if self._full else resource.RLIM_INFINITY
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def check(self) -> None:
        """Make sure that it runs, if it should, and that it ends in time and cleanly where it was asked to.

        Raises:
            ChaosError: it ended by itself, and not by a clear sentence about what was away; or it does not end.
        """
        self._check_end()
        excused = self._is_excused()
        if not self._wanted or self.process is None or self.process.poll() is None:
            return
        if self._again_at:
            if time.monotonic() >= self._again_at:
                self._again_at = 0.0
                self.start()
            return
        words = self.words()
        if not (excused and self.process.returncode == GAVE_UP and words.strip() and TRACEBACK not in words):
            raise ChaosError(f"{self.name} ended by itself with code {self.process.returncode}:\n{self.tail()}")
        self.gave_up += 1
        self._again_at = time.monotonic() + _AGAIN_S

    def _is_excused(self) -> bool:
        now = time.monotonic()
        if self._full or (self._needs is not None and self._needs()):
            self._excused_until = now + _AFTERWARDS_S
        return now < self._excused_until

    def words(self) -> str:
        """Give what its present or last life has said."""
        if self._reader is not None and not self.runs:
            self._reader.join(5)
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(self._from)
            return file.read().decode("utf-8", "replace")

    def tail(self) -> str:
        """Give the end of what it has said."""
        return "\n".join(self.words().splitlines()[-25:])


def _copy(source: IO[bytes], log: Path) -> None:
    with source, log.open("ab") as out:
        for line in source:
            out.write(line)
            out.flush()
