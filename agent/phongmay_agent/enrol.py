"""Enrolment: server address, token and fingerprint go in, the identity file comes out.

One POST to /api/v1/enrolments. Whatever the server refuses (a problem document, RFC 9457) or the network prevents is an
EnrolError of one sentence; nothing is written then. The token's text and the secret are never logged.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from phongmay_agent.identity import Identity, check_place, parse_enrolment, write_identity
from phongmay_agent.probes.base import Probe, run_probe
from phongmay_contract.errors import OperatorError

TIMEOUT_S = 20
_MOST_BYTES = 65536


class EnrolError(OperatorError):
    """This PC was not enrolled."""


def enrol(path: Path, server: str, token: str, code: str, hardware: Probe, *, replace: bool = False) -> Identity:
    """Enrol this PC and write its identity file.

    Args:
        path: where the identity goes.
        server: http(s)://HOST[:PORT] of the API.
        token: the school's enrolment token.
        code: inventory code of a device that the register knows already; "" for a new PC.
        hardware: the probe whose fingerprint is shown to the server.
        replace: enrol although there is an identity already.

    Raises:
        OperatorError: with the reason in one sentence.
    """
    url = urlsplit(server)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise EnrolError(f"--server {server!r} is no address; give http://HOST:PORT")
    if path.exists() and not replace:
        raise EnrolError(f"{path}: this PC has an identity already; give --replace to enrol it anew")
    check_place(path)
    groups = [group for group in run_probe(hardware) if group.measurement == "hardware"]
    fingerprint = str(groups[0].values.get("fingerprint", "")) if groups else ""
    answer = _post(
        f"{server.rstrip('/')}/api/v1/enrolments", {"token": token, "fingerprint": fingerprint, "code": code}
    )
    try:
        identity = parse_enrolment(answer, server.rstrip("/"))
    except (ValueError, KeyError, TypeError) as error:
        raise EnrolError(f"{server} answered something that is no identity ({error}); is it a Phòng Máy?") from None
    write_identity(path, identity)
    return identity


def _post(url: str, message: dict[str, str]) -> Any:
    request = urllib.request.Request(  # noqa: S310 # http and https only, checked above
        url, json.dumps(message).encode(), {"Content-Type": "application/json", "Accept": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 # as above
            return json.loads(answer.read(_MOST_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            raise EnrolError(f"{url} refused ({error.code}): {_problem(error.read(_MOST_BYTES))}") from None
    except ValueError:
        raise EnrolError(f"{url} answered something that is not JSON; is --server the address of the API?") from None
    except urllib.error.URLError as error:
        raise EnrolError(f"{url} cannot be reached ({_reason(error.reason)}); check --server and the network") from None
    except (OSError, http.client.HTTPException) as error:
        raise EnrolError(f"{url} broke off ({_reason(error)}); try again") from None


def _reason(error: object) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _problem(body: bytes) -> str:
    """Give the sentence of a problem document, RFC 9457."""
    try:
        problem = json.loads(body)
        sentence = ": ".join(str(problem[key]) for key in ("title", "detail") if problem.get(key))
    except (ValueError, AttributeError):
        sentence = ""
    return sentence or "no reason given; is --server the address of the API?"
