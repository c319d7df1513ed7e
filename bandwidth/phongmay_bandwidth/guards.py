"""Why a participant gives way: a person at the PC, other traffic of the PC, or a battery.

The machine's state and the test's own bytes go in, twice a second; a reason to abort comes out, "" to go on. What the
system does not tell never aborts.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from phongmay_bandwidth.machine import Machine
from phongmay_bandwidth.order import RunOrder

OWN_REASONS = frozenset({"input", "battery", "foreign_traffic"})
"""Reasons of the PC itself: it was busy, and nobody ended the run."""
INPUT_S = 60.0
FOREIGN_BPS = 1e6
FOREIGN_S = 2.0
_OVERHEAD = 1.08
"""Wire bytes for each payload byte at most: headers, and what arrives twice."""
_ACK_SHARE = 0.06
"""Wire bytes of acknowledgements for each payload byte of the other way at most."""


@dataclass(frozen=True, slots=True)
class OwnBytes:
    """Payload of the test so far, received and put on the wire."""

    received: int
    sent: int


class Guards:
    """Watches one PC during one run.

    Attributes:
        foreign_bps: most traffic in 2 s that was not the test.
        input_was_watched: the system tells of a person's input.
    """

    def __init__(self, order: RunOrder, machine: Machine) -> None:
        self.foreign_bps: float | None = None
        self.input_was_watched = False
        self._order = order
        self._machine = machine
        self._samples: deque[tuple[float, int, int, OwnBytes]] = deque()

    def check(self, now: float, own: OwnBytes) -> str:
        """Give the reason to abort: input, battery, foreign_traffic, or ""."""
        idle_s = self._machine.input_idle_s()
        self.input_was_watched = self.input_was_watched or idle_s is not None
        if self._order.abort_on_input and idle_s is not None and idle_s < INPUT_S:
            return "input"
        if self._order.abort_on_battery and self._machine.on_battery():
            return "battery"
        return "foreign_traffic" if self._foreign(now, own) else ""

    def _foreign(self, now: float, own: OwnBytes) -> bool:
        counters = self._machine.interface_bytes()
        if counters is None:
            return False
        received, sent = counters
        self._samples.append((now, received, sent, own))
        while len(self._samples) > 1 and self._samples[1][0] <= now - FOREIGN_S:
            self._samples.popleft()
        since, received_before, sent_before, own_before = self._samples[0]
        seconds = now - since
        if seconds < FOREIGN_S:
            return False
        own_in, own_out = own.received - own_before.received, own.sent - own_before.sent
        into = received - received_before - own_in * _OVERHEAD - own_out * _ACK_SHARE
        out = sent - sent_before - own_out * _OVERHEAD - own_in * _ACK_SHARE
        foreign = (max(0.0, into) + max(0.0, out)) * 8 / seconds
        self.foreign_bps = max(self.foreign_bps or 0.0, foreign)
        return self._order.abort_on_foreign and foreign > FOREIGN_BPS
