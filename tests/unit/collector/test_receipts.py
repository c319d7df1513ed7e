"""Receipts name exactly what is settled."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from phongmay_collector.receipts import coalesce, ranges
from phongmay_contract.envelope import decode_receipt
from phongmay_store.series.interface import EnvelopeId

numbers = st.lists(st.integers(0, 60))


@given(numbers)
def test_ranges_are_the_set_in_order_and_as_few_as_can_be(found: list[int]) -> None:
    """Every number is in exactly one range, and no two ranges could be one."""
    pairs = list(ranges(found))
    assert [number for first, last in pairs for number in range(first, last + 1)] == sorted(set(found))
    assert all(later[0] > earlier[1] + 1 for earlier, later in pairwise(pairs))


@given(
    st.dictionaries(st.sampled_from(["pc-a", "pc-b"]), st.dictionaries(st.sampled_from(["aa" * 8, "bb" * 8]), numbers))
)
def test_a_device_is_told_what_is_its_own_and_nothing_else(settled: dict[str, dict[str, list[int]]]) -> None:
    """One message a device, an entry a run; decoding it gives back what went in."""
    ids = [
        EnvelopeId(device, run, seq) for device, runs in settled.items() for run, seqs in runs.items() for seq in seqs
    ]
    refused = [(EnvelopeId(device, "cc" * 8, 7), "wrong_type") for device in settled]
    seqs = {(device, run): numbers for device, runs in settled.items() for run, numbers in runs.items() if numbers}
    messages = coalesce(seqs, refused)
    assert messages.keys() == settled.keys()
    for device, payload in messages.items():
        receipts = decode_receipt(payload)
        told = {(r.run, seq) for r in receipts for first, last in r.stored for seq in range(first, last + 1)}
        assert told == {(identity.run, identity.seq) for identity in ids if identity.sender == device}
        assert [r.refused for r in receipts if r.run == "cc" * 8] == [((7, "wrong_type"),)]
