"""A small district on a real register and a real series store, with machines of the simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from phongmay_contract.envelope import Envelope, Instant
from phongmay_contract.topics import Kind
from phongmay_rules.chain.links import append_row
from phongmay_rules.engine import Evaluation, evaluate
from phongmay_rules.loader import load_packs
from phongmay_rules.model import Pack
from phongmay_rules.settings import RulesSettings
from phongmay_simulate.district import Role
from phongmay_simulate.machine import Machine
from phongmay_store.register.chain import LinkKind
from phongmay_store.register.compliance import CurrentVerdict, Parameter, Verdict
from phongmay_store.register.device import Device
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Room
from phongmay_store.series import open_writer
from phongmay_store.series.interface import Arrival, Presence, SeriesWriter, TimeBasis
from phongmay_store.settings import StoreSettings

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
"""A Monday, 10:00 in Ho Chi Minh City."""
LONG_AGO = NOW - timedelta(days=60)
THIS_MORNING = NOW - timedelta(hours=2)
TIMETABLE = "Mon-Fri 07:00-11:30 13:00-16:30"
RUN, SESSION = "ab" * 8, "cd" * 8


@dataclass
class House:
    """A district and what one can do to it."""

    engine: Engine
    series: SeriesWriter
    pack: Pack
    sequence: dict[str, int] = field(default_factory=dict)

    @property
    def sessions(self) -> sessionmaker[Session]:
        """Sessions of the register."""
        return sessionmaker(self.engine)

    def close(self) -> None:
        """Let go of the files."""
        self.series.close()
        self.engine.dispose()

    def unit(self, name: str, kind: str, parent: str | None = None, level: str = "") -> None:
        """Add an organisation unit."""
        self._add(Unit(id=name, parent_id=parent, kind=kind, name=name, level=level, is_sample=True))

    def room(self, name: str, school: str, class_size: int | None = 4, timetable: str = TIMETABLE) -> None:
        """Add a computer room."""
        self._add(
            Room(id=name, school_id=school, name=name, kind="computer_room", class_size=class_size, timetable=timetable)
        )

    def device(
        self, name: str, school: str, room: str | None, *, agent_since: datetime | None = THIS_MORNING,
        kind: str = "pc", state: str = "in_service",
    ) -> None:  # fmt: skip
        """Add a device."""
        self._add(
            Device(id=name, school_id=school, room_id=room, code=name, kind=kind, state=state, agent_since=agent_since)
        )

    def _add(self, row: Unit | Room | Device) -> None:
        with self.sessions() as session:
            row.valid_from, row.recorded_at = LONG_AGO, LONG_AGO
            session.add(row)
            session.commit()

    def revise(self, kind: type[Device | Room | Unit], name: str, since: datetime, **changes: object) -> None:
        """Record that a thing is different since then."""
        with self.sessions() as session:
            row = session.scalar(select(kind).where(kind.id == name, kind.superseded_at.is_(None)))
            assert row is not None
            row.revise(session, changes, since=since)
            session.commit()

    def set_parameter(self, unit: str, name: str, value: float) -> None:
        """Let a unit set a parameter, as a link of its chain."""
        owner = self.pack.parameter_owners[name]
        row = Parameter(unit_id=unit, pack_id=owner, name=name, value=value, set_by="q", reason="r")
        with self.sessions() as session:
            append_row(session, LinkKind.PARAMETER, unit, row)
            session.commit()

    def speak(
        self, name: str, role: Role = Role.STANDARD, *, at: datetime = NOW, minutes: int = 120, late: bool = False
    ) -> None:
        """Let a machine send its hardware record and a round a minute for so many minutes, as the collector would.

        What comes `late`, out of a spool, is no sign of present life.
        """
        machine = Machine(role, name, 1000.0, at.timestamp())
        arrivals = [self._arrival(name, Kind.INVENTORY, machine.inventory(), at.timestamp())]
        for ago in range(minutes, -1, -1):
            arrivals.append(self._arrival(name, Kind.ROUND, machine.round(60.0), at.timestamp() - 60 * ago))
        alive = Presence(name, "online", SESSION, RUN, at.timestamp() - 60 * minutes, at.timestamp(), "1")
        self.series.write(arrivals, presence=[] if late else [alive])

    def listen(self, start: datetime, end: datetime) -> None:
        """Let a collector hear in every minute of [start, end)."""
        self.series.listened(range(int(start.timestamp()), int(end.timestamp()), 60))

    def seen(self, name: str, start: datetime, minutes: int) -> None:
        """Let a machine be there for so many minutes from then on; nothing else is measured."""
        at = start.timestamp()
        self.series.write([self._arrival(name, Kind.ROUND, (), at + 60 * n + 5) for n in range(minutes)])

    def _arrival(self, name: str, kind: Kind, body: tuple, at: float) -> Arrival:  # type: ignore[type-arg]
        number = self.sequence.get(name, 0)
        self.sequence[name] = number + 1
        envelope = Envelope(kind, name, RUN, number, Instant(at, at), "1", body)
        return Arrival(envelope, at, TimeBasis.LIVE, at)

    def evaluate(self, at: datetime = NOW, unit: str | None = None) -> Evaluation:
        """Evaluate as the engine does."""
        return evaluate(self.sessions, self.series, self.pack, at=at, unit=unit, interval_s=60)

    def verdict(self, subject: str, rule: str) -> Verdict:
        """Give the current verdict of a rule on a subject."""
        with self.sessions() as session:
            row = session.scalar(
                select(Verdict)
                .join(CurrentVerdict, CurrentVerdict.verdict_id == Verdict.id)
                .where(CurrentVerdict.subject_id == subject, CurrentVerdict.rule_id == rule)
            )
            assert row is not None, f"no verdict of {rule} on {subject}"
            return row

    def state(self, subject: str, rule: str) -> tuple[str, str]:
        """Give state and reason of the current verdict."""
        row = self.verdict(subject, rule)
        return row.state, row.reason


def _open(folder: Path, register: str = "") -> House:
    engine = open_register(register or f"sqlite:///{folder / 'register.db'}")
    migrate(engine)
    series = open_writer(StoreSettings(series_path=folder / "series.db"))
    return House(engine, series, load_packs(RulesSettings().packs))


def _empty(folder: Path, register: str = "") -> House:
    folder.mkdir(exist_ok=True)
    house = _open(folder, register)
    house.unit("quan", "district")
    return house


def _furnish(house: House) -> House:
    house.unit("phuong", "ward", "quan")
    for school, level in (("th", "tieu_hoc"), ("cs", "thcs")):
        house.unit(school, "school", "phuong" if school == "th" else "quan", level)
        house.room(f"{school}-room", school)
        for number in range(3):
            house.device(f"{school}-{number}", school, f"{school}-room")
            house.speak(f"{school}-{number}")
    house.unit("mn", "school", "quan", "mam_non")
    return house


@pytest.fixture(scope="session")
def house_in() -> Callable[..., House]:
    """Open the district whose files lie in a folder, or (`fresh`) make one there; who asks for it closes it."""

    def give(folder: Path, *, fresh: bool = False) -> House:
        return _furnish(_empty(folder)) if fresh else _open(folder)

    return give


@pytest.fixture
def empty_house(tmp_path: Path, register_url: str) -> Iterator[House]:
    """A district without schools."""
    house = _empty(tmp_path, register_url)
    yield house
    house.close()


@pytest.fixture
def house(empty_house: House) -> House:
    """Two schools below a ward and one kindergarten; all machines of both schools are fine."""
    return _furnish(empty_house)


@pytest.fixture
def make_house(tmp_path: Path, new_register: Callable[[], str]) -> Iterator[Callable[[], House]]:
    """Make such a district anew each time."""
    made: list[House] = []
    numbers = count()

    def make() -> House:
        made.append(_furnish(_empty(tmp_path / str(next(numbers)), new_register())))
        return made[-1]

    yield make
    for house in made:
        house.close()
