"""What each process says of itself: figures for Prometheus, and troubles for `phongmay status` and /ready.

In: a collector, the loop of the rules engine, the application of the API. Out: a Report each. Nothing is raised: what
cannot be asked is itself a trouble.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from phongmay.monitoring import Figure, Report, Trouble
from phongmay_collector.service import Collector
from phongmay_collector.settings import CollectorSettings
from phongmay_collector.standing import Standing
from phongmay_store.errors import StoreError
from phongmay_store.series import Readers

STUCK_S = 30.0
"""A loop that has not turned for so long does not turn."""
LATE_S = 60.0
"""A commit that comes so long after its message is late."""
RECENT_S = 600.0
"""What the broker dropped within this time is told."""


def port_of(settings: CollectorSettings) -> int:
    """Give the port of one of several collectors; 0 = none."""
    return settings.metrics_port + settings.number - 1 if settings.metrics_port else 0


# ---- the collector ---------------------------------------------------------------------------------------------------


def collector_report(collector: Collector) -> Report:
    """Tell how a collector stands."""
    standing = collector.standing()
    name = f"collector {collector.member.number}"
    return Report(name, standing.turned_ago_s < STUCK_S, _figures(standing), _troubles(standing))


def _figures(now: Standing) -> list[Figure]:
    counts, broker = now.counts, now.broker
    waiting = "Messages that wait: in memory (no receipt yet) or in the queue on disk (receipted)."
    figures = [
        Figure("queue_messages", waiting, now.in_memory, labels={"where": "memory"}),
        Figure("queue_messages", waiting, now.on_disk, labels={"where": "disk"}),
        Figure("queue_bytes", "Size of the queue on disk.", now.on_disk_bytes),
        Figure("receipts_outstanding", "Messages from the broker that have no receipt yet.", now.in_memory),
        Figure("held_messages", "Messages that neither store nor disk take; nothing is acknowledged.", now.held),
        Figure("lag_seconds", "From arrival to commit, of the oldest message of the last batch.", now.lag_s),
        Figure("lag_max_seconds", "The greatest such lag since the start.", now.lag_max_s),
        Figure("write_seconds", "How long the last write of the store took.", now.write_s),
        Figure("last_write_timestamp_seconds", "When the store last took something.", now.written_at),
        Figure("throttled_topics", "Topics that are over the limit of messages a minute.", len(now.loud)),
        Figure("unread_messages", "Messages that were not read because of it.", now.unread, counter=True),
    ]
    for key, about in (
        ("messages", "Messages that were acknowledged."),
        ("envelopes", "Envelopes that were stored, repeats included."),
        ("batches", "Writes of the store."),
        ("dead_letters", "Messages that were refused."),
        ("out_of_range", "Values left out because they are physically impossible."),
    ):
        figures.append(Figure(key, about, counts.get(key, 0), counter=True))
    session = "Whether a session at the broker stands."
    figures += [Figure("session_up", session, float(up), labels={"user": user}) for user, up in now.connected.items()]
    for key, topic, about in (
        ("broker_dropped_messages", "publish/messages/dropped", "Messages that the broker dropped: a queue was full."),
        ("broker_queued_messages", "store/messages/count", "Messages that the broker holds."),
        ("broker_queued_bytes", "store/messages/bytes", "Size of the messages that the broker holds."),
        ("broker_clients", "clients/connected", "Clients that are connected to the broker."),
    ):
        if (value := broker.get(topic, "")).isdecimal():
            figures.append(Figure(key, about, float(value), counter=key == "broker_dropped_messages"))
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

    turned_at: float = 0.0
    evaluated_at: float = 0.0
    took_s: float = 0.0
    facts: int = 0
    verdicts: int = 0
    evaluations: int = 0
    away: str = ""


def rules_report(figures: EvaluationFigures, interval_s: float) -> Report:
    """Tell how the rules engine stands."""
    ago = time.monotonic() - figures.turned_at
    found = [Trouble("store_away", figures.away)] if figures.away else []
    allowed = max(3 * interval_s, STUCK_S) + figures.took_s * 2
    if figures.evaluated_at and time.time() - figures.evaluated_at > allowed:
        found.append(Trouble("no_evaluation", f"{time.time() - figures.evaluated_at:.0f} s"))
    return Report(
        "rules",
        ago < allowed,
        [
            Figure("evaluation_seconds", "How long the last evaluation took.", figures.took_s),
            Figure("last_evaluation_timestamp_seconds", "When the last evaluation ended.", figures.evaluated_at),
            Figure("facts", "Facts that the last evaluation wrote.", figures.facts),
            Figure("changed_verdicts", "Verdicts that were written.", figures.verdicts, counter=True),
            Figure("evaluations", "Evaluations of everything.", figures.evaluations, counter=True),
        ],
        found,
    )


# ---- the API ---------------------------------------------------------------------------------------------------------


def api_report(engine: Engine, series: Readers) -> Report:
    """Tell how the API stands: whether register and series answer now."""
    found = []
    start = time.monotonic()
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        found.append(Trouble("register_away", str(error).splitlines()[0]))
    register_s = time.monotonic() - start
    try:
        with series() as reader:
            reader.listening(time.time() - 60, time.time())
    except StoreError as error:
        found.append(Trouble("store_away", str(error)))
    series_s = time.monotonic() - start - register_s
    return Report(
        "api",
        True,
        [
            Figure("register_answer_seconds", "How long the register took to answer a small question.", register_s),
            Figure("series_answer_seconds", "How long the series store took to answer a small question.", series_s),
        ],
        found,
    )
