"""What is committed together: from messages that were read to one write of the store, and what is said once it stands.

In: messages with their outcomes, in their order. Out: a Batch (rows, presence, dead letters, refusals, conflicts).
Making it asks the store, so it may raise StoreError; then nothing has been remembered, and the same messages are tried
again. Writing it again after a failure is harmless, since the store knows what it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct, field

from phongmay_collector.clocks import PROMPT_S, Clocks
from phongmay_collector.identity import IdentityWatch
from phongmay_collector.intake import Accepted, Heard, Outcome, Refused
from phongmay_collector.link import Inbound
from phongmay_collector.presence import PresenceBook
from phongmay_contract.envelope import LOST, ONLINE, Status
from phongmay_store.series.interface import Arrival, DeadLetter, EnvelopeId, Presence, SeriesWriter


class Taken(NamedTuple):
    """A message and what it says."""

    message: Inbound
    outcomes: list[Outcome]


class Batch(Struct):
    """One transaction, and what follows it.

    Attributes:
        taken: what it was made of; to be acknowledged to the broker.
        arrivals, presence, dead: to be written.
        refused: identities for which the receipt says so, with the reason.
        conflicts: device to sentence, for identities that two machines hold.
    """

    taken: Sequence[Taken]
    arrivals: list[Arrival] = field(default_factory=list)
    presence: list[Presence] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    refused: list[tuple[EnvelopeId, str]] = field(default_factory=list)
    conflicts: dict[str, str] = field(default_factory=dict)


class Batcher:
    """Holds what is remembered from batch to batch: clocks, presence, identities."""

    def __init__(self, series: SeriesWriter) -> None:
        self._series = series
        self._clocks = Clocks(series.offset)
        self._presence = PresenceBook(series.presence())
        self._identities = IdentityWatch()

    def make(self, taken: Sequence[Taken]) -> Batch:
        """Make a batch out of messages.

        Raises:
            StoreError: the store does not answer; try the same messages again later.
        """
        pairs = [(message, outcome) for message, outcomes in taken for outcome in outcomes]
        replayed = self._replayed(pairs)
        self._clocks.load({_run(outcome) for _, outcome in pairs if not isinstance(outcome, Refused)})
        for message, outcome in pairs:
            self._observe(message, outcome)
        self._clocks.settle(self._series.settle)
        # From here on nothing is asked of anybody, so what is remembered and what is in the batch agree.
        batch = Batch(taken)
        for message, outcome in pairs:
            if isinstance(outcome, Accepted):
                self._accept(batch, message, outcome, speaks=outcome.live and id(outcome) not in replayed)
            elif isinstance(outcome, Refused):
                self._refuse(batch, message, outcome)
            else:
                self._hear(batch, message, outcome.status)
        batch.presence = self._presence.take_changes()
        return batch

    def _replayed(self, pairs: Sequence[tuple[Inbound, Outcome]]) -> set[int]:
        """Give the (python) ids of live envelopes that the broker delivers again: they prove no life of their run.

        The store is asked only about devices of which more than one run is heard: the usual batch asks nothing.
        """
        mixed = self._mixed(pairs)
        first: dict[EnvelopeId, int] = {}
        again: set[int] = set()
        if not mixed:
            return again
        for message, outcome in pairs:
            if isinstance(outcome, Accepted) and outcome.live and outcome.envelope.sender in mixed:
                identity = outcome.id
                if message.retained or identity in first:
                    again.add(id(outcome))
                else:
                    first[identity] = id(outcome)
        known = self._series.known(first) if first else set()
        return again | {first[identity] for identity in known}

    def _mixed(self, pairs: Sequence[tuple[Inbound, Outcome]]) -> set[str]:
        """Give the devices of which another run is heard than the newest one that is known."""
        newest = self._identities.newest
        seen: dict[str, str] = {}
        mixed = set()
        for _, outcome in pairs:
            if isinstance(outcome, Accepted):
                if not outcome.live:
                    continue
            elif isinstance(outcome, Refused):
                continue
            device, run = _run(outcome)
            known = newest(device) or seen.setdefault(device, run)
            if known != run:
                mixed.add(device)
        return mixed

    def _observe(self, message: Inbound, outcome: Outcome) -> None:
        """Let prompt live messages teach the offset of their run."""
        if message.retained or message.waited > PROMPT_S:
            return
        if isinstance(outcome, Accepted):
            if outcome.live:
                self._clocks.observe(_run(outcome), outcome.sent_mono, message.received)
        elif isinstance(outcome, Heard) and outcome.status.state != LOST:
            self._clocks.observe(_run(outcome), outcome.status.at.mono, message.received)

    def _refuse(self, batch: Batch, message: Inbound, refused: Refused) -> None:
        reason = refused.reason.value
        batch.dead.append(DeadLetter(0, refused.topic, reason, refused.detail, refused.payload, message.received))
        if refused.id is not None:
            batch.refused.append((refused.id, reason))

    def _hear(self, batch: Batch, message: Inbound, status: Status) -> None:
        at, basis = self._clocks.time_of((status.sender, status.run), status.at, message.received)
        self._presence.status(status, at, basis, retained=message.retained, received=message.received)
        if status.state == ONLINE and not message.retained:
            self._suspect(batch, status.sender, self._identities.born(status.sender, status.run, status.session))

    def _accept(self, batch: Batch, message: Inbound, accepted: Accepted, *, speaks: bool) -> None:
        envelope = accepted.envelope
        sender, run, received = envelope.sender, envelope.run, message.received
        at, basis = self._clocks.time_of((sender, run), envelope.measured, received)
        batch.arrivals.append(Arrival(envelope, at, basis, received, accepted.unknown, accepted.out_of_range))
        if accepted.live:
            self._presence.alive(sender, run, accepted.session, at, envelope.agent)
        if speaks:
            self._suspect(batch, sender, self._identities.spoke(sender, run))

    @staticmethod
    def _suspect(batch: Batch, device: str, sentence: str | None) -> None:
        if sentence is not None:
            batch.conflicts[device] = sentence


def _run(outcome: Heard | Accepted) -> tuple[str, str]:
    said = outcome.status if isinstance(outcome, Heard) else outcome.envelope
    return said.sender, said.run
