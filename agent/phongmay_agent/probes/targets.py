"""How a target of the reach probe is written: tcp://HOST:PORT, http(s)://HOST[:PORT][/PATH] or dns://HOST[:PORT]."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443, "dns": 53}


@dataclass(frozen=True)
class Target:
    """Where and how to ask.

    Attributes:
        method: tcp, http or dns.
        secure: HTTP over TLS.
        refused_is_answer: a refused connection proves that the host is there (a gateway need not listen anywhere).
    """

    method: str
    host: str
    port: int
    path: str = "/"
    secure: bool = False
    refused_is_answer: bool = False


def parse_target(text: str, *, refused_is_answer: bool = False) -> Target | None:
    """Read a target; None if it is not one."""
    try:
        url = urlsplit(text)
        port = url.port or _PORTS.get(url.scheme, 0)
    except ValueError:
        return None
    if url.scheme not in ("tcp", "http", "https", "dns") or not url.hostname or not port or url.username is not None:
        return None
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    method = "http" if url.scheme == "https" else url.scheme
    return Target(method, url.hostname, port, path, url.scheme == "https", refused_is_answer)
