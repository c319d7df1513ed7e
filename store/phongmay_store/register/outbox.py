"""The outbox: commands that wait for the collector to send them, each to one device's own topic.

Whoever wants a device to do something (coordinator, API) writes a row and needs no broker. The collector signs and
publishes what stands here, at least once, and marks it; the nonce is fixed when the row is written, so that a device
obeys a command that reaches it twice only once. What is not sent by its expiry is never sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, Session, mapped_column

from phongmay_store.register.base import Base, utc_now


class OutboxCommand(Base):
    """A command to a device.

    Attributes:
        run_id: run of a campaign that it belongs to; "" = none.
        name: what is to be done (`phongmay_contract.command`).
        sent_at: when the collector published it; None = it waits.
        failure: why it was never sent ("" = it was, or waits).
    """

    __tablename__ = "outbox_command"
    __table_args__ = (Index("ix_outbox_waiting", "sent_at", "failure", "expires_at"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    device_id: Mapped[str] = mapped_column(index=True)
    run_id: Mapped[str] = mapped_column(index=True, default="")
    name: Mapped[str]
    body: Mapped[dict[str, Any]]
    nonce: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    failure: Mapped[str] = mapped_column(default="")


def put(
    session: Session, device_id: str, name: str, body: Mapping[str, Any], *, expires_at: datetime, run_id: str = ""
) -> OutboxCommand:
    """Write a command; the caller commits, together with whatever made it necessary."""
    row = OutboxCommand(
        device_id=device_id,
        run_id=run_id,
        name=name,
        body=dict(body),
        nonce=secrets.token_hex(16),
        expires_at=expires_at,
        failure="",
    )
    session.add(row)
    return row
