"""MQTT packets of one session, as bytes: what the collector sends, and what it may get. Versions 5 and 3.1.1.

In: the few things that the collector says, or bytes from the broker. Out: bytes, or packets. It knows only what this
session needs: no QoS 2, no topic aliases (never offered, so never used), no AUTH. Bytes that are no MQTT raise
PacketError, and the connection ends. Why not a library: ADR 9 (measured).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from typing import NamedTuple

V311, V5 = 4, 5
CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP, DISCONNECT = 2, 3, 4, 9, 13, 14
PING, BYE = b"\xc0\x00", b"\xe0\x00"
_SESSION_EXPIRY, _RECEIVE_MAXIMUM = 0x11, 0x21
_PROPERTY_BYTES = {
    0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1, 0x17: 1, 0x19: 1,
}  # fmt: skip
_AT_QOS_1, _SHORT = 0x32, 4
"""First byte of a PUBLISH at QoS 1, neither retained nor sent again; bytes of a packet too short for the fast way."""
_tuple = tuple.__new__
_PROPERTY_TEXTS = {0x12: 1, 0x15: 1, 0x16: 1, 0x1A: 1, 0x1C: 1, 0x1F: 1, 0x26: 2}


class PacketError(ValueError):
    """Bytes that are no MQTT."""


class Packet(NamedTuple):
    """One packet; `flags` are the low four bits of its first byte."""

    kind: int
    flags: int
    rest: bytes


class Published(NamedTuple):
    """A PUBLISH to us."""

    packet: int
    qos: int
    retained: bool
    topic: bytes
    payload: bytes


class Connack(NamedTuple):
    """The answer to CONNECT.

    Attributes:
        receive_maximum: QoS 1 messages of ours that the broker takes before it acknowledges the first.
    """

    session_present: bool
    reason: int
    receive_maximum: int


def connect(
    version: int, client_id: str, password: str, keepalive_s: int, session_expiry_s: int, receive_maximum: int
) -> bytes:
    """Give a CONNECT that continues the session of this client, who is also the user."""
    head = text("MQTT") + bytes([version, 0xC0]) + keepalive_s.to_bytes(2, "big")
    if version == V5:
        properties = bytes([_SESSION_EXPIRY]) + session_expiry_s.to_bytes(4, "big")
        properties += bytes([_RECEIVE_MAXIMUM]) + receive_maximum.to_bytes(2, "big")
        head += bytes([len(properties)]) + properties
    return frame(0x10, head + text(client_id) + text(client_id) + text(password))


def subscribe(version: int, packet: int, filters: Iterable[str]) -> bytes:
    """Give a SUBSCRIBE at QoS 1."""
    body = b"".join(text(one) + b"\x01" for one in filters)
    return frame(0x82, packet.to_bytes(2, "big") + (b"\x00" if version == V5 else b"") + body)


def publish(version: int, topic: str, payload: bytes, packet: int = 0) -> bytes:
    """Give a PUBLISH: at QoS 1 with a packet id, else at QoS 0."""
    middle = packet.to_bytes(2, "big") if packet else b""
    return frame(0x32 if packet else 0x30, b"".join((text(topic), middle, b"\x00" if version == V5 else b"", payload)))


def pubacks(ids: Iterable[int]) -> bytes:
    """Give a PUBACK for each packet id; the short form is the same in both versions."""
    words = array("I", [0x40020000 | packet for packet in ids])
    if sys.byteorder == "little":
        words.byteswap()
    return words.tobytes()


def text(value: str) -> bytes:
    """Give a text with its length before it."""
    raw = value.encode()
    return len(raw).to_bytes(2, "big") + raw


def frame(first: int, rest: bytes) -> bytes:
    """Put type and length before the rest of a packet."""
    length = len(rest)
    if length < 128:
        return bytes((first, length)) + rest
    head = bytearray((first,))
    while length:
        length, digit = divmod(length, 128)
        head.append(digit | (128 if length else 0))
    return bytes(head) + rest


def scan(version: int, data: bytes) -> tuple[list[Published | Packet], bytes]:
    """Cut bytes into what came, in its order, and what is left of a packet that has not come in full.

    A PUBLISH is read in the same go: it is cut out once, not as a packet first and as a message then.

    Raises:
        PacketError: a length that MQTT does not have, or a PUBLISH that cannot be.
    """
    found: list[Published | Packet] = []
    add, at, end = found.append, 0, len(data)
    properties = 1 if version == V5 else 0  # bytes that say that there are none
    while end - at >= 2:
        first, length, begin = data[at], data[at + 1], at + 2
        if length > 127:
            length &= 127
            shift = 7
            while True:
                if begin >= end:
                    return found, data[at:]
                if shift > 21:
                    raise PacketError("a packet's length has more than four bytes")
                more = data[begin]
                begin += 1
                length |= (more & 127) << shift
                if more < 128:
                    break
                shift += 7
        stop = begin + length
        if stop > end:
            break
        if first == _AT_QOS_1 and length > _SHORT:  # nearly every packet; the rest is read by the book
            middle = begin + 2 + (data[begin] << 8 | data[begin + 1])
            body = middle + 2 + properties
            if body <= stop and not (properties and data[body - 1]):
                packet = data[middle] << 8 | data[middle + 1]
                add(_tuple(Published, (packet, 1, False, data[begin + 2 : middle], data[body:stop])))
                at = stop
                continue
        if first >> 4 == PUBLISH:
            add(read_publish(version, first & 15, data[begin:stop]))
        else:
            add(Packet(first >> 4, first & 15, data[begin:stop]))
        at = stop
    return found, data[at:]


def read_publish(version: int, flags: int, rest: bytes) -> Published:
    """Read a PUBLISH; its properties say nothing that we need.

    Raises:
        PacketError: it ends too early, or has QoS 2, which we never ask for.
    """
    qos = flags >> 1 & 3
    try:
        at = 2 + (rest[0] << 8 | rest[1])
        topic = rest[2:at]
        packet = 0
        if qos:
            packet = rest[at] << 8 | rest[at + 1]
            at += 2
        if version == V5:
            length = rest[at]
            at = at + 1 + length if length < 128 else _skip(rest, at)
    except IndexError:
        raise PacketError("a PUBLISH ends too early") from None
    if qos > 1 or at > len(rest):
        raise PacketError("a PUBLISH that cannot be")
    return Published(packet, qos, bool(flags & 1), topic, rest[at:])


def _skip(data: bytes, at: int) -> int:
    """Give where properties end."""
    length = shift = 0
    for index in range(at, at + 4):
        length |= (data[index] & 127) << shift
        shift += 7
        if data[index] < 128:
            return index + 1 + length
    raise PacketError("a length of properties has more than four bytes")


def read_connack(version: int, rest: bytes) -> Connack:
    """Read the answer to CONNECT.

    Raises:
        PacketError: it ends too early.
    """
    if len(rest) < 2:
        raise PacketError("a CONNACK ends too early")
    most = 65535
    if version == V5 and len(rest) > 3:
        at = 3  # our broker's properties are shorter than 128 bytes; what is longer has nothing that we need first
        while at < len(rest):
            name = rest[at]
            at += 1
            if name in _PROPERTY_BYTES:
                size = _PROPERTY_BYTES[name]
                if name == _RECEIVE_MAXIMUM:
                    most = int.from_bytes(rest[at : at + size], "big")
                at += size
            elif name in _PROPERTY_TEXTS:
                for _ in range(_PROPERTY_TEXTS[name]):
                    at += 2 + int.from_bytes(rest[at : at + 2], "big")
            else:
                break
    return Connack(bool(rest[0] & 1), rest[1], max(most, 1))
