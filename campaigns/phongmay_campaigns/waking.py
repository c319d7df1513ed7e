"""Wakes PCs that are off through PCs of the same room that are on: register and series go in, orders go to the outbox.

A magic packet reaches only the network it is sent in, so a PC of the room sends it. The addresses are what the
PCs' own agents told while they were on; a PC that never told one cannot be woken.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from phongmay_campaigns.sites import Pc
from phongmay_contract.command import Order
from phongmay_store.register import outbox
from phongmay_store.register.campaign import CampaignRun
from phongmay_store.series.interface import SeriesReader

WAKERS = 2
"""PCs of a room that send the packets: one may be leaving."""
_LIFE = timedelta(seconds=60)


def order(
    session: Session, run: CampaignRun, series: SeriesReader, meant: Sequence[Pc], on: set[str], now: datetime
) -> list[str]:
    """Write the orders and give the PCs that are to be woken; the caller commits."""
    off = {pc.id: pc.room_id for pc in meant if pc.id not in on and pc.has_agent}
    known: dict[str, str] = {}
    for row in series.latest("link", set(off)) if off else ():
        address = row.values.get("hardware_address")
        if isinstance(address, str) and address and row.values.get("medium") != "wireless":
            known[row.device] = address
    for room in sorted(set(off.values())):
        addresses = sorted(known[device] for device in off if off[device] == room and device in known)
        for waker in [pc.id for pc in meant if pc.id in on and pc.room_id == room][:WAKERS] if addresses else ():
            outbox.put(
                session, waker, Order.WAKE.value, {"addresses": addresses}, expires_at=now + _LIFE, run_id=run.run_id
            )
    awake_rooms = {pc.room_id for pc in meant if pc.id in on}
    return sorted(device for device in known if off[device] in awake_rooms)
