"""How busy a line was, by its router."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phongmay_campaigns.passive import busy, together
from phongmay_campaigns.presence import wan_parts
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
    """Those called wan, wan2 ..., or the only one; of several others none is guessed."""
    assert wan_parts(["wan2", "lan", "wan"]) == ["wan", "wan2"]
    assert wan_parts(["eth0", "eth0"]) == ["eth0"]
    assert wan_parts(["eth0", "eth1"]) == []
    assert wan_parts([]) == []


@pytest.mark.parametrize(
    ("values", "unknown_s"),
    [
        ([{"uptime_s": 100.0}, {"uptime_s": 110.0}, {"uptime_s": 120.0}], 0.0),
        ([{"uptime_s": 100.0}, {"uptime_s": 5.0}, {"uptime_s": 15.0}], 10.0),
        ([{"discontinuity_s": 7}, {"discontinuity_s": 7}, {"discontinuity_s": 9}], 10.0),
        ([{"discontinuity_s": 7}, {}, {"discontinuity_s": 9}], 0.0),
    ],
    ids=["grows", "restarted", "set back", "not told"],
)
def test_a_router_that_was_reset_tells_nothing_of_the_time_between(
    values: list[dict[str, float]], unknown_s: float
) -> None:
    """A restart, or counters that were set back, make the interval unknown although the counter is greater."""
    rows = [replace(row, values={**row.values, **more}) for row, more in zip(readings([0.2, 0.2]), values, strict=True)]
    assert busy(rows, "received_bytes", LINE).unknown_s == unknown_s


def test_two_interfaces_are_added() -> None:
    """Two lines of one router at 30 % and 50 % of the sum; a reading that only one of them has is left out."""
    one = readings([0.3, 0.3, 0.3])
    other = [replace(row, part="wan2") for row in readings([0.5, 0.5])]
    found = busy(together([one, other]), "received_bytes", LINE)
    assert (found.intervals, found.p95) == (2, pytest.approx(0.8))
    assert together([]) == ()
    assert together([one]) is one
