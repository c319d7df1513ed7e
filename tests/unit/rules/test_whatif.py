"""What-if: what other parameters would change, and that nothing is written."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from phongmay_contract.errors import OperatorError
from phongmay_contract.units import GIB
from phongmay_rules.loader import load_pack
from phongmay_rules.standing import read_standing
from phongmay_rules.whatif import read_values, what_if
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
