"""`scripts/bench fleet`: what a simulated connection and its messages cost, so that a load is not its generator's.

Opens thousands of real connections at a Mosquitto of its own and sends equal QoS 1 messages. Prints connect_s,
kib_a_client, us_a_message and us_a_message_steady; beside them stands paho on an external loop (what the simulator
used before, ADR 13) with the same messages at the same broker. The last line is JSON.
"""

from __future__ import annotations

import gc
import json
import selectors
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks._arguments import Arguments
from phongmay.demo.processes import Children, free_port, wait_for_port
from phongmay_simulate.enrolling import Identity
from phongmay_simulate.load import Load, percentile

PAHO_CLIENTS = 200
_PATIENCE_S = 120.0


def run(arguments: list[str]) -> None:
    """Measure both, and print."""
    parser = Arguments("fleet", __doc__)
    parser.add_argument("--connections", type=int, default=10_000, help="how many (default: %(default)s)")
    parser.add_argument("--messages", type=int, default=100_000, help="how many (default: %(default)s)")
    args = parser.parse_args(arguments)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="phongmay-bench-") as folder:
        settings = Path(folder) / "mosquitto.conf"
        settings.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nuse_username_as_clientid true\n"
            "max_inflight_messages 0\nmax_queued_messages 0\n", "utf-8"
        )  # fmt: skip
        broker = subprocess.Popen(["mosquitto", "-c", str(settings)], stderr=subprocess.DEVNULL)
        try:
            wait_for_port(port, Children(Path(folder)))
            figures = _ours(port, args.connections, args.messages)
            figures["paho_us_a_message"] = _paho(port, args.messages // 10)
        finally:
            broker.terminate()
            broker.wait(10)
    figures["message_ratio"] = figures["us_a_message"] / figures["paho_us_a_message"]
    print(f"{'figure':<24}{'value':>12}   {args.connections} connections, {args.messages} messages")
    for key, value in figures.items():
        print(f"{key:<24}{value:>12.3f}")
    print(json.dumps({key: round(value, 3) for key, value in figures.items()}))


def _ours(port: int, connections: int, messages: int) -> dict[str, float]:
    identities = [Identity(f"pc-{number:06d}", "0" * 64, "127.0.0.1", port) for number in range(connections)]
    gc.collect()
    process = psutil.Process()
    before = process.memory_full_info().uss
    load = Load(identities)
    begin, cpu = time.monotonic(), time.process_time()
    load.open()
    connect_s, connect_cpu = time.monotonic() - begin, time.process_time() - cpu
    kib = (process.memory_full_info().uss - before) / 1024 / connections
    cpu = time.process_time()
    load.burst(messages)
    burst = (time.process_time() - cpu) / messages * 1e6
    load.forget()
    cpu = time.process_time()
    sent = load.steady(2083, 5.0)
    steady = (time.process_time() - cpu) / sent * 1e6
    late = percentile(load.late, 0.99)
    load.close()
    return {
        "connect_s": connect_s, "connect_us_cpu": connect_cpu / connections * 1e6, "kib_a_client": kib,
        "us_a_message": burst, "us_a_message_steady": steady, "late_s_p99": late,
    }  # fmt: skip


def _paho(port: int, messages: int) -> float:
    """Give paho's CPU microseconds a message, driven by one selector without threads."""
    selector = selectors.DefaultSelector()
    clients = []
    for number in range(PAHO_CLIENTS):
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"paho-{number}")
        client.username_pw_set(f"paho-{number}", "x")
        client.max_queued_messages_set(0)
        client.connect("127.0.0.1", port)
        selector.register(_number(client), selectors.EVENT_READ | selectors.EVENT_WRITE, client)
        clients.append(client)
    _turn_until(selector, clients, lambda: all(client.is_connected() for client in clients))
    payload = b"x" * 600
    begin = time.process_time()
    done = [0]
    for client in clients:
        client.on_publish = lambda *_: done.__setitem__(0, done[0] + 1)
    for number in range(messages):
        clients[number % PAHO_CLIENTS].publish("phongmay/v1/paho/round", payload, qos=1)
        if number % 256 == 255:
            _turn(selector)
    _turn_until(selector, clients, lambda: done[0] >= messages)
    used = (time.process_time() - begin) / messages * 1e6
    for client in clients:
        client.disconnect()
    return used


def _number(client: mqtt.Client) -> int:
    sock = client.socket()
    if sock is None:
        raise ConnectionError("the broker closed a connection of paho's")
    return sock.fileno()


def _turn(selector: selectors.BaseSelector) -> None:
    for key, events in selector.select(0.005):
        client: mqtt.Client = key.data
        if events & selectors.EVENT_READ:
            client.loop_read()
        if events & selectors.EVENT_WRITE and client.want_write():
            client.loop_write()


def _turn_until(selector: selectors.BaseSelector, clients: list[mqtt.Client], done: Any) -> None:
    """Turn, and ask for writing only where something waits, until it is done."""
    end = time.monotonic() + _PATIENCE_S
    while not done():
        if time.monotonic() > end:
            raise TimeoutError("paho did not get its acknowledgements")
        for client in clients:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.want_write() else 0)
            selector.modify(_number(client), events, client)
        _turn(selector)
