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

_TOKEN = re.compile(r"[0-9a-f]{8,64}")
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


class _Envelope(Struct, forbid_unknown_fields=True):
    v: Literal[SCHEMA_VERSION]  # type: ignore[valid-type] # a constant of another module
    kind: Literal["round", "inventory", "event", "campaign"]
    sender: str
    run: str
    seq: Annotated[int, Meta(ge=0, le=MAX_SEQ)]
    measured: _Instant
    agent: _Version
    body: _Body


class _Live(_Envelope, forbid_unknown_fields=True):
    session: str
    sent: _Instant


class _Past(Struct, forbid_unknown_fields=True):
    v: Literal[SCHEMA_VERSION]  # type: ignore[valid-type] # as above
    kind: Literal["backfill"]
    sender: str
    session: str
    sent: _Instant
    envelopes: Annotated[list[_Envelope], Meta(min_length=1, max_length=MAX_BACKFILL)]


_LIVE, _PAST = msgspec.json.Decoder(_Live), msgspec.json.Decoder(_Past)


class Flawless(Struct):
    """What a message says that needs no second look.

    Attributes:
        envelopes: one of a live message, up to 60 of a backfill.
        session: MQTT session in which it was sent.
        sent_mono: moment of sending on the sender's monotonic clock.
    """

    envelopes: list[Envelope]
    session: str
    sent_mono: float


class Reader:
    """Reads messages; remembers which tokens it has seen to be well formed."""

    def __init__(self) -> None:
        self._tokens: set[str] = set()

    def live(self, payload: bytes, device: str, kind: Kind) -> Flawless | None:
        """Read a live message that came under a device's topic."""
        if len(payload) > MAX_MESSAGE_BYTES:
            return None
        try:
            message = _LIVE.decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        if message.kind != kind.value or not self._is_token(message.session):
            return None
        envelope = self._envelope(message, device)
        return None if envelope is None else Flawless([envelope], message.session, message.sent.mono)

    def past(self, payload: bytes, device: str) -> Flawless | None:
        """Read a backfill that came under a device's topic."""
        if len(payload) > MAX_MESSAGE_BYTES:
            return None
        try:
            message = _PAST.decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        if message.sender != device or not self._is_token(message.session):
            return None
        envelopes = []
        for raw in message.envelopes:
            envelope = self._envelope(raw, device)
            if envelope is None:
                return None
            envelopes.append(envelope)
        return Flawless(envelopes, message.session, message.sent.mono)

    def _envelope(self, raw: _Envelope, device: str) -> Envelope | None:
        run = raw.run
        if raw.sender != device or not self._is_token(run):
            return None
        groups = raw.body
        if len(groups) > MAX_PARTS:
            return None  # perhaps too many parts of one measurement
        body = [Group(_NAMES[type(one)], _plain(one.values), one.subject, one.part) for one in groups]
        for one in groups:
            if one.subject and one.subject != device:
                return None  # who may speak for whom is a question to the register
        measured = raw.measured
        return Envelope(
            _KINDS[raw.kind], device, run, raw.seq, Instant(measured.wall, measured.mono), raw.agent, tuple(body)
        )

    def _is_token(self, token: str) -> bool:
        if token in self._tokens:
            return True
        if not _TOKEN.fullmatch(token):
            return False
        if len(self._tokens) > _MOST_TOKENS:
            self._tokens.clear()
        self._tokens.add(token)
        return True


_plain = msgspec.to_builtins
_MOST_TOKENS = 400_000
"""Well-formed runs and sessions that are remembered: two of each device of a city."""
