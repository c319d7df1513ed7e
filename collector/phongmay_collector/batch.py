"""What is committed together: from inbound messages to one write of the store, and what is said once it stands.

In: inbound messages in their order. Out: a Batch (rows, offsets, presence, dead letters, receipts, conflicts). Making
it asks the store and the register, so it may raise StoreError; then nothing has been remembered, and the same messages
are tried again. Writing it again after a failure is harmless, since the store knows what it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phongmay_collector import intake
from phongmay_collector.clocks import PROMPT_S, Clocks
from phongmay_collector.directory import Directory
from phongmay_collector.identity import IdentityWatch
from phongmay_collector.intake import Accepted, Heard, Refused
from phongmay_collector.link import Inbound
from phongmay_collector.presence import PresenceBook
from phongmay_contract.envelope import LOST, ONLINE, Status
from phongmay_store.series.interface import (
    Arrival,
    DeadLetter,
    EnvelopeId,
    Presence,
    RunOffset,
    SeriesWriter,
)


@dataclass(slots=True)
class Batch:
    """One transaction, and what follows it.

    Attributes:
        messages: to be acknowledged to the broker.
        arrivals, offsets, presence, dead: to be written.
        refused: identities for which the receipt says so, with the reason.
        conflicts: device to sentence, for identities that two machines hold.
    """

    messages: Sequence[Inbound]
    arrivals: list[Arrival] = field(default_factory=list)
    offsets: list[RunOffset] = field(default_factory=list)
    presence: list[Presence] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    refused: list[tuple[EnvelopeId, str]] = field(default_factory=list)
    conflicts: dict[str, str] = field(default_factory=dict)


class Batcher:
    """Holds what is remembered from batch to batch: clocks, presence, identities."""

    def __init__(self, series: SeriesWriter, directory: Directory) -> None:
        self._series = series
        self._directory = directory
        self._clocks = Clocks(series.offset)
        self._presence = PresenceBook(series.presence())
        self._identities = IdentityWatch()

    def make(self, messages: Sequence[Inbound]) -> Batch:
        """Make a batch out of messages.

        Raises:
            StoreError: store or register do not answer; try the same messages again later.
        """
        read = [(message, intake.read(message.topic, message.payload, self._directory)) for message in messages]
        pairs = [(message, outcome) for message, outcomes in read for outcome in outcomes]
        replayed = self._replayed(pairs)
        self._clocks.load({_run(outcome) for _, outcome in pairs if not isinstance(outcome, Refused)})
        # From here on nothing is asked of anybody, so what is remembered and what is in the batch agree.
        for message, outcome in pairs:
            self._observe(message, outcome)
        batch = Batch(messages, offsets=self._clocks.settle())
        for message, outcome in pairs:
            if isinstance(outcome, Refused):
                self._refuse(batch, message, outcome)
            elif isinstance(outcome, Heard):
                self._hear(batch, message, outcome.status)
            else:
                self._accept(batch, message, outcome, speaks=outcome.live and id(outcome) not in replayed)
        batch.presence = self._presence.take_changes()
        return batch

    def _replayed(self, pairs: Sequence[tuple[Inbound, intake.Outcome]]) -> set[int]:
        """Give the (python) ids of live envelopes that the broker delivers again: they prove no life of their run.

        The store is asked only about devices of which more than one run is heard: the usual batch asks nothing.
        """
        runs: dict[str, set[str]] = {}
        for _, outcome in pairs:
            if isinstance(outcome, Heard) or (isinstance(outcome, Accepted) and outcome.live):
                device, run = _run(outcome)
                runs.setdefault(device, set(self._identities.newest(device))).add(run)
        first: dict[EnvelopeId, int] = {}
        again: set[int] = set()
        for message, outcome in pairs:
            if isinstance(outcome, Accepted) and outcome.live and len(runs[outcome.checked.envelope.sender]) > 1:
                envelope = outcome.checked.envelope
                identity = EnvelopeId(envelope.sender, envelope.run, envelope.seq)
                if message.retained or identity in first:
                    again.add(id(outcome))
                else:
                    first[identity] = id(outcome)
        known = self._series.known(first) if first else set()
        return again | {first[identity] for identity in known}

    def _observe(self, message: Inbound, outcome: intake.Outcome) -> None:
        """Let prompt live messages teach the offset of their run."""
        if message.retained or message.waited > PROMPT_S:
            return
        if isinstance(outcome, Heard) and outcome.status.state != LOST:
            status = outcome.status
            self._clocks.observe(status.sender, status.run, status.at, message.received)
        elif isinstance(outcome, Accepted) and outcome.live:
            envelope = outcome.checked.envelope
            self._clocks.observe(envelope.sender, envelope.run, outcome.transit.sent, message.received)

    def _refuse(self, batch: Batch, message: Inbound, refused: Refused) -> None:
        reason = refused.reason.value
        batch.dead.append(DeadLetter(0, refused.topic, reason, refused.detail, refused.payload, message.received))
        if refused.id is not None:
            batch.refused.append((refused.id, reason))

    def _hear(self, batch: Batch, message: Inbound, status: Status) -> None:
        at, basis = self._clocks.time_of(status.sender, status.run, status.at, message.received)
        self._presence.status(status, at, basis, retained=message.retained, received=message.received)
        if status.state == ONLINE and not message.retained:
            self._suspect(batch, status.sender, self._identities.born(status.sender, status.run, status.session))

    def _accept(self, batch: Batch, message: Inbound, accepted: Accepted, *, speaks: bool) -> None:
        checked = accepted.checked
        envelope = checked.envelope
        at, basis = self._clocks.time_of(envelope.sender, envelope.run, envelope.measured, message.received)
        batch.arrivals.append(Arrival(envelope, at, basis, message.received, checked.unknown, checked.out_of_range))
        if accepted.live:
            self._presence.alive(envelope.sender, envelope.run, accepted.transit.session, at, envelope.agent)
        if speaks:
            self._suspect(batch, envelope.sender, self._identities.spoke(envelope.sender, envelope.run))

    @staticmethod
    def _suspect(batch: Batch, device: str, sentence: str | None) -> None:
        if sentence is not None:
            batch.conflicts[device] = sentence


def _run(outcome: Heard | Accepted) -> tuple[str, str]:
    said = outcome.status if isinstance(outcome, Heard) else outcome.checked.envelope
    return said.sender, said.run
