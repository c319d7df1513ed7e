"""What an agent does on the wire, for one simulated PC: a spool in memory, runs, sessions, receipts, backfill.

Measurements go in; real MQTT traffic comes out, and the record of every run for the ledger. As the real agent, it
forgets an envelope only on its receipt, sends again what has none, and sends the past only after a receipt in this
session has shown that a collector listens. It can also misbehave on purpose: send twice, send in the wrong order, fall
back to an old disk.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from phongmay_contract import keys, topics
from phongmay_contract.envelope import (
    GOODBYE,
    LOST,
    MAX_BACKFILL,
    ONLINE,
    Envelope,
    Group,
    Status,
    Transit,
    decode_receipt,
    encode_backfill,
    encode_live,
    encode_status,
)
from phongmay_contract.topics import Kind
from phongmay_simulate import frames
from phongmay_simulate.enrolling import Identity
from phongmay_simulate.machine import Machine
from phongmay_simulate.ranges import Ranges
from phongmay_simulate.wire import Session, Wire

VERSION = "sim-0.2"
RECONNECT_S = 1.0
RESEND_S = 10.0

Key = tuple[str, int]
"""(run, sequence number)."""
Spool = dict[Key, Envelope]
"""Envelopes that wait for their receipts, oldest first."""


@dataclass(slots=True)
class RunRecord:
    """What became of the envelopes of one run.

    Attributes:
        made: number of the newest one; they count from 1.
        sent: those that left at least once.
        receipted: those whose receipt came.
        refused: those that the collector refused, with the reason.
        wiped: those without a receipt that the sender's own disk lost when it fell back to an old state.
        days: those measured on each day (days since 1970 UTC): a store keeps single rows for some days only.
    """

    made: int = 0
    sent: Ranges = field(default_factory=Ranges)
    receipted: Ranges = field(default_factory=Ranges)
    refused: dict[int, str] = field(default_factory=dict)
    wiped: Ranges = field(default_factory=Ranges)
    days: dict[int, Ranges] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mischief:
    """How often messages are sent twice or behind the next one; chances of each live message."""

    chance: random.Random
    twice: float = 0.0
    late: float = 0.0


class SimulatedAgent:
    """One agent with its identity, its spool and one session.

    Args:
        wire: the loop that carries the session.
        machine: its clocks and what is wrong with it.
        identity: id, secret and broker.
        run: of the agent's present start.
        mischief: what goes wrong on purpose.
        resend_s: seconds without a receipt after which an envelope goes out again.
        on_open: called behind the birth of each session.

    Attributes:
        runs: record of each run.
        stopped: switched off or cut; it does not come back by itself.
        heard_receipt: a receipt came in this session.
    """

    def __init__(
        self,
        wire: Wire,
        machine: Machine,
        identity: Identity,
        run: str,
        mischief: Mischief | None = None,
        *,
        resend_s: float = RESEND_S,
        on_open: Callable[[SimulatedAgent], None] | None = None,
    ) -> None:
        self.machine = machine
        self.identity = identity
        self.run = run
        self.runs: dict[str, RunRecord] = {run: RunRecord()}
        self.stopped = True
        self.heard_receipt = False
        self.session = Session(wire, self)
        self._wire = wire
        self._mischief = mischief
        self._resend_s = resend_s
        self._on_open = on_open
        self._token = ""
        self._spool: Spool = {}
        self._away: dict[Key, float] = {}
        self._past_away = 0
        self._to_send: deque[Key] = deque()
        self._held: tuple[bytes, bytes] | None = None

    @property
    def connected(self) -> bool:
        """Tell whether the broker let it in."""
        return self.session.open

    @property
    def unreceipted(self) -> int:
        """Count envelopes in the spool."""
        return len(self._spool)

    @property
    def receipted(self) -> int:
        """Count receipts of the present run."""
        return len(self.runs[self.run].receipted)

    @property
    def backlog(self) -> bool:
        """Tell whether the broker has not taken everything yet (no PUBACK)."""
        return self.session.in_flight > 0

    def waiting(self) -> dict[str, Ranges]:
        """Give what lies in the spool, by run."""
        found: dict[str, Ranges] = {}
        for run, seq in sorted(self._spool):
            found.setdefault(run, Ranges()).add(seq)
        return found

    # ---- life --------------------------------------------------------------------------------------------------------

    def boot(self, run: str, machine: Machine) -> None:
        """Begin a new run on a machine that was started anew; the spool of older runs is kept."""
        self.run = run
        self.runs.setdefault(run, RunRecord())
        self.machine = machine
        self._to_send.extendleft(reversed(self._away))
        self._away.clear()
        self._past_away = 0

    def start(self) -> None:
        """Connect as soon as the wire lets us."""
        self.stopped = False
        self._wire.open(self.session)

    def goodbye(self) -> None:
        """End the session cleanly, as a PC that is switched off."""
        self.stopped = True
        if self.session.open:
            self._publish(Kind.STATUS, self._status(GOODBYE), retain=True)
        self.session.disconnect()

    def cut(self) -> None:
        """End the session as a pulled plug does: the socket closes, nothing is said."""
        self.stopped = True
        self.session.cut()

    def forget(self) -> None:
        """Give up waiting for receipts of what was sent so far."""
        self._spool.clear()
        self._away.clear()
        self._to_send.clear()
        self._past_away = 0

    def disk(self) -> Spool:
        """Copy the spool, as a disk that is going to be frozen."""
        return dict(self._spool)

    def fall_back(self, disk: Spool) -> None:
        """Put an old spool in place of the present one; what it does not hold is gone from this sender."""
        for run, seq in self._spool.keys() - disk.keys():
            self.runs[run].wiped.add(seq)
        self.forget()
        self._spool.update(disk)
        self._to_send.extend(disk)

    # ---- owner of a session ------------------------------------------------------------------------------------------

    def connect_frame(self) -> bytes:
        """Give the CONNECT, with the last will of this session; nothing when it was switched off in the meantime."""
        if self.stopped:
            return b""
        self._token = f"{random.getrandbits(64):016x}"
        name = self.identity.device_id.encode()
        password = keys.mqtt_password(self.identity.secret).encode()
        return frames.connect(name, password, self._topic(Kind.STATUS), self._status(LOST), self._wire.keepalive_s)

    def opened(self) -> None:
        """Subscribe to receipts, say the birth; what was on its way when the last session ended is of the past."""
        self.session.subscribe(self._topic(Kind.RECEIPT))
        self._publish(Kind.STATUS, self._status(ONLINE), retain=True)
        self._to_send.extendleft(reversed(self._away))
        self._away.clear()
        self._past_away = 0
        self._held = None
        self.heard_receipt = False
        if self._on_open is not None:
            self._on_open(self)

    def closed(self, reason: str) -> None:
        """Come back by and by, unless switched off."""
        if not self.stopped:
            self._wire.open(self.session, RECONNECT_S * random.uniform(0.5, 1.5))  # noqa: S311 spreads reconnects

    def heard(self, topic: bytes, payload: bytes) -> None:
        """Forget what a receipt names."""
        self.heard_receipt = True
        for receipt in decode_receipt(payload):
            record = self.runs.get(receipt.run)
            if record is None:
                continue  # of the other holder of a cloned identity
            for first, last in receipt.stored:
                record.receipted.add(first, last)
                for seq in range(first, last + 1):
                    self._settle((receipt.run, seq))
            for seq, reason in receipt.refused:
                record.refused[seq] = reason
                self._settle((receipt.run, seq))
        if len(self._to_send) >= MAX_BACKFILL:
            self._send_past()  # what is less is gathered until the next check

    def _settle(self, key: Key) -> None:
        self._spool.pop(key, None)
        if self._away.pop(key, 0.0) < 0:
            self._past_away -= 1

    # ---- messages ----------------------------------------------------------------------------------------------------

    def send(self, kind: Kind, body: tuple[Group, ...]) -> None:
        """Measure now and send live; without a session it waits in the spool."""
        key = self._measure(kind, body, time.time())
        if not self.session.open:
            self._to_send.append(key)
            return
        self._away[key] = time.monotonic()
        self.runs[self.run].sent.add(key[1])
        self._publish(kind, encode_live(self._spool[key], self._transit()))

    def remember(self, body: tuple[Group, ...], at: float, kind: Kind = Kind.ROUND) -> None:
        """Measure at a moment of the past; it goes out as backfill once a collector is known to listen."""
        self._to_send.append(self._measure(kind, body, at))

    def check(self, now: float) -> None:
        """Send again, as the past, what has had no receipt for too long; and send the past."""
        self._release()
        if not self._away and not self._to_send:
            return
        late = [key for key, at in self._away.items() if now - abs(at) > self._resend_s]
        for key in late:
            if self._away.pop(key) < 0:
                self._past_away -= 1
        self._to_send.extend(late)
        self._send_past()

    def _measure(self, kind: Kind, body: tuple[Group, ...], at: float) -> Key:
        record = self.runs[self.run]
        record.made += 1
        record.days.setdefault(int(at // 86400), Ranges()).add(record.made)
        key = (self.run, record.made)
        measured = self.machine.instant(at)
        self._spool[key] = Envelope(kind, self.identity.device_id, self.run, record.made, measured, VERSION, body)
        return key

    def _send_past(self) -> None:
        """Send one backfill; the next one follows its receipts, and the first one the session's first receipt."""
        if not self._to_send or self._past_away or not self.session.open or not self.heard_receipt:
            return
        batch: list[Envelope] = []
        now = time.monotonic()
        while self._to_send and len(batch) < MAX_BACKFILL:
            key = self._to_send.popleft()
            envelope = self._spool.get(key)
            if envelope is None or key in self._away:
                continue  # its receipt came after all
            batch.append(envelope)
            self._away[key] = -now  # negative: in a backfill
            self.runs[key[0]].sent.add(key[1])
        self._past_away += len(batch)
        if batch:
            self._publish(Kind.BACKFILL, encode_backfill(self.identity.device_id, batch, self._transit()))

    def _publish(self, kind: Kind, payload: bytes, *, retain: bool = False) -> None:
        topic, mischief = self._topic(kind), self._mischief
        if mischief is not None and kind is not Kind.STATUS:
            if self._held is None and mischief.chance.random() < mischief.late:
                self._held = (topic, payload)
                return
            if mischief.chance.random() < mischief.twice:
                self.session.publish(topic, payload, again=True)
        self.session.publish(topic, payload, retain=retain)
        self._release()

    def _release(self) -> None:
        """Send what was held back to come late."""
        if self._held is not None:
            held, self._held = self._held, None
            if self.session.open:
                self.session.publish(*held)

    def _transit(self) -> Transit:
        return Transit(self._token, self.machine.instant(time.time()))

    def _status(self, state: str) -> bytes:
        at = self.machine.instant(time.time())
        return encode_status(Status(self.identity.device_id, self.run, self._token, state, at, VERSION))

    def _topic(self, kind: Kind) -> bytes:
        return topics.build(self.identity.device_id, kind).encode()
