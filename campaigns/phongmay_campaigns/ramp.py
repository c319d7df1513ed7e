"""How many PCs a room holds: sizes that were tried and how they went go in, the next size to try comes out. Pure.

1, 5, 10, 15 ... all PCs, until the floor breaks; then the gap between the last size that held and the first that
broke is halved until they are neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping

STEP = 5


def next_size(tried: Mapping[int, bool], pcs: int) -> int | None:
    """Give the next number of PCs; None when it is known how many the room holds.

    Args:
        tried: number of PCs -> whether the floor held.
        pcs: how many there are.
    """
    if pcs < 1:
        return None
    broke = min((size for size, held in tried.items() if not held), default=None)
    holds = max((size for size, held in tried.items() if held and (broke is None or size < broke)), default=0)
    if broke is None:
        if holds >= pcs:
            return None
        return min(pcs, 1 if holds == 0 else holds // STEP * STEP + STEP)
    return None if broke - holds <= 1 else (holds + broke) // 2


def held(tried: Mapping[int, bool]) -> int:
    """Give the greatest number of PCs at which the floor held, below the first at which it broke."""
    broke = min((size for size, good in tried.items() if not good), default=None)
    return max((size for size, good in tried.items() if good and (broke is None or size < broke)), default=0)
