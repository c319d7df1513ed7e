"""Many MQTT devices from one thread on raw sockets: frames that are ready go out, acknowledgements and receipts count.

In: identities, then payloads. Out: real MQTT 3.1.1 sessions at QoS 1 with the rights of devices, subscribed to their
receipts. Whoever is not let in, or gets no answer in time, raises OperatorError. It costs the machine little, so that
what is measured beside it is the broker and the collector.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec

from phongmay_contract import keys, topics
from phongmay_contract.errors import OperatorError
from phongmay_contract.topics import Kind
from phongmay_simulate.enrolling import Identity

MAX_PENDING = 32
"""Connects on their way at the same time: the broker's listen backlog is 100."""
PATIENCE_S = 60.0
_CHUNK = 1 << 18


class _Receipts(msgspec.Struct):
    stored: list[tuple[int, int]]
    refused: list[tuple[int, str]] = []


class _Message(msgspec.Struct):
    runs: list[_Receipts]


_READ_RECEIPT = msgspec.json.Decoder(_Message)


def _text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2, "big") + raw


def _frame(first: int, rest: bytes) -> bytes:
    length, head = len(rest), bytearray([first])
    while True:
        length, digit = divmod(length, 128)
        head.append(digit | (128 if length else 0))
        if not length:
            return bytes(head) + rest


class Device:
    """One session."""

    def __init__(self, identity: Identity) -> None:
        self.id = identity.device_id
        self.ready = False
        self.acknowledged = self.receipted = self.refused = 0
        self.out = bytearray()
        self.sock = socket.create_connection((identity.broker_host, identity.broker_port), timeout=10)
        self.sock.setblocking(False)
        self._packet = 0
        self._in = bytearray()
        flags = 0x80 | 0x40 | 0x02  # user name, password, clean session
        password = keys.mqtt_password(identity.secret)
        head = _text("MQTT") + bytes([4, flags]) + (600).to_bytes(2, "big")
        self.out += _frame(0x10, head + _text(self.id) + _text(self.id) + _text(password))
        self.out += _frame(0x82, b"\x00\x01" + _text(topics.build(self.id, Kind.RECEIPT)) + b"\x01")

    def publish(self, kind: Kind, payload: bytes) -> None:
        """Put a QoS 1 message into the outgoing bytes."""
        self._packet = self._packet % 65000 + 2
        rest = _text(topics.build(self.id, kind)) + self._packet.to_bytes(2, "big") + payload
        self.out += _frame(0x32, rest)

    def read(self, data: bytes) -> None:
        """Take bytes of the broker."""
        inside = self._in
        inside += data
        at = 0
        while (found := _length(inside, at)) is not None:
            begin, end = found
            if end > len(inside):
                break
            self._take(inside[at] >> 4, inside[at] >> 1 & 3, bytes(inside[begin:end]))
            at = end
        del inside[:at]

    def _take(self, kind: int, qos: int, rest: bytes) -> None:
        if kind == 2 and rest[1] != 0:
            raise OperatorError(f"the broker does not let {self.id} in: {rest[1]}")
        if kind == 9:
            self.ready = True
        elif kind == 4:
            self.acknowledged += 1
        elif kind == 3:
            at = 2 + int.from_bytes(rest[:2], "big")
            if qos:
                self.out += b"\x40\x02" + rest[at : at + 2]
                at += 2
            for run in _READ_RECEIPT.decode(rest[at:]).runs:
                self.receipted += sum(last - first + 1 for first, last in run.stored)
                self.refused += len(run.refused)


def _length(data: bytearray, at: int) -> tuple[int, int] | None:
    """Give begin and end of the packet's rest, or None while its length is not there."""
    length = shift = 0
    for index in range(at + 1, min(at + 5, len(data))):
        length |= (data[index] & 127) << shift
        shift += 7
        if data[index] < 128:
            return index + 1, index + 1 + length
    return None


class Wire:
    """All sessions under one selector."""

    def __init__(self, identities: Iterable[Identity]) -> None:
        self.devices: list[Device] = []
        self._selector = selectors.DefaultSelector()
        pending: list[Device] = []
        for identity in identities:
            device = Device(identity)
            self._selector.register(device.sock, selectors.EVENT_READ, device)
            self.devices.append(device)
            pending.append(device)
            while len(pending) >= MAX_PENDING:
                self.exchange(pending, 0.01)
                pending = [one for one in pending if not one.ready]
        self.until(lambda: all(device.ready for device in pending), "sessions", pending)

    def exchange(self, senders: Sequence[Device] = (), wait_s: float = 0.05) -> None:
        """Write what waits of some devices, read what came of all."""
        for device in senders:
            if device.out:
                self._write(device)
        for key, _ in self._selector.select(wait_s):
            device = key.data
            data = device.sock.recv(_CHUNK)
            if not data:
                raise OperatorError(f"the broker closed the session of {device.id}")
            device.read(data)
            if device.out:
                self._write(device)

    @staticmethod
    def _write(device: Device) -> None:
        try:
            del device.out[: device.sock.send(device.out)]
        except BlockingIOError:
            return

    def until(self, done: Callable[[], bool], what: str, senders: Sequence[Device] = ()) -> None:
        """Exchange until something is true."""
        end = time.monotonic() + PATIENCE_S
        while not done():
            if time.monotonic() > end:
                raise OperatorError(f"still no {what} after {PATIENCE_S:.0f} s")
            self.exchange(senders or self.devices)

    @property
    def receipted(self) -> int:
        """Envelopes that have a receipt."""
        return sum(device.receipted for device in self.devices)

    def close(self) -> None:
        """End all sessions."""
        for device in self.devices:
            device.sock.close()
        self._selector.close()
