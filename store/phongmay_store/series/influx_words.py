"""The two languages of InfluxDB, written without a gap: line protocol for points, InfluxQL for questions.

In: arrivals, names, texts. Out: bytes of lines, literals of InfluxQL. Nothing that a device sends can end a literal or
a line. The type of a field follows from the catalogue for ever: integers carry `i`, floats are floats even when whole.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar
from zlib import crc32

import msgspec

from phongmay_contract.catalogue import MEASUREMENTS, Type, Value
from phongmay_store.errors import StoreError
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


def _head(key: tuple[str, str, str, bool]) -> bytes:
    measurement, device, part, guessed = key
    tags = f"device={tag_text(device)}"
    tags += f",{GUESSED}=yes" if guessed else ""
    tags += f",part={tag_text(part)}" if part else ""
    return f"{measurement},{tags} ".encode()


def _pattern(shape: tuple[str, tuple[str, ...]]) -> list[bytes]:
    """Give the pieces of a line with these quantities; empty ones stand for head, source, values, number and time."""
    measurement, names = shape
    pieces, mark = [b"", b""], ""
    for quantity in names:
        pieces += f"{mark}{quantity}=".encode(), b""
        mark = "i," if MEASUREMENTS[measurement].by_name[quantity].type is Type.INT else ","
    return [*pieces, f"{mark}{SOURCE_SEQ}=".encode(), b"", b"i ", b"", b"\n"]


def _source(run: str) -> tuple[bytes, int]:
    """Give a run as a field, and its share of a point's microseconds."""
    return f'{SOURCE_RUN}="{run}",'.encode(), crc32(run.encode())


_HEADS = _Memory(_head, 400_000)
_PATTERNS = _Memory(_pattern, 10_000)
_SOURCES = _Memory(_source, 400_000)


def point_time(arrival: Arrival) -> int:
    """Give the nanoseconds of a point: a function of envelope and true time alone, so a repeat lands on it again.

    The true time counts by the millisecond. The microseconds below tell apart envelopes of one instant (two holders of
    one identity, two events); nanoseconds are left for groups of one envelope that would share their key.
    """
    envelope = arrival.envelope
    number = _SOURCES[envelope.run][1] + envelope.seq
    return (round(arrival.at * 1e6) // 1000 * 1000 + number % _SLOTS) * 1000


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a batch, in blocks of whole ones: of rounds, and of what is kept."""

    raw: list[bytes]
    kept: list[bytes]


_ROUNDS = frozenset(name for name, measurement in MEASUREMENTS.items() if is_raw(measurement))


_Shape = tuple[str, tuple[str, ...]]
"""A measurement, and which of its quantities."""
_AT_ONCE = 500
"""Arrivals that become lines together: all that is at hand of them fits into a processor's cache."""


class _Columns:
    """Lines of one measurement with the same quantities, column by column: their values are written all at once."""

    __slots__ = ("heads", "sources", "values")

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.sources: list[bytes] = []
        self.values: list[Value] = []  # of each line: its quantities, sequence number and time

    def text(self, pattern: list[bytes]) -> bytes:
        """Give the lines."""
        step, width = len(pattern), len(self.values) // len(self.heads)
        cells = _cells(self.values, width)
        pieces = pattern * len(self.heads)
        pieces[::step] = self.heads
        pieces[1::step] = self.sources
        for column in range(width):
            pieces[3 + 2 * column :: step] = cells[column::width]
        del pieces[-1]
        return b"".join(pieces)


def _cells(values: list[Value], width: int) -> list[bytes]:
    """Write values as lines do; so does JSON, unless a text holds a comma or what JSON must escape.

    Such a text is looked for by halves, so that it costs the other lines little.
    """
    written = _json(values)[1:-1]
    cells = written.split(b",")
    if len(cells) == len(values) and b"\\" not in written:
        return cells
    middle = len(values) // width // 2 * width
    if middle:
        return _cells(values[:middle], width) + _cells(values[middle:], width)
    return [f'"{one.translate(_TEXT)}"'.encode() if isinstance(one, str) else _json(one) for one in values]


def encode(arrivals: Sequence[Arrival], raw_from: float) -> Lines:
    """Write arrivals as lines; rounds from before `raw_from` are left out, since their time of keeping is over."""
    texts: tuple[list[bytes], list[bytes]] = ([], [])  # of what is kept, of rounds
    for start in range(0, len(arrivals), _AT_ONCE):
        for shape, columns in _by_shape(arrivals[start : start + _AT_ONCE], raw_from).items():
            texts[shape[0] in _ROUNDS].append(columns.text(_PATTERNS[shape]))
    kept, raw = texts
    return Lines(raw, kept)


def _by_shape(arrivals: Sequence[Arrival], raw_from: float) -> dict[_Shape, _Columns]:
    shapes: defaultdict[_Shape, _Columns] = defaultdict(_Columns)
    for envelope, true_time, basis, _, _, _ in arrivals:
        _, sender, run, seq, _, _, body = envelope
        source, share = _SOURCES[run]
        at = (round(true_time * 1e6) // 1000 * 1000 + (share + seq) % _SLOTS) * 1000  # as `point_time`
        guessed, is_old = basis is TimeBasis.GUESS, true_time < raw_from
        if basis is not TimeBasis.LIVE:
            source += f'{BASIS}="{basis.value}",'.encode()
        repeats = Counter[tuple[str, str, str]]() if len(body) > 1 else None
        for measurement, values, subject, part in body:
            if is_old and measurement in _ROUNDS:
                continue
            columns = shapes[measurement, tuple(values)]
            if subject and subject != sender:
                columns.sources.append(source + f'{SOURCE_SENDER}="{sender}",'.encode())
                device = subject
            else:
                columns.sources.append(source)
                device = sender
            columns.heads.append(_HEADS[measurement, device, part, guessed])
            time = at
            if repeats is not None:
                key = (measurement, device, part)
                time += repeats[key]
                repeats[key] += 1
            columns.values += (*values.values(), seq, time)
    return shapes


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
