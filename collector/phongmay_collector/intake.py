"""From MQTT messages to what they say: statuses, envelopes to store, refusals.

In: messages, as many as came. Out: a Lot, which has their envelopes column by column when all of them are flawless, or
for each message a list of Heard, Accepted and Refused in its order. `read` is the long way, which decides; `Intake`
takes the short way (`reading`) for whatever is flawless, and the long way for everything else.
A message can only be refused, never crash the collector: also one that trips a fault of ours becomes a dead letter.
StoreError passes through when the register is away.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from phongmay_collector.directory import Directory
from phongmay_collector.link import Inbound
from phongmay_collector.log import event
from phongmay_collector.reading import Accepted, Reader, Said
from phongmay_contract import topics
from phongmay_contract.checking import Checked, check
from phongmay_contract.envelope import (
    MAX_SEQ,
    Envelope,
    Status,
    Transit,
    decode_status,
    load,
    read_backfill,
    read_envelope,
    read_transit,
)
from phongmay_contract.errors import ContractError, Reason
from phongmay_contract.topics import DOWN_KINDS, ENVELOPE_KINDS, Kind, Topic
from phongmay_store.errors import StoreError
from phongmay_store.series.arrivals import Arrivals
from phongmay_store.series.interface import EnvelopeId

_MOST_TOPICS = 1_000_000
_BACKFILL = Kind.BACKFILL


class Heard(Struct, frozen=True):
    """A birth, goodbye or last will."""

    status: Status


class Refused(Struct, frozen=True):
    """A message, or one envelope of a backfill, that becomes a dead letter.

    Attributes:
        id: identity, where it could be read and belongs to the topic's device: then the receipt names it, so that the
            spool stops sending it.
    """

    topic: str
    reason: Reason
    detail: str
    payload: bytes
    id: EnvelopeId | None = None


Outcome = Heard | Accepted | Refused
__all__ = ["Accepted", "Heard", "Intake", "Lot", "Outcome", "Refused", "Taken", "read"]


class Taken(NamedTuple):
    """A message and what it says."""

    message: Inbound
    outcomes: list[Outcome]


class Lot(Struct):
    """Messages that were read together.

    Attributes:
        envelopes: how many they hold; a message that is none counts as one.
        said: the envelopes, when all messages are flawless ones of envelopes; None when they were let go (`dated`).
        others: when some are not, what each message says.
        dated: the envelopes with their times, ready for the store, as far as the batcher knew them.
        lives: of each envelope of a flawless lot, whether it was sent when it was measured.
        again: reads the envelopes once more.
    """

    messages: Sequence[Inbound]
    envelopes: int
    said: Sequence[Said] | None
    others: Sequence[Taken]
    lives: Sequence[bool]
    again: Callable[[], Sequence[Said]]
    dated: Arrivals | None = None

    @classmethod
    def of(cls, taken: Sequence[Taken]) -> Lot:
        """Give messages of which each was read by itself."""
        return cls([one.message for one in taken], sum(len(one.outcomes) for one in taken), (), taken, (), tuple)

    @property
    def is_flawless(self) -> bool:
        """Whether all messages are flawless ones of envelopes."""
        return not self.others

    def columns(self) -> Sequence[Said]:
        """Give the envelopes of a flawless lot."""
        return self.again() if self.said is None else self.said

    def taken(self) -> Sequence[Taken]:
        """Give what each message says."""
        if self.others:
            return self.others
        outcomes: list[list[Outcome]] = [[] for _ in self.messages]
        for said in self.columns():
            for owner, one in said.accepted():
                outcomes[owner].append(one)
        return list(map(Taken, self.messages, outcomes))


class Intake:
    """Reads messages, the flawless ones fast.

    Args:
        directory: which devices there are.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._reader = Reader()
        self._topics: dict[str, Topic] = {}
        self._as_of = directory.loads

    def lot(self, messages: Sequence[Inbound]) -> Lot:
        """Read messages.

        Raises:
            StoreError: the register does not answer, so nothing can be said about the messages now.
        """
        wheres = self._of_known_devices(messages)
        said = None if wheres is None else self._said(messages, wheres)
        if said is not None:
            return self._flawless(messages, said)
        return Lot.of(list(map(self._singly, messages)))

    def _flawless(self, messages: Sequence[Inbound], said: Sequence[Said]) -> Lot:
        def again() -> Sequence[Said]:
            found = self._said(messages, [topics.parse(message.topic) for message in messages])
            if found is None:
                raise AssertionError("the same bytes were read otherwise before")
            return found

        lives = said[0].lives if len(said) == 1 else [live for one in said for live in one.lives]
        return Lot(messages, len(lives), said, (), lives, again)

    def _of_known_devices(self, messages: Sequence[Inbound]) -> list[Topic] | None:
        """Give the topics; None unless all are of an envelope or a backfill and of devices of the register."""
        if self._as_of != self._directory.loads or len(self._topics) >= _MOST_TOPICS:
            self._topics.clear()
            self._as_of = self._directory.loads
        known = self._topics
        try:
            return [known[message.topic] for message in messages]
        except KeyError:
            pass
        found = []
        for message in messages:
            where = known.get(message.topic) or self._parse(message.topic)
            if where is None:
                return None
            known[message.topic] = where
            found.append(where)
        return found

    def _parse(self, topic: str) -> Topic | None:
        """Parse the topic of an envelope or backfill of a device of the register; all others go the long way."""
        try:
            where = topics.parse(topic)
        except ContractError:
            return None
        if where.kind not in ENVELOPE_KINDS and where.kind is not Kind.BACKFILL:
            return None
        return where if self._directory.find(where.device) is not None else None

    def _singly(self, message: Inbound) -> Taken:
        wheres = self._of_known_devices([message])
        said = None if wheres is None else self._said([message], wheres)
        if said is not None:
            return self._flawless([message], said).taken()[0]
        return Taken(message, self._carefully(message))

    def _said(self, messages: Sequence[Inbound], wheres: Sequence[Topic]) -> list[Said] | None:
        """Read messages of envelopes of known devices; None when one of them is not flawless."""
        payloads = [message.payload for message in messages]
        devices, kinds = [device for device, _ in wheres], [kind for _, kind in wheres]
        past = [place for place, kind in enumerate(kinds) if kind is _BACKFILL]
        owners: Sequence[int] = range(len(messages))
        found: list[Said | None] = [self._reader.past(payloads[place], devices[place], place) for place in past]
        if past:
            owners = sorted(set(owners).difference(past))
            payloads, devices = [payloads[place] for place in owners], [devices[place] for place in owners]
            kinds = [kinds[place] for place in owners]
        if payloads:
            found.insert(0, self._reader.live(payloads, devices, kinds, owners))
        said = [one for one in found if one is not None]
        return said if len(said) == len(found) else None

    def _carefully(self, message: Inbound) -> list[Outcome]:
        try:
            return read(message.topic, message.payload, self._directory)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours must not stop all others: the message is kept
            topic, detail = message.topic, f"a fault of the collector: {error!r}"[:300]
            event("reader_failed", level=logging.ERROR, topic=topic, error=repr(error)[:200])
            return [Refused(topic, Reason.READER_FAILED, detail, message.payload)]


def read(topic: str, payload: bytes, directory: Directory) -> list[Outcome]:
    """Read one message by the contract's own reader: the reference.

    Raises:
        StoreError: the register does not answer, so nothing can be said about the message now.
    """
    message: Mapping[str, Any] = {}
    try:
        where = topics.parse(topic)
        if where.kind in DOWN_KINDS:
            raise ContractError(Reason.BAD_TOPIC, f"{where.kind} is published by the server, not by devices")
        message = load(payload)
        if directory.find(where.device) is None:
            raise ContractError(Reason.UNKNOWN_DEVICE, f"the register has no device {where.device!r}")
        if where.kind is Kind.STATUS:
            status = decode_status(payload)
            _same_sender(status.sender, where)
            return [Heard(status)]
        if where.kind is Kind.BACKFILL:
            sender, transit, raws = read_backfill(message)
            _same_sender(sender, where)
            return [_past(raw, transit, topic, where, directory) for raw in raws]
        checked = _check(message, where, directory)
        if checked.envelope.kind is not where.kind:
            raise ContractError(Reason.BAD_VALUE, f"kind {checked.envelope.kind} came under the topic of {where.kind}")
        return [_accept(checked, read_transit(message), live=True)]
    except ContractError as error:
        return [_refusal(topic, message, payload, error)]


def _accept(checked: Checked, transit: Transit, *, live: bool) -> Accepted:
    return Accepted(
        checked.envelope, transit.session, transit.sent.mono, live, checked.unknown, checked.out_of_range
    )  # fmt: skip


def _past(raw: Mapping[str, Any], transit: Transit, topic: str, where: Topic, directory: Directory) -> Outcome:
    try:
        return _accept(_check(raw, where, directory), transit, live=False)
    except ContractError as error:
        return _refusal(topic, raw, json.dumps(raw, ensure_ascii=False).encode(), error)


def _check(message: Mapping[str, Any], where: Topic, directory: Directory) -> Checked:
    envelope: Envelope = read_envelope(message)
    _same_sender(envelope.sender, where)
    for group in envelope.body:
        if not directory.may_speak_for(envelope.sender, group.subject):
            raise ContractError(
                Reason.FOREIGN_SUBJECT, f"{envelope.sender} is no gateway of the school of {group.subject!r}"
            )
    return check(envelope)


def _same_sender(sender: str, where: Topic) -> None:
    if sender != where.device:
        raise ContractError(Reason.WRONG_SENDER, f"sender {sender!r} came under the topic of {where.device!r}")


def _refusal(topic: str, message: Mapping[str, Any], payload: bytes, error: ContractError) -> Refused:
    return Refused(topic, error.reason, error.detail, payload, _identity(topic, message, error))


def _identity(topic: str, message: Mapping[str, Any], error: ContractError) -> EnvelopeId | None:
    """Read as much identity as a receipt needs; whoever sent a message with a wrong sender is unknown and gets none."""
    run, seq = message.get("run"), message.get("seq")
    if error.reason is Reason.WRONG_SENDER or message.get("kind") == Kind.STATUS.value:
        return None
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq <= MAX_SEQ:
        return None
    if not isinstance(run, str) or not 8 <= len(run) <= 64 or run.strip("0123456789abcdef"):
        return None
    try:
        device = topics.parse(topic).device
    except ContractError:
        return None
    return EnvelopeId(device, run, seq) if message.get("sender", device) == device else None
