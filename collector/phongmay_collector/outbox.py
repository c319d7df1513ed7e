"""Sends the commands that stand in the register's outbox: rows go in, signed messages go out, the rows are marked.

Two halves, for the register may not answer while the broker must be served: `prepare` asks it, `publish` does not.

At least once: a row is marked only when the broker has acknowledged its message, so after a crash or a lost connection
it is sent again with the same nonce, which the device obeys once. A command past its expiry, or for a device whose
command key is not known, is marked as failed and never sent. A register that does not answer raises StoreError.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from sqlalchemy import Engine, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from phongmay_collector.log import event
from phongmay_contract import topics
from phongmay_contract.command import Command, Order, sign_command
from phongmay_contract.topics import Kind
from phongmay_store.errors import StoreError
from phongmay_store.register.base import utc_now
from phongmay_store.register.device import Credential
from phongmay_store.register.outbox import OutboxCommand
from phongmay_store.register.sealing import Seal, SealError

RESEND_S = 5.0
"""Not acknowledged for so long, a message is sent again: its connection may be gone."""
MOST = 500
"""Rows that are looked at in one go."""


class Acknowledgement(Protocol):
    """What tells whether the broker has a message."""

    def is_published(self) -> bool:
        """Tell whether the broker has acknowledged it."""
        ...


Publish = Callable[[str, bytes], Acknowledgement | None]
"""Sends a message to a topic; None = there is no connection."""


class Ready(NamedTuple):
    """A signed command, with the number of its row."""

    number: int
    topic: str
    payload: bytes


class Outbox:
    """Sends what waits. Its methods may be called by different threads, but not at the same time.

    Args:
        engine: the register.
        seal: opens the command keys.
    """

    def __init__(self, engine: Engine, seal: Seal) -> None:
        self._engine, self._seal = engine, seal
        self._on_the_way: dict[int, tuple[float, Acknowledgement]] = {}

    def prepare(self) -> list[Ready]:
        """Mark what the broker has acknowledged, and give what is to be published.

        Raises:
            StoreError: the register does not answer.
        """
        try:
            with Session(self._engine) as session:
                self._mark(session)
                return self._ready(session, utc_now())
        except SQLAlchemyError as error:
            raise StoreError(f"register cannot be used: {str(error).splitlines()[0]}") from error

    def publish(self, commands: Sequence[Ready], publish: Publish) -> None:
        """Publish what was prepared; without a connection it waits for the next time."""
        now = time.time()
        for number, topic, payload in commands:
            sent = publish(topic, payload)
            if sent is None:
                break  # no connection: nothing of the rest can go either
            self._on_the_way[number] = now, sent

    def _mark(self, session: Session) -> None:
        done = [number for number, (_, message) in self._on_the_way.items() if _has_arrived(message)]
        if done:
            session.execute(update(OutboxCommand).where(OutboxCommand.number.in_(done)).values(sent_at=utc_now()))
            session.commit()
        for number in done:
            del self._on_the_way[number]

    def _ready(self, session: Session, now: datetime) -> list[Ready]:
        waiting = session.scalars(
            select(OutboxCommand)
            .where(OutboxCommand.sent_at.is_(None), OutboxCommand.failure == "")
            .order_by(OutboxCommand.number)
            .limit(MOST)
        ).all()
        late = now.timestamp() - RESEND_S
        fresh = {number for number, (at, _) in self._on_the_way.items() if at > late}
        rows = [row for row in waiting if row.number not in fresh or row.expires_at <= now]
        if not rows:
            return []
        ready = []
        keys = self._keys(session, rows)
        for row in rows:
            key = keys.get(row.device_id)
            if row.expires_at <= now:
                row.failure = "expired"
            elif key is None:
                row.failure = "no_command_key"
            elif row.name not in Order._value2member_map_:
                row.failure = "unknown_order"
            else:
                command = Command(row.device_id, Order(row.name), row.nonce, row.expires_at.timestamp(), row.body)
                ready.append(Ready(row.number, topics.build(row.device_id, Kind.COMMAND), sign_command(key, command)))
            if row.failure:
                self._on_the_way.pop(row.number, None)
                event("command_not_sent", device=row.device_id, order=row.name, reason=row.failure)
        session.commit()
        return ready

    def _keys(self, session: Session, rows: Sequence[OutboxCommand]) -> dict[str, bytes]:
        out = {}
        for device, sealed in session.execute(
            select(Credential.device_id, Credential.command_key).where(
                Credential.device_id.in_({row.device_id for row in rows}), Credential.revoked_at.is_(None)
            )
        ):
            try:
                if sealed:
                    out[device] = self._seal.open_sealed(sealed)
            except SealError as error:
                event("command_key_not_opened", device=device, detail=str(error))
        return out


def _has_arrived(message: Acknowledgement) -> bool:
    try:
        return message.is_published()
    except (RuntimeError, ValueError):
        return False  # the connection that carried it is gone
