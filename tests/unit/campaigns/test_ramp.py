"""How many PCs a room holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phongmay_campaigns.ramp import held, next_size


@given(st.integers(1, 60), st.integers(0, 60))
def test_a_ramp_finds_what_the_room_holds(pcs: int, capacity: int) -> None:
    """Whatever a room holds, the ramp ends, tries no size twice and none above the room, and finds the number."""
    tried: dict[int, bool] = {}
    while (size := next_size(tried, pcs)) is not None:
        assert size not in tried
        assert 1 <= size <= pcs
        tried[size] = size <= capacity
    assert held(tried) == min(pcs, capacity)


def test_a_ramp_goes_1_5_10() -> None:
    """A room of 12 that holds all is tried with 1, 5, 10 and 12 PCs."""
    tried: dict[int, bool] = {}
    while (size := next_size(tried, 12)) is not None:
        tried[size] = True
    assert list(tried) == [1, 5, 10, 12]
