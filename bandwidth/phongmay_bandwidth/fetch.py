"""What a coordinator asks the server: the report of a run, or to end one. Blocking, with its own signed ticket.

A server that cannot be reached, refuses, or answers something else raises FetchError.
"""

from __future__ import annotations

import socket
import time

from phongmay_bandwidth import PROTOCOL
from phongmay_bandwidth.planning import coordinator_ticket
from phongmay_bandwidth.records import RecordError, parse_object
from phongmay_bandwidth.report import RunReport
from phongmay_bandwidth.ticket import Purpose

MAX_REPORT_BYTES = 64 * 1024 * 1024


class FetchError(Exception):
    """The server gave no report.

    Attributes:
        refusal: the server's reason, "" when it did not answer properly.
    """

    def __init__(self, text: str, refusal: str = "") -> None:
        super().__init__(text)
        self.refusal = refusal


def fetch_report(host: str, port: int, key: bytes, run: str, timeout_s: float = 10.0) -> RunReport:
    """Fetch what the server has seen of a run so far.

    Raises:
        FetchError: there is no answer, or a refusal (`unknown_run`).
    """
    return _ask(host, port, coordinator_ticket(key, run, Purpose.REPORT, time.time()), timeout_s)


def abort_run(host: str, port: int, key: bytes, run: str, timeout_s: float = 10.0) -> RunReport:
    """End a run: every connection of it is cut and no further one admitted. Gives its report.

    Raises:
        FetchError: there is no answer.
    """
    return _ask(host, port, coordinator_ticket(key, run, Purpose.ABORT, time.time()), timeout_s)


def _ask(host: str, port: int, ticket: str, timeout_s: float) -> RunReport:
    got = bytearray()
    try:
        with socket.create_connection((host, port), timeout_s) as sock:
            sock.sendall(f"{PROTOCOL} {ticket}\n".encode())
            while part := sock.recv(65536):
                got += part
                if len(got) > MAX_REPORT_BYTES:
                    raise FetchError(f"{host}:{port}: a report of more than {MAX_REPORT_BYTES} bytes")
    except OSError as error:
        raise FetchError(f"{host}:{port}: {error.strerror or error}") from None
    head, _, body = bytes(got).partition(b"\n")
    try:
        answer = parse_object(head)
        if not answer.get("ok"):
            refusal = str(answer.get("reason", ""))
            raise FetchError(f"{host}:{port}: refused: {refusal}", refusal)
        return RunReport.from_json(body)
    except RecordError as error:
        raise FetchError(f"{host}:{port}: {error}") from None
