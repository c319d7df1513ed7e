"""Receipts: what was committed or finally refused, gathered for each device into one message.

In: identities. Out: for each device the payload for its receipt topic, with closed ranges of sequence numbers and the
server's time, from which a device learns when a command has expired.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from phongmay_contract import SCHEMA_VERSION, topics
from phongmay_contract.envelope import Receipt, encode_receipt
from phongmay_contract.topics import Kind
from phongmay_store.series.interface import EnvelopeId

_ONE = f'{{"v":{SCHEMA_VERSION},"kind":"receipt","at":%.3f,"runs":[{{"run":"%s","stored":[[%d,%d]]}}]}}'
"""A receipt of one run with one range, which nearly all are; a test compares it with what the contract encodes."""


@lru_cache(maxsize=400_000)
def receipt_topic(device: str) -> str:
    """Give the topic of a device's receipts."""
    return topics.build(device, Kind.RECEIPT)


def coalesce(
    seqs: Mapping[tuple[str, str], Sequence[int]], refused: Iterable[tuple[EnvelopeId, str]]
) -> dict[str, bytes]:
    """Give one receipt message for each device.

    Args:
        seqs: (sender, run) to the sequence numbers that are stored.
        refused: identities that were refused, with the reason.
    """
    now = time.time()
    told: dict[str, bytes] = {}
    several: dict[str, dict[str, Sequence[int]]] = {}  # devices whose receipt is not of one run and one range
    reasons: dict[str, dict[str, dict[int, str]]] = {}
    for (sender, run, seq), reason in refused:
        reasons.setdefault(sender, {}).setdefault(run, {})[seq] = reason
        several[sender] = {}
    for (sender, run), numbers in seqs.items():
        if sender in told:
            del told[sender]
            several[sender] = {}
        first, last = min(numbers), max(numbers)
        if sender not in several and last - first + 1 == len(numbers) == len(set(numbers)):
            told[sender] = (_ONE % (now, run, first, last)).encode()
        else:
            several[sender] = {}
    for (sender, run), numbers in seqs.items() if several else ():
        if sender in several:
            several[sender][run] = numbers
    return told | {sender: _encode(runs, reasons.get(sender, {}), now) for sender, runs in several.items()}


def _encode(stored: Mapping[str, Sequence[int]], refused: dict[str, dict[int, str]], now: float) -> bytes:
    return encode_receipt(
        [
            Receipt(run, tuple(ranges(stored.get(run, ()))), tuple(sorted(refused.get(run, {}).items())))
            for run in sorted(stored.keys() | refused.keys())
        ],
        at=now,
    )


def ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Give the closed ranges that a set of numbers makes, in order: 1 2 3 7 becomes (1, 3) (7, 7)."""
    first = last = None
    for number in sorted(set(numbers)):
        if first is None or last is None:
            first = last = number
        elif number == last + 1:
            last = number
        else:
            yield first, last
            first = last = number
    if first is not None and last is not None:
        yield first, last
