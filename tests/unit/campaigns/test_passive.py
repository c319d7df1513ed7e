"""How busy a line was, by its router."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phongmay_campaigns.passive import busy
from phongmay_campaigns.presence import wan_part
from phongmay_store.series.interface import EnvelopeId, Row, TimeBasis

LINE = 100e6
START = 1_763_953_200.0
"""10:00 in Ho Chi Minh City."""


def readings(shares: list[float], step: float = 10.0) -> list[Row]:
    """Make readings every `step` seconds of a line that is used by these shares."""
    out, total = [], 0
    for number, share in enumerate([0.0, *shares]):
        total += int(share * LINE / 8 * step)
        at = START + number * step
        out.append(Row("r", "wan", at, TimeBasis.LIVE, {"received_bytes": total}, EnvelopeId("gw", "ab", number)))
    return out


def test_a_line_that_is_full_half_of_the_time() -> None:
    """Intervals of 10 s show what their mean hides; the busiest hour is local."""
    found = busy(readings([1.0, 0.0] * 180), "received_bytes", LINE)
    assert found.intervals == 360
    assert found.full_share == pytest.approx(0.5)
    assert found.p95 == pytest.approx(1.0)
    assert (found.peak_hour, found.peak) == (10, pytest.approx(0.5))
    assert found.warns


def test_unknown_is_left_out() -> None:
    """A counter that fell and a gap are unknown, neither idle nor full; without readings nothing is known."""
    again = readings([0.2] * 5)
    rows = [*readings([0.2] * 5), *(replace(row, at=row.at + 60.0) for row in again)]
    found = busy(rows, "received_bytes", LINE)
    assert (found.unknown_s, found.warns) == (10.0, False)
    slow = busy(readings([0.5, 0.5], step=300.0), "received_bytes", LINE)
    assert (slow.intervals, slow.unknown_s, slow.full_share) == (0, 600.0, None)
    assert busy([], "received_bytes", LINE).full_share is None
    assert not busy([], "received_bytes", LINE).warns


def test_which_interface_leads_out() -> None:
    """The one called wan, or the only one; of several others none is guessed."""
    assert wan_part(["lan", "wan"]) == "wan"
    assert wan_part(["eth0", "eth0"]) == "eth0"
    assert wan_part(["eth0", "eth1"]) is None
    assert wan_part([]) is None
