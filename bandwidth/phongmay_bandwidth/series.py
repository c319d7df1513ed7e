"""How many bytes had passed at which moment: samples go in, bytes of windows and bins come out, by interpolation."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from phongmay_bandwidth import BIN_S


class Series:
    """Cumulative bytes over time. Before its first sample it stood at 0, after its last it stands still."""

    __slots__ = ("_bytes", "_times")

    def __init__(self) -> None:
        self._times = array("d")
        self._bytes = array("q")

    def add(self, moment: float, total: int) -> None:
        """Add a sample; one that is older than the last, or shows less, is left out."""
        if not self._times or (moment > self._times[-1] and total >= self._bytes[-1]):
            self._times.append(moment)
            self._bytes.append(total)

    @property
    def total(self) -> int:
        """Give the bytes at the end."""
        return self._bytes[-1] if self._bytes else 0

    @property
    def last_at(self) -> float:
        """Give the moment of the last sample, 0 without one."""
        return self._times[-1] if self._times else 0.0

    def at(self, moment: float) -> float:
        """Give the bytes that had passed at a moment."""
        index = bisect_right(self._times, moment)
        if index == 0:
            return 0.0
        if index == len(self._times):
            return float(self._bytes[-1])
        before, after = self._times[index - 1], self._times[index]
        share = (moment - before) / (after - before)
        return self._bytes[index - 1] + share * (self._bytes[index] - self._bytes[index - 1])

    def between(self, start: float, end: float) -> float:
        """Give the bytes that passed between two moments."""
        return self.at(end) - self.at(start)

    def bins(self, start: float) -> tuple[int, ...]:
        """Give the bytes of each BIN_S from `start` to the last sample; their sum is what passed after `start`."""
        if self.last_at <= start:
            return ()
        count = int((self.last_at - start) / BIN_S) + 1
        edges = [round(self.at(start + index * BIN_S)) for index in range(count + 1)]
        return tuple(after - before for before, after in pairwise(edges))


def bytes_of_bins(bins: Sequence[int], start_s: float, end_s: float) -> float:
    """Give the bytes between two moments (seconds from the start of the bins), bins cut in proportion."""
    total = 0.0
    for index in range(max(0, int(start_s / BIN_S)), min(len(bins), int(end_s / BIN_S) + 1)):
        low, high = index * BIN_S, (index + 1) * BIN_S
        share = (min(high, end_s) - max(low, start_s)) / BIN_S
        if share > 0:
            total += bins[index] * min(1.0, share)
    return total


def add_bins(many: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Give the sum of series bin by bin."""
    length = max((len(bins) for bins in many), default=0)
    total = [0] * length
    for bins in many:
        for index, count in enumerate(bins):
            total[index] += count
    return tuple(total)
