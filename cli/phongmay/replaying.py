"""Sends dead letters again through the collector's intake: after an upgrade, or after a device was registered.

In: dead letters, the register, the series store. Out: for each letter what became of it. What is stored already changes
nothing, so a letter may be sent again at any time; what is refused again stays as it is, and makes no second letter.
Nothing of a letter teaches a clock: a message of the past is dated by its run's offset, or else as it was received.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Engine

from phongmay_collector.batch import Batcher
from phongmay_collector.directory import Directory
from phongmay_collector.intake import Accepted, Heard, Intake, Lot, Refused, Taken
from phongmay_collector.link import Inbound
from phongmay_contract import SCHEMA_VERSION, topics
from phongmay_contract.errors import ContractError
from phongmay_contract.topics import Kind
from phongmay_store.series.interface import DeadLetter, SeriesWriter


class Replayed(NamedTuple):
    """What became of a letter.

    Attributes:
        stored: envelopes that are in the store now and were not before.
        known: envelopes that were there already.
        refused: reason and detail of what is still refused.
    """

    letter: DeadLetter
    stored: int
    known: int
    refused: str


def replay(letters: Sequence[DeadLetter], series: SeriesWriter, engine: Engine) -> Iterator[Replayed]:
    """Send letters again, one transaction each.

    Raises:
        StoreError: register or store do not answer; what was told before stands.
    """
    directory = Directory(engine)
    directory.load()
    intake, batcher = Intake(directory), Batcher(series)
    for letter in letters:
        topic, payload = _message(letter)
        message = Inbound("", 0, 0, 1, topic, payload, True, letter.received, 0.0, float("inf"))
        outcomes = intake.lot([message]).taken()[0].outcomes
        refused = [one for one in outcomes if isinstance(one, Refused)]
        good = [one for one in outcomes if isinstance(one, Accepted)]
        known = series.known([one.id for one in good])
        if good:
            for one in good:
                one.live = False  # it says nothing about who is there now
            batch = batcher.make([Lot.of([Taken(message, [*good])])])
            series.write(batch.arrivals, batch.presence)
        words = "; ".join(f"{one.reason.value}: {one.detail}" for one in refused)
        if not refused and any(isinstance(one, Heard) for one in outcomes):
            words = "a status of the past says nothing about the present"
        yield Replayed(letter, len(good) - len(known), len(known), words)


def _message(letter: DeadLetter) -> tuple[str, bytes]:
    """Give topic and payload; one envelope out of a backfill is put into a backfill of its own again."""
    try:
        where = topics.parse(letter.topic)
        envelope = json.loads(letter.payload)
    except (ContractError, ValueError, RecursionError):
        return letter.topic, letter.payload
    if where.kind is not Kind.BACKFILL or not isinstance(envelope, dict) or "envelopes" in envelope:
        return letter.topic, letter.payload
    instant = {"wall": letter.received, "mono": 0.0}
    wrapped = {
        "v": SCHEMA_VERSION, "kind": Kind.BACKFILL.value, "sender": where.device, "session": "0" * 16,
        "sent": instant, "envelopes": [envelope],
    }  # fmt: skip
    return letter.topic, json.dumps(wrapped, ensure_ascii=False).encode("utf-8", "surrogatepass")
