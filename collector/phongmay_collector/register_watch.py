"""What the collector asks of the register, in threads of their own: the loop takes what is finished and waits for none.

In: the register, and conflicts that were found. Out: a new directory, commands to publish, a password file that follows
the register. A register that takes a question and does not answer (a stopped server, a lock) so costs the loop nothing:
the directory that was read last goes on. Only a device that is not in it has to be asked for before its message can be
judged; that waits `PATIENCE_S` at most, and is a StoreError then. Whether the register answers is what the last
finished question says.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Engine

from phongmay_collector.broker_files import PasswordRefresh
from phongmay_collector.directory import Directory, Entry
from phongmay_collector.identity import open_conflicts
from phongmay_collector.log import Availability
from phongmay_collector.outbox import Outbox, Publish, Ready
from phongmay_contract.errors import OperatorError
from phongmay_store.errors import StoreError

R = TypeVar("R")
PATIENCE_S = 3.0
"""So long at most does a message wait for the answer about its device; the keepalive is many times as long."""
_DIRECTORY_S = 30.0


class RegisterThread:
    """Asks one question after the other, in a thread that nobody has to wait for.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._questions: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._begun: float | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)  # it may hang when all else ends

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def put(self, question: Callable[[], R]) -> Future[R]:
        """Have a question asked."""
        answer: Future[R] = Future()
        self._questions.put((question, answer))
        return answer

    def ask(self, question: Callable[[], R]) -> R:
        """Have a question asked, and give the answer; before the thread has begun the caller asks himself.

        Raises:
            StoreError: it takes too long, or the question before does already.
        """
        if not self._thread.is_alive():
            return question()
        begun = self._begun
        if begun is None or time.monotonic() - begun < PATIENCE_S:
            answer = self.put(question)
            try:
                return answer.result(PATIENCE_S)
            except TimeoutError:
                answer.cancel()
        raise StoreError(f"the register has not answered for {PATIENCE_S:g} s")

    def _run(self) -> None:
        while True:
            question, answer = self._questions.get()
            if not answer.set_running_or_notify_cancel():
                continue
            self._begun = time.monotonic()
            try:
                found = question()
            except BaseException as error:  # noqa: BLE001 - told to whoever asked
                answer.set_exception(error)
            else:
                answer.set_result(found)
            self._begun = None


@dataclass(slots=True)
class _Turn:
    """What is asked once a second.

    Attributes:
        now: monotonic time of the beginning.
        reads_all: whether all devices are read.
        conflicts: to be written; those that were not stay.
        entries: the devices, when they were read.
        commands: to be published.
        failure: why it ended early.
    """

    now: float
    reads_all: bool
    conflicts: dict[str, str]
    entries: dict[str, Entry] | None = None
    commands: list[Ready] = field(default_factory=list)
    failure: OperatorError | None = None


class RegisterWatch:
    """The register as the loop sees it. All methods are for the loop's thread.

    Args:
        engine: the register; it is asked for its devices at once.
        passwords: the broker's password file.
        outbox: the commands to send; None sends none.
        wake: is called, by another thread, when there is something to `settle`.

    Attributes:
        directory: the devices; also for the writer's thread.
        availability: whether the register answers.
        conflicts: found and not yet written, by device.

    Raises:
        StoreError: the register does not answer.
    """

    def __init__(
        self, engine: Engine, passwords: PasswordRefresh, outbox: Outbox | None, wake: Callable[[], None]
    ) -> None:
        self._engine, self._passwords, self._outbox, self._wake = engine, passwords, outbox, wake
        self._turns, self._finds = RegisterThread("register"), RegisterThread("devices")
        self.directory = Directory(engine, self._finds.ask)
        self.directory.load()
        self.availability = Availability("register")
        self.conflicts: dict[str, str] = {}
        self._turn: Future[_Turn] | None = None
        self._read_at = 0.0

    def start(self) -> None:
        """Begin."""
        self._turns.start()
        self._finds.start()

    def ask(self, now: float) -> None:
        """Have the questions of this second asked, unless those of an earlier one still are."""
        if self._turn is None:
            conflicts, self.conflicts = self.conflicts, {}
            turn = _Turn(now, now >= self._read_at, conflicts)
            self._turn = self._turns.put(partial(self._answered, turn))
            self._turn.add_done_callback(lambda _: self._wake())

    def settle(self, publish: Publish) -> None:
        """Take the answers, if they are there."""
        if self._turn is None or not self._turn.done():
            return
        turn, self._turn = self._turn.result(), None
        now = time.monotonic()
        if turn.entries is not None:
            self.directory.take(turn.entries)
            self._read_at = now + _DIRECTORY_S
        if self._outbox is not None:
            self._outbox.publish(turn.commands, publish)
        self.conflicts = turn.conflicts | self.conflicts
        if turn.failure is None:
            self.availability.back(now)
        else:
            self.availability.away(now, str(turn.failure))

    def _answered(self, turn: _Turn) -> _Turn:
        """Ask, in the other thread. What it shares with the loop is touched by that only when it is not its turn."""
        try:
            if turn.reads_all:
                turn.entries = self.directory.read()
            self._passwords.refresh(turn.now)
            if self._outbox is not None:
                turn.commands = self._outbox.prepare()
            if turn.conflicts:
                open_conflicts(self._engine, turn.conflicts)
                turn.conflicts = {}
        except OperatorError as error:
            turn.failure = error
        return turn
