"""MQTT frames made by hand: whatever the stream's pieces, the packets that come out are those that went in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phongmay_simulate import frames

MESSAGES = st.tuples(st.integers(1, frames.MAX_PACKET), st.binary(min_size=1, max_size=40), st.binary(max_size=400))


@given(st.lists(MESSAGES, max_size=12), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_a_stream_cut_anywhere_gives_the_same_packets(
    messages: list[tuple[int, bytes, bytes]], cuts: list[int]
) -> None:
    """TCP has no messages: a packet may come in pieces, and several in one piece."""
    stream = b"".join(frames.publish(*message) for message in messages)
    found: list[tuple[bytes, bytes, bytes]] = []
    rest, position, number = b"", 0, 0
    while position < len(stream):
        size = cuts[number % len(cuts)]
        packets, rest = frames.split(rest + stream[position : position + size])
        found += [frames.content(*packet) for packet in packets]
        position, number = position + size, number + 1
    assert rest == b""
    assert found == [(topic, packet.to_bytes(2, "big"), payload) for packet, topic, payload in messages]


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
def test_lengths_at_the_edges_of_their_bytes(size: int) -> None:
    """The remaining length grows a byte at 128, 16,384 and 2,097,152."""
    packet = b"\x30" + frames.length(size) + bytes(size)
    packets, rest = frames.split(packet)
    assert [len(body) for _, body in packets] == [size]
    assert rest == b""


def test_what_is_no_mqtt_is_refused() -> None:
    """A length of five bytes would make a reader wait for ever."""
    with pytest.raises(ValueError, match="four bytes"):
        frames.split(b"\x30\xff\xff\xff\xff\x01")
    with pytest.raises(ValueError, match="longer than MQTT allows"):
        frames.length(2**28)
