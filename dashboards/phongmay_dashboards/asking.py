"""Asks an InfluxDB what the boards ask it: variables first, then every panel with all of them filled in.

In: a server, a board, what is chosen, a range of time. Out: the text that was asked and the rows that came, a panel at
a time. An error of the server is a StoreError that names its answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from phongmay_dashboards.errors import DashboardError
from phongmay_dashboards.interpolation import Value, Window, choices, expand, interval_for
from phongmay_dashboards.query import KEPT, RAW
from phongmay_dashboards.specification import Board, Panel
from phongmay_store.series.influx_server import InfluxServer, Series

NOW_MS = 300_000
"""What panels look at that show this moment."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one query of a panel.

    Attributes:
        asked: the text that the server got.
        rows: number of rows that hold a value.
    """

    board: Board
    panel: Panel
    asked: str
    series: list[Series]

    @property
    def rows(self) -> int:
        """Count rows in which something but the time is there."""
        return sum(
            any(cell is not None for name, cell in row.items() if name != "time")
            for series in self.series
            for row in series.rows()
        )


def databases(name: str) -> Mapping[str, str]:
    """Give the database behind each data source."""
    return {RAW: f"{name}_raw", KEPT: name}


def values(server: InfluxServer, board: Board, chosen: Mapping[str, str], window: Window) -> dict[str, Value]:
    """Fill a board's variables from above to below, as Grafana does when it opens it.

    Args:
        server: to be asked.
        board: whose variables.
        chosen: a value by variable; where several can be chosen and none is, all are; else the first one.
        window: range of time of the board.

    Raises:
        DashboardError: a variable has no value, or not the one that was chosen.
    """
    found: dict[str, Value] = {}
    for variable in board.variables:
        asked = expand(variable.query, found, window, "1m")
        answers = [
            str(next(cell for name, cell in row.items() if name != "time"))
            for series in server.query(databases(server.settings.database)[variable.database], asked)
            for row in series.rows()
        ]
        options = [value for _, value in sorted(choices(answers, variable.regex))]
        if not options:
            raise DashboardError(
                f"board {board.key}: nothing to choose as {variable.name}; 'phongmay dashboards feed' must have run "
                "within the last hour"
            )
        wanted = chosen.get(variable.name, "")
        if wanted and wanted not in options:
            raise DashboardError(f"board {board.key}: there is no {variable.name} {wanted!r}; there is {options[0]!r}")
        if variable.several:
            found[variable.name] = Value((wanted,) if wanted else tuple(options), multi=True)
        else:
            found[variable.name] = Value(wanted or options[0])
    return found


def window_of(panel: Panel, window: Window) -> Window:
    """Give the range that a panel looks at."""
    return Window(window.end_ms - NOW_MS, window.end_ms) if panel.now else window


def answers(server: InfluxServer, board: Board, chosen: Mapping[str, Value], window: Window) -> Iterator[Answer]:
    """Ask every query of every panel."""
    for panel in board.panels:
        own = window_of(panel, window)
        interval = interval_for(own, least=panel.interval)
        for query in panel.queries:
            asked = expand(query.query, chosen, own, interval)
            database = databases(server.settings.database)[query.database]
            yield Answer(board, panel, asked, server.query(database, asked))
