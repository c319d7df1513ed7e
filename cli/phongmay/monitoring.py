"""What a process says of itself, on a loopback port: /metrics (Prometheus), /health, /ready, /status (JSON).

In: a port and two functions - whether the process turns, and all that it says of itself. Out: HTTP answers from a
thread of its own. /health answers 200 while the process turns, and asks no store; /ready answers 503 with the reasons
while it cannot do its work. A port that is taken is told in the log and stops nothing: watching must never end what is
watched.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

_log = logging.getLogger("phongmay.monitoring")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a process.

    Attributes:
        name: without the prefix `phongmay_`; of a counter without `_total`.
        about: one English sentence.
        value: what it is now.
        counter: it only grows.
        labels: what tells apart figures of one name.
    """

    name: str
    about: str
    value: float
    counter: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong: a code that `phongmay status` has words for, and the detail.

    Attributes:
        stops: the process cannot do its work meanwhile, so it is not ready.
    """

    code: str
    detail: str
    stops: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    """All that a process says of itself."""

    process: str
    turns: bool
    figures: Sequence[Figure]
    troubles: Sequence[Trouble] = ()


class _Families:
    """Figures as Prometheus takes them."""

    def __init__(self, report: Callable[[], Report]) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        """Give one family a name."""
        families: dict[str, Metric] = {}
        for figure in self._report().figures:
            kind = CounterMetricFamily if figure.counter else GaugeMetricFamily
            labels = list(figure.labels)
            if figure.name not in families:
                families[figure.name] = kind(f"phongmay_{figure.name}", figure.about, labels=labels)
            families[figure.name].add_metric([figure.labels[name] for name in labels], figure.value)  # type: ignore[attr-defined] # both kinds have it
        yield from families.values()


def serve(port: int, turns: Callable[[], bool], report: Callable[[], Report]) -> ThreadingHTTPServer | None:
    """Answer on a loopback port from now on; None when the port is 0 or taken.

    Args:
        port: port on 127.0.0.1.
        turns: whether the process turns; asked like `report`, and answers at once whatever hangs.
        report: asked at every question, in another thread than the caller's.
    """
    if not port:
        return None
    registry = CollectorRegistry()
    registry.register(_Families(report))

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = _answer(self.path, turns, report, registry)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing of questions."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Answers)
    except OSError as error:
        _log.warning('event=no_metrics port=%d detail="%s"', port, error.strerror)
        return None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="monitoring", daemon=True).start()
    return server


def _answer(
    path: str, turns: Callable[[], bool], report: Callable[[], Report], registry: CollectorRegistry
) -> tuple[int, str, bytes]:
    path = path.partition("?")[0]
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, generate_latest(registry)
    json = "application/json"
    if path == "/health":
        well = turns()
        return (200 if well else 503), json, msgspec.json.encode({"status": "ok" if well else "stuck"})
    if path == "/ready":
        reasons = [trouble.detail for trouble in report().troubles if trouble.stops]
        return (503 if reasons else 200), json, msgspec.json.encode({"ready": not reasons, "reasons": reasons})
    if path == "/status":
        return 200, json, msgspec.json.encode(report())
    return 404, json, b'{"paths":["/metrics","/health","/ready","/status"]}'


def figure_of(figures: Iterable[Figure], name: str) -> float:
    """Give the sum of a figure over its labels; 0 when there is none."""
    return sum(figure.value for figure in figures if figure.name == name)
