"""Newest rows on a real InfluxDB, asked for a day and then further back."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import pytest

from phongmay_store.series import influx_latest
from phongmay_store.series.influx import InfluxSeries
from phongmay_store.series.interface import TimeBasis
from phongmay_store.settings import StoreSettings

AGES_D = (-0.01, 0.2, 0.8, 1.4, 1.9, 3.0, 5.5, 7.9, 9.0, 12.0)
PARTS = ("gateway", "internet", "a, b=c", "C:\\")
"""Parts of which some look like the end of a tag."""


@pytest.mark.parametrize("many", [0, 2, 1000], ids=["unnamed", "named at last", "named"])
def test_the_newest_row_is_found_however_old_it_is(
    influx_store: StoreSettings, make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    """Machines that were off for days, parts that are gone, guessed times: as if all rows were looked through."""
    monkeypatch.setattr(influx_latest, "_MANY_DEVICES", many)
    choose = random.Random(many)
    now = make.HOUR + 30 * 3600
    rows, expected = [], {}
    for number in range(12):
        for part in PARTS:
            for age in choose.sample(AGES_D, choose.randrange(5)):
                at, basis = round(now - age * 86400), choose.choice([TimeBasis.LIVE, TimeBasis.GUESS])
                device = f"pc-{number}"
                rows.append(
                    make.arrival(len(rows), at, make.reach(True, part), sender=device, basis=basis, received=now + 900)
                )
                before = expected.get((device, part))
                if before is None or (basis is not TimeBasis.GUESS, at) > before:
                    expected[device, part] = (basis is not TimeBasis.GUESS, at)
    with closing(InfluxSeries(influx_store)) as series:
        assert list(series.latest("reach")) == []
        series.write(rows)
        wanted = [(*key, at) for key, (_, at) in sorted(expected.items())]
        assert [(row.device, row.part, int(row.at)) for row in series.latest("reach")] == wanted
        some = [row for row in wanted if row[0] in ("pc-3", "pc-7", "pc-8")]
        found = series.latest("reach", ["pc-3", "pc-7", "pc-8", "pc-none"])
        assert [(row.device, row.part, int(row.at)) for row in found] == some
    third = replace(influx_store, influx=replace(influx_store.influx, version="3"))  # which cannot tell its series
    with closing(InfluxSeries(third)) as series:
        assert [(row.device, row.part, int(row.at)) for row in series.latest("reach")] == wanted
