"""Gets every simulated PC its own identity from the real API, with the real enrolment tokens of its school.

Tokens go in by school, identities come out by inventory code. A server that does not answer or refuses raises
SimulationError naming the school and the server's reason.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from phongmay_contract.errors import OperatorError


class SimulationError(OperatorError):
    """The simulation cannot go on; the text says what to mend."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What an enrolled PC was given."""

    device_id: str
    secret: str
    broker_host: str
    broker_port: int


def enrol_all(server: str, wanted: Iterable[tuple[str, str]], tokens: Mapping[str, str]) -> dict[str, Identity]:
    """Enrol PCs one after the other over one kept-alive connection.

    Args:
        server: URL of the API, e.g. "http://127.0.0.1:8080".
        wanted: (external id of the school, inventory code) of each PC.
        tokens: enrolment token by external id of the school.
    """
    address = urlsplit(server)
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=20)
    identities: dict[str, Identity] = {}
    try:
        for school, code in wanted:
            answer = _enrol(connection, tokens[school], code)
            broker = answer["broker"]
            identities[code] = Identity(answer["device_id"], answer["secret"], broker["host"], broker["port"])
    except (OSError, http.client.HTTPException) as error:
        raise SimulationError(f"{server} does not answer ({error}); is 'phongmay api run' running?") from error
    finally:
        connection.close()
    return identities


def _enrol(connection: http.client.HTTPConnection, token: str, code: str) -> dict[str, Any]:
    body = json.dumps({"token": token, "fingerprint": "", "code": code})
    connection.request("POST", "/api/v1/enrolments", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer: dict[str, Any] = json.loads(response.read() or b"{}")
    if response.status != http.client.CREATED:
        raise SimulationError(f"{code} could not be enrolled: {answer.get('detail') or answer.get('title')}")
    return answer
