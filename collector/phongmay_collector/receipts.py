"""Receipts: what was committed or finally refused, gathered for each device into one message.

In: identities. Out: for each device the payload for its receipt topic, with closed ranges of sequence numbers and the
server's time, from which a device learns when a command has expired.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from phongmay_contract.envelope import Receipt, encode_receipt
from phongmay_store.series.interface import EnvelopeId


def coalesce(stored: Iterable[EnvelopeId], refused: Iterable[tuple[EnvelopeId, str]]) -> dict[str, bytes]:
    """Give one receipt message for each device."""
    seqs: dict[str, dict[str, set[int]]] = {}
    reasons: dict[str, dict[str, dict[int, str]]] = {}
    for sender, run, seq in stored:
        seqs.setdefault(sender, {}).setdefault(run, set()).add(seq)
    for (sender, run, seq), reason in refused:
        reasons.setdefault(sender, {}).setdefault(run, {})[seq] = reason
    out = {}
    for sender in seqs.keys() | reasons.keys():
        here, there = seqs.get(sender, {}), reasons.get(sender, {})
        out[sender] = encode_receipt(
            [
                Receipt(run, tuple(ranges(here.get(run, ()))), tuple(sorted(there.get(run, {}).items())))
                for run in sorted(here.keys() | there.keys())
            ],
            at=time.time(),
        )
    return out


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
