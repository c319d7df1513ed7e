"""Turns a board's specification into Grafana's JSON by the SDK's models (grafana-foundation-sdk, schema 42).

In: a board, a language, the address of our pages. Out: the dashboard as text, the same bytes for the same input. The
SDK's model drops what it does not know, so the text is read back and compared: a key that is lost is a bug of ours and
raises AssertionError before a file is written.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the SDK prefers dashboards v2, which Grafana 11 and 12 lack
    from grafana_foundation_sdk.builders import common, dashboard, stat, statetimeline, table, timeseries
    from grafana_foundation_sdk.cog import plugins
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import common as common_models
    from grafana_foundation_sdk.models import dashboard as models

from phongmay_dashboards.query import InfluxQueryBuilder, source
from phongmay_dashboards.specification import GREY, Board, Column, Kind, Link, Panel, Steps, Variable
from phongmay_dashboards.wording import UNKNOWN, Language, Words

_COLUMNS = 24
_BRIDGED_MS = 900_000
"""A line runs on over bins without a value for so long: a missed round is no gap."""
_APART_MS = 3_600_000
"""Points that lie further apart are not joined, even with nothing between them."""
_AnyPanel = stat.Panel | table.Panel | timeseries.Panel | statetimeline.Panel
Mappings = list[models.ValueMapping]


def build(board: Board, language: Language, pages_url: str) -> str:
    """Give a board as JSON.

    Args:
        board: what it shows.
        language: of all texts.
        pages_url: address of our pages, as browsers reach them.
    """
    maker = _Maker(board, language, pages_url.rstrip("/"))
    text = json.dumps(maker.made().build(), cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False)
    plugins.register_default_plugins()
    again = models.Dashboard.from_json(json.loads(text))
    if json.loads(json.dumps(again, cls=JSONEncoder)) != json.loads(text):
        raise AssertionError(f"board {board.key}: the SDK's model does not keep all of it")
    return text + "\n"


class _Maker:
    def __init__(self, board: Board, language: Language, pages: str) -> None:
        self._board, self._language, self._pages = board, language, pages

    def _say(self, words: Words) -> str:
        return words.in_(self._language)

    def _url(self, link: Link) -> str:
        return link.url.format(lang=self._language.value, pages=self._pages)

    def made(self) -> dashboard.Dashboard:
        board = self._board
        made = (
            dashboard.Dashboard(self._say(board.title))
            .uid(f"phongmay-{board.key}-{self._language.value}")
            .description(self._say(board.about))
            .tags(["phongmay", self._language.value])
            .timezone("Asia/Ho_Chi_Minh")
            .week_start("monday")
            .time(board.since, "now")
            .refresh("1m")
            .readonly()
            .tooltip(models.DashboardCursorSync.CROSSHAIR)
        )
        for link in board.links:
            made = made.link(dashboard.DashboardLink(self._say(link.title)).url(self._url(link)).keep_time(True))
        for variable in board.variables:
            made = made.with_variable(self._variable(variable))
        x = y = row = 0
        for number, panel in enumerate(board.panels, 1):
            if x + panel.width > _COLUMNS:
                x, y, row = 0, y + row, 0
            made = made.with_panel(
                self._panel(panel).id(number).grid_pos(models.GridPos(h=panel.height, w=panel.width, x=x, y=y))
            )
            x, row = x + panel.width, max(row, panel.height)
        return made

    def _variable(self, variable: Variable) -> dashboard.QueryVariable:
        made = (
            dashboard.QueryVariable(variable.name)
            .label(self._say(variable.title))
            .datasource(source(variable.database))
            .query({"query": variable.query, "refId": variable.name})
            .definition(variable.query)
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.ALPHABETICAL_ASC)
            .multi(variable.several)
            .include_all(variable.several)
            .allow_custom_value(False)
        )
        if variable.regex:
            made = made.regex(variable.regex)
        if variable.hidden:
            made = made.hide(models.VariableHide.HIDE_VARIABLE)
        if variable.several:
            made = made.current(models.VariableOption(True, ["All"], ["$__all"]))
        return made

    def _panel(self, panel: Panel) -> _AnyPanel:
        made = self._kind(panel)
        made = (
            made.title(self._say(panel.title))
            .description(self._say(panel.about))
            .datasource(source(panel.queries[0].database))
            .interval(panel.interval)
            .no_value(self._say(UNKNOWN))
            .mappings(self._mappings(panel.words))
        )
        for query in panel.queries:
            made = made.with_target(InfluxQueryBuilder(query))
        if panel.unit:
            made = made.unit(panel.unit)
        if panel.low is not None:
            made = made.min(panel.low)
        if panel.high is not None:
            made = made.max(panel.high)
        if panel.now:
            made = made.time_from("5m").hide_time_override(False)
        if panel.queries[0].is_table:
            made = made.with_transformation(models.DataTransformerConfig(id_val="organize", options=_in_order(panel)))
        for column in panel.columns:
            made = made.override_by_name(column.name, list(self._properties(column, panel.kind)))
        return made

    def _kind(self, panel: Panel) -> _AnyPanel:
        match panel.kind:
            case Kind.STAT:
                return (
                    stat.Panel()
                    .color_mode(common_models.BigValueColorMode.VALUE)
                    .graph_mode(common_models.BigValueGraphMode.NONE)
                    .text_mode(common_models.BigValueTextMode.VALUE_AND_NAME)
                    .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("/.*/"))
                    .thresholds(_thresholds(()))
                )
            case Kind.TABLE:
                first = next((c for c in panel.columns if c.steps or c.words), None)
                made = table.Panel().filterable(True).thresholds(_thresholds(()))
                if first is not None and first.steps:
                    made = made.sort_by(
                        [common.TableSortByFieldState().display_name(self._say(first.title)).desc(True)]
                    )
                return made
            case Kind.STATES:
                return statetimeline.Panel().show_value(common_models.VisibilityMode.NEVER).thresholds(_thresholds(()))
            case _:
                # Bins without a value come as nulls, or (rates) not at all: neither may be drawn as if it were known.
                return (
                    timeseries.Panel()
                    .draw_style(common_models.GraphDrawStyle.LINE)
                    .fill_opacity(8)
                    .show_points(common_models.VisibilityMode.AUTO)
                    .span_nulls(_BRIDGED_MS)
                    .insert_nulls(_APART_MS)
                    .legend(
                        common.VizLegendOptions()
                        .display_mode(common_models.LegendDisplayMode.LIST)
                        .placement(common_models.LegendPlacement.BOTTOM)
                        .show_legend(True)
                    )
                )

    def _mappings(self, words: Mapping[str, tuple[Words, str]]) -> Mappings:
        empty = models.SpecialValueMap(
            models.DashboardSpecialValueMapOptions(
                models.SpecialValueMatch.NULL_AND_NAN, models.ValueMappingResult(self._say(UNKNOWN), GREY)
            )
        )
        if not words:
            return [empty]
        options = {
            str(value): models.ValueMappingResult(self._say(text), color, index=index)
            for index, (value, (text, color)) in enumerate(words.items())
        }
        return [models.ValueMap(options), empty]

    def _properties(self, column: Column, kind: Kind) -> Iterator[models.DynamicConfigValue]:
        def known(name: str, value: Any) -> models.DynamicConfigValue:
            return models.DynamicConfigValue(name, value)

        yield known("displayName", self._say(column.title))
        if column.hidden:
            yield known("custom.hidden", True)
            return
        if column.unit:
            yield known("unit", column.unit)
        if column.decimals is not None:
            yield known("decimals", column.decimals)
        if column.steps:
            yield known("thresholds", _thresholds(column.steps).build())
            yield known("color", models.FieldColor(models.FieldColorModeId.THRESHOLDS))
        if column.words:
            yield known("mappings", self._mappings(column.words))
        if kind is Kind.TABLE and (column.steps or column.words):
            yield known("custom.cellOptions", {"type": "color-text"})
        if kind is Kind.TABLE and column.width:
            yield known("custom.width", column.width)
        if column.links:
            yield known("links", [{"title": self._say(link.title), "url": self._url(link)} for link in column.links])


def _in_order(panel: Panel) -> dict[str, Any]:
    """Put the columns in our order: Grafana gives those of tags in a different one each time."""
    names = ["Time", *(column.name for column in panel.columns)]
    return {
        "excludeByName": {} if panel.shows_time else {"Time": True},
        "indexByName": {name: index for index, name in enumerate(names)},
        "renameByName": {},
    }


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    found = [models.Threshold(None, GREY), *(models.Threshold(value, color) for value, color in steps)]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(found)
