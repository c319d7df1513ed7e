"""Counts the minutes of many machines at once: each has its lane, 64 bits of one long number.

Long numbers go in, one for an hour, bit 64 * n + m being minute m of machine n; counts by machine come out. Numbers are
added up bit by bit, three to two at a time, so that a bit of each machine costs a fraction of one instruction instead
of a turn of a loop. Nothing can go wrong.
"""

from __future__ import annotations

from struct import pack, unpack

LANES = 500
"""Machines in one number: its 4,000 bytes fill one page of a SQLite file."""
LANE_BYTES = 8
NUMBER_BYTES = LANE_BYTES * LANES


def _everywhere(mask: int) -> int:
    return int.from_bytes(pack("<Q", mask) * LANES, "little")


_EVERY = _everywhere(1)
_PAIRS = _everywhere(0x5555_5555_5555_5555)
_FOURS = _everywhere(0x3333_3333_3333_3333)
_EIGHTS = _everywhere(0x0F0F_0F0F_0F0F_0F0F)
_SIXTEENS = _everywhere(0x00FF_00FF_00FF_00FF)
_HALVES = _everywhere(0x0000_FFFF_0000_FFFF)
_WHOLES = _everywhere(0x0000_0000_FFFF_FFFF)


def everywhere(mask: int) -> int:
    """Give a mask of 64 bits in every lane."""
    return mask * _EVERY


def lane(number: int, of: int) -> int:
    """Give one lane of a number."""
    return number >> 64 * of & (1 << 64) - 1


class LaneCounter:
    """Sums of the bits of each lane over all numbers that were added."""

    def __init__(self) -> None:
        self._waiting: list[list[int]] = []  # at most two numbers for each power of two that their bits are worth

    def add(self, number: int) -> None:
        """Add a number."""
        for waiting in self._waiting:
            if len(waiting) < 2:
                waiting.append(number)
                return
            one, two = waiting
            differ = one ^ two
            waiting[:] = (differ ^ number,)
            number = one & two | differ & number  # where at least two of the three have a bit: worth twice as much
        self._waiting.append([number])

    def counts(self) -> tuple[int, ...]:
        """Give the sum of each lane."""
        total = sum(_ones(number) << power for power, waiting in enumerate(self._waiting) for number in waiting)
        return unpack(f"<{LANES}Q", total.to_bytes(NUMBER_BYTES, "little"))


def _ones(number: int) -> int:
    """Give in each lane how many bits it has."""
    number -= number >> 1 & _PAIRS
    number = (number & _FOURS) + (number >> 2 & _FOURS)
    number = number + (number >> 4) & _EIGHTS
    number = number + (number >> 8) & _SIXTEENS
    number = number + (number >> 16) & _HALVES
    return number + (number >> 32) & _WHOLES
