"""True time: one offset a run, learnt once from prompt messages, so that every repeat lands on the same instant."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phongmay_collector.clocks import BELIEVABLE_PAST_S, Clocks
from phongmay_contract.envelope import Instant
from phongmay_store.errors import StoreError
from phongmay_store.series.interface import RunOffset, TimeBasis

NOW = 1_795_000_000.0
DEVICE, RUN = "pc-one", "aa" * 8
KEY = (DEVICE, RUN)
IN_2009 = 1_230_768_000.0


def clocks(stored: dict[tuple[str, str], RunOffset] | None = None) -> Clocks:
    made = Clocks(lambda device, run: (stored or {}).get((device, run)))
    made.load([(DEVICE, RUN)])
    return made


def settle(judge: Clocks) -> list[RunOffset]:
    """Settle on a store that has nothing yet, and give what it was asked to keep."""
    kept: list[RunOffset] = []

    def keep(offsets: Sequence[RunOffset]) -> Sequence[RunOffset]:
        kept.extend(offsets)
        return offsets

    judge.settle(keep)
    return kept


@given(
    boot=st.floats(NOW - 1e7, NOW - 1e5),
    wall_error=st.floats(-6e8, 6e8),
    delays=st.lists(st.floats(0, 4.9), min_size=1, max_size=10),
    ages=st.lists(st.floats(0, 86_400), min_size=1, max_size=10),
    later=st.lists(st.floats(0, 86_400), min_size=1, max_size=5),
)
def test_repeats_land_on_the_same_instant_whatever_the_wall_clock_says(
    boot: float, wall_error: float, delays: list[float], ages: list[float], later: list[float]
) -> None:
    """Live, repeated, in a backfill, after a restart of the collector: one envelope has one true time, at most the
    least delay late; the order in which the messages of the first batch came does not matter.
    """
    sent = [NOW + number for number in range(len(delays))]
    samples = [(Instant(at + wall_error, at - boot), at + delay) for at, delay in zip(sent, delays, strict=True)]
    one, other = clocks(), clocks()
    for instant, received in samples:
        one.observe(KEY, instant.mono, received)
    for instant, received in reversed(samples):
        other.observe(KEY, instant.mono, received)
    (learnt,) = settle(one)
    assert settle(other) == [learnt]
    restarted = clocks({(DEVICE, RUN): learnt})
    for age in ages:
        measured = NOW - age
        instant = Instant(measured + wall_error, measured - boot)
        times = {judge.time_of(KEY, instant, NOW + 100 + wait) for judge in (one, other, restarted) for wait in later}
        ((at, basis),) = times
        assert basis is TimeBasis.LIVE
        assert -1e-3 <= at - measured <= min(delays) + 1e-3


def test_an_offset_is_learnt_once() -> None:
    """A better sample that comes later changes nothing: rows that are stored already would not move with it."""
    judge = clocks()
    judge.observe(KEY, 1000.0, NOW + 3)
    (learnt,) = settle(judge)
    judge.observe(KEY, 2000.0, NOW + 1000)
    assert settle(judge) == []
    assert judge.time_of(KEY, Instant(NOW, 1000.0), NOW + 3) == (learnt.offset + 1000.0, TimeBasis.LIVE)


def test_a_stored_offset_is_used_and_not_learnt_again() -> None:
    """After a restart the collector goes on with what it knew."""
    judge = clocks({(DEVICE, RUN): RunOffset(DEVICE, RUN, NOW - 1000.0, TimeBasis.LIVE)})
    judge.observe(KEY, 1000.0, NOW + 500)
    assert settle(judge) == []
    assert judge.time_of(KEY, Instant(IN_2009, 990.0), NOW + 500) == (NOW - 10.0, TimeBasis.LIVE)


def test_a_run_that_never_was_live_uses_its_wall_clock_if_it_can_be_believed() -> None:
    """Within the last 30 days and not ahead of us by more than a minute; else the receipt stands in, and is flagged."""
    judge = clocks()
    for wall, expected in (
        (NOW - 3600, (NOW - 3600, TimeBasis.WALL)),
        (NOW + 59, (NOW + 59, TimeBasis.WALL)),
        (NOW + 61, (NOW, TimeBasis.GUESS)),
        (NOW - BELIEVABLE_PAST_S - 1, (NOW, TimeBasis.GUESS)),
        (IN_2009, (NOW, TimeBasis.GUESS)),
    ):
        assert judge.time_of(KEY, Instant(wall, 5.0), NOW) == expected


def test_an_impossible_monotonic_clock_is_not_believed() -> None:
    """A message from tomorrow, or from a run of ten years, is flagged instead of stored there."""
    judge = clocks({(DEVICE, RUN): RunOffset(DEVICE, RUN, NOW, TimeBasis.LIVE)})
    for mono in (86_400.0, -3e8):
        assert judge.time_of(KEY, Instant(NOW, mono), NOW) == (NOW, TimeBasis.GUESS)


def test_the_offset_of_the_collector_that_was_first_holds() -> None:
    """Two collectors hear the same run: the store keeps one offset, and both date by it."""
    judge = clocks()
    judge.observe(KEY, 1000.0, NOW)
    judge.settle(lambda offsets: [RunOffset(DEVICE, RUN, NOW - 1002.0, TimeBasis.LIVE)])
    assert judge.time_of(KEY, Instant(IN_2009, 1000.0), NOW) == (NOW - 2.0, TimeBasis.LIVE)


def test_what_the_store_could_not_keep_is_not_believed() -> None:
    """An offset that is in no store would date a repeat otherwise after a crash."""
    judge = clocks()
    judge.observe(KEY, 1000.0, NOW)

    def fails(offsets: Sequence[RunOffset]) -> Sequence[RunOffset]:
        raise StoreError("away")

    with pytest.raises(StoreError):
        judge.settle(fails)
    assert judge.time_of(KEY, Instant(NOW - 5, 1000.0), NOW) == (NOW - 5, TimeBasis.WALL)
    assert settle(judge) == []
