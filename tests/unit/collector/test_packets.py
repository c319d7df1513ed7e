"""MQTT by the specification's own bytes, however the network cuts them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phongmay_collector import packets
from phongmay_collector.packets import V5, V311, PacketError


@given(
    st.lists(st.tuples(st.text(max_size=40), st.binary(max_size=400), st.integers(0, 65535)), max_size=6),
    st.sampled_from([V311, V5]),
    st.data(),
)
def test_what_is_published_comes_back_wherever_it_is_cut(
    messages: list[tuple[str, bytes, int]], version: int, data: st.DataObject
) -> None:
    """Split and read undo publish and frame, for any cut of the stream."""
    stream = b"".join(packets.publish(version, *message) for message in messages)
    cut = data.draw(st.integers(0, len(stream)))
    first, rest = packets.scan(version, stream[:cut])
    second, left = packets.scan(version, rest + stream[cut:])
    assert left == b""
    found = [one for one in [*first, *second] if isinstance(one, packets.Published)]
    assert [(one.topic.decode(), one.payload, one.packet) for one in found] == messages
    assert all(one.qos == (1 if one.packet else 0) for one in found)


@given(st.binary(max_size=60), st.sampled_from([V311, V5]))
def test_no_bytes_bring_the_session_down(data: bytes, version: int) -> None:
    """Anything but MQTT is a PacketError, which ends the connection and not the collector."""
    try:
        found, _ = packets.scan(version, data)
        for packet in found:
            if isinstance(packet, packets.Packet) and packet.kind == packets.CONNACK:
                packets.read_connack(version, packet.rest)
    except PacketError:
        pass


@given(st.integers(0, 255), st.binary(max_size=30), st.sampled_from([V311, V5]))
def test_the_short_way_reads_a_message_as_the_long_way_does(first: int, rest: bytes, version: int) -> None:
    """Whatever the bytes: equal messages, or refused by both."""

    def said(read: Callable[[], list[Any]]) -> list[Any] | str:
        try:
            return read()
        except PacketError:
            return "no MQTT"

    flags = first & 15
    long = said(lambda: [packets.read_publish(version, flags, rest)])
    assert said(lambda: packets.scan(version, packets.frame(0x30 | flags, rest))[0]) == long


def test_acknowledgements_are_packets_of_the_specification() -> None:
    """Four bytes each: type, length, packet id with the high byte first."""
    assert packets.pubacks([1, 0x1234, 65535]) == b"\x40\x02\x00\x01\x40\x02\x12\x34\x40\x02\xff\xff"


def test_properties_of_a_message_are_skipped() -> None:
    """A broker may add expiry or user properties (cluster brokers do)."""
    properties = b"\x02\x00\x00\x00\x3c" + b"\x26\x00\x01k\x00\x01v"
    rest = packets.text("a/b") + b"\x00\x07" + bytes([len(properties)]) + properties + b"payload"
    found = packets.read_publish(V5, 0x02, rest)
    assert (found.topic, found.packet, found.payload) == (b"a/b", 7, b"payload")
    long = b"\x26" + packets.text("k" * 100) + packets.text("v" * 100)
    rest = packets.text("a/b") + b"\x00\x07" + bytes([len(long) % 128 | 128, len(long) // 128]) + long + b"payload"
    assert packets.read_publish(V5, 0x02, rest).payload == b"payload"


def test_the_answer_to_connect_says_how_many_messages_the_broker_takes() -> None:
    """Mosquitto 2.0.11's own bytes; without the property, MQTT 5 means 65535."""
    assert packets.read_connack(V5, b"\x00\x00\x06\x22\x00\x0a\x21\x27\x10") == (False, 0, 10000)
    assert packets.read_connack(V5, b"\x01\x00\x00") == (True, 0, 65535)
    assert packets.read_connack(V311, b"\x01\x05") == (True, 5, 65535)
    with pytest.raises(PacketError):
        packets.read_connack(V5, b"\x00")
