"""MQTT 3.1.1 on the wire, as far as a simulated PC needs it: frames out, packets in; nothing is remembered here.

In: topics, payloads and flags. Out: bytes; and from the broker's bytes, packets. A length that MQTT does not allow
raises ValueError. The agent uses paho; ten thousand connections in one process need something lighter (ADR 8).
"""

from __future__ import annotations

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 2, 3, 4, 9, 13
PINGREQ_FRAME = b"\xc0\x00"
DISCONNECT_FRAME = b"\xe0\x00"
MAX_PACKET = 65535
"""Packet identifiers are 1 to this."""
_MAX_LENGTH = 268_435_455
_MORE = 0x80


def text(value: bytes) -> bytes:
    """Write a string with its length before it."""
    return len(value).to_bytes(2, "big") + value


def length(size: int) -> bytes:
    """Write a remaining length: seven bits a byte, the lowest first."""
    if size < _MORE:
        return bytes((size,))
    if size > _MAX_LENGTH:
        raise ValueError(f"a packet of {size} bytes is longer than MQTT allows")
    out = bytearray()
    while True:
        size, low = divmod(size, _MORE)
        if not size:
            out.append(low)
            return bytes(out)
        out.append(low | _MORE)


def connect(client: bytes, password: bytes, will_topic: bytes, will: bytes, keepalive_s: int) -> bytes:
    """Write a CONNECT: clean session, the client id as user name, a retained last will at QoS 1."""
    flags = 0b11101110  # user name, password, will retained, will QoS 1, will, clean session
    body = text(b"MQTT") + bytes((4, flags)) + keepalive_s.to_bytes(2, "big")
    body += text(client) + text(will_topic) + text(will) + text(client) + text(password)
    return b"\x10" + length(len(body)) + body


def subscribe(packet: int, topic: bytes) -> bytes:
    """Write a SUBSCRIBE to one topic at QoS 1."""
    body = packet.to_bytes(2, "big") + text(topic) + b"\x01"
    return b"\x82" + length(len(body)) + body


def publish(packet: int, topic: bytes, payload: bytes, *, retain: bool = False, again: bool = False) -> bytes:
    """Write a PUBLISH at QoS 1; `again` marks a duplicate."""
    head = 0x32 | (0x01 if retain else 0) | (0x08 if again else 0)
    size = 4 + len(topic) + len(payload)
    return b"".join((bytes((head,)), length(size), text(topic), packet.to_bytes(2, "big"), payload))


def puback(packet: bytes) -> bytes:
    """Acknowledge a PUBLISH by its two bytes of packet identifier."""
    return b"\x40\x02" + packet


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Give the whole packets in what was read, as (first byte, body), and the rest that is not whole yet.

    Raises:
        ValueError: a length has more than four bytes: this is not MQTT.
    """
    packets = []
    position, end = 0, len(data)
    while end - position >= 2:
        size, start = data[position + 1], position + 2
        if size & _MORE:
            size &= _MORE - 1
            shift = 7
            while start < end:
                byte = data[start]
                start += 1
                size |= (byte & (_MORE - 1)) << shift
                shift += 7
                if not byte & _MORE:
                    break
                if shift > 21:
                    raise ValueError("a length of more than four bytes")
            else:
                break
        if start + size > end:
            break
        packets.append((data[position], data[start : start + size]))
        position = start + size
    return packets, data[position:]


def content(first: int, body: bytes) -> tuple[bytes, bytes, bytes]:
    """Give topic, packet identifier (two bytes, empty at QoS 0) and payload of a PUBLISH."""
    start = 2 + int.from_bytes(body[:2], "big")
    topic = body[2:start]
    if first & 0x06:
        return topic, body[start : start + 2], body[start + 2 :]
    return topic, b"", body[start:]
