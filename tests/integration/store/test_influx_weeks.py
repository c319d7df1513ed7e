"""Minute masks of weeks on a real InfluxDB: packed while others read, late rounds, a server of an older program."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phongmay_store.errors import StoreError
from phongmay_store.series import influx_weeks
from phongmay_store.series.influx import InfluxSeries
from phongmay_store.series.influx_weeks import MINUTES, PACKED, WEEKS
from phongmay_store.series.interface import Arrival, Minutes
from phongmay_store.series.strips import reach
from phongmay_store.settings import StoreSettings

DEVICES = ["pc-one", "pc-two", "pc-three"]
WEEK_S = 7 * 86400
numbers = st.integers(0, (1 << 64 * 168) - 1) | st.sampled_from([0, 1, 1 << 64 * 168 - 5])


@given(numbers, numbers, numbers)
@example(1, 1, 0)
@example(5, 0, 5)
@example(0, 0, 1)
def test_a_text_gives_back_the_masks(seen: int, reachable: int, unreachable: int) -> None:
    """Whatever stands in a week comes back from its text, which cuts zeros off and leaves out what is the same."""
    assert influx_weeks._numbers(influx_weeks._text([seen, reachable, unreachable]), "pc") == [
        seen, reachable, unreachable,
    ]  # fmt: skip


@pytest.fixture
def series(influx_store: StoreSettings) -> Iterator[InfluxSeries]:
    """An empty store."""
    with closing(InfluxSeries(influx_store)) as opened:
        yield opened


class Law:
    """What the answers must be, from the rounds alone."""

    def __init__(self, make: Any) -> None:
        self._make, self._seq = make, 0
        self._start = make.HOUR - 15 * 86400
        self._masks: defaultdict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0, 0])

    def rounds(self, minutes: range, step_s: int) -> list[Arrival]:
        """Give rounds of all devices every so often from the start on; every third failed."""
        found = []
        for device in DEVICES:
            for number in minutes:
                at, ok = self._start + number * step_s, number % 3 > 0
                self._seq += 1
                found.append(
                    self._make.arrival(
                        self._seq, at, self._make.reach(ok), sender=device, received=self._make.HOUR + 3600
                    )
                )
                mine, bit = self._masks[device, at // 3600 * 3600], 1 << at % 3600 // 60
                mine[0] |= bit
                mine[1 if ok else 2] |= bit
        return found

    def check(self, series: InfluxSeries) -> None:
        """Hold all answers against it."""
        end = self._make.HOUR + 3600
        expected = [Minutes(*key, *masks) for key, masks in sorted(self._masks.items())]
        assert list(series.minutes(self._start, end)) == expected
        chosen = [row for row in expected if row.device == "pc-two" and row.hour >= self._start + 86400]
        assert list(series.minutes(self._start + 86400, end, ["pc-two", "pc-none"])) == chosen
        wanted = {hour: 0xFFFF_FFFF for _, hour in self._masks if hour // 3600 % 2}
        counts = {device: [0, 0, 0] for device in DEVICES}
        for row in expected:
            for place, mask in enumerate(row[2:]):
                counts[row.device][place] += (mask & wanted.get(row.hour, 0)).bit_count()
        found = {device: list(count) for device, count in series.minutes_within(wanted).items() if any(count)}
        assert found == {device: count for device, count in counts.items() if any(count)}
        for begin in (self._start, self._start + 86400 + 1800, self._start + 8 * 86400):
            said = reach(series.minutes(begin, end - 5400, DEVICES), begin)
            tried = series.reach(begin, end - 5400, DEVICES)
            assert {device: one for device, one in tried.items() if any(one[1:])} == said
        since = self._start + 2 * 86400
        strips: defaultdict[str, int] = defaultdict(int)
        for row in expected:
            if row.hour >= since:
                strips[row.device] |= row.seen << 64 * ((row.hour - since) // 3600)
        assert {device: strip for device, strip in series.seen(since, end).items() if strip} == strips
        three = {device: [0, 0, 0] for device in DEVICES}
        for row in expected:
            if row.hour >= since:
                mine = [mask << 64 * ((row.hour - since) // 3600) for mask in row[2:]]
                three[row.device] = [one | two for one, two in zip(three[row.device], mine, strict=True)]
        assert {device: [*one] for device, one in series.strips(since, end, DEVICES).items() if any(one)} == {
            device: masks for device, masks in three.items() if any(masks)
        }


def hours_forgotten(series: InfluxSeries) -> None:
    """Drop the masks by the hour: what is still answered comes from weeks, and from the register."""
    series._server.query(series._kept, f"DROP MEASUREMENT {MINUTES}", change=True)


def test_late_rounds_join_weeks_that_are_packed(series: InfluxSeries, make: SimpleNamespace) -> None:
    """What comes late, of a new hour or of one that stands in its week, counts once, before and after it is packed."""
    law = Law(make)
    law.check(series)
    series.write(law.rounds(range(40), 9 * 3600))
    law.check(series)
    late = ((range(30), 9 * 3600 + 60), (range(40), 9 * 3600), (range(9), 11 * 3600))
    for later, (minutes, step_s) in enumerate(late):
        steps = 0
        while series.maintain(time.time() + 300 * (later + 1)):
            steps += 1
            if steps % 40 == 0:
                law.check(series)
        series.write(law.rounds(minutes, step_s))
        law.check(series)
    while series.maintain(time.time() + 3000):
        pass
    law.check(series)
    hours_forgotten(series)
    law.check(series)


def test_a_server_of_an_older_program_is_packed_while_it_is_read(
    series: InfluxSeries, influx_store: StoreSettings, make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its masks lie by the hour: every answer is right before, in between, and when rounds come while it is packed."""
    monkeypatch.setattr(influx_weeks, "_DEVICES_A_PIECE", 1)
    law = Law(make)
    series.write(law.rounds(range(40), 9 * 3600))
    while series.maintain(time.time() + 300):
        pass
    for measurement in (WEEKS, PACKED):  # as an older program left it
        series._server.query(series._kept, f"DROP MEASUREMENT {measurement}", change=True)
    with closing(InfluxSeries(influx_store)) as upgraded:
        law.check(upgraded)
        steps = 0
        while upgraded.maintain(time.time() + 600):
            steps += 1
            law.check(upgraded)
            if steps in (2, 5, 9):
                upgraded.write(law.rounds(range(steps, steps + 3), 9 * 3600 + 120))
                while upgraded.maintain(time.time() + 900 * steps) and steps < 200:
                    steps += 1
                    law.check(upgraded)
        assert steps > 3 * len(DEVICES)
        hours_forgotten(upgraded)
        law.check(upgraded)


@pytest.mark.parametrize("settings", ["influx_store", "influx_with_postgres"])
@pytest.mark.parametrize("frozen_in", ["join", "pack"])
def test_a_collector_that_was_overtaken_loses_no_hour_of_another(
    settings: str, frozen_in: str, make: SimpleNamespace, request: pytest.FixtureRequest
) -> None:
    """One stands still between reading a week and writing it (a frozen machine), for longer than its lease; another
    takes over and joins its hours; then the first goes on and writes what it had read. No minute is missing, neither
    before the week is packed again nor after."""
    law, store = Law(make), request.getfixturevalue(settings)
    with closing(InfluxSeries(store)) as first, closing(InfluxSeries(store)) as second:
        first.write(law.rounds(range(40), 9 * 3600))
        while first.maintain(time.time() + 300):
            pass
        if frozen_in == "join":
            first.write(law.rounds(range(30), 9 * 3600 + 60))
        else:
            first._server.query(first._kept, f"DROP MEASUREMENT {PACKED}", change=True)
            first._weeks._todo = None
        write, calls = first._weeks._write, 0

        def frozen(week: int, values: Any) -> None:
            nonlocal calls
            calls += bool(values)
            if values and calls == 1:
                second.write(law.rounds(range(40), 9 * 3600 + 120))
                second.write(law.rounds(range(30), 11 * 3600 + 180))
                while second.maintain(time.time() + 1200):
                    pass
            write(week, values)

        first._weeks._write = frozen  # type: ignore[method-assign]
        while first.maintain(time.time() + 600):
            pass
        assert calls
        law.check(second)
        while second.maintain(time.time() + 1500):
            pass
        law.check(second)
        with closing(InfluxSeries(store)) as third:  # a week that was doubted is packed at the latest by the next start
            while third.maintain(time.time() + 3000):
                pass
            law.check(third)
            hours_forgotten(third)
            law.check(third)


def test_a_text_of_somebody_else_is_an_error_with_a_remedy(series: InfluxSeries, make: SimpleNamespace) -> None:
    """Masks that cannot be read are not taken for a machine that was off."""
    law = Law(make)
    series.write(law.rounds(range(40), 9 * 3600))
    while series.maintain(time.time() + 300):
        pass
    week = make.HOUR // WEEK_S - 1
    series._server.write(series._kept, [f'{WEEKS},device=pc-two masks="bm9uZQ==" {week * WEEK_S}000000000'.encode()])
    with pytest.raises(StoreError, match=r"minutes_week.*pc-two.*store\.influx\.database"):
        series.seen(week * WEEK_S, make.HOUR, DEVICES)
    assert series.seen(week * WEEK_S, make.HOUR, ["pc-one"])["pc-one"]
