"""A real bandwidth server on loopback, and participants in threads that load it."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from phongmay_bandwidth import PROTOCOL
from phongmay_bandwidth.fetch import fetch_report
from phongmay_bandwidth.machine import Machine, UnknownMachine
from phongmay_bandwidth.order import RunKind, RunOrder
from phongmay_bandwidth.participant import Participant
from phongmay_bandwidth.planning import RunPlan, make_orders
from phongmay_bandwidth.report import RunReport
from phongmay_bandwidth.result import ParticipantResult
from phongmay_bandwidth.server import BandwidthServer
from phongmay_bandwidth.settings import BandwidthSettings
from phongmay_bandwidth.ticket import Ticket, new_nonce, sign

LEAD_S = 1.2
"""From the order to T0 in tests."""
PATIENCE_S = 20.0


class Server:
    """One server in a thread, with its ticket key."""

    def __init__(self, **changes: Any) -> None:
        self.key = secrets.token_bytes(32)
        settings = BandwidthSettings(**{"host": "127.0.0.1", "port": 0, "uplink_bps": 1e12, **changes})
        self.server = BandwidthServer(settings, self.key)
        self.port = self.server.port
        if hasattr(socket, "TCP_MAXSEG"):  # segments as on a real line; the loopback's 64 KiB ones cannot be paced
            self.server._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1448)
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()

    def close(self) -> None:
        """Stop it."""
        self.server.stop()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def plan(self, kind: RunKind = RunKind.FLOOR, **changes: Any) -> RunPlan:
        """A short run."""
        values: dict[str, Any] = {
            "run": f"run-{secrets.token_hex(4)}",
            "kind": kind,
            "host": "127.0.0.1",
            "port": self.port,
            "start": time.time() + LEAD_S,
            "floor_down_bps": 8e6,
            "floor_up_bps": 8e6,
            "idle_s": 0.5,
            "warmup_s": 0.5,
            "window_min_s": 1.5,
            "window_max_s": 1.5,
            "abort_on_input": False,
        }
        return RunPlan(**{**values, **changes})

    def ticket(self, **changes: Any) -> Ticket:
        """A ticket of any kind, good unless changed."""
        now = time.time()
        values: dict[str, Any] = {
            "run": "run-of-a-stranger",
            "participant": "pc-x",
            "purpose": "down",
            "nonce": new_nonce(),
            "issued": now,
            "expires": now + 60,
            "start": now,
            "byte_cap": 1_000_000,
            "time_cap_s": 10.0,
        }
        return Ticket(**{**values, **changes})

    def greet(self, text: str) -> tuple[socket.socket, bytes]:
        """Show a first line; give the connection and the answer."""
        sock = socket.create_connection(("127.0.0.1", self.port), 5)
        sock.sendall(text.encode() + b"\n")
        try:
            return sock, sock.recv(400)
        except ConnectionError:
            return sock, b""

    def show(self, ticket: Ticket) -> tuple[socket.socket, bytes]:
        """Show a ticket of this server's key."""
        return self.greet(f"{PROTOCOL} {sign(self.key, ticket)}")

    def report(self, run: str) -> RunReport:
        """Fetch the finished report."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            report = fetch_report("127.0.0.1", self.port, self.key, run)
            if report.finished:
                return report
            time.sleep(0.1)
        raise AssertionError(f"{run} did not finish")


class Party:
    """Participants of one run, each in its thread."""

    def __init__(self, orders: dict[str, RunOrder], machines: dict[str, Machine] | None = None) -> None:
        self.results: dict[str, ParticipantResult] = {}
        self.participants = {
            device: Participant(order, (machines or {}).get(device, UnknownMachine()))
            for device, order in orders.items()
        }
        self._threads = [threading.Thread(target=self._run, args=(device,)) for device in orders]
        for thread in self._threads:
            thread.start()

    def _run(self, device: str) -> None:
        self.results[device] = self.participants[device].run()

    def wait(self) -> dict[str, ParticipantResult]:
        """Give the results of all."""
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        return self.results


def take_part(server: Server, plan: RunPlan, devices: Sequence[str]) -> Party:
    """Let devices take part."""
    return Party(make_orders(plan, devices, server.key, time.time()))


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server."""
    running = Server()
    yield running
    running.close()
