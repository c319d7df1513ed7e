"""The two languages of InfluxDB, written without a gap: line protocol for points, InfluxQL for questions.

In: arrivals, names, texts. Out: bytes of lines, literals of InfluxQL. Nothing that a device sends can end a literal or
a line. The type of a field follows from the catalogue for ever: integers carry `i`, floats are floats even when whole.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

import msgspec

from phongmay_contract.catalogue import MEASUREMENTS, Type, Value
from phongmay_contract.envelope import Envelope, Group
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
_tuple = tuple.__new__
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


def _template(key: tuple[str, tuple[str, ...]]) -> bytes:
    """Give a line with these quantities, to be filled with its head, their values, sequence number and run."""
    measurement, names = key
    kinds = [(name, MEASUREMENTS[measurement].by_name[name].type) for name in names]
    fields = "".join(f"{name}=%b{'i' if kind is Type.INT else ''}," for name, kind in kinds)
    return f"%b{fields}{SOURCE_SEQ}=%bi,%b".encode()


def _source(run: str) -> tuple[bytes, int]:
    """Give a run as a field, and its share of a point's microseconds."""
    return f'{SOURCE_RUN}="{run}"'.encode(), crc32(run.encode())


_HEADS = _Memory(_head, 400_000)
_TEMPLATES = _Memory(_template, 10_000)
_SOURCES = _Memory(_source, 400_000)


def _line(group: Group, head: bytes, seq: int, run: bytes) -> bytes:
    """Write a group; JSON writes values as lines do, unless a text holds a comma or what JSON must escape."""
    values = group.values
    template = _TEMPLATES[group.measurement, tuple(values)]
    text = _json((*values.values(), seq))
    if b"\\" not in text:
        cells = text[1:-1].split(b",")
        if len(cells) == len(values) + 1:
            return template % (head, *cells, run)
    singly = [
        f'"{value.translate(_TEXT)}"'.encode() if isinstance(value, str) else _json(value) for value in values.values()
    ]
    return template % (head, *singly, _json(seq), run)


def point_time(arrival: Arrival) -> int:
    """Give the nanoseconds of a point: a function of envelope and true time alone, so a repeat lands on it again.

    The true time counts by the millisecond. The microseconds below tell apart envelopes of one instant (two holders of
    one identity, two events); nanoseconds are left for groups of one envelope that would share their key.
    """
    envelope = arrival.envelope
    return _point_time(arrival.at, _SOURCES[envelope.run][1] + envelope.seq)


def _point_time(at: float, number: int) -> int:
    return (round(at * 1e6) // 1000 * 1000 + number % _SLOTS) * 1000


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a batch: of rounds, and of what is kept."""

    raw: list[bytes]
    kept: list[bytes]


_ROUNDS = frozenset(name for name, measurement in MEASUREMENTS.items() if is_raw(measurement))


class Prepared(NamedTuple):
    """A line but for its time: `repeat` is the share of a group that has the key of an earlier one of its envelope."""

    is_round: bool
    text: bytes
    repeat: int


def prepare(envelope: Envelope, *, guessed: bool = False) -> list[Prepared]:
    """Write an envelope as lines, as far as its time is not needed."""
    _, sender, run, seq, _, _, body = envelope
    source, _ = _SOURCES[run]
    if len(body) == 1 and body[0].subject in ("", sender):  # nothing to be told apart
        (group,) = body
        measurement = group.measurement
        head = _HEADS[measurement, sender, group.part, guessed]
        return [_tuple(Prepared, (measurement in _ROUNDS, _line(group, head, seq, source), 0))]
    repeats = Counter[tuple[str, str, str]]()
    lines = []
    for group in body:
        measurement, _, subject, part = group
        device, tail = sender, b""
        if subject and subject != sender:
            device, tail = subject, f',{SOURCE_SENDER}="{sender}"'.encode()
        key = (measurement, device, part)
        head = _HEADS[measurement, device, part, guessed]
        lines.append(Prepared(measurement in _ROUNDS, _line(group, head, seq, source + tail), repeats[key]))
        repeats[key] += 1
    return lines


def encode(arrivals: Sequence[Arrival], raw_from: float) -> Lines:
    """Write arrivals as lines; rounds from before `raw_from` are left out, since their time of keeping is over."""
    raw, kept = _Texts([], []), _Texts([], [])
    for envelope, true_time, basis, _, _, _, prepared in arrivals:
        at = _point_time(true_time, _SOURCES[envelope[2]][1] + envelope[3])
        lines: Any = prepared
        if lines is None or basis is TimeBasis.GUESS:
            lines = prepare(envelope, guessed=basis is TimeBasis.GUESS)
        tail = b"" if basis is TimeBasis.LIVE else f',{BASIS}="{basis.value}"'.encode()
        for is_round, text, repeat in lines:
            if is_round and true_time < raw_from:
                continue
            texts, times = raw if is_round else kept
            texts.append(text + tail if tail else text)
            times.append(at + repeat)
    return Lines(raw.whole(), kept.whole())


class _Texts(NamedTuple):
    """Lines without their times, and the times."""

    texts: list[bytes]
    times: list[int]

    def whole(self) -> list[bytes]:
        """Give the lines; the times are written all at once, a quarter of the cost of one by one."""
        return list(map(b" ".join, zip(self.texts, _json(self.times)[1:-1].split(b","), strict=False)))


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
