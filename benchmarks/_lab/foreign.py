"""Somebody else's traffic: `python -m benchmarks._lab.foreign ADDRESS PORT BITS_A_SECOND SECONDS` sends UDP to a PC.

It sits in a namespace of its own: a sender in the namespace of the shaped line would have its socket's buffer charged
with what waits in the line's queue, and would be held to a third of the rate that it was asked for.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time

from benchmarks._lab.forwarder import enter
from benchmarks._lab.network import FOREIGN

_PAYLOAD_BYTES = 1472
_PACKET_BYTES = 1500


def send(address: str, port: int, rate_bps: float, seconds: float) -> None:
    """Send full packets at a rate of IP packets."""
    payload = bytes(_PAYLOAD_BYTES)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        begin, sent = time.monotonic(), 0
        while (passed := time.monotonic() - begin) < seconds:
            while sent * _PACKET_BYTES * 8 < passed * rate_bps:
                with contextlib.suppress(OSError):
                    udp.sendto(payload, (address, port))
                sent += 1
            time.sleep(0.001)


if __name__ == "__main__":
    enter(FOREIGN)
    send(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
