"""Identity file and enrolment against a real HTTP server on loopback."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from phongmay_agent.enrol import EnrolError, enrol
from phongmay_agent.identity import Identity, IdentityError, read_identity, write_identity
from phongmay_contract.catalogue import Cadence
from phongmay_contract.envelope import Group

SECRET = "5" * 64
GOOD = {"device_id": "pc-abcdefghij", "secret": SECRET, "broker": {"host": "127.0.0.1", "port": 1883}}


class Hardware:
    """A hardware probe that knows its fingerprint."""

    name, cadence, gives = "hardware", Cadence.CHANGE, ("hardware",)

    def measure(self) -> list[Group]:
        """Give it."""
        return [Group("hardware", {"os_id": "debian", "fingerprint": "f" * 64})]


class Server:
    """An API whose answer a test sets."""

    def __init__(self) -> None:
        self.status, self.kind, self.body = 201, "application/json", json.dumps(GOOD).encode()
        self.asked: list[tuple[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append((self.path, json.loads(body)))
                self.send_response(outer.status)
                self.send_header("Content-Type", outer.kind)
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    """Run the API."""
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.http.shutdown()
    thread.join(5)
    server.http.server_close()


def test_a_token_becomes_an_identity(server: Server, tmp_path: Path) -> None:
    """Token, fingerprint and code go out; the file that comes of it is for its owner only and reads back."""
    path = tmp_path / "state" / "identity.json"
    made = enrol(path, server.url + "/", "pm-token", "PC-07", Hardware())
    assert server.asked == [("/api/v1/enrolments", {"token": "pm-token", "fingerprint": "f" * 64, "code": "PC-07"})]
    assert made == read_identity(path) == Identity("pc-abcdefghij", SECRET, "127.0.0.1", 1883, server.url)
    assert path.stat().st_mode & 0o777 == 0o600
    assert SECRET not in repr(made)


def test_a_problem_document_is_one_sentence(server: Server, tmp_path: Path) -> None:
    """RFC 9457: title and detail reach the technician; nothing is written."""
    server.status, server.kind = 403, "application/problem+json"
    server.body = json.dumps({"title": "used_token", "detail": "the token is used up"}).encode()
    with pytest.raises(EnrolError, match=r"403\): used_token: the token is used up"):
        enrol(tmp_path / "id.json", server.url, "t", "", Hardware())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "body", [b"<html>login</html>", b"[]", b"{}", json.dumps({**GOOD, "secret": "12"}).encode(), b""]
)
@pytest.mark.parametrize("status", [200, 500])
def test_a_strange_answer_is_no_identity(server: Server, tmp_path: Path, status: int, body: bytes) -> None:
    """A captive portal answers 200 with a page."""
    server.status, server.body = status, body
    with pytest.raises(EnrolError):
        enrol(tmp_path / "id.json", server.url, "t", "", Hardware())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ftp://x", "127.0.0.1:8080", ""])
def test_a_server_that_is_not_there_is_named(tmp_path: Path, url: str) -> None:
    """One sentence with what to check."""
    with pytest.raises(EnrolError, match="--server"):
        enrol(tmp_path / "id.json", url, "t", "", Hardware())


def test_a_token_is_not_spent_where_nothing_can_be_written(server: Server) -> None:
    """Tokens are counted: the place is tried before the server is asked."""
    with pytest.raises(IdentityError, match="identity_file"):
        enrol(Path("/proc/phongmay/id.json"), server.url, "t", "", Hardware())
    assert server.asked == []


def test_an_enrolled_pc_is_not_enrolled_by_accident(server: Server, tmp_path: Path) -> None:
    """A second enrolment would make a second device of one PC; --replace is the way."""
    path = tmp_path / "id.json"
    write_identity(path, Identity("pc-old", SECRET, "h", 1))
    with pytest.raises(EnrolError, match="--replace"):
        enrol(path, server.url, "t", "", Hardware())
    assert server.asked == []
    assert enrol(path, server.url, "t", "", Hardware(), replace=True).device_id == "pc-abcdefghij"


@pytest.mark.skipif(os.name != "posix", reason="file modes")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """A pupil who can read it can be this PC."""
    path = tmp_path / "id.json"
    write_identity(path, Identity("pc-abc", SECRET, "h", 1))
    path.chmod(mode)
    with pytest.raises(IdentityError, match="chmod 600"):
        read_identity(path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", json.dumps({**GOOD, "device_id": "A/+"}), json.dumps({**GOOD, "broker": {"host": "h"}}),
     json.dumps({**GOOD, "broker": {"host": "h", "port": 0}}), json.dumps({**GOOD, "secret": "zz" * 32})],
)  # fmt: skip
def test_a_broken_identity_is_named_with_the_remedy(tmp_path: Path, text: str) -> None:
    """A cut-off file after a power loss is told from a missing one."""
    path = tmp_path / "id.json"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    with pytest.raises(IdentityError, match=r"id\.json: is not an identity file"):
        read_identity(path)


def test_a_missing_identity_says_enrol(tmp_path: Path) -> None:
    """The technician learns the next step."""
    with pytest.raises(IdentityError, match="phongmay-agent enrol"):
        read_identity(tmp_path / "id.json")
