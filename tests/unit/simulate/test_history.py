"""Seeded days of the past: what a collector would have stored, and the same again for the same seed."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from pathlib import Path

from phongmay_simulate import history, population, school_day
from phongmay_store.series import open_reader, open_writer
from phongmay_store.settings import StoreSettings

DAYS = history.last_days(3, date(2026, 11, 27))
LATER = 1_900_000_000.0
PEOPLE = population.build(11, 1, 12)


def written(path: Path) -> tuple[StoreSettings, history.Written]:
    """Write three days, one of them in full."""
    settings = StoreSettings(series_path=path, raw_days=3660)
    with closing(open_writer(settings)) as series:
        return settings, history.write(series, PEOPLE, DAYS, full=1, until=LATER)


def test_minute_masks_are_those_of_the_timetable(tmp_path: Path) -> None:
    """Each minute in which a PC was on is one bit, in full days and in thin ones; of other minutes there is none."""
    settings, _ = written(tmp_path / "series.db")
    with closing(open_reader(settings)) as series:
        masks = list(series.minutes(0, 1e11))
        heard = series.listening(0, 1e11)
    minutes = {(mask.device, mask.hour + 60 * bit) for mask in masks for bit in range(60) if mask.seen >> bit & 1}
    expected = set()
    for member in PEOPLE.speakers():
        for day in DAYS:
            for stay in school_day.stays(member, PEOPLE.seed, day, around_the_clock=True):
                rounds = int((stay.end - stay.start) // 60)
                expected |= {(member.id, int((stay.start + 60 * n + 1) // 60) * 60) for n in range(rounds)}
    assert minutes == expected
    assert len(minutes) > 5000
    assert sum(mask.bit_count() for mask in heard.values()) == 3 * 24 * 60


def test_the_same_history_again_changes_nothing(tmp_path: Path) -> None:
    """Identities are seeded: a second run into the same store is seen as a repeat."""
    settings, first = written(tmp_path / "series.db")
    with closing(open_reader(settings)) as series:
        before = (series.envelope_count(), list(series.latest("usage")), list(series.presence()))
    _, second = written(tmp_path / "series.db")
    with closing(open_reader(settings)) as series:
        after = (series.envelope_count(), list(series.latest("usage")), list(series.presence()))
    assert first == second
    assert before == after
    assert before[0] == first.envelopes


def test_full_days_hold_every_round_and_thin_days_a_tenth(tmp_path: Path) -> None:
    """Roll-ups of thin days rest on fewer values; availability rests on all."""
    settings, _ = written(tmp_path / "series.db")
    gateway = next(member.id for member in PEOPLE.speakers() if member.watches)
    with closing(open_reader(settings)) as series:
        counts = []
        for day in DAYS:
            start = school_day.midnight(day)
            usage, reach = (
                len(series.range(gateway, name, start, start + 86400, part=part, limit=5000))
                for name, part in (("usage", ""), ("reach", "internet"))
            )
            counts.append((usage, reach))
    assert counts == [(144, 1440), (144, 1440), (1440, 1440)]
