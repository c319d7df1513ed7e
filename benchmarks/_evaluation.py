"""What an evaluation costs: facts from series and register, verdicts, rows on disk, commit included.

Reference: a bare SELECT of the same facts from the same register.
"""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from phongmay_contract.envelope import ONLINE, Envelope, Instant
from phongmay_contract.topics import Kind
from phongmay_rules.engine import evaluate
from phongmay_rules.loader import load_pack
from phongmay_simulate.district import Role
from phongmay_simulate.machine import Machine
from phongmay_store.register.compliance import Fact
from phongmay_store.register.device import Device
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Room
from phongmay_store.series import open_reader, open_writer
from phongmay_store.series.interface import Arrival, Presence, SeriesWriter, TimeBasis
from phongmay_store.settings import StoreSettings

DEVICES = 25
"""Of each school: one computer room."""
_FAULTS = (Role.STANDARD, Role.STANDARD, Role.STANDARD, Role.LOW_MEMORY, Role.SLOW_LINK)


def measure(folder: Path, schools: int) -> dict[str, tuple[float, str]]:
    """Give evaluate_5000_devices_s (of `schools` x 25 devices), first and steady."""
    now = datetime.now(UTC)
    engine = open_register(f"sqlite:///{folder}/register.db")
    migrate(engine)
    devices = _register(engine, schools, now - timedelta(hours=2))
    with closing(open_writer(StoreSettings(series_path=folder / "series.db"))) as writer:
        _fill(writer, devices, now.timestamp())
    pack = load_pack("tanbinh-2023")
    open_session = sessionmaker(engine)
    with closing(open_reader(StoreSettings(series_path=folder / "series.db"))) as series:
        start = time.monotonic()
        evaluate(open_session, series, pack, at=now)
        first = time.monotonic() - start
        start = time.monotonic()
        again = evaluate(open_session, series, pack, at=now)
        steady = time.monotonic() - start
    start = time.monotonic()
    with Session(engine) as session:
        count = len(session.execute(select(Fact.id, Fact.subject_id, Fact.name, Fact.number, Fact.text)).all())
    bare = time.monotonic() - start
    engine.dispose()
    note = f"first of {len(devices)} devices; again {steady:.1f} s ({again.changed} changed); SELECT of {count} facts"
    return {"evaluate_5000_devices_s": (first, f"{note}: {bare:.2f} s, ratio {first / bare:.0f}")}


def _register(engine: Engine, schools: int, since: datetime) -> list[str]:
    devices = []
    with Session(engine) as session:
        session.add(Unit(id="district-bench", valid_from=since, kind="district", name="Bench", level=""))
        for number in range(schools):
            school = f"school-{number:04d}"
            session.add(
                Unit(id=school, parent_id="district-bench", valid_from=since, kind="school", name=school, level="thcs")
            )
            room = f"room-{number:04d}"
            session.add(
                Room(id=room, valid_from=since, school_id=school, name="1", kind="computer_room", class_size=45,
                     timetable="always")
            )  # fmt: skip
            for place in range(DEVICES):
                device = f"pc-{number:04d}-{place:02d}"
                devices.append(device)
                session.add(
                    Device(id=device, valid_from=since, school_id=school, room_id=room, code=device, kind="pc",
                           agent_since=since)
                )  # fmt: skip
        session.commit()
    return devices


def _fill(writer: SeriesWriter, devices: list[str], now: float) -> None:
    """Write each device's hardware record, one hour of rounds and its presence."""
    for number, device in enumerate(devices):
        machine = Machine(_FAULTS[number % len(_FAULTS)], device, 1e5, now - 7200)
        run = f"{number:016x}"
        bodies = [(Kind.INVENTORY, machine.inventory(), now - 3600)]
        bodies += [
            (Kind.ROUND, machine.round(60.0, live=minute == 0), now - 60 * minute) for minute in range(59, -1, -1)
        ]
        arrivals = [
            Arrival(Envelope(kind, device, run, seq, Instant(at, at), "bench", body), at, TimeBasis.LIVE, at)
            for seq, (kind, body, at) in enumerate(bodies)
        ]
        writer.write(arrivals, presence=[Presence(device, ONLINE, run, run, now - 7200, now - 1)])
