"""Series, token bucket, steadiness, clock offset and guards: the small laws that the figures rest on."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from phongmay_bandwidth.echo import quantile
from phongmay_bandwidth.guards import Guards, OwnBytes
from phongmay_bandwidth.machine import UnknownMachine
from phongmay_bandwidth.order import RunKind, RunOrder
from phongmay_bandwidth.pacing import MOST_WRITE_BYTES, Bucket
from phongmay_bandwidth.planning import RunPlan, make_orders
from phongmay_bandwidth.series import Series, add_bins, bytes_of_bins
from phongmay_bandwidth.steady import is_steady
from phongmay_bandwidth.sync import offset_of
from phongmay_bandwidth.tcp import _paces

NOW = 1_800_000_000.0


def test_a_window_is_cut_between_samples() -> None:
    """Bytes of a window are interpolated; before the first sample nothing passed, after the last nothing more."""
    series = Series()
    for moment, total in ((10.0, 0), (10.5, 500), (11.0, 1500), (10.9, 9999), (11.2, 1400)):
        series.add(moment, total)
    assert series.total == 1500
    assert series.at(9) == 0
    assert series.at(10.25) == 250
    assert series.between(10.25, 10.75) == pytest.approx(750)
    assert series.between(10.0, 99.0) == 1500


def test_bins_keep_every_byte() -> None:
    """The sum of the bins is what passed after their start; windows of bins agree with windows of the series."""
    series = Series()
    for index in range(101):
        series.add(100 + index * 0.097, index * index * 13)
    bins = series.bins(100.0)
    assert sum(bins) == series.total
    assert bytes_of_bins(bins, 2.0, 8.0) == pytest.approx(series.between(102.0, 108.0), abs=2)
    assert bytes_of_bins(bins, 2.05, 7.95) == pytest.approx(series.between(102.05, 107.95), rel=1e-3)
    assert add_bins([(1, 2), (3,), ()]) == (4, 2)


def test_a_bucket_keeps_its_rate_and_its_size_of_write() -> None:
    """Over ten seconds the rate is met within a write; after the first every write has one size."""
    bucket, now, passed, writes = Bucket(2e6, 0.0, 0.3), 0.0, 0, []
    while now < 10:
        count = bucket.take(now)
        if count:
            bucket.spent(count)
            passed += count
            writes.append(count)
        else:
            now = max(bucket.next_at(), now + 1e-6)
    assert passed == pytest.approx(2e6 / 8 * 10, abs=2 * bucket.write_bytes)
    assert set(writes[1:]) == {bucket.write_bytes}


@pytest.mark.parametrize(
    ("release", "paces"),
    [("6.1.0-18-amd64", True), ("4.13.0", True), ("4.12.14-lp", False), ("3.10.0-1160.el7", False), ("", False)],
)
def test_old_kernels_do_not_pace(release: str, paces: bool) -> None:
    """Before 4.13 the rate is taken and nothing keeps it: the token bucket paces there."""
    assert _paces(release) is paces


def test_a_bucket_that_was_blocked_does_not_burst() -> None:
    """After a second without a write at most two writes wait: a blocked PC does not flood the line afterwards."""
    bucket = Bucket(2e6, 0.0, 1.0)
    bucket.spent(bucket.take(0.0))
    assert bucket.take(1.0) == 2 * bucket.write_bytes


def test_a_busy_pc_makes_up_what_it_missed_slowly() -> None:
    """A loop that stood still for half a second has its rate again on average, at a quarter above the rate at most."""
    bucket, now, passed, at = Bucket(2e6, 0.0, 1.0), 0.0, 0, {}
    while now < 8:
        count = bucket.take(now)
        if count:
            bucket.spent(count)
            passed += count
        at[now] = passed
        now = max(bucket.next_at(), now + 1e-3)
        if 3.0 < now < 3.5:
            now = 3.5
    assert passed == pytest.approx(2e6 / 8 * 8, abs=3 * bucket.write_bytes)
    before = max(moment for moment in at if moment < 3.5)
    after = min(moment for moment in at if moment > 4.5)
    assert at[after] - at[before] <= 2e6 / 8 * 1.25 * (after - 3.5) + 3 * bucket.write_bytes


def test_forty_buckets_do_not_write_together() -> None:
    """The first write is a random part of 16 KiB, so the next ones spread over a whole write's time."""
    firsts = [Bucket(8e6, 0.0).take(0.0) for _ in range(40)]
    assert max(firsts) - min(firsts) > MOST_WRITE_BYTES / 2


def test_steady_means_end_a_capacity_run() -> None:
    """A constant rate is steady, one that still grows by a tenth a second is not, silence never is."""
    assert is_steady(lambda moment: 1000 * moment, 8.0, 0.03)
    assert not is_steady(lambda moment: 1000 * math.exp(0.1 * moment), 8.0, 0.03)
    assert not is_steady(lambda _: 0.0, 8.0, 0.03)


def test_the_offset_is_wrong_by_half_the_asymmetry() -> None:
    """A way of 10 ms forth and 20 ms back shifts the offset by 5 ms, never more."""
    true_offset, forth, back = 1000.0, 0.010, 0.020
    sent = 50.0
    at_server = sent + true_offset + forth
    found = offset_of(sent, at_server, at_server + 0.001, sent + forth + 0.001 + back)
    assert found.seconds - true_offset == pytest.approx(-0.005)
    assert found.rtt_s == pytest.approx(0.030)


def test_quantiles_of_nothing_are_unknown() -> None:
    """No echo is no latency, not 0."""
    assert quantile([], 0.5) is None
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.95) == 4.0


# ---- guards ----------------------------------------------------------------------------------------------------------


class Pc(UnknownMachine):
    """A PC whose state a test sets."""

    counters: tuple[int, int] | None = (0, 0)
    idle: float | None = None
    battery: bool | None = None

    def interface_bytes(self) -> tuple[int, int] | None:
        return self.counters

    def input_idle_s(self) -> float | None:
        return self.idle

    def on_battery(self) -> bool | None:
        return self.battery


def order() -> RunOrder:
    """An order with every guard on."""
    plan = RunPlan("run-1234", RunKind.FLOOR, "h", 1, NOW + 20, 2e6, 1e6)
    return make_orders(plan, ["pc-001"], b"k" * 32, NOW)["pc-001"]


def test_a_person_at_the_pc_ends_the_test_unless_the_teacher_started_it() -> None:
    """Input within 60 s aborts; a system that does not tell never does, and says so."""
    pc = Pc()
    guards = Guards(order(), pc)
    assert guards.check(0, OwnBytes(0, 0)) == ""
    assert not guards.input_was_watched
    pc.idle = 59.0
    assert guards.check(1, OwnBytes(0, 0)) == "input"
    assert guards.input_was_watched
    assert Guards(replace(order(), abort_on_input=False), pc).check(0, OwnBytes(0, 0)) == ""
    pc.idle = 61.0
    assert guards.check(2, OwnBytes(0, 0)) == ""


def test_a_notebook_on_its_battery_gives_way() -> None:
    """Battery aborts, mains and unknown do not."""
    pc = Pc()
    pc.battery = True
    assert Guards(order(), pc).check(0, OwnBytes(0, 0)) == "battery"
    pc.battery = False
    assert Guards(order(), pc).check(0, OwnBytes(0, 0)) == ""


@pytest.mark.parametrize(
    ("own_bps", "foreign_bps", "reason"),
    [(0, 0.9e6, ""), (0, 1.2e6, "foreign_traffic"), (2e6, 0.9e6, ""), (2e6, 1.5e6, "foreign_traffic"), (1e9, 0, "")],
)
def test_two_seconds_of_foreign_traffic_end_the_test(own_bps: float, foreign_bps: float, reason: str) -> None:
    """More than 1 Mbit/s for 2 s that is not the test's own (headers and acknowledgements are)."""
    pc, found = Pc(), ""
    guards = Guards(order(), pc)
    for step in range(8):
        own = own_bps / 8 * step * 0.5
        pc.counters = (int(own * 1514 / 1448 + foreign_bps / 8 * step * 0.5), int(own * 0.02))
        found = found or guards.check(step * 0.5, OwnBytes(int(own), 0))
        if step < 4:
            assert found == "", "not before 2 s have passed"
    assert found == reason


def test_a_pc_without_counters_is_never_blamed() -> None:
    """Unknown is unknown."""
    pc = Pc()
    pc.counters = None
    guards = Guards(order(), pc)
    assert [guards.check(step, OwnBytes(0, 0)) for step in range(9)] == [""] * 9
    assert guards.foreign_bps is None
