"""Lots that were read and that the writer does not have yet: one batch at most, besides the two that it has.

In: lots, in order. Out: all of them as a batch, and how much may be read on. A full batch is given as soon as the
writer takes it, a smaller one when it is due.
"""

from __future__ import annotations

from collections.abc import Sequence

from phongmay_collector.intake import Lot


class Ahead:
    """What is read ahead.

    Args:
        batch_size: envelopes of a full batch.
    """

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._lots: list[Lot] = []
        self._envelopes = 0

    def __bool__(self) -> bool:
        return bool(self._lots)

    @property
    def messages(self) -> int:
        """Count its messages."""
        return sum(len(lot.messages) for lot in self._lots)

    @property
    def room(self) -> int:
        """Count the envelopes that may be read on."""
        return max(0, self._batch_size - self._envelopes)

    @property
    def oldest(self) -> float | None:
        """Tell when its oldest message came (monotonic clock)."""
        return self._lots[0].messages[0].arrived if self._lots else None

    def add(self, lots: Sequence[Lot]) -> None:
        """Take lots that were read."""
        self._lots += lots
        self._envelopes += sum(lot.envelopes for lot in lots)

    def take(self) -> list[Lot]:
        """Give all of them."""
        lots, self._lots, self._envelopes = self._lots, [], 0
        return lots
