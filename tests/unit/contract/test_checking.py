"""Refusals with their reason codes; what is merely unknown or impossible is left out and named instead."""

from __future__ import annotations

from typing import Any

import pytest

from phongmay_contract.catalogue import MAX_PARTS, MEASUREMENTS, Type
from phongmay_contract.checking import check
from phongmay_contract.envelope import Envelope, Group, Instant
from phongmay_contract.errors import ContractError, Reason
from phongmay_contract.topics import Kind

LINK = {"is_up": True}


def envelope(*groups: Group) -> Envelope:
    """Wrap groups."""
    return Envelope(Kind.ROUND, "pc-abc", "0" * 16, 1, Instant(0, 0), "0.1.0", groups)


@pytest.mark.parametrize(
    ("group", "reason", "named"),
    [
        (Group("usage", {"memory_used_bytes": "5"}), Reason.WRONG_TYPE, "usage.memory_used_bytes"),
        (Group("usage", {"memory_used_bytes": 5.0}), Reason.WRONG_TYPE, "usage.memory_used_bytes"),
        (Group("usage", {"memory_used_bytes": True}), Reason.WRONG_TYPE, "usage.memory_used_bytes"),
        (Group("usage", {"cpu_busy_ratio": None}), Reason.WRONG_TYPE, "usage.cpu_busy_ratio"),  # type: ignore[dict-item]
        (Group("link", {"is_up": 1}, part="eth0"), Reason.WRONG_TYPE, "link.is_up"),
        (Group("hardware", {"os_id": 11}), Reason.WRONG_TYPE, "hardware.os_id"),
        (Group("link", {"speed_bps": 10}, part="eth0"), Reason.MISSING_KEY, "link.is_up"),
        (Group("link", LINK), Reason.BAD_VALUE, "link"),
        (Group("usage", {"memory_used_bytes": 5}, part="sda"), Reason.BAD_VALUE, "usage"),
    ],
)
def test_what_would_spoil_the_store_is_refused(group: Group, reason: Reason, named: str) -> None:
    """With a code of the closed list, and a detail that names measurement and quantity."""
    with pytest.raises(ContractError) as caught:
        check(envelope(group))
    assert caught.value.reason is reason
    assert named in caught.value.detail


def test_at_most_sixteen_parts() -> None:
    """The number of series is bounded for each device and subject by itself."""
    groups = [Group("link", LINK, part=f"eth{n}") for n in range(MAX_PARTS)]
    other = [Group("link", LINK, subject="rt-abc", part=f"eth{n}") for n in range(MAX_PARTS)]
    assert len(check(envelope(*groups, *other)).envelope.body) == 2 * MAX_PARTS
    with pytest.raises(ContractError) as caught:
        check(envelope(*groups, Group("link", LINK, part="one-more")))
    assert caught.value.reason is Reason.TOO_MANY_PARTS


def test_what_a_newer_agent_knows_is_left_out_and_named() -> None:
    """Unknown measurements and quantities must not cost the known ones."""
    checked = check(envelope(Group("screen", {"width": 1}), Group("link", {**LINK, "color": "red"}, part="eth0")))
    assert checked.unknown == ("screen", "link.color")
    assert checked.envelope.body == (Group("link", LINK, part="eth0"),)


@pytest.mark.parametrize(
    ("measurement", "name", "value"),
    [("usage", "cpu_busy_ratio", 1.0001), ("usage", "cpu_busy_ratio", -0.1), ("usage", "memory_used_bytes", -1)],
)
def test_the_impossible_is_left_out_and_named(measurement: str, name: str, value: Any) -> None:
    """One broken sensor hides nothing else."""
    checked = check(envelope(Group(measurement, {name: value, "swap_used_bytes": 0})))
    assert checked.out_of_range == (f"{measurement}.{name}",)
    assert checked.envelope.body[0].values == {"swap_used_bytes": 0}


def test_a_text_with_nul_is_left_out_and_named() -> None:
    """PostgreSQL cannot keep U+0000: one PC that sends it must not stop the evaluation of all."""
    checked = check(envelope(Group("hardware", {"os_id": "debian", "machine_model": "X\0Y"})))
    assert checked.out_of_range == ("hardware.machine_model",)
    assert checked.envelope.body[0].values == {"os_id": "debian"}


def test_limits_themselves_are_possible() -> None:
    """Ranges are closed: exactly 0 and exactly 1 are shares."""
    for value in (0, 1):
        checked = check(envelope(Group("usage", {"cpu_busy_ratio": value})))
        assert checked.out_of_range == ()
        assert isinstance(checked.envelope.body[0].values["cpu_busy_ratio"], float)


def test_an_unknown_link_speed_cannot_be_written_as_zero() -> None:
    """Psutil and the kernel write 0 or -1 for "unknown"; neither reaches the store."""
    for value in (0, -1):
        assert check(envelope(Group("link", {**LINK, "speed_bps": value}, part="e"))).out_of_range == (
            "link.speed_bps",
        )


def test_the_catalogue_is_sound() -> None:
    """Names are unique, ranges are not empty, bounds belong to numbers, and every quantity says what it is."""
    for measurement in MEASUREMENTS.values():
        assert len(measurement.by_name) == len(measurement.quantities)
        for quantity in measurement.quantities:
            where = f"{measurement.name}.{quantity.name}"
            assert quantity.about.endswith("."), where
            assert quantity.low is None or quantity.high is None or quantity.low < quantity.high, where
            if quantity.type in (Type.BOOL, Type.TEXT):
                assert quantity.low is quantity.high is None, where
            else:
                assert quantity.low is not None, where
                assert quantity.high is not None, where
