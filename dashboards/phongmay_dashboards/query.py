"""A query of Grafana's InfluxDB data source in InfluxQL, which the SDK has no model of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef

RAW, KEPT = "phongmay-raw", "phongmay-kept"
"""Uids of the data sources: rounds and status series; hours, inventories and results."""
_TYPE = "influxdb"


def source(uid: str) -> DataSourceRef:
    """Give the reference to a data source."""
    return DataSourceRef(type_val=_TYPE, uid=uid)


@dataclass(frozen=True, slots=True)
class InfluxQuery(Dataquery):
    """One query of a panel.

    Attributes:
        alias: name of each series of a graph: $tag_<tag> or $col.
        is_table: rows for a table, not series for a graph.
    """

    query: str
    database: str = RAW
    alias: str = ""
    is_table: bool = False
    ref_id: str = "A"

    def to_json(self) -> dict[str, object]:
        """Give it as Grafana keeps it."""
        found: dict[str, object] = {
            "datasource": source(self.database).to_json(),
            "query": self.query,
            "rawQuery": True,
            "refId": self.ref_id,
            "resultFormat": "table" if self.is_table else "time_series",
        }
        return {**found, "alias": self.alias} if self.alias else found

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read it back."""
        return cls(
            data["query"], data["datasource"]["uid"], data.get("alias", ""), data["resultFormat"] == "table",
            data["refId"],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class InfluxQueryBuilder(Builder[Dataquery]):
    """What the SDK's panels take."""

    of: InfluxQuery

    def build(self) -> Dataquery:
        """Give the query."""
        return self.of
