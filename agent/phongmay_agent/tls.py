"""TLS to the broker on a school's PC: its clock may be wrong, and nothing may hang long.

A CA goes in, the context of one connection comes out. Only where the machine's clock is beyond belief, as after a dead
CMOS battery, is the certificate's period not looked at: a PC that wakes up in 2009 would otherwise be cut off for ever.
A CA that cannot be read is a TlsError.
"""

from __future__ import annotations

import ssl

from phongmay_contract.tls import client_context

EARLIEST = 1_767_225_600.0
"""2026-01-01: a wall clock before this is wrong, since this program is younger."""
HANDSHAKE_S = 5.0
"""How long the broker may take for one step of the handshake; nothing is measured meanwhile."""
_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python does not name."""


class _Bounded(ssl.SSLSocket):
    """A socket whose handshake does not wait as long as paho would: its keepalive."""

    def settimeout(self, value: float | None) -> None:
        """Set the time-out, but none beyond HANDSHAKE_S."""
        super().settimeout(HANDSHAKE_S if value is None else min(value, HANDSHAKE_S))


def make_context(ca: str, wall: float) -> ssl.SSLContext:
    """Make the context of one connection.

    Args:
        ca: certificates in PEM.
        wall: what this machine's wall clock says.

    Raises:
        ssl.SSLError, ValueError: the CA is none.
    """
    context = client_context(ca)
    context.sslsocket_class = _Bounded
    if wall < EARLIEST:
        context.verify_flags |= _NO_CHECK_TIME
    return context


def has_more(sock: object) -> bool:
    """Tell whether a socket holds bytes that were read already: no select wakes up for those."""
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
