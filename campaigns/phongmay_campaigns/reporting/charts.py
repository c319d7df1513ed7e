"""The charts of a run as plain shapes, so that page and PDF show the same: participants go in, shapes come out.

`stacked` lays the series of all PCs upon each other against what the contract promises and what the floor needs;
`per_pc` shows each PC's rate, the slowest first. Colours alternate by room.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from phongmay_campaigns.reporting import words
from phongmay_campaigns.reporting.evidence import Evidence
from phongmay_store.register.campaign import CampaignParticipant

COLOURS = ("#2f6f9f", "#5b9bc4", "#8a6d3b", "#c2a46b", "#4f7f52", "#86b188", "#7a5a8c", "#ab8fbc")
"""Two shades a room."""
PHONE_WIDTH = 310.0
"""As many units as a phone has pixels beside the margins, so that letters keep their size there."""
GRID, TEXT, FLOOR, CONTRACT, BAD = "#c9d1d8", "#3b4650", "#b3261e", "#1f6f43", "#b3261e"
_LEFT, _BOTTOM, _TOP, _RIGHT = 58.0, 26.0, 12.0, 12.0
Point = tuple[float, float]


@dataclass(frozen=True)
class Shape:
    """A polygon (two points of a line if `dashed` or `stroke`), or a text.

    Attributes:
        points: in the chart's own units, y downwards.
        fill: colour of a polygon; "" = a line.
        stroke: colour of a line.
        text: written at the first point.
        anchor: start, middle or end of the text.
        title: what a pointer that rests on it is told.
    """

    points: tuple[Point, ...]
    fill: str = ""
    stroke: str = ""
    dashed: bool = False
    text: str = ""
    anchor: str = "start"
    title: str = ""


@dataclass
class Chart:
    """A drawing with a title for those who cannot see it."""

    width: float
    height: float
    title: str
    shapes: list[Shape] = field(default_factory=list)

    def line(self, start: Point, end: Point, colour: str, *, dashed: bool = False) -> None:
        """Draw a line."""
        self.shapes.append(Shape((start, end), stroke=colour, dashed=dashed))

    def label(self, at: Point, text: str, *, anchor: str = "start", colour: str = TEXT) -> None:
        """Write a text."""
        self.shapes.append(Shape((at,), fill=colour, text=text, anchor=anchor))


def stacked(
    evidence: Evidence, *, down: bool, language: str, width: float = 640.0, height: float = 260.0
) -> Chart | None:
    """Stack the series of all PCs; None where nothing was measured in this direction."""
    own = [(one, one.bins_dl if down else one.bins_ul) for one in _by_room(evidence.participants)]
    own = [(one, bins) for one, bins in own if bins]
    if not own:
        return None
    run, result = evidence.run, evidence.result
    seconds = max(len(bins) for _, bins in own)
    sums = [sum(bins[at] for _, bins in own if at < len(bins)) for at in range(seconds)]
    contract = run.contracted_dl if down else run.contracted_ul
    floor = run.floor_dl if down else run.floor_ul
    needed = floor * result.n_registered if result is not None and run.kind != "capacity" else None
    marks = [mark for mark in (contract, needed) if mark]
    top = 1.08 * max([*sums, *[mark for mark in marks if mark < 4 * max(sums)], 1.0])
    chart = Chart(width, height, words.text("chart_down" if down else "chart_up", language))
    x, y = _axes(chart, seconds, top, language)
    below = [0.0] * seconds
    for number, (one, bins) in enumerate(own):
        above = [below[at] + (bins[at] if at < len(bins) else 0) for at in range(seconds)]
        edge = [(x(at), y(above[at])) for at in range(seconds)]
        edge.append((x(seconds), y(above[-1])))
        base = [(x(seconds), y(below[-1])), *[(x(at), y(below[at])) for at in reversed(range(seconds))]]
        colour = COLOURS[_shade(evidence, one, number)]
        chart.shapes.append(Shape((*edge, *base), fill=colour, title=one.code))
        below = above
    for mark, colour, key in ((contract, CONTRACT, "contracted"), (needed, FLOOR, "needed")):
        if mark and mark <= top:
            chart.line((_LEFT, y(mark)), (width - _RIGHT, y(mark)), colour, dashed=True)
            text = f"{words.text(key, language)} {words.rate(mark, language)}"
            chart.label((width - _RIGHT - 2, y(mark) - 4), text, anchor="end", colour=colour)
    return chart


def per_pc(evidence: Evidence, *, language: str, width: float = 640.0) -> Chart | None:
    """Show each PC's downward and upward rate as two bars, the slowest first; None without figures."""
    own = sorted(
        (one for one in evidence.participants if one.goodput_dl_srv is not None or one.goodput_ul_srv is not None),
        key=lambda one: (one.goodput_dl_srv or 0.0, one.code),
    )
    if not own:
        return None
    row, left = 15.0, 96.0
    chart = Chart(width, _TOP + row * len(own) + _BOTTOM, words.text("chart_pcs", language))
    pace = evidence.result.pace_bps if evidence.result is not None else 0.0
    most = 1.1 * max([pace, *[max(one.goodput_dl_srv or 0.0, one.goodput_ul_srv or 0.0) for one in own], 1.0])
    scale = (width - left - 70.0) / most
    for number, one in enumerate(own):
        top = _TOP + row * number
        chart.label((left - 6, top + 10.5), one.code[-14:], anchor="end", colour=BAD if one.passed is False else TEXT)
        for share, (value, colour) in enumerate(((one.goodput_dl_srv, COLOURS[0]), (one.goodput_ul_srv, COLOURS[3]))):
            if value is not None:
                low = top + 1.5 + 6 * share
                bar = ((left, low), (left + value * scale, low), (left + value * scale, low + 5.5), (left, low + 5.5))
                chart.shapes.append(Shape(bar, fill=colour, title=f"{one.code}: {words.rate(value, language)}"))
        figure = words.rate(one.goodput_dl_srv, language).removesuffix(" Mbit/s")
        chart.label((left + 8 + max(one.goodput_dl_srv or 0, one.goodput_ul_srv or 0) * scale, top + 10.5), figure)
    if pace:
        x = left + pace * scale
        chart.line((x, _TOP - 4), (x, chart.height - _BOTTOM + 4), FLOOR, dashed=True)
        text = f"{words.text('needed', language)} {words.rate(pace, language)}"
        chart.label((x, chart.height - 8), text, anchor="middle", colour=FLOOR)
    for place, key, colour in ((4.0, "down", COLOURS[0]), (46.0, "up", COLOURS[3])):
        chart.label((place, chart.height - 8), words.text(key, language), colour=colour)
    return chart


def _by_room(participants: Sequence[CampaignParticipant]) -> list[CampaignParticipant]:
    return sorted(participants, key=lambda one: (one.room_id or "", one.code))


def _shade(evidence: Evidence, one: CampaignParticipant, number: int) -> int:
    rooms = sorted({other.room_id or "" for other in evidence.participants})
    return (2 * rooms.index(one.room_id or "") + number % 2) % len(COLOURS)


Scale = Callable[[float], float]


def _axes(chart: Chart, seconds: int, top: float, language: str) -> tuple[Scale, Scale]:
    """Draw the grid and give the two scales: seconds to x, bit/s to y."""
    wide, high = chart.width - _LEFT - _RIGHT, chart.height - _TOP - _BOTTOM

    def x(second: float) -> float:
        return _LEFT + wide * second / max(1, seconds)

    def y(bps: float) -> float:
        return _TOP + high * (1 - min(bps, top) / top)

    step = _round_step(top / 4)
    for number in range(int(top / step) + 1):
        level = number * step
        chart.line((_LEFT, y(level)), (chart.width - _RIGHT, y(level)), GRID)
        figure = words.rate(level, language).removesuffix(" Mbit/s")
        chart.label((_LEFT - 6, y(level) + 4), figure, anchor="end")
    for second in range(0, seconds + 1, max(1, seconds // 8)):
        chart.label((x(second), chart.height - 10), str(second), anchor="middle")
    chart.label((_LEFT - 6, chart.height - 10), words.text("seconds", language), anchor="end")
    return x, y


def _round_step(least: float) -> float:
    """Give the next of 1, 2, 5, 10 ... that is not less."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)
