"""The two languages of InfluxDB, written without a gap: line protocol for points, InfluxQL for questions.

In: arrivals, names, texts. Out: bytes of lines, literals of InfluxQL. Nothing that a device sends can end a literal or
a line. The type of a field follows from the catalogue for ever: integers carry `i`, floats are floats even when whole.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar
from zlib import crc32

import msgspec

from phongmay_contract.catalogue import MEASUREMENTS, Type, Value
from phongmay_store.errors import StoreError
from phongmay_store.series.arrivals import Arrivals, Lines, Table
from phongmay_store.series.interface import Arrival, EnvelopeId, Row, TimeBasis
from phongmay_store.series.quantities import is_raw

SOURCE_RUN, SOURCE_SEQ, SOURCE_SENDER, BASIS = "source_run", "source_seq", "source_sender", "basis"
OWN_FIELDS = (SOURCE_RUN, SOURCE_SEQ, SOURCE_SENDER, BASIS)
"""Fields that we add to the quantities of a point."""
GUESSED = "guessed"
"""Tag of points whose time is a guess, and of no others."""
_K = TypeVar("_K")
_V = TypeVar("_V")
_SLOTS = 1000
_json = msgspec.json.Encoder().encode
_TEXT = str.maketrans({"\\": "\\\\", '"': '\\"'})
_LITERAL = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n"})
_NAME = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_TAG = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})
_HARD = re.compile(r"[%\\\x00-\x1f\x7f]")
_SOFT = re.compile(r"%([0-9A-F]{2})")
_PLAIN = re.compile(r"[A-Za-z0-9_.:-]+")


# ---- InfluxQL --------------------------------------------------------------------------------------------------------


def literal(text: str) -> str:
    """Give a text as a literal of InfluxQL.

    Raises:
        StoreError: it holds a control character that InfluxQL has no way to write.
    """
    return f"'{_sayable(text).translate(_LITERAL)}'"


def name(text: str) -> str:
    """Give a name (database, measurement, field, tag) as InfluxQL takes it.

    Raises:
        StoreError: it holds a control character that InfluxQL has no way to write.
    """
    return f'"{_sayable(text).translate(_NAME)}"'


def _sayable(text: str) -> str:
    if "\0" in text or "\r" in text:
        raise StoreError(f"series store: {text!r} cannot be asked for: InfluxQL cannot write its control characters")
    return text


def among(tag: str, wanted: Collection[str]) -> str:
    """Give a condition that a tag is one of these; devices that no contract allows are in no store and left out."""
    plain = sorted(text for text in wanted if _PLAIN.fullmatch(text))
    if not plain:
        return f"{name(tag)} = '' AND {name(tag)} != ''"
    if len(plain) == 1:
        return f"{name(tag)} = {literal(plain[0])}"
    choices = "|".join(text.replace(".", "\\.") for text in plain)
    return f"{name(tag)} =~ /^({choices})$/"


# ---- lines -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=100_000)
def tag_text(text: str) -> str:
    """Give a tag's value as a line takes it; what no line can hold (control characters, backslash) goes as %XX."""
    return _HARD.sub(lambda found: f"%{ord(found[0]):02X}", text).translate(_TAG)


def tag_filter(text: str) -> str:
    """Give a tag's value as it is stored, for a literal of InfluxQL."""
    return _HARD.sub(lambda found: f"%{ord(found[0]):02X}", text)


def tag_back(text: str) -> str:
    """Give the value that `tag_text` wrote."""
    return _SOFT.sub(lambda found: chr(int(found[1], 16)), text) if "%" in text else text


class _Memory(dict[_K, _V]):
    """What was made for a key; begun anew when it is full: a bounded lru_cache costs thrice as much for each look.

    Args:
        make: makes it.
        most: keys that are remembered.
    """

    def __init__(self, make: Callable[[_K], _V], most: int) -> None:
        super().__init__()
        self._make, self._most = make, most

    def __missing__(self, key: _K) -> _V:
        if len(self) >= self._most:
            self.clear()
        made = self[key] = self._make(key)
        return made


def _tail(key: tuple[str, bool]) -> bytes:
    """Give the tags behind the device: whether the time is a guess, and the part."""
    part, guessed = key
    return f"{f',{GUESSED}=yes' if guessed else ''}{f',part={tag_text(part)}' if part else ''} ".encode()


def _source(run: str) -> tuple[bytes, int]:
    """Give a run as a field, and its share of a point's microseconds."""
    return f'{SOURCE_RUN}="{run}",'.encode(), crc32(run.encode())


_DEVICES: _Memory[str, bytes] = _Memory(lambda device: tag_text(device).encode(), 400_000)
_TAILS = _Memory(_tail, 10_000)
_SOURCES = _Memory(_source, 400_000)


def point_time(arrival: Arrival) -> int:
    """Give the nanoseconds of a point: a function of envelope and true time alone, so a repeat lands on it again.

    The true time counts by the millisecond. The microseconds below tell apart envelopes of one instant (two holders of
    one identity, two events); nanoseconds are left for groups of one envelope that would share their key.
    """
    envelope = arrival.envelope
    number = _SOURCES[envelope.run][1] + envelope.seq
    return (round(arrival.at * 1e6) // 1000 * 1000 + number % _SLOTS) * 1000


_ROUNDS = frozenset(name for name, measurement in MEASUREMENTS.items() if is_raw(measurement))
_CUT = b"\0"
"""Between cells until they are cut apart; JSON writes that character as an escape, so no text holds it."""
_AT_ONCE = 500
"""Envelopes that become lines together: all that is at hand of them fits into a processor's cache."""


def encode(arrivals: Sequence[Arrival] | Arrivals, raw_from: float) -> Lines:
    """Write arrivals as lines; rounds from before `raw_from` are left out, since their time of keeping is over."""
    columns, lines = Arrivals.of(arrivals), Lines()
    for start in range(0, len(columns), _AT_ONCE):
        piece = _Piece(columns, slice(start, start + _AT_ONCE))
        for table in columns.tables(start, start + _AT_ONCE):
            lines.reached.extend((start + owner, ok) for owner, ok in table.reached(piece.senders))
            if table.measurement not in _ROUNDS:
                lines.kept.append(piece.lines(table))
            elif (young := piece.since(table, raw_from)).owners:
                lines.raw.append(piece.lines(young))
    return lines


class _Piece:
    """Some envelopes, and what the lines of each share: source, number, time."""

    def __init__(self, arrivals: Arrivals, some: slice) -> None:
        self._times, self.senders, seqs = arrivals.times[some], arrivals.senders[some], arrivals.seqs[some]
        bases = arrivals.bases[some]
        sources, shares = zip(*map(_SOURCES.__getitem__, arrivals.runs[some]), strict=True)
        self._sources, self._guessed = list(sources), [False] * len(seqs)
        if bases.count(TimeBasis.LIVE) < len(bases):
            self._guessed = [basis is TimeBasis.GUESS for basis in bases]
            for place, basis in enumerate(bases):
                if basis is not TimeBasis.LIVE:
                    self._sources[place] += f'{BASIS}="{basis.value}",'.encode()
        self._seqs = seqs
        self._at = [
            (round(at * 1e6) // 1000 * 1000 + (share + seq) % _SLOTS) * 1000  # as `point_time`
            for at, share, seq in zip(self._times, shares, seqs, strict=True)
        ]

    def since(self, table: Table, first: float) -> Table:
        """Leave out the rows from before a time."""
        if min(self._times) >= first:
            return table
        return table.only([self._times[owner] >= first for owner in table.owners])

    def lines(self, table: Table) -> bytes:
        """Give the lines of rows; their values are written column by column."""
        owners = table.owners
        sources, seqs, at, guessed = self._sources, self._seqs, self._at, self._guessed
        if not table.is_single or len(owners) < len(seqs):
            sources, guessed = [sources[owner] for owner in owners], [guessed[owner] for owner in owners]
            seqs, at = [seqs[owner] for owner in owners], [at[owner] for owner in owners]
        if not table.is_single:
            at = _apart(table, at)
        if not table.is_own:
            sources = list(map(self._told, sources, table.devices, owners))
        tails: _Column = b" "
        if any(guessed) or any(table.parts):
            tails = list(map(_TAILS.__getitem__, zip(table.parts, guessed, strict=True)))
        devices = list(map(_DEVICES.__getitem__, table.devices))
        columns: list[_Column] = [f"{table.measurement},device=".encode(), devices, tails, sources, *_fields(table)]
        columns += [f"{SOURCE_SEQ}=".encode(), _cells(seqs), b"i ", _cells(at), b"\n"]
        return _join(columns, len(owners))

    def _told(self, source: bytes, device: str, owner: int) -> bytes:
        """Add the sender, where it speaks of another device."""
        sender = self.senders[owner]
        return source if device == sender else source + f'{SOURCE_SENDER}="{sender}",'.encode()


def _apart(table: Table, at: list[int]) -> list[int]:
    """Move groups of one envelope that would share their key: the second by a nanosecond, and so on."""
    keys = list(zip(table.owners, table.devices, table.parts, strict=True))
    if len(set(keys)) == len(keys):
        return at
    moved, repeats = [], Counter[tuple[int, str, str]]()
    for key, time in zip(keys, at, strict=True):
        moved.append(time + repeats[key])
        repeats[key] += 1
    return moved


_Column = bytes | Sequence[bytes]
"""A piece of every line: the same for all, or of each its own."""


def _fields(table: Table) -> Iterator[_Column]:
    """Give the columns of the values, each with its name and what parts it from the next."""
    for quantity, values in zip(
        MEASUREMENTS[table.measurement].quantities, zip(*table.cells, strict=True), strict=True
    ):
        begin, end = f"{quantity.name}=".encode(), b"i," if quantity.type is Type.INT else b","
        written = _json(values)[1:-1]
        if b"null" in written and None in values:
            there = [value for value in values if value is not None]
            rest = iter(_cells(there))
            if there:
                yield [b"" if value is None else begin + next(rest) + end for value in values]
        else:
            cells = (begin + written.replace(b",", end + _CUT + begin) + end).split(_CUT)
            if len(cells) != len(values) or b"\\" in written:  # a text that JSON escapes, or with a comma
                cells = [begin + cell + end for cell in _cells(values)]
            yield cells


def _cells(values: Sequence[Value]) -> list[bytes]:
    """Write values as lines do; so does JSON, unless a text holds a comma or what JSON must escape."""
    written = _json(values)[1:-1]
    cells = written.split(b",")
    if len(cells) == len(values) and b"\\" not in written:
        return cells
    return [f'"{one.translate(_TEXT)}"'.encode() if isinstance(one, str) else _json(one) for one in values]


def _join(columns: Sequence[_Column], count: int) -> bytes:
    """Put columns together to lines."""
    merged: list[_Column] = []
    for column in columns:
        if merged and isinstance(column, bytes) and isinstance(merged[-1], bytes):
            merged[-1] += column
        else:
            merged.append(column)
    step = len(merged)
    pieces = [column if isinstance(column, bytes) else b"" for column in merged] * count
    for place, column in enumerate(merged):
        if not isinstance(column, bytes):
            pieces[place::step] = column
    del pieces[-1]  # the last line end
    return b"".join(pieces)


# ---- back from an answer ---------------------------------------------------------------------------------------------


def time_of(nanoseconds: int) -> float:
    """Give the seconds of a point; groups of one envelope with one key come out a microsecond apart."""
    return (nanoseconds // 1000 + nanoseconds % 1000) / 1e6


def row_of(measurement: str, tags: Mapping[str, str], cells: Mapping[str, Value | None]) -> Row:
    """Make a row out of a point of an answer; `cells` holds its fields and, as `time`, its nanoseconds."""
    values: dict[str, Value] = {}
    for quantity in MEASUREMENTS[measurement].quantities:
        value = cells.get(quantity.name)
        if value is not None:
            values[quantity.name] = float(value) if quantity.type is Type.FLOAT else value
    device = tag_back(tags.get("device", ""))
    nanoseconds, seq = cells["time"], cells[SOURCE_SEQ]
    source = EnvelopeId(str(cells.get(SOURCE_SENDER) or device), str(cells[SOURCE_RUN]), int(seq or 0))
    basis = TimeBasis(str(cells.get(BASIS) or TimeBasis.LIVE.value))
    return Row(device, tag_back(tags.get("part", "")), time_of(int(nanoseconds or 0)), basis, values, source)
