"""What the system's TCP can tell and be told: congestion control, pacing, TCP_INFO; absent where a system has none.

A socket goes in, numbers come out; every function gives None, "" or False instead of an error where the system (or its
age) does not know the option, so the same code runs on Windows and macOS.
"""

from __future__ import annotations

import contextlib
import platform
import re
import socket
import struct
import sys
from dataclasses import dataclass

CONGESTION_CONTROL = "cubic"
"""Set explicitly: a system's default may be bbr, whose shares are uneven."""
_SO_MAX_PACING_RATE = 47
_FIRST_BUFFER = 32768
_FIXED_BUFFER = 212992
"""Largest send buffer that may be asked for on a plain system; a fixed one grows no more."""
_LONGEST_RTT_S = 0.4
"""Round trip up to which a fixed buffer must not be the limit."""
_TCP_NOTSENT_LOWAT = 25
_TCP_INFO = struct.Struct("=8B24I4Q6I4Q2I2Q")
"""struct tcp_info of Linux 4.19 and newer, up to bytes_retrans."""


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """The part of TCP_INFO that is read; times in seconds."""

    acked_bytes: int
    sent_bytes: int
    """Payload put on the wire, what was sent again included."""
    retransmitted_bytes: int
    rtt_s: float
    min_rtt_s: float
    rwnd_limited_s: float
    sndbuf_limited_s: float


def tcp_info(sock: socket.socket) -> TcpInfo | None:
    """Ask TCP how a connection fares."""
    if sys.platform != "linux":
        return None
    try:
        raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    except OSError:
        return None
    if len(raw) < _TCP_INFO.size:
        return None
    found = _TCP_INFO.unpack(raw)
    return TcpInfo(
        acked_bytes=found[34],
        sent_bytes=found[48],
        retransmitted_bytes=found[49],
        rtt_s=found[23] / 1e6,
        min_rtt_s=found[39] / 1e6,
        rwnd_limited_s=found[44] / 1e6,
        sndbuf_limited_s=found[45] / 1e6,
    )


def set_congestion_control(sock: socket.socket) -> str:
    """Ask for cubic and give what is in force then; "" where the system does not tell."""
    if sys.platform != "linux":
        return ""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, CONGESTION_CONTROL.encode())
    try:
        name = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    except OSError:
        return ""
    return name.split(b"\0")[0].decode("ascii", "replace")


def set_pacing(sock: socket.socket, rate_bps: float, ahead_s: float = 0.25) -> bool:
    """Let the kernel pace the payload of a connection; False where it cannot.

    Args:
        sock: the sending end.
        rate_bps: payload rate.
        ahead_s: so much may wait in the kernel unsent, for a program that is late.
    """
    if sys.platform != "linux" or not _paces(platform.release()):
        return False
    rate = max(1, round(rate_bps / 8))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, struct.pack("=Q", rate))
        # no more than the kernel needs waits unsent: what waits when the window ends is thrown away
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, max(16384, min(524288, int(rate * ahead_s))))
        if ahead_s * rate > _FIRST_BUFFER and _LONGEST_RTT_S * rate <= _FIXED_BUFFER:
            # the system's own growth follows the window, which stays small at a slow pace
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, min(_FIXED_BUFFER, int(rate * ahead_s)))
    except OSError:
        return False
    return True


def _paces(release: str) -> bool:
    """Tell whether a kernel paces TCP by itself; older ones leave the rate to a queue that may not be there."""
    numbers = [int(piece) for piece in re.findall(r"\d+", release)[:2]]
    return numbers >= [4, 13]


def cut(sock: socket.socket) -> None:
    """Close at once: what is still queued is thrown away, so that it does not run into the next direction."""
    with contextlib.suppress(OSError):
        sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        )
    sock.close()
