"""How a participant gets in: one TCP connection, one line with the ticket, one line of answer. Blocking, with timeouts.

A server that is not reached or turns the ticket away raises ConnectError with a short reason (`refused_replayed`).
"""

from __future__ import annotations

import socket

from phongmay_bandwidth import PROTOCOL
from phongmay_bandwidth.records import RecordError, parse_object

TIMEOUT_S = 5.0
_MAX_ANSWER = 512


class ConnectError(Exception):
    """No admission; the text is the reason."""


def connect(host: str, port: int, ticket: str, timeout_s: float = TIMEOUT_S) -> tuple[socket.socket, bytes]:
    """Give an admitted connection (still blocking, with the timeout) and its session.

    Raises:
        ConnectError: unreachable, no_answer, or refused_<reason>.
    """
    try:
        sock = socket.create_connection((host, port), timeout_s)
    except (OSError, UnicodeError):
        raise ConnectError("unreachable") from None
    try:
        sock.sendall(f"{PROTOCOL} {ticket}\n".encode())
        return sock, bytes.fromhex(str(_answer(sock).get("session", "")))
    except (OSError, ValueError) as error:
        sock.close()
        raise ConnectError("no_answer" if not isinstance(error, _RefusedError) else str(error)) from None


class _RefusedError(ValueError):
    """The server said no."""


def _answer(sock: socket.socket) -> dict[str, object]:
    """Read the one line of answer, byte by byte: what follows belongs to somebody else."""
    got = b""
    while not got.endswith(b"\n"):
        part = sock.recv(1)
        if not part or len(got) > _MAX_ANSWER:
            raise RecordError("no answer")
        got += part
    answer = parse_object(got)
    if answer.get("ok") is not True:
        raise _RefusedError(f"refused_{str(answer.get('reason', ''))[:40]}")
    return answer
