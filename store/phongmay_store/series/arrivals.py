"""The envelopes of a batch, column by column: what is done for thousands at once costs a tenth of one by one (ADR 22).

In: arrivals, or the columns that the collector read them into. Out: the same in either form, the numbers of each run,
and tables: the rows of one measurement. A group is the contract's, or the one that a compiled reader gives: an object
with `measurement`, `subject`, `part`, and with `values` as a msgspec structure whose fields are the measurement's
quantities in the catalogue's order, None where the group has none. Nothing goes wrong here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, compress, repeat
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec
from msgspec import Struct

from phongmay_contract.catalogue import MEASUREMENTS, PartKind, Value
from phongmay_contract.envelope import Envelope, Group, Instant
from phongmay_contract.topics import Kind
from phongmay_store.series.interface import Arrival, TimeBasis

_T = TypeVar("_T")
RunKey = tuple[str, str]
"""Device and run."""
INTERNET = "internet"
"""The reach target on which the masks reachable and unreachable rest."""
_LIVE = TimeBasis.LIVE
_NOTHING: Mapping[int, tuple[tuple[str, ...], tuple[str, ...]]] = {}
_by_field = msgspec.structs.astuple


class Measured(Protocol):
    """A group of values; see the module."""

    @property
    def measurement(self) -> str:
        """Name in the catalogue."""
        ...

    @property
    def values(self) -> Any:
        """Mapping of quantities, or a structure with all of them."""
        ...

    @property
    def subject(self) -> str:
        """Device that was measured; empty for the sender."""
        ...

    @property
    def part(self) -> str:
        """Part of the subject; empty where the measurement has none."""
        ...


class Moment(Protocol):
    """An instant on a device's two clocks."""

    @property
    def wall(self) -> float:
        """By its wall clock."""
        ...

    @property
    def mono(self) -> float:
        """By its monotonic clock."""
        ...


class Table(NamedTuple):
    """Rows of one measurement.

    Attributes:
        owners: of each row, the place of its envelope.
        devices: whom it is about.
        cells: its values in the catalogue's order, None where there is none.
        is_single: no two rows have one envelope.
        is_own: all rows are about their envelopes' senders.
    """

    measurement: str
    owners: Sequence[int]
    devices: Sequence[str]
    parts: Sequence[str]
    cells: Sequence[tuple[Value | None, ...]]
    is_single: bool
    is_own: bool

    def reached(self, senders: Sequence[str]) -> list[tuple[int, bool]]:
        """Give the owners that tried the Internet target themselves, and whether it answered.

        Args:
            senders: by owner.
        """
        if self.measurement != "reach":
            return []
        ok = list(MEASUREMENTS["reach"].by_name).index("ok")
        rows = zip(self.owners, self.devices, self.parts, self.cells, strict=True)
        return [
            (owner, bool(cells[ok]))
            for owner, device, part, cells in rows
            if part == INTERNET and device == senders[owner]
        ]

    def only(self, chosen: Sequence[bool]) -> Table:
        """Give some of its rows."""
        return self._replace(
            owners=list(compress(self.owners, chosen)),
            devices=list(compress(self.devices, chosen)),
            parts=list(compress(self.parts, chosen)),
            cells=list(compress(self.cells, chosen)),
        )


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of InfluxDB.

    Attributes:
        raw: of rounds, in blocks of whole ones.
        kept: of what is kept, alike.
        reached: as `Arrivals.reached` gives it.
    """

    raw: list[bytes] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)
    reached: list[tuple[int, bool]] = field(default_factory=list)


class Ready(Struct, frozen=True):
    """What is left of envelopes that were written as lines as soon as they were read: their values are let go.

    Attributes:
        again: gives the arrivals with all they had.
    """

    lines: Lines
    again: Callable[[], Arrivals]


class Arrivals(Struct, frozen=True):
    """Envelopes with the times that the collector gives them; the n-th of every column is the n-th envelope.

    Attributes:
        measured, agents, bodies: empty when the arrivals are ready.
        times: true times.
        received: times of receipt.
        places: the places of each (device, run), in their order.
        odd: place to unknown names and names of impossible values, for the envelopes that have some.
        ready: when an engine has prepared them.
    """

    kinds: Sequence[Kind]
    senders: Sequence[str]
    runs: Sequence[str]
    seqs: Sequence[int]
    measured: Sequence[Moment]
    agents: Sequence[str]
    bodies: Sequence[Sequence[Measured]]
    times: Sequence[float]
    bases: Sequence[TimeBasis]
    received: Sequence[float]
    places: Mapping[RunKey, Sequence[int]]
    odd: Mapping[int, tuple[tuple[str, ...], tuple[str, ...]]] = _NOTHING
    ready: Ready | None = None

    @classmethod
    def of(cls, arrivals: Sequence[Arrival] | Arrivals) -> Arrivals:
        """Give arrivals as columns."""
        if isinstance(arrivals, Arrivals):
            return arrivals
        envelopes, times, bases, received, unknown, impossible = zip(*arrivals, strict=True) if arrivals else [()] * 6
        kinds, senders, runs, seqs, measured, agents, bodies = zip(*envelopes, strict=True) if arrivals else [()] * 7
        odd = {place: names for place, names in enumerate(zip(unknown, impossible, strict=True)) if any(names)}
        places = by_run(zip(senders, runs, strict=True))
        return cls(kinds, senders, runs, seqs, measured, agents, bodies, times, bases, received, places, odd)

    @classmethod
    def joined(cls, parts: Sequence[Arrivals]) -> Arrivals:
        """Put some behind each other; they have no odd names, and are ready when all of the parts are."""
        senders, runs = chained([part.senders for part in parts]), chained([part.runs for part in parts])
        all_ready = [part.ready for part in parts if part.ready is not None]
        ready = None
        if len(all_ready) == len(parts):
            starts = accumulate([0, *map(len, parts)])
            lines = Lines(
                [block for one in all_ready for block in one.lines.raw],
                [block for one in all_ready for block in one.lines.kept],
                [(start + place, ok) for start, one in zip(starts, all_ready, strict=False)
                 for place, ok in one.lines.reached],
            )  # fmt: skip
            ready = Ready(lines, lambda: cls.joined([part.full() for part in parts]))
        else:
            parts = [part.full() for part in parts]
        return cls(
            chained([part.kinds for part in parts]),
            senders,
            runs,
            chained([part.seqs for part in parts]),
            chained([part.measured for part in parts]),
            chained([part.agents for part in parts]),
            chained([part.bodies for part in parts]),
            chained([part.times for part in parts]),
            chained([part.bases for part in parts]),
            chained([part.received for part in parts]),
            by_run(zip(senders, runs, strict=True)),
            ready=ready,
        )

    def prepared(self, lines: Lines, again: Callable[[], Arrivals]) -> Arrivals:
        """Give them without the values, which stand in lines."""
        return msgspec.structs.replace(self, measured=(), agents=(), bodies=(), ready=Ready(lines, again))

    def full(self) -> Arrivals:
        """Give them with their values."""
        return self if self.ready is None else self.ready.again()

    def __len__(self) -> int:
        return len(self.seqs)

    def __iter__(self) -> Iterator[Arrival]:
        return map(self.full().arrival, range(len(self)))

    def reached(self) -> Sequence[tuple[int, bool]]:
        """Give the places of the envelopes whose sender tried the Internet target, and whether it answered."""
        if self.ready is not None:
            return self.ready.lines.reached
        return [one for table in self.tables(0, len(self)) for one in table.reached(self.senders)]

    @property
    def is_live(self) -> bool:
        """Whether all times are known from their runs' own live messages."""
        return self.bases.count(_LIVE) == len(self.bases)

    def only(self, places: Sequence[int], times: Sequence[float], bases: Sequence[TimeBasis]) -> Arrivals:
        """Give some of them, with other times, when they are full."""
        take = _Chosen(places)
        senders, runs = take(self.senders), take(self.runs)
        return Arrivals(
            take(self.kinds),
            senders,
            runs,
            take(self.seqs),
            take(self.measured),
            take(self.agents),
            take(self.bodies),
            take(times),
            take(bases),
            take(self.received),
            by_run(zip(senders, runs, strict=True)),
            {new: self.odd[place] for new, place in enumerate(places) if place in self.odd},
        )

    def numbers(self) -> dict[RunKey, list[int]]:
        """Give the sequence numbers of each run."""
        get = self.seqs.__getitem__
        return {key: list(map(get, places)) for key, places in self.places.items()}

    def arrival(self, place: int) -> Arrival:
        """Give one of them, when they are full."""
        measured = self.measured[place]
        envelope = Envelope(
            self.kinds[place],
            self.senders[place],
            self.runs[place],
            self.seqs[place],
            Instant(measured.wall, measured.mono),
            self.agents[place],
            tuple(map(plain, self.bodies[place])),
        )
        unknown, impossible = self.odd.get(place, ((), ()))
        return Arrival(envelope, self.times[place], self.bases[place], self.received[place], unknown, impossible)

    def tables(self, start: int, stop: int) -> list[Table]:
        """Give the rows of the envelopes at [start, stop) by measurement, when they are full.

        Owners count from `start`.
        """
        bodies, senders = self.bodies[start:stop], self.senders[start:stop]
        groups = list(chain.from_iterable(bodies))
        counts = list(map(len, bodies))
        is_single = counts.count(1) == len(counts)
        owners: Sequence[int] = range(len(bodies))
        if not is_single:
            owners = list(chain.from_iterable(map(repeat, owners, counts)))
        if len(set(map(type, groups))) == 1 and not isinstance(groups[0], Group):  # a structure for each measurement
            return [_table(groups[0].measurement, groups, owners, senders, is_single=is_single)]
        names = [group.measurement for group in groups]
        distinct = dict.fromkeys(names)
        found = []
        for name in distinct:
            chosen = [one == name for one in names]
            some, whose = list(compress(groups, chosen)), list(compress(owners, chosen))
            found.append(_table(name, some, whose, senders, is_single=len(set(whose)) == len(whose)))
        return found


def chained(columns: Sequence[Sequence[_T]]) -> Sequence[_T]:
    """Put columns behind each other."""
    return columns[0] if len(columns) == 1 else list(chain.from_iterable(columns))


class _Chosen:
    """Takes the same places out of any column."""

    def __init__(self, places: Sequence[int]) -> None:
        self._places = places

    def __call__(self, column: Sequence[_T]) -> list[_T]:
        return [column[place] for place in self._places]


def by_run(keys: Iterable[RunKey]) -> dict[RunKey, list[int]]:
    """Give the places of each key."""
    places: dict[RunKey, list[int]] = {}
    get = places.get
    for place, key in enumerate(keys):
        there = get(key)
        if there is None:
            places[key] = [place]
        else:
            there.append(place)
    return places


def plain(group: Measured) -> Group:
    """Give a group as the contract has it."""
    if isinstance(group, Group):
        return group
    names = MEASUREMENTS[group.measurement].by_name
    cells = zip(names, _by_field(group.values), strict=True)
    return Group(
        group.measurement, {name: value for name, value in cells if value is not None}, group.subject, group.part
    )


def _table(
    name: str, groups: Sequence[Measured], owners: Sequence[int], senders: Sequence[str], *, is_single: bool
) -> Table:
    all_values = [group.values for group in groups]
    kinds = set(map(type, all_values))
    if len(kinds) == 1 and issubclass(next(iter(kinds)), Struct):
        cells = list(map(_by_field, all_values))
    else:
        names = tuple(MEASUREMENTS[name].by_name)
        cells = [
            tuple(map(values.get, names)) if isinstance(values, Mapping) else _by_field(values) for values in all_values
        ]
    devices: Sequence[str] = (
        senders if len(owners) == len(senders) and is_single else [senders[owner] for owner in owners]
    )
    subjects = [group.subject for group in groups]
    is_own = not any(subjects)
    if not is_own:
        devices = [subject or device for subject, device in zip(subjects, devices, strict=True)]
    has_parts = MEASUREMENTS[name].part_kind is not PartKind.NONE
    parts = [group.part for group in groups] if has_parts else [""] * len(groups)
    return Table(name, owners, devices, parts, cells, is_single, is_own)
