"""A load generator for benchmarks: N connections that send equal envelopes at a rate, and how long each receipt took.

In: identities that the register and the broker know. Out: real QoS 1 traffic, one envelope with one point a message,
never batched; the lag from sending to receipt of every envelope. It keeps no spool: what the broker drops stays
outstanding and shows. Payloads are cut out of what the contract encodes, so a message costs a few microseconds.
"""

from __future__ import annotations

import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from phongmay_contract import keys, topics
from phongmay_contract.envelope import (
    LOST,
    MAX_BACKFILL,
    ONLINE,
    Envelope,
    Group,
    Instant,
    Status,
    Transit,
    decode_receipt,
    encode_backfill,
    encode_live,
    encode_status,
)
from phongmay_contract.topics import Kind
from phongmay_simulate import frames
from phongmay_simulate.descriptors import make_room
from phongmay_simulate.enrolling import Identity, SimulationError
from phongmay_simulate.wire import Session, Wire

VERSION = "load-1"
POINT = Group(
    "campaign",
    {
        "campaign_run": "load",
        "outcome": "ok",
        "clock_offset_s": 0.011,
        "clock_rtt_s": 0.004,
        "start_error_s": 0.002,
        "down_bps": 93_500_000.5,
        "up_bps": 41_250_000.5,
        "idle_rtt_p50_s": 0.0035,
        "idle_rtt_p95_s": 0.0095,
        "loaded_rtt_p50_s": 0.0215,
        "loaded_rtt_p95_s": 0.0655,
        "ping_loss_ratio": 0.0125,
    },
)
"""Twelve fields, the point of issue and benchmark; its fourth decimal place is all that an engine can save on."""
_SEQ, _WALL, _MONO, _RUN, _SESSION, _SENDER = 7_070_707, 1e9 + 0.125, 1e6 + 0.25, "0f" * 8, "f0" * 8, "sender-mark"
_UPTIME_S = 1_000_000.0
RETRY_S = 1.0
TICK_S = 0.005
"""Between turns of a steady load; what it adds to a lag at most."""


class Template:
    """Messages of one group, cut into a pattern for `%`."""

    def __init__(self, group: Group) -> None:
        instant = Instant(_WALL, _MONO)
        envelope = Envelope(Kind.ROUND, _SENDER, _RUN, _SEQ, instant, VERSION, (group,))
        transit = Transit(_SESSION, instant)
        self._live = _pattern(encode_live(envelope, transit))
        past = _pattern(encode_backfill(_SENDER, [envelope], transit))
        mark = b'"envelopes":['
        self._past_head, _, rest = past.partition(mark)
        self._past_head += mark
        self._past_item = rest[: -len(b"]}")]

    def live(self, sender: bytes, run: bytes, seq: int, session: bytes, wall: float, mono: float) -> bytes:
        """Give a live message that is measured and sent at the same instant."""
        return self._live % (sender, run, seq, wall, mono, session, wall, mono)

    def past(
        self, sender: bytes, run: bytes, session: bytes, sent: tuple[float, float], items: Sequence[tuple[int, float]]
    ) -> bytes:
        """Give a backfill of (sequence number, seconds ago)."""
        wall, mono = sent
        body = b",".join([self._past_item % (sender, run, seq, wall - ago, mono - ago) for seq, ago in items])
        return self._past_head % (sender, session, wall, mono) + body + b"]}"


def _pattern(message: bytes) -> bytes:
    out = message.replace(b"%", b"%%")
    for mark, place in (
        (f'"{_SENDER}"'.encode(), b'"%b"'),
        (f'"{_RUN}"'.encode(), b'"%b"'),
        (f'"{_SESSION}"'.encode(), b'"%b"'),
        (f'"seq":{_SEQ}'.encode(), b'"seq":%d'),
        (f'"wall":{_WALL}'.encode(), b'"wall":%.3f'),
        (f'"mono":{_MONO}'.encode(), b'"mono":%.6f'),
    ):
        if mark not in out:
            raise AssertionError(f"the contract no longer writes {mark!r}")  # told at once, not by refused messages
        out = out.replace(mark, place)
    return out


class Sender:
    """One connection of the load; see `Load`."""

    __slots__ = (
        "_load", "_password", "_past", "_receipt_topic", "_round_topic",
        "device", "name", "run", "sent", "seq", "session", "token",
    )  # fmt: skip

    def __init__(self, load: Load, identity: Identity, run: str) -> None:
        self._load = load
        self.device = identity.device_id
        self.name = identity.device_id.encode()
        self.run = run.encode()
        self.seq = 0
        self.sent: dict[int, float] = {}
        self._password = keys.mqtt_password(identity.secret).encode()
        self._past: deque[tuple[int, float]] | None = None
        self._round_topic = topics.build(self.device, Kind.ROUND).encode()
        self._receipt_topic = topics.build(self.device, Kind.RECEIPT).encode()
        self.token = b""
        self.session = Session(load.wire, self)

    # ---- owner of a session ------------------------------------------------------------------------------------------

    def connect_frame(self) -> bytes:
        """Give the CONNECT, with the last will of this session; nothing when the load has ended."""
        if self._load.ended:
            return b""
        self.token = self._load.next_token()
        topic = topics.build(self.device, Kind.STATUS).encode()
        return frames.connect(self.name, self._password, topic, self._status(LOST), self._load.wire.keepalive_s)

    def opened(self) -> None:
        """Subscribe to receipts and say the birth."""
        self.session.subscribe(self._receipt_topic)
        topic = topics.build(self.device, Kind.STATUS).encode()
        self.session.publish(topic, self._status(ONLINE), retain=True)

    def closed(self, reason: str) -> None:
        """Come back, unless the load has ended."""
        if not self._load.ended:
            self._load.wire.open(self.session, RETRY_S)

    def heard(self, topic: bytes, payload: bytes) -> None:
        """Settle what a receipt names."""
        now = time.monotonic()
        run = self.run.decode()
        for receipt in decode_receipt(payload):
            if receipt.run == run:
                for first, last in receipt.stored:
                    for seq in range(first, last + 1):
                        self._settle(seq, now)
                for seq, reason in receipt.refused:
                    self._load.refused[f"{self.device}/{run}/{seq}"] = reason
                    self._settle(seq, now)
        if self._past:
            self.send_past()

    def _settle(self, seq: int, now: float) -> None:
        at = self.sent.pop(seq, 0.0)
        if at:
            self._load.settle(now - abs(at), live=at > 0)

    # ---- sending -----------------------------------------------------------------------------------------------------

    def send(self) -> None:
        """Send one envelope live."""
        self.seq = seq = self.seq + 1
        now = time.monotonic()
        self.sent[seq] = now
        wall, mono = now + self._load.wall_offset, now + _UPTIME_S
        message = self._load.template.live(self.name, self.run, seq, self.token, wall, mono)
        self.session.publish(self._round_topic, message)

    def come_back(self, minutes: int) -> None:
        """Have so many minutes of the past to send, one backfill after the receipt of the one before."""
        self._past = deque((self.seq + number, 60.0 * (minutes + 1 - number)) for number in range(1, minutes + 1))
        self.seq += minutes
        self.send_past()

    def send_past(self) -> None:
        """Send the next backfill, if all of the last one is receipted."""
        if not self._past or any(at < 0 for at in self.sent.values()):
            return
        items = [self._past.popleft() for _ in range(min(MAX_BACKFILL, len(self._past)))]
        now = time.monotonic()
        self.sent.update((seq, -now) for seq, _ in items)  # negative: of the past
        sent = (now + self._load.wall_offset, now + _UPTIME_S)
        message = self._load.template.past(self.name, self.run, self.token, sent, items)
        self.session.publish(topics.build(self.device, Kind.BACKFILL).encode(), message)

    @property
    def past_left(self) -> int:
        """Count envelopes of the past that have no receipt yet."""
        return (len(self._past) if self._past else 0) + sum(at < 0 for at in self.sent.values())

    def _status(self, state: str) -> bytes:
        now = time.monotonic()
        at = Instant(now + self._load.wall_offset, now + _UPTIME_S)
        return encode_status(Status(self.device, self.run.decode(), self.token.decode(), state, at, VERSION))


class Load:
    """All connections of a load.

    Args:
        identities: one connection each; all at the same broker.
        group: the one group of every envelope.
        window: unacknowledged messages of one connection.
        seed: makes run and session tokens; the same seed on the same stores sends what is stored already.

    Attributes:
        wire: the loop; `turn` it where no method of this class does.
        lags: seconds from sending to receipt of each live envelope that has its receipt.
        past_lags: the same of envelopes of the past.
        late: how late each message of `steady` was sent, against its plan: the generator's own fault.
        refused: reason by identity of what the collector refused.
    """

    def __init__(
        self, identities: Sequence[Identity], *, group: Group = POINT, window: int = 20, seed: int | None = None
    ) -> None:
        make_room(len(identities))
        first = identities[0]
        self.wire = Wire(first.broker_host, first.broker_port, window=window)
        self.template = Template(group)
        self.wall_offset = time.time() - time.monotonic()
        self.lags, self.past_lags, self.late = array("d"), array("d"), array("d")
        self.refused: dict[str, str] = {}
        self.ended = False
        self._base = time.time_ns() if seed is None else seed << 32
        self._tokens = 0
        self.senders = [Sender(self, identity, self.next_token().decode()) for identity in identities]

    def next_token(self) -> bytes:
        """Make a run or session token that no other has."""
        self._tokens += 1
        return b"%016x" % ((self._base + self._tokens) % 2**64)

    def settle(self, lag: float, *, live: bool) -> None:
        """Take down how long a receipt took."""
        (self.lags if live else self.past_lags).append(lag)

    @property
    def outstanding(self) -> int:
        """Count sent envelopes without a receipt."""
        return sum(len(sender.sent) for sender in self.senders)

    @property
    def in_flight(self) -> int:
        """Count messages without a PUBACK."""
        return sum(sender.session.in_flight for sender in self.senders)

    # ---- phases ------------------------------------------------------------------------------------------------------

    def open(self, patience_s: float = 120.0) -> None:
        """Connect all; each says its birth and subscribes to its receipts."""
        for sender in self.senders:
            self.wire.open(sender.session)
        self.until(lambda: not self.wire.opening and all(s.session.open for s in self.senders), patience_s, "connect")

    def greet(self, patience_s: float = 60.0) -> None:
        """Send one envelope on each connection until all have a receipt; what came before is forgotten."""
        for sender in self.senders:
            sender.send()
        self.until(lambda: not self.outstanding, patience_s, "get a receipt; does the collector run")
        self.forget()

    def forget(self) -> None:
        """Begin the figures anew."""
        del self.lags[:], self.past_lags[:], self.late[:]
        for sender in self.senders:
            sender.sent.clear()

    def steady(self, rate: float, seconds: float, *, each_turn: Callable[[], bool | None] | None = None) -> int:
        """Send at a rate (messages a second), each connection in its turn, and give how many were sent.

        `each_turn` is called every few milliseconds; True ends the load. Otherwise all are sent, the last ones late
        where the machine was busy at the end.
        """
        start = time.monotonic()
        order = self._round_robin()
        sent, elapsed = 0, 0.0
        while elapsed < seconds:
            elapsed = time.monotonic() - start
            due = min(int(elapsed * rate) + 1, int(seconds * rate))
            while sent < due:
                next(order).send()
                self.late.append(time.monotonic() - start - sent / rate)
                sent += 1
            self.wire.turn(0.0)
            if each_turn is not None and each_turn():
                break
            time.sleep(TICK_S)  # many sockets a turn: a wake-up for each message would cost more than the message
        return sent

    def burst(self, count: int, patience_s: float = 300.0) -> None:
        """Send as fast as the broker takes it; returns when each message has its PUBACK."""
        order = self._round_robin()
        most = self.wire.window * len(self.senders)
        for number in range(count):
            next(order).send()
            if number % 256 == 255:
                self.wire.turn(0.0)
                while self.in_flight > most:
                    self.wire.turn(0.01)
        self.until(lambda: not self.in_flight, patience_s, "get its PUBACKs")

    def come_back(self, count: int, hours: float = 24.0) -> None:
        """Let the first `count` connections send their past; it goes on in every later turn, paced by receipts."""
        for sender in self.senders[:count]:
            sender.come_back(int(hours * 60))

    @property
    def past_left(self) -> int:
        """Count envelopes of the past that have no receipt yet."""
        return sum(sender.past_left for sender in self.senders)

    def drain(self, patience_s: float = 120.0) -> None:
        """Wait until every envelope has its receipt."""
        self.until(lambda: not self.outstanding, patience_s, "get all receipts")

    def until(self, done: Callable[[], bool], patience_s: float, what: str) -> None:
        """Turn the loop until something is so.

        Raises:
            SimulationError: patience ended before.
        """
        end = time.monotonic() + patience_s
        look_at = 0.0
        while True:
            now = time.monotonic()
            if now >= look_at:  # the question goes over all connections, so it is not asked every turn
                if done():
                    return
                if now > end:
                    raise SimulationError(
                        f"the load did not {what} within {patience_s:.0f} s: {self.outstanding} envelopes outstanding, "
                        f"{self.wire.connects} connects, {self.wire.losses} losses, {self.wire.refusals} refusals"
                    )
                look_at = now + 0.02
            self.wire.turn(0.005)

    def close(self) -> None:
        """Cut all connections."""
        self.ended = True
        self.wire.close()

    def _round_robin(self) -> Iterator[Sender]:
        while True:
            for sender in self.senders:
                if sender.session.open:
                    yield sender


def percentile(values: Sequence[float], share: float) -> float:
    """Give the value below which a share of the values lies; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
