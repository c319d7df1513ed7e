"""What a series store must remember besides points: small, transactional, shared by all collectors and readers.

With InfluxDB these tables are part of the register; with SQLite the same tables lie in the main file of the series
store. Times are float seconds UTC as in the series, hours are the UTC second at which they start. Masks and blocks are
60 bits and only ever joined by OR, so that two collectors may add to one row without reading it first.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, LargeBinary, Table, Text

from phongmay_store.register.base import Base

_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up an INTEGER only


def _table(name: str, *columns: Column[object]) -> Table:
    return Table(name, Base.metadata, *columns, sqlite_with_rowid=False)


STORED = _table(
    "series_stored",  # envelopes that are stored: bit n of a block is the sequence number 60 * block + n
    Column("sender", Text, primary_key=True),
    Column("run", Text, primary_key=True),
    Column("block", BigInteger, primary_key=True),
    Column("bits", BigInteger, nullable=False),
    Column("day", Integer, nullable=False, index=True),  # UTC day on which the block was begun
)
OFFSET = _table(
    "series_offset",  # true time of a run = its monotonic time + offset
    Column("device", Text, primary_key=True),
    Column("run", Text, primary_key=True),
    Column("offset_s", Double, nullable=False),
    Column("basis", Text, nullable=False),
    Column("day", Integer, nullable=False, index=True),
)
CLAIM = _table(
    "series_claim",  # time of an envelope without an offset, decided before its points are written
    Column("sender", Text, primary_key=True),
    Column("run", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("at", Double, nullable=False),
    Column("basis", Text, nullable=False),
)
MINUTES = _table(
    "series_minutes",
    Column("device", Text, primary_key=True),
    Column("hour", BigInteger, primary_key=True, index=True),
    Column("seen", BigInteger, nullable=False),
    Column("reachable", BigInteger, nullable=False),
    Column("unreachable", BigInteger, nullable=False),
)
LISTENING = _table(
    "series_listening",
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("minutes", BigInteger, nullable=False),
)
HOUR = _table(
    "series_hour",  # hours that got rounds; `changed` differs from `rolled` where the roll-up must be made anew
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("changed", BigInteger, nullable=False),
    Column("rolled", BigInteger, nullable=False),
    Column("touched", Double, nullable=False),
)
PRESENCE = _table(
    "series_presence",
    Column("device", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("since", Double, nullable=False),
    Column("last_seen", Double, nullable=False),
    Column("agent", Text, nullable=False),
)
ODD_NAME = _table(
    "series_odd_name",
    Column("oddity", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)
OUT_OF_RANGE = _table(
    "series_out_of_range",  # when a device last sent a value that is physically impossible
    Column("device", Text, primary_key=True),
    Column("last_at", Double, nullable=False),
    Column("count", BigInteger, nullable=False),
)
LEASE = _table(
    "series_lease",  # who of several collectors does the housekeeping
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Double, nullable=False),
)
DEAD_LETTER = Table(
    "series_dead_letter",
    Base.metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("topic", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("received", Double, nullable=False),
    sqlite_autoincrement=True,
)

STATE_TABLES: tuple[Table, ...] = (
    STORED, OFFSET, CLAIM, MINUTES, LISTENING, HOUR, PRESENCE, ODD_NAME, OUT_OF_RANGE, LEASE, DEAD_LETTER,
)  # fmt: skip
