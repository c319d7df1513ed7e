"""A token bucket in writes of up to 16 KiB: paces uploads, and a server's downloads where the kernel cannot.

A rate and moments go in, bytes that may be written now and the next moment come out. The bucket begins with a random
part of one write, so that forty PCs that start together do not write together ever after.
"""

from __future__ import annotations

import random

MOST_WRITE_BYTES = 16384
_LEAST_WRITE_BYTES = 2896
_WRITE_S = 0.05
"""A write is what so much time gives, within these bounds: a slow PC's window must not hang on where a lump falls."""
_DEPTH_S = 0.02
"""Tokens of so much time are kept for a loop that comes late; two writes at least."""


class Bucket:
    """Tokens of one connection.

    Attributes:
        write_bytes: size of a write.
    """

    def __init__(self, rate_bps: float, now: float, fill: float | None = None) -> None:
        """Begin.

        Args:
            rate_bps: payload rate.
            now: moment of the monotonic clock.
            fill: share of a write that is there at once; random if not given.
        """
        self._rate = rate_bps / 8
        self.write_bytes = int(max(_LEAST_WRITE_BYTES, min(MOST_WRITE_BYTES, self._rate * _WRITE_S)))
        self._depth = max(2 * self.write_bytes, self._rate * _DEPTH_S)
        first = random.random() if fill is None else fill  # noqa: S311 # spreads load, guards nothing
        self._tokens = first * self.write_bytes
        self._at = now
        self._begun = False

    def take(self, now: float) -> int:
        """Give how many bytes may be written now: at first what is there, then whole writes only."""
        self._tokens = min(self._depth, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if not self._begun:
            return max(1, int(self._tokens))
        return int(self._tokens // self.write_bytes) * self.write_bytes

    def spent(self, count: int) -> None:
        """So many bytes were written."""
        self._begun = True
        self._tokens -= count

    def next_at(self) -> float:
        """Give the moment at which a whole write is there."""
        return self._at + max(0.0, self.write_bytes - self._tokens) / self._rate
