"""What was done since the start: each written batch goes in, counts come out, and the log hears what is odd in it."""

from __future__ import annotations

from collections import Counter

from phongmay_collector.batch import Batch
from phongmay_collector.log import event

_NAMES_SAID = 1000
"""Unknown names that are logged, each once; the store counts them all."""


class Tally:
    """Counts batches.

    Attributes:
        counts: by what was counted.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._named: set[str] = set()

    def add(self, batch: Batch) -> None:
        """Count a batch that was written."""
        counts = self.counts
        counts["batches"] += 1
        counts["envelopes"] += len(batch.arrivals)
        counts["dead_letters"] += len(batch.dead)
        for letter in batch.dead:
            event("dead_letter", reason=letter.reason, topic=letter.topic, detail=letter.detail)
        for place, (unknown, impossible) in batch.arrivals.odd.items():
            if impossible:
                counts["out_of_range"] += len(impossible)
            if unknown:
                self._name(batch.arrivals.senders[place], unknown)

    def _name(self, device: str, unknown: tuple[str, ...]) -> None:
        for name in set(unknown) - self._named:
            if len(self._named) < _NAMES_SAID:
                self._named.add(name)
                event("unknown_name", name=name, device=device)
