"""Ranges of sequence numbers: the ledger rests on them, so they must be a set in every respect."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from phongmay_simulate.ranges import Ranges

PAIRS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda pair: (pair[0], sum(pair))), max_size=30)


@given(PAIRS)
def test_ranges_hold_what_a_set_would_hold(pairs: list[tuple[int, int]]) -> None:
    """In whatever order numbers come: same members, same count, and no two ranges that touch."""
    ranges = Ranges(pairs)
    expected = {number for first, last in pairs for number in range(first, last + 1)}
    assert set(ranges) == expected
    assert len(ranges) == len(expected)
    assert all((number in ranges) == (number in expected) for number in range(-1, 70))
    found = ranges.pairs()
    assert all(before[1] + 1 < after[0] for before, after in pairwise(found))
    assert Ranges(found).pairs() == found
