"""What is committed together: from messages that were read to one write of the store, and what is said once it stands.

In: messages with their outcomes, in their order. Out: a Batch (rows, presence, dead letters, refusals, conflicts).
Making it asks the store, so it may raise StoreError; then nothing has been remembered, and the same messages are tried
again. Writing it again after a failure is harmless, since the store knows what it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct, field

from phongmay_collector.clocks import BELIEVABLE_FUTURE_S, OLDEST_S, PROMPT_S, Clocks
from phongmay_collector.identity import IdentityWatch
from phongmay_collector.intake import Accepted, Heard, Outcome, Refused
from phongmay_collector.link import Inbound
from phongmay_collector.presence import PresenceBook
from phongmay_contract.envelope import LOST, ONLINE, Status
from phongmay_store.series.interface import Arrival, DeadLetter, EnvelopeId, Presence, SeriesWriter, TimeBasis

_NO_RUN = ("", "")
_LIVE = TimeBasis.LIVE
_tuple = tuple.__new__


class Taken(NamedTuple):
    """A message and what it says."""

    message: Inbound
    outcomes: list[Outcome]


class Batch(Struct):
    """One transaction, and what follows it.

    Attributes:
        taken: what it was made of; to be acknowledged to the broker.
        arrivals, presence, dead: to be written.
        odd: those of the arrivals that had unknown names or impossible values.
        refused: identities for which the receipt says so, with the reason.
        conflicts: device to sentence, for identities that two machines hold.
    """

    taken: Sequence[Taken]
    arrivals: list[Arrival] = field(default_factory=list)
    presence: list[Presence] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    odd: list[Arrival] = field(default_factory=list)
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
        return self._plain(taken) or self._whole(taken)

    def _plain(self, taken: Sequence[Taken]) -> Batch | None:
        """Make the usual batch in one go: nothing but envelopes without a fault, of runs that are known to be current.

        Gives None for any other, and has then changed nothing. It says what `_whole` would say.
        """
        batch = Batch(taken)
        add, offset_of, newest_of = batch.arrivals.append, self._clocks.offset_of, self._identities.newest
        seen: dict[str, float] = {}
        last = seen.get
        for message, outcomes in taken:
            received = message.received
            oldest, latest = received - OLDEST_S, received + BELIEVABLE_FUTURE_S
            for outcome in outcomes:
                if type(outcome) is not Accepted or outcome.unknown or outcome.out_of_range:
                    return None
                envelope = outcome.envelope
                _, sender, run, _, (_, mono), _, _ = envelope
                offset = offset_of((sender, run))
                if offset is None:
                    return None
                at = offset + mono
                if not oldest <= at <= latest:
                    return None
                if outcome.live:
                    if newest_of(sender) != run:
                        return None
                    if at > last(sender, 0.0):
                        seen[sender] = at
                add(_tuple(Arrival, (envelope, at, _LIVE, received, (), ())))
        if not self._presence.all_alive(seen):
            return None
        batch.presence = self._presence.take_changes()
        return batch

    def _whole(self, taken: Sequence[Taken]) -> Batch:
        newest = self._identities.newest
        pairs: list[tuple[Inbound, Outcome, tuple[str, str]]] = []
        runs: set[tuple[str, str]] = set()
        first_run: dict[str, str] = {}
        mixed: set[str] = set()
        for message, outcomes in taken:
            for outcome in outcomes:
                if isinstance(outcome, Accepted):
                    key = outcome.envelope[1:3]
                    speaks = outcome.live
                elif isinstance(outcome, Refused):
                    pairs.append((message, outcome, _NO_RUN))
                    continue
                else:
                    key = outcome.status.sender, outcome.status.run
                    speaks = True
                pairs.append((message, outcome, key))
                runs.add(key)
                if speaks and (newest(key[0]) or first_run.setdefault(*key)) != key[1]:
                    mixed.add(key[0])
        replayed = self._replayed(pairs, mixed) if mixed else set()
        self._clocks.load(runs)
        if not self._clocks.know(runs):
            for message, outcome, key in pairs:
                self._observe(message, outcome, key)
            self._clocks.settle(self._series.settle)
        # From here on nothing is asked of anybody, so what is remembered and what is in the batch agree.
        batch = Batch(taken)
        for message, outcome, key in pairs:
            if isinstance(outcome, Accepted):
                self._accept(batch, message, outcome, key, speaks=outcome.live and id(outcome) not in replayed)
            elif isinstance(outcome, Refused):
                self._refuse(batch, message, outcome)
            else:
                self._hear(batch, message, outcome.status)
        batch.presence = self._presence.take_changes()
        return batch

    def _replayed(self, pairs: Sequence[tuple[Inbound, Outcome, tuple[str, str]]], mixed: set[str]) -> set[int]:
        """Give the (python) ids of live envelopes that the broker delivers again: they prove no life of their run.

        Args:
            pairs: messages and outcomes.
            mixed: devices of which another run is heard than the newest that is known; only of these the store is
                asked, so the usual batch asks nothing.
        """
        first: dict[EnvelopeId, int] = {}
        again: set[int] = set()
        for message, outcome, key in pairs:
            if isinstance(outcome, Accepted) and outcome.live and key[0] in mixed:
                identity = outcome.id
                if message.retained or identity in first:
                    again.add(id(outcome))
                else:
                    first[identity] = id(outcome)
        known = self._series.known(first) if first else set()
        return again | {first[identity] for identity in known}

    def _observe(self, message: Inbound, outcome: Outcome, key: tuple[str, str]) -> None:
        """Let prompt live messages teach the offset of their run."""
        if message.retained or message.waited > PROMPT_S:
            return
        if isinstance(outcome, Accepted):
            if outcome.live:
                self._clocks.observe(key, outcome.sent_mono, message.received)
        elif isinstance(outcome, Heard) and outcome.status.state != LOST:
            self._clocks.observe(key, outcome.status.at.mono, message.received)

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

    def _accept(
        self, batch: Batch, message: Inbound, accepted: Accepted, key: tuple[str, str], *, speaks: bool
    ) -> None:
        envelope, received = accepted.envelope, message.received
        sender, run = key
        at, basis = self._clocks.time_of(key, envelope.measured, received)
        arrival = Arrival(envelope, at, basis, received, accepted.unknown, accepted.out_of_range)
        batch.arrivals.append(arrival)
        if accepted.unknown or accepted.out_of_range:
            batch.odd.append(arrival)
        if accepted.live:
            self._presence.alive(sender, run, accepted.session, at, envelope.agent)
        if speaks:
            self._suspect(batch, sender, self._identities.spoke(sender, run))

    @staticmethod
    def _suspect(batch: Batch, device: str, sentence: str | None) -> None:
        if sentence is not None:
            batch.conflicts[device] = sentence
