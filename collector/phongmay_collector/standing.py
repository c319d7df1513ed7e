"""How a collector stands: what waits where, what is away, who is too loud. Plain values, taken in one moment.

In: nothing; the collector fills it. Out: numbers and sentences that any thread may read and show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """One moment of a collector.

    Attributes:
        turned_ago_s: seconds since its loop last turned.
        connected: whether each of its sessions stands, by user.
        in_memory: messages that were read from the broker and are neither stored nor on disk; none has a receipt.
        on_disk: messages in the queue on disk; all have theirs.
        on_disk_bytes: their size.
        held: messages that neither store nor disk take.
        lag_s: from arrival to commit, of the oldest message of the last batch.
        lag_max_s: the greatest lag since the start.
        write_s: how long the last write of the store took.
        written_at: when the store last took something (Unix time), 0 = never.
        store_away: why store or disk take nothing, "" when they do.
        register_away: whether the register does not answer.
        loud: topics that are over the limit now.
        unread: messages that were not read because of it.
        counts: messages, envelopes, batches, dead_letters, out_of_range since the start.
        broker: what the broker says of itself, by its topic below $SYS/broker/.
        broker_dropped_ago_s: seconds since the broker's count of dropped messages last grew, None = never.
    """

    turned_ago_s: float
    connected: Mapping[str, bool]
    in_memory: int
    on_disk: int
    on_disk_bytes: int
    held: int
    lag_s: float
    lag_max_s: float
    write_s: float
    written_at: float
    store_away: str
    register_away: bool
    loud: Sequence[str]
    unread: int
    counts: Mapping[str, int]
    broker: Mapping[str, str]
    broker_dropped_ago_s: float | None
