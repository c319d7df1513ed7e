"""The probe `reach`: whether gateway, name server, district and Internet answer, and after how long.

All targets are asked at the same time, so a round waits at most for one timeout however many are dead. A target that
is neither configured nor derivable is absent. Why one failed is one fixed word; addresses and names are never sent.
"""

from __future__ import annotations

import errno
import http.client
import secrets
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping

from phongmay_agent.probes.base import NoData
from phongmay_agent.probes.targets import Target
from phongmay_contract.catalogue import Cadence, Value
from phongmay_contract.envelope import Group

_UNREACHABLE = {errno.ENETUNREACH: "no_route", errno.EHOSTUNREACH: "unreachable", errno.ENETDOWN: "no_route"}
_GRACE_S = 0.5
"""What a thread gets beyond its own timeouts; only a name look-up of the system may take longer."""
_DNS_ANSWERS = frozenset({0, 3})
"""NOERROR and NXDOMAIN: the resolver did its work, also where it is built to know no names outside the school."""


class Failed(Exception):
    """The target did not answer as it should; the text is one fixed word."""


class ReachProbe:
    """Asks every target in a thread of its own."""

    name = "reach"
    cadence = Cadence.ROUND
    gives = ("reach",)

    def __init__(self, targets: Callable[[], Mapping[str, Target]], timeout_s: float) -> None:
        """Prepare the probe.

        Args:
            targets: gives the targets of this moment by name (a laptop changes its gateway).
            timeout_s: patience with one target.
        """
        self._targets = targets
        self._timeout_s = timeout_s
        self._running: dict[str, threading.Thread] = {}

    def measure(self) -> list[Group]:
        """Ask all targets now.

        Raises:
            NoData: there is no target.
        """
        targets = self._targets()
        if not targets:
            raise NoData
        answers: dict[str, dict[str, Value]] = {}
        started: list[threading.Thread] = []
        for name, target in targets.items():
            hanging = self._running.get(name)
            if hanging is not None and hanging.is_alive():
                continue  # its look-up of the last round has not come back: no second one beside it
            thread = threading.Thread(target=self._ask, args=(name, target, answers), daemon=True)
            self._running[name] = thread
            thread.start()
            started.append(thread)
        end = time.monotonic() + self._timeout_s + _GRACE_S
        for thread in started:
            thread.join(max(0.0, end - time.monotonic()))
        silent: dict[str, Value] = {"ok": False, "error": "timeout"}
        return [
            Group("reach", dict(answers.get(name) or {**silent, "method": target.method}), part=name)
            for name, target in targets.items()
        ]

    def _ask(self, name: str, target: Target, answers: dict[str, dict[str, Value]]) -> None:
        answers[name] = ask(target, self._timeout_s)


def ask(target: Target, timeout_s: float) -> dict[str, Value]:
    """Ask one target and give the values of its `reach` group."""
    methods = {"tcp": _tcp, "http": _http, "dns": _dns}
    values: dict[str, Value] = {"method": target.method}
    started = time.perf_counter()
    try:
        methods[target.method](target, timeout_s)
    except Failed as failure:
        return {"ok": False, **values, "error": str(failure)}
    except ConnectionRefusedError:
        if not target.refused_is_answer:
            return {"ok": False, **values, "error": "refused"}
    except TimeoutError:
        return {"ok": False, **values, "error": "timeout"}
    except socket.gaierror:
        return {"ok": False, **values, "error": "no_address"}
    except ssl.SSLError:
        return {"ok": False, **values, "error": "tls"}
    except http.client.HTTPException:
        return {"ok": False, **values, "error": "not_http"}
    except OSError as failure:
        return {"ok": False, **values, "error": _UNREACHABLE.get(failure.errno or 0, "unreachable")}
    return {"ok": True, **values, "took_s": round(time.perf_counter() - started, 6)}


def _tcp(target: Target, timeout_s: float) -> None:
    socket.create_connection((target.host, target.port), timeout_s).close()


def _http(target: Target, timeout_s: float) -> None:
    """GET the path; anything below 400 is an answer. Redirects are not followed: the target itself was asked."""
    kind = http.client.HTTPSConnection if target.secure else http.client.HTTPConnection
    connection = kind(target.host, target.port, timeout=timeout_s)
    try:
        connection.request("GET", target.path, headers={"Connection": "close", "User-Agent": "phongmay-agent"})
        status = connection.getresponse().status
    finally:
        connection.close()
    if status >= 400:
        raise Failed(f"status_{status}")


def _dns(target: Target, timeout_s: float) -> None:
    """Ask for the name servers of the root: every resolver knows them, and nobody's name is asked for."""
    number = secrets.randbelow(0x10000)
    query = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack(">2H", 2, 1)  # ". NS IN", RFC 1035
    family, _, _, _, address = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        end = time.monotonic() + timeout_s
        sock.send(query)
        while True:
            sock.settimeout(max(0.001, end - time.monotonic()))
            answer = sock.recv(4096)
            if len(answer) >= 12 and answer[:2] == query[:2] and answer[2] & 0x80:
                break  # anything else is a stray datagram
            if time.monotonic() >= end:
                raise TimeoutError
    code = answer[3] & 0x0F
    if code not in _DNS_ANSWERS:
        raise Failed(f"rcode_{code}")
