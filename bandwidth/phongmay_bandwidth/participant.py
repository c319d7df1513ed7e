"""One PC's part in one run: clock, connections, start at T0, both directions, latency, guards, and the result.

A RunOrder goes in, a ParticipantResult comes out of `run`, which blocks for the length of the run and so has a thread
of its own. Whatever goes wrong is an outcome with a reason, never an exception. `abort` may be called from any thread.
The wall clock is only reported: every moment is the server's time, by the offset of `sync`, on the monotonic clock.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import replace

from phongmay_bandwidth import BIN_S
from phongmay_bandwidth.connecting import ConnectError, connect
from phongmay_bandwidth.echo import Echo
from phongmay_bandwidth.guards import OWN_REASONS, Guards, OwnBytes
from phongmay_bandwidth.loop import Loop
from phongmay_bandwidth.machine import Machine
from phongmay_bandwidth.order import RunOrder
from phongmay_bandwidth.result import Outcome, ParticipantResult
from phongmay_bandwidth.series import Series
from phongmay_bandwidth.streams import RECEIVE_BYTES, DownStream, Stream, UpStream
from phongmay_bandwidth.sync import Offset, SyncError, find_offset

_LINGER_S = 1.0
"""After the last direction echoes may still come back."""
_GUARD_S = 0.5
_READY_S = 0.05
"""So long before its start a participant must be ready."""
_END_S = 0.05
"""A direction is measured so long beyond its window, so that the window's end lies between two samples."""

_WORD_S = 1.5
"""How long the server's word of an early stop may take after it has cut a connection."""


class _Direction:
    """One direction of this participant."""

    def __init__(self, name: str, start: float, rate_bps: float) -> None:
        self.name = name
        self.start = start
        self.rate_bps = rate_bps
        self.streams: list[Stream] = []
        self.series = Series()
        self.began_at = 0.0
        self.window_s = 0.0
        self.broken_at = 0.0
        self.is_over = False

    def sample(self, now: float) -> None:
        if self.began_at and not self.is_over:
            self.series.add(now, sum(stream.passed() for stream in self.streams))


class Participant:
    """One run of one PC."""

    def __init__(self, order: RunOrder, machine: Machine, wall: Callable[[], float] = time.time) -> None:
        """Prepare; nothing is opened yet.

        Args:
            order: what is to be done.
            machine: the PC.
            wall: its wall clock, which is only compared with the true time.
        """
        self._order = order
        self._machine = machine
        self._wall = wall
        self._loop = Loop()
        self._guards = Guards(order, machine)
        self._offset: Offset | None = None
        self._clock_offset_s: float | None = None
        self._control: socket.socket | None = None
        self._echo: Echo | None = None
        self._directions = [
            _Direction(name, start, rate)
            for name, start, rate in (
                ("down", order.start_down, order.pace_down_bps),
                ("up", order.start_up, order.pace_up_bps),
            )
            if start
        ]
        self._directions.sort(key=lambda direction: direction.start)
        self._outcome, self._reason = Outcome.OK, ""
        self._abort_asked = ""
        self._got = b""
        self._cpu_max: float | None = None
        self._counters: tuple[int, int] | None = None
        self._guarded_at = 0.0

    def abort(self, reason: str = "ordered") -> None:
        """End the run soon; from any thread."""
        self._abort_asked = reason
        self._loop.wake()

    def run(self) -> ParticipantResult:
        """Take part, and give what was measured."""
        link_medium, link_speed = self._machine.link()
        try:
            if self._prepare():
                self._counters = self._machine.interface_bytes()
                self._machine.cpu_busy_ratio()
                self._schedule()
                self._loop.run()
            result = self._result()
        finally:
            self._close()
        return replace(result, link_medium=link_medium, link_speed_bps=link_speed)

    # ---- before the start ---------------------------------------------------------------------------------------

    def _prepare(self) -> bool:
        """Find the true time and open every connection; False when this PC cannot take part."""
        order = self._order
        try:
            self._control, session = connect(order.host, order.port, order.control)
            self._offset = find_offset(self._control)
            self._clock_offset_s = self._wall() - self._now()
            if self._now() > order.expires:
                return self._give_up(Outcome.LATE, "order_expired")
            if reason := self._abort_asked or self._guards.check(time.perf_counter(), OwnBytes(0, 0)):
                return self._give_up(_outcome_of(reason), reason)
            buffer = memoryview(bytearray(RECEIVE_BYTES))
            for direction in self._directions:
                tickets = order.down if direction.name == "down" else order.up
                for ticket in tickets:
                    sock, _ = connect(order.host, order.port, ticket)
                    cap = order.byte_cap
                    direction.streams.append(
                        DownStream(self._loop, sock, cap, buffer)
                        if direction.name == "down"
                        else UpStream(self._loop, sock, cap)
                    )
        except (ConnectError, SyncError) as error:
            return self._give_up(Outcome.ERROR, str(error) or "no_time")
        if self._now() > order.first_start - _READY_S:
            return self._give_up(Outcome.LATE, "not_ready_in_time")
        with contextlib.suppress(OSError):
            self._control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._control.setblocking(False)
        self._echo = Echo(self._loop, order.host, order.port, session, self._ask)
        return True

    def _give_up(self, outcome: Outcome, reason: str) -> bool:
        self._outcome, self._reason = outcome, reason
        self._say_goodbye()
        return False

    def _say_goodbye(self) -> None:
        """Tell the server at once why this PC gives way: it ends a run of which too many do."""
        if self._control is not None and self._outcome is Outcome.BUSY:
            with contextlib.suppress(OSError):
                self._control.send(b"bye %s\n" % self._reason.encode())

    def _now(self) -> float:
        """Give the server's time."""
        return time.perf_counter() + (self._offset.seconds if self._offset else 0.0)

    def _mono(self, moment: float) -> float:
        return moment - (self._offset.seconds if self._offset else 0.0)

    # ---- the run ------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        order = self._order
        if self._control is not None:
            self._loop.watch(self._control, read=self._told)
        self._next_tick = order.first_start - order.idle_s
        self._loop.call_at(self._mono(self._next_tick), self._tick)
        for direction in self._directions:
            self._at(direction.start, direction, self._begin)
            self._at(direction.start + order.warmup_s + order.window_max_s + _END_S, direction, self._end)
        self._loop.call_at(self._mono(order.end + _END_S + _LINGER_S), self._loop.stop)

    def _at(self, moment: float, direction: _Direction, call: Callable[[_Direction], None]) -> None:
        self._loop.call_at(self._mono(moment), lambda: call(direction))

    def _begin(self, direction: _Direction) -> None:
        direction.began_at = self._now()
        direction.series.add(direction.began_at, 0)
        for stream in direction.streams:
            stream.begin(direction.rate_bps / len(direction.streams))

    def _end(self, direction: _Direction, window_s: float | None = None) -> None:
        if direction.is_over:
            return
        direction.sample(self._now())
        for stream in direction.streams:
            stream.end()
        direction.is_over = True
        direction.window_s = self._order.window_max_s if window_s is None else window_s
        if all(other.is_over for other in self._directions):
            self._loop.call_at(time.perf_counter() + _LINGER_S, self._loop.stop)

    def _tick(self) -> None:
        now = self._now()
        self._next_tick = max(self._next_tick + BIN_S, now)
        self._loop.call_at(self._mono(self._next_tick), self._tick)
        for direction in self._directions:
            direction.sample(now)
            if direction.began_at and not direction.is_over and any(stream.broken for stream in direction.streams):
                self._check_broken(direction, now)
        if self._echo is not None:
            self._echo.send(self._phase(now))
        if now - self._guarded_at >= _GUARD_S:
            self._guarded_at = now
            self._guard()

    def _check_broken(self, direction: _Direction, now: float) -> None:
        """Give up after a while: the server's word of an early stop may be right behind the cut."""
        direction.broken_at = direction.broken_at or now
        if now > direction.broken_at + _WORD_S:
            self._stop(Outcome.ERROR, "connection_lost")

    def _phase(self, now: float) -> str:
        for direction in self._directions:
            if direction.began_at and not direction.is_over:
                return direction.name if now >= direction.start + self._order.warmup_s else "warming"
        return "idle" if now < self._order.first_start else "between"

    def _guard(self) -> None:
        own = OwnBytes(
            sum(stream.on_wire() for d in self._directions if d.name == "down" for stream in d.streams),
            sum(stream.on_wire() for d in self._directions if d.name == "up" for stream in d.streams),
        )
        busy = self._machine.cpu_busy_ratio()
        if busy is not None:
            self._cpu_max = max(self._cpu_max or 0.0, busy)
        if all(direction.is_over for direction in self._directions):
            return
        if reason := self._abort_asked or self._guards.check(time.perf_counter(), own):
            self._stop(_outcome_of(reason), reason)

    def _stop(self, outcome: Outcome, reason: str) -> None:
        self._outcome, self._reason = outcome, reason
        self._say_goodbye()
        for direction in self._directions:
            direction.is_over = True
            for stream in direction.streams:
                stream.end()
        self._loop.stop()

    # ---- the control connection ---------------------------------------------------------------------------------

    def _ask(self, number: int) -> None:
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.send(b"t %d\n" % number)

    def _told(self) -> None:
        if self._control is None:
            return
        at = time.perf_counter()
        try:
            data = self._control.recv(1024)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._loop.forget(self._control)
            return
        *lines, self._got = (self._got + data).split(b"\n")
        self._got = self._got[-300:]
        for line in lines:
            with contextlib.suppress(ValueError, IndexError):
                self._hear(line.split(), at)

    def _hear(self, words: list[bytes], at: float) -> None:
        if words[0] == b"t" and self._echo is not None:
            self._echo.answered(int(words[1]), at)
        elif words[0] == b"abort":
            self._stop(Outcome.ABORTED, "others_busy" if words[1:] == [b"busy"] else "ordered")
        elif words[0] == b"stop":
            window_s = min(self._order.window_max_s, max(0.0, float(words[2])))
            for direction in self._directions:
                if direction.name.encode() == words[1] and direction.began_at:
                    self._end(direction, window_s)

    # ---- after it -----------------------------------------------------------------------------------------------

    def _result(self) -> ParticipantResult:
        order = self._order
        result = ParticipantResult(
            campaign_run=order.run,
            outcome=self._outcome,
            test_kind=order.kind,
            reason=self._reason or None,
            is_emulated=order.emulated,
            input_was_watched=self._guards.input_was_watched,
            foreign_bps=self._guards.foreign_bps,
            cpu_busy_max_ratio=self._cpu_max,
            clock_offset_s=self._clock_offset_s,
            clock_rtt_s=self._offset.rtt_s if self._offset else None,
        )
        counters = self._machine.interface_bytes()
        if counters is not None and self._counters is not None:
            result = replace(
                result,
                interface_received_bytes=max(0, counters[0] - self._counters[0]),
                interface_sent_bytes=max(0, counters[1] - self._counters[1]),
            )
        if self._echo is not None:
            result = self._with_latency(result, self._echo)
        for direction in self._directions:
            result = self._with_direction(result, direction)
        return result

    def _with_latency(self, result: ParticipantResult, echo: Echo) -> ParticipantResult:
        idle, down, up = (echo.quantiles(phase) for phase in ("idle", "down", "up"))
        return replace(
            result,
            idle_rtt_p50_s=idle[0],
            idle_rtt_p95_s=idle[1],
            loaded_rtt_p50_s=down[0],
            loaded_rtt_p95_s=down[1],
            loaded_up_rtt_p50_s=up[0],
            loaded_up_rtt_p95_s=up[1],
            ping_loss_ratio=echo.loss_ratio("down", "up"),
        )

    def _with_direction(self, result: ParticipantResult, direction: _Direction) -> ParticipantResult:
        if not direction.began_at:
            return result
        if direction is self._directions[0]:
            result = replace(result, start_error_s=direction.began_at - direction.start)
        begin = direction.start + self._order.warmup_s
        rate: float | None = None
        if direction.window_s > 0 and self._outcome is Outcome.OK:
            rate = direction.series.between(begin, begin + direction.window_s) * 8 / direction.window_s
        bins, total = direction.series.bins(direction.start), direction.series.total
        if direction.name == "down":
            return replace(result, down_bps=rate, down_bytes=total, down_bins=bins)
        ups = [stream for stream in direction.streams if isinstance(stream, UpStream)]
        resent = [stream.retransmitted for stream in ups if stream.retransmitted is not None]
        return replace(
            result,
            up_bps=rate,
            up_bytes=total,
            up_bins=bins,
            up_is_written=any(stream.is_written for stream in ups),
            retransmitted_bytes=sum(resent) if resent else None,
        )

    def _close(self) -> None:
        for direction in self._directions:
            for stream in direction.streams:
                stream.end()
        if self._echo is not None:
            self._echo.close()
        if self._control is not None:
            self._loop.forget(self._control)
            self._control.close()
        self._loop.close()


def _outcome_of(reason: str) -> Outcome:
    return Outcome.BUSY if reason in OWN_REASONS else Outcome.ABORTED
