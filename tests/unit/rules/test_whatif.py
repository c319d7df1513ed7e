"""What-if: what other parameters would change, and that nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from phongmay.main import main
from phongmay_contract.errors import OperatorError
from phongmay_contract.units import GIB
from phongmay_rules.adopting import effect
from phongmay_rules.loader import load_pack
from phongmay_rules.parameters import Kept
from phongmay_rules.standing import read_standing
from phongmay_rules.whatif import kept, read_values, what_if
from phongmay_store.register.compliance import Fact, Parameter, Verdict

pytestmark = pytest.mark.one_register

PACK = load_pack("tanbinh-2023")


def _rows(house: Any) -> list[int | None]:
    with house.sessions() as session:
        return [session.scalar(select(func.count()).select_from(table)) for table in (Fact, Verdict, Parameter)]


def test_a_higher_demand_turns_devices_rooms_and_the_district(house: Any) -> None:
    """With 16 GB demanded all six PCs, both rooms and the district's target fail; nothing is written."""
    house.evaluate()
    before = _rows(house)
    with house.sessions() as session:
        standing = read_standing(session, PACK)
    changes = what_if(standing, {"ram_min": 16 * GIB})
    assert {(change.target[2], change.before.state, change.after.state) for change in changes} == {
        ("TB-01", "pass", "fail"),
        ("PH-02", "pass", "fail"),
        ("QU-01", "pass", "fail"),
    }
    assert len(changes) == 6 + 2 + 1
    assert {change.after.required["value"] for change in changes if change.target[2] == "TB-01"} == {16 * GIB}
    assert _rows(house) == before
    assert what_if(standing, {"ram_min": 8 * GIB}) == []


def test_only_one_unit(house: Any) -> None:
    """Asked for one school, only that school is looked at, and no unit above of which not all schools are there."""
    house.evaluate()
    with house.sessions() as session:
        standing = read_standing(session, PACK, "th")
    assert {change.unit_id for change in what_if(standing, {"ram_min": 16 * GIB})} == {"th"}


def test_what_a_unit_set_for_itself_stays_in_both_ways_of_asking(house: Any) -> None:
    """A what-if and the adoption of an annex say the same, and what comes is what they said: a school that set its own
    figure keeps it, and both name it."""
    house.set_parameter("cs", "ram_min", 2 * GIB)
    house.set_parameter("th", "ram_min", 16 * GIB)
    house.evaluate()
    with house.sessions() as session:
        standing = read_standing(session, house.pack)
        found = effect(session, house.pack, {"ram_min": 16 * GIB}, "quan")
    changes = what_if(standing, {"ram_min": 16 * GIB})
    assert changes == []
    assert [change.key for change in found.changes] == [change.target for change in changes]
    assert kept(standing, {"ram_min": 16 * GIB}) == found.kept == (Kept("cs", "ram_min", 2 * GIB, True),)
    with house.sessions() as session:
        own = read_standing(session, house.pack, "cs")
        alone = effect(session, house.pack, {"ram_min": 16 * GIB}, "cs", within="cs")
    asked = what_if(own, {"ram_min": 16 * GIB})
    assert {change.target[2] for change in asked} == {"TB-01", "PH-02"}, "asked of the school, its own figure is meant"
    assert sorted(change.key for change in alone.changes) == sorted(change.target for change in asked)
    assert kept(own, {"ram_min": 16 * GIB}) == alone.kept == ()
    house.set_parameter("quan", "ram_min", 16 * GIB)
    house.evaluate()
    assert house.state("cs-0", "TB-01") == ("pass", "met")


def test_a_figure_of_its_own_that_the_bounds_exclude_is_told(house: Any) -> None:
    """A new version of the pack left it outside: it stays, is an error and not a value, and is named as such."""
    house.set_parameter("cs", "ram_min", 2.0**60)
    house.evaluate()
    assert house.state("cs-0", "TB-01")[0] == "error"
    with house.sessions() as session:
        standing = read_standing(session, house.pack)
        found = effect(session, house.pack, {"ram_min": 8 * GIB}, "quan")
    assert kept(standing, {"ram_min": 8 * GIB}) == found.kept == (Kept("cs", "ram_min", 2.0**60, False),)
    assert not [change for change in what_if(standing, {"ram_min": 8 * GIB}) if change.unit_id == "cs"]


def test_the_commands_name_who_keeps_a_figure(house: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`rules whatif` in the language asked for, `rules set` beside its figures."""
    house.set_parameter("cs", "ram_min", 2 * GIB)
    house.evaluate()
    config = tmp_path / "phongmay.toml"
    url = house.engine.url.render_as_string(hide_password=False)
    config.write_text(f'[store]\nregister_url = "{url}"\nseries_path = "{tmp_path / "series.db"}"\n', "utf-8")
    for words, said in (
        (("whatif", "--set", "ram_min=16GiB"), "cs giữ mức riêng của mình: ram_min = 2 GB"),
        (("whatif", "--set", "ram_min=16GiB", "--lang", "en"), "cs keeps its own value: ram_min = 2 GB"),
        (("set", "ram_min=16GiB"), "cs keeps its own value: ram_min = 2 GB"),
    ):
        assert main(["--config", str(config), "rules", *words]) == 0
        assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("ram_min=8GiB", "ram_min", 8 * GIB),
        ("disk_min=120 GB", "disk_min", 120 * 10**9),
        ("link_min=1Gbit/s", "link_min", 10**9),
        ("reach_share_min=98%", "reach_share_min", 0.98),
        ("reach_share_min=0.98", "reach_share_min", 0.98),
        ("stale_after=30min", "stale_after", 1800),
        ("students_per_pc=1", "students_per_pc", 1),
    ],
)
def test_values_are_read_with_their_units(text: str, name: str, value: float) -> None:
    """A marketed unit at the edge, base units inside."""
    assert read_values(PACK, [text]) == {name: pytest.approx(value)}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ram_mim=8GiB", "did you mean 'ram_min'"),
        ("ram_min", "write NAME=VALUE"),
        ("ram_min=8", "may be from"),
        ("ram_min=8s", "units: B, MiB"),
        ("ram_min=lots", "expected a number"),
        ("class_cap_primary=40", "(law)"),
        ("reach_share_min=120%", "may be from"),
        ("xyz=1", "expected one of: availability_coverage_min"),
    ],
)
def test_wrong_wishes_are_refused(text: str, named: str) -> None:
    """Unknown names, wrong units, values out of bounds, and any change of a law's figure."""
    with pytest.raises(OperatorError) as error:
        read_values(PACK, [text])
    assert named in str(error.value)


def test_what_is_written_is_what_is_judged_by() -> None:
    """57 % is 0.57 to the last digit: who just reaches the limit that somebody typed has reached it."""
    for tenths in range(500, 1001):
        assert read_values(PACK, [f"reach_share_min={tenths / 10}%"]) == {"reach_share_min": tenths / 1000}


def test_a_yes_or_no_is_nothing_in_between() -> None:
    """What a smart classroom must have is demanded or not."""
    assert read_values(PACK, ["smart_camera=1", "smart_audio=0"]) == {"smart_camera": 1, "smart_audio": 0}
    with pytest.raises(OperatorError, match=r"smart_camera' may be 0 \(no\) or 1 \(yes\)"):
        read_values(PACK, ["smart_camera=0.5"])
