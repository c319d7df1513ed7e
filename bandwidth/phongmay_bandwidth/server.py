"""The bandwidth server: admits participants by ticket, lets them load their line, and is the authority on every byte.

In: TCP connections whose first line is a ticket, and UDP echoes of admitted sessions, on one port. Out: RunReports to
the coordinator's own ticket. One thread, one event loop. Everything a stranger can do is bounded: waiting connections,
admitted ones, bytes, time, rate; without a ticket there is no answer beyond a refusal. When processor, lateness or the
uplink is the limit, the report says so. A port that is taken is a ServerError.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import sys
import time
from collections import OrderedDict

from phongmay_bandwidth import BIN_S, tcp
from phongmay_bandwidth.admission import Admission
from phongmay_bandwidth.flows import DownFlow, Flow, UpFlow
from phongmay_bandwidth.loop import Loop
from phongmay_bandwidth.records import compact
from phongmay_bandwidth.runs import Run
from phongmay_bandwidth.sending import send_and_close
from phongmay_bandwidth.sessions import Control, Greeting
from phongmay_bandwidth.settings import BandwidthSettings
from phongmay_bandwidth.ticket import Purpose, Refusal, Ticket, TicketError
from phongmay_contract.errors import OperatorError

GREETING_S = 5.0
KEPT_RUNS = 64
_KEPT_S = 3600.0
_CPU_LIMIT = 0.85
_LATE_LIMIT_S = 0.5
_UPLINK_LIMIT = 0.9
_ECHOES_A_SECOND = 50
_ECHOES_AN_EVENT = 64
_MAX_ECHO = 256
SESSION_BYTES = 8

_log = logging.getLogger(__name__)


class ServerError(OperatorError):
    """The server cannot listen."""


class BandwidthServer:
    """One server on one port.

    Attributes:
        port: the port that it listens on.
        admission: tickets and refusals.
        turned_at: when its loop last turned, by `time.perf_counter`.
    """

    def __init__(self, settings: BandwidthSettings, key: bytes) -> None:
        """Listen.

        Raises:
            ServerError: the address cannot be had.
        """
        self._settings = settings
        self.admission = Admission(key, settings.max_connections, time.time())
        self._loop = Loop()
        self._base = time.time() - time.perf_counter()
        self._buffer = memoryview(bytearray(256 * 1024))
        self._waiting: OrderedDict[Greeting, float] = OrderedDict()
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._controls: dict[Control, float] = {}
        self._echo: dict[bytes, list[float]] = {}
        self._open: set[Flow] = set()
        self._second_at = time.perf_counter()
        self._cpu_at = time.process_time()
        self._late_s = 0.0
        self.turned_at = self._second_at
        self._sent = self._received = 0
        self._passed: dict[Flow, int] = {}
        try:
            self._listener, self._udp = _listen(settings.host, settings.port)
        except OSError as error:
            raise ServerError(
                f"bandwidth.host, bandwidth.port: {settings.host}:{settings.port} cannot be listened on "
                f"({error.strerror}); choose another port or stop what uses it"
            ) from None
        self.port = int(self._listener.getsockname()[1])

    # ---- life ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until `stop`."""
        self._loop.watch(self._listener, read=self._accept)
        self._loop.watch(self._udp, read=self._echo_back)
        self._next_tick = time.perf_counter()
        self._tick()
        _log.info("listening on %s:%d, TCP and UDP", self._settings.host, self.port)
        try:
            self._loop.run()
        finally:
            for flow in list(self._open):
                flow.end("server_stopped")
            for control in list(self._controls):
                control.close()
            for greeting in list(self._waiting):
                greeting.sock.close()
            self._listener.close()
            self._udp.close()
            self._loop.close()

    @property
    def connections(self) -> int:
        """Count the admitted connections; any thread may ask."""
        return len(self._open) + len(self._controls)

    @property
    def waiting(self) -> int:
        """Count those without a ticket yet."""
        return len(self._waiting)

    @property
    def runs(self) -> int:
        """Count the runs that it remembers."""
        return len(self._runs)

    def stop(self) -> None:
        """End `run`; from any thread."""
        self._loop.stop()

    def now(self) -> float:
        """Give true UTC as this server has it: its clock does not jump while anything runs."""
        return self._base + time.perf_counter()

    # ---- connections --------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        for _ in range(64):
            try:
                sock, address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # no file descriptors left: the oldest stranger goes
                _log.warning("a connection cannot be taken (%s)", error.strerror)
                self._drop_oldest()
                return
            sock.setblocking(False)
            source = str(address[0]).removeprefix("::ffff:")
            self._waiting[Greeting(self._loop, sock, source, self._greeted)] = time.perf_counter() + GREETING_S
            if len(self._waiting) > self._settings.max_waiting:
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        if self._waiting:
            greeting, _ = self._waiting.popitem(last=False)
            self._loop.forget(greeting.sock)
            tcp.cut(greeting.sock)

    def _greeted(self, greeting: Greeting, text: str | None) -> None:
        self._waiting.pop(greeting, None)
        self._loop.forget(greeting.sock)
        if text is None:
            self.admission.refused[Refusal.MALFORMED] += 1
            tcp.cut(greeting.sock)
            return
        try:
            ticket = self.admission.admit(text, self.now(), len(self._open) + len(self._controls))
            self._admit(greeting, ticket)
        except TicketError as error:
            self._turn_away(greeting.sock, error.refusal)

    def _turn_away(self, sock: socket.socket, refusal: Refusal) -> None:
        with contextlib.suppress(OSError):
            sock.send(compact({"ok": False, "reason": refusal.value}).encode() + b"\n")
        sock.close()

    def _admit(self, greeting: Greeting, ticket: Ticket) -> None:
        if ticket.purpose in (Purpose.REPORT, Purpose.ABORT):
            self._serve_coordinator(greeting.sock, ticket)
            return
        run = self._run(ticket)
        if run.aborted:
            self.admission.refuse(ticket.run, Refusal.ABORTED)
            raise TicketError(Refusal.ABORTED)
        session = secrets.token_bytes(SESSION_BYTES)
        try:
            greeting.sock.send(compact({"ok": True, "session": session.hex()}).encode() + b"\n")
        except OSError:
            greeting.sock.close()
            return
        if ticket.purpose == Purpose.CONTROL:
            self._add_control(greeting, ticket, run, session)
        else:
            self._add_flow(greeting, ticket, run)

    def _run(self, ticket: Ticket) -> Run:
        run = self._runs.get(ticket.run)
        if run is None:
            if not any(not known.is_over(self.now()) for known in self._runs.values()):
                self._base = time.time() - time.perf_counter()
            run = self._runs[ticket.run] = Run(ticket)
            while len(self._runs) > KEPT_RUNS:
                self._runs.popitem(last=False)
        return run

    def _add_control(self, greeting: Greeting, ticket: Ticket, run: Run, session: bytes) -> None:
        def ended() -> None:
            self._controls.pop(control, None)
            self._echo.pop(session, None)
            run.drop_control(ticket.participant, control.tell)

        def gave_way(reason: str) -> None:
            run.note_busy(ticket.participant, reason, self.now())

        control = Control(self._loop, greeting.sock, self.now, ended, gave_way)
        self._controls[control] = ticket.start + ticket.time_cap_s
        self._echo[session] = [0.0, 0.0]
        run.add_control(ticket.participant, greeting.source, control.tell)

    def _add_flow(self, greeting: Greeting, ticket: Ticket, run: Run) -> None:
        sock, source = greeting.sock, greeting.source
        flow: Flow
        if ticket.purpose == Purpose.DOWN:
            kernel = self._settings.pacing == "auto"
            flow = DownFlow(self._loop, sock, ticket, source, self.now, kernel_paces=kernel)
        else:
            flow = UpFlow(self._loop, sock, ticket, source, self.now, self._buffer)
        self._open.add(flow)
        self._passed[flow] = 0
        run.add_flow(flow)

    def _serve_coordinator(self, sock: socket.socket, ticket: Ticket) -> None:
        run = self._runs.get(ticket.run)
        if ticket.purpose == Purpose.ABORT:
            run = self._run(ticket)  # also one of which nobody has come yet
            run.abort(self.now())
        if run is None:
            raise TicketError(Refusal.UNKNOWN_RUN)
        report = run.report(self.now(), self.admission.of_run(ticket.run))
        send_and_close(self._loop, sock, b'{"ok":true}\n' + report.to_json().encode() + b"\n")

    # ---- echo ---------------------------------------------------------------------------------------------------

    def _echo_back(self) -> None:
        for _ in range(_ECHOES_AN_EVENT):
            try:
                data, address = self._udp.recvfrom(_MAX_ECHO + 1)
            except OSError:  # nothing there, or Windows telling of an ICMP answer to an earlier echo
                return
            rate = self._echo.get(data[:SESSION_BYTES])
            if rate is None or len(data) > _MAX_ECHO:
                continue
            now = time.perf_counter()
            if now - rate[0] >= 1:
                rate[0], rate[1] = now, 0.0
            rate[1] += 1
            if rate[1] <= _ECHOES_A_SECOND:
                with contextlib.suppress(OSError):
                    self._udp.sendto(data, address)

    # ---- every tenth of a second --------------------------------------------------------------------------------

    def _tick(self) -> None:
        moment = self.turned_at = time.perf_counter()
        self._late_s = max(self._late_s, moment - self._next_tick)
        self._next_tick = max(self._next_tick + BIN_S, moment)
        self._loop.call_at(self._next_tick, self._tick)
        now = self.now()
        measuring = [run for run in self._runs.values() if not run.aborted]
        for run in measuring:
            run.tick(now)
        while self._waiting and next(iter(self._waiting.values())) < moment:
            self._drop_oldest()
        if moment - self._second_at >= 1:
            self._every_second(moment, now)

    def _every_second(self, moment: float, now: float) -> None:
        for flow in [flow for flow in self._open if not flow.is_open]:
            self._open.discard(flow)
            self._count(flow)
            del self._passed[flow]
        for flow in self._open:
            flow.sample(now)
            self._count(flow)
        for control in [control for control, until in self._controls.items() if now > until]:
            control.close()
        for name in [name for name, run in self._runs.items() if run.is_expired(now, _KEPT_S)]:
            del self._runs[name]
        self._note_load(moment, now)

    def _count(self, flow: Flow) -> None:
        more = flow.series.total - self._passed[flow]
        self._passed[flow] += more
        if flow.ticket.purpose == Purpose.DOWN:
            self._sent += more
        else:
            self._received += more

    def _note_load(self, moment: float, now: float) -> None:
        took = moment - self._second_at
        cpu_now = time.process_time()
        cpu = (cpu_now - self._cpu_at) / took
        egress, ingress = self._sent * 8 / took, self._received * 8 / took
        limits = [
            name
            for name, at_limit in (
                ("cpu", cpu > _CPU_LIMIT),
                ("late", self._late_s > _LATE_LIMIT_S),
                ("uplink", max(egress, ingress) > _UPLINK_LIMIT * self._settings.uplink_bps),
            )
            if at_limit
        ]
        for run in self._runs.values():
            if run.is_measuring(now):
                run.note_load(cpu, egress, ingress, limits)
        self._second_at, self._cpu_at, self._late_s = moment, cpu_now, 0.0
        self._sent = self._received = 0


def _listen(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Give a TCP listener and a UDP socket on the same port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    udp = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if sys.platform != "win32":  # there it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.set_congestion_control(listener)
        listener.bind((host, port))
        udp.bind((host, int(listener.getsockname()[1])))
        listener.listen(1024)
    except OSError:
        listener.close()
        udp.close()
        raise
    listener.setblocking(False)
    udp.setblocking(False)
    return listener, udp
