"""The two languages of InfluxDB, written without a gap: line protocol for points, InfluxQL for questions.

In: arrivals, names, texts. Out: bytes of lines, literals of InfluxQL. Nothing that a device sends can end a literal or
a line. The type of a field follows from the catalogue for ever: integers carry `i`, floats are floats even when whole.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

from phongmay_contract.catalogue import MEASUREMENTS, Type, Value
from phongmay_contract.envelope import Group
from phongmay_store.errors import StoreError
from phongmay_store.series.interface import Arrival, EnvelopeId, Row, TimeBasis
from phongmay_store.series.quantities import is_raw

SOURCE_RUN, SOURCE_SEQ, SOURCE_SENDER, BASIS = "source_run", "source_seq", "source_sender", "basis"
OWN_FIELDS = (SOURCE_RUN, SOURCE_SEQ, SOURCE_SENDER, BASIS)
"""Fields that we add to the quantities of a point."""
GUESSED = "guessed"
"""Tag of points whose time is a guess, and of no others."""
_SLOTS = 1000
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


@lru_cache(maxsize=100_000)
def _head(measurement: str, device: str, part: str, guessed: bool) -> str:
    tags = f"device={tag_text(device)}"
    tags += f",{GUESSED}=yes" if guessed else ""
    tags += f",part={tag_text(part)}" if part else ""
    return f"{measurement},{tags} "


@lru_cache(maxsize=10_000)
def _template(measurement: str, keys: tuple[str, ...]) -> tuple[str, bool]:
    """Give the fields of a point with these quantities, to be filled with values; and whether texts are among them."""
    kinds = [(key, MEASUREMENTS[measurement].by_name[key].type) for key in keys]
    # True and False are booleans of the line protocol; a float without a point in it is a float all the same.
    marks = {Type.INT: "%di", Type.FLOAT: "%r", Type.BOOL: "%r", Type.TEXT: '"%s"'}
    return "".join(f"{key}={marks[kind]}," for key, kind in kinds), any(kind is Type.TEXT for _, kind in kinds)


def _fields(group: Group) -> str:
    template, has_text = _template(group.measurement, tuple(group.values))
    if not has_text:
        return template % tuple(group.values.values())
    return template % tuple(
        value.translate(_TEXT) if isinstance(value, str) else value for value in group.values.values()
    )


def point_time(arrival: Arrival) -> int:
    """Give the nanoseconds of a point: a function of envelope and true time alone, so a repeat lands on it again.

    The true time counts by the millisecond. The microseconds below tell apart envelopes of one instant (two holders of
    one identity, two events); nanoseconds are left for groups of one envelope that would share their key.
    """
    envelope = arrival.envelope
    slot = (crc32(envelope.run.encode()) + envelope.seq) % _SLOTS
    return (round(arrival.at * 1e6) // 1000 * 1000 + slot) * 1000


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a batch: of rounds, and of what is kept."""

    raw: bytes
    kept: bytes


def encode(arrivals: Sequence[Arrival], raw_from: float) -> Lines:
    """Write arrivals as lines; rounds from before `raw_from` are left out, since their time of keeping is over."""
    raw, kept = list[str](), list[str]()
    rounds = {name for name, measurement in MEASUREMENTS.items() if is_raw(measurement)}
    for arrival in arrivals:
        envelope, basis = arrival.envelope, arrival.basis
        source = f'{SOURCE_RUN}="{envelope.run}",{SOURCE_SEQ}={envelope.seq}i'
        if basis is not TimeBasis.LIVE:
            source = f'{source},{BASIS}="{basis.value}"'
        at, repeats = point_time(arrival), Counter[tuple[str, str, str]]()
        for group in envelope.body:
            if group.measurement not in rounds:
                lines = kept
            elif arrival.at >= raw_from:
                lines = raw
            else:
                continue
            device = group.subject or envelope.sender
            head = _head(group.measurement, device, group.part, basis is TimeBasis.GUESS)
            spoken = source if device == envelope.sender else f'{source},{SOURCE_SENDER}="{envelope.sender}"'
            repeat = 0
            if len(envelope.body) > 1:
                key = (group.measurement, device, group.part)
                repeat = repeats[key]
                repeats[key] += 1
            lines.append(f"{head}{_fields(group)}{spoken} {at + repeat}")
    return Lines("\n".join(raw).encode(), "\n".join(kept).encode())


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
