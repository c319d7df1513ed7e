"""Minute masks of one device as facts take them."""

from __future__ import annotations

from collections.abc import Sequence

from phongmay_store.series.interface import Minutes, Reach
from phongmay_store.series.strips import reach


def reach_of(hours: Sequence[Minutes]) -> Reach:
    """Give the reach of the device that these hours, in any order, are about."""
    (found,) = reach(hours, min(hour.hour for hour in hours)).values()
    return found
