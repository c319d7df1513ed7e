"""What a board is made of, in our words: boards, variables, panels, columns; `building` turns them into Grafana's JSON.

Nothing is computed here. Colours always come with a sign or a word, and no colour that looks good is ever the base of a
scale, because Grafana paints what has no value in the base colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from phongmay_dashboards.query import RAW, InfluxQuery
from phongmay_dashboards.wording import Words

GREY, GREEN, YELLOW, ORANGE, RED, BLUE = "#8e8e8e", "green", "yellow", "orange", "red", "blue"
Steps = tuple[tuple[float, str], ...]
"""Colours from a value on, ascending; below the first one it is grey."""
GOOD_ZERO: Steps = ((0, GREEN), (1, RED))
"""None is good, one is too many."""
PLAIN: Steps = ((0, BLUE),)
"""A number that is neither good nor bad."""


class Kind(StrEnum):
    """How a panel looks."""

    STAT = "stat"
    TABLE = "table"
    GRAPH = "timeseries"
    STATES = "state-timeline"


@dataclass(frozen=True, slots=True)
class Link:
    """A way from a cell to another board or page; `{board}`, `{lang}` and `{pages}` are filled in when it is built."""

    title: Words
    url: str


@dataclass(frozen=True, slots=True)
class Column:
    """A field of an answer as people see it.

    Attributes:
        name: of the field in the answer.
        unit: one of Grafana's units.
        steps: colours of its values.
        words: for texts, what stands for each and in which colour.
        hidden: it only serves links.
    """

    name: str
    title: Words
    unit: str = ""
    steps: Steps = ()
    words: Mapping[str, tuple[Words, str]] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    hidden: bool = False
    width: int = 0
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel.

    Attributes:
        about: plain words for whoever wonders what it shows.
        now: it always looks at the last five minutes, whatever range is chosen.
        interval: least $__interval.
        words: of a timeline: what stands for each text.
        shows_time: rows of a table are events, so that their time is a column.
    """

    title: Words
    about: Words
    kind: Kind
    queries: tuple[InfluxQuery, ...]
    columns: Sequence[Column] = ()
    width: int = 24
    height: int = 8
    now: bool = False
    interval: str = "1m"
    unit: str = ""
    low: float | None = None
    high: float | None = None
    words: Mapping[str, tuple[Words, str]] = field(default_factory=dict)
    shows_time: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice above the board.

    Attributes:
        regex: with named groups text and value.
        several: several may be chosen, and all are at first.
    """

    name: str
    title: Words
    query: str
    regex: str = ""
    several: bool = False
    hidden: bool = False
    database: str = RAW


@dataclass(frozen=True, slots=True)
class Board:
    """A board: its uid is phongmay-<key>-<language>."""

    key: str
    title: Words
    about: Words
    variables: tuple[Variable, ...]
    panels: tuple[Panel, ...]
    since: str = "now-24h"
    links: tuple[Link, ...] = ()
