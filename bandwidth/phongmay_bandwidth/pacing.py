"""A token bucket in writes of up to 16 KiB: paces uploads, and a server's downloads where the kernel cannot.

A rate and moments go in, bytes that may be written now and the next moment come out. The bucket begins with a random
part of one write, so that forty PCs that start together do not write together ever after. Time that a busy PC has
missed is made up, but no faster than a quarter above the rate, so that nobody floods the line with what he missed.
"""

from __future__ import annotations

import random

MOST_WRITE_BYTES = 16384
_LEAST_WRITE_BYTES = 2896
_WRITE_S = 0.05
"""A write is what so much time gives, within these bounds: a slow PC's window must not hang on where a lump falls."""
_BURST_S = 0.02
"""What may be written at once for a loop that comes late; two writes at least."""
_CATCH_UP = 1.25
_MISSED_S = 1.0
"""So much missed time is made up at most."""


class Bucket:
    """Tokens of one connection.

    Attributes:
        write_bytes: size of a write.
    """

    def __init__(self, rate_bps: float, now: float, fill: float | None = None) -> None:
        """Begin.

        Args:
            rate_bps: payload rate.
            now: moment of the loop's clock.
            fill: share of a write that is there at once; random if not given.
        """
        self._rate = rate_bps / 8
        self.write_bytes = int(max(_LEAST_WRITE_BYTES, min(MOST_WRITE_BYTES, self._rate * _WRITE_S)))
        self._burst = max(2.0 * self.write_bytes, self._rate * _BURST_S)
        first = random.random() if fill is None else fill  # noqa: S311 # spreads load, guards nothing
        self._due = self._free = first * self.write_bytes
        """Bytes that the rate has given and nobody has written; bytes that may be written at once."""
        self._at = now
        self._begun = False

    def take(self, now: float) -> int:
        """Give how many bytes may be written now: at first what is there, then whole writes only."""
        passed, self._at = now - self._at, now
        self._due = min(max(self._burst, self._rate * _MISSED_S), self._due + passed * self._rate)
        self._free = min(self._burst, self._free + passed * self._rate * _CATCH_UP)
        allowed = min(self._due, self._free)
        if not self._begun:
            return max(1, int(allowed))
        return int(allowed // self.write_bytes) * self.write_bytes

    def spent(self, count: int) -> None:
        """So many bytes were written."""
        self._begun = True
        self._due -= count
        self._free -= count

    def next_at(self) -> float:
        """Give the moment at which a whole write is there."""
        due = (self.write_bytes - self._due) / self._rate
        free = (self.write_bytes - self._free) / (self._rate * _CATCH_UP)
        return self._at + max(0.0, due, free)
