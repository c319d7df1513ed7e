"""Tickets: what a coordinator lets one participant do on the server, once, signed with the server's ticket key.

`sign` gives the text that travels inside the order, `open_ticket` gives the claims back or raises TicketError with a
reason of a closed list. A ticket lives at most 120 s; that it is used once only is the server's book-keeping.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from phongmay_bandwidth.records import RecordError, compact, parse_object, read_record
from phongmay_contract.errors import OperatorError
from phongmay_contract.settings import setting

LONGEST_LIFE_S = 120.0
MAX_TICKET_CHARS = 2048
CLOCK_LEEWAY_S = 2.0
"""How far the coordinator's clock may be ahead of the server's."""


class Purpose(StrEnum):
    """What a ticket is good for."""

    CONTROL = "control"
    """Clock, echo, and the server's word that a direction is over."""
    DOWN = "down"
    UP = "up"
    REPORT = "report"
    """The coordinator fetches what the server saw."""
    ABORT = "abort"
    """The coordinator ends a run."""


class Refusal(StrEnum):
    """Why the server does not admit a connection."""

    MALFORMED = "malformed"
    FORGED = "forged"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    TOO_LONG = "lives_too_long"
    BEFORE_START = "issued_before_server_start"
    REPLAYED = "replayed"
    FULL = "full"
    UNKNOWN_RUN = "unknown_run"
    ABORTED = "aborted"


class TicketError(ValueError):
    """A ticket that is not accepted."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


@dataclass(frozen=True)
class Ticket:
    """Claims. Times are true UTC in seconds since 1970."""

    run: str = setting(about="Run it belongs to.")
    participant: str = setting(about="Device id; empty for the coordinator.")
    purpose: str = setting(about="What it is good for.", choices=tuple(Purpose))
    nonce: str = setting(about="Never used twice.")
    issued: float = setting(about="When it was made.", low=0, high=1e11)
    expires: float = setting(about="Until when it may be shown.", low=0, high=1e11)
    stream: int = setting(0, about="Which stream of the direction.", low=0, high=15)
    kind: str = setting("floor", about="Kind of the run.", choices=("floor", "capacity", "ramp"))
    start: float = setting(0.0, about="Ordered start of this direction.", low=0, high=1e11)
    warmup_s: float = setting(2.0, about="Trimmed from the start.", low=0, high=30)
    window_min_s: float = setting(6.0, about="Shortest window that counts.", low=0.5, high=120)
    window_max_s: float = setting(6.0, about="Longest window.", low=0.5, high=120)
    tolerance: float = setting(0.0, about="Adaptive stop once the run's rate is so steady; 0 is never.", low=0, high=1)
    rate_bps: float = setting(0.0, about="Payload rate of the connection; 0 is unpaced.", low=0, high=1e12)
    byte_cap: int = setting(0, about="Payload bytes of the connection at most.", low=0, high=10**13)
    time_cap_s: float = setting(60.0, about="Seconds from the ordered start to the end at most.", low=0.5, high=300)
    run_byte_cap: int = setting(0, about="Payload bytes of run and direction at most; 0 is none.", low=0, high=10**14)


def new_nonce() -> str:
    """Make a nonce."""
    return secrets.token_hex(12)


def sign(key: bytes, ticket: Ticket) -> str:
    """Give the text of a ticket: base64 of the claims (defaults left out), a dot, an HMAC."""
    claims = {
        field.name: value
        for field in dataclasses.fields(ticket)
        if (value := getattr(ticket, field.name)) != field.default
    }
    text = base64.urlsafe_b64encode(compact(claims).encode()).decode().rstrip("=")
    return f"{text}.{_mac(key, text)}"


def open_ticket(key: bytes, text: str, now: float) -> Ticket:
    """Check a ticket.

    Raises:
        TicketError: malformed, forged, expired, not_yet, lives_too_long.
    """
    body, _, mac = text.partition(".")
    if not mac or len(text) > MAX_TICKET_CHARS:
        raise TicketError(Refusal.MALFORMED)
    if not hmac.compare_digest(_mac(key, body).encode(), mac.encode("utf-8", "replace")):
        raise TicketError(Refusal.FORGED)
    try:
        claims = parse_object(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        ticket = read_record(Ticket, claims, "ticket")
    except (RecordError, binascii.Error, UnicodeDecodeError):
        raise TicketError(Refusal.MALFORMED) from None
    if ticket.expires - ticket.issued > LONGEST_LIFE_S:
        raise TicketError(Refusal.TOO_LONG)
    if now > ticket.expires:
        raise TicketError(Refusal.EXPIRED)
    if ticket.issued > now + CLOCK_LEEWAY_S:
        raise TicketError(Refusal.NOT_YET)
    return ticket


def _mac(key: bytes, body: str) -> str:
    text = b"phongmay bandwidth ticket v1\0" + body.encode("utf-8", "replace")
    return hmac.new(key, text, hashlib.sha256).hexdigest()[:32]


# ---- the key file ----------------------------------------------------------------------------------------------------


class KeyFileError(OperatorError):
    """The file with the ticket key cannot be used."""


def read_key(path: Path) -> bytes:
    """Read the key that coordinator and server share: 64 hexadecimal digits.

    Raises:
        KeyFileError: it is missing, unreadable or something else.
    """
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except FileNotFoundError:
        raise KeyFileError(f"{path}: no ticket key; make one with: phongmay bandwidth-server new-key") from None
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read ({error.strerror}); let this user own it") from None
    except ValueError:
        raise KeyFileError(f"{path}: is not 64 hexadecimal digits; copy the file of the other side anew") from None
    if len(key) != 32:
        raise KeyFileError(f"{path}: holds {len(key)} bytes, not 32; copy the file of the other side anew")
    return key


def make_key(path: Path) -> None:
    """Write a new key that only its owner can read.

    Raises:
        KeyFileError: there is one already, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(secrets.token_hex(32) + "\n", "ascii")
    except FileExistsError:
        raise KeyFileError(f"{path}: there is a key already; delete it first if no server uses it any more") from None
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be written ({error.strerror}); choose another bandwidth.key_file") from None
