"""True time of what a device measured, whatever its wall clock says.

In: instants on a device's two clocks, and moments of receipt on the server's clock (float seconds UTC). Out: true
times with their basis. Nothing goes wrong here; a clock that cannot be believed gives a flagged guess.

The method. A device's monotonic clock never jumps, so within one run `true time = mono + offset` with one offset.
A message that comes promptly shows it: received - sent.mono = offset + delay. The offset is learnt ONCE: from the
first batch with prompt messages of the run, taking the least (the delay only ever adds). Then it is stored and never
changed, so that a repeat, a backfill or a replay of the run lands on the same instant.

"Promptly" is the trap. After the collector, the store or the broker was away, the broker delivers what it had queued:
those messages are hours late and would shift the run by hours. So the collector sends a marker to itself through the
broker every second. The broker keeps one queue a client in order; whatever comes behind a marker entered the broker
after the marker did. Therefore a message has waited at most as long as the newest returned marker is old, and only
messages with a bound of PROMPT_S teach. Retained messages never teach, nor do last wills (written at connect).

A run that never was prompt: its wall clock where it can be believed (within the last 30 days and not ahead of us by
more than a minute; basis WALL), else the time of receipt (basis GUESS). Neither is stored as an offset.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from phongmay_contract.envelope import Instant
from phongmay_store.series.interface import RunOffset, TimeBasis

PROMPT_S = 5.0
"""Longest time that a message may have waited in the broker and still teach an offset."""
BELIEVABLE_PAST_S = 30 * 86400.0
BELIEVABLE_FUTURE_S = 60.0
OLDEST_S = 400 * 86400.0
"""Longest uptime that is believed of a run; older or future results mean that its monotonic clock is no such thing."""
_CACHED_RUNS = 200_000


class Clocks:
    """Offsets of runs: learnt from prompt messages, looked up in the store, kept in memory.

    Args:
        look_up: gives the stored offset of (device, run), or None.
    """

    def __init__(self, look_up: Callable[[str, str], RunOffset | None]) -> None:
        self._look_up = look_up
        self._settled: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._open: dict[tuple[str, str], float] = {}

    def load(self, runs: Iterable[tuple[str, str]]) -> None:
        """Look up the offsets of (device, run) pairs; the other methods know only what was loaded or learnt."""
        for key in runs:
            if key in self._settled:
                self._settled.move_to_end(key)
            elif (stored := self._look_up(*key)) is not None:
                self._remember(key, stored.offset)

    @property
    def offset_of(self) -> Callable[[tuple[str, str]], float | None]:
        """Give the function that gives the settled offset of a (device, run), as far as it was loaded or learnt."""
        return self._settled.get

    def know(self, runs: set[tuple[str, str]]) -> bool:
        """Tell whether the offsets of all these runs are settled."""
        return runs <= self._settled.keys()

    def observe(self, key: tuple[str, str], sent_mono: float, received: float) -> None:
        """Take a prompt live message of (device, run) into account; the least delay wins until `settle`."""
        if key not in self._settled:
            estimate = received - sent_mono
            self._open[key] = min(estimate, self._open.get(key, estimate))

    def settle(self, keep: Callable[[Sequence[RunOffset]], Sequence[RunOffset]]) -> None:
        """Fix the offsets of the runs that were observed since the last call.

        Args:
            keep: stores them and gives those that hold: another collector may have been first. When it raises, what was
                learnt is forgotten, and the same messages teach it again.
        """
        if not self._open:
            return
        learnt = [RunOffset(device, run, offset, TimeBasis.LIVE) for (device, run), offset in self._open.items()]
        self._open.clear()
        for held in keep(learnt):
            self._remember((held.device, held.run), held.offset)

    def time_of(self, key: tuple[str, str], instant: Instant, received: float) -> tuple[float, TimeBasis]:
        """Give the true time of an instant on a device's clocks.

        Args:
            key: device and run of its agent.
            instant: what the clocks showed.
            received: when the collector got it.
        """
        offset = self._settled.get(key)
        if offset is not None:
            at = offset + instant.mono
            if received - OLDEST_S <= at <= received + BELIEVABLE_FUTURE_S:
                return at, TimeBasis.LIVE
        elif received - BELIEVABLE_PAST_S <= instant.wall <= received + BELIEVABLE_FUTURE_S:
            return instant.wall, TimeBasis.WALL
        return received, TimeBasis.GUESS

    def _remember(self, key: tuple[str, str], offset: float) -> None:
        self._settled[key] = offset
        if len(self._settled) > _CACHED_RUNS:
            self._settled.popitem(last=False)
