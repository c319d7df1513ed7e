"""Sets of sequence numbers as closed ranges: what one run sent, or has receipts of, in a few numbers.

Numbers go in, mostly in order; ranges come out. Nothing can go wrong.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """A set of integers, kept as closed ranges in ascending order."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, pairs: Iterable[Iterable[int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in pairs:
            self.add(first, last)

    def add(self, first: int, last: int | None = None) -> None:
        """Add one number, or all from first to last."""
        last = first if last is None else last
        if self._lasts and self._firsts[-1] <= first <= self._lasts[-1] + 1:  # nearly always
            self._lasts[-1] = max(self._lasts[-1], last)
            return
        start = bisect_right(self._lasts, first - 2)  # the first range that touches or lies behind
        stop = bisect_right(self._firsts, last + 1)
        if start < stop:
            first, last = min(first, self._firsts[start]), max(last, self._lasts[stop - 1])
        self._firsts[start:stop] = [first]
        self._lasts[start:stop] = [last]

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    def __iter__(self) -> Iterator[int]:
        for first, last in zip(self._firsts, self._lasts, strict=True):
            yield from range(first, last + 1)

    def __len__(self) -> int:
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    def pairs(self) -> list[list[int]]:
        """Give the ranges."""
        return [list(pair) for pair in zip(self._firsts, self._lasts, strict=True)]
