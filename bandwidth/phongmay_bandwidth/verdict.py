"""What the analysis of a run says: verdict, reasons, cause, and every figure of run, line, participant and room.

`RunAnalysis` and its parts are plain data (`to_record` gives JSON types). None is "not measured", never 0.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What a run, or a line after several runs, comes to."""

    PASS = "pass"  # noqa: S105 # no password
    FAIL = "fail"
    INSUFFICIENT = "insufficient"
    """Too few took part, or other traffic disturbed it: says nothing about the line."""
    INVALID = "invalid"
    """Tool, clock or server fault: says nothing about the line."""


class Cause(StrEnum):
    """What a failing run points at."""

    NONE = ""
    ONE_PC = "slow_pc"
    ONE_ROOM = "slow_room"
    LINE = "line"
    SERVER = "server"


class Reason(StrEnum):
    """Why a verdict is what it is; translated at the edge."""

    SERVER_LIMITED = "server_limited"
    DISAGREEMENT = "too_many_disagree_with_server"
    CLOCKS = "starts_too_far_apart"
    PARTICIPATION = "too_few_took_part"
    TOO_LITTLE_LOAD = "line_was_not_fully_loaded"
    CROSS_TRAFFIC = "cross_traffic"
    ABORTED = "aborted"
    PCS_BUSY = "too_many_pcs_were_busy"
    NOT_FINISHED = "not_finished"
    SLOW_PARTICIPANTS = "participants_below_floor"
    SUM_BELOW_ORDER = "sum_below_what_was_ordered"
    BELOW_CONTRACT = "below_contracted_rate"
    EMULATED = "absent_pcs_were_emulated"
    UNKNOWN_LINE = "source_address_of_no_known_line"
    LINE_STILL_ON = "more_than_one_line_carried_it"
    USUAL_LINE = "it_went_over_the_usual_line"
    USUAL_UNKNOWN = "no_earlier_run_tells_the_usual_line"
    NO_CONTRACT = "no_contracted_rate_to_hold_it_against"


@dataclass(frozen=True)
class Expected:
    """A PC that was ordered to take part, or is registered and absent."""

    device: str
    room: str = ""
    ordered: bool = True


@dataclass(frozen=True)
class LineContract:
    """A line of the school: its addresses or networks as the server sees them, and its contracted rates (0: unknown).

    A source that is no address or network is of no use and matches nothing.
    """

    line: str
    sources: tuple[str, ...]
    contracted_down_bps: float = 0.0
    contracted_up_bps: float = 0.0

    def holds(self, source: str) -> bool:
        """Tell whether a source address is one of this line's."""
        for text in self.sources:
            with contextlib.suppress(ValueError):
                if ipaddress.ip_address(source) in ipaddress.ip_network(text, strict=False):
                    return True
        return False


@dataclass(frozen=True)
class Witness:
    """What the router's WAN counters grew by in the window of one direction, all its lines together."""

    direction: str
    wire_bytes: int
    seconds: float


@dataclass(frozen=True)
class DirectionFigures:
    """One direction of a run, of a line or of all lines. Rates in bit/s over the common window.

    Attributes:
        window_s: length of the window that counted, after the warm-up.
        goodput_bps: payload, as the server counts it.
        ip_bps: the same at the IP layer (x 1500/1448).
        client_bps: sum of the participants' own figures.
        ordered_bps: sum of what was ordered; 0 unpaced.
        jain: fairness of the participants, 1 is even.
        p10_bps: tenth percentile of the participants.
        median_bps: their median.
        min_bps: the slowest.
        share_floor: share of valid participants with at least 0.95 of the ordered pace; None unpaced.
        retransmitted_ratio: payload sent again over payload, by the sender's TCP; None where unknown.
        bytes: payload of the whole direction, warm-up included.
        stop_reason: why the server ended it: window, steady, run_byte_cap, time_cap, peer, aborted.
        bins: payload bytes in each 0.1 s, all participants.
        cross_bps: the router's witness less the test; None without a witness.
    """

    direction: str
    window_s: float
    goodput_bps: float
    ip_bps: float
    client_bps: float | None
    ordered_bps: float
    jain: float | None
    p10_bps: float | None
    median_bps: float | None
    min_bps: float | None
    share_floor: float | None
    retransmitted_ratio: float | None
    bytes: int
    stop_reason: str
    bins: tuple[int, ...] = ()
    cross_bps: float | None = None


@dataclass(frozen=True)
class ParticipantFigures:
    """One PC.

    `status` is ok, absent, late, busy (it gave way: input, battery, other traffic), aborted (told to stop), error, or
    excluded (it disagrees with the server).
    """

    device: str
    room: str
    status: str
    reason: str
    line: str
    source: str
    start_error_s: float | None
    down_bps: float | None
    up_bps: float | None
    client_down_bps: float | None
    client_up_bps: float | None
    passed: bool | None
    """Reached 0.95 of the ordered pace in every direction; None when it is not valid, or in an unpaced run."""


@dataclass(frozen=True)
class LineFigures:
    """One line of the school in this run."""

    line: str
    sources: tuple[str, ...]
    participants: int
    verdict: Verdict
    directions: tuple[DirectionFigures, ...]


@dataclass(frozen=True)
class RunAnalysis:
    """The whole of a run."""

    run: str
    kind: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    cause: Cause
    slow_devices: tuple[str, ...]
    slow_rooms: tuple[str, ...]
    excluded: tuple[str, ...]
    busy: tuple[str, ...]
    layer: str
    t_start: float
    warmup_s: float
    streams: int
    registered: int
    ordered: int
    started: int
    valid: int
    emulated: int
    start_spread_s: float | None
    idle_rtt_p50_s: float | None
    idle_rtt_p95_s: float | None
    loaded_rtt_p50_s: float | None
    loaded_rtt_p95_s: float | None
    loaded_up_rtt_p50_s: float | None
    loaded_up_rtt_p95_s: float | None
    ping_loss_ratio: float | None
    server_cc: str
    server_cpu_max: float
    directions: tuple[DirectionFigures, ...]
    lines: tuple[LineFigures, ...]
    participants: tuple[ParticipantFigures, ...]
    room_passed: dict[str, bool | None] = field(default_factory=dict)
    """For each room: every valid participant of it passed; None when one of its ordered PCs gave no valid figure."""

    def to_record(self) -> dict[str, Any]:
        """Give JSON types only."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class PastRun:
    """A run of the past for `decide`: its local day and its verdict."""

    day: date
    verdict: Verdict


def decide(history: Sequence[PastRun]) -> Verdict | None:
    """Say what several runs come to, newest last: FAIL only on 2 of the last 3 valid runs, on different days.

    A last valid run that passed is PASS unless two failed before it; a single failure leaves INSUFFICIENT: it is to be
    run again. None when no run was valid.
    """
    valid = [run for run in history if run.verdict in (Verdict.PASS, Verdict.FAIL)][-3:]
    if not valid:
        return None
    if len({run.day for run in valid if run.verdict is Verdict.FAIL}) >= 2:
        return Verdict.FAIL
    return Verdict.PASS if valid[-1].verdict is Verdict.PASS else Verdict.INSUFFICIENT


def says_something(verdict: str, reasons: Sequence[str]) -> bool:
    """Tell whether the figures of a run may be relied on: it was valid, or lacks nothing but a contract to judge by."""
    return verdict in (Verdict.PASS, Verdict.FAIL) or (
        verdict == Verdict.INSUFFICIENT and list(reasons) == [Reason.NO_CONTRACT]
    )
