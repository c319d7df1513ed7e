"""What a series store must do, whatever engine carries it: the Protocols and the rows that pass through them.

Times are float seconds since 1970-01-01 UTC on the TRUE clock (see the collector's `clocks`); a device's own wall
clock never gets here. Every write of one call is committed before the call returns, or StoreError is raised and
nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from phongmay_contract.catalogue import Value
from phongmay_contract.envelope import Envelope

if TYPE_CHECKING:
    from phongmay_store.series.arrivals import Arrivals


class TimeBasis(StrEnum):
    """How the true time of an envelope is known."""

    LIVE = "live"
    """From the run's offset, learnt from its own live messages."""
    WALL = "wall"
    """From the device's wall clock: the run never was live, and the clock is believable."""
    GUESS = "guess"
    """Neither: the time of receipt stands in and the row is flagged."""


class EnvelopeId(NamedTuple):
    """Identity of an envelope."""

    sender: str
    run: str
    seq: int

    def __str__(self) -> str:
        return f"{self.sender}/{self.run}/{self.seq}"


class Arrival(NamedTuple):
    """A checked envelope with the time that the collector gives it."""

    envelope: Envelope
    at: float
    basis: TimeBasis
    received: float
    unknown: tuple[str, ...] = ()
    out_of_range: tuple[str, ...] = ()

    @property
    def id(self) -> EnvelopeId:
        """Identity: seen again, nothing happens."""
        return EnvelopeId(self.envelope.sender, self.envelope.run, self.envelope.seq)


@dataclass(slots=True)
class Row:
    """One measurement of one device and part at one time, and the envelope it came in. Not frozen, since that doubles
    what each of a city's millions costs."""

    device: str
    part: str
    at: float
    basis: TimeBasis
    values: Mapping[str, Value]
    source: EnvelopeId


class Minutes(NamedTuple):
    """One hour of one device as two 60-bit masks (bit n = minute n of the UTC hour that starts at `hour`).

    Attributes:
        seen: a round was measured in that minute.
        reachable: a round of that minute reached the Internet target.
        unreachable: a round of that minute tried the Internet target in vain.
    """

    device: str
    hour: int
    seen: int
    reachable: int
    unreachable: int


class Reach(NamedTuple):
    """Minutes of one device in which its Internet target was tried, as `strips`.

    Attributes:
        start: the UTC hour at which they begin.
        reachable: minutes in which it was reached.
        unreachable: minutes in which it was tried in vain.
    """

    start: int
    reachable: int
    unreachable: int


class Strips(NamedTuple):
    """Minutes of one device as `strips`, all three from the same hour on; masks as in `Minutes`."""

    seen: int
    reachable: int
    unreachable: int


class MinuteCounts(NamedTuple):
    """Minutes of one device within wanted ones (lessons, say).

    Attributes:
        seen: a round was measured in them.
        reachable: a round of them reached the Internet target.
        unreachable: a round of them tried the Internet target in vain.
    """

    seen: int
    reachable: int
    unreachable: int


class Hourly(NamedTuple):
    """One gauge over one UTC hour, of all devices and parts that were asked for together.

    Attributes:
        hour: when it starts.
        samples: values measured in it.
        low: the least of them.
        high: the greatest of them.
        mean: their mean.
    """

    hour: int
    samples: int
    low: float
    high: float
    mean: float


@dataclass(frozen=True, slots=True)
class RunOffset:
    """True time of a run = its monotonic time + offset; learnt once, never changed."""

    device: str
    run: str
    offset: float
    basis: TimeBasis


class Presence(NamedTuple):
    """Whether a device is connected, by its MQTT sessions.

    Attributes:
        state: online, goodbye or lost (contract.envelope.STATES).
        session: the session that the state is about.
        run: the run of that session.
        since: true time since when the state holds.
        last_seen: true time of the newest sign of life (birth or live envelope).
        agent: agent version.
    """

    device: str
    state: str
    session: str
    run: str
    since: float
    last_seen: float
    agent: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was refused, kept with reason and payload."""

    id: int
    topic: str
    reason: str
    detail: str
    payload: bytes
    received: float


class SeriesReader(Protocol):
    """What rules, API and dashboards may ask."""

    def latest(self, measurement: str, devices: Collection[str] | None = None) -> Iterator[Row]:
        """Give the newest row of each (device, part); of all devices when None."""
        ...

    def newer(self, measurement: str, since: float) -> set[str]:
        """Give the devices whose newest row of a measurement is about a time after `since`."""
        ...

    def range(
        self,
        device: str,
        measurement: str,
        start: float,
        end: float,
        *,
        part: str | None = None,
        limit: int = 1000,
        after: tuple[float, str] | None = None,
    ) -> Sequence[Row]:
        """Give rows with start <= at < end in order of (at, part), at most `limit`, beginning behind `after`."""
        ...

    def hourly(
        self, measurement: str, quantity: str, start: float, end: float, devices: Collection[str] | None = None
    ) -> Sequence[Hourly]:
        """Give a gauge by the hour, over all parts of all these devices, for every hour that touches [start, end).

        Hours without a value are absent. Rounds are kept for days, hours for years.
        """
        ...

    def minutes(self, start: float, end: float, devices: Collection[str] | None = None) -> Iterator[Minutes]:
        """Give the minute masks of every hour that touches [start, end)."""
        ...

    def seen(self, start: float, end: float, devices: Collection[str] | None = None) -> Mapping[str, int]:
        """Give the minutes of [start, end), two whole UTC hours, in which each device measured a round: as `strips`.

        Devices without any may be absent.
        """
        ...

    def strips(self, start: float, end: float, devices: Collection[str]) -> Mapping[str, Strips]:
        """Give what `seen` gives, and with it the minutes in which each device tried the Internet target.

        Devices without any may be absent.
        """
        ...

    def minutes_within(
        self, wanted: Mapping[int, int], devices: Collection[str] | None = None
    ) -> Mapping[str, MinuteCounts]:
        """Count the minutes of each device that lie in wanted ones: 60-bit masks by the UTC hour at which they start.

        Devices without any minute in the hours' weeks may be absent.
        """
        ...

    def listening(self, start: float, end: float) -> Mapping[int, int]:
        """Give the minutes in which a collector could hear: a 60-bit mask for every UTC hour that touches [start, end).

        Who was not seen in such a minute was not there; of other minutes nothing follows.
        """
        ...

    def presence(self, devices: Collection[str] | None = None) -> Iterator[Presence]:
        """Give the presence of devices that were ever heard of."""
        ...

    def envelope_count(self, device: str | None = None) -> int:
        """Count stored envelopes: each identity once."""
        ...

    def dead_letters(self, limit: int = 100, after: int = 0) -> Sequence[DeadLetter]:
        """Give dead letters with id > after, oldest first."""
        ...

    def unknown_names(self) -> Mapping[str, int]:
        """Give how often each unknown measurement or quantity name was met."""
        ...

    def out_of_range_devices(self) -> Mapping[str, float]:
        """Give when each device last sent a value that is physically impossible; devices that never did are absent."""
        ...


class SeriesWriter(SeriesReader, Protocol):
    """What the collector does, and nobody else."""

    def known(self, ids: Iterable[EnvelopeId]) -> set[EnvelopeId]:
        """Tell which of these envelopes are stored already."""
        ...

    def settle(self, offsets: Sequence[RunOffset]) -> Sequence[RunOffset]:
        """Keep the offsets of runs that have none yet, and commit; give the offset that holds for each, in order.

        Called before envelopes are timed by them, so that a repeat after a crash, or one that another collector gets,
        lands on the same instant.
        """
        ...

    def prepare(self, arrivals: Arrivals, again: Callable[[], Arrivals]) -> Arrivals:
        """Give arrivals, all with a LIVE time and none odd, in the form that this engine writes most cheaply.

        It changes nothing, and any thread may call it.

        Args:
            arrivals: at least one.
            again: gives the same arrivals once more, should their values be needed after all.
        """
        ...

    def write(
        self,
        arrivals: Sequence[Arrival] | Arrivals,
        presence: Sequence[Presence] = (),
        dead: Sequence[DeadLetter] = (),
    ) -> None:
        """Commit all of this in one transaction; envelopes that are stored already change nothing."""
        ...

    def listened(self, times: Iterable[float]) -> None:
        """Keep that a collector could hear in the minutes of these true times: broker, collector and store worked."""
        ...

    def maintain(self, now: float) -> bool:
        """Do one small piece of the housekeeping that is due (an hour to roll up, a day to drop).

        Called by the collector when it has time; True as long as more is due. What is interrupted is done again.
        """
        ...

    def offset(self, device: str, run: str) -> RunOffset | None:
        """Give the offset that was learnt for a run, if any."""
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...


@runtime_checkable
class GivesReach(Protocol):
    """A reader that has minutes packed, and need not unpack them for `Reach`."""

    def reach(self, start: float, end: float, devices: Collection[str]) -> Mapping[str, Reach]:
        """Give what `strips.reach` makes of the minutes of every hour that touches [start, end).

        Devices without any may be absent.
        """
        ...
