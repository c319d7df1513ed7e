"""What one message says: Envelope, Status, Backfill and Receipt, and their JSON form in both directions.

`encode_*` gives UTF-8 JSON bytes; `decode_*` takes bytes and gives dataclasses or raises ContractError. The shape is
checked here; names, types and ranges of the measured values are checked against the catalogue in `checking`. What is
made once a message is a named tuple: it is as unchangeable as a frozen dataclass and made in a sixth of the time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from phongmay_contract import SCHEMA_VERSION
from phongmay_contract.catalogue import Value
from phongmay_contract.errors import ContractError, Reason
from phongmay_contract.topics import ENVELOPE_KINDS, Kind, valid_device

MAX_MESSAGE_BYTES = 256 * 1024
"""Longest message that is read; a backfill of 60 ordinary rounds has about 120 KiB."""
MAX_BACKFILL = 60
"""Envelopes in one backfill message."""
MAX_SEQ = 2**53 - 1
_TOKEN = re.compile(r"[0-9a-f]{8,64}")

ONLINE, GOODBYE, LOST = "online", "goodbye", "lost"
STATES = (ONLINE, GOODBYE, LOST)
"""States of a status message: birth, clean goodbye, last will."""


class Instant(NamedTuple):
    """One moment on the sender's two clocks.

    Attributes:
        wall: seconds since 1970-01-01 UTC by the sender's wall clock; may be years off.
        mono: seconds on a clock that never jumps and counts sleep; its zero has no meaning.
    """

    wall: float
    mono: float


class Group(NamedTuple):
    """Values taken together: one measurement of one subject and part.

    Attributes:
        measurement: name in the catalogue.
        values: quantity name to value.
        subject: device that was measured; empty for the sender itself.
        part: disk, interface, target or probe; empty where the measurement has none.
    """

    measurement: str
    values: Mapping[str, Value]
    subject: str = ""
    part: str = ""


class Envelope(NamedTuple):
    """One round, inventory, event or campaign result. Its identity is (sender, run, seq)."""

    kind: Kind
    sender: str
    run: str
    seq: int
    measured: Instant
    agent: str
    body: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Transit:
    """What is known only when a message is sent: the MQTT session and the moment of sending."""

    session: str
    sent: Instant


@dataclass(frozen=True, slots=True)
class Status:
    """Birth, clean goodbye or last will of one MQTT session."""

    sender: str
    run: str
    session: str
    state: str
    at: Instant
    agent: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the collector has committed or finally refused, so that the spool may forget it.

    Attributes:
        run: the run whose sequence numbers are meant.
        stored: closed ranges (first, last) of sequence numbers that are stored.
        refused: (seq, reason) of envelopes kept as dead letters; sending them again is of no use.
    """

    run: str
    stored: tuple[tuple[int, int], ...]
    refused: tuple[tuple[int, str], ...] = ()


# ---- to JSON ---------------------------------------------------------------------------------------------------------


def _dump(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _instant(instant: Instant) -> dict[str, float]:
    return {"wall": round(instant.wall, 3), "mono": round(instant.mono, 6)}


def _group(group: Group) -> dict[str, Any]:
    out: dict[str, Any] = {"measurement": group.measurement}
    if group.subject:
        out["subject"] = group.subject
    if group.part:
        out["part"] = group.part
    out["values"] = dict(group.values)
    return out


def _envelope(envelope: Envelope) -> dict[str, Any]:
    return {
        "v": SCHEMA_VERSION,
        "kind": envelope.kind.value,
        "sender": envelope.sender,
        "run": envelope.run,
        "seq": envelope.seq,
        "measured": _instant(envelope.measured),
        "agent": envelope.agent,
        "body": [_group(group) for group in envelope.body],
    }


def encode_stored(envelope: Envelope) -> bytes:
    """Encode an envelope as it lies in the spool: measured, not yet sent."""
    return _dump(_envelope(envelope))


def encode_live(envelope: Envelope, transit: Transit) -> bytes:
    """Encode the message for the topic of the envelope's kind."""
    return _dump({**_envelope(envelope), "session": transit.session, "sent": _instant(transit.sent)})


def encode_backfill(sender: str, envelopes: Sequence[Envelope], transit: Transit) -> bytes:
    """Encode up to MAX_BACKFILL envelopes of the past (of any run of this sender) as one message."""
    if not 1 <= len(envelopes) <= MAX_BACKFILL:
        raise ValueError(f"a backfill holds 1 to {MAX_BACKFILL} envelopes, not {len(envelopes)}")
    return _dump(
        {
            "v": SCHEMA_VERSION,
            "kind": Kind.BACKFILL.value,
            "sender": sender,
            "session": transit.session,
            "sent": _instant(transit.sent),
            "envelopes": [_envelope(envelope) for envelope in envelopes],
        }
    )


def encode_status(status: Status) -> bytes:
    """Encode a birth, goodbye or last will."""
    return _dump(
        {
            "v": SCHEMA_VERSION,
            "kind": Kind.STATUS.value,
            "sender": status.sender,
            "run": status.run,
            "session": status.session,
            "state": status.state,
            "at": _instant(status.at),
            "agent": status.agent,
        }
    )


def encode_receipt(receipts: Sequence[Receipt], at: float | None = None) -> bytes:
    """Encode the receipts of one device (one entry a run), and the server's wall clock, from which devices learn it."""
    return _dump(
        {
            "v": SCHEMA_VERSION,
            "kind": Kind.RECEIPT.value,
            **({"at": round(at, 3)} if at is not None else {}),
            "runs": [
                {
                    "run": receipt.run,
                    "stored": [list(pair) for pair in receipt.stored],
                    **({"refused": [list(pair) for pair in receipt.refused]} if receipt.refused else {}),
                }
                for receipt in receipts
            ],
        }
    )


# ---- from JSON -------------------------------------------------------------------------------------------------------


def _no_constant(name: str) -> NoReturn:
    raise ContractError(Reason.BAD_VALUE, f"{name} is not a number that JSON allows")


def load(payload: bytes) -> dict[str, Any]:
    """Parse a message to a JSON object of this schema version.

    Raises:
        ContractError: too_large, not_json, not_an_object, wrong_version.
    """
    if len(payload) > MAX_MESSAGE_BYTES:
        raise ContractError(Reason.TOO_LARGE, f"{len(payload)} bytes; at most {MAX_MESSAGE_BYTES} are read")
    try:
        text = payload.decode()
        message = json.loads(text, parse_constant=_no_constant)
        if "\\ud" in text or "\\uD" in text:  # half of a surrogate pair is JSON, but no store can keep it
            _dump({"": message})
    except UnicodeEncodeError as error:
        raise ContractError(Reason.BAD_VALUE, f"a text holds half of a surrogate pair: {error.reason}") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, ContractError):
            raise
        raise ContractError(Reason.NOT_JSON, str(error)[:200]) from None
    if not isinstance(message, dict):
        raise ContractError(Reason.NOT_AN_OBJECT, f"the message is {type(message).__name__}, not an object")
    if message.get("v") != SCHEMA_VERSION or isinstance(message["v"], bool):
        raise ContractError(Reason.WRONG_VERSION, f"v is {message.get('v')!r}; this is version {SCHEMA_VERSION}")
    return message


def _take(message: Mapping[str, Any], key: str, kind: type | tuple[type, ...], where: str = "") -> Any:
    if key not in message:
        raise ContractError(Reason.MISSING_KEY, f"{where}{key}")
    value = message[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ContractError(Reason.WRONG_TYPE, f"{where}{key} is {type(value).__name__}")
    return value


def _token(message: Mapping[str, Any], key: str) -> str:
    value: str = _take(message, key, str)
    if not _TOKEN.fullmatch(value):
        raise ContractError(Reason.BAD_VALUE, f"{key} is not 8 to 64 hexadecimal digits")
    return value


def _sender(message: Mapping[str, Any]) -> str:
    sender: str = _take(message, "sender", str)
    if not valid_device(sender):
        raise ContractError(Reason.BAD_VALUE, "sender is not a device id")
    return sender


def _read_instant(message: Mapping[str, Any], key: str) -> Instant:
    value = _take(message, key, dict)
    wall = _take(value, "wall", (int, float), f"{key}.")
    mono = _take(value, "mono", (int, float), f"{key}.")
    if not (-1e11 < wall < 1e11 and -1e11 < mono < 1e11):
        raise ContractError(Reason.BAD_VALUE, f"{key} is not a time")
    return Instant(float(wall), float(mono))


def _read_group(raw: object, index: int) -> Group:
    where = f"body[{index}]."
    if not isinstance(raw, dict):
        raise ContractError(Reason.WRONG_TYPE, f"body[{index}] is {type(raw).__name__}")
    part = _take(raw, "part", str, where) if "part" in raw else ""
    subject = _take(raw, "subject", str, where) if "subject" in raw else ""
    if subject and not valid_device(subject):
        raise ContractError(Reason.BAD_VALUE, f"{where}subject is not a device id")
    if len(part) > 64:
        raise ContractError(Reason.BAD_VALUE, f"{where}part is longer than 64 characters")
    values = _take(raw, "values", dict, where)
    return Group(_take(raw, "measurement", str, where), values, subject, part)


def _read_version(message: Mapping[str, Any]) -> str:
    version: str = _take(message, "agent", str)
    if len(version) > 40:
        raise ContractError(Reason.BAD_VALUE, "agent is longer than 40 characters")
    return version


def read_envelope(message: Mapping[str, Any]) -> Envelope:
    """Read the envelope out of a parsed message; keys that it does not know are left alone.

    Raises:
        ContractError: missing_key, wrong_type or bad_value, naming the key.
    """
    kind = _take(message, "kind", str)
    if kind not in ENVELOPE_KINDS:
        raise ContractError(Reason.BAD_VALUE, f"kind {kind!r} is not an envelope's")
    seq: int = _take(message, "seq", int)
    if not 0 <= seq <= MAX_SEQ:
        raise ContractError(Reason.BAD_VALUE, "seq is out of range")
    body = _take(message, "body", list)
    return Envelope(
        Kind(kind),
        _sender(message),
        _token(message, "run"),
        seq,
        _read_instant(message, "measured"),
        _read_version(message),
        tuple(_read_group(raw, index) for index, raw in enumerate(body)),
    )


def read_transit(message: Mapping[str, Any]) -> Transit:
    """Read session and moment of sending of a live or backfill message."""
    return Transit(_token(message, "session"), _read_instant(message, "sent"))


def decode_stored(payload: bytes) -> Envelope:
    """Read back what `encode_stored` wrote."""
    return read_envelope(load(payload))


def decode_live(payload: bytes) -> tuple[Envelope, Transit]:
    """Read a live message."""
    message = load(payload)
    return read_envelope(message), read_transit(message)


def read_backfill(message: Mapping[str, Any]) -> tuple[str, Transit, list[dict[str, Any]]]:
    """Read sender, transit and the raw envelopes of a backfill, so that a bad envelope need not spoil the others."""
    sender, transit = _sender(message), read_transit(message)
    raw = _take(message, "envelopes", list)
    if not 1 <= len(raw) <= MAX_BACKFILL:
        raise ContractError(Reason.BAD_VALUE, f"envelopes holds {len(raw)}; 1 to {MAX_BACKFILL} are allowed")
    for index, item in enumerate(raw):
        if not isinstance(item, dict):
            raise ContractError(Reason.WRONG_TYPE, f"envelopes[{index}] is {type(item).__name__}")
    return sender, transit, raw


def decode_status(payload: bytes) -> Status:
    """Read a status message."""
    message = load(payload)
    state = _take(message, "state", str)
    if state not in STATES:
        raise ContractError(Reason.BAD_VALUE, f"state {state!r} is not one of {', '.join(STATES)}")
    return Status(
        _sender(message),
        _token(message, "run"),
        _token(message, "session"),
        state,
        _read_instant(message, "at"),
        _read_version(message),
    )


def decode_receipt(payload: bytes) -> list[Receipt]:
    """Read a receipt message, as the agent does."""
    receipts = []
    for raw in _take(load(payload), "runs", list):
        if not isinstance(raw, dict):
            raise ContractError(Reason.WRONG_TYPE, "runs holds something that is not an object")
        stored = tuple(_pair(pair, int, "stored") for pair in _take(raw, "stored", list))
        refused = tuple(_pair(pair, str, "refused") for pair in raw.get("refused", []))
        receipts.append(Receipt(_token(raw, "run"), stored, refused))
    return receipts


def read_receipt_time(payload: bytes) -> float | None:
    """Read the server's wall clock out of a receipt message; None where it has none."""
    at = load(payload).get("at")
    return float(at) if isinstance(at, int | float) and not isinstance(at, bool) and 0 < at < 1e11 else None


def _pair(raw: object, second: type, key: str) -> tuple[int, Any]:
    if not isinstance(raw, list) or len(raw) != 2 or not isinstance(raw[0], int) or not isinstance(raw[1], second):
        raise ContractError(Reason.WRONG_TYPE, f"{key} holds something that is not a pair")
    return raw[0], raw[1]
