"""Joins the two TUN devices of a line and lets packets wait on the way: `python -m benchmarks._lab.forwarder`.

Arguments: line, milliseconds downwards, milliseconds upwards. A plain loop: what comes in gets a due time, what is due
goes out. It prints "ready" once, and its own processor share in the end is the lab's affair. This kernel has no netem.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import struct
import sys
import time
from collections import deque

_TUNSETIFF = 0x400454CA
_IFF_TUN_NO_PI = 0x1001
_BURST = 256


def enter(namespace: str) -> None:
    """Move this thread into a named network namespace."""
    with open(f"/run/netns/{namespace}") as found:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(found.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")


def attach(name: str) -> int:
    """Open a TUN device of the present namespace."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN_NO_PI))
    return tun


def forward(internet: int, router: int, down_s: float, up_s: float) -> None:
    """Carry packets for ever."""
    down: deque[tuple[float, bytes]] = deque()
    up: deque[tuple[float, bytes]] = deque()
    ways = ((internet, router, down_s, down), (router, internet, up_s, up))
    both = (internet, router)
    clock, read, write = time.monotonic, os.read, os.write
    while True:
        due = min(queue[0][0] for queue in (down, up) if queue) if down or up else None
        # not poll, which waits whole milliseconds: a packet would be late by up to one, more on one way than the other
        select.select(both, (), (), 1.0 if due is None else max(0.0, due - clock()))
        for source, target, delay, queue in ways:
            try:
                for _ in range(_BURST):
                    packet = read(source, 2048)
                    queue.append((clock() + delay, packet))
            except BlockingIOError:
                pass
            now = clock()
            while queue and queue[0][0] <= now:
                try:
                    write(target, queue.popleft()[1])
                except OSError:  # a packet that the other side does not take is lost, as on a line
                    continue


def main(line: str, down_ms: str, up_ms: str) -> None:
    """Run one line, before everything else where that is allowed: it stands for a wire."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
    internet = attach(f"wani{line}")
    enter("router")
    router = attach(f"wanr{line}")
    print("ready", flush=True)
    forward(internet, router, float(down_ms) / 1000, float(up_ms) / 1000)


if __name__ == "__main__":
    main(*sys.argv[1:])
