"""What Grafana makes of a query before InfluxDB sees it: its macros and variables, by Grafana's own rules.

In: the text of a panel, values of variables, a range of time, an interval. Out: InfluxQL. Read from Grafana's sources
(data source `influxdb`, InfluxQL): `interpolateQueryExpr` of the front end expands variables, then the back end
replaces $timeFilter, $interval, $__interval_ms and $__interval, in this order. What a board must not use (formats such
as ${name:csv}, [[name]], a variable that is not there) raises DashboardError instead of reaching the server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from phongmay_dashboards.errors import DashboardError

MACROS = ("timeFilter", "interval", "__interval_ms", "__interval")
_SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")
_VARIABLE = re.compile(r"\$(\w+)|\[\[(\w+).*?\]\]|\$\{(\w+)([^}]*)\}")
_REGEX = re.compile(r"\s*[=!]~\s*/((?![*+?])(?:[^\r\n\[/\\]|\\.|\[(?:[^\r\n\]\\]|\\.)*\])+)/")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)")
_STEPS = (
    (10, "1ms"), (15, "10ms"), (35, "20ms"), (75, "50ms"), (150, "100ms"), (350, "200ms"), (750, "500ms"),
    (1500, "1s"), (3500, "2s"), (7500, "5s"), (12500, "10s"), (17500, "15s"), (25000, "20s"), (45000, "30s"),
    (90000, "1m"), (210000, "2m"), (450000, "5m"), (750000, "10m"), (1050000, "15m"), (1500000, "20m"),
    (2700000, "30m"), (5400000, "1h"), (9000000, "2h"), (16200000, "3h"), (32400000, "6h"), (86400000, "12h"),
    (604800000, "1d"), (1814400000, "7d"), (3628800000, "30d"),
)  # fmt: skip
"""Upper bounds (ms) of Grafana's rounding of an interval, and what it rounds to; beyond them a year."""


@dataclass(frozen=True, slots=True)
class Value:
    """What is chosen in a variable: one value, or several where the variable takes several."""

    chosen: str | tuple[str, ...]
    multi: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """A range of time, in milliseconds since 1970 as Grafana counts."""

    start_ms: int
    end_ms: int

    @property
    def filter(self) -> str:
        """What stands for $timeFilter: both ends are included."""
        return f"time >= {self.start_ms}ms and time <= {self.end_ms}ms"


def expand(query: str, variables: Mapping[str, Value], window: Window, interval: str) -> str:
    """Give a panel's query as the server gets it.

    Args:
        query: as it stands in the panel.
        variables: by name.
        window: of the board, or of the panel where it has its own.
        interval: as `interval_for` gives it.

    Raises:
        DashboardError: the query uses what is not expanded here.
    """

    def value_of(found: re.Match[str]) -> str:
        name = found[1] or found[2] or found[3]
        if found[2] or found[4]:
            raise DashboardError(f"query {query!r} writes {found[0]}: boards write variables as $name only")
        if name in MACROS:
            return found[0]
        if name not in variables:
            raise DashboardError(f"query {query!r} uses ${name}, which the board does not have")
        return _expression(variables[name], name, query)

    text = _VARIABLE.sub(value_of, query)
    text = text.replace("$timeFilter", window.filter).replace("$interval", interval)
    return text.replace("$__interval_ms", str(milliseconds(interval))).replace("$__interval", interval)


def _expression(value: Value, name: str, query: str) -> str:
    chosen = value.chosen
    if isinstance(chosen, str) and _NUMBER.match(chosen):  # what begins like a number is not escaped
        return chosen
    if value.multi:
        return _escaped(chosen)
    inside = re.compile(rf"/\^?.*\${name}.*\$?/")
    if any(inside.search(found[0]) for found in _REGEX.finditer(query)):
        return _escaped(chosen)
    return chosen if isinstance(chosen, str) else ",".join(chosen)


def _escaped(chosen: str | tuple[str, ...]) -> str:
    if isinstance(chosen, str):
        return _SPECIAL.sub(r"\\\g<0>", chosen)
    return "(" + "|".join(_SPECIAL.sub(r"\\\g<0>", one) for one in chosen) + ")"


def milliseconds(interval: str) -> int:
    """Give an interval such as 30s in milliseconds."""
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d)", interval)
    if found is None:
        raise DashboardError(f"interval {interval!r} is none; write 10s, 1m or 1h")
    return int(found[1]) * {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}[found[2]]


def interval_for(window: Window, points: int = 1000, least: str = "1s") -> str:
    """Give the interval that Grafana chooses: range over the panel's points, rounded, no less than the least."""
    wanted = max(1, (window.end_ms - window.start_ms) // points)
    rounded = next((text for limit, text in _STEPS if wanted < limit), "365d")
    return rounded if milliseconds(rounded) > milliseconds(least) else least


def choices(answers: list[str], pattern: str) -> list[tuple[str, str]]:
    """Give (text, value) of a variable's options: named groups `text` and `value` of its regex, else the answer itself.

    Raises:
        DashboardError: the pattern is none that Grafana takes.
    """
    if not pattern:
        return [(answer, answer) for answer in answers]
    if not (pattern.startswith("/") and pattern.endswith("/")):
        raise DashboardError(f"regex {pattern!r} of a variable must stand between slashes")
    expression = re.compile(pattern[1:-1].replace("(?<", "(?P<"))
    found = [match for answer in answers if (match := expression.search(answer))]
    return [(match["text"], match["value"]) for match in found]
