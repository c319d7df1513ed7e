"""Magic packets to neighbours."""

from __future__ import annotations

import socket

import pytest

from phongmay_agent.waking import MOST, magic_packet, wake


@pytest.mark.parametrize("text", ["00:1a:2b:3c:4d:5e", "00-1A-2B-3C-4D-5E", "001a2b3c4d5e"])
def test_a_magic_packet(text: str) -> None:
    """Six bytes ff and sixteen times the address, in whatever way the address is written."""
    assert magic_packet(text) == b"\xff" * 6 + bytes.fromhex("001a2b3c4d5e") * 16


@pytest.mark.parametrize("text", ["", "00:1a:2b:3c:4d", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "zz:1a:2b:3c:4d:5e"])
def test_what_is_no_card_gets_no_packet(text: str) -> None:
    """Groups of cards, the empty address and other texts wake nobody."""
    assert magic_packet(text) is None


def test_packets_travel() -> None:
    """A real socket receives each packet; what is no text and what is beyond a room is left out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as card:
        card.bind(("127.0.0.1", 0))
        card.settimeout(5)
        assert wake(["00:1a:2b:3c:4d:5e", 7, "no"], [card.getsockname()]) == 1
        assert card.recv(200) == magic_packet("00:1a:2b:3c:4d:5e")
    assert wake(["00:1a:2b:3c:4d:5e"] * (MOST + 5), []) == MOST
