"""The lab's coordinator: gives agents receipts (and with them the time), sends orders, gathers results and the report.

Plays the part of collector and campaigns on the lab's broker; what it uses of the product is what they use too.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from phongmay_bandwidth.fetch import FetchError, fetch_report
from phongmay_bandwidth.order import RunOrder
from phongmay_bandwidth.report import RunReport
from phongmay_bandwidth.result import ParticipantResult
from phongmay_bandwidth.ticket import new_nonce
from phongmay_contract import keys
from phongmay_contract.command import Command, Order, sign_command
from phongmay_contract.envelope import Receipt, decode_live, encode_receipt
from phongmay_contract.errors import ContractError
from phongmay_contract.topics import ENVELOPE_KINDS, ROOT, Kind, build, parse


class Coordinator:
    """One school's orders and results."""

    def __init__(self, host: str, port: int, secrets: dict[str, str]) -> None:
        self._secrets = secrets
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._results: dict[str, dict[str, ParticipantResult]] = {}
        self.events: list[str] = []
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="collector")
        self._client.on_connect = lambda client, *_: client.subscribe(f"{ROOT}/#", qos=1)
        self._client.on_message = self._on_message
        self._client.connect(host, port)
        self._client.loop_start()

    def _on_message(self, _client: Any, _user: Any, message: mqtt.MQTTMessage) -> None:
        with contextlib.suppress(ContractError):
            topic = parse(message.topic)
            if topic.kind not in ENVELOPE_KINDS:
                return
            envelope, _ = decode_live(bytes(message.payload))
            receipt = encode_receipt([Receipt(envelope.run, ((envelope.seq, envelope.seq),))], at=time.time())
            self._client.publish(build(topic.device, Kind.RECEIPT), receipt, qos=1)
            with self._lock:
                self._known.add(topic.device)
                if topic.kind is Kind.CAMPAIGN:
                    result = ParticipantResult.from_groups(envelope.body)
                    self._results.setdefault(result.campaign_run, {})[topic.device] = result
                elif topic.kind is Kind.EVENT:
                    self.events.append(f"{topic.device}: {envelope.body[0].values.get('code')}")

    def wait_for(self, devices: Sequence[str], patience_s: float = 60.0) -> None:
        """Wait until every device has been heard (and so has had a receipt)."""
        self._wait(lambda: set(devices) <= self._known, "agents", patience_s)
        time.sleep(0.3)

    def order(self, orders: dict[str, RunOrder]) -> None:
        """Send everybody his order."""
        for device, order in orders.items():
            command = Command(device, Order.CAMPAIGN_START, new_nonce(), time.time() + 60, order.to_body())
            self._publish(device, command)

    def abort(self, run: str, devices: Sequence[str]) -> None:
        """Send everybody the abort."""
        for device in devices:
            self._publish(device, Command(device, Order.CAMPAIGN_ABORT, new_nonce(), time.time() + 60, {"run": run}))

    def _publish(self, device: str, command: Command) -> None:
        key = keys.command_key(self._secrets[device])
        self._client.publish(build(device, Kind.COMMAND), sign_command(key, command), qos=1)

    def results(self, run: str, devices: Sequence[str], patience_s: float) -> dict[str, ParticipantResult]:
        """Wait for the results of a run; give what came."""
        with contextlib.suppress(TimeoutError):
            self._wait(lambda: set(devices) <= self._results.get(run, {}).keys(), "results", patience_s)
        with self._lock:
            return dict(self._results.get(run, {}))

    def report(self, host: str, port: int, key: bytes, run: str, patience_s: float = 20.0) -> RunReport:
        """Fetch the finished report."""
        end = time.monotonic() + patience_s
        while True:
            with contextlib.suppress(FetchError):
                report = fetch_report(host, port, key, run)
                if report.finished or time.monotonic() > end:
                    return report
            if time.monotonic() > end:
                raise TimeoutError("the report")
            time.sleep(0.2)

    def _wait(self, condition: Callable[[], bool], what: str, patience_s: float) -> None:
        end = time.monotonic() + patience_s
        while True:
            with self._lock:
                if condition():
                    return
            if time.monotonic() > end:
                raise TimeoutError(what)
            time.sleep(0.05)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()
