"""Source addresses of a line, as a person writes them: a text goes in, addresses and networks in one form come out.

They are the school's public addresses, as a server beyond the line sees them. What is none of them, or a network that
takes in half of the Internet, raises ValueError.
"""

from __future__ import annotations

import ipaddress
import re

MAX_ADDRESSES = 16
LONGEST_TEXT = MAX_ADDRESSES * 52
"""Characters in which so many can be written, each as long as IPv6 with a prefix gets, a comma and a space between."""
EXPECTED = (
    f"IP addresses or networks such as 203.0.113.7 or 203.0.113.8/29, at most {MAX_ADDRESSES}, with commas between"
)
_LEAST_PREFIX = 8


def read_addresses(text: str) -> tuple[str, ...]:
    """Give the addresses and networks of a text, each once and in the shortest form.

    Raises:
        ValueError: there is none, there are too many, or a piece is neither.
    """
    pieces = [piece for piece in re.split(r"[\s,;|]+", text) if piece]
    if not 1 <= len(pieces) <= MAX_ADDRESSES:
        raise ValueError(text)
    found = []
    for piece in pieces:
        network = ipaddress.ip_network(piece, strict=False)
        if network.prefixlen < _LEAST_PREFIX:
            raise ValueError(piece)
        whole = network.prefixlen == network.max_prefixlen
        found.append(str(network.network_address) if whole else str(network))
    return tuple(dict.fromkeys(found))


def write_addresses(addresses: tuple[str, ...]) -> str:
    """Write them as they are stored."""
    return ", ".join(addresses)
