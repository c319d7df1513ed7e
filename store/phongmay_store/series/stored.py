"""Which blocks of identities are stored, remembered as long as nobody else writes: most batches need not ask for them.

In: blocks (sender, run, number) with the bits of new envelopes. Out: whether one of them is stored. A database that
cannot tell whether somebody else has written (PostgreSQL) is asked each time. StoreError passes through.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from phongmay_store.series.database import Database

Block = tuple[str, str, int]
"""Sender, run, and which sixty sequence numbers."""
_REMEMBERED = 200_000
"""Runs of which the newest block is remembered: a city's of a day."""


class StoredBlocks:
    """The memory of one writer over `series_stored`: the newest block of each run."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._newest: dict[tuple[str, str], tuple[int, int]] = {}
        self._asked: dict[Block, int] = {}
        self._version: Hashable = None
        self._open = False

    def begin(self) -> None:
        """Begin a batch; when the one before was never `kept`, nobody knows what stands, and all is forgotten."""
        if self._open:
            self._newest.clear()
        self._asked = {}
        self._open = True

    def has_any(self, blocks: Mapping[Block, int]) -> bool:
        """Tell whether something of these blocks is stored already."""
        version = self._database.version()
        if version is None or version != self._version or len(self._newest) > _REMEMBERED:
            self._newest.clear()
        self._version = version
        asked, newest_of = self._asked, self._newest.get
        missing: list[Block] = []
        for key in blocks:
            newest = newest_of(key[:2])
            if newest is not None and newest[0] == key[2]:
                asked[key] = newest[1]
            else:
                asked[key] = 0
                missing.append(key)
        if missing:
            key_columns = ("sender", "run", "block")
            for sender, run, block, bits in self._database.by_key("series_stored", key_columns, "bits", missing):
                asked[sender, run, block] = bits
        return any(asked[key] & new for key, new in blocks.items())

    def kept(self, blocks: Mapping[Block, int]) -> None:
        """Remember what was committed."""
        for key, new in blocks.items():
            run, had, newest = key[:2], self._asked.get(key), self._newest.get(key[:2])
            if had is None:
                self._newest.pop(run, None)  # stored without asking here
            elif newest is None or newest[0] <= key[2]:
                self._newest[run] = key[2], had | new
        self._open = False
