"""The short way from bytes to a checked envelope: decoded and checked by one compiled schema, made from the catalogue.

In: the payload of a live or backfill message that was parsed to come from a known device. Out: envelopes that need no
further check - or None for everything that is not flawless. It never refuses and never repairs: whatever has an unknown
key or name, a value out of range, a wrong type, a duplicate that matters, or is no JSON at all goes the long way (the
contract's own reader, `intake`), which alone decides what is refused and why. A property test holds the two together.
"""

from __future__ import annotations

import functools
import operator
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from phongmay_contract import SCHEMA_VERSION
from phongmay_contract.catalogue import MAX_PARTS, MAX_TEXT, MEASUREMENTS, Measurement, PartKind, Quantity, Type
from phongmay_contract.envelope import MAX_BACKFILL, MAX_MESSAGE_BYTES, MAX_SEQ, Envelope, Group, Instant
from phongmay_contract.topics import ENVELOPE_KINDS, Kind
from phongmay_store.series.interface import EnvelopeId

_TOKEN = re.compile(r"[0-9a-f]{8,64}")
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
        cells.append((quantity.name, kind) if quantity.required else (quantity.name, kind | UnsetType, UNSET))
    values = msgspec.defstruct(f"{measurement.name}_values", cells, kw_only=True, forbid_unknown_fields=True, gc=False)
    part: Any = ("part", Annotated[str, Meta(min_length=1, max_length=64)])
    if measurement.part_kind is PartKind.NONE:
        part = ("part", Literal[""], "")
    return msgspec.defstruct(
        f"{measurement.name}_group",
        [("values", values), ("subject", str, ""), part],
        tag_field="measurement",
        tag=measurement.name,
        kw_only=True,
        forbid_unknown_fields=True,
        gc=False,
    )


_GROUPS = {name: _group_of(measurement) for name, measurement in MEASUREMENTS.items()}
_NAMES = {kind: name for name, kind in _GROUPS.items()}
if TYPE_CHECKING:

    class _Group(Struct):
        values: Struct
        subject: str
        part: str

    _Body = list[_Group]
else:
    _Body = list[functools.reduce(operator.or_, _GROUPS.values())]


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


class Reader:
    """Reads messages; remembers which tokens it has seen to be well formed."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}

    def live(self, payload: bytes, device: str, kind: Kind) -> Accepted | None:
        """Read a live message that came under a device's topic."""
        try:
            message = _LIVE(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        if _KINDS[message.kind] is not kind or len(payload) > MAX_MESSAGE_BYTES or _has_nul(payload):
            return None
        session = self._tokens.get(message.session) or self._token(message.session)
        envelope = self._envelope(message, device)
        if not session or envelope is None:
            return None
        return Accepted(envelope, session, message.sent.mono, True)

    def past(self, payload: bytes, device: str) -> list[Accepted] | None:
        """Read a backfill that came under a device's topic."""
        try:
            message = _PAST(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        session, sent = self._token(message.session), message.sent.mono
        if message.sender != device or len(payload) > MAX_MESSAGE_BYTES or _has_nul(payload) or not session:
            return None
        found = []
        for raw in message.envelopes:
            envelope = self._envelope(raw, device)
            if envelope is None:
                return None
            found.append(Accepted(envelope, session, sent, False))
        return found

    def _envelope(self, raw: _Envelope, device: str) -> Envelope | None:
        groups, measured = raw.body, raw.measured
        run = self._tokens.get(raw.run) or self._token(raw.run)
        if raw.sender != device or not run or len(groups) > MAX_PARTS:  # perhaps too many parts of one measurement
            return None
        for one in groups:
            if one.subject and one.subject != device:
                return None  # who may speak for whom is a question to the register
        body = tuple([_tuple(Group, (_NAMES[type(one)], _plain(one.values), one.subject, one.part)) for one in groups])
        instant = _tuple(Instant, (measured.wall, measured.mono))
        return _tuple(Envelope, (_KINDS[raw.kind], device, run, raw.seq, instant, raw.agent, body))

    def _token(self, token: str) -> str:
        """Give the one copy of a well-formed token, and nothing of any other."""
        known = self._tokens.get(token)
        if known is not None:
            return known
        if not _TOKEN.fullmatch(token):
            return ""
        if len(self._tokens) > _MOST_TOKENS:
            self._tokens.clear()
        self._tokens[token] = token
        return token


def _has_nul(payload: bytes) -> bool:
    return b"\\" in payload and _NUL in payload  # looking for one byte is far quicker than for six


_plain = msgspec.to_builtins
_tuple = tuple.__new__
"""Makes a named tuple in a third of the time that its own constructor takes."""
_MOST_TOKENS = 400_000
"""Well-formed runs and sessions that are remembered: two of each device of a city."""
