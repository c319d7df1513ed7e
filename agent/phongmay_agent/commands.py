"""What the agent obeys: start and abort of a bandwidth test, waking neighbours for one, and nothing else.

Messages of the command topic go in; a test runs in a thread of its own; its result comes out of `results`, and `reader`
becomes readable then. A command with a wrong HMAC, an old one, a replayed one and one of another device are refused and
counted. Its expiry is judged by the true time that the collector's receipts tell, never by this PC's wall clock; until
the first receipt nothing is obeyed.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import socket
import threading
from collections import deque

from phongmay_agent.clock import Clock
from phongmay_agent.waking import wake
from phongmay_bandwidth.machine import Machine
from phongmay_bandwidth.order import OrderError, RunOrder
from phongmay_bandwidth.participant import Participant
from phongmay_bandwidth.result import Outcome, ParticipantResult
from phongmay_contract.command import Command, CommandError, CommandGate, Order

_JOIN_S = 3.0
_KEPT_TIMES = 8

_log = logging.getLogger(__name__)


class Commands:
    """Orders of one device.

    Attributes:
        gate: which commands were refused, and why.
        reader: readable when a result is there.
    """

    def __init__(self, key: bytes, device: str, clock: Clock, machine: Machine, *, takes_part: bool) -> None:
        self.gate = CommandGate(key, device)
        self.reader, self._writer = socket.socketpair()
        for end in (self.reader, self._writer):
            end.setblocking(False)
        self._clock = clock
        self._machine = machine
        self._takes_part = takes_part
        self._times: deque[float] = deque(maxlen=_KEPT_TIMES)
        self._results: queue.SimpleQueue[ParticipantResult] = queue.SimpleQueue()
        self._running: tuple[str, Participant, threading.Thread] | None = None

    # ---- what comes in ------------------------------------------------------------------------------------------

    def heard_time(self, at: float) -> None:
        """A receipt told the server's time: the true time is that or later, by the way that it took."""
        self._times.append(at - self._clock.mono())

    def true_time(self) -> float | None:
        """Give true UTC, None before the first receipt."""
        return self._clock.mono() + max(self._times) if self._times else None

    def received(self, payload: bytes) -> None:
        """Obey a message of the command topic, or count why not."""
        try:
            command = self.gate.admit(payload, self.true_time())
        except CommandError as error:
            _log.warning("a command is not obeyed: %s", error)
            return
        if command.order is Order.CAMPAIGN_START:
            self._start(command)
        elif command.order is Order.CAMPAIGN_ABORT:
            self._abort(str(command.body.get("run", "")))
        elif command.order is Order.WAKE:
            self._wake(command)

    def _start(self, command: Command) -> None:
        try:
            order = RunOrder.from_body(command.body)
        except OrderError as error:
            _log.warning("a bandwidth test cannot be run: %s", error)
            self._refuse(str(command.body.get("run", "")), "bad_order")
            return
        if not self._takes_part:
            self._refuse(order.run, "switched_off")
        elif self._running is not None and self._running[2].is_alive():
            self._refuse(order.run, "busy")
        else:
            try:
                participant = Participant(order, self._machine, lambda: self._clock.now().wall)
            except OSError:  # no file descriptors left
                self._refuse(order.run, "no_resources")
                return
            thread = threading.Thread(target=self._run, args=(order, participant), name="bandwidth", daemon=True)
            self._running = (order.run, participant, thread)
            _log.info("bandwidth test %s (%s)", order.run, order.kind)
            thread.start()

    def _wake(self, command: Command) -> None:
        addresses = command.body.get("addresses")
        try:
            _log.info("woke %d neighbours", wake(addresses if isinstance(addresses, list) else ()))
        except OSError as error:
            _log.warning("neighbours cannot be woken: %s", error)

    def _refuse(self, run: str, reason: str) -> None:
        if run:
            self._put(ParticipantResult(run[:64], Outcome.ERROR, reason=reason))

    def _run(self, order: RunOrder, participant: Participant) -> None:
        try:
            result = participant.run()
        except Exception as error:  # noqa: BLE001 # a fault of the test must not pass as a PC that was absent
            _log.exception("the bandwidth test failed")
            result = ParticipantResult(order.run, Outcome.ERROR, order.kind, reason=type(error).__name__)
        self._put(result)

    def _abort(self, run: str) -> None:
        if self._running is not None and self._running[0] == run:
            self._running[1].abort()

    def _put(self, result: ParticipantResult) -> None:
        self._results.put(result)
        with contextlib.suppress(OSError):
            self._writer.send(b"\0")

    # ---- what comes out -----------------------------------------------------------------------------------------

    def results(self) -> list[ParticipantResult]:
        """Give the results that came since the last time."""
        with contextlib.suppress(BlockingIOError):
            while self.reader.recv(64):
                pass
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._results.get_nowait())
        return found

    def close(self) -> None:
        """End a running test and wait for it a little; its result is still there to be taken."""
        if self._running is not None and self._running[2].is_alive():
            self._running[1].abort("agent_stopped")
            self._running[2].join(_JOIN_S)
