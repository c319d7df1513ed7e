"""Every figure that a process of the server gives on /metrics: its name, which process gives it, and what it says.

Nothing goes in; Figures come out by `figure`, which knows no other names, so none is without its sentence. The table in
docs/metrics.md is made from this list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from phongmay.monitoring import Figure

PREFIX = "phongmay_"


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that some process gives.

    Attributes:
        name: without prefix; of a counter without `_total`.
        process: which gives it.
        about: one English sentence.
        counter: it only grows.
        label: what tells apart figures of the name; "" = there is one.
    """

    name: str
    process: str
    about: str
    counter: bool = False
    label: str = ""

    @property
    def exposed(self) -> str:
        """The name in Prometheus."""
        return f"{PREFIX}{self.name}{'_total' if self.counter else ''}"


COLLECTOR, RULES, API = "collector", "rules", "api"
DASHBOARDS, CAMPAIGNS, BANDWIDTH = "dashboards", "campaigns", "bandwidth-server"

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("queue_messages", COLLECTOR,
               "Messages that wait: in memory (no receipt yet) or in the queue on disk (receipted).", label="where"),
        Metric("queue_bytes", COLLECTOR, "Size of the queue on disk."),
        Metric("receipts_outstanding", COLLECTOR, "Messages from the broker that have no receipt yet."),
        Metric("held_messages", COLLECTOR, "Messages that neither store nor disk take; nothing is acknowledged."),
        Metric("lag_seconds", COLLECTOR, "From arrival to commit, of the oldest message of the last batch."),
        Metric("lag_max_seconds", COLLECTOR, "The greatest such lag since the start."),
        Metric("write_seconds", COLLECTOR, "How long the last write of the store took."),
        Metric("last_write_timestamp_seconds", COLLECTOR, "When the store last took something; 0 = not yet."),
        Metric("throttled_topics", COLLECTOR, "Topics that are over the limit of messages a minute."),
        Metric("unread_messages", COLLECTOR, "Messages that were not read because of it.", counter=True),
        Metric("messages", COLLECTOR, "Messages that were acknowledged.", counter=True),
        Metric("envelopes", COLLECTOR, "Envelopes that were stored, repeats included.", counter=True),
        Metric("batches", COLLECTOR, "Writes of the store.", counter=True),
        Metric("dead_letters", COLLECTOR, "Messages that were refused.", counter=True),
        Metric("out_of_range", COLLECTOR, "Values left out because they are physically impossible.", counter=True),
        Metric("session_up", COLLECTOR, "Whether a session at the broker stands.", label="user"),
        Metric("broker_dropped_messages", COLLECTOR, "Messages that the broker dropped: a queue was full.",
               counter=True),
        Metric("broker_queued_messages", COLLECTOR, "Messages that the broker holds."),
        Metric("broker_queued_bytes", COLLECTOR, "Size of the messages that the broker holds."),
        Metric("broker_clients", COLLECTOR, "Clients that are connected to the broker."),
        Metric("evaluation_seconds", RULES, "How long the last evaluation took."),
        Metric("last_evaluation_timestamp_seconds", RULES, "When the last evaluation ended; 0 = none yet."),
        Metric("facts", RULES, "Facts that the last evaluation wrote."),
        Metric("changed_verdicts", RULES, "Verdicts that were written.", counter=True),
        Metric("evaluations", RULES, "Evaluations of everything.", counter=True),
        Metric("failed_evaluations", RULES, "Evaluations that a store did not let come to their end.", counter=True),
        Metric("register_answer_seconds", API, "How long the register took to answer a small question."),
        Metric("series_answer_seconds", API, "How long the series store took to answer a small question."),
        Metric("status_fed_timestamp_seconds", DASHBOARDS, "When the status series were last written; 0 = not yet."),
        Metric("status_points", DASHBOARDS, "Points of the last writing."),
        Metric("status_feed_seconds", DASHBOARDS, "How long the last writing took."),
        Metric("campaign_leads", CAMPAIGNS, "Whether this coordinator is the one at work; others wait."),
        Metric("campaign_open_runs", CAMPAIGNS, "Runs that are planned, announced or going on."),
        Metric("campaign_look_seconds", CAMPAIGNS, "How long the last look at all runs took."),
        Metric("campaign_last_look_timestamp_seconds", CAMPAIGNS, "When the last look ended; 0 = none yet."),
        Metric("bandwidth_connections", BANDWIDTH, "Admitted connections."),
        Metric("bandwidth_waiting", BANDWIDTH, "Connections that have not shown a ticket yet."),
        Metric("bandwidth_runs", BANDWIDTH, "Runs that are remembered."),
        Metric("bandwidth_refused", BANDWIDTH, "Connections that were turned away.", counter=True, label="reason"),
    )
}  # fmt: skip


def figure(name: str, value: float, label: str = "") -> Figure:
    """Give a figure of the list.

    Args:
        name: its name there.
        value: what it is now.
        label: value of its label, where it has one.
    """
    metric = METRICS[name]
    labels = {metric.label: label} if metric.label else {}
    return Figure(name, metric.about, value, metric.counter, labels)
