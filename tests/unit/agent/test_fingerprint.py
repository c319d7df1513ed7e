"""Junk ids that thousands of machines share must never make two machines one."""

from __future__ import annotations

import pytest

from phongmay_agent.probes.fingerprint import fingerprint, is_placeholder, is_random_mac

GOOD = ("board", "CNFCW0028E00F5")


@pytest.mark.parametrize(
    "junk",
    [
        ("machine", "03000200-0400-0500-0006-000700080009"),
        ("machine", "00020003-0004-0005-0006-000700080009"),
        ("machine", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
        ("machine", "00000000-0000-0000-0000-000000000000"),
        ("board", "To be filled by O.E.M."),
        ("board", "Default string"),
        ("board", "  "),
        ("board", "123456789"),
        ("disk", "0"),
        ("mac", "00:00:00:00:00:00"),
        ("mac", "ff:ff:ff:ff:ff:ff"),
        ("mac", "01:00:5e:00:00:01"),
        ("mac", "d4:be:d9"),
    ],
)
def test_junk_counts_for_nothing(junk: tuple[str, str]) -> None:
    """Alone it gives no fingerprint, beside a good id it changes nothing."""
    assert fingerprint([junk]) == ""
    assert fingerprint([GOOD, junk]) == fingerprint([GOOD])


def test_order_and_spelling_do_not_matter() -> None:
    """Systems list the same ids in another order and with other signs."""
    mac = ("mac", "D4-BE-D9-12-34-56")
    assert fingerprint([GOOD, mac]) == fingerprint([("mac", "d4:be:d9:12:34:56"), GOOD, GOOD])


def test_every_good_id_matters() -> None:
    """Two PCs of one image differ in one id only."""
    assert (
        len({fingerprint([GOOD]), fingerprint([GOOD, ("disk", "S3Z9NB0K")]), fingerprint([("board", "OTHER1")])}) == 3
    )


@pytest.mark.parametrize("name", ["HP", "ASUSTeK COMPUTER INC.", "H61M-K", "0KV3RP"])
def test_a_real_name_is_no_placeholder(name: str) -> None:
    """Short names of makers must stay."""
    assert not is_placeholder(name)


def test_a_random_address_is_told_from_a_burnt_in_one() -> None:
    """The second lowest bit of the first octet marks an address that software made."""
    assert is_random_mac("d6:00:00:aa:bb:cc")
    assert not is_random_mac("d4:be:d9:12:34:56")
