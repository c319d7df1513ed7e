"""Broker to disk: how fast the real collector drains a queued backlog, and what each message costs it.

One message = one envelope with one round of six groups at QoS 1, never batched by the sender. The collector is
stopped (SIGSTOP) while the backlog builds up in Mosquitto, then let go; the end is the last receipt, so commit,
acknowledgement and receipt are in the figure. Reference: mosquitto_sub reading equal messages at QoS 1.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks._server import lay_out
from phongmay.demo.processes import Children, free_port, wait_for_port
from phongmay_contract.envelope import Envelope, Transit, encode_live
from phongmay_contract.topics import Kind
from phongmay_simulate.agent import SimulatedAgent
from phongmay_simulate.district import Role
from phongmay_simulate.machine import Machine
from phongmay_simulate.wire import Wire

SENDERS = 50
PATIENCE_S = 120.0


def measure(folder: Path, count: int) -> dict[str, tuple[float, str]]:
    """Give messages_per_s and collector_cpu_us_per_message."""
    port = free_port()
    config, identities = lay_out(folder, port, SENDERS)
    now = time.time()
    wire = Wire("127.0.0.1", port)
    senders = [
        SimulatedAgent(wire, Machine(Role.STANDARD, f"B{number}", 1e5, now), one, f"{time.time_ns() + number:016x}")
        for number, one in enumerate(identities)
    ]
    children = Children(folder)
    try:
        children.start("broker", ["phongmay", "--config", str(config), "broker", "run"])
        wait_for_port(port, children)
        collector = children.start("collector", ["phongmay", "--config", str(config), "collector", "run"])
        for sender in senders:
            sender.start()
        _until(wire, lambda: all(sender.connected for sender in senders))
        _greet(wire, senders)
        process = psutil.Process(collector.process.pid)
        os.kill(process.pid, signal.SIGSTOP)
        _send(wire, senders, count)
        cpu, start = _cpu(process), time.monotonic()
        os.kill(process.pid, signal.SIGCONT)
        _until(wire, lambda: sum(sender.unreceipted for sender in senders) == 0)
        wall, used = time.monotonic() - start, _cpu(process) - cpu
    finally:
        wire.close()
        children.stop_all()
    floor = _reference(folder, count)
    per = used / count * 1e6
    return {
        "messages_per_s": (count / wall, f"{count} queued envelopes, drained to the last receipt"),
        "collector_cpu_us_per_message": (per, f"mosquitto_sub, QoS 1: {floor:.1f} us; ratio {per / floor:.1f}"),
    }


def _greet(wire: Wire, senders: list[SimulatedAgent]) -> None:
    """Send until each sender has had a receipt: what comes before the collector subscribed, the broker drops."""
    end = time.monotonic() + PATIENCE_S
    while not all(sender.receipted for sender in senders):
        if time.monotonic() > end:
            raise TimeoutError("the collector gives no receipts")
        for sender in senders:
            sender.send(Kind.INVENTORY, sender.machine.inventory())
        _turn_for(wire, 2.0)
    for sender in senders:
        sender.forget()  # what is late is counted by nobody


def _turn_for(wire: Wire, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        wire.turn(0.02)


def _send(wire: Wire, senders: list[SimulatedAgent], count: int) -> None:
    for number in range(count):
        sender = senders[number % len(senders)]
        sender.send(Kind.ROUND, sender.machine.round(60.0))
        if number % 200 == 199:
            wire.turn(0.0)
    end = time.monotonic() + PATIENCE_S
    while any(sender.backlog for sender in senders) and time.monotonic() < end:
        wire.turn(0.02)


def _until(wire: Wire, done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > end:
            raise TimeoutError("the collector did not give all receipts")
        wire.turn(0.02)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _reference(folder: Path, count: int) -> float:
    """Give mosquitto_sub's CPU microseconds a message for equal payloads on a broker of its own."""
    port = free_port()
    settings = folder / "reference.conf"
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n", "utf-8"
    )
    machine, now = Machine(Role.STANDARD, "R", 1e5, time.time()), time.time()
    at = machine.instant(now)
    envelope = Envelope(Kind.ROUND, "pc-reference", "0" * 16, 1, at, "bench", machine.round(60.0))
    payload = encode_live(envelope, Transit("0" * 16, at))
    broker = subprocess.Popen(["mosquitto", "-c", str(settings)], stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, Children(folder))
        base = ["-h", "127.0.0.1", "-p", str(port), "-q", "1", "-t", "reference"]
        listener = subprocess.Popen(
            ["mosquitto_sub", *base, "-C", str(count)],
            stdout=subprocess.DEVNULL,
        )
        time.sleep(0.5)
        lines = (payload + b"\n") * count
        subprocess.run(["mosquitto_pub", *base, "-l"], input=lines, check=True, timeout=PATIENCE_S)
        _, _, usage = os.wait4(listener.pid, 0)
        listener.returncode = 0
    finally:
        broker.terminate()
        broker.wait(10)
    return (usage.ru_utime + usage.ru_stime) / count * 1e6
