"""Orders campaigns and registers the servers they are measured against: wishes go in, rows of the register come out.

A wish that cannot be met (no such school, a room of another school, no server) raises OrderingError with the sentence
that says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_contract.errors import OperatorError
from phongmay_store.register.base import new_id, utc_now
from phongmay_store.register.campaign import BandwidthServer, Campaign, CampaignKind, CampaignMode
from phongmay_store.register.organisation import UnitKind, subtree
from phongmay_store.register.place import Line, Room, RoomKind
from phongmay_store.register.sealing import Seal

_FAILOVER, _NAMED = 2, 5
"""Lines that a failover needs, and schools that a refusal names."""


class OrderingError(OperatorError):
    """A campaign that cannot be ordered.

    Attributes:
        key: which part of the wish is wrong.
    """

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


@dataclass(frozen=True)
class Wish:
    """What somebody wants tested.

    Attributes:
        unit_id: a school, or a unit above schools: then all schools below it.
        schools: of these schools only; empty = all of the unit.
        server_id: "" = the only one that is registered.
        every_days: a new run so many days after a valid one; 0 = once.
    """

    unit_id: str
    kind: CampaignKind = CampaignKind.FLOOR
    mode: CampaignMode = CampaignMode.PLANNED
    name: str = ""
    schools: Sequence[str] = field(default_factory=tuple)
    room_id: str | None = None
    every_days: int = 0
    wake: bool = False
    failover: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    server_id: str = ""


def order(session: Session, wish: Wish, ordered_by: str) -> Campaign:
    """Write a campaign; the caller commits.

    Raises:
        OrderingError: the wish cannot be met.
    """
    now = utc_now()
    units = subtree(session, wish.unit_id)
    if not units:
        raise OrderingError("unit", f"there is no organisation unit {wish.unit_id!r}")
    below = [unit.id for unit in units if unit.kind == UnitKind.SCHOOL.value]
    strangers = sorted(set(wish.schools) - set(below))
    if strangers:
        raise OrderingError("schools", f"{', '.join(strangers)}: no school of {units[0].name}")
    schools = list(dict.fromkeys(wish.schools)) or below
    if not schools:
        raise OrderingError("unit", f"{units[0].name} has no school below it")
    if wish.room_id is not None:
        _require_room(session, wish.room_id, schools, now)
    if wish.failover:
        _require_two_lines(session, schools, {unit.id: unit.name for unit in units}, now)
    if wish.ends_at is not None and wish.ends_at <= (wish.starts_at or now):
        raise OrderingError("ends_at", "the end must lie after the start")
    campaign = Campaign(
        id=new_id("camp"), valid_from=now, unit_id=wish.unit_id, name=wish.name or f"{wish.kind} {units[0].name}",
        kind=wish.kind.value, mode=wish.mode.value, schools=schools, room_id=wish.room_id, every_days=wish.every_days,
        wake=wish.wake, failover=wish.failover, starts_at=wish.starts_at or now, ends_at=wish.ends_at,
        server_id=_server(session, wish.server_id, now), ordered_by=ordered_by,
    )  # fmt: skip
    session.add(campaign)
    session.flush()
    return campaign


def _require_room(session: Session, room_id: str, schools: Sequence[str], now: datetime) -> None:
    room = session.scalar(Room.at(now).where(Room.id == room_id))
    if room is None or [room.school_id] != list(schools):
        raise OrderingError("room", f"{room_id!r} is no room of the school that is to be tested")
    if room.kind != RoomKind.COMPUTER.value:
        raise OrderingError("room", f"{room.name} is a {room.kind}; only computer rooms are tested")


def _require_two_lines(session: Session, schools: Sequence[str], names: Mapping[str, str], now: datetime) -> None:
    """Refuse a failover that could show nothing: of one line, or of lines that nobody can tell apart."""
    told: dict[str, list[bool]] = {school: [] for school in schools}
    for line in session.scalars(Line.at(now).where(Line.school_id.in_(schools))):
        told[line.school_id].append(bool(line.source_addresses))
    wrong = [names[school] for school, declared in told.items() if len(declared) < _FAILOVER or not all(declared)]
    if wrong:
        more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise OrderingError(
            "failover",
            f"{', '.join(wrong[:_NAMED])}{more}: a failover needs two registered lines, and the public addresses of "
            "each declared (source_addresses; docs/campaigns.md)",
        )


def _server(session: Session, server_id: str, now: datetime) -> str:
    known = list(session.scalars(BandwidthServer.at(now).order_by(BandwidthServer.id)))
    if server_id:
        if server_id not in {one.id for one in known}:
            raise OrderingError("server", f"no bandwidth server {server_id!r} is registered")
        return server_id
    if len(known) != 1:
        text = "no bandwidth server is registered; run 'phongmay campaign server add'" if not known else (
            f"say which bandwidth server: {', '.join(one.id for one in known)}"
        )  # fmt: skip
        raise OrderingError("server", text)
    return known[0].id


def add_server(
    session: Session, seal: Seal, *, name: str, host: str, port: int, key: bytes, uplink_bps: int
) -> BandwidthServer:
    """Register a server, or note that the one of this name is different now; the caller commits."""
    found = session.scalar(select(BandwidthServer).where(BandwidthServer.holds(), BandwidthServer.name == name))
    values = {"host": host, "port": port, "uplink_bps": uplink_bps, "ticket_key": seal.seal(key)}
    if found is not None:
        return found.revise(session, values) or found
    server = BandwidthServer(id=new_id("srv"), valid_from=utc_now(), name=name, **values)
    session.add(server)
    session.flush()
    return server
