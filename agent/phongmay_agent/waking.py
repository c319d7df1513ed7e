"""Wakes neighbours that are off: hardware addresses go in, magic packets (Wake-on-LAN) go out on this network.

A packet is six bytes 0xff and sixteen times the address, sent three times as a broadcast to the ports that cards listen
on. Nobody answers, so nothing comes back; an address that is none is left out and counted.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable

MOST = 100
"""Neighbours that one order may wake: a room, not a district."""
EVERYBODY = (("255.255.255.255", 9), ("255.255.255.255", 7))
"""Broadcasts to the ports that cards listen on."""
_REPEATS = 3
_ADDRESS = re.compile(r"[0-9a-f]{2}([:-]?[0-9a-f]{2}){5}")


def magic_packet(address: str) -> bytes | None:
    """Make the packet that wakes a card; None when the text is no address of one card."""
    text = address.strip().lower()
    if not _ADDRESS.fullmatch(text):
        return None
    card = bytes.fromhex(re.sub("[:-]", "", text))
    if card[0] & 1 or not any(card):  # a group of cards, or none
        return None
    return b"\xff" * 6 + card * 16


def wake(addresses: Iterable[object], targets: Iterable[tuple[str, int]] = EVERYBODY) -> int:
    """Send the packets and give to how many cards.

    Raises:
        OSError: the network takes no broadcast.
    """
    packets = [packet for text in list(addresses)[:MOST] if isinstance(text, str) and (packet := magic_packet(text))]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for _ in range(_REPEATS):
            for packet in packets:
                for target in targets:
                    sender.sendto(packet, target)
    return len(packets)
