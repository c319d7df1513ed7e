"""The program's receiver and server against bare loops on loopback: payload for each second of processor time.

In: how many connections. Out: bytes per CPU-second of the product's loop over that of a bare epoll loop with
`recv_into` or `send`, each in a process of its own, one after the other, several times; the median ratio counts.
"""

from __future__ import annotations

import os
import secrets
import select
import socket
import statistics
import struct
import time
from collections.abc import Callable

from phongmay_bandwidth import PROTOCOL
from phongmay_bandwidth.loop import Loop
from phongmay_bandwidth.server import BandwidthServer
from phongmay_bandwidth.settings import BandwidthSettings
from phongmay_bandwidth.streams import RECEIVE_BYTES, DownStream
from phongmay_bandwidth.ticket import Ticket, new_nonce, sign

_SECONDS = 1.5
_ROUNDS = 3
_KEY = secrets.token_bytes(32)


def _forked(work: Callable[[], tuple[int, float]]) -> tuple[int, Callable[[], float]]:
    """Run something in a child that gives (bytes, CPU-seconds); give its process and how to read the rate."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            os.write(writer, struct.pack("=qd", *work()))
            code = 0
        finally:
            os._exit(code)
    os.close(writer)

    def rate() -> float:
        raw = os.read(reader, 16)
        os.close(reader)
        os.waitpid(child, 0)
        passed, cpu = struct.unpack("=qd", raw)
        return float(passed / cpu)

    return child, rate


def _bare_receive(socks: list[socket.socket]) -> tuple[int, float]:
    poll, by_fd, buffer = select.epoll(), {sock.fileno(): sock for sock in socks}, memoryview(bytearray(RECEIVE_BYTES))
    for sock in socks:
        sock.setblocking(False)
        poll.register(sock, select.EPOLLIN)
    passed, begin, end = 0, time.process_time(), time.monotonic() + _SECONDS
    while time.monotonic() < end:
        for fd, _ in poll.poll(0.1):
            try:
                passed += by_fd[fd].recv_into(buffer)
            except BlockingIOError:
                continue
    return passed, time.process_time() - begin


def _own_receive(socks: list[socket.socket]) -> tuple[int, float]:
    loop, buffer = Loop(), memoryview(bytearray(RECEIVE_BYTES))
    streams = [DownStream(loop, sock, 10**15, buffer) for sock in socks]
    for stream in streams:
        stream.begin(0)
    loop.call_at(time.perf_counter() + _SECONDS, loop.stop)
    begin = time.process_time()
    loop.run()
    return sum(stream.passed() for stream in streams), time.process_time() - begin


def _bare_send(socks: list[socket.socket], seconds: float) -> tuple[int, float]:
    poll, by_fd, data = select.epoll(), {sock.fileno(): sock for sock in socks}, memoryview(bytes(256 * 1024))
    for sock in socks:
        sock.setblocking(False)
        poll.register(sock, select.EPOLLOUT)
    passed, begin, end = 0, time.process_time(), time.monotonic() + seconds
    while time.monotonic() < end:
        for fd, _ in poll.poll(0.1):
            try:
                passed += by_fd[fd].send(data)
            except BlockingIOError:
                continue
            except OSError:
                poll.unregister(fd)
    return passed, time.process_time() - begin


def _pairs(count: int) -> tuple[list[socket.socket], list[socket.socket]]:
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        ours, theirs = [], []
        for _ in range(count):
            ours.append(socket.create_connection(listener.getsockname()))
            theirs.append(listener.accept()[0])
    return ours, theirs


def _receiver(count: int, *, own: bool) -> float:
    ours, theirs = _pairs(count)
    _, sent = _forked(lambda: _bare_send(theirs, _SECONDS + 0.3))
    for sock in theirs:
        sock.close()
    _, rate = _forked(lambda: (_own_receive if own else _bare_receive)(ours))
    for sock in ours:
        sock.close()
    found = rate()
    sent()
    return found


def _serve(server: BandwidthServer, word: socket.socket) -> tuple[int, float]:
    """Serve until a while after the word that everybody is connected; count from that word on."""
    begun: list[tuple[float, int]] = []

    def passed() -> int:
        return sum(flow.series.total for run in server._runs.values() for flow in run.flows())

    def begin() -> None:
        server._loop.forget(word)
        begun.append((time.process_time(), passed()))
        server._loop.call_at(time.perf_counter() + _SECONDS, server.stop)

    server._loop.watch(word, read=begin)
    server.run()
    return passed() - begun[0][1], time.process_time() - begun[0][0]


def _server(count: int) -> float:
    server = BandwidthServer(BandwidthSettings(host="127.0.0.1", port=0, max_connections=2000, uplink_bps=1e12), _KEY)
    ours, theirs = socket.socketpair()
    _, rate = _forked(lambda: _serve(server, theirs))
    now, socks = time.time(), []
    for index in range(count):
        ticket = Ticket("run-bench", f"pc-{index:03}", "down", new_nonce(), now, now + 60, start=now, byte_cap=10**13,
                        window_min_s=60, window_max_s=60)  # fmt: skip
        sock = socket.create_connection(("127.0.0.1", server.port))
        sock.sendall(f"{PROTOCOL} {sign(_KEY, ticket)}\n".encode())
        sock.recv(200)
        socks.append(sock)
    for sock in socks:
        sock.send(b"g")
    ours.send(b"g")
    _, received = _forked(lambda: _bare_receive(socks))
    for sock in socks:
        sock.close()
    received()
    found = rate()
    for sock in (ours, theirs, server._listener, server._udp):
        sock.close()
    return found


def _bare_server(count: int) -> float:
    ours, theirs = _pairs(count)
    _, received = _forked(lambda: _bare_receive(ours))
    for sock in ours:
        sock.close()
    _, rate = _forked(lambda: _bare_send(theirs, _SECONDS))
    for sock in theirs:
        sock.close()
    found = rate()
    received()
    return found


def ratios(count: int) -> dict[str, float]:
    """Give receiver and server over bare loops, and the bare loops' own rates in Gbit/s per CPU-second."""
    receiver, server, bare_in, bare_out = [], [], [], []
    for _ in range(_ROUNDS):
        bare_in.append(_receiver(count, own=False))
        receiver.append(_receiver(count, own=True) / bare_in[-1])
        bare_out.append(_bare_server(count))
        server.append(_server(count) / bare_out[-1])
    return {
        f"receiver_ratio_{count}": round(statistics.median(receiver), 3),
        f"server_ratio_{count}": round(statistics.median(server), 3),
        f"bare_receive_gbps_{count}": round(statistics.median(bare_in) * 8 / 1e9, 1),
        f"bare_send_gbps_{count}": round(statistics.median(bare_out) * 8 / 1e9, 1),
    }
