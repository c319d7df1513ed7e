"""MQTT topics: `phongmay/v1/<device>/<kind>`; build and parse are each other's inverse.

A topic holds no school, since a PC moves and the register knows where it stands. A wrong topic raises ContractError.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from phongmay_contract import SCHEMA_VERSION
from phongmay_contract.errors import ContractError, Reason

ROOT = f"phongmay/v{SCHEMA_VERSION}"
_DEVICE = re.compile(r"[a-z0-9][a-z0-9-]{2,39}")


class Kind(StrEnum):
    """What a message is; the last level of its topic."""

    STATUS = "status"
    """Birth, clean goodbye or last will; the only retained kind."""
    ROUND = "round"
    """One round of measurements."""
    INVENTORY = "inventory"
    """Hardware record, on change and daily."""
    EVENT = "event"
    CAMPAIGN = "campaign"
    """A participant's result of a concurrent bandwidth test."""
    BACKFILL = "backfill"
    """Up to 60 envelopes of the past in one message."""
    COMMAND = "command"
    RECEIPT = "receipt"


ENVELOPE_KINDS = frozenset({Kind.ROUND, Kind.INVENTORY, Kind.EVENT, Kind.CAMPAIGN})
"""Kinds whose message is one envelope with a sequence number and so gets a receipt."""
UP_KINDS = ENVELOPE_KINDS | {Kind.STATUS, Kind.BACKFILL}
"""What a device may publish."""
DOWN_KINDS = frozenset({Kind.COMMAND, Kind.RECEIPT})
"""What a device may read."""
LIVE_KINDS = (Kind.STATUS, Kind.ROUND, Kind.INVENTORY, Kind.EVENT, Kind.CAMPAIGN)
"""Read by the collector's living session; backfill is read by a session of its own."""


class Topic(NamedTuple):
    """A parsed topic."""

    device: str
    kind: Kind


def valid_device(device: str) -> bool:
    """Tell whether a text can be a device id: 3 to 40 of a-z, 0-9 and '-', the first not '-'."""
    return _DEVICE.fullmatch(device) is not None


def build(device: str, kind: Kind) -> str:
    """Give the topic of a device and kind.

    Raises:
        ContractError: `bad_topic` when the device id has characters that a topic must not hold.
    """
    if not valid_device(device):
        raise ContractError(Reason.BAD_TOPIC, f"device id {device!r} is not 3 to 40 of a-z, 0-9, '-'")
    return f"{ROOT}/{device}/{kind.value}"


def parse(topic: str) -> Topic:
    """Split a topic into device and kind.

    Raises:
        ContractError: `bad_topic` for anything that `build` would not have made.
    """
    prefix, _, rest = topic.partition(ROOT + "/")
    device, slash, kind = rest.partition("/")
    if prefix or not slash or not valid_device(device) or kind not in Kind._value2member_map_:
        raise ContractError(Reason.BAD_TOPIC, f"{topic!r} is not {ROOT}/<device>/<kind>")
    return Topic(device, Kind(kind))


def subscription(kind: Kind) -> str:
    """Give the filter under which a collector hears one kind from every device."""
    return f"{ROOT}/+/{kind.value}"
