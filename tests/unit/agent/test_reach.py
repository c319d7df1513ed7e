"""Targets that answer, refuse, keep silent or talk nonsense, each as a real socket on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from phongmay_agent.probes.base import NoData
from phongmay_agent.probes.reach import ReachProbe, ask
from phongmay_agent.probes.targets import Target, parse_target

Serve = Callable[[socket.socket], None]


@contextmanager
def tcp_server(serve: Serve) -> Iterator[int]:
    """Listen on a free port and serve one connection."""

    def work() -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@contextmanager
def dns_server(answer: Callable[[bytes], list[bytes]]) -> Iterator[int]:
    """Answer one datagram with some."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def work() -> None:
            query, sender = sock.recvfrom(4096)
            for datagram in answer(query):
                sock.sendto(datagram, sender)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield sock.getsockname()[1]
        thread.join(5)


def free_port() -> int:
    """Give a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def http(status: str) -> Serve:
    """Make a server that answers with a status line."""

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    return serve


def test_a_listening_port_answers() -> None:
    """A TCP connection is the answer, with the time it took."""
    with tcp_server(lambda _: None) as port:
        answer = ask(Target("tcp", "127.0.0.1", port), 5)
    assert answer["ok"] is True
    assert 0 <= float(answer["took_s"]) < 5


def test_a_refusal_is_an_answer_of_a_gateway_only() -> None:
    """A router that closes its port is there; a server that refuses its service is not."""
    port = free_port()
    assert ask(Target("tcp", "127.0.0.1", port), 5) == {"ok": False, "method": "tcp", "error": "refused"}
    assert ask(Target("tcp", "127.0.0.1", port, refused_is_answer=True), 5)["ok"] is True


@pytest.mark.parametrize(
    ("status", "ok", "error"),
    [
        ("200 OK", True, None),
        ("302 Found", True, None),
        ("503 Busy", False, "status_503"),
        ("404 No", False, "status_404"),
    ],
)
def test_http_is_judged_by_its_status(status: str, ok: bool, error: str | None) -> None:
    """Below 400 the target answered; a broken server has not."""
    with tcp_server(http(status)) as port:
        answer = ask(Target("http", "127.0.0.1", port), 5)
    assert (answer["ok"], answer.get("error")) == (ok, error)


def test_what_is_not_http_is_named_so() -> None:
    """A mistyped port that talks something else."""
    with tcp_server(lambda connection: connection.sendall(b"220 smtp ready\r\n")) as port:
        assert ask(Target("http", "127.0.0.1", port), 5)["error"] == "not_http"


def test_silence_is_a_timeout() -> None:
    """A server that accepts and says nothing."""
    done = threading.Event()

    def serve(_: socket.socket) -> None:
        done.wait(10)

    with tcp_server(serve) as port:
        assert ask(Target("http", "127.0.0.1", port), 0.2)["error"] == "timeout"
        done.set()


def reply(query: bytes, code: int) -> bytes:
    """Make an answer to a DNS query."""
    return query[:2] + bytes([0x81, 0x80 | code]) + query[4:]


@pytest.mark.parametrize(("code", "ok"), [(0, True), (3, True), (2, False), (5, False)])
def test_a_resolver_is_judged_by_its_code(code: int, ok: bool) -> None:
    """NOERROR and NXDOMAIN are answers, SERVFAIL and REFUSED are not."""
    with dns_server(lambda query: [reply(query, code)]) as port:
        answer = ask(Target("dns", "127.0.0.1", port), 5)
    assert answer["ok"] is ok
    assert answer.get("error") == (None if ok else f"rcode_{code}")


def test_stray_datagrams_are_no_answer() -> None:
    """Only the answer to this very query counts."""
    strays = [b"", b"x", b"\0\0" + bytes(10)]
    with dns_server(lambda query: [*strays, bytes([query[0] ^ 1]) + reply(query, 0)[1:]]) as port:
        assert ask(Target("dns", "127.0.0.1", port), 0.3)["error"] == "timeout"
    with dns_server(lambda query: [*strays, reply(query, 0)]) as port:
        assert ask(Target("dns", "127.0.0.1", port), 5)["ok"] is True


def test_the_query_names_nobody() -> None:
    """It asks for the root: no host name of this school's life leaves the PC."""
    seen: list[bytes] = []
    with dns_server(lambda query: [seen.append(query) or reply(query, 0)]) as port:  # type: ignore[func-returns-value]
        ask(Target("dns", "127.0.0.1", port), 5)
    assert seen[0][12:] == b"\0\0\x02\0\x01"


def test_targets_are_asked_side_by_side() -> None:
    """A server that answers nobody before all four have asked: one after another, each would be silent."""
    names = ("gateway", "dns", "district", "internet")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connections = [listener.accept()[0] for _ in names]
            for connection in connections:
                http("200 OK")(connection)
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        target = Target("http", "127.0.0.1", listener.getsockname()[1])
        groups = ReachProbe(lambda: dict.fromkeys(names, target), 10).measure()
        thread.join(10)
    assert [(group.part, group.values["ok"]) for group in groups] == [(name, True) for name in names]


def test_a_look_up_that_hangs_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver cannot be hurried: the target is silent meanwhile, and threads do not pile up."""
    release = threading.Event()
    asked: list[str] = []

    def hang(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        release.wait(30)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    probe = ReachProbe(lambda: {"internet": Target("tcp", "name.invalid", 1)}, 0.1)
    first, second = probe.measure(), probe.measure()
    release.set()
    assert asked == ["name.invalid"]
    for groups in (first, second):
        assert groups[0].values == {"ok": False, "error": "timeout", "method": "tcp"}


def test_without_targets_there_is_nothing_to_say() -> None:
    """No target is not a dead target."""
    with pytest.raises(NoData):
        ReachProbe(dict, 1).measure()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0.1",
        "tcp://10.0.0.1",
        "ftp://x:1",
        "http://",
        "http://u:p@x/",
        "tcp://x:99999",
        "dns://[::1",
        "tcp://:80",
    ],
)
def test_what_is_no_target_is_refused(text: str) -> None:
    """A password in a target would end up in a file that is no secret; the others cannot be asked."""
    assert parse_target(text) is None
