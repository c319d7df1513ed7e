"""The one kind of message that ingest is measured with: an envelope with one point of 12 fields, as the contract has it.

In: a device, its run and a sequence number. Out: the payload that a device sends, and the group of values in it. Values
differ from point to point, so that no store can fold them.
"""

from __future__ import annotations

import random
import time

from phongmay_contract.envelope import Envelope, Group, Instant, Transit, encode_live
from phongmay_contract.topics import Kind

FIELDS = 12
_CHANCE = random.Random(4)
_STARTED = time.time() - 10_000.0


def instant(ago: float = 0.0) -> Instant:
    """Give a moment on the clocks of all measured devices."""
    now = time.time() - ago
    return Instant(now, now - _STARTED)


def group() -> Group:
    """Give one point of 12 fields: two texts and ten numbers."""
    chance = _CHANCE.random
    values: dict[str, str | float | int] = {
        "campaign_run": "run-2026-11-28",
        "outcome": "ok",
        "clock_offset_s": round(chance() - 0.5, 6),
        "clock_rtt_s": round(chance() / 50, 6),
        "start_error_s": round(chance() / 100, 6),
        "down_bps": round(chance() * 1e8, 1),
        "up_bps": round(chance() * 1e8, 1),
        "idle_rtt_p50_s": round(chance() / 50, 6),
        "idle_rtt_p95_s": round(chance() / 20, 6),
        "loaded_rtt_p50_s": round(chance() / 10, 6),
        "interface_received_bytes": _CHANCE.randrange(10**9),
        "interface_sent_bytes": _CHANCE.randrange(10**9),
    }
    return Group("campaign", values)


def message(device: str, run: str, session: str, seq: int, *, measured_ago: float = 0.0) -> bytes:
    """Give the payload of one live envelope with one point."""
    envelope = Envelope(Kind.ROUND, device, run, seq, instant(measured_ago), "bench", (group(),))
    return encode_live(envelope, Transit(session, instant()))
