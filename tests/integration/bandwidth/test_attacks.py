"""Strangers, liars and those who never stop: none of them disturbs a run of others."""

from __future__ import annotations

import contextlib
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from phongmay_bandwidth import PROTOCOL
from phongmay_bandwidth.analysis import analyse
from phongmay_bandwidth.flows import START
from phongmay_bandwidth.machine import UnknownMachine
from phongmay_bandwidth.participant import Participant
from phongmay_bandwidth.planning import make_orders
from phongmay_bandwidth.result import ParticipantResult
from phongmay_bandwidth.ticket import Purpose, sign
from phongmay_bandwidth.verdict import Expected, RunAnalysis, Verdict

from .conftest import Party, Server

pytestmark = pytest.mark.alone

DEVICES = [f"pc-{number:03}" for number in range(8)]


def run_under(server: Server, attack: Callable[[threading.Event], None]) -> None:
    """Let a floor run of others go on under an attack; it must pass (again when this machine was too busy)."""
    for _ in range(3):
        found = one_run_under(server, attack)
        if found.verdict is Verdict.PASS:
            break
    assert (found.verdict, found.reasons) == (Verdict.PASS, ())


def one_run_under(server: Server, attack: Callable[[threading.Event], None]) -> RunAnalysis:
    """Let a floor run of others go on under an attack."""
    plan = server.plan(registered=8, start=time.time() + 2.0, directions=(Purpose.DOWN,))
    party = Party(make_orders(plan, DEVICES, server.key, time.time()))
    over = threading.Event()
    attacker = threading.Thread(target=attack, args=(over,))
    attacker.start()
    try:
        results = party.wait()
    finally:
        over.set()
        attacker.join(20)
    return analyse(plan, [Expected(device) for device in DEVICES], server.report(plan.run), results)


def test_a_thousand_connections_without_a_ticket(server: Server) -> None:
    """They are bounded, the oldest goes first, and who has a ticket gets in between them."""

    def attack(over: threading.Event) -> None:
        held = []
        while not over.is_set() and len(held) < 1000:
            try:
                sock = socket.create_connection(("127.0.0.1", server.port), 2)
                sock.sendall(b"phongmay" if len(held) % 2 else b"")
                held.append(sock)
            except OSError:
                pass
        over.wait(20)
        for sock in held:
            sock.close()

    run_under(server, attack)


def test_forged_replayed_and_expired_tickets_get_a_reason_and_nothing_else(server: Server) -> None:
    """Also in great number while others measure."""
    used = server.ticket()
    sock, answer = server.show(used)
    assert b'"ok":true' in answer
    sock.close()

    def refused(text: str, reason: bytes) -> None:
        sock, answer = server.greet(f"{PROTOCOL} {text}")
        assert reason in answer
        assert sock.recv(10) == b""
        sock.close()

    def attack(over: threading.Event) -> None:
        while not over.wait(0.02):
            refused(sign(secrets.token_bytes(32), server.ticket()), b'"forged"')
            refused(sign(server.key, used), b'"replayed"')
            past = time.time() - 100
            refused(sign(server.key, server.ticket(issued=past, expires=past + 50)), b'"expired"')

    run_under(server, attack)
    assert server.server.admission.refused["forged"] >= 10


def test_one_that_never_stops_is_cut_at_its_caps(server: Server) -> None:
    """A download that is never read, one that is read for ever, an upload that never ends: bytes, time, rate hold."""
    now = time.time()
    caps = {"start": now, "time_cap_s": 2.0}
    silent, _ = server.show(server.ticket(purpose="down", byte_cap=10**10, run="run-silent", **caps))
    silent.sendall(START)
    greedy, _ = server.show(server.ticket(purpose="down", byte_cap=3_000_000, run="run-greedy", **caps))
    greedy.sendall(START)
    got = 0
    greedy.settimeout(10)
    try:
        while part := greedy.recv(65536):
            got += len(part)
    except ConnectionResetError:
        pass
    assert got <= 3_000_000
    pusher, _ = server.show(server.ticket(purpose="up", byte_cap=10**10, run="run-pusher", rate_bps=8e6, **caps))
    pusher.settimeout(10)
    with contextlib.suppress(ConnectionError):  # the only way out of the loop
        while True:
            pusher.sendall(bytes(65536))
    assert time.time() - now < 8
    report = server.report("run-pusher")
    assert report.connections[0].stop_reason in ("time_cap", "window")
    assert report.connections[0].bytes < 8e6 / 8 * 2.5 * 1.25 + 600_000
    assert server.report("run-silent").connections[0].ended_at - now < 6
    silent.close()


def test_those_who_never_stop_disturb_nobody(server: Server) -> None:
    """Ten greedy connections with genuine tickets of another run, paced by their tickets, beside a run."""

    def attack(over: threading.Event) -> None:
        socks = []
        for index in range(10):
            sock, _ = server.show(server.ticket(run="run-greedy", stream=index, rate_bps=1e6, byte_cap=10**10))
            sock.sendall(START * 50)
            sock.setblocking(False)
            socks.append(sock)
        while not over.is_set():
            for sock in select.select(socks, [], [], 0.1)[0]:
                try:
                    if not sock.recv(65536):
                        socks.remove(sock)
                except OSError:
                    socks.remove(sock)

    run_under(server, attack)


class Liar(Participant):
    """Tells ten times what it got."""

    def run(self) -> ParticipantResult:
        """Take part, and lie."""
        result = super().run()
        return replace(result, down_bps=(result.down_bps or 0) * 10, up_bps=(result.up_bps or 0) * 10)


def test_a_participant_that_lies_is_excluded_and_named(server: Server) -> None:
    """The verdict of the others stands, and the sum is what the server saw."""
    devices = [f"pc-{number:03}" for number in range(11)]
    plan = server.plan(registered=11, directions=(Purpose.UP,))
    orders = make_orders(plan, devices, server.key, time.time())
    lied: list[ParticipantResult] = []
    liar = threading.Thread(target=lambda: lied.append(Liar(orders["pc-004"], UnknownMachine()).run()))
    liar.start()
    party = Party({device: order for device, order in orders.items() if device != "pc-004"})
    results = party.wait()
    liar.join(20)
    found = analyse(
        plan, [Expected(device) for device in devices], server.report(plan.run), {**results, "pc-004": lied[0]}
    )
    assert (found.verdict, found.excluded) == (Verdict.PASS, ("pc-004",))
    assert found.directions[0].goodput_bps == pytest.approx(11 * 8e6, rel=0.06)


def test_an_echo_without_a_session_gets_no_answer(server: Server) -> None:
    """The server is no reflector: UDP from strangers is dropped, an admitted session gets exactly what it sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(0.3)
        udp.sendto(bytes(64), ("127.0.0.1", server.port))
        with pytest.raises(TimeoutError):
            udp.recvfrom(100)
        sock, answer = server.show(server.ticket(purpose="control"))
        session = bytes.fromhex(answer.split(b'"session":"')[1][:16].decode())
        udp.sendto(session + b"hello", ("127.0.0.1", server.port))
        assert udp.recv(100) == session + b"hello"
        sock.close()


@pytest.mark.parametrize("line", ["", "GET / HTTP/1.1", "x" * 5000, f"{PROTOCOL} {'y' * 3000}", "\0\0\0\0"])
def test_a_first_line_that_is_none_is_cut(server: Server, line: str) -> None:
    """No answer that would tell a stranger more than a refusal."""
    sock, answer = server.greet(line)
    assert b'"ok":true' not in answer
    sock.close()


def test_garbage_on_the_control_connection_harms_nobody(server: Server) -> None:
    """Bounded lines, bounded questions."""
    sock, _ = server.show(server.ticket(purpose="control"))
    sock.sendall(b"t 1\nnonsense\n\n" + b"t 2\n" * 500)
    time.sleep(0.3)
    assert sock.recv(65536).count(b"\n") <= 210
    sock.sendall(b"z" * 1000)
    sock.settimeout(5)
    rest = b"x"
    while rest:
        try:
            rest = sock.recv(65536)
        except ConnectionResetError:
            rest = b""
    sock.close()
