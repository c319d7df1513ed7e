"""When a capacity test has seen enough: the last four 2 s means of the run's rate lie within a tolerance."""

from __future__ import annotations

from collections.abc import Callable

MEAN_S = 2.0
STEP_S = 0.5
MEANS = 4


def is_steady(total_at: Callable[[float], float], now: float, tolerance: float) -> bool:
    """Tell whether the rate is steady.

    Args:
        total_at: cumulative bytes of the whole run at a moment.
        now: end of the newest mean.
        tolerance: greatest range of the means, as a share of their mean.
    """
    means = []
    for index in range(MEANS):
        end = now - index * STEP_S
        means.append(total_at(end) - total_at(end - MEAN_S))
    middle = sum(means) / MEANS
    return middle > 0 and max(means) - min(means) <= tolerance * middle
