"""The order to one participant: which run, which server, when to start, how fast, how long, and its tickets.

It travels as the body of a signed `campaign_start` command. `to_body` and `from_body` are each other's inverse; a body
out of bounds raises OrderError naming the key, and nothing is started.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from phongmay_bandwidth.records import RecordError, read_record
from phongmay_contract.settings import setting

MAX_STREAMS = 4
LONGEST_LEAD_S = 100.0
"""How long before its start an order may come; tickets live 120 s."""


class RunKind(StrEnum):
    """Kinds of run."""

    FLOOR = "floor"
    """Every participant one stream, paced at the floor: decides the rule."""
    CAPACITY = "capacity"
    """Unpaced: what the line gives."""
    RAMP = "ramp"
    """A floor run that is one step of a series with 1, 5, 10 ... PCs."""


class OrderError(ValueError):
    """An order that cannot be obeyed."""


@dataclass(frozen=True)
class RunOrder:
    """What one participant is to do. Times are true UTC in seconds since 1970; 0 as start leaves a direction out."""

    run: str = setting(about="Run, 8 to 64 characters.")
    kind: str = setting(about="Kind of run.", choices=tuple(RunKind))
    host: str = setting(about="Address of the bandwidth server.")
    port: int = setting(about="Its TCP and UDP port.", low=1, high=65535)
    expires: float = setting(about="When the order is void.", low=0, high=1e11)
    control: str = setting(about="Ticket of the control connection.")
    byte_cap: int = setting(about="Payload bytes of each direction at most.", low=1, high=10**13)
    down: list[str] = setting([], about="Tickets of the downward streams.")
    up: list[str] = setting([], about="Tickets of the upward streams.")
    start_down: float = setting(0.0, about="Start of the downward direction.", low=0, high=1e11)
    start_up: float = setting(0.0, about="Start of the upward direction.", low=0, high=1e11)
    pace_down_bps: float = setting(0.0, about="Payload rate downwards; 0 is unpaced.", low=0, high=1e12)
    pace_up_bps: float = setting(0.0, about="Payload rate upwards; 0 is unpaced.", low=0, high=1e12)
    idle_s: float = setting(2.0, about="Seconds of idle latency before the first start.", low=0, high=10)
    warmup_s: float = setting(2.0, about="Trimmed from each direction.", low=0, high=30)
    window_min_s: float = setting(6.0, about="Shortest window.", low=0.5, high=120)
    window_max_s: float = setting(6.0, about="Longest window.", low=0.5, high=120)
    abort_on_input: bool = setting(True, about="Abort when a person uses the PC.")
    abort_on_foreign: bool = setting(True, about="Abort on other traffic of this PC.")
    abort_on_battery: bool = setting(True, about="Abort on battery.")
    emulated: bool = setting(False, about="The pace is scaled for absent PCs.")

    @property
    def first_start(self) -> float:
        """Give the earlier of the two starts."""
        return min(start for start in (self.start_down, self.start_up) if start)

    @property
    def end(self) -> float:
        """Give the moment at which all is over at the latest."""
        return max(self.start_down, self.start_up) + self.warmup_s + self.window_max_s

    def to_body(self) -> dict[str, Any]:
        """Give the body of the command."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_body(body: Mapping[str, Any]) -> RunOrder:
        """Read the body of a command.

        Raises:
            OrderError: a key is missing, wrong, or the whole makes no sense.
        """
        try:
            order = read_record(RunOrder, body, "order")
        except RecordError as error:
            raise OrderError(str(error)) from None
        if not 8 <= len(order.run) <= 64 or not 1 <= len(order.host) <= 255:
            raise OrderError("order: 'run' or 'host' has no sensible length")
        for start, tickets, name in ((order.start_down, order.down, "down"), (order.start_up, order.up, "up")):
            if bool(start) != bool(tickets) or len(tickets) > MAX_STREAMS:
                raise OrderError(f"order: '{name}' has {len(tickets)} tickets for start {start}")
        if not order.down and not order.up:
            raise OrderError("order: neither direction has a start")
        if order.window_max_s < order.window_min_s:
            raise OrderError("order: 'window_max_s' is less than 'window_min_s'")
        length = order.warmup_s + order.window_max_s
        if order.down and order.up and abs(order.start_down - order.start_up) < length:
            raise OrderError("order: the directions overlap")
        return order
