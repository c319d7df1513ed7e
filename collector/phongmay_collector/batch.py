"""What is committed together: from messages that were read to one write of the store, and what is said once it stands.

In: messages with their outcomes, in their order. Out: a Batch (rows, presence, dead letters, refusals, conflicts).
Making it asks the store, so it may raise StoreError; then nothing has been remembered, and the same messages are tried
again. Writing it again after a failure is harmless, since the store knows what it has.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

from msgspec import Struct, field

from phongmay_collector.clocks import BELIEVABLE_FUTURE_S, OLDEST_S, PROMPT_S, Clocks
from phongmay_collector.identity import IdentityWatch
from phongmay_collector.intake import Accepted, Heard, Lot, Outcome, Refused
from phongmay_collector.link import Inbound
from phongmay_collector.presence import PresenceBook
from phongmay_collector.reading import Said
from phongmay_contract.envelope import LOST, ONLINE, Status
from phongmay_store.series.arrivals import Arrivals, chained
from phongmay_store.series.interface import Arrival, DeadLetter, EnvelopeId, Presence, SeriesWriter, TimeBasis

_NO_RUN = ("", "")
_LIVE = TimeBasis.LIVE


class Batch(Struct):
    """One transaction, and what follows it.

    Attributes:
        lots: what it was made of; to be acknowledged to the broker.
        arrivals, presence, dead: to be written.
        refused: identities for which the receipt says so, with the reason.
        conflicts: device to sentence, for identities that two machines hold.
    """

    lots: Sequence[Lot]
    arrivals: Arrivals
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

    def make(self, lots: Sequence[Lot]) -> Batch:
        """Make a batch out of messages.

        Raises:
            StoreError: the store does not answer; try the same messages again later.
        """
        return self._plain(lots) or self._whole(lots)

    def date(self, lot: Lot) -> None:
        """Give the envelopes of a lot their times, and let the store prepare them, if all their runs are known.

        For the reading thread, while the values are at hand; what it does not date is dated in `make`.
        """
        if not lot.messages or not lot.is_flawless:
            return
        arrivals = self._dated(lot)
        if arrivals is not None:
            # Nothing in it may hold the lot, which holds it: rings of objects are looked for once a minute only.
            said, times, received = lot.again, arrivals.times, arrivals.received
            lot.dated = self._series.prepare(arrivals, lambda: _arrivals(said(), times, received))
            if lot.dated.ready is not None:
                lot.said = None

    def _dated(self, lot: Lot) -> Arrivals | None:
        """Give flawless envelopes with their true times; None when one is not known from its run's offset."""
        said = lot.columns()
        came = [message.received for message in lot.messages]
        received = [came[owner] for owner in chained([one.owners for one in said])]
        keys = zip(chained([one.senders for one in said]), chained([one.runs for one in said]), strict=True)
        offsets = list(map(self._clocks.offset_of, keys))
        if None in offsets:
            return None
        monos = [instant.mono for instant in chained([one.measured for one in said])]
        times = list(map(operator.add, offsets, monos))
        if not max(received) - OLDEST_S <= min(times) <= max(times) <= min(received) + BELIEVABLE_FUTURE_S:
            return None
        return _arrivals(said, times, received)

    def _plain(self, lots: Sequence[Lot]) -> Batch | None:
        """Make the usual batch column by column: nothing but flawless envelopes, of runs that are known to be current.

        Gives None for any other, and has then changed nothing. It says what `_whole` would say.
        """
        if not all(lot.is_flawless for lot in lots):
            return None
        parts = [lot.dated or self._dated(lot) for lot in lots if lot.messages]
        found = [part for part in parts if part is not None]
        if len(found) < len(parts):
            return None
        arrivals = Arrivals.joined(found)
        seen = self._seen(arrivals, chained([lot.lives for lot in lots]))
        if seen is None or not self._presence.all_alive(seen):
            return None
        return Batch(lots, arrivals, self._presence.take_changes())

    def _seen(self, arrivals: Arrivals, lives: Sequence[bool]) -> dict[str, float] | None:
        """Give the last sign of life of each device; None when a run speaks that is not known to be its newest."""
        newest_of, seen, times = self._identities.newest, dict[str, float](), arrivals.times
        all_live = all(lives)
        for (sender, run), places in arrivals.places.items():
            signs = [times[place] for place in places if all_live or lives[place]]
            if not signs:
                continue
            if newest_of(sender) != run:
                return None
            seen[sender] = max(signs)
        return seen

    def _whole(self, lots: Sequence[Lot]) -> Batch:
        taken = [one for lot in lots for one in lot.taken()]
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
        batch, arrivals = Batch(lots, Arrivals.of(())), list[Arrival]()
        for message, outcome, key in pairs:
            if isinstance(outcome, Accepted):
                speaks = outcome.live and id(outcome) not in replayed
                arrivals.append(self._accept(batch, message, outcome, key, speaks=speaks))
            elif isinstance(outcome, Refused):
                self._refuse(batch, message, outcome)
            else:
                self._hear(batch, message, outcome.status)
        batch.arrivals = Arrivals.of(arrivals)
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
    ) -> Arrival:
        envelope, received = accepted.envelope, message.received
        sender, run = key
        at, basis = self._clocks.time_of(key, envelope.measured, received)
        if accepted.live:
            self._presence.alive(sender, run, accepted.session, at, envelope.agent)
        if speaks:
            self._suspect(batch, sender, self._identities.spoke(sender, run))
        return Arrival(envelope, at, basis, received, accepted.unknown, accepted.out_of_range)

    @staticmethod
    def _suspect(batch: Batch, device: str, sentence: str | None) -> None:
        if sentence is not None:
            batch.conflicts[device] = sentence


def _arrivals(said: Sequence[Said], times: Sequence[float], received: Sequence[float]) -> Arrivals:
    """Put columns together; the places of their runs are found when lots become a batch."""
    return Arrivals(
        chained([one.kinds for one in said]),
        chained([one.senders for one in said]),
        chained([one.runs for one in said]),
        chained([one.seqs for one in said]),
        chained([one.measured for one in said]),
        chained([one.agents for one in said]),
        chained([one.bodies for one in said]),
        times,
        [_LIVE] * len(times),
        received,
        {},
    )
