"""Generated schools for benchmarks of the rules engine: a register and a series store on disk, filled without a broker.

A school has computer rooms of 25 PCs, each with an agent, one inventory, one round a minute and the minute masks of
its last day. What is written is what a collector would have written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from phongmay_contract.envelope import ONLINE, Envelope, Instant
from phongmay_contract.topics import Kind
from phongmay_simulate.district import Role
from phongmay_simulate.machine import Machine
from phongmay_store.register.base import Base
from phongmay_store.register.device import Device
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Room
from phongmay_store.series import open_writer
from phongmay_store.series.interface import Arrival, Presence, SeriesWriter, TimeBasis
from phongmay_store.settings import StoreSettings

ROOM = 25
"""PCs of a computer room."""
FAULTS = (Role.STANDARD, Role.STANDARD, Role.STANDARD, Role.LOW_MEMORY, Role.SLOW_LINK)
_BLOCK = 20_000
SINCE = timedelta(days=31)
"""Before the instant: the agents are there, and the collector could hear."""


@dataclass(frozen=True)
class Size:
    """How many schools, and how many PCs each has."""

    schools: int
    devices_each: int

    @property
    def devices(self) -> int:
        """All PCs."""
        return self.schools * self.devices_each


def device_ids(size: Size) -> list[str]:
    """Give the ids of all PCs, school by school."""
    return [f"pc-{school:05d}-{place:03d}" for school in range(size.schools) for place in range(size.devices_each)]


def register_url(folder: Path) -> str:
    """Give the URL of the register in a benchmark's folder."""
    return f"sqlite:///{folder}/register.db"


def series_path(folder: Path) -> Path:
    """Give the file of the series store in a benchmark's folder."""
    return folder / "series.db"


def fill_register(url: str, size: Size, since: datetime) -> None:
    """Write units, rooms and devices into an empty database."""
    engine = open_register(url)
    migrate(engine)
    common = {"valid_from": since, "valid_to": None, "recorded_at": since, "superseded_at": None}
    units = [{**common, "id": "district", "parent_id": None, "kind": "district", "name": "District", "level": ""}]
    rooms, devices = [], []
    for school in range(size.schools):
        unit = f"school-{school:05d}"
        units.append({**common, "id": unit, "parent_id": "district", "kind": "school", "name": unit, "level": "thcs"})
        for number in range(-(-size.devices_each // ROOM)):
            room = f"room-{school:05d}-{number}"
            rooms.append({**common, "id": room, "school_id": unit, "name": str(number), "kind": "computer_room",
                          "class_size": 45, "timetable": "always"})  # fmt: skip
            for place in range(number * ROOM, min(size.devices_each, (number + 1) * ROOM)):
                device = f"pc-{school:05d}-{place:03d}"
                devices.append({**common, "id": device, "school_id": unit, "room_id": room, "code": device,
                                "kind": "pc", "agent_since": since})  # fmt: skip
    _insert(engine, Unit, units)
    _insert(engine, Room, rooms)
    _insert(engine, Device, devices)
    engine.dispose()


def _insert(engine: Engine, table: type[Base], rows: Sequence[Mapping[str, object]]) -> None:
    with Session(engine) as session:
        session.execute(insert(table), list(rows))
        session.commit()


def fill_series(folder: Path, size: Size, at: float, school_days: int) -> None:
    """Write each device's inventory, one round, its presence and the minute masks of its last days.

    The masks (the last 24 hours, and ten hours of each school day before) are written straight into the table: a day
    of rounds of 125,000 devices would be 180 million envelopes. Then the collector's housekeeping does what is due.
    """
    devices = device_ids(size)
    with _writer(folder) as writer:
        write_first(writer, size, at)
    connection = sqlite3.connect(series_path(folder))
    end = int(at // 3600) * 3600
    full = (1 << 60) - 1
    midnight = int(at // 86400) * 86400
    hours = [midnight - 86400 * day + 3600 * hour for day in range(school_days, 1, -1) for hour in range(10)]
    hours += range(end - 24 * 3600, end, 3600)
    connection.executemany(
        "INSERT OR IGNORE INTO series_minutes (device, hour, seen, reachable, unreachable) VALUES (?, ?, ?, ?, 0)",
        ((device, hour, full, full) for device in devices for hour in hours),
    )
    connection.commit()
    connection.close()
    with _writer(folder) as writer:
        writer.listened(at - 60 * minute for minute in range(24 * 60 * SINCE.days))
        while writer.maintain(at):
            pass


def write_first(writer: SeriesWriter, size: Size, at: float) -> None:
    """Write each device's inventory, one round and its presence."""
    for block in _blocks(list(enumerate(device_ids(size)))):
        writer.write(list(_first(block, at)), presence=[presence(device, at) for _, device in block])


def next_minute(folder: Path, size: Size, at: float, seq: int, changed: Iterable[int] = ()) -> None:
    """Let a minute go by: a round of every device, and an inventory with less memory of some."""
    weaker = set(changed)
    with _writer(folder) as writer:
        for block in _blocks(list(enumerate(device_ids(size)))):
            arrivals = []
            for number, device in block:
                machine = _machine(number, device, at)
                arrivals.append(_arrival(Kind.ROUND, device, number, seq, at, machine))
                if number in weaker:
                    weak = Machine(Role.LOW_MEMORY, device, 1e5, at - 7200)
                    if FAULTS[number % len(FAULTS)] is Role.LOW_MEMORY:
                        weak = Machine(Role.STANDARD, device, 1e5, at - 7200)
                    arrivals.append(_arrival(Kind.INVENTORY, device, number, seq + 1, at, weak))
            writer.write(arrivals, presence=[presence(device, at) for _, device in block])


def change_one(folder: Path, number: int, device: str, at: float, seq: int, role: Role) -> None:
    """Write a new inventory of one device."""
    with _writer(folder) as writer:
        machine = Machine(role, device, 1e5, at - 7200)
        writer.write([_arrival(Kind.INVENTORY, device, number, seq, at, machine)])


def presence(device: str, at: float) -> Presence:
    """Give a device that is connected."""
    return Presence(device, ONLINE, "0" * 16, "0" * 16, at - 7200, at - 1)


def _machine(number: int, device: str, at: float) -> Machine:
    return Machine(FAULTS[number % len(FAULTS)], device, 1e5, at - 7200)


def _first(block: Sequence[tuple[int, str]], at: float) -> Iterator[Arrival]:
    for number, device in block:
        machine = _machine(number, device, at)
        yield _arrival(Kind.INVENTORY, device, number, 0, at - 3600, machine)
        yield _arrival(Kind.ROUND, device, number, 1, at - 1, machine)


def _arrival(kind: Kind, device: str, number: int, seq: int, at: float, machine: Machine) -> Arrival:
    body = machine.inventory() if kind is Kind.INVENTORY else machine.round(60.0, live=True)
    return Arrival(
        Envelope(kind, device, f"{number:016x}", seq, Instant(at, at), "bench", body), at, TimeBasis.LIVE, at
    )


@contextmanager
def _writer(folder: Path) -> Iterator[SeriesWriter]:
    with closing(open_writer(StoreSettings(series_path=series_path(folder)))) as store:
        yield store


def _blocks(items: Sequence[tuple[int, str]]) -> Iterator[Sequence[tuple[int, str]]]:
    return (items[start : start + _BLOCK] for start in range(0, len(items), _BLOCK))


def lay_out(folder: Path, registers: Iterable[str], size: Size, school_days: int = 1) -> datetime:
    """Fill the series store and every register alike; give the instant that they are about."""
    now = datetime.now(UTC).replace(microsecond=0)
    for url in registers:
        fill_register(url, size, now - SINCE)
    fill_series(folder, size, now.timestamp(), school_days)
    return now
