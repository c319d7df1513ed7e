"""The short way from bytes to checked envelopes: decoded and checked by one compiled schema, made from the catalogue.

In: the payloads of live and backfill messages that were parsed to come from known devices. Out: their envelopes, column
by column, which need no further check - or None when one of them is not flawless. It never refuses and never repairs:
whatever has an unknown key or name, a value out of range, a wrong type, a duplicate that matters, or is no JSON at all
goes the long way (the contract's own reader, `intake`), which alone decides what is refused and why. A property test
holds the two together.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta, Struct

from phongmay_contract import SCHEMA_VERSION
from phongmay_contract.catalogue import MAX_PARTS, MAX_TEXT, MEASUREMENTS, Measurement, PartKind, Quantity, Type
from phongmay_contract.envelope import MAX_BACKFILL, MAX_MESSAGE_BYTES, MAX_SEQ, Envelope, Instant
from phongmay_contract.topics import ENVELOPE_KINDS, Kind
from phongmay_store.series.arrivals import Measured, Moment, plain
from phongmay_store.series.interface import EnvelopeId

_TOKEN = re.compile(r"[0-9a-f]{8,64}")
_SUBJECT = operator.attrgetter("subject")
_NUL = b"\\u0000"
"""How JSON writes the one character that no text may hold."""
_KINDS = {kind.value: kind for kind in ENVELOPE_KINDS}
_Moment = Annotated[float, Meta(gt=-1e11, lt=1e11)]
_Version = Annotated[str, Meta(max_length=40)]


class _Instant(Struct, forbid_unknown_fields=True, gc=False):
    wall: _Moment
    mono: _Moment


def _type_of(quantity: Quantity) -> Any:
    if quantity.type is Type.BOOL:
        return bool
    if quantity.type is Type.TEXT:
        return Annotated[str, Meta(max_length=MAX_TEXT)]
    number = int if quantity.type is Type.INT else float
    low, high = (None if bound is None else number(bound) for bound in (quantity.low, quantity.high))
    return Annotated[number, Meta(ge=low, le=high)]


def _group_of(measurement: Measurement) -> type[Struct]:
    """Give the type of one group: its values typed and bounded by the catalogue, its name as tag."""
    cells: list[Any] = []
    for quantity in measurement.quantities:
        kind = _type_of(quantity)
        cells.append((quantity.name, kind) if quantity.required else (quantity.name, kind, None))  # null is refused
    values = msgspec.defstruct(f"{measurement.name}_values", cells, kw_only=True, forbid_unknown_fields=True, gc=False)
    part: Any = ("part", Annotated[str, Meta(min_length=1, max_length=64)])
    if measurement.part_kind is PartKind.NONE:
        part = ("part", Literal[""], "")
    return msgspec.defstruct(
        f"{measurement.name}_group",
        [("values", values), ("subject", str, ""), part],
        namespace={"measurement": measurement.name},
        tag_field="measurement",
        tag=measurement.name,
        kw_only=True,
        forbid_unknown_fields=True,
        gc=False,
    )


_GROUPS = [_group_of(measurement) for measurement in MEASUREMENTS.values()]
if TYPE_CHECKING:
    _Body = list[Measured]
else:
    _Body = list[functools.reduce(operator.or_, _GROUPS)]


class _Envelope(Struct, forbid_unknown_fields=True, gc=False):
    v: Literal[SCHEMA_VERSION]  # type: ignore[valid-type] # a constant of another module
    kind: Literal["round", "inventory", "event", "campaign"]
    sender: str
    run: str
    seq: Annotated[int, Meta(ge=0, le=MAX_SEQ)]
    measured: _Instant
    agent: _Version
    body: _Body


class _Live(_Envelope, forbid_unknown_fields=True, gc=False):
    session: str
    sent: _Instant


class _Past(Struct, forbid_unknown_fields=True):
    v: Literal[SCHEMA_VERSION]  # type: ignore[valid-type] # as above
    kind: Literal["backfill"]
    sender: str
    session: str
    sent: _Instant
    envelopes: Annotated[list[_Envelope], Meta(min_length=1, max_length=MAX_BACKFILL)]


_LIVE, _PAST = msgspec.json.Decoder(_Live).decode, msgspec.json.Decoder(_Past).decode


class Accepted(Struct, gc=False):
    """An envelope that may be stored.

    Attributes:
        envelope: with known quantities in range only.
        session: MQTT session in which it was sent.
        sent_mono: moment of sending on the sender's monotonic clock.
        live: sent when it was measured; otherwise out of a backfill.
        unknown: names that the catalogue does not have.
        out_of_range: names of values that were left out because they are physically impossible.
    """

    envelope: Envelope
    session: str
    sent_mono: float
    live: bool
    unknown: tuple[str, ...] = ()
    out_of_range: tuple[str, ...] = ()

    @property
    def id(self) -> EnvelopeId:
        """Identity: seen again, nothing happens."""
        return EnvelopeId(*self.envelope[1:4])


class Said(Struct):
    """Flawless envelopes; the n-th of every column is the n-th envelope.

    Attributes:
        owners: the places of the messages that they came in.
        lives: whether it was sent when it was measured; otherwise out of a backfill.
        raws: as they were decoded, for what is rarely asked.
        past: the backfill that brought all of them, if one did.
    """

    owners: Sequence[int]
    lives: Sequence[bool]
    kinds: Sequence[Kind]
    senders: Sequence[str]
    runs: Sequence[str]
    seqs: Sequence[int]
    measured: Sequence[Moment]
    bodies: Sequence[Sequence[Measured]]
    raws: Sequence[_Envelope]
    past: _Past | None

    @property
    def agents(self) -> Sequence[str]:
        """Versions of the agents."""
        return [raw.agent for raw in self.raws]

    def accepted(self) -> Iterator[tuple[int, Accepted]]:
        """Give them one by one, each with the place of its message."""
        for place, (owner, raw) in enumerate(zip(self.owners, self.raws, strict=True)):
            envelope = Envelope(
                self.kinds[place],
                self.senders[place],
                self.runs[place],
                raw.seq,
                Instant(raw.measured.wall, raw.measured.mono),
                raw.agent,
                tuple(map(plain, raw.body)),
            )
            message = self.past or cast(_Live, raw)
            yield owner, Accepted(envelope, message.session, message.sent.mono, self.lives[place])


class Reader:
    """Reads messages; remembers which tokens it has seen to be well formed."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}

    def live(
        self, payloads: Sequence[bytes], devices: Sequence[str], kinds: Sequence[Kind], owners: Sequence[int]
    ) -> Said | None:
        """Read live messages.

        Args:
            payloads: of messages.
            devices: known ones, under whose topics they came.
            kinds: of the topics.
            owners: their places among all messages.
        """
        if max(map(len, payloads)) > MAX_MESSAGE_BYTES or _has_nul(b"".join(payloads)):
            return None
        try:
            raws = list(map(_LIVE, payloads))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        if [raw.kind for raw in raws] != kinds or self._known([raw.session for raw in raws]) is None:
            return None
        return self._said(raws, devices, kinds, owners, None)

    def past(self, payload: bytes, device: str, owner: int) -> Said | None:
        """Read a backfill that came under a device's topic."""
        if len(payload) > MAX_MESSAGE_BYTES or _has_nul(payload):
            return None
        try:
            message = _PAST(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        if message.sender != device or self._known([message.session]) is None:
            return None
        raws = message.envelopes
        kinds, count = [_KINDS[raw.kind] for raw in raws], len(raws)
        return self._said(raws, [device] * count, kinds, [owner] * count, message)

    def _said(
        self,
        raws: Sequence[_Envelope],
        devices: Sequence[str],
        kinds: Sequence[Kind],
        owners: Sequence[int],
        past: _Past | None,
    ) -> Said | None:
        """Look at what the schema cannot: senders, tokens, and who speaks for whom."""
        runs, bodies = self._known([raw.run for raw in raws]), [raw.body for raw in raws]
        if runs is None or [raw.sender for raw in raws] != devices:
            return None
        if max(map(len, bodies)) > MAX_PARTS:  # perhaps too many parts of one measurement
            return None
        if any(map(_SUBJECT, chain.from_iterable(bodies))) and any(
            group.subject not in ("", device) for device, body in zip(devices, bodies, strict=True) for group in body
        ):
            return None  # who may speak for whom is a question to the register
        seqs, measured = [raw.seq for raw in raws], [raw.measured for raw in raws]
        return Said(owners, [past is None] * len(raws), kinds, devices, runs, seqs, measured, bodies, raws, past)

    def _known(self, tokens: Sequence[str]) -> list[str] | None:
        """Give the one copy of each token; None when one is not well formed."""
        known = self._tokens
        try:
            return [known[token] for token in tokens]
        except KeyError:
            pass
        if len(known) > _MOST_TOKENS:
            known.clear()
        for token in tokens:
            if token not in known:
                if not _TOKEN.fullmatch(token):
                    return None
                known[token] = token
        return [known.get(token, token) for token in tokens]  # the other thread may have begun anew meanwhile


def _has_nul(payload: bytes) -> bool:
    return b"\\" in payload and _NUL in payload  # looking for one byte is far quicker than for six


_MOST_TOKENS = 400_000
"""Well-formed runs and sessions that are remembered: two of each device of a city."""
