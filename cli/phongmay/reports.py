"""What each process says of itself: figures for Prometheus, and troubles for `phongmay status` and /ready.

In: a collector, the loop of the rules engine, the stores of the API, the coordinator of campaigns, a bandwidth server.
Out: a Report each. Nothing is raised: what cannot be asked is itself a trouble.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from phongmay.metrics import API, BANDWIDTH, CAMPAIGNS, RULES, figure
from phongmay.monitoring import Figure, Report, Trouble
from phongmay_bandwidth.server import BandwidthServer
from phongmay_bandwidth.ticket import Refusal
from phongmay_campaigns.coordinator import Coordinator
from phongmay_collector.service import Collector
from phongmay_collector.settings import CollectorSettings
from phongmay_collector.standing import Standing
from phongmay_store.errors import StoreError
from phongmay_store.register.failures import sentence
from phongmay_store.series import Readers

STUCK_S = 30.0
"""A loop that has not turned for so long does not turn."""
LATE_S = 60.0
"""A commit that comes so long after its message is late."""
PATIENCE_S = 2.0
"""Who asks how the API stands waits so long for a store at most."""
TURN_S = 5
"""Between two notes of the API that its loop turns."""
RECENT_S = 600.0
"""What the broker dropped within this time is told."""


def port_of(settings: CollectorSettings) -> int:
    """Give the port of one of several collectors; 0 = none."""
    return settings.metrics_port + settings.number - 1 if settings.metrics_port else 0


# ---- the collector ---------------------------------------------------------------------------------------------------


def collector_turns(collector: Collector) -> bool:
    """Tell whether a collector turns."""
    return collector.standing().turned_ago_s < STUCK_S


def collector_report(collector: Collector) -> Report:
    """Tell how a collector stands."""
    standing = collector.standing()
    name = f"collector {collector.member.number}"
    return Report(name, standing.turned_ago_s < STUCK_S, _figures(standing), _troubles(standing))


def _figures(now: Standing) -> list[Figure]:
    counts, broker = now.counts, now.broker
    figures = [
        figure("queue_messages", now.in_memory, "memory"),
        figure("queue_messages", now.on_disk, "disk"),
        figure("queue_bytes", now.on_disk_bytes),
        figure("receipts_outstanding", now.in_memory),
        figure("held_messages", now.held),
        figure("lag_seconds", now.lag_s),
        figure("lag_max_seconds", now.lag_max_s),
        figure("write_seconds", now.write_s),
        figure("last_write_timestamp_seconds", now.written_at),
        figure("throttled_topics", len(now.loud)),
        figure("unread_messages", now.unread),
    ]
    for key in ("messages", "envelopes", "batches", "dead_letters", "out_of_range"):
        figures.append(figure(key, counts.get(key, 0)))
    figures += [figure("session_up", float(up), user) for user, up in now.connected.items()]
    for key, topic in (
        ("broker_dropped_messages", "publish/messages/dropped"),
        ("broker_queued_messages", "store/messages/count"),
        ("broker_queued_bytes", "store/messages/bytes"),
        ("broker_clients", "clients/connected"),
    ):
        if (value := broker.get(topic, "")).isdecimal():
            figures.append(figure(key, float(value)))
    return figures


def _troubles(now: Standing) -> list[Trouble]:
    found = [Trouble("broker_away", user) for user, up in now.connected.items() if not up]
    if now.held:
        found.append(Trouble("queue_full", f"{now.held}: {now.store_away}"))
    elif now.store_away or now.on_disk:
        found.append(Trouble("store_away", f"{now.on_disk} {now.store_away}".strip(), stops=False))
    if now.register_away:
        found.append(Trouble("register_away", ""))
    if now.lag_s > LATE_S and not now.on_disk:
        found.append(Trouble("late", f"{now.lag_s:.0f} s", stops=False))
    found += [Trouble("device_throttled", topic, stops=False) for topic in now.loud]
    if now.broker_dropped_ago_s is not None and now.broker_dropped_ago_s < RECENT_S:
        found.append(Trouble("broker_dropped", now.broker.get("publish/messages/dropped", ""), stops=False))
    return found


# ---- the rules engine ------------------------------------------------------------------------------------------------


@dataclass
class EvaluationFigures:
    """What the loop of the rules engine says of itself; it writes, another thread reads."""

    interval_s: float
    started_at: float = field(default_factory=time.time)
    turned_at: float = field(default_factory=time.monotonic)
    evaluated_at: float = 0.0
    took_s: float = 0.0
    facts: int = 0
    verdicts: int = 0
    evaluations: int = 0
    failed: int = 0
    away: str = ""

    @property
    def allowed_s(self) -> float:
        """Seconds within which the loop must turn and an evaluation must come."""
        return max(3 * self.interval_s, STUCK_S) + self.took_s * 2

    def turns(self) -> bool:
        """Tell whether the loop turns."""
        return time.monotonic() - self.turned_at < self.allowed_s


def rules_report(figures: EvaluationFigures) -> Report:
    """Tell how the rules engine stands."""
    found = [Trouble("stores_away", figures.away)] if figures.away else []
    ago = time.time() - max(figures.evaluated_at, figures.started_at)
    if ago > figures.allowed_s:
        found.append(Trouble("no_evaluation", f"{ago:.0f} s"))
    return Report(
        RULES,
        figures.turns(),
        [
            figure("evaluation_seconds", figures.took_s),
            figure("last_evaluation_timestamp_seconds", figures.evaluated_at),
            figure("facts", figures.facts),
            figure("changed_verdicts", figures.verdicts),
            figure("evaluations", figures.evaluations),
            figure("failed_evaluations", figures.failed),
        ],
        found,
    )


# ---- the API ---------------------------------------------------------------------------------------------------------


class Question:
    """A small question to a store, asked in a thread of its own: whoever waits for the answer waits only so long.

    Args:
        ask: raises StoreError or SQLAlchemyError when the store does not answer.
    """

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._began = self._took_s = 0.0
        self._wrong = ""

    def answer(self) -> tuple[str, float]:
        """Give what is wrong, "" when nothing, and the seconds that it took, or takes already."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._began = time.monotonic()
                self._thread = threading.Thread(target=self._run, name="question", daemon=True)
                self._thread.start()
            thread, began = self._thread, self._began
        thread.join(PATIENCE_S)
        if thread.is_alive():
            waited = time.monotonic() - began
            return f"no answer for {waited:.0f} s", waited
        return self._wrong, self._took_s

    def _run(self) -> None:
        wrong = ""
        try:
            self._ask()
        except SQLAlchemyError as error:
            wrong = sentence(error)
        except StoreError as error:
            wrong = str(error)
        self._wrong, self._took_s = wrong, time.monotonic() - self._began


class ApiStanding:
    """How the API stands: whether its loop turns, and whether register and series answer now.

    Args:
        engine: the register.
        series: opens the series.
    """

    def __init__(self, engine: Engine, series: Readers) -> None:
        self._turned_at = time.monotonic()
        self._register = Question(lambda: _ask_register(engine))
        self._series = Question(lambda: _ask_series(series))

    async def turned(self) -> None:
        """Note that the loop turns; called by the loop itself every TURN_S."""
        self._turned_at = time.monotonic()

    def turns(self) -> bool:
        """Tell whether it does."""
        return time.monotonic() - self._turned_at < STUCK_S

    def report(self) -> Report:
        """Ask both stores."""
        register, register_s = self._register.answer()
        series, series_s = self._series.answer()
        found = [Trouble("register_away", register)] if register else []
        found += [Trouble("series_away", series)] if series else []
        figures = [figure("register_answer_seconds", register_s), figure("series_answer_seconds", series_s)]
        return Report(API, self.turns(), figures, found)


def _ask_register(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def _ask_series(series: Readers) -> None:
    now = time.time()
    with series() as reader:
        reader.listening(now - 60, now)
        reader.newer("event", now)


# ---- campaigns and bandwidth ---------------------------------------------------------------------------------------


def coordinator_turns(coordinator: Coordinator) -> bool:
    """Tell whether the coordinator of campaigns turns."""
    return time.monotonic() - coordinator.standing.turned_at < STUCK_S


def coordinator_report(coordinator: Coordinator) -> Report:
    """Tell how the coordinator of campaigns stands; one that waits for another one is well."""
    now = coordinator.standing
    figures = [
        figure("campaign_leads", float(now.leads)),
        figure("campaign_open_runs", now.open_runs),
        figure("campaign_look_seconds", now.took_s),
        figure("campaign_last_look_timestamp_seconds", now.looked_at),
    ]
    found = [Trouble("stores_away", now.away)] if now.away else []
    return Report(CAMPAIGNS, coordinator_turns(coordinator), figures, found)


def bandwidth_turns(server: BandwidthServer) -> bool:
    """Tell whether a bandwidth server turns."""
    return time.perf_counter() - server.turned_at < STUCK_S


def bandwidth_report(server: BandwidthServer) -> Report:
    """Tell how a bandwidth server stands."""
    figures = [
        figure("bandwidth_connections", server.connections),
        figure("bandwidth_waiting", server.waiting),
        figure("bandwidth_runs", server.runs),
        *(figure("bandwidth_refused", server.admission.refused[reason], reason.value) for reason in Refusal),
    ]
    return Report(BANDWIDTH, bandwidth_turns(server), figures)
