"""A queued backlog through the real collector: its processor time a point, and how fast it drains.

The collector is stopped (SIGSTOP) while Mosquitto fills its queue, then let go; the end is the last receipt, so that
commit, acknowledgement and receipt are in the figure. Reference of the same run: influxd alone, given identical lines,
encoded beforehand, in blocks of 5,000.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks._influxd import Cost, Influxd, cpu_s
from benchmarks._points import group, message
from benchmarks._server import lay_out
from benchmarks._wire import Wire
from phongmay.demo.processes import Children, free_port, wait_for_port
from phongmay_contract.envelope import Group
from phongmay_contract.errors import OperatorError
from phongmay_contract.topics import Kind
from phongmay_simulate.enrolling import Identity

BLOCK = 5_000
SENDERS = 1_000
_RUN, _SESSION = "0123456789abcdef", "fedcba9876543210"
_SEND_AT_ONCE = 20_000


class Drained(NamedTuple):
    """What the backlog took: the collector's cost, and Mosquitto's and influxd's processor seconds meanwhile."""

    collector: Cost
    broker_cpu_s: float
    influxd_cpu_s: float


def ceiling(influxd: Influxd, count: int) -> Cost:
    """Write equal points straight into influxd."""
    start = int(time.time()) - count
    lines = [_line(f"pc-ceiling{number % SENDERS:05d}", start + number, group()) for number in range(count)]
    blocks = ["\n".join(lines[at : at + BLOCK]).encode() for at in range(0, count, BLOCK)]
    influxd.write_all(blocks[:1])  # the first makes the series and warms up
    return influxd.write_all(blocks)


def _line(device: str, second: int, point: Group) -> str:
    cells = []
    for name, value in point.values.items():
        if isinstance(value, str):
            cells.append(f'{name}="{value}"')
        else:
            cells.append(f"{name}={value}i" if isinstance(value, int) else f"{name}={value}")
    return f"{point.measurement},device={device} {','.join(cells)} {second}000000000"


def drain(folder: Path, count: int, store: str) -> Drained:
    """Queue `count` messages for a collector with this [store], and let it go."""
    port = free_port()
    config, identities = lay_out(folder, port, SENDERS, store)
    children = Children(folder)
    try:
        broker = children.start("broker", ["phongmay", "--config", str(config), "broker", "run"])
        wait_for_port(port, children)
        collector = children.start("collector", ["phongmay", "--config", str(config), "collector", "run"])
        _listens(folder / "collector.log", children)
        wire = Wire(identities)
        try:
            _greet(wire, identities)
            pid = collector.process.pid
            os.kill(pid, signal.SIGSTOP)
            _queue(wire, identities, count)
            before, broker_before, start = cpu_s(pid), cpu_s(broker.process.pid), time.monotonic()
            os.kill(pid, signal.SIGCONT)
            wanted = wire.receipted + count
            wire.until(lambda: wire.receipted >= wanted, "last receipt")
            cost = Cost(time.monotonic() - start, cpu_s(pid) - before)
            return Drained(cost, cpu_s(broker.process.pid) - broker_before, 0.0)
        finally:
            wire.close()
    finally:
        children.stop_all()


def _listens(log: Path, children: Children) -> None:
    """Wait until the collector has subscribed: what comes earlier, the broker drops."""
    end = time.monotonic() + 30.0
    while log.read_text("utf-8").count(" connected user=") < 2:
        children.check()
        if time.monotonic() > end:
            raise OperatorError("the collector does not connect")
        time.sleep(0.1)
    time.sleep(1.5)  # a marker has come round


def _greet(wire: Wire, identities: list[Identity]) -> None:
    """Let every device send one message, so that its clock is known before the backlog."""
    for device, identity in zip(wire.devices, identities, strict=True):
        device.publish(Kind.ROUND, message(identity.device_id, _RUN, _SESSION, 0))
    wire.until(lambda: all(device.receipted for device in wire.devices), "first receipts")


def _queue(wire: Wire, identities: list[Identity], count: int) -> None:
    sent = 0
    already = sum(device.acknowledged for device in wire.devices)
    while sent < count:
        for number in range(sent, min(sent + _SEND_AT_ONCE, count)):
            device = wire.devices[number % len(wire.devices)]
            seq = 1 + number // len(wire.devices)
            payload = message(identities[number % len(identities)].device_id, _RUN, _SESSION, seq)
            device.publish(Kind.ROUND, payload)
        sent = min(sent + _SEND_AT_ONCE, count)
        wanted = already + sent
        wire.until(lambda wanted=wanted: sum(one.acknowledged for one in wire.devices) >= wanted, "acknowledgements")
