"""When duties are due, and how long to wait after failures."""

from __future__ import annotations

from itertools import pairwise

import pytest

from phongmay_agent.backoff import LONGEST_S, STEADY_S, Backoff
from phongmay_agent.schedule import Schedule


def test_the_first_round_is_at_once_and_the_others_on_a_grid() -> None:
    """Over an hour there are as many rounds as intervals, evenly; a late round does not shift the later ones."""
    schedule = Schedule(60, 3600, 1000.0)
    now, rounds = 1000.0, []
    while now < 4600:
        if schedule.round_due(now):
            rounds.append(now)
        now += 0.25
    gaps = [after - before for before, after in pairwise(rounds)]
    assert rounds[0] == 1000.0
    assert 59 <= len(rounds) <= 61
    assert all(abs(gap - 60) <= 0.25 for gap in gaps[1:])
    assert 6 <= gaps[0] <= 66.25


def test_a_pc_that_slept_does_not_catch_up() -> None:
    """After eight hours of sleep there is one round, not 480."""
    schedule = Schedule(60, 3600, 0.0)
    assert schedule.round_due(0.0)
    assert schedule.round_due(8 * 3600.0)
    assert not schedule.round_due(8 * 3600.0 + 1)
    assert schedule.next_at() <= 8 * 3600.0 + 66


def test_starts_at_one_moment_are_spread() -> None:
    """A school that is switched on at once reports all over the minute."""
    due = []
    for _ in range(200):
        schedule = Schedule(60, 3600, 0.0)
        schedule.round_due(0.0)
        schedule.inventory_due(0.0)
        due.append(schedule.next_at())
    assert min(due) < 20
    assert max(due) > 50


def test_the_hardware_is_read_at_the_start_and_then_now_and_then() -> None:
    """Each reading plans the next one."""
    schedule = Schedule(60, 3600, 5.0)
    assert schedule.inventory_due(5.0)
    assert not schedule.inventory_due(3604.9)
    assert schedule.inventory_due(3605.0)


def test_waiting_grows_with_chance_and_bound() -> None:
    """At most a second first, doubling, never over a minute, never the same for two PCs."""
    waits = [[b.failed() for _ in range(12)] for b in (Backoff() for _ in range(50))]
    for series in waits:
        for number, wait in enumerate(series):
            longest = min(LONGEST_S, 2.0**number)
            assert longest / 2 <= wait <= longest
    assert len({series[3] for series in waits}) > 40


@pytest.mark.parametrize(("lasted", "fast"), [(STEADY_S, True), (STEADY_S - 1, False)])
def test_a_steady_session_makes_it_fast_again(lasted: float, fast: bool) -> None:
    """Two PCs with one identity throw each other out at once: that must slow down, not run in circles."""
    backoff = Backoff()
    for _ in range(6):
        backoff.failed()
    assert (backoff.failed(lasted) <= 1.0) is fast
