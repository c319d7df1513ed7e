"""Orders to a device: what a `command` message says, its HMAC, and its JSON form in both directions.

A command names its device, carries a nonce and the true time at which it expires, and is signed with the device's
command key (`keys.command_key`), over the very bytes that travel. `open_command` checks shape, HMAC and device and
raises CommandError; whether a nonce was seen before, and what time it is, only the device knows: `CommandGate`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from phongmay_contract import SCHEMA_VERSION
from phongmay_contract.envelope import load
from phongmay_contract.errors import ContractError
from phongmay_contract.topics import Kind, valid_device

LONGEST_LIFE_S = 900.0
"""Longest time from now to a command's expiry: bounds how long nonces must be remembered."""
_NONCE = re.compile(r"[0-9a-f]{16,64}")


class Order(StrEnum):
    """What a device can be told to do; nothing else is obeyed."""

    CAMPAIGN_START = "campaign_start"
    CAMPAIGN_ABORT = "campaign_abort"
    WAKE = "wake"
    """Send magic packets (Wake-on-LAN) to neighbours; body: `addresses`, hardware addresses of the same network."""


class Refusal(StrEnum):
    """Why a command is not obeyed."""

    MALFORMED = "malformed"
    FORGED = "forged"
    WRONG_DEVICE = "wrong_device"
    UNKNOWN = "unknown_order"
    EXPIRED = "expired"
    REPLAYED = "replayed"
    NO_TIME = "true_time_unknown"


class CommandError(ValueError):
    """A command that is not obeyed.

    Attributes:
        refusal: code out of the closed list; counted.
    """

    def __init__(self, refusal: Refusal, detail: str = "") -> None:
        super().__init__(f"{refusal}: {detail}" if detail else refusal)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Command:
    """One order to one device.

    Attributes:
        device: whom it is for.
        order: what is to be done.
        nonce: 16 to 64 hexadecimal digits, never used twice.
        expires: true UTC, seconds since 1970, after which it is void.
        body: what the order needs; its own module checks it.
    """

    device: str
    order: Order
    nonce: str
    expires: float
    body: Mapping[str, Any]


def sign_command(key: bytes, command: Command) -> bytes:
    """Give the payload for the device's command topic."""
    text = json.dumps(
        {
            "device": command.device,
            "order": command.order.value,
            "nonce": command.nonce,
            "expires": command.expires,
            "body": dict(command.body),
        },
        ensure_ascii=False,
        separators=(",", ":"),
        allow_nan=False,
    )
    message = {"v": SCHEMA_VERSION, "kind": Kind.COMMAND.value, "signed": text, "mac": _mac(key, text)}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def open_command(key: bytes, device: str, payload: bytes) -> Command:
    """Read a command for this device.

    Raises:
        CommandError: malformed, forged, wrong_device, unknown_order.
    """
    try:
        message = load(payload)
    except ContractError as error:
        raise CommandError(Refusal.MALFORMED, error.detail) from None
    text, mac = message.get("signed"), message.get("mac")
    if not isinstance(text, str) or not isinstance(mac, str):
        raise CommandError(Refusal.MALFORMED, "signed or mac is missing")
    if not hmac.compare_digest(_mac(key, text).encode(), mac.encode("utf-8", "replace")):
        raise CommandError(Refusal.FORGED)
    try:
        inner = json.loads(text)
        order, nonce, expires, body = inner["order"], inner["nonce"], float(inner["expires"]), inner["body"]
        addressee = inner["device"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CommandError(Refusal.MALFORMED, str(error)[:100]) from None
    if addressee != device or not valid_device(device):
        raise CommandError(Refusal.WRONG_DEVICE)
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce) or not isinstance(body, dict):
        raise CommandError(Refusal.MALFORMED, "nonce or body")
    if order not in Order._value2member_map_:
        raise CommandError(Refusal.UNKNOWN, str(order)[:40])
    return Command(device, Order(order), nonce, expires, body)


class CommandGate:
    """Lets each good command through once, and counts the others.

    Attributes:
        refused: how often which refusal happened.
    """

    def __init__(self, key: bytes, device: str) -> None:
        self.refused: Counter[Refusal] = Counter()
        self._key = key
        self._device = device
        self._seen: dict[str, float] = {}

    def admit(self, payload: bytes, now: float | None) -> Command:
        """Give the command if it is to be obeyed.

        Args:
            payload: message of the command topic.
            now: true UTC as far as the device knows it, None if it does not: then nothing is obeyed.

        Raises:
            CommandError: it is not; the refusal is counted.
        """
        try:
            return self._admit(payload, now)
        except CommandError as error:
            self.refused[error.refusal] += 1
            raise

    def _admit(self, payload: bytes, now: float | None) -> Command:
        command = open_command(self._key, self._device, payload)
        if now is None:
            raise CommandError(Refusal.NO_TIME)
        if not now < command.expires <= now + LONGEST_LIFE_S:
            raise CommandError(Refusal.EXPIRED)
        self._seen = {nonce: until for nonce, until in self._seen.items() if until >= now}
        if command.nonce in self._seen:
            raise CommandError(Refusal.REPLAYED)
        self._seen[command.nonce] = command.expires
        return command


def _mac(key: bytes, text: str) -> str:
    return hmac.new(key, b"phongmay command v1\0" + text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
