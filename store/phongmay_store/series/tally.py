"""Counts minutes by device: those of weeks or blocks, and those of hours that are not in them yet, each minute once.

Numbers whose bits are minutes go in, counts come out. Nothing can go wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from phongmay_store.series.interface import MinuteCounts

Masks = tuple[int, int, int]
"""Seen, reachable, unreachable."""


class Tally:
    """Minutes by device; those that were seen and reached the Internet, as nearly all, are counted once for both.

    Attributes:
        whole: of a device, minutes that were seen and reached the Internet.
    """

    def __init__(self) -> None:
        self.whole: dict[str, int] = {}
        self._other: dict[str, list[int]] = {}

    def put(self, device: str, seen: int, reachable: int, unreachable: int) -> None:
        """Add counts of a device of which nothing was counted yet."""
        if seen == reachable and not unreachable:
            self.whole[device] = seen
        else:
            self._other[device] = [seen, reachable, unreachable]

    def add(self, device: str, numbers: Iterable[int], inside: int) -> None:
        """Add the bits of seen, reachable and unreachable that lie inside."""
        seen, reachable, unreachable = numbers
        if seen == reachable and not unreachable:
            self.whole[device] = self.whole.get(device, 0) + (seen & inside).bit_count()
            return
        mine = self._other.setdefault(device, [0, 0, 0])
        for place, number in enumerate(numbers):
            if number:
                mine[place] += (number & inside).bit_count()

    def add_recent(
        self,
        rows: Iterable[tuple[str, int, int, int, int]],
        both: Mapping[tuple[str, int], Masks],
        wanted: Mapping[int, int],
    ) -> None:
        """Add rows that were read before the values, so that none is missed when it is folded meanwhile.

        Args:
            rows: of the minutes that are not folded.
            both: what the values have of the same device and hour: a minute that stands in both counts once.
            wanted: masks by hour.
        """
        whole, get = self.whole, self.whole.get
        for device, hour, saw, reached, lost in rows:
            if both and (device, hour) in both:
                had = both[device, hour]
                self.add(device, (saw & ~had[0], reached & ~had[1], lost & ~had[2]), wanted.get(hour, 0))
            elif saw == reached and not lost:
                whole[device] = get(device, 0) + (saw & wanted.get(hour, 0)).bit_count()
            else:
                self.add(device, (saw, reached, lost), wanted.get(hour, 0))

    def counts(self) -> dict[str, MinuteCounts]:
        """Give the sums."""
        counts = {device: MinuteCounts(number, number, 0) for device, number in self.whole.items()}
        for device, sums in self._other.items():
            number = self.whole.get(device, 0)
            counts[device] = MinuteCounts(number + sums[0], number + sums[1], sums[2])
        return counts
