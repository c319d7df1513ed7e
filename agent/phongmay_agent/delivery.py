"""What is sent when: the rules by which envelopes go out live or as backfill, apart from any MQTT.

Sessions, live sends and receipts go in; the next backfill and the moment to look again come out. The rules:

- An envelope is sent live once, by the run that measured it, if a session is open at that moment.
- Everything else in the spool is of the past and goes as backfill: what was measured without a session, what got no
  receipt in time, what an older run left. An older run never goes live, for that is how the server tells a clone.
- Backfill begins only after a receipt in this session has shown that a collector is listening, and one message is out
  at a time: the next goes when all of it has receipts, or after a patience that doubles with every failure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from phongmay_agent.spool import Key, Spool
from phongmay_contract.envelope import MAX_BACKFILL, MAX_MESSAGE_BYTES, Envelope, Receipt

LONGEST_PATIENCE_S = 600.0
_BATCH_BYTES = MAX_MESSAGE_BYTES * 3 // 4
"""Payloads of one backfill; the rest of the longest message is for its own keys."""


class Delivery:
    """Book of what is on its way."""

    def __init__(self, spool: Spool, run: str, patience_s: float) -> None:
        """Begin a run.

        Args:
            spool: where envelopes wait.
            run: this run.
            patience_s: seconds without a receipt after which a live envelope goes out again as backfill.
        """
        self._spool = spool
        self._run = run
        self._patience_s = patience_s
        self._live: dict[int, float] = {}
        self._out: set[Key] = set()
        self._out_until = 0.0
        self._failures = 0
        self._heard = False
        self._look = False

    def opened(self) -> None:
        """A new session is open: nothing of the last one will be answered any more."""
        self._live.clear()
        self._out.clear()
        self._failures = 0
        self._heard = False
        self._look = True

    def sent_live(self, envelope: Envelope, now: float) -> None:
        """An envelope of this run went out live."""
        self._live[envelope.seq] = now

    def received(self, receipts: Sequence[Receipt]) -> None:
        """The collector has settled envelopes: forget them."""
        self._spool.forget(receipts)
        self._heard = True
        out = len(self._out)
        for receipt in receipts:
            for first, last in (*receipt.stored, *((seq, seq) for seq, _ in receipt.refused)):
                self._out -= {key for key in self._out if key[0] == receipt.run and first <= key[1] <= last}
                if receipt.run == self._run:
                    for seq in [seq for seq in self._live if first <= seq <= last]:
                        del self._live[seq]
        if len(self._out) < out:
            self._failures = 0
            self._look = self._look or not self._out

    def next_backfill(self, now: float) -> list[Envelope]:
        """Give the envelopes of the next backfill message; empty if none is due."""
        late = [seq for seq, since in self._live.items() if now >= since + self._patience_s]
        for seq in late:
            del self._live[seq]
        if self._out and now >= self._out_until:
            self._out.clear()
            self._failures += 1
            self._look = True
        self._look = self._look or bool(late)
        if not self._heard or self._out or not self._look:
            return []
        on_their_way = {(self._run, seq) for seq in self._live}
        found = self._spool.pending(MAX_BACKFILL, _BATCH_BYTES, on_their_way)
        self._look = False
        if found:
            self._out = {(envelope.run, envelope.seq) for envelope in found}
            self._out_until = now + min(LONGEST_PATIENCE_S, self._patience_s * 2**self._failures)
        return found

    def next_at(self) -> float:
        """Give the moment at which `next_backfill` may have something; infinity if only a receipt can change that."""
        if self._heard and self._look and not self._out:
            return 0.0
        moments = [since + self._patience_s for since in self._live.values()]
        if self._out:
            moments.append(self._out_until)
        return min(moments, default=math.inf)
