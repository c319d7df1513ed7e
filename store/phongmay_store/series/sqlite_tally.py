"""What weeks and blocks of minute masks share: how three masks are kept, and how minutes are counted once.

In: values of `minutes_week` or `minutes_block`, and rows of `series_minutes` that are not folded into them. Out: masks
as numbers, and counts by device. What SQLite refuses is a StoreError.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from phongmay_store.series.database import SqliteFile
from phongmay_store.series.interface import MinuteCounts

Masks = tuple[int, int, int]
"""Seen, reachable, unreachable."""


def numbers_of(seen: bytes, not_reached: bytes | None, unreachable: bytes | None) -> list[int]:
    """Give seen, reachable and unreachable as numbers."""
    whole = int.from_bytes(seen, "little")
    reached = whole ^ int.from_bytes(not_reached, "little") if not_reached else whole
    return [whole, reached, int.from_bytes(unreachable, "little") if unreachable else 0]


def values_of(numbers: Sequence[int], size: int) -> tuple[bytes, bytes | None, bytes | None]:
    """Give what is kept of seen, reachable and unreachable: what is all zero is NULL, mostly two of the three."""
    seen, reachable, unreachable = numbers
    lacks = seen ^ reachable
    return (
        seen.to_bytes(size, "little"),
        lacks.to_bytes(size, "little") if lacks else None,
        unreachable.to_bytes(size, "little") if unreachable else None,
    )


def masks_at(place: int, seen: bytes | None, not_reached: bytes | None, unreachable: bytes | None) -> Masks:
    """Give what values have at one of their places of 64 bits."""
    values = [value[8 * place : 8 * place + 8] if value else b"" for value in (seen, not_reached, unreachable)]
    saw, lacks, lost = (int.from_bytes(value, "little") for value in values)
    return saw, saw ^ lacks, lost


def recent_rows(
    main: SqliteFile, wanted: Mapping[int, int], devices: Collection[str] | None
) -> list[tuple[str, int, int, int, int]]:
    """Give the rows that are not folded yet from the first wanted hour to the last."""
    sql = "SELECT device, hour, seen, reachable, unreachable FROM series_minutes WHERE hour BETWEEN ? AND ?"
    values: list[Any] = [min(wanted), max(wanted)]
    if devices is not None:
        condition, chosen = main.among("device", devices)
        sql, values = f"{sql} AND {condition}", [*values, chosen]
    return list(main.stream(sql, values))


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
