"""Topics: what is built is parsed, and nothing else is."""

from __future__ import annotations

import pytest

from phongmay_contract.errors import ContractError, Reason
from phongmay_contract.topics import DOWN_KINDS, UP_KINDS, Kind, build, parse, subscription


def test_a_topic_is_root_device_kind() -> None:
    """The words themselves are the contract: ACL lines hold them."""
    assert build("pc-abc", Kind.ROUND) == "phongmay/v1/pc-abc/round"
    assert subscription(Kind.BACKFILL) == "phongmay/v1/+/backfill"


@pytest.mark.parametrize(
    "topic",
    [
        "", "phongmay", "phongmay/v1/pc-abc", "phongmay/v2/pc-abc/round", "phongmay/v1/pc-abc/round/",
        "x/phongmay/v1/pc-abc/round", "phongmay/v1//round", "phongmay/v1/+/round", "phongmay/v1/PC/round",
        "phongmay/v1/-pc/round", "phongmay/v1/pc/round", "phongmay/v1/pc-abc/rounds", "phongmay/v1/pc-abc/x/round",
        "phongmay/v1/" + "a" * 41 + "/round", "phongmay/v1/pc-abc\n/round",
    ],
)  # fmt: skip
def test_anything_else_is_refused(topic: str) -> None:
    """Wildcards, other versions, other levels."""
    with pytest.raises(ContractError) as caught:
        parse(topic)
    assert caught.value.reason is Reason.BAD_TOPIC


@pytest.mark.parametrize("device", ["", "ab", "a/b", "a+b", "#", "PC-ABC", "-abc", "pc abc", "é" * 5])
def test_no_topic_is_built_for_what_is_no_device_id(device: str) -> None:
    """A device id out of a file must not become a wildcard."""
    with pytest.raises(ContractError):
        build(device, Kind.ROUND)


def test_every_kind_goes_one_way() -> None:
    """A device never writes what it obeys."""
    assert frozenset(Kind) == UP_KINDS | DOWN_KINDS
    assert not UP_KINDS & DOWN_KINDS
