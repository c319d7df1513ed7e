"""The four scores: what counts, what does not, and what is said to be unknown."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from phongmay.main import main
from phongmay_rules.quality import DEFINITIONS, FAULTS, Score, Share, quality, total
from phongmay_simulate.district import Role
from phongmay_store.register.base import utc_now
from phongmay_store.register.device import Device, IdentityConflict
from phongmay_store.series.interface import DeadLetter

pytestmark = pytest.mark.one_register

NOW = datetime.fromisoformat("2026-11-23T10:00:00+07:00")
DAY = timedelta(days=1)


def score(house: Any, school: str, which: Score, at: datetime = NOW) -> tuple[int, int, int, dict[str, int]]:
    """Give numerator, denominator, unknown and faults of one score."""
    with house.sessions() as session:
        (found,) = [found for found in quality(session, house.series, at=at) if found.unit_id == school]
    share = found.scores[which]
    return share.good, share.total, share.unknown, dict(share.faults)


def test_a_healthy_school(house: Any) -> None:
    """Three PCs that spoke each minute since their agents were due: everything is good, nothing is unknown."""
    assert score(house, "cs", Score.ALIVE) == (3 * 120, 3 * 120, 0, {})
    for which in (Score.CLEAN, Score.COMPLETE, Score.RIGHT):
        assert score(house, "cs", which) == (3, 3, 0, {}), which


def test_an_empty_school_has_no_share(house: Any) -> None:
    """A school without devices has neither 0 % nor 100 %."""
    assert score(house, "mn", Score.COMPLETE) == (0, 0, 0, {})
    assert Share().ratio is None
    assert Share().unknown_ratio is None


def test_alive_counts_minutes_in_use_only(house: Any) -> None:
    """A PC that was silent for the second half of its time in use has half of its minutes; at night nothing is lost."""
    house.device("half", "cs", "cs-room")
    house.speak("half", at=NOW - timedelta(minutes=61), minutes=59)
    assert score(house, "cs", Score.ALIVE) == (3 * 120 + 60, 4 * 120, 0, {})
    end = NOW.replace(hour=16, minute=30)
    assert score(house, "cs", Score.ALIVE, end) == score(house, "cs", Score.ALIVE, end + timedelta(hours=5))


def test_alive_does_not_guess(house: Any) -> None:
    """Minutes of a PC without an agent, and of an identity that two machines use, are unknown, not lost."""
    house.device("paper", "cs", "cs-room", agent_since=None)
    good, known, unknown, _ = score(house, "cs", Score.ALIVE)
    assert (good, known) == (3 * 120, 3 * 120)
    assert unknown > 0
    with house.sessions() as session:
        session.add(IdentityConflict(device_id="cs-0", detail="x", opened_at=NOW))
        session.commit()
    good, known, more, _ = score(house, "cs", Score.ALIVE)
    assert (good, known, more) == (2 * 120, 2 * 120, unknown + 120)


def test_not_clean(house: Any) -> None:
    """Identity conflict, refused message and shared or missing fingerprint each make a device unclean, once."""
    with house.sessions() as session:
        session.add(IdentityConflict(device_id="cs-0", detail="x", opened_at=NOW))
        session.commit()
    letters = [
        DeadLetter(0, f"phongmay/v1/{device}/round", "bad_value", "x", b"{}", (NOW - age).timestamp())
        for device, age in (("cs-0", DAY), ("cs-1", DAY), ("cs-2", 8 * DAY), ("stranger", DAY))
    ]
    house.series.write([], dead=letters)
    assert score(house, "cs", Score.CLEAN) == (1, 3, 0, {"identity_conflict": 1, "refused_messages": 2})
    assert score(house, "th", Score.CLEAN) == (3, 3, 0, {})


def test_fingerprints(house: Any, monkeypatch: Any) -> None:
    """Two devices with one fingerprint are both unclean, in whatever school; one without any is unclean for that."""
    rows = {row.device: row for row in house.series.latest("hardware")}
    prints = dict.fromkeys(rows, "") | {"th-0": "same", "cs-0": "same", "cs-1": "own"}

    class Series:
        """The real store with other fingerprints."""

        def __getattr__(self, name: str) -> Any:
            return getattr(house.series, name)

        def latest(self, measurement: str, devices: Any = None) -> Any:
            for row in house.series.latest(measurement, devices):
                yield type(row)(
                    row.device, row.part, row.at, row.basis,
                    {**row.values, "fingerprint": prints[row.device]}, row.source,
                )  # fmt: skip

    with house.sessions() as session:
        found = {school.unit_id: school.scores[Score.CLEAN] for school in quality(session, Series(), at=NOW)}
    assert (found["cs"].good, found["cs"].faults) == (1, {"shared_fingerprint": 1, "no_fingerprint": 1})
    assert (found["th"].good, found["th"].faults) == (0, {"shared_fingerprint": 1, "no_fingerprint": 2})


def test_complete(house: Any) -> None:
    """Never heard is missing, declared only is unknown, eight days of silence is missing."""
    house.device("mute", "cs", "cs-room")
    house.device("paper", "cs", "cs-room", agent_since=None)
    assert score(house, "cs", Score.COMPLETE) == (3, 4, 1, {"not_seen": 1})
    assert score(house, "cs", Score.COMPLETE, NOW + 8 * DAY) == (0, 4, 1, {"not_seen": 4})
    assert score(house, "cs", Score.CLEAN)[:3] == (3, 3, 1)


def test_right(house: Any) -> None:
    """A PC that speaks although the register calls it in repair, retired or without an agent is registered wrongly."""
    before = NOW - timedelta(minutes=1)
    house.revise(Device, "cs-0", before, state="in_repair")
    house.revise(Device, "cs-1", before, state="retired")
    house.revise(Device, "cs-2", before, agent_since=None)
    house.device("mute", "cs", "cs-room")
    faults = {"seen_in_repair": 1, "seen_retired": 1, "seen_without_agent": 1}
    assert score(house, "cs", Score.RIGHT) == (0, 3, 1, faults)


def test_sums_are_of_counts(house: Any) -> None:
    """A school with one PC weighs less than one with a hundred; definitions are there for every score, twice."""
    house.device("mute", "cs", "cs-room")
    house.speak("th-0", Role.STANDARD)
    with house.sessions() as session:
        found = quality(session, house.series, at=NOW)
        one = quality(session, house.series, "th", at=NOW)
    share = total(found)[Score.COMPLETE]
    assert (share.good, share.total, share.ratio) == (6, 7, 6 / 7)
    assert [school.unit_id for school in one] == ["th"]
    assert set(DEFINITIONS) == set(Score)
    assert all(d.vi and d.en and d.word_vi and d.word_en for d in DEFINITIONS.values())


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_command_says_scores_and_faults_in_words(
    house: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str
) -> None:
    """No code of a fault is read by anybody, and a number has the decimal sign of its language."""
    house.device("paper", "cs", "cs-room", agent_since=None)
    house.series.write([], dead=[DeadLetter(0, "phongmay/v1/cs-0/round", "bad", "x", b"{}", utc_now().timestamp())])
    config = tmp_path / "phongmay.toml"
    url = house.engine.url.render_as_string(hide_password=False)
    config.write_text(f'[store]\nregister_url = "{url}"\nseries_path = "{tmp_path / "series.db"}"\n', "utf-8")
    assert main(["--config", str(config), "rules", "quality", "--lang", language]) == 0
    text = capsys.readouterr().out
    assert FAULTS["refused_messages"][language == "en"] in text
    assert "_" not in text
    sign = "," if language == "vi" else "."
    assert f"66{sign}7" in text, "two of three machines are clean"
    assert "66{}7".format("." if language == "vi" else ",") not in text
