"""Schools of any number and size for load and chaos: which devices there are, and what is wrong with which.

A seed and sizes go in, a model comes out; the same seed gives the same model. Names are invented and marked as samples.
A school has computer rooms of ROOM PCs and, if wanted, a gateway with the router that it watches.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from phongmay_simulate.district import Role

ROOM = 25
"""PCs of a computer room."""
FAULTS: dict[Role, float] = {
    Role.SHARED_GRAPHICS: 0.04,
    Role.CLOCK_2009: 0.03,
    Role.LOW_MEMORY: 0.05,
    Role.OLD_PROCESSOR: 0.01,
    Role.SMALL_DISK: 0.02,
    Role.OLD_SYSTEM: 0.03,
    Role.SLOW_LINK: 0.02,
    Role.UNKNOWN_LINK: 0.02,
    Role.NO_INTERNET: 0.02,
    Role.SILENT: 0.01,
    Role.WENT_SILENT: 0.01,
    Role.CLONED: 0.005,
}
"""Shares of PCs with a fault; the rest is standard."""
FROZEN_SHARE = 0.1
"""Of PCs whose disk falls back to yesterday's state at every start."""
LEFT_ON_SHARE = 0.05
"""Of PCs that nobody switches off after class."""
TOP = "sim-area"


@dataclass(frozen=True, slots=True)
class Member:
    """A device of a simulated school.

    Attributes:
        id: its id in the register.
        room: id of its room; None for gateway and router.
        kind: pc, gateway or router.
        role: what is wrong with it.
        frozen: its disk replays yesterday's spool at every start.
        left_on: nobody switches it off after class.
        watches: id of the router that a gateway reports on.
    """

    id: str
    room: str | None
    kind: str
    role: Role = Role.STANDARD
    frozen: bool = False
    left_on: bool = False
    watches: str = ""


@dataclass(frozen=True, slots=True)
class SimulatedSchool:
    """A school: its rooms by id, and its devices."""

    id: str
    name: str
    rooms: tuple[str, ...]
    members: tuple[Member, ...]

    def speakers(self) -> Iterator[Member]:
        """Give the devices that have an agent: routers are only spoken for."""
        return (member for member in self.members if member.kind != "router")


@dataclass(frozen=True, slots=True)
class Population:
    """All simulated schools under one unit, and what they were built from."""

    seed: int
    schools: tuple[SimulatedSchool, ...]
    pcs: int
    faults: bool
    gateways: bool

    def speakers(self) -> Iterator[Member]:
        """Give every device that has an agent."""
        for school in self.schools:
            yield from school.speakers()


def build(seed: int, schools: int, pcs: int, *, faults: bool = True, gateways: bool = True) -> Population:
    """Make schools.

    Args:
        seed: decides which device has which fault.
        schools: how many.
        pcs: PCs of each.
        faults: whether there are any; without, every PC is standard and nothing strange happens.
        gateways: whether each school has a gateway and a router.
    """
    made = tuple(_school(seed, number, pcs, faults, gateways) for number in range(1, schools + 1))
    return Population(seed, made, pcs, faults, gateways)


def _school(seed: int, number: int, pcs: int, faults: bool, gateways: bool) -> SimulatedSchool:
    chance = random.Random(f"{seed}/school/{number}")  # noqa: S311 a reproducible sample, nothing secret
    rooms = tuple(f"sim-{number:05d}-p{room + 1}" for room in range(-(-pcs // ROOM)))
    members = []
    for place in range(pcs):
        role = _role(chance) if faults else Role.STANDARD
        frozen, left_on = chance.random() < FROZEN_SHARE, chance.random() < LEFT_ON_SHARE
        name = f"sim-{number:05d}-{place + 1:03d}"
        members.append(Member(name, rooms[place // ROOM], "pc", role, frozen and faults, left_on and faults))
    if gateways:
        router = f"sim-{number:05d}-router"
        members.append(Member(f"sim-{number:05d}-gateway", None, "gateway", watches=router))
        members.append(Member(router, None, "router"))
    return SimulatedSchool(f"sim-{number:05d}", f"Trường Mẫu {number} (mô phỏng)", rooms, tuple(members))


def _role(chance: random.Random) -> Role:
    drawn = chance.random()
    for role, share in FAULTS.items():
        if drawn < share:
            return role
        drawn -= share
    return Role.STANDARD
